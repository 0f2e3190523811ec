"""How alike two spaces are, and how well predicted distances order real ones.

Layout after mir_eval: validate, metrics, evaluate. Rows of both arrays are the same programs.
Alignment scores (CKA, CCA) are not ranking scores: a map can align two spaces well and rank at
chance. Never read one without its floor from shuffled pairs.
"""

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist
from scipy.stats import pearsonr, spearmanr

__all__ = [
    "alignment",
    "canonical_correlations",
    "capture",
    "distance_correlations",
    "evaluate",
    "jaccard",
    "linear_cka",
    "normalised_cca",
    "overlap",
    "shuffled_floor",
    "validate",
    "within_program_correlation",
]

FloatArray = NDArray[np.floating]


def validate(first: FloatArray, second: FloatArray) -> None:
    """Check that two spaces can be compared row by row.

    Raises:
        ValueError: not two-dimensional, of different length, under 3 rows, or not finite.
    """
    if first.ndim != 2 or second.ndim != 2 or len(first) != len(second) or len(first) < 3:
        raise ValueError(
            "both spaces must have shape (n ≥ 3, dimensions) with the same n, got "
            f"{first.shape} and {second.shape}"
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("both spaces must be finite, got NaN or infinity")


def linear_cka(first: FloatArray, second: FloatArray) -> float:
    """Linear centred kernel alignment (Kornblith et al. 2019), in [0, 1]; 0 if one is constant."""
    validate(first, second)
    x = first.astype(np.float64) - first.mean(axis=0)
    y = second.astype(np.float64) - second.mean(axis=0)
    norm = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return float(np.linalg.norm(x.T @ y) ** 2 / norm) if norm > 0 else 0.0


def canonical_correlations(
    first: FloatArray, second: FloatArray, n_components: int | None = None
) -> NDArray[np.float64]:
    """Canonical correlations (Hotelling 1936), largest first, each in [0, 1].

    Args:
        first: one space.
        second: the other.
        n_components: principal components kept of each before; None keeps all that vary.
    """
    validate(first, second)
    bases = [_orthonormal(space, n_components) for space in (first, second)]
    cosines = np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)
    return np.asarray(np.clip(cosines, 0.0, 1.0))


def _orthonormal(space: FloatArray, n_components: int | None) -> NDArray[np.float64]:
    centred = space.astype(np.float64) - space.mean(axis=0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    rank = int((singular > 1e-6 * max(float(singular.max(initial=0.0)), 1e-12)).sum())
    return np.asarray(left[:, : min(rank, n_components or rank)])


def normalised_cca(first: FloatArray, second: FloatArray, n_components: int | None = None) -> float:
    """Mean canonical correlation, in [0, 1]; near 1 by construction when dimensions near n."""
    correlations = canonical_correlations(first, second, n_components)
    return float(correlations.mean()) if len(correlations) else 0.0


def shuffled_floor(
    metric: Callable[[FloatArray, FloatArray], float],
    first: FloatArray,
    second: FloatArray,
    seed: int,
    n_draws: int = 10,
) -> float:
    """What a metric gives on average when partners are dealt out at random."""
    rng = np.random.default_rng(seed)
    draws = [metric(first, second[rng.permutation(len(second))]) for _ in range(n_draws)]
    return float(np.mean(draws))


def distance_correlations(predicted: FloatArray, real: FloatArray) -> tuple[float, float]:
    """Spearman and Pearson correlation of two lists of distances; 0 where one is constant.

    Args:
        predicted: distances, shape (pairs,), at least 2.
        real: distances of the same pairs.
    """
    if predicted.shape != real.shape or predicted.ndim != 1 or len(predicted) < 2:
        raise ValueError(
            "distances must be two equally long lists of at least 2, got shapes "
            f"{predicted.shape} and {real.shape}"
        )
    if np.ptp(predicted) == 0 or np.ptp(real) == 0:
        return 0.0, 0.0
    return float(spearmanr(predicted, real).statistic), float(pearsonr(predicted, real).statistic)


def within_program_correlation(
    predicted: FloatArray, real: FloatArray, programs: Sequence[str] | NDArray[np.str_]
) -> float:
    """Mean over base programs of Spearman between distances of pairs of that program.

    Args:
        predicted: points, (n, dims).
        real: points of the same programs, (n, other dims).
        programs: base program of each row.

    Raises:
        ValueError: if no program has three rows.
    """
    validate(predicted, real)
    names = np.asarray(programs)
    figures = []
    for name in np.unique(names):
        rows = names == name
        if rows.sum() >= 3:
            figures.append(distance_correlations(pdist(predicted[rows]), pdist(real[rows]))[0])
    if not figures:
        raise ValueError("some program must have at least 3 rows, none has")
    return float(np.mean(figures))


def jaccard(chosen: Sequence[int], best: Sequence[int]) -> float:
    """Size of the intersection over size of the union, in [0, 1]; 1 for two empty sets."""
    union = set(chosen) | set(best)
    return len(set(chosen) & set(best)) / len(union) if union else 1.0


def overlap(chosen: Sequence[int], best: Sequence[int]) -> float:
    """Share of the best that was chosen (overlap@k for k = len(best)), in [0, 1]."""
    if len(best) == 0:
        raise ValueError("best must hold at least one choice, got none")
    return len(set(chosen) & set(best)) / len(set(best))


def capture(distances: FloatArray, chosen: Sequence[int]) -> float:
    """How much of the possible diversity a choice has: 0 is a random subset, 1 the best.

    (least distance within the choice − its mean over all subsets) / (its best − that mean).

    Args:
        distances: real ones, (n, n), symmetric; n at most about 20.
        chosen: 2 or more different rows, fewer than n.

    Raises:
        ValueError: if the choice is too small, too large or repeats.
    """
    n, k = len(distances), len(chosen)
    if not 2 <= k < n or len(set(chosen)) < k:
        raise ValueError(f"chosen must be 2 to {n - 1} different rows, got {list(chosen)}")
    subsets = np.array(list(combinations(range(n), k)))
    pairs = np.array(list(combinations(range(k), 2)))
    least = distances[subsets[:, pairs[:, 0]], subsets[:, pairs[:, 1]]].min(axis=1)
    rows = np.asarray(chosen)
    own = distances[rows[pairs[:, 0]], rows[pairs[:, 1]]].min()
    possible = least.max() - least.mean()
    return float((own - least.mean()) / possible) if possible > 0 else 1.0


def evaluate(
    predicted: FloatArray,
    real: FloatArray,
    programs: Sequence[str] | NDArray[np.str_],
    seed: int = 0,
) -> dict[str, float]:
    """All figures of one predicted space against the real one, floors beside those that need one.

    Returns:
        spearman, pearson (of all pairwise distances), spearman_within (if some program has three
        rows), cka, cka_floor, cca, cca_floor (all dimensions), cca10, cca10_floor (10 components).

    Raises:
        ValueError: as in `validate`.
    """
    spearman, pearson = distance_correlations(pdist(predicted), pdist(real))
    counts = np.unique(np.asarray(programs), return_counts=True)[1]
    within = (
        {"spearman_within": within_program_correlation(predicted, real, programs)}
        if counts.max() >= 3
        else {}
    )
    return {
        "spearman": spearman,
        "pearson": pearson,
        **within,
        **alignment(predicted, real, seed),
    }


def alignment(first: FloatArray, second: FloatArray, seed: int = 0) -> dict[str, float]:
    """How well two spaces fit: cka, cca (all dimensions), cca10, each with its floor.

    Raises:
        ValueError: as in `validate`.
    """

    def cca10(x: FloatArray, y: FloatArray) -> float:
        return normalised_cca(x, y, 10)

    return {
        "cka": linear_cka(first, second),
        "cka_floor": shuffled_floor(linear_cka, first, second, seed),
        "cca": normalised_cca(first, second),
        "cca_floor": shuffled_floor(normalised_cca, first, second, seed, 3),
        "cca10": cca10(first, second),
        "cca10_floor": shuffled_floor(cca10, first, second, seed),
    }
