"""Synthetic songs for the tests of training: a known relation between two tracks, or none."""

import numpy as np

from models.alphabet import SILENCE
from models.paired_labels import LabelledSong, LabelTrack


def track(labels, rng):
    n = len(labels)
    energy = np.where(labels == SILENCE, -90.0, -20.0) + rng.normal(0, 1, n)
    return LabelTrack(labels, energy.astype(np.float32), rng.random(n).astype(np.float32))


def song(name, n_windows, n_labels, *, related, seed, noise=0.15):
    """Two tracks: B plays 3·(what A played one window before) + 1 mod K, a share of it noise."""
    rng = np.random.default_rng(seed)
    heard = rng.integers(0, n_labels, n_windows)
    answer = rng.integers(0, n_labels, n_windows)
    if related:
        follows = (3 * np.roll(heard, 1) + 1) % n_labels
        answer = np.where(rng.random(n_windows) < noise, answer, follows)
    answer = np.where(rng.random(n_windows) < 0.1, SILENCE, answer)
    return LabelledSong(name, {"a": track(heard, rng), "b": track(answer, rng)})
