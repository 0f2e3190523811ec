"""When attacks are to be expected: the guide's rhythm, carried on by its own period.

The attacks heard in the last seconds are compared with themselves, later by every lag; the lag at
which they agree best is the period, and what stood one, two or more periods before a coming moment
is what is expected there. Nothing is assumed about tempo or metre, and only the past is used.
"""

from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["AttackForecast"]

HISTORY_WINDOWS: Final = 32
SHORTEST_PERIOD_PARTS: Final = 6
"""Shorter is a trill, no rhythm: 0.3 s."""
MOST_PERIODS: Final = 4
FEWEST_AGREEING: Final = 0.2
"""Autocorrelation at the period, relative to lag 0, below which no rhythm is expected."""

Array = NDArray[np.float64]


class AttackForecast:
    """Follows the attacks of a guide, window by window."""

    def __init__(self) -> None:
        self._heard: deque[tuple[float, ...]] = deque(maxlen=HISTORY_WINDOWS)

    def reset(self) -> None:
        """Forget everything heard."""
        self._heard.clear()

    def hear(self, attacks: tuple[float, ...]) -> None:
        """Take in the next window: its attack strength in each of equal parts of it.

        A window in another number of parts than those before starts afresh.
        """
        if self._heard and len(self._heard[-1]) != len(attacks):
            self._heard.clear()
        self._heard.append(attacks)

    def expect(self, n_windows: int) -> tuple[tuple[float, ...], ...]:
        """Strengths expected in the parts of the next windows; nothing without a clear period.

        Args:
            n_windows: how many, ≥ 1.
        """
        past = np.array(self._heard, dtype=np.float64).ravel()
        if not past.size:
            return ()
        period = _period(past)
        if period is None:
            return ()
        n_parts = len(self._heard[-1])
        coming = [_before(past, ahead, period) for ahead in range(n_windows * n_parts)]
        rows = np.array(coming).reshape(n_windows, n_parts)
        return tuple(tuple(row.tolist()) for row in rows)


def _period(past: Array) -> int | None:
    """The lag, in parts, at which the past agrees best with itself; at most half its length."""
    centred = past - past.mean()
    power = float(centred @ centred)
    longest = len(past) // 2
    if power <= 0 or longest <= SHORTEST_PERIOD_PARTS:
        return None
    agreement = np.correlate(centred, centred, "full")[len(past) - 1 :][: longest + 1] / power
    period = SHORTEST_PERIOD_PARTS + int(agreement[SHORTEST_PERIOD_PARTS:].argmax())
    return period if agreement[period] >= FEWEST_AGREEING else None


def _before(past: Array, ahead: int, period: int) -> float:
    """Mean of what stood whole periods before the part that is `ahead` parts after the past."""
    places = [len(past) + ahead - n * period for n in range(1, MOST_PERIODS + ahead // period + 2)]
    known = [place for place in places if 0 <= place < len(past)][:MOST_PERIODS]
    return float(past[known].mean()) if known else 0.0
