"""Metrics of an accompaniment, on the sound itself: harmony, rhythm and activity.

Two tracks of equal start are compared: a guide and what was played to it. The labels that an agent
thinks in play no part; both tracks are heard anew, with the hand-made descriptors in windows of
half a second, whatever the agent listens with. None of the figures is to be maximised: doubling the
guide scores highest and is no accompaniment. What a real partner scores is the measure.

Two further figures compare with the partner itself, which scores 1 there: whether the onsets are at
the partner's times, and whether one plays when the partner does.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.descriptors import N_CHROMA
from models.ear import EarConfig, build_ear

__all__ = ["MEASURES", "HeardTrack", "activity", "evaluate", "harmony", "hear", "rhythm"]

WINDOW_SECONDS: Final = 0.5
ONSET_HOP_SECONDS: Final = 256 / 22050
ONSET_TOLERANCE_SECONDS: Final = 0.05
ONSET_DELTA: Final = 0.03
"""Height above the local mean that makes a peak an onset; librosa's 0.07 misses soft attacks."""
MEASURES: Final = ("harmony", "rhythm", "activity", "rhythm as partner", "activity as partner")


@dataclass(frozen=True, eq=False)
class HeardTrack:
    """A track as it is measured, W windows.

    Args:
        chroma: how strongly each pitch class sounds, C first, (W, 12) float32.
        sounding: the energy gate is open, (W,).
        onsets: seconds, rising, (n,).
    """

    chroma: NDArray[np.float32]
    sounding: NDArray[np.bool_]
    onsets: NDArray[np.float64]


def hear(samples: NDArray[np.float32], sample_rate: int) -> HeardTrack:
    """Chroma, activity and onsets of a track; windows not whole are left out.

    Args:
        samples: mono, finite, full scale ±1, shape (frames,).
        sample_rate: samples per second.
    """
    from librosa.onset import onset_detect  # slow to import, and no other metric needs it

    ear = build_ear(EarConfig(), sample_rate, WINDOW_SECONDS)
    n_windows = int(len(samples) / (WINDOW_SECONDS * sample_rate))
    borders = (np.arange(n_windows + 1) * WINDOW_SECONDS * sample_rate).astype(np.int64)
    heard = [ear.listen(samples[start:end]) for start, end in pairwise(borders)]
    chroma = np.array([window.features[:N_CHROMA] for window in heard], dtype=np.float32)
    hop = round(ONSET_HOP_SECONDS * sample_rate)
    onsets = onset_detect(
        y=samples, sr=sample_rate, hop_length=hop, units="time", delta=ONSET_DELTA
    )
    return HeardTrack(
        chroma.reshape(n_windows, N_CHROMA),
        np.array([not window.silent for window in heard], dtype=bool),
        np.asarray(onsets, dtype=np.float64),
    )


def harmony(guide: HeardTrack, answer: HeardTrack) -> float:
    """Mean correlation of the chroma where both sound, -1..1; 0 if they never sound together.

    Raises:
        ValueError: tracks of different length.
    """
    _check(guide, answer)
    both = guide.sounding & answer.sounding
    if not both.any():
        return 0.0
    first, second = (_standardised(track.chroma[both]) for track in (guide, answer))
    return float((first * second).sum(axis=1).mean())


def rhythm(guide: HeardTrack, answer: HeardTrack) -> float:
    """F-measure of the answer's onsets against the guide's, within 50 ms, 0..1 (mir_eval)."""
    from mir_eval.onset import f_measure

    if not (len(guide.onsets) and len(answer.onsets)):
        return 0.0
    return float(f_measure(guide.onsets, answer.onsets, window=ONSET_TOLERANCE_SECONDS)[0])


def activity(guide: HeardTrack, answer: HeardTrack) -> float:
    """Agreement of who plays when, beyond chance: Cohen's kappa (1960) of playing and resting.

    1 if both always play and rest together, 0 if they are independent (or one of them never
    changes), below 0 if they take turns.

    Raises:
        ValueError: tracks of different length.
    """
    _check(guide, answer)
    if not len(guide.sounding):
        return 0.0
    agreed = float(np.mean(guide.sounding == answer.sounding))
    first, second = float(guide.sounding.mean()), float(answer.sounding.mean())
    chance = first * second + (1 - first) * (1 - second)
    return (agreed - chance) / (1 - chance) if chance < 1 else 0.0


def plays_with(partner: HeardTrack, answer: HeardTrack) -> float:
    """Share of the windows in which the answer plays or rests as the partner does, 0..1.

    Raises:
        ValueError: tracks of different length.
    """
    _check(partner, answer)
    return float(np.mean(partner.sounding == answer.sounding)) if len(answer.sounding) else 0.0


def evaluate(guide: HeardTrack, partner: HeardTrack, answer: HeardTrack) -> dict[str, float]:
    """All measures of an answer, by name as in `MEASURES`.

    Args:
        guide: what was answered.
        partner: who answered it in truth.
        answer: to be measured; may be the partner.

    Raises:
        ValueError: tracks of different length.
    """
    figures = (
        harmony(guide, answer),
        rhythm(guide, answer),
        activity(guide, answer),
        rhythm(partner, answer),
        plays_with(partner, answer),
    )
    return dict(zip(MEASURES, figures, strict=True))


def _check(guide: HeardTrack, answer: HeardTrack) -> None:
    if len(guide.sounding) != len(answer.sounding):
        raise ValueError(
            "guide and answer must have equally many windows, got "
            f"{len(guide.sounding)} and {len(answer.sounding)}; cut both to the shorter"
        )


def _standardised(chroma: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of zero mean and unit length; zeros where nothing stands out."""
    centred = chroma - chroma.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    standardised: NDArray[np.float32] = centred / np.maximum(length, 1e-9)
    return standardised
