"""Corpora to train on: short pieces of a known relation, imported as a user would."""

import numpy as np
import pytest
import soundfile

from launch.import_corpus import main as import_corpus

RATE, WINDOW = 8000, 0.25
MAJOR = np.array([0, 4, 7, 5, 9, 0, 7, 2])


def write_stem(path, pitches):
    """One tone of three partials per window."""
    times = np.arange(round(RATE * WINDOW)) / RATE
    tones = 440 * 2 ** ((np.asarray(pitches) - 69) / 12)[:, None]
    sound = sum(np.sin(2 * np.pi * n * tones * times) / n for n in (1, 2, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, (0.2 * sound * np.sin(np.pi * times / WINDOW * 0.98)).ravel(), RATE)


def write_song(folder, seed, key=0, n_windows=80):
    """A melody and a bass a fifth below it, one window later, in some key."""
    degrees = np.random.default_rng(seed).integers(0, 8, n_windows)
    write_stem(folder / "melody.wav", 72 + key + MAJOR[degrees])
    write_stem(folder / "bass.wav", 53 + key + MAJOR[np.roll(degrees, 1)])


def imported(folder, *more):
    out = folder.with_name(f"{folder.name}-corpus")
    arguments = [str(folder), "--out", str(out), "--sample-rate", "8000", "--window", "0.25", *more]
    assert import_corpus(arguments) == 0
    return out


@pytest.fixture(scope="session")
def corpora(tmp_path_factory):
    """Two corpora of five songs in different keys."""
    root = tmp_path_factory.mktemp("corpora")
    for place, name in enumerate(("pop", "folk")):
        for i in range(5):
            write_song(root / name / f"song {i}", 10 * place + i, key=(5 * i) % 12)
    return [imported(root / name) for name in ("pop", "folk")]


@pytest.fixture(scope="session")
def make_stem():
    """Writes one stem."""
    return write_stem


@pytest.fixture(scope="session")
def make_corpus_song():
    """Writes the stems of one song."""
    return write_song


@pytest.fixture(scope="session")
def import_songs():
    """Imports a folder of songs."""
    return imported
