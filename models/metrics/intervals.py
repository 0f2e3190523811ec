"""How sure a mean is: intervals that ask for no shape of the distribution.

Scenarios, or base programs, are what was drawn at random; so they are what is drawn again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Estimate", "bootstrap_mean", "jackknife"]

N_DRAWS: Final = 2000
CONFIDENCE: Final = 0.95
_NORMAL_QUANTILE: Final = 1.959964  # of CONFIDENCE, both sides


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval.

    Args:
        value: the figure.
        low, high: ends of the interval.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Value (low..high), two places."""
        return f"{self.value:.2f} ({self.low:.2f}..{self.high:.2f})"


def bootstrap_mean(values: Sequence[float] | NDArray[np.floating], seed: int = 0) -> Estimate:
    """Mean of independent values, percentile bootstrap (Efron 1979).

    Args:
        values: at least one, finite; one alone has no interval (NaN).
        seed: of the draws.

    Raises:
        ValueError: no values, or some that are not finite.
    """
    known = np.asarray(values, dtype=np.float64)
    if known.ndim != 1 or len(known) == 0 or not np.isfinite(known).all():
        raise ValueError(f"values must be a finite list of at least 1, got shape {known.shape}")
    if len(known) == 1:
        return Estimate(float(known[0]), float("nan"), float("nan"))
    drawn = np.random.default_rng(seed).integers(len(known), size=(N_DRAWS, len(known)))
    tails = (1 - CONFIDENCE) / 2
    low, high = np.quantile(known[drawn].mean(axis=1), [tails, 1 - tails])
    return Estimate(float(known.mean()), float(low), float(high))


def jackknife(
    statistic: Callable[[NDArray[np.bool_]], float], groups: Sequence[str] | NDArray[np.str_]
) -> Estimate:
    """A statistic of rows that come in groups, leaving one group out at a time (Tukey 1958).

    For statistics of pairs of rows, where drawing a group twice would make pairs of equals.

    Args:
        statistic: of the rows that a mask keeps, shape (n,).
        groups: base program of each row.

    Raises:
        ValueError: fewer than two groups.
    """
    names = np.asarray(groups)
    kinds = np.unique(names)
    if len(kinds) < 2:
        raise ValueError(f"there must be at least 2 groups to leave one out, got {len(kinds)}")
    whole = statistic(np.ones(len(names), dtype=bool))
    without = np.array([statistic(names != kind) for kind in kinds])
    spread = (len(kinds) - 1) / len(kinds) * ((without - without.mean()) ** 2).sum()
    reach = _NORMAL_QUANTILE * float(np.sqrt(spread))
    return Estimate(whole, whole - reach, whole + reach)
