"""What the tests of models learn from and listen to: notes with partials, songs in labels."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from models.alphabet import SILENCE
from models.paired_labels import LabelledSong, LabelTrack

Play = Callable[..., NDArray[np.float32]]

ORGAN = (1.0, 0.8, 0.6, 0.5, 0.4, 0.3)
FLUTE = (1.0, 0.2, 0.08)
REED = (1.0, 0.05, 0.6, 0.05, 0.35, 0.05, 0.2)


def play_chords(
    chords: Sequence[Sequence[int]],
    seconds_each: float,
    sample_rate: int,
    partials: Sequence[float] = ORGAN,
    decay_per_second: float = 1.0,
    level: float = 0.3,
) -> NDArray[np.float32]:
    """MIDI pitches, one chord after the other, with a soft attack; shape (samples,)."""
    n = round(seconds_each * sample_rate)
    t = np.arange(n) / sample_rate
    envelope = np.minimum(t / 0.01, 1.0) * np.exp(-decay_per_second * t)
    parts = []
    for chord in chords:
        sound = np.zeros(n)
        for pitch in chord:
            for k, strength in enumerate(partials, start=1):
                hz = 440.0 * 2 ** ((pitch - 69) / 12) * k
                if hz < sample_rate / 2:
                    sound += strength * np.sin(2 * np.pi * hz * t)
        parts.append(level * envelope * sound / (max(1, len(chord)) * sum(partials)))
    return np.concatenate(parts).astype(np.float32)


def random_chords(n: int, seed: int) -> list[list[int]]:
    """Triads of a major key in root position around middle C, and single notes among them."""
    rng = np.random.default_rng(seed)
    scale = [0, 2, 4, 5, 7, 9, 11, 12, 14, 16, 17, 19, 21]
    chords = []
    for _ in range(n):
        step = int(rng.integers(0, 7))
        size = int(rng.choice([1, 3]))
        chords.append([55 + scale[step + 2 * third] for third in range(size)])
    return chords


@pytest.fixture
def play() -> Play:
    return play_chords


@pytest.fixture
def chords() -> Callable[[int, int], list[list[int]]]:
    return random_chords


@pytest.fixture
def timbres() -> dict[str, tuple[float, ...]]:
    return {"organ": ORGAN, "flute": FLUTE, "reed": REED}


def _track(labels, rng):
    n = len(labels)
    energy = np.where(labels == SILENCE, -90.0, -20.0) + rng.normal(0, 1, n)
    return LabelTrack(labels, energy.astype(np.float32), rng.random(n).astype(np.float32))


@pytest.fixture
def make_song():
    """Two tracks of 8 labels: b plays 3·(what a played one window before) + 1, or anything."""

    def make(name="song", n_windows=900, *, related=True, seed=1, noise=0.15):
        rng = np.random.default_rng(seed)
        heard, answer = rng.integers(0, 8, n_windows), rng.integers(0, 8, n_windows)
        if related:
            follows = (3 * np.roll(heard, 1) + 1) % 8
            answer = np.where(rng.random(n_windows) < noise, answer, follows)
        answer = np.where(rng.random(n_windows) < 0.1, SILENCE, answer)
        return LabelledSong(name, {"a": _track(heard, rng), "b": _track(answer, rng)})

    return make
