"""Silence: a gate on the level of the window, with a running reference that knows only the past."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

LOWEST_DB: Final = -120.0
"""Level given to digital silence, dBFS."""


class EnergyGateConfig(BaseModel, frozen=True, extra="forbid"):
    """When a window counts as silent."""

    threshold_db: float = Field(45.0, gt=0, le=120)
    """Silent if this many dB below the running reference."""
    floor_db: float = Field(-60.0, ge=LOWEST_DB, lt=0)
    """Silent below this level whatever the reference, dBFS (RMS)."""
    release_db_per_second: float = Field(3.0, gt=0, le=1000)
    """How fast the reference sinks while nothing louder comes, dB per second."""
    initial_reference_db: float = Field(-30.0, ge=LOWEST_DB, le=0)
    """The reference before anything was heard, dBFS."""


class EnergyGate:
    """Tells silence from playing, window by window, with a running reference level.

    The reference is the level of the loudest recent playing: it rises at once to a louder window
    and sinks by `release_db_per_second` otherwise, never below the window just heard, and stays
    in [floor_db, 0] dBFS. A window is silent below `floor_db`, or more than `threshold_db` below
    the reference. So after a fortissimo at -5 dBFS a murmur at -55 dBFS is silent at first and is
    heard after (50 - 45) / 3 = 1.7 s; what lies under the floor is never heard.

    Args:
        config: thresholds and speeds.
        window_seconds: length of a window, seconds, > 0.
    """

    def __init__(self, config: EnergyGateConfig, window_seconds: float) -> None:
        self._config = config
        self._release_db = config.release_db_per_second * window_seconds
        self._reference_db = 0.0
        self.reset()

    @property
    def reference_db(self) -> float:
        """The running reference, dBFS, in [floor_db, 0]."""
        return self._reference_db

    def reset(self) -> None:
        """Forget everything heard."""
        self.restore(self._config.initial_reference_db)

    def restore(self, reference_db: float) -> None:
        """Take up a reference again, dBFS; brought into range.

        Raises:
            ValueError: it is not a finite number.
        """
        if not math.isfinite(reference_db):
            raise ValueError(
                f"reference_db must be finite, got {reference_db}; reset() starts afresh"
            )
        self._reference_db = min(max(reference_db, self._config.floor_db), 0.0)

    def is_silent(self, energy_db: float) -> bool:
        """Hear the next window's level and say whether it is silent; NaN is, and changes nothing.

        Args:
            energy_db: RMS level of the window, dBFS.
        """
        if math.isnan(energy_db):
            return True
        self.restore(min(max(energy_db, self._reference_db - self._release_db), 0.0))
        threshold_db = self._reference_db - self._config.threshold_db
        return energy_db < max(self._config.floor_db, threshold_db)

    def skip(self, n_windows: int) -> None:
        """Let time pass without sound: `n_windows` windows that nobody heard, ≥ 0."""
        self.restore(self._reference_db - n_windows * self._release_db)


def level_db(samples: NDArray[np.float32]) -> float:
    """RMS level in dB relative to full scale ±1, ≥ -120; NaN if a sample is NaN.

    Args:
        samples: any shape; nothing at all counts as digital silence.
    """
    if samples.size == 0:
        return LOWEST_DB
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return LOWEST_DB if power <= 1e-12 else 10.0 * math.log10(power)
