"""What keeps evolution from cheating: is this still music, at a sane level, like what exists?

A search finds the clips that a scorer is wrong about; in EvoMusic the best "fitness" was near
noise. So a clip is also measured against real music: its distance in the encoder's space, where
1 is as far as real songs lie from each other at most, and its level and crest.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

FloatArray = NDArray[np.float32]
_NEIGHBOURS: Final = 5
_MOST_DIMS: Final = 32
_FLOOR_DB: Final = -120.0


class GuardConfig(BaseModel, frozen=True, extra="forbid"):
    """Where suspicion begins and where it is complete."""

    distance_from: float = Field(default=1.0, ge=0, description="Distance that is still music.")
    distance_to: float = Field(default=2.0, gt=0, description="Distance as bad as can be.")
    level_from_db: float = Field(default=-50.0, description="Quietest sane level, dBFS RMS.")
    level_to_db: float = Field(default=-6.0, description="Loudest sane level, dBFS RMS.")
    crest_from_db: float = Field(default=4.0, ge=0, description="Least sane peak over RMS, dB.")
    crest_to_db: float = Field(default=32.0, gt=0, description="Largest sane peak over RMS, dB.")
    margin_db: float = Field(default=6.0, gt=0, description="So far outside is as bad as can be.")
    real_share: float = Field(
        default=0.98, gt=0.5, le=1, description="Share of real songs that lie within distance 1."
    )


@dataclass(frozen=True)
class Suspicion:
    """How far from music a clip is.

    Args:
        distance: from real music in the encoder's space; 1 is the edge of what exists.
        level_db: RMS, dBFS.
        crest_db: peak over RMS, dB.
        penalty: in [0, 1]; 0 for what could be music.
    """

    distance: float
    level_db: float
    crest_db: float
    penalty: float


class MusicGuard:
    """Knows real songs; suspects what is unlike all of them.

    Args:
        real: layers of real songs, (songs, L, D), at least 10.
        config: where suspicion begins.

    Raises:
        ValueError: too few songs, or numbers that are not finite.
    """

    def __init__(self, real: FloatArray, config: GuardConfig | None = None) -> None:
        if len(real) < 2 * _NEIGHBOURS or not np.isfinite(real).all():
            raise ValueError(
                f"the guard needs at least {2 * _NEIGHBOURS} finite real songs, got {len(real)}"
            )
        self.config = config or GuardConfig()
        flat = real.reshape(len(real), -1).astype(np.float64)
        self._mean, deviation = flat.mean(axis=0), flat.std(axis=0)
        self._scale = np.where(deviation > 1e-4, deviation, 1.0)
        standard = (flat - self._mean) / self._scale
        n_dims = min(_MOST_DIMS, len(real) - 1)
        _, strength, axes = np.linalg.svd(standard, full_matrices=False)
        kept = strength[:n_dims] > 1e-6
        self._axes = (axes[:n_dims][kept]).T
        self._real = standard @ self._axes
        own = [self._near(row, place) for place, row in enumerate(self._real)]
        outside = standard - self._real @ self._axes.T
        self._edge = float(np.quantile(own, self.config.real_share))
        rest = np.linalg.norm(outside, axis=1)
        self._rest = max(float(np.quantile(rest, self.config.real_share)), 1e-6)

    def distance(self, layers: FloatArray) -> float:
        """Distance of a clip's layers (L, D) from real music, ≥ 0, 1 at the edge of what exists.

        The larger of two: to the nearest real songs along the axes on which songs differ, and off
        these axes, where real songs hardly go.
        """
        standard = (layers.ravel().astype(np.float64) - self._mean) / self._scale
        inside = standard @ self._axes
        off = float(np.linalg.norm(standard - inside @ self._axes.T))
        return max(self._near(inside) / max(self._edge, 1e-9), off / (2 * self._rest))

    def suspect(self, samples: FloatArray, layers: FloatArray) -> Suspicion:
        """How far from music a clip is; samples mono and finite, layers (L, D)."""
        power = float(np.mean(samples.astype(np.float64) ** 2))
        level = max(_FLOOR_DB, 10 * np.log10(power)) if power > 0 else _FLOOR_DB
        peak = float(np.abs(samples).max(initial=0.0))
        crest = max(0.0, 20 * np.log10(peak) - level) if peak > 0 else 0.0
        c, distance = self.config, self.distance(layers)
        strange = (distance - c.distance_from) / (c.distance_to - c.distance_from)
        level_off = max(c.level_from_db - level, level - c.level_to_db) / c.margin_db
        crest_off = max(c.crest_from_db - crest, crest - c.crest_to_db) / c.margin_db
        penalty = float(np.clip(max(strange, level_off, crest_off), 0.0, 1.0))
        return Suspicion(distance, float(level), float(crest), penalty)

    def _near(self, place: NDArray[np.float64], own: int | None = None) -> float:
        """Mean distance to the nearest real songs, the one at index `own` left out."""
        apart = np.linalg.norm(self._real - place, axis=1)
        if own is not None:
            apart = np.delete(apart, own)
        return float(np.sort(apart)[:_NEIGHBOURS].mean())
