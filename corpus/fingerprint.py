"""Fingerprints of stems: the same recording is known again at another level or from another codec.

A stem is described by the level of the twelve pitch classes in every two seconds, below its
loudest, in steps of 2 dB (pitch class profiles: Fujishima 1999). That survives a change of level,
bit depth, rate or codec, a start that is off by up to 50 ms, and an end that was cut unless it was
the loudest. It does not survive another tempo, key or start, an effect that changes the spectrum,
or another take; stems that sound in fewer than four of the first 64 blocks have none.

Measured: recordings and their copies at 0.05 of the level and 16 bit, as Vorbis, or 50 ms late are
at most 0.43 steps apart; stems of other songs, in 10 440 pairs of rendered ones, at least 3.4, and
two parts of one song at least 2.3.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["fingerprint", "first_alike"]

Samples = NDArray[np.float32]

BLOCK_SECONDS: Final = 2.0
MOST_BLOCKS: Final = 64
FEWEST_BLOCKS: Final = 4
STEP_DB: Final = 2.0
N_STEPS: Final = 16
LOWEST_HZ: Final = 55.0
HIGHEST_HZ: Final = 2000.0
ALIKE: Final = 1.0
"""Steps by which two fingerprints of one recording differ at most, on average."""
_N_CLASSES: Final = 12


def fingerprint(samples: Samples, sample_rate: int) -> str:
    """Twelve hexadecimal digits for every two seconds; empty if too little sounds.

    Args:
        samples: mono, shape (n,).
        sample_rate: samples per second, at least 4000.
    """
    length = int(BLOCK_SECONDS * sample_rate)
    n_blocks = min(len(samples) // length, MOST_BLOCKS)
    blocks = samples[: n_blocks * length].reshape(n_blocks, length)
    hertz = np.fft.rfftfreq(length, 1 / sample_rate)
    used = (hertz >= LOWEST_HZ) & (hertz <= HIGHEST_HZ)
    classes = np.rint(_N_CLASSES * np.log2(hertz[used] / LOWEST_HZ)).astype(np.int64) % _N_CLASSES
    power = np.zeros((n_blocks, _N_CLASSES))
    for place, block in enumerate(blocks):
        spectrum = np.abs(np.fft.rfft(block * np.hanning(length)))[used] ** 2
        power[place] = np.bincount(classes, spectrum, _N_CLASSES)
    below = 10 * np.log10(power / max(power.max(initial=0.0), 1e-12) + 1e-12)
    steps = np.clip(N_STEPS + np.floor(below / STEP_DB), 0, N_STEPS - 1).astype(np.int64)
    if (steps.max(axis=1, initial=0) > 0).sum() < FEWEST_BLOCKS:
        return ""
    return "".join(f"{step:x}" for step in steps.ravel())


def first_alike(fingerprints: Iterable[str]) -> list[int]:
    """For each fingerprint the index of the first that is alike: its own if there is none.

    Compared are the blocks that both have; an empty one is alike to none.
    """
    read = [np.array([int(digit, N_STEPS) for digit in one], dtype=np.int8) for one in fingerprints]
    width = max((len(one) for one in read), default=0)
    lengths = np.array([len(one) for one in read])
    table = np.zeros((len(read), width), dtype=np.int8)
    for row, one in zip(table, read, strict=True):
        row[: len(one)] = one
    found = []
    for index, one in enumerate(read):
        alike = _alike(table[:index], lengths[:index], one)
        found.append(int(alike.argmax()) if alike.any() else index)
    return found


def _alike(
    table: NDArray[np.int8], lengths: NDArray[np.int64], one: NDArray[np.int8]
) -> NDArray[np.bool_]:
    """Which rows of `table`, of `lengths` digits, are alike to `one`."""
    common = np.arange(len(one)) < lengths[:, None]
    others = table[:, : len(one)]
    sounding = common & ((others > 0) | (one > 0))
    blocks = (
        sounding.reshape(len(others), len(one) // _N_CLASSES, _N_CLASSES).any(axis=2).sum(axis=1)
    )
    apart = (np.abs(others - one) * sounding).sum(axis=1) / np.maximum(sounding.sum(axis=1), 1)
    return np.asarray((blocks >= FEWEST_BLOCKS) & (apart <= ALIKE))
