"""Which of many candidates: the most distinct, the nearest, or a trade between the two.

All choices rest on distances alone, whichever view predicted them. "Most distinct" is the subset
whose two nearest members are as far apart as possible (max-min dispersion), ties by mean distance,
then by the generator passed in. The same distances and generator state give the same choice.
"""

from itertools import combinations
from math import comb
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["maximal_marginal_relevance", "most_distinct", "nearest"]

Distances = NDArray[np.floating]
EXHAUSTIVE_UP_TO: Final = 20
_MOST_SUBSETS: Final = 200_000  # all subsets of 20 fit: C(20, 10) = 184 756
_TIE: Final = 1e-9


def most_distinct(
    distances: Distances, k: int, rng: np.random.Generator, to_context: Distances | None = None
) -> tuple[int, ...]:
    """The `k` candidates that differ most from each other and from the context, in rising order.

    Up to 20 candidates all subsets are compared; above, the farthest point is added again and
    again (Gonzalez 1985: at least half the best), starting from the two that are farthest apart or
    from the one farthest from the context.

    Args:
        distances: (n, n), symmetric, ≥ 0, finite.
        k: how many, ≥ 1; all candidates if there are no more.
        rng: breaks ties.
        to_context: distance of each to what is there already, (n,), finite; none: nothing is.

    Raises:
        ValueError: distances of the wrong shape or not finite, or k below 1.
    """
    n = _validated(distances, k)
    if to_context is not None and (to_context.shape != (n,) or not np.isfinite(to_context).all()):
        raise ValueError(f"to_context must be {n} finite distances, got shape {to_context.shape}")
    if k >= n:
        return tuple(range(n))
    if k == 1:
        return (_best(distances.mean(axis=1) if to_context is None else to_context, rng),)
    if n <= EXHAUSTIVE_UP_TO and comb(n, k) <= _MOST_SUBSETS:
        return _best_subset(distances, k, rng, to_context)
    return _farthest_points(distances, k, rng, to_context)


def nearest(distances: Distances, k: int, rng: np.random.Generator) -> tuple[int, ...]:
    """The `k` candidates nearest to a target, nearest first.

    Args:
        distances: of each candidate to the target, (n,), finite.
        k: how many, ≥ 1; all if there are no more.
        rng: breaks ties.

    Raises:
        ValueError: not a list of finite distances, or k below 1.
    """
    if distances.ndim != 1 or not np.isfinite(distances).all():
        raise ValueError(f"distances must be a finite list, got shape {distances.shape}")
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    shuffled = rng.permutation(len(distances))
    order = shuffled[np.argsort(distances[shuffled], kind="stable")]
    return tuple(int(i) for i in order[:k])


def maximal_marginal_relevance(
    to_target: Distances, between: Distances, k: int, trade: float, rng: np.random.Generator
) -> tuple[int, ...]:
    """Near to a target and unlike each other, best first (Carbonell and Goldstein 1998).

    Each next choice minimises trade · (distance to target) − (1 − trade) · (distance to the
    nearest one chosen), both in units of the mean distance between candidates.

    Args:
        to_target: distance of each candidate to the target, (n,), finite.
        between: distances between candidates, (n, n).
        k: how many, ≥ 1; all if there are no more.
        trade: 1 asks for nearness alone, 0 (after the first, which is the nearest) for difference.
        rng: breaks ties.

    Raises:
        ValueError: shapes that do not fit, trade outside [0, 1], or k below 1.
    """
    n = _validated(between, k)
    if to_target.shape != (n,) or not np.isfinite(to_target).all():
        raise ValueError(f"to_target must be {n} finite distances, got shape {to_target.shape}")
    if not 0.0 <= trade <= 1.0:
        raise ValueError(f"trade must be in [0, 1], got {trade}")
    if n == 0:
        return ()
    unit = float(between.sum() / max(1, n * (n - 1))) or 1.0
    chosen = [_best(-to_target, rng)]
    while len(chosen) < min(k, n):
        gain = (1 - trade) * between[:, chosen].min(axis=1) / unit - trade * to_target / unit
        gain[chosen] = -np.inf
        chosen.append(_best(gain, rng))
    return tuple(chosen)


def _validated(distances: Distances, k: int) -> int:
    if distances.ndim != 2 or distances.shape[0] != distances.shape[1]:
        raise ValueError(f"distances must have shape (n, n), got {distances.shape}")
    if not np.isfinite(distances).all():
        raise ValueError("distances must be finite, got NaN or infinity")
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    return len(distances)


def _best(scores: Distances, rng: np.random.Generator) -> int:
    """Index of the highest score, ties (to rounding) at random."""
    top = float(scores.max())
    return int(rng.choice(np.flatnonzero(scores >= top - _TIE * max(1.0, abs(top)))))


def _best_subset(
    distances: Distances, k: int, rng: np.random.Generator, to_context: Distances | None
) -> tuple[int, ...]:
    subsets = np.array(list(combinations(range(len(distances)), k)), dtype=np.int8)
    least = np.full(len(subsets), np.inf)
    total = np.zeros(len(subsets))
    pairs = [
        distances[subsets[:, first], subsets[:, second]]
        for first, second in combinations(range(k), 2)
    ]
    if to_context is not None:
        pairs += [to_context[subsets[:, place]] for place in range(k)]
    for apart in pairs:
        np.minimum(least, apart, out=least)
        total += apart
    leaders = np.flatnonzero(least >= least.max() - _TIE * max(1.0, float(least.max())))
    chosen = subsets[leaders[_best(total[leaders], rng)]]
    return tuple(int(i) for i in chosen)


def _farthest_points(
    distances: Distances, k: int, rng: np.random.Generator, to_context: Distances | None
) -> tuple[int, ...]:
    apart = np.array(distances.max(axis=1) if to_context is None else to_context, dtype=np.float64)
    chosen: list[int] = []
    while len(chosen) < k:
        chosen.append(_best(apart, rng))
        if to_context is None and len(chosen) == 1:
            apart = distances[chosen[0]].astype(np.float64)
        np.minimum(apart, distances[chosen[-1]], out=apart)
        apart[chosen] = -np.inf
    return tuple(sorted(chosen))
