"""Programs foreseen and programs heard on one scale.

What a regression foresees is in part amiss alike for all programs of one question, and of the rest
its error is about as large for each. Both are read off those programs that were foreseen first and
then heard: the common part moves all others, the rest counts as doubt. The expected square of a
distance is that of the points and the doubt of both ends, so neither kind looks farther than it is.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["expected_distances", "on_common_scale"]

FloatArray = NDArray[np.float32]
_CAUTION: Final = 3.0
"""Programs heard at which half of the error that they share is believed of the others."""


def on_common_scale(
    points: FloatArray, foreseen: FloatArray, heard: NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray]:
    """Points that can be compared, and the doubt of each.

    Args:
        points: the surest known of each program, shape (n, dim).
        foreseen: what was foreseen of each before it was heard, shape (n, dim); NaN if nothing.
        heard: which points were heard, shape (n,).

    Returns:
        Points, shape (n, dim); expected squared errors, shape (n,), 0 where a program was heard.
    """
    both = heard & np.isfinite(foreseen).all(axis=1)
    errors = points[both] - foreseen[both]
    if not len(errors):
        return points, np.zeros(len(points), dtype=np.float32)
    shared = errors.sum(axis=0) / np.float32(len(errors) + _CAUTION)
    rest = np.square(errors - shared).sum(axis=1).mean()
    moved = np.where(heard[:, None], points, points + shared)
    return moved, np.where(heard, np.float32(0), rest)


def expected_distances(
    between: FloatArray, doubt: FloatArray, others: FloatArray | float
) -> FloatArray:
    """Distances of points in doubt.

    Args:
        between: of the points, shape (n, m).
        doubt: of the n, shape (n,).
        others: of the m, shape (m,), or one number for all.
    """
    return np.asarray(np.sqrt(np.square(between) + doubt[:, None] + others), dtype=np.float32)
