"""Metrics of a running key estimate: how often it is right, or right enough to rotate by.

Keys are those of `models.key`: 0..11 major, 12..23 minor, negative where unknown; one per window.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.key import N_KEYS, rotation_of

__all__ = ["KeyFigures", "evaluate"]

_FIFTH_APART = (0, 5, 7)


@dataclass(frozen=True)
class KeyFigures:
    """Shares of the windows in which both keys are known, 0..1.

    Args:
        right: tonic and mode.
        signature: the key or its relative: rotating by it is right.
        within_fifth: the signature, or one with an accidental more or less.
        n_windows: counted.
    """

    right: float
    signature: float
    within_fifth: float
    n_windows: int


def evaluate(reference: NDArray[np.int64], estimate: NDArray[np.int64]) -> KeyFigures:
    """Compare an estimate with what people wrote down; all zeros if no window has both.

    Raises:
        ValueError: shapes that differ, or a key above 23.
    """
    if reference.shape != estimate.shape or reference.ndim != 1:
        raise ValueError(
            "reference and estimate must be vectors of equal length, got shapes "
            f"{reference.shape} and {estimate.shape}"
        )
    known = (reference >= 0) & (estimate >= 0)
    if not known.any():
        return KeyFigures(0.0, 0.0, 0.0, 0)
    true, told = reference[known], estimate[known]
    if max(true.max(), told.max()) >= N_KEYS:
        raise ValueError(f"keys must be below {N_KEYS}, got {max(true.max(), told.max())}")
    rotations = np.array([rotation_of(key) for key in range(N_KEYS)])
    apart = (rotations[true] - rotations[told]) % 12
    return KeyFigures(
        right=float((true == told).mean()),
        signature=float((apart == 0).mean()),
        within_fifth=float(np.isin(apart, _FIFTH_APART).mean()),
        n_windows=len(true),
    )
