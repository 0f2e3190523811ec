"""Programs foreseen and programs heard on one scale.

What is foreseen of the programs of one question is amiss alike: in part for all of them, in part
for those that are much like each other. Every program that is heard shows an error; the others are
moved by what it is expected to be at their places (Gaussian process regression, Rasmussen and
Williams 2006, eq. 2.23, the same for every coordinate). So a program is not taken to be far off
only because it was heard, and hearing one tells something of its like.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist, pdist

__all__ = ["on_common_scale"]

FloatArray = NDArray[np.float32]
_SHARED: Final = 0.5
"""Part of the variance of the error that all programs of a question share; the rest falls off with
their distance, over the median distance among them. Capture hardly depends on either."""
_NUGGET: Final = 1e-6
"""Keeps programs that were foreseen at one place from making the equations singular."""


def on_common_scale(
    points: FloatArray, foreseen: FloatArray, heard: NDArray[np.bool_]
) -> FloatArray:
    """Points that can be compared, those heard where they are, shape (n, dim).

    Args:
        points: the surest known of each program, shape (n, dim).
        foreseen: what was foreseen of each, shape (n, dim); NaN if nothing.
        heard: which points were heard, shape (n,).
    """
    known = np.isfinite(foreseen).all(axis=1)
    taught, learns = known & heard, known & ~heard
    if not taught.any() or not learns.any():
        return points
    length = float(np.median(pdist(foreseen[known])))
    errors = points[taught] - foreseen[taught]
    among = _covariance(foreseen[taught], foreseen[taught], length)
    among[np.diag_indices_from(among)] += _NUGGET
    towards = _covariance(foreseen[learns], foreseen[taught], length)
    moved = points.copy()
    moved[learns] += (towards @ np.linalg.solve(among, errors)).astype(np.float32)
    return moved


def _covariance(points: FloatArray, others: FloatArray, length: float) -> NDArray[np.float64]:
    """Of the errors at some places and at others, as a share of their variance."""
    near = np.exp(-cdist(points, others, "sqeuclidean") / (2 * max(length, _NUGGET) ** 2))
    return np.asarray(_SHARED + (1 - _SHARED) * near)
