"""The space in which programs sound near or far: three axes that the listener can weigh.

Descriptions (`sound_descriptors`) are standardised, each block is divided by the root of its size
so that no block outweighs another by having more numbers, and each axis is turned to its principal
components. Distances are Euclidean. Axes keep their own coordinates, so weights can change at any
time without fitting or predicting anew.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from safetensors.numpy import load_file, save_file
from scipy.spatial.distance import cdist

from models.sound_descriptors import AXES, BLOCKS, DESCRIPTION_DIM, Axis

__all__ = ["AudioSpace", "AxisWeights", "Standardiser", "distances_between"]

FloatArray = NDArray[np.float32]
_SMALLEST_DEVIATION: Final = 1e-6


class AxisWeights(BaseModel, frozen=True, extra="forbid"):
    """How much each axis counts in a distance; 1 each is the block-balanced sound as a whole."""

    timbre: float = Field(1.0, ge=0, le=10, description="factor on timbre coordinates")
    rhythm: float = Field(1.0, ge=0, le=10, description="factor on rhythm coordinates")
    harmony: float = Field(1.0, ge=0, le=10, description="factor on harmony coordinates")


class AudioSpaceConfig(BaseModel, frozen=True, extra="forbid"):
    """How many principal components each axis keeps."""

    timbre: int = Field(32, ge=1, le=200, description="components of timbre")
    rhythm: int = Field(32, ge=1, le=172, description="components of rhythm")
    harmony: int = Field(16, ge=1, le=36, description="components of harmony")


@dataclass(frozen=True, eq=False)
class Standardiser:
    """Zero mean and unit deviation by column, outliers cut; constant columns become 0.

    Args:
        mean, deviation: shape (features,).
        limit: largest magnitude kept, in deviations.
    """

    mean: FloatArray
    deviation: FloatArray
    limit: float = 4.0

    @classmethod
    def fit(cls, values: FloatArray, limit: float = 4.0) -> "Standardiser":
        """From examples, shape (n ≥ 2, features).

        Raises:
            ValueError: fewer than two examples, or values that are not finite.
        """
        if values.ndim != 2 or len(values) < 2 or not np.isfinite(values).all():
            raise ValueError(f"there must be at least 2 finite rows, got shape {values.shape}")
        exact = values.astype(np.float64)
        return cls(
            exact.mean(axis=0).astype(np.float32), exact.std(axis=0).astype(np.float32), limit
        )

    def apply(self, values: FloatArray) -> FloatArray:
        """Standardised values of shape (..., features), in ±limit."""
        known = self.deviation > _SMALLEST_DEVIATION
        scaled = (values - self.mean) / np.where(known, self.deviation, 1.0)
        return np.where(known, np.clip(scaled, -self.limit, self.limit), 0.0).astype(np.float32)


class AudioSpace:
    """Descriptions to points, and points to distances.

    Args:
        standardiser: of descriptions.
        bases: axis → principal components of its balanced blocks, shape (numbers, components).
    """

    def __init__(self, standardiser: Standardiser, bases: dict[Axis, FloatArray]) -> None:
        self._standardiser, self._bases = standardiser, bases
        self._slices: dict[Axis, slice] = {}
        start = 0
        for axis in AXES:
            size = bases[axis].shape[1]
            self._slices[axis] = slice(start, start + size)
            start += size
        self.dim = start

    @classmethod
    def fit(cls, descriptions: FloatArray, config: AudioSpaceConfig | None = None) -> "AudioSpace":
        """From the descriptions of many sounds, shape (n ≥ 2, DESCRIPTION_DIM).

        Raises:
            ValueError: wrong shape, too few, or not finite.
        """
        if descriptions.ndim != 2 or descriptions.shape[1] != DESCRIPTION_DIM:
            raise ValueError(
                f"descriptions must have shape (n, {DESCRIPTION_DIM}), got {descriptions.shape}"
            )
        config = config or AudioSpaceConfig()
        standardiser = Standardiser.fit(descriptions)
        balanced = _balanced(standardiser.apply(descriptions))
        sizes: dict[Axis, int] = {
            "timbre": config.timbre, "rhythm": config.rhythm, "harmony": config.harmony
        }  # fmt: skip
        bases = {axis: _components(balanced[axis], sizes[axis]) for axis in AXES}
        return cls(standardiser, bases)

    def axis_slice(self, axis: Axis) -> slice:
        """Which coordinates of a point belong to an axis."""
        return self._slices[axis]

    def embed(self, descriptions: FloatArray) -> FloatArray:
        """Points, shape (n, dim), of descriptions of shape (n, DESCRIPTION_DIM)."""
        balanced = _balanced(self._standardiser.apply(descriptions))
        return np.concatenate([balanced[axis] @ self._bases[axis] for axis in AXES], axis=1)

    def weigh(self, points: FloatArray, weights: AxisWeights | None = None) -> FloatArray:
        """Points whose Euclidean distances count each axis as much as the listener wants."""
        weights = weights or AxisWeights()
        factors = np.ones(self.dim, dtype=np.float32)
        for axis in AXES:
            factors[self._slices[axis]] = getattr(weights, axis)
        return points * factors

    def save(self, path: Path) -> None:
        """Writes the space as safetensors."""
        tensors = {f"basis.{axis}": np.ascontiguousarray(b) for axis, b in self._bases.items()}
        tensors["mean"], tensors["deviation"] = (
            self._standardiser.mean,
            self._standardiser.deviation,
        )
        save_file(tensors, path)

    @classmethod
    def load(cls, path: Path) -> "AudioSpace":
        """Reads a space.

        Raises:
            OSError: if the file cannot be read.
            ValueError: if it is not a space of these descriptors.
        """
        tensors = load_file(path)
        try:
            standardiser = Standardiser(tensors["mean"], tensors["deviation"])
            bases = {axis: tensors[f"basis.{axis}"] for axis in AXES}
        except KeyError as error:
            raise ValueError(f"{path} must be an audio space, but {error} is missing") from error
        if standardiser.mean.shape != (DESCRIPTION_DIM,):
            raise ValueError(
                f"{path} was fitted to {standardiser.mean.shape} descriptors, "
                f"these are {DESCRIPTION_DIM}; fit it again"
            )
        return cls(standardiser, bases)


def _balanced(standardised: FloatArray) -> dict[Axis, FloatArray]:
    """Axis → its blocks side by side, each divided by the root of its size."""
    blocks: dict[Axis, list[FloatArray]] = {axis: [] for axis in AXES}
    for block in BLOCKS:
        size = block.stop - block.start
        blocks[block.axis].append(standardised[:, block.slice] / np.float32(np.sqrt(size)))
    return {axis: np.concatenate(parts, axis=1) for axis, parts in blocks.items()}


def _components(values: FloatArray, n: int) -> FloatArray:
    """Principal directions, strongest first, each with a definite sign."""
    covariance = np.cov(values.astype(np.float64), rowvar=False)
    directions = np.linalg.eigh(covariance)[1][:, ::-1][:, :n]
    largest = directions[np.abs(directions).argmax(axis=0), np.arange(directions.shape[1])]
    return (directions * np.sign(largest)).astype(np.float32)


def distances_between(points: FloatArray, others: FloatArray | None = None) -> FloatArray:
    """Euclidean distances of points (n, dim) to others (m, dim) or themselves, shape (n, m)."""
    return cdist(points, points if others is None else others).astype(np.float32)
