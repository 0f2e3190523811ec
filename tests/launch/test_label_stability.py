"""How many labels change when a recording is heard otherwise, on sounds whose answer is known."""

import json

import numpy as np
import pytest
import soundfile

from launch.label_stability import main

RATE = 22050


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Two melodies of half-second notes with partials, and a rest."""
    folder, paths = tmp_path_factory.mktemp("recordings"), []
    time = np.arange(RATE // 2) / RATE
    for seed in range(2):
        rng = np.random.default_rng(seed)
        notes = []
        for pitch in rng.integers(55, 72, 24):
            hz = 440 * 2 ** ((pitch - 69) / 12)
            notes.append(sum(np.sin(2 * np.pi * k * hz * time) / k for k in (1, 2, 3, 4)))
        sound = np.concatenate([0.1 * np.concatenate(notes), np.zeros(2 * RATE)])
        paths.append(folder / f"{seed}.wav")
        soundfile.write(paths[-1], sound.astype(np.float32), RATE, subtype="FLOAT")
    return [str(path) for path in paths]


@pytest.fixture(scope="module")
def model(save_audio_model, tmp_path_factory):
    return save_audio_model(tmp_path_factory.mktemp("wav2vec2"), initializer_range=0.7)


def rows(tmp_path, *argv):
    assert main([*argv, "--json", str(tmp_path / "figures.json")]) == 0
    return {row["way"]: row for row in json.loads((tmp_path / "figures.json").read_text())}


@pytest.mark.parametrize("ear", ["descriptors", "pop"])
def test_ears_of_our_own_hear_live_what_training_heard(recordings, tmp_path, ear):
    found = rows(tmp_path, *recordings, "--ear", ear, "--classes", "12")
    again = found["again, window by window"]
    assert (again["kept"], again["low"], again["high"], again["gate"]) == (1.0, 1.0, 1.0, 1.0)
    assert again["n_windows"] == 48
    assert found["live at 44100 Hz"]["kept"] > 0.9
    assert found["12 dB softer"]["kept"] > 0.95
    assert found["+2 semitones, turned back"]["kept"] > 0.6


def test_a_contextual_model_is_compared_with_other_contexts_and_precisions(
    recordings, model, tmp_path
):
    found = rows(tmp_path, *recordings, "--ear", model, "--classes", "12")
    assert found["again, window by window"]["kept"] == 1.0
    other = found["context 0.5 s for 2 s"]
    assert other["low"] <= other["kept"] < 1.0
    assert found["int8 for float32"]["n_windows"] == 48
    assert not any("semitones" in way for way in found)  # its features know no pitch classes


def test_too_little_sound_and_a_foreign_corpus_are_one_sentence(recordings, tmp_path, capsys):
    soundfile.write(tmp_path / "mute.wav", np.zeros(RATE * 8), RATE)
    assert main([str(tmp_path / "mute.wav")]) == 2
    assert "at least 8 windows that sound, got 0" in " ".join(capsys.readouterr().err.split())
    assert main([recordings[0], "--fit-on", str(tmp_path)]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert main([str(tmp_path / "none.wav")]) == 2
    assert "none.wav" in capsys.readouterr().err


def test_where_the_figures_cannot_be_written_is_one_sentence(recordings, tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    place = str(tmp_path / "file" / "figures.json")
    assert main([*recordings, "--classes", "4", "--json", place]) == 2
    assert f"{place}: File exists; choose another place" in capsys.readouterr().err
