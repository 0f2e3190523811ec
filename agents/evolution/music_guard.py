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
        real: layers of real songs, (songs, L, D), at least 20; half of them
            are what there is, the other half say how far from it unheard music lies.
        config: where suspicion begins.

    Raises:
        ValueError: too few songs, or numbers that are not finite.
    """

    def __init__(self, real: FloatArray, config: GuardConfig | None = None) -> None:
        if len(real) < 4 * _NEIGHBOURS or not np.isfinite(real).all():
            raise ValueError(
                f"the guard needs at least {4 * _NEIGHBOURS} finite real songs, got {len(real)}"
            )
        self.config = config or GuardConfig()
        flat = real.reshape(len(real), -1).astype(np.float64)
        self._mean, deviation = flat.mean(axis=0), flat.std(axis=0)
        self._scale = np.where(deviation > 1e-4, deviation, 1.0)
        standard = (flat - self._mean) / self._scale
        known, held_out = standard[::2], standard[1::2]
        n_dims = min(_MOST_DIMS, len(known) // 4)
        _, _, axes = np.linalg.svd(known - known.mean(axis=0), full_matrices=False)
        self._axes = axes[:n_dims].T
        self._real = known @ self._axes
        self._edge = self._off_edge = 1.0
        places = [self._places(row) for row in held_out]
        edges = np.quantile(np.array(places), self.config.real_share, axis=0)
        self._edge, self._off_edge = (max(float(edge), 1e-6) for edge in edges)

    def distance(self, layers: FloatArray) -> float:
        """Distance of a clip's layers (L, D) from real music, ≥ 0, 1 at the edge of what exists.

        The larger of two: to the nearest real songs along the axes on which songs differ, and off
        these axes, where real songs hardly go.
        """
        return max(self._places((layers.ravel().astype(np.float64) - self._mean) / self._scale))

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

    def _places(self, standard: NDArray[np.float64]) -> tuple[float, float]:
        """Distance to the nearest real songs along the axes, and off them, each over its edge."""
        along = standard @ self._axes
        apart = np.sort(np.linalg.norm(self._real - along, axis=1))[:_NEIGHBOURS]
        off = np.linalg.norm(standard - along @ self._axes.T)
        return float(apart.mean()) / self._edge, float(off) / self._off_edge
