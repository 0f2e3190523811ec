"""How well scores put what is liked before what is not, and how alike two scorings are.

Conventions: `scores` is (songs,), higher is better, finite; `liked` is (songs,), boolean. A figure
that is not defined (one class only, no songs) is None, never 0 and never NaN.
"""

from typing import Final, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

FloatArray = NDArray[np.float64]
_TINY: Final = 1e-12


class Ranking(TypedDict):
    """What `evaluate` gives; areas in [0, 1]; chance is 0.5 for ROC and the base rate for PR."""

    roc_auc: float | None
    pr_auc: float | None
    base_rate: float | None
    n: int


def validate(scores: ArrayLike, liked: ArrayLike) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Both arrays with their types, if they keep the conventions of this module.

    Raises:
        ValueError: not one-dimensional, of different lengths, or scores that are not finite.
        TypeError: liked is not boolean.
    """
    values, verdicts = np.asarray(scores, dtype=np.float64), np.asarray(liked)
    if values.ndim != 1 or values.shape != verdicts.shape:
        raise ValueError(
            f"scores and liked must both be (songs,), got {values.shape} and {verdicts.shape}"
        )
    if verdicts.dtype != np.bool_:
        raise TypeError(f"liked must be boolean, got dtype {verdicts.dtype}")
    if not np.isfinite(values).all():
        raise ValueError("scores must be finite, got NaN or infinity")
    return values, verdicts


def roc_auc(scores: FloatArray, liked: NDArray[np.bool_]) -> float | None:
    """Chance that a liked song scores above one that is not, ties half (Fawcett 2006, sec. 7).

    Equal to the Mann-Whitney U divided by both counts (Hanley and McNeil 1982).
    """
    return float(roc_auc_score(liked, scores)) if 0 < liked.sum() < len(liked) else None


def pr_auc(scores: FloatArray, liked: NDArray[np.bool_]) -> float | None:
    """Average precision, Σ (R_n − R_{n−1}) P_n, not interpolated (Davis and Goadrich 2006)."""
    return float(average_precision_score(liked, scores)) if liked.any() else None


def cosine(one: ArrayLike, other: ArrayLike) -> float | None:
    """Cosine of two scorings of the same songs, in [−1, 1]; None if one of them is all zero.

    Raises:
        ValueError: shapes differ.
    """
    a, b = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"both scorings must be of the same songs, got {a.shape} and {b.shape}")
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum() / length) if length > _TINY else None


def centred_cosine(one: ArrayLike, other: ArrayLike) -> float | None:
    """Cosine after each mean is taken off (Pearson's r): a shared level earns nothing.

    Raises:
        ValueError: shapes differ.
    """
    a, b = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    return cosine(a - a.mean(), b - b.mean()) if a.size else None


def evaluate(scores: ArrayLike, liked: ArrayLike) -> Ranking:
    """All figures of one listener; arguments and errors as in `validate`."""
    values, verdicts = validate(scores, liked)
    return Ranking(
        roc_auc=roc_auc(values, verdicts),
        pr_auc=pr_auc(values, verdicts),
        base_rate=float(verdicts.mean()) if len(verdicts) else None,
        n=len(verdicts),
    )


def evaluate_rows(scores: ArrayLike, liked: ArrayLike) -> Ranking:
    """Means over listeners of the figures that are defined; both arrays are (listeners, songs).

    A listener counts once, however many songs: the macro average. One number per listener is
    comparable; scores of different listeners need not be.

    Raises:
        ValueError: as `validate`, or not two-dimensional.
        TypeError: as `validate`.
    """
    values, verdicts = np.asarray(scores), np.asarray(liked)
    if values.ndim != 2 or values.shape != verdicts.shape:
        raise ValueError(
            "scores and liked must both be (listeners, songs), "
            f"got {values.shape} and {verdicts.shape}"
        )
    each = [evaluate(row, truth) for row, truth in zip(values, verdicts, strict=True)]
    return Ranking(
        roc_auc=_mean([one["roc_auc"] for one in each]),
        pr_auc=_mean([one["pr_auc"] for one in each]),
        base_rate=_mean([one["base_rate"] for one in each]),
        n=sum(one["n"] for one in each),
    )


def _mean(values: list[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else None
