"""The command as a person types it: what plays, what is refused, and what is left on disk.

Everything runs in this process at fast pace, with the demo's bundle and seconds of sound; real
processes are in the tests that are marked so.
"""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from launch import run_folder, stage
from launch.config import PROJECT_ROOT

RATE = 44_100
DEMO = PROJECT_ROOT / "models" / "bundles" / "default"
ITEM_12 = {
    "windows", "window_seconds", "pace", "seed", "isr", "isrw", "staleness_mean", "anticipation",
    "misses", "underruns", "reaction_ms", "stages_ms", "stream_ms", "restarts", "labels_in",
    "labels_out", "segments",
}  # fmt: skip


@pytest.mark.parametrize("memory", [
    "good.wav", "mono.wav", "six.wav", "telephone.wav", "studio.wav", "silent.wav",
    "one_second.wav", "blip.wav", "a [bold]name [red] ünd.wav",
])  # fmt: skip
def test_every_usable_sound_can_be_the_memory(command, tmp_path, memory, report):
    never_rest = ("--set", "decision.silence_threshold=1")
    code, printed = command(*never_rest, memory=[memory])
    assert code == 0, printed
    summary = report(tmp_path / "run")
    assert summary["windows"] == 8
    assert (max(summary["segments"]) >= 0) == (memory != "silent.wav")
    assert ("the memory is all silence" in printed) == (memory == "silent.wav")


@pytest.mark.parametrize("guide", [
    "mono.wav", "six.wav", "telephone.wav", "studio.wav", "silent.wav",
    "a [bold]name [red] ünd.wav",
])  # fmt: skip
def test_every_usable_sound_can_be_the_guide(command, tmp_path, guide, report):
    code, printed = command(replay=guide)
    assert code == 0, printed
    assert report(tmp_path / "run")["windows"] == 8
    assert ("silent.wav is all silence" in printed) == (guide == "silent.wav")


def test_memory_files_of_different_rates_play_together(command, tmp_path, report):
    as_it_is = ("--set", "transpose=0")
    assert command(*as_it_is, memory=["telephone.wav", "studio.wav", "mono.wav"])[0] == 0
    assert [one["name"] for one in report(tmp_path / "run")["memory"]] == [
        "telephone.wav", "studio.wav", "mono.wav"]  # fmt: skip


def test_a_guide_is_repeated_for_as_long_as_was_asked(command, tmp_path, report):
    assert command("--seconds", "3")[0] == 0
    assert report(tmp_path / "run")["windows"] == 12


def test_the_report_holds_what_was_promised(command, tmp_path, report):
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
    assert len(steps) == len(set(steps)) == 9
    assert sum("labelling the memory" in line for line in steps) == 2


def test_ctrl_c_while_playing_keeps_what_was_played(command, tmp_path, report):
    play = stage.FastBand.run

    def interrupted(band, stop):
        signal.raise_signal(signal.SIGINT)
        play(band, stop)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage.FastBand, "run", interrupted)
        code, printed = command()
    assert code == 0, printed
    assert report(tmp_path / "run")["finished"] is True


def test_a_terminal_that_is_closed_ends_the_music_in_order_unless_told_otherwise(
    command, tmp_path, report
):
    play = stage.FastBand.run

    def hung_up(band, stop):
        signal.raise_signal(signal.SIGHUP)
        play(band, stop)

    earlier = signal.getsignal(signal.SIGHUP)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stage.FastBand, "run", hung_up)
            assert command()[0] == 0
            signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
            assert command(out=tmp_path / "on")[0] == 0
    finally:
        signal.signal(signal.SIGHUP, earlier)
    ended, on = (report(tmp_path / name) for name in ("run", "on"))
    assert ended["finished"] is True
    assert ended["windows"] < on["windows"] == 8


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_the_music_leaves_nothing(command, tmp_path, monkeypatch, number):
    monkeypatch.setattr(stage, "FastBand", lambda _: signal.raise_signal(number))
    code, printed = command()
    assert code == 130
    assert printed.endswith("ended before the music began; nothing is kept\n")
    assert not (tmp_path / "run").exists()


def test_a_band_that_breaks_before_it_plays_leaves_nothing(command, tmp_path, monkeypatch, refusal):
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
def test_without_portaudio_a_live_stage_is_refused(command, monkeypatch, arguments, refusal):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    extra = [] if arguments == ["--list-devices"] else ["--set", "replay=null"]
    sentence = refusal(*command(*arguments, *extra))
    assert "live audio needs PortAudio" in sentence
    assert "install libportaudio2" in sentence


def test_a_stage_that_already_runs_keeps_its_ports(command, tmp_path, refusal):
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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_log_on_a_full_disk_does_not_end_the_show(sounds, tmp_path, report):
    words = ["--pace", "fast", "--replay", "good.wav", "--memory", "good.wav", "--seconds", "1"]
    words += ["--out", tmp_path / "run", "--set", f"cache={tmp_path / 'cache'}"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, PROJECT_ROOT / "launch" / "stage.py", *words],
            cwd=sounds,
            stderr=full,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0
    assert report(tmp_path / "run")["finished"] is True


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
def test_a_ray_that_cannot_start_is_said_and_leaves_nothing(real_stage, tmp_path, refusal):
    (tmp_path / "file").write_text("no folder")
    stage_process = real_stage(RAY_TMPDIR=str(tmp_path / "file"))
    _, printed = stage_process.communicate(timeout=120)
    assert "Ray must start on this machine" in refusal(stage_process.returncode, printed)
    assert not (tmp_path / "run").exists()


@pytest.mark.ray
@pytest.mark.slow
def test_ctrl_c_while_it_plays_in_earnest_ends_in_order(real_stage, tmp_path, report):
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
