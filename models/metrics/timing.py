"""Timing of a run: did something play, how fresh was it, how fast did the answer come.

Conventions: all arrays are one-dimensional, one entry per window, window 0 first.

- `success` (windows,), bool: a plan entry was there (silence by plan is a success, a miss is not).
- `staleness` (windows,), int, windows, ≥ 0: how old the played entry was; ignored where missed.
- `reaction` (windows,), float, seconds, ≥ 0: from the start of the window to the arrival of its
  fresh answer; NaN where no answer came in time.
- `foreseen_stood` (windows,), bool: the foreseen fragment is the one the fresh answer named;
  ignored where no answer came.

ISR, staleness and ISRw are those of StreamMUSE (Zheng et al., RTAS 2026), with our windows for
their ticks. A figure over no window at all is None, never 0 and never NaN.
"""

from collections.abc import Sequence
from typing import Final, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

STALENESS_HORIZON: Final = 32
"""C of StreamMUSE (Zheng et al., RTAS 2026): an entry that old is worth nothing."""

QUANTILES: Final = {"p50": 50.0, "p95": 95.0, "p99": 99.0, "max": 100.0}


class Timing(TypedDict):
    """What `evaluate` gives; shares in [0, 1], staleness in windows, reaction in seconds."""

    isr: float | None
    isrw: float | None
    staleness_mean: float | None
    anticipation: float | None
    misses: int
    answered: int
    reaction: dict[str, float | None]


def validate(
    success: ArrayLike, staleness: ArrayLike, reaction: ArrayLike, foreseen_stood: ArrayLike
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """The four arrays with their types, if they keep the conventions of this module.

    Raises:
        ValueError: if an array is not one-dimensional, the lengths differ, a staleness is
            negative, or a reaction is negative or infinite.
        TypeError: if success or foreseen_stood is not boolean, or staleness not integer.
    """
    rows = (
        _one_row(success, "success", "b").astype(np.bool_),
        _one_row(staleness, "staleness", "iu").astype(np.int64),
        _one_row(reaction, "reaction", "fiu").astype(np.float64),
        _one_row(foreseen_stood, "foreseen_stood", "b").astype(np.bool_),
    )
    lengths = [len(row) for row in rows]
    if len(set(lengths)) > 1:
        raise ValueError(f"all arrays must have one entry per window, got lengths {lengths}")
    _, ages, seconds, _ = rows
    if (ages < 0).any():
        raise ValueError(f"staleness must be at least 0 windows, got {ages.min()}")
    if (seconds < 0).any() or np.isinf(seconds).any():
        raise ValueError(
            "reaction must be finite and at least 0 seconds, or NaN where no answer came, "
            f"got {np.nanmin(seconds)} to {np.nanmax(seconds)}"
        )
    return rows


def interaction_success_rate(success: NDArray[np.bool_]) -> float | None:
    """ISR: the share of windows that had something planned to play (Zheng et al., RTAS 2026)."""
    return float(success.mean()) if len(success) else None


def mean_staleness(success: NDArray[np.bool_], staleness: NDArray[np.int64]) -> float | None:
    """Mean age in windows of the entries that played; missed windows do not enter."""
    return float(staleness[success].mean()) if success.any() else None


def weighted_success_rate(
    success: NDArray[np.bool_],
    staleness: NDArray[np.int64],
    *,
    horizon: int = STALENESS_HORIZON,
) -> float | None:
    """ISRw: mean of success × (C − staleness) / C (Zheng et al., RTAS 2026).

    Differs from the source in one point: an entry older than C counts 0, not less.

    Args:
        success: (windows,), see the module.
        staleness: (windows,), see the module.
        horizon: C in windows, ≥ 1.

    Raises:
        ValueError: if horizon is below 1.
    """
    if horizon < 1:
        raise ValueError(f"horizon must be at least 1 window, got {horizon}")
    if not len(success):
        return None
    freshness = np.clip(horizon - staleness, 0, horizon) / horizon
    return float((success * freshness).mean())


def anticipation(reaction: NDArray[np.float64], foreseen_stood: NDArray[np.bool_]) -> float | None:
    """Share of the answered windows whose foreseen fragment the fresh answer left standing."""
    answered = ~np.isnan(reaction)
    return float(foreseen_stood[answered].mean()) if answered.any() else None


def quantiles(
    values: ArrayLike, names: Sequence[str] = tuple(QUANTILES)
) -> dict[str, float | None]:
    """Quantiles of the finite values by name, linearly interpolated; None if there are none.

    Args:
        values: any shape and unit; NaN and infinities are left out.
        names: any of p50, p95, p99, max.
    """
    numbers = np.asarray(values, dtype=np.float64).ravel()
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return dict.fromkeys(names)
    return {name: float(np.percentile(numbers, QUANTILES[name])) for name in names}


def evaluate(
    success: ArrayLike, staleness: ArrayLike, reaction: ArrayLike, foreseen_stood: ArrayLike
) -> Timing:
    """All timing figures of a run; arguments and errors as in `validate`."""
    played, ages, seconds, stood = validate(success, staleness, reaction, foreseen_stood)
    return Timing(
        isr=interaction_success_rate(played),
        isrw=weighted_success_rate(played, ages),
        staleness_mean=mean_staleness(played, ages),
        anticipation=anticipation(seconds, stood),
        misses=int((~played).sum()),
        answered=int((~np.isnan(seconds)).sum()),
        reaction=quantiles(seconds),
    )


def _one_row(values: ArrayLike, name: str, kinds: str) -> NDArray[np.generic]:
    """`values` as a one-dimensional array whose dtype is of one of `kinds`; empty is always so."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"{name} must have shape (windows,), got shape {array.shape}")
    if len(array) and array.dtype.kind not in kinds:
        words = {"b": "boolean", "iu": "integer", "fiu": "numbers"}
        raise TypeError(f"{name} must be {words[kinds]}, got dtype {array.dtype}")
    return array
