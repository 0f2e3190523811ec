"""How good predicted distances, and a choice made from them, are beside the truth.

The truth is a matrix of distances between real sounds. The best choice is the max-min subset under
it. Ties in predictions (equal distances are common among simple baselines) are broken at random and
the figures averaged over several ways of breaking them.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hypergeom

from agents.code_ranking.diversity import most_distinct
from models.metrics.similarity import capture, distance_correlations, jaccard, overlap

__all__ = ["FIGURES", "Judgement", "chance", "judge_choice", "judge_distances", "mean_judgement"]

Distances = NDArray[np.floating]
N_TIE_BREAKS: Final = 8
FIGURES: Final = ("jaccard", "overlap", "spearman", "pearson", "capture")


@dataclass(frozen=True)
class Judgement:
    """Figures of one ranking.

    Args:
        jaccard: of the chosen and the best, in [0, 1].
        overlap: share of the best that was chosen, in [0, 1].
        spearman, pearson: of predicted and true distances, in [-1, 1]; None for a bare choice.
        capture: true diversity of the chosen, 0 as a random subset, 1 as the best.
    """

    jaccard: float
    overlap: float
    spearman: float | None
    pearson: float | None
    capture: float


def judge_choice(chosen: Sequence[int], real: Distances) -> Judgement:
    """A choice without distances, as a cascade makes.

    Args:
        chosen: at least 2 different rows, fewer than all.
        real: true distances, (n, n).

    Raises:
        ValueError: if the choice is too small, too large or repeats.
    """
    best = most_distinct(real, len(chosen), np.random.default_rng(0))
    return Judgement(
        jaccard(chosen, best), overlap(chosen, best), None, None, capture(real, chosen)
    )


def judge_distances(predicted: Distances, real: Distances, keep: int) -> Judgement:
    """Predicted distances, and the choice that follows from them.

    Args:
        predicted: (n, n), symmetric, finite.
        real: true distances, (n, n).
        keep: how many are chosen, in [2, n).

    Raises:
        ValueError: shapes that differ, or `keep` out of range.
    """
    if predicted.shape != real.shape:
        raise ValueError(
            f"predicted and real must have one shape, got {predicted.shape} and {real.shape}"
        )
    pairs = np.triu_indices(len(real), 1)
    spearman, pearson = distance_correlations(predicted[pairs], real[pairs])
    choices = [
        most_distinct(predicted, keep, np.random.default_rng(seed)) for seed in range(N_TIE_BREAKS)
    ]
    judged = mean_judgement([judge_choice(chosen, real) for chosen in choices])
    return Judgement(judged.jaccard, judged.overlap, spearman, pearson, judged.capture)


def chance(n: int, keep: int) -> Judgement:
    """What a random choice of `keep` out of `n` is worth on average (hypergeometric overlap)."""
    hits = np.arange(keep + 1)
    probability = hypergeom.pmf(hits, n, keep, keep)
    return Judgement(
        jaccard=float((probability * hits / (2 * keep - hits)).sum()),
        overlap=keep / n,
        spearman=0.0,
        pearson=0.0,
        capture=0.0,
    )


def mean_judgement(judgements: Sequence[Judgement]) -> Judgement:
    """Mean of each figure over those that have it.

    Raises:
        ValueError: if there are none.
    """
    if not judgements:
        raise ValueError("there must be at least one judgement, got none")
    rows = [asdict(judgement) for judgement in judgements]
    means: dict[str, float | None] = {}
    for figure in FIGURES:
        known = [row[figure] for row in rows if row[figure] is not None]
        means[figure] = float(np.mean(known)) if known else None
    return Judgement(**means)  # type: ignore[arg-type]
