"""Clocks: the only place in the house that waits.

Times are seconds on a monotonic scale that is common to all processes of one machine.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits for it."""

    def now(self) -> float:
        """Seconds since some fixed start, never going back."""
        ...

    def wait_until(self, moment: float) -> None:
        """Return when `now()` ≥ `moment`; at once if it is already past."""
        ...


class SystemClock:
    """The machine's monotonic clock."""

    def now(self) -> float:
        """Monotonic seconds; comparable between processes of one machine, not between machines."""
        return time.monotonic()

    def wait_until(self, moment: float) -> None:
        """Sleep until `moment`; blocks the calling thread only."""
        while (left := moment - time.monotonic()) > 0:
            time.sleep(left)


class ManualClock:
    """A clock that moves when told, and jumps when somebody waits: the deterministic twin."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start

    def now(self) -> float:
        """The moment it was last moved to."""
        return self._now

    def wait_until(self, moment: float) -> None:
        """Jump to `moment`; never backwards."""
        self._now = max(self._now, moment)

    def advance(self, seconds: float) -> None:
        """Move forward by `seconds` ≥ 0."""
        if seconds < 0:
            raise ValueError(f"a clock moves forward only, got {seconds} s")
        self._now += seconds
