"""Finding the partner: does a program find its own sound among all, and a sound its program?

Layout after mir_eval: validate, metrics, evaluate. Row i of both arrays is the same program. Ranks
count from 1; equal distances share the mean of their ranks, so a constant space is at chance.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

__all__ = ["evaluate", "median_rank", "partner_ranks", "recall_at", "validate"]

FloatArray = NDArray[np.floating]
CUTOFFS = (1, 5, 10)


def validate(queries: FloatArray, targets: FloatArray) -> None:
    """Check that queries and targets lie in one space, one partner each.

    Raises:
        ValueError: not two-dimensional, of different shape, empty or not finite.
    """
    if queries.ndim != 2 or queries.shape != targets.shape or len(queries) == 0:
        raise ValueError(
            "queries and targets must have the same shape (n ≥ 1, dimensions), got "
            f"{queries.shape} and {targets.shape}"
        )
    if not (np.isfinite(queries).all() and np.isfinite(targets).all()):
        raise ValueError("queries and targets must be finite, got NaN or infinity")


def partner_ranks(queries: FloatArray, targets: FloatArray) -> NDArray[np.float64]:
    """Rank of each query's partner by Euclidean distance, shape (n,), in [1, n].

    For points of unit length the order is that of cosine similarity.
    """
    validate(queries, targets)
    apart = cdist(queries, targets)
    own = np.diag(apart)[:, None]
    nearer = (apart < own).sum(axis=1)
    equal = (apart == own).sum(axis=1) - 1
    return np.asarray(1.0 + nearer + equal / 2.0)


def recall_at(ranks: NDArray[np.float64], k: int) -> float:
    """Share of queries whose partner is among the first `k`, in [0, 1]."""
    return float(np.mean(ranks <= k))


def median_rank(ranks: NDArray[np.float64]) -> float:
    """Median rank of the partner, ≥ 1; chance is (n + 1) / 2."""
    return float(np.median(ranks))


def evaluate(code: FloatArray, audio: FloatArray) -> dict[str, float]:
    """R@1, 5, 10 and median rank in both directions, and chance for R@10.

    Raises:
        ValueError: as in `validate`.
    """
    figures: dict[str, float] = {}
    directions = {"code_to_audio": (code, audio), "audio_to_code": (audio, code)}
    for name, (queries, targets) in directions.items():
        ranks = partner_ranks(queries, targets)
        for k in CUTOFFS:
            figures[f"{name}_r{k}"] = recall_at(ranks, k)
        figures[f"{name}_median_rank"] = median_rank(ranks)
    figures["chance_r10"] = min(1.0, 10 / len(code))
    return figures
