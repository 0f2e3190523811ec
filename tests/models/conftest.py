"""Synthetic songs for the tests of training: a known relation between two tracks, or none."""

import numpy as np
import pytest

from models.alphabet import SILENCE
from models.paired_labels import LabelledSong, LabelTrack


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
