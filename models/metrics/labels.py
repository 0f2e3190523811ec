"""Metrics on sequences of labels: how well an answer B′ matches the answer B that was played.

Layout after mir_eval (Raffel et al. 2014): validate, metrics, evaluate. All sequences are int64 of
shape (windows,), class ids or SILENCE. Matches are counted on *active* windows, those in which the
reference plays ("what to play, given that one plays"): counted on all windows, an answer that is
always silent scores best.

References: TPP and LCP are Bujard, Nika, Bevilacqua and Obin (AIMC 2025), Eqs 5 and 6.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.alphabet import SILENCE

Labels = NDArray[np.int64]


def validate(reference: Labels, estimate: Labels) -> None:
    """Check that two sequences can be compared.

    Raises:
        ValueError: not one-dimensional, of different length, or not integer.
    """
    for name, labels in (("reference", reference), ("estimate", estimate)):
        if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
            raise ValueError(
                f"{name} must be a vector of integers, got {labels.dtype} of shape {labels.shape}"
            )
    if reference.shape != estimate.shape:
        raise ValueError(
            "reference and estimate must be equally long, got "
            f"{len(reference)} and {len(estimate)} windows"
        )


def true_positive_percentage(reference: Labels, estimate: Labels) -> float:
    """TPP, Bujard et al. 2025, Eq. 5: matches / windows × 100, on active windows.

    Differs from the paper, which counts all windows. 0 if no window is active.
    """
    validate(reference, estimate)
    active = reference != SILENCE
    return float(100.0 * np.mean(reference[active] == estimate[active])) if active.any() else 0.0


def common_prefix_lengths(reference: Labels, estimate: Labels) -> Labels:
    """LCP_i, Bujard et al. 2025, Eq. 6: length of the common run that starts at each window."""
    validate(reference, estimate)
    lengths = np.zeros(len(reference) + 1, dtype=np.int64)
    for i in range(len(reference) - 1, -1, -1):
        lengths[i] = lengths[i + 1] + 1 if reference[i] == estimate[i] else 0
    return lengths[:-1]


def mean_common_prefix(reference: Labels, estimate: Labels) -> float:
    """Mean of LCP_i over active windows, in windows, ≥ 0; 0 if none is active."""
    lengths = common_prefix_lengths(reference, estimate)
    active = reference != SILENCE
    return float(lengths[active].mean()) if active.any() else 0.0


def entropy_bits(labels: Labels) -> float:
    """Shannon entropy (1948) of the labels that occur, silence left out, in bits, ≥ 0."""
    counts = np.unique(labels[labels != SILENCE], return_counts=True)[1]
    shares = counts / max(1, counts.sum())
    return float(-(shares * np.log2(shares)).sum()) if len(counts) else 0.0


def mean_run_length(labels: Labels) -> float:
    """Mean length of runs of one label, silence left out, in windows; 0 if all is silent."""
    if len(labels) == 0:
        return 0.0
    starts = np.concatenate([[True], labels[1:] != labels[:-1]])
    active = labels != SILENCE
    n_runs = int((starts & active).sum())
    return float(active.sum() / n_runs) if n_runs else 0.0


@dataclass(frozen=True)
class Interval:
    """A mean difference and its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float

    @property
    def is_above_zero(self) -> bool:
        """The whole interval lies above zero."""
        return self.low > 0.0


def paired_bootstrap(
    differences: NDArray[np.floating], groups: NDArray[np.integer], seed: int, n_draws: int = 2000
) -> Interval:
    """Percentile interval of a mean paired difference, resampling whole groups.

    Efron and Tibshirani 1993, ch. 13; groups (songs, or stretches of a song) are drawn with
    replacement because windows within a group resemble each other.

    Args:
        differences: (windows,), figure of one system minus that of the other.
        groups: (windows,), which group each window belongs to.
        seed: of the draws.
        n_draws: number of resamples, ≥ 1.

    Raises:
        ValueError: no windows, or shapes that differ.
    """
    if differences.shape != groups.shape or differences.size == 0:
        raise ValueError(
            "differences and groups must be equally long and not empty, got shapes "
            f"{differences.shape} and {groups.shape}"
        )
    members = np.unique(groups, return_inverse=True)[1]
    sums = np.bincount(members, weights=differences).astype(np.float64)
    sizes = np.bincount(members).astype(np.float64)
    return grouped_bootstrap(sums, sizes, seed, n_draws)


def grouped_bootstrap(
    sums: NDArray[np.floating], sizes: NDArray[np.floating], seed: int, n_draws: int = 2000
) -> Interval:
    """`paired_bootstrap` from what each group sums to.

    Args:
        sums: (groups,), differences summed over the windows of each group.
        sizes: (groups,), windows in each, ≥ 0 and not all 0.
        seed: of the draws.
        n_draws: number of resamples, ≥ 1.
    """
    draws = np.random.default_rng(seed).integers(0, len(sums), (n_draws, len(sums)))
    means = sums[draws].sum(axis=1) / np.maximum(sizes[draws].sum(axis=1), 1e-9)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(sums.sum() / sizes.sum()), float(low), float(high))


def mann_whitney(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Two-sided p-value that two samples come from one distribution (Mann and Whitney 1947)."""
    from scipy.stats import mannwhitneyu

    return float(mannwhitneyu(first, second, alternative="two-sided").pvalue)


def evaluate(reference: Labels, estimate: Labels) -> dict[str, float]:
    """All metrics of one answer: tpp (%), lcp (windows), entropy (bits), mean_run (windows).

    Entropy and runs are those of the estimate in active windows.

    Raises:
        ValueError: as in `validate`.
    """
    validate(reference, estimate)
    played = np.where(reference != SILENCE, estimate, SILENCE)
    return {
        "tpp": true_positive_percentage(reference, estimate),
        "lcp": mean_common_prefix(reference, estimate),
        "entropy": entropy_bits(played),
        "mean_run": mean_run_length(played),
    }
