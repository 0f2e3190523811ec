"""Doubled parts: two parts that are one, a fraction apart or octaves away, and teach nothing.

Such a pair would teach a model to copy what it hears. Parts in octaves, as chords that hold
another part's notes among others, are not doubled: the share of equal notes counts both ways.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate, resample_poly

from corpus.midi_song import MidiNote

__all__ = ["are_doubled_notes", "are_doubled_samples", "doubled_share"]

LONGEST_LAG_SECONDS: Final = 0.6
SAME_MOMENT_SECONDS: Final = 0.04
DOUBLED_SHARE: Final = 0.75
CORRELATION_RATE: Final = 4000
CORRELATED_SECONDS: Final = 60
DOUBLED_CORRELATION: Final = 0.7
_LAG_BIN_SECONDS: Final = 0.02


def are_doubled_notes(first: Sequence[MidiNote], second: Sequence[MidiNote]) -> bool:
    """Whether the parts play the same pitch classes at one constant lag of up to 0.6 s.

    Args:
        first: notes of a part, in the order of their onsets.
        second: those of another.
    """
    return doubled_share(first, second) >= DOUBLED_SHARE


def doubled_share(first: Sequence[MidiNote], second: Sequence[MidiNote]) -> float:
    """The share of notes that the other part also plays, the smaller of both directions, 0..1.

    "Also" means the same pitch class, at the lag that most notes agree on.
    """
    if not first or not second:
        return 0.0
    lags = _lags(first, second)
    if len(lags) == 0:
        return 0.0
    bins = np.rint(lags / _LAG_BIN_SECONDS).astype(np.int64)
    values, counts = np.unique(bins, return_counts=True)
    lag = float(values[counts.argmax()]) * _LAG_BIN_SECONDS
    return min(_share_found(first, second, lag), _share_found(second, first, -lag))


def are_doubled_samples(
    first: NDArray[np.float32], second: NDArray[np.float32], sample_rate: int
) -> bool:
    """Whether two recordings are one up to level, polarity and a lag of up to 0.6 s.

    Compares the loudest minute by cross-correlation below 2 kHz; other takes of the same notes,
    and octaves, are not found in this way.

    Args:
        first: mono, shape (n,).
        second: mono, of the same length.
        sample_rate: samples per second.
    """
    n = min(len(first), len(second))
    length = min(n, CORRELATED_SECONDS * sample_rate)
    start = _loudest_start(first[:n], length)
    a, b = (
        resample_poly(one[start : start + length].astype(np.float64), CORRELATION_RATE, sample_rate)
        for one in (first, second)
    )
    energy = float(np.sqrt((a @ a) * (b @ b)))
    if energy == 0.0:
        return False
    whole = correlate(a, b, mode="full", method="fft")
    centre, reach = len(b) - 1, int(LONGEST_LAG_SECONDS * CORRELATION_RATE)
    near = np.abs(whole[max(0, centre - reach) : centre + reach + 1])
    return float(near.max()) / energy >= DOUBLED_CORRELATION


def _by_pitch_class(notes: Sequence[MidiNote]) -> list[NDArray[np.float64]]:
    onsets: list[list[float]] = [[] for _ in range(12)]
    for note in notes:
        onsets[note.pitch % 12].append(note.onset)
    return [np.array(sorted(some)) for some in onsets]


def _lags(first: Sequence[MidiNote], second: Sequence[MidiNote]) -> NDArray[np.float64]:
    """All differences of onset between notes of one pitch class, up to the longest lag, seconds."""
    found = []
    for a, b in zip(_by_pitch_class(first), _by_pitch_class(second), strict=True):
        if len(b):
            from_index = np.searchsorted(b, a - LONGEST_LAG_SECONDS)
            to_index = np.searchsorted(b, a + LONGEST_LAG_SECONDS, side="right")
            found += [b[i:j] - x for x, i, j in zip(a, from_index, to_index, strict=True) if j > i]
    return np.concatenate(found) if found else np.zeros(0)


def _share_found(notes: Sequence[MidiNote], others: Sequence[MidiNote], lag: float) -> float:
    """The share of `notes` with an equal one among `others`, `lag` seconds later."""
    n_found = 0
    for a, b in zip(_by_pitch_class(notes), _by_pitch_class(others), strict=True):
        if len(a) and len(b):
            place = np.searchsorted(b, a + lag)
            nearest = np.minimum(
                np.abs(b[np.minimum(place, len(b) - 1)] - a - lag),
                np.abs(b[np.maximum(place - 1, 0)] - a - lag),
            )
            n_found += int((nearest <= SAME_MOMENT_SECONDS).sum())
    return n_found / len(notes)


def _loudest_start(samples: NDArray[np.float32], length: int) -> int:
    """Where the loudest stretch of `length` samples starts."""
    if length >= len(samples) or length == 0:
        return 0
    total = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    return int(np.argmax(total[length:] - total[:-length]))
