"""Training from audio files to a bundle, and every way it can be asked wrongly."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from launch.train import main
from launch.train_material import alphabet_size, label_songs, songs_of
from launch.train_settings import SettingsError, TrainSettings, read_settings
from models.bundle import Bundle

ROOT = Path(__file__).parents[2]
RATE, WINDOW = 22050, 0.25
SCALE = (48, 51, 53, 56, 58, 61, 63, 66)  # MIDI notes
SMALL = {
    "sample_rate": RATE, "alphabet": 8, "n_layers": 1, "n_heads": 2, "width": 16, "horizon": 2,
    "context_seconds": 3, "sequence_seconds": 8, "max_steps": 75, "batch_size": 8,
    "learning_rate": 0.01, "both_directions": False,
}  # fmt: skip


def melody(path, degrees):
    """One sine of a scale per window, as a WAV file."""
    times = np.arange(round(RATE * WINDOW)) / RATE
    tones = 440 * 2 ** ((np.array(SCALE)[degrees] - 69) / 12)
    envelope = np.minimum(1, np.minimum(times, times[::-1]) / 0.01)
    soundfile.write(
        path, (0.3 * np.sin(2 * np.pi * tones[:, None] * times) * envelope).ravel(), RATE
    )
    return path


def pair(folder, related, n_windows=500, seed=0):
    """Two tracks: b plays the step 3·a + 1 of what a played one window before, or anything."""
    rng = np.random.default_rng(seed)
    heard, answer = rng.integers(0, 8, n_windows), rng.integers(0, 8, n_windows)
    if related:
        answer = (3 * np.roll(heard, 1) + 1) % 8
    return melody(folder / "a.wav", heard), melody(folder / "b.wav", answer)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    return path


def run(config, out, *pairs, more=()):
    return main(["--config", str(config), "--out", str(out), "--pairs", *map(str, pairs), *more])


def test_related_tracks_give_a_bundle_that_has_learned(tmp_path, config):
    assert run(config, tmp_path / "out", *pair(tmp_path, related=True)) == 0
    report = json.loads((tmp_path / "out" / "training.json").read_text())
    page = (tmp_path / "out" / "training.html").read_text()
    bundle = Bundle.load(tmp_path / "out")
    assert report["learned"] is True
    assert "A relation was learned" in page
    assert "<svg" in page
    assert report["evaluation"]["gains"]["bits saved by heard over unigram"]["low"] > 0.3
    assert report["evaluation"]["gains"]["TPP of greedy heard over copy"]["low"] > 0
    assert bundle.card.n_labels == 8
    assert bundle.card.trained["songs"] == {"a+b": report["sources"]["a+b"]}
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_unrelated_tracks_give_a_report_that_says_so(tmp_path, config):
    assert run(config, tmp_path / "out", *pair(tmp_path, related=False)) == 0
    report = json.loads((tmp_path / "out" / "training.json").read_text())
    assert report["learned"] is False
    assert "Nothing was learned" in (tmp_path / "out" / "training.html").read_text()


def test_the_same_training_gives_the_same_weights(tmp_path, config):
    tracks = pair(tmp_path, related=True, n_windows=60)
    for name in ("one", "two"):
        assert run(config, tmp_path / name, *tracks, more=("--steps", "5")) == 0
    first, second = ((tmp_path / n / "decision.safetensors").read_bytes() for n in ("one", "two"))
    assert first == second


def test_folder_of_songs_is_split_by_song(tmp_path, config):
    for i in range(5):
        (tmp_path / "songs" / f"song {i}").mkdir(parents=True)
        pair(tmp_path / "songs" / f"song {i}", related=True, n_windows=60, seed=i)
    assert run(config, tmp_path / "out", tmp_path / "songs", more=("--steps", "5")) == 0
    report = json.loads((tmp_path / "out" / "training.json").read_text())
    assert report["split"].startswith("by song")
    assert len(report["sources"]) == 5


def test_a_song_that_is_there_twice_is_learned_from_once(tmp_path, config):
    for i in range(6):
        folder = tmp_path / "songs" / f"song {i}"
        folder.mkdir(parents=True)
        pair(folder, related=True, n_windows=60, seed=min(i, 4))
    quieter, rate = soundfile.read(folder / "b.wav")
    soundfile.write(folder / "b.wav", 0.9 * quieter, rate)
    (folder / "a.wav").unlink()
    melody(folder / "a.wav", np.random.default_rng(9).integers(0, 8, 60))
    assert run(config, tmp_path / "out", tmp_path / "songs", more=("--steps", "5")) == 0
    report = json.loads((tmp_path / "out" / "training.json").read_text())
    assert sorted(report["sources"]) == [f"song {i}" for i in range(5)]
    assert report["notices"] == ["song 5 is left out: it has a track of song 4."]


def test_tracks_that_double_each_other_are_not_paired(tmp_path):
    (tmp_path / "song").mkdir()
    first, _ = pair(tmp_path / "song", related=True, n_windows=60)
    (tmp_path / "song" / "copy.wav").write_bytes(first.read_bytes())
    settings = TrainSettings(**SMALL | {"both_directions": True})
    material = label_songs(songs_of([tmp_path / "song"]), settings, lambda _: None)
    assert len(material.split.train) == 4
    assert not any(np.array_equal(one.heard, one.answer) for one in material.split.train)
    assert "a and copy are one and the same music" in material.notices[0]


def test_a_file_and_its_copy_teach_nothing(tmp_path, config, capsys):
    first, second = pair(tmp_path, related=True, n_windows=60)
    second.write_bytes(first.read_bytes())
    assert run(config, tmp_path / "out", first, second) == 2
    assert "a song with two tracks that differ" in " ".join(capsys.readouterr().err.split())


def test_fewer_than_no_workers_are_refused_before_anything_is_heard(tmp_path, config, capsys):
    with pytest.raises(SystemExit):
        run(config, tmp_path / "out", "a.wav", "b.wav", more=("--workers", "-1"))
    assert "must be at least 0, got -1" in capsys.readouterr().err


def test_two_folders_are_sent_to_the_importer(tmp_path, config, capsys):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    assert run(config, tmp_path / "out", tmp_path / "a", tmp_path / "b") == 2
    assert "antiphon import-corpus" in " ".join(capsys.readouterr().err.split())


def test_existing_bundle_is_replaced_only_by_force(tmp_path, config, capsys):
    tracks = pair(tmp_path, related=True, n_windows=60)
    assert run(config, tmp_path / "out", *tracks, more=("--steps", "2")) == 0
    assert run(config, tmp_path / "out", *tracks) == 2
    assert "give --force" in capsys.readouterr().err
    assert run(config, tmp_path / "out", *tracks, more=("--steps", "2", "--force")) == 0


def test_folder_that_is_no_bundle_is_never_replaced(tmp_path, config, capsys):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "work.txt").write_text("mine")
    assert run(config, tmp_path / "precious", "a.wav", "b.wav", more=("--force",)) == 2
    assert "is neither" in capsys.readouterr().err
    assert (tmp_path / "precious" / "work.txt").read_text() == "mine"


def test_place_that_cannot_hold_a_bundle_is_refused_before_any_work(tmp_path, config, capsys):
    (tmp_path / "file").write_text("")
    assert run(config, tmp_path / "file" / "out", "a.wav", "b.wav") == 2
    assert "must lie in a folder that can be written" in capsys.readouterr().err


@pytest.mark.parametrize("where", [".", "nowhere/half"])
def test_a_checkpoint_that_cannot_be_a_file_is_refused_before_any_work(
    tmp_path, config, capsys, where
):
    more = ("--checkpoint", str(tmp_path / where))
    assert run(config, tmp_path / "out", "a.wav", "b.wav", more=more) == 2
    assert "--checkpoint must name a file in a folder that is there" in capsys.readouterr().err


def test_interrupt_before_training_writes_nothing(tmp_path, config, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("launch.train.label_songs", interrupt)
    assert run(config, tmp_path / "out", *pair(tmp_path, related=True, n_windows=60)) == 130
    assert not (tmp_path / "out").exists()


def test_checkpoint_is_removed_when_the_bundle_is_written(tmp_path, config):
    tracks = pair(tmp_path, related=True, n_windows=60)
    more = ("--steps", "2", "--checkpoint", str(tmp_path / "half"))
    assert run(config, tmp_path / "out", *tracks, more=more) == 0
    assert not (tmp_path / "half").exists()


def bad_pairs(tmp_path):
    good = melody(tmp_path / "good.wav", np.arange(60) % 8)
    short = melody(tmp_path / "short.wav", np.arange(10) % 8)
    same = melody(tmp_path / "same.wav", np.zeros(60, dtype=int))
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, np.zeros(RATE * 15), RATE)
    broken = tmp_path / "broken.wav"
    broken.write_bytes(good.read_bytes()[:3000])
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    return {
        "missing": (good, tmp_path / "nowhere.wav"), "text": (good, text), "one": (good,),
        "broken": (good, broken), "silent": (good, silent), "twice": (good, good),
        "short": (good, short), "three": (good, same, short), "folder": (tmp_path / "none",),
    }  # fmt: skip


@pytest.mark.parametrize(
    "case",
    ["missing", "text", "one", "broken", "silent", "twice", "short", "three", "folder"],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(tmp_path, config, capsys, case):
    assert run(config, tmp_path / "out", *bad_pairs(tmp_path)[case]) == 2
    said = capsys.readouterr().err
    assert "error:" in said
    assert "must" in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("surprise: 1", "surprise: Extra inputs are not permitted"),
        ("alphabet: many", "alphabet: Input should be a valid integer"),
        ("window_seconds: 0", "window_seconds: Input should be greater than or equal to 0.05"),
        ("width: 20\nn_heads: 4", "width must be a multiple of twice n_heads"),
        ("- a\n- b", "must hold keys and values, got list"),
        ("{", "must be readable YAML"),
    ],
)
def test_bad_settings_are_refused_by_name(tmp_path, text, message):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=message):
        read_settings(path, {})


def test_command_line_wins_over_the_file(config):
    settings = read_settings(config, {"alphabet": 4, "seed": None})
    assert (settings.alphabet, settings.seed, settings.width) == (4, 0, 16)


def test_shipped_settings_are_the_defaults():
    assert read_settings(ROOT / "configs" / "training.yaml", {}) == TrainSettings()


def test_seconds_become_windows():
    settings = TrainSettings(window_seconds=0.5, context_seconds=15, sequence_seconds=30)
    assert settings.transformer().context == 30
    assert settings.training().sequence_windows == 60


def test_alphabet_shrinks_with_a_notice_when_there_is_too_little_sound():
    features = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    size, (notice,) = alphabet_size(features, 64)
    assert size == 12
    assert "12 classes instead of 64" in notice
    assert alphabet_size(features, 8) == (8, [])


def test_sound_that_never_changes_is_refused():
    with pytest.raises(
        SettingsError, match=r"windows that sound and differ, got 100 \(1 different\)"
    ):
        alphabet_size(np.ones((100, 3), dtype=np.float32), 64)


@pytest.mark.parametrize("how", [["launch/train.py"], ["-m", "launch.train"]])
def test_runs_as_a_file_and_as_a_module(how):
    done = subprocess.run(
        [sys.executable, *how, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert "--pairs" in done.stdout
