"""The command as a person types it: what plays, what is refused, and what is left on disk.

Everything runs in this process at fast pace, with the demo's bundle and seconds of sound; real
processes are in the tests that are marked so.
"""

import hashlib
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from safetensors.numpy import load, save

from launch import run_folder, stage
from launch.config import PROJECT_ROOT

RATE = 44_100
DEMO = PROJECT_ROOT / "models" / "bundles" / "default"
ITEM_12 = {
    "windows", "window_seconds", "pace", "seed", "isr", "isrw", "staleness_mean", "anticipation",
    "misses", "underruns", "reaction_ms", "stages_ms", "stream_ms", "restarts", "labels_in",
    "labels_out", "segments",
}  # fmt: skip


def melody(seconds, rate=RATE, channels=2):
    """Four notes, half a second each, over and over; shape (frames, channels)."""
    t = np.arange(round(seconds * rate)) / rate
    hertz = np.array([262.0, 330.0, 392.0, 523.0])[(2 * t).astype(int) % 4]
    sound = 0.3 * np.exp(-2 * (t % 0.5)) * np.sin(2 * np.pi * hertz * t)
    return np.repeat(sound[:, None], channels, axis=1).astype(np.float32)


@pytest.fixture(scope="session")
def sounds(tmp_path_factory):
    """A folder of good and bad audio files."""
    folder = tmp_path_factory.mktemp("sounds")

    def write(name, samples, rate=RATE, **options):
        soundfile.write(folder / name, samples, rate, **options)

    write("good.wav", melody(2))
    write("mono.wav", melody(2, channels=1))
    write("six.wav", melody(2, channels=6))
    write("telephone.wav", melody(2, 8_000), 8_000)
    write("studio.wav", melody(2, 192_000), 192_000)
    write("silent.wav", np.zeros((2 * RATE, 2)))
    write("one_second.wav", melody(1))
    write("blip.wav", melody(0.3))
    write("a [bold]name [red] ünd.wav", melody(2))
    write("zero.wav", np.zeros((0, 2)))
    with_nan = melody(2)
    with_nan[RATE] = np.nan
    write("nan.wav", with_nan, subtype="FLOAT")
    write("loud.wav", 100 * melody(2), subtype="FLOAT")
    for name in ("whole.flac", "whole.ogg"):
        write(name, melody(2))
    for name, whole in (("cut.wav", "good.wav"), ("cut.flac", "whole.flac"),
                        ("cut.ogg", "whole.ogg")):  # fmt: skip
        content = (folder / whole).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.wav").write_text("this is no sound\n" * 20)
    (folder / "folder.wav").mkdir()
    os.mkfifo(folder / "pipe.wav")
    return folder


@pytest.fixture
def command(sounds, tmp_path, monkeypatch, capsys):
    """Runs the stage in the folder of the sounds; gives the exit code and what was printed."""
    monkeypatch.chdir(sounds)
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    def run(*arguments, out=tmp_path / "run", replay="good.wav", memory=("good.wav",)):
        lines = ["--pace", "fast", "--replay", replay, "--memory", *memory, "--out", out]
        lines += ["--set", f"cache={tmp_path.parent / 'cache'}", *arguments]
        code = stage.main([str(argument) for argument in lines])
        assert handlers == [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
        return code, capsys.readouterr().err

    return run


def refusal(code, printed):
    """The one sentence of a command that did not start."""
    assert code == 2
    assert "Traceback" not in printed
    lines = printed.splitlines()
    assert [line for line in lines if line.startswith("error: ")] == lines[-1:]
    return lines[-1]


def report(folder):
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("memory", [
    "good.wav", "mono.wav", "six.wav", "telephone.wav", "studio.wav", "silent.wav",
    "one_second.wav", "blip.wav", "a [bold]name [red] ünd.wav",
])  # fmt: skip
def test_every_usable_sound_can_be_the_memory(command, tmp_path, memory):
    code, printed = command(memory=[memory])
    assert code == 0, printed
    summary = report(tmp_path / "run")
    assert summary["windows"] == 8
    assert (max(summary["segments"]) >= 0) == (memory != "silent.wav")
    assert ("the memory is all silence" in printed) == (memory == "silent.wav")


@pytest.mark.parametrize("guide", [
    "mono.wav", "six.wav", "telephone.wav", "studio.wav", "silent.wav",
    "a [bold]name [red] ünd.wav",
])  # fmt: skip
def test_every_usable_sound_can_be_the_guide(command, tmp_path, guide):
    code, printed = command(replay=guide)
    assert code == 0, printed
    assert report(tmp_path / "run")["windows"] == 8
    assert ("silent.wav is all silence" in printed) == (guide == "silent.wav")


def test_memory_files_of_different_rates_play_together(command, tmp_path):
    as_it_is = ("--set", "transpose=0")
    assert command(*as_it_is, memory=["telephone.wav", "studio.wav", "mono.wav"])[0] == 0
    assert [one["name"] for one in report(tmp_path / "run")["memory"]] == [
        "telephone.wav", "studio.wav", "mono.wav"]  # fmt: skip


@pytest.mark.parametrize("role", ["replay", "memory"])
@pytest.mark.parametrize(("name", "rule"), [
    ("missing.wav", "must exist"),
    ("[/bold] missing [red].wav", "must exist"),
    ("empty.wav", "must hold sound, got an empty file"),
    ("zero.wav", "must hold sound, got no samples"),
    ("text.wav", "must be a WAV, FLAC or OGG file"),
    ("nan.wav", "must hold finite samples"),
    ("loud.wav", "must hold finite samples of full scale ±1"),
    ("cut.wav", "must be whole"),
    ("cut.flac", "must be a WAV, FLAC or OGG file that can be decoded to its end"),
    ("cut.ogg", "must be whole"),
    ("folder.wav", "must be an audio file, got a folder"),
    ("pipe.wav", "must be an audio file, got neither file nor folder"),
    ("x" * 5000, "File name too long"),
    (os.fsdecode(b"caf\xe9.wav"), "it is not plain UTF-8 text"),
])  # fmt: skip
def test_sound_that_cannot_be_used_is_refused(command, sounds, tmp_path, role, name, rule):
    sentence = refusal(*command(**{role: name if role == "replay" else ["good.wav", name]}))
    assert rule in sentence
    assert ";" in sentence, "it must say what to do"
    if "missing" in name:
        assert str(sounds / name) in sentence
    assert not (tmp_path / "run").exists()


def rewritten(folder, name, content):
    """`name` holds `content`, and the card knows its hash."""
    (folder / name).write_bytes(content)
    edited(folder, files={name: hashlib.sha256(content).hexdigest()})


def edited(folder, **changes):
    card = yaml.safe_load((folder / "bundle.yaml").read_text(encoding="utf-8"))
    for key, value in changes.items():
        card[key] = {**card[key], **value} if isinstance(value, dict) else value
    (folder / "bundle.yaml").write_text(yaml.safe_dump(card), encoding="utf-8")


def narrowed(folder):
    arrays = load((folder / "codebook.safetensors").read_bytes())
    narrow = {name: np.ascontiguousarray(array[:, :7]) for name, array in arrays.items()}
    rewritten(folder, "codebook.safetensors", save(narrow))


def swapped(folder):
    rewritten(folder, "decision.safetensors", (folder / "counts.safetensors").read_bytes())


BAD_BUNDLES = {
    "no card": (lambda b: (b / "bundle.yaml").unlink(), "must be a bundle with a bundle.yaml"),
    "no weights": (lambda b: (b / "decision.safetensors").unlink(), "must hold decision"),
    "no codebook": (lambda b: (b / "codebook.safetensors").unlink(), "must hold codebook"),
    "other bytes": (lambda b: (b / "counts.safetensors").write_bytes(b"1"), "foreign or damaged"),
    "other weights": (swapped, "must hold arrays that fit its card"),
    "other ear": (narrowed, "the codebook must have 18 features like the ear, got 7"),
    "no tensors": (lambda b: rewritten(b, "counts.safetensors", b"1" * 99), "must be a safetens"),
    "other version": (lambda b: edited(b, format_version=2), "must have format_version 1, got 2"),
    "other size": (lambda b: edited(b, n_labels=8), "the codebook must have 8 centres"),
    "unknown key": (lambda b: edited(b, more=1), "must be a valid card: more"),
    "a list": (lambda b: (b / "bundle.yaml").write_text("- 1"), "must have format_version 1"),
    "no YAML": (lambda b: (b / "bundle.yaml").write_text("a: [\n}"), "must be readable YAML"),
    "no text": (lambda b: (b / "bundle.yaml").write_bytes(b"\xff\xfe"), "must be readable YAML"),
    "no files": (lambda b: shutil.rmtree(b), "must be a bundle with a bundle.yaml"),
}


@pytest.mark.parametrize(("spoil", "rule"), BAD_BUNDLES.values(), ids=BAD_BUNDLES)
def test_a_bundle_that_cannot_be_used_is_refused(command, tmp_path, spoil, rule):
    shutil.copytree(DEMO, tmp_path / "bundle")
    spoil(tmp_path / "bundle")
    assert rule in refusal(*command("--bundle", tmp_path / "bundle"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("arguments", "rule"), [
    ("--set foo=1", '"foo" is not a known setting'),
    ("--set decision.foo=1", '"decision.foo" is not a known setting'),
    ("--set seed", '--set must be section.key=value, got "seed"'),
    ("--set =1", "--set must be section.key=value"),
    ("--set seed=[1", "--set seed: the value must be YAML"),
    ("--set seed.x=1 --set seed=1 --set seed.x=1", '"seed" in "seed.x" is a value'),
    ("--set seed=many", "seed must be a whole number, got 'many'"),
    ("--set seed=-1", "seed must be greater than or equal to 0, got -1"),
    ("--set seed=99999999999", "seed must be less than 4294967296"),
    ("--set tempo=fast", "tempo must be a section with settings, got 'fast'"),
    ("--set tempo.bpm=.nan", "tempo.bpm must be less than or equal to 400, got nan"),
    ("--set memory=[]", "memory must be a list with something in it, got []"),
    ("--set memory=5", "memory must be a list, got 5"),
    ("--set bundle=null", "bundle must be a path, got None"),
    ("--set replay=null", "fast pace must have a guide to replay"),
    ("--set pace=slow", "pace must be 'real' or 'fast'"),
    ("--set decision.horizon=0", "decision.horizon must be greater than or equal to 1"),
    ("--set decision.horizon=64", "decision.horizon must be at most the bundle's 4, got 64"),
    ("--set decision.horizon=1000000", "decision.horizon must be less than or equal to 64"),
    ("--set decision.top_p=1.3", "decision.top_p must be less than or equal to 1, got 1.3"),
    ("--set audio.lead_blocks=64", "the output's lead must be at most half a window"),
    ("--set audio.sample_rate=8000", "the output's lead must be at most half a window"),
    ("--set audio.sample_rate=7", "audio.sample_rate must be greater than or equal to 8000"),
    ("--set audio.channels=4", "audio.channels must be 1 or 2, got 4"),
    ("--set osc.host=0.0.0.0", "must be a loopback address"),
    ("--set streams.publish_port=17401", "publish_port and subscribe_port must differ"),
    ("--window 0.1", "window must be greater than or equal to 0.125, got 0.1"),
    ("--window 2", "window must be less than or equal to 1, got 2.0"),
    ("--window nan", "got nan"),
    ("--window inf", "got inf"),
    ("--window 0.333333333", "window: must be a short decimal"),
    ("--seconds 0", "seconds must be greater than 0"),
    ("--seconds=-3", "seconds must be greater than 0, got -3.0"),
    ("--seconds inf", "got inf"),
    ("--seconds 0.4", "seconds must be at least two windows (0.5 s), got 0.4"),
    ("--replay blip.wav", "the guide must last at least two windows (0.5 s), got 0.30 s"),
    ("--seconds long", "--seconds: invalid float value: 'long'; see --help"),
    ("--pace slow", "--pace: invalid choice"),
    ("--memory", "--memory: expected at least one argument"),
    ("--foo", "unrecognized arguments: --foo"),
    ("--config missing.yaml", "the config must be an existing YAML file"),
    ("--config good.wav", "it is not text"),
    ("--config folder.wav", "Is a directory"),
    ("--out good.wav", "the run's folder must be writable"),
    ("--out good.wav/run", "the run's folder must be writable"),
    ("--out .", "the run's folder must be new or empty"),
])  # fmt: skip
def test_a_command_that_cannot_be_followed_is_refused(command, sounds, tmp_path, arguments, rule):
    before = sorted(sounds.iterdir())
    sentence = refusal(*command(*arguments.split()))
    assert rule in sentence
    assert not (tmp_path / "run").exists()
    assert sorted(sounds.iterdir()) == before


def test_a_config_that_is_a_list_is_refused(command, tmp_path):
    (tmp_path / "list.yaml").write_text("- replay")
    sentence = refusal(*command("--config", tmp_path / "list.yaml"))
    assert "must hold names and values, got a list" in sentence


def test_a_refused_setting_is_found_in_its_file_and_by_its_flag(command):
    sentence = refusal(*command("--set", "tempo.bpm=0"))
    assert str(PROJECT_ROOT / "configs" / "rehearsal.yaml") in sentence
    assert "--set tempo.bpm=…" in sentence


def test_a_disk_without_room_is_refused(command, tmp_path, monkeypatch):
    full = shutil._ntuple_diskusage(10**9, 10**9, 0)
    monkeypatch.setattr(run_folder.shutil, "disk_usage", lambda _: full)
    assert "the disk must have room for the run" in refusal(*command())
    assert not (tmp_path / "run").exists()


def test_a_read_only_folder_is_refused(command, tmp_path, monkeypatch):
    def read_only(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "write_bytes", read_only)
    sentence = refusal(*command())
    assert "the run's folder must be writable" in sentence
    assert "Read-only file system" in sentence
    assert not (tmp_path / "run").exists()


def test_a_disk_that_fills_up_leaves_a_run_that_says_it_is_not_finished(command, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    assert command(out=tmp_path / "first")[0] == 0  # the memory is labelled and kept by now
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, before[1]))
    try:
        code, printed = command()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert code == 1
    assert "error: the run must be recorded to its end, window 8" in printed
    assert report(tmp_path / "run")["finished"] is False
    assert "stopped before" in report(tmp_path / "run")["failure"]


def test_a_guide_is_repeated_for_as_long_as_was_asked(command, tmp_path):
    assert command("--seconds", "3")[0] == 0
    assert report(tmp_path / "run")["windows"] == 12


def test_the_report_holds_what_was_promised(command, tmp_path):
    assert command("--seed", "7")[0] == 0
    summary = report(tmp_path / "run")
    assert summary.keys() >= ITEM_12
    assert summary["finished"] is True
    assert (summary["windows"], summary["window_seconds"]) == (8, 0.25)
    assert (summary["pace"], summary["seed"]) == ("fast", 7)
    assert summary["reaction_ms"].keys() == {"p50", "p95", "p99", "max"}
    assert summary["stages_ms"].keys() == {"perception", "decision", "action"}
    assert all(one.keys() == {"p50", "p99"} for one in summary["stages_ms"].values())
    assert summary["stream_ms"].keys() == {"p50", "p99"}
    for name in ("labels_in", "labels_out", "segments"):
        assert len(summary[name]) == 8


def test_each_step_is_said_once_begun_and_once_done(command):
    _, printed = command(memory=["good.wav", "mono.wav", "six.wav"])
    steps = [line for line in printed.splitlines() if "…" in line or " done in " in line]
    assert len(steps) == len(set(steps)) == 7
    assert sum("labelling the memory" in line for line in steps) == 2


def test_ctrl_c_while_playing_keeps_what_was_played(command, tmp_path):
    play = stage.FastBand.run

    def interrupted(band, stop):
        signal.raise_signal(signal.SIGINT)
        play(band, stop)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage.FastBand, "run", interrupted)
        code, printed = command()
    assert code == 0, printed
    assert report(tmp_path / "run")["finished"] is True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_the_music_leaves_nothing(command, tmp_path, monkeypatch, number):
    monkeypatch.setattr(stage, "FastBand", lambda _: signal.raise_signal(number))
    code, printed = command()
    assert code == 130
    assert printed.endswith("ended before the music began; nothing is kept\n")
    assert not (tmp_path / "run").exists()


def test_a_band_that_breaks_before_it_plays_leaves_nothing(command, tmp_path, monkeypatch):
    def broken(_):
        raise OSError("the band must be well, but is ill; call a doctor")

    monkeypatch.setattr(stage, "FastBand", broken)
    assert "the band must be well" in refusal(*command())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("arguments", [
    ["--list-devices"],
    ["--input", "0", "--pace", "real", "--set", "streams.publish_port=28410",
     "--set", "streams.subscribe_port=28411"],
])  # fmt: skip
def test_without_portaudio_a_live_stage_is_refused(command, monkeypatch, arguments):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    extra = [] if arguments == ["--list-devices"] else ["--set", "replay=null"]
    sentence = refusal(*command(*arguments, *extra))
    assert "live audio needs PortAudio" in sentence
    assert "install libportaudio2" in sentence


def test_a_stage_that_already_runs_keeps_its_ports(command, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        sentence = refusal(*command("--pace", "real", "--set", f"streams.publish_port={port}"))
    assert f"127.0.0.1:{port} for itself, but it is taken" in sentence
    assert "stop that one, or set other ports" in sentence
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "start",
    [["launch/stage.py"], ["-m", "launch.stage"], ["launch/cli.py", "stage"]],
    ids=["file", "module", "console script"],
)
def test_three_spellings_are_one_command(start):
    done = subprocess.run(
        [sys.executable, *start, "--help"],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: antiphon stage ")
    for flag in ("--config", "--replay", "--memory", "--bundle", "--window", "--pace", "--seed",
                 "--seconds", "--out", "--set", "--input", "--output"):  # fmt: skip
        assert flag in done.stdout


def free_ports():
    """Two TCP ports and a UDP port that nobody has now, as settings."""
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as other,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as third,
    ):
        third.bind(("127.0.0.1", 0))
        names = ("streams.publish_port", "streams.subscribe_port", "osc.port")
        ports = [each.getsockname()[1] for each in (one, other, third)]
    return [
        word
        for pair in zip(names, ports, strict=True)
        for word in ("--set", f"{pair[0]}={pair[1]}")
    ]


@pytest.fixture
def real_stage(sounds, tmp_path):
    """Starts the command in a process of its own, at real pace, without a loudspeaker."""

    def start(*arguments, **environment):
        files = ["--replay", sounds / "good.wav", "--memory", sounds / "good.wav"]
        lines = [*files, "--out", tmp_path / "run", "--set", "audio.output=null", *free_ports()]
        return subprocess.Popen(
            [sys.executable, "launch/stage.py", *map(str, lines), *arguments],
            cwd=PROJECT_ROOT,
            env={**os.environ, **environment},
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.mark.ray
def test_a_ray_that_cannot_start_is_said_and_leaves_nothing(real_stage, tmp_path):
    (tmp_path / "file").write_text("no folder")
    stage_process = real_stage(RAY_TMPDIR=str(tmp_path / "file"))
    _, printed = stage_process.communicate(timeout=120)
    assert "Ray must start on this machine" in refusal(stage_process.returncode, printed)
    assert not (tmp_path / "run").exists()


@pytest.mark.ray
@pytest.mark.slow
def test_ctrl_c_while_it_plays_in_earnest_ends_in_order(real_stage, tmp_path):
    stage_process = real_stage("--seconds", "100")
    for line in stage_process.stderr:
        if " window 0" in line:
            break
    while run_folder.recorded_frames(tmp_path / "run" / "input.wav") < RATE:
        with pytest.raises(subprocess.TimeoutExpired):  # it goes on playing
            stage_process.wait(timeout=0.1)
    stage_process.send_signal(signal.SIGINT)
    _, printed = stage_process.communicate(timeout=60)
    assert stage_process.returncode == 0, printed
    summary = report(tmp_path / "run")
    assert summary["finished"] is True
    assert 3 <= summary["windows"] < 100
