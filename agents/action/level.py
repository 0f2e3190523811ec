"""Level matching: the accompaniment sits at a set ratio to the input, slowly, without pumping.

Levels are RMS in dBFS, gains in dB. Everything is a function of the messages heard.
"""

from collections import deque
from math import exp
from typing import Final

from pydantic import BaseModel, Field

REMEMBERED: Final = 64


class LevelConfig(BaseModel, frozen=True, extra="forbid"):
    """How loud the accompaniment is."""

    level_db: float = Field(-3.0, ge=-40, le=20)
    """Level of the accompaniment relative to the input, dB."""
    level_seconds: float = Field(6.0, gt=0, le=120)
    """Time constant of the running input level, seconds of playing."""
    level_evenness: float = Field(0.5, ge=0, le=1)
    """How much of the memory's own dynamics is evened out: 0 keeps them, 1 removes them."""
    min_gain_db: float = Field(-24.0, ge=-60, le=0)
    """The most that a fragment is lowered, dB."""
    max_gain_db: float = Field(12.0, ge=0, le=30)
    """The most that a fragment is raised, dB."""
    noise_db: float = Field(-50.0, ge=-120, le=0)
    """What is softer is never raised, dBFS."""
    seam_step_db: float = Field(3.0, gt=0, le=60)
    """The largest change of gain from one fragment to another passage, dB."""
    continued_step_db: float = Field(0.25, ge=0, le=60)
    """The largest change of gain inside a passage, dB."""


class InputLevel:
    """The running level of the windows in which the input played.

    Args:
        window_seconds: Δ, > 0.
    """

    def __init__(self, window_seconds: float) -> None:
        self._window_seconds = window_seconds
        self._n_active = 0
        self._levels: deque[tuple[int, float]] = deque(maxlen=REMEMBERED)

    def hear(self, window: int, energy_db: float, time_constant: float) -> None:
        """Take in a window that was not silent; one heard before is passed over.

        Args:
            window: its index.
            energy_db: its level, dBFS.
            time_constant: of the running mean, seconds.
        """
        if self._levels and window <= self._levels[-1][0]:
            return
        self._n_active += 1
        before = self._levels[-1][1] if self._levels else energy_db
        weight = max(1 / self._n_active, 1 - exp(-self._window_seconds / time_constant))
        self._levels.append((window, before + weight * (energy_db - before)))

    def before(self, window: int) -> float | None:
        """The level over all windows before `window`, dBFS; None if nothing was heard by then."""
        return next((level for heard, level in reversed(self._levels) if heard < window), None)


def match_level(
    config: LevelConfig,
    *,
    segment_db: float,
    typical_db: float,
    input_db: float | None,
    before_db: float | None,
    continues: bool,
) -> float:
    """The gain of a fragment.

    Args:
        config: ratio and bounds.
        segment_db: level of the segment, dBFS.
        typical_db: median level of the memory, dBFS.
        input_db: running level of the input, dBFS; None leaves the memory as loud as it is.
        before_db: gain of the fragment before, dB; None if there is none.
        continues: the segment follows the one before without a gap.

    Returns:
        Gain in dB, in [min_gain_db, max_gain_db].
    """
    target = 0.0
    if input_db is not None:
        evened_db = typical_db + config.level_evenness * (segment_db - typical_db)
        target = input_db + config.level_db - evened_db
    highest = config.max_gain_db
    if segment_db < config.noise_db and not continues:
        highest = min(0.0, highest)
    if before_db is not None:
        step = config.continued_step_db if continues else config.seam_step_db
        target = min(max(target, before_db - step), before_db + step)
    return min(max(target, config.min_gain_db), highest)
