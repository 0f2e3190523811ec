"""What the stage refuses: sounds, bundles, commands, folders and disks that cannot be used.

Each is one sentence, before anything is written; in this process, at fast pace.
"""

import hashlib
import os
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.numpy import load, save

from launch import preparation, run_folder
from launch.config import PROJECT_ROOT

DEMO = PROJECT_ROOT / "models" / "bundles" / "default"


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
def test_sound_that_cannot_be_used_is_refused(command, sounds, tmp_path, role, name, rule, refusal):
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
def test_a_bundle_that_cannot_be_used_is_refused(command, tmp_path, spoil, rule, refusal):
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
def test_a_command_that_cannot_be_followed_is_refused(
    command, sounds, tmp_path, arguments, rule, refusal
):
    before = sorted(sounds.iterdir())
    sentence = refusal(*command(*arguments.split()))
    assert rule in sentence
    assert not (tmp_path / "run").exists()
    assert sorted(sounds.iterdir()) == before


def test_a_config_that_is_a_list_is_refused(command, tmp_path, refusal):
    (tmp_path / "list.yaml").write_text("- replay")
    sentence = refusal(*command("--config", tmp_path / "list.yaml"))
    assert "must hold names and values, got a list" in sentence


def test_a_refused_setting_is_found_in_its_file_and_by_its_flag(command, refusal):
    sentence = refusal(*command("--set", "tempo.bpm=0"))
    assert str(PROJECT_ROOT / "configs" / "rehearsal.yaml") in sentence
    assert "--set tempo.bpm=…" in sentence


def test_what_is_wrong_with_the_folder_is_said_before_the_memory_is_labelled(
    command, tmp_path, monkeypatch, refusal
):
    monkeypatch.setattr(preparation, "build_stage_memory", lambda *_: pytest.fail("labelled"))
    (tmp_path / "file").write_text("mine")
    assert "must be writable" in refusal(*command(out=tmp_path / "file"))


def test_what_is_wrong_with_the_memory_leaves_no_folder_but_one_that_was_there(
    command, tmp_path, refusal
):
    (tmp_path / "mine").mkdir()
    for name in ("mine", "new"):
        refusal(*command(out=tmp_path / name, memory=["nan.wav"]))
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_disk_without_room_is_refused(command, tmp_path, monkeypatch, refusal):
    full = shutil._ntuple_diskusage(10**9, 10**9, 0)
    monkeypatch.setattr(run_folder.shutil, "disk_usage", lambda _: full)
    assert "the disk must have room for the run" in refusal(*command())
    assert not (tmp_path / "run").exists()


def test_a_read_only_folder_is_refused(command, tmp_path, monkeypatch, refusal):
    def read_only(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "write_bytes", read_only)
    sentence = refusal(*command())
    assert "the run's folder must be writable" in sentence
    assert "Read-only file system" in sentence
    assert not (tmp_path / "run").exists()


def test_a_disk_that_fills_up_leaves_a_run_that_says_it_is_not_finished(command, tmp_path, report):
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
