"""Ridge regression from what a program will play to how it will sound.

Predicting the audio embedding itself ranks unseen programs better than any contrastive space
tried here, needs no graphics card and no tuning but one strength, which is chosen by leaving
whole programs out (Hoerl and Kennard 1970; solved by singular values).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from models.audio_embedding import Standardiser

__all__ = ["STRENGTHS", "Ridge", "choose_strength", "leave_programs_out"]

FloatArray = NDArray[np.float32]
STRENGTHS: Final = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10_000.0)


@dataclass(frozen=True, eq=False)
class Ridge:
    """A fitted regression.

    Args:
        standardiser: of the inputs.
        weights: shape (features, outputs).
        offset: shape (outputs,).
    """

    standardiser: Standardiser
    weights: FloatArray
    offset: FloatArray

    @classmethod
    def fit(cls, inputs: FloatArray, targets: FloatArray, strength: float) -> "Ridge":
        """From examples.

        Args:
            inputs: (n ≥ 2, features), finite.
            targets: (n, outputs), finite.
            strength: penalty on squared weights, > 0.

        Raises:
            ValueError: shapes that differ, or a strength that is not positive.
        """
        if not strength > 0:
            raise ValueError(f"strength must be above 0, got {strength}")
        return _Solver(inputs, targets).ridge(strength)

    def predict(self, inputs: FloatArray) -> FloatArray:
        """Targets for inputs of shape (n, features), shape (n, outputs)."""
        return self.standardiser.apply(inputs) @ self.weights + self.offset

    def save(self, path: Path) -> None:
        """Writes the regression as safetensors."""
        save_file(
            {
                "mean": self.standardiser.mean,
                "deviation": self.standardiser.deviation,
                "weights": np.ascontiguousarray(self.weights),
                "offset": self.offset,
            },
            path,
        )

    @classmethod
    def load(cls, path: Path) -> "Ridge":
        """Reads a regression.

        Raises:
            OSError: if the file cannot be read.
            ValueError: if it holds something else.
        """
        tensors = load_file(path)
        if set(tensors) != {"mean", "deviation", "weights", "offset"}:
            raise ValueError(f"{path} must be a ridge regression, it holds {sorted(tensors)}")
        standardiser = Standardiser(tensors["mean"], tensors["deviation"])
        return cls(standardiser, tensors["weights"], tensors["offset"])


class _Solver:
    """One decomposition, any number of strengths."""

    def __init__(self, inputs: FloatArray, targets: FloatArray) -> None:
        if len(inputs) != len(targets):
            raise ValueError(
                f"there must be one target per input, got {len(inputs)} and {len(targets)}"
            )
        self._standardiser = Standardiser.fit(inputs)
        self._offset = targets.mean(axis=0, dtype=np.float64)
        scaled = self._standardiser.apply(inputs).astype(np.float64)
        left, self._singular, self._right = np.linalg.svd(scaled, full_matrices=False)
        self._projected = left.T @ (targets - self._offset)

    def ridge(self, strength: float) -> Ridge:
        shrunk = self._singular / (self._singular**2 + strength)
        weights = self._right.T @ (shrunk[:, None] * self._projected)
        return Ridge(
            self._standardiser, weights.astype(np.float32), self._offset.astype(np.float32)
        )


def leave_programs_out(
    programs: Sequence[str] | NDArray[np.str_], n_folds: int, seed: int
) -> list[NDArray[np.bool_]]:
    """Masks of held-out pairs, shape (n,) each: every program is held out in exactly one fold.

    Args:
        programs: base program of each pair.
        n_folds: ≥ 2 and at most the number of programs.
        seed: of the order in which programs are dealt out.

    Raises:
        ValueError: if there are fewer programs than folds.
    """
    names = np.unique(np.asarray(programs))
    if not 2 <= n_folds <= len(names):
        raise ValueError(f"n_folds must be in 2..{len(names)} (the programs), got {n_folds}")
    order = np.random.default_rng(seed).permutation(len(names))
    return [np.isin(np.asarray(programs), names[order[fold::n_folds]]) for fold in range(n_folds)]


def choose_strength(
    inputs: FloatArray,
    targets: FloatArray,
    programs: Sequence[str] | NDArray[np.str_],
    seed: int = 0,
    n_folds: int = 4,
    strengths: Sequence[float] = STRENGTHS,
) -> float:
    """The strength with the least squared error on programs left out.

    Args:
        inputs: as for `Ridge.fit`.
        targets: as for `Ridge.fit`.
        programs: base program of each row.
        seed: of the folds.
        n_folds: at most this many; fewer if there are fewer programs.
        strengths: to choose from.

    Raises:
        ValueError: if there are fewer than two programs.
    """
    n_programs = len(np.unique(np.asarray(programs)))
    errors = np.zeros(len(strengths))
    for held in leave_programs_out(programs, min(n_folds, n_programs), seed):
        solver = _Solver(inputs[~held], targets[~held])
        for i, strength in enumerate(strengths):
            missed = solver.ridge(strength).predict(inputs[held]) - targets[held]
            errors[i] += float((missed.astype(np.float64) ** 2).sum())
    return float(strengths[int(errors.argmin())])
