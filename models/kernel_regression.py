"""Kernel ridge regression with a linear and a Gaussian part: what a line misses, it bends to.

For programs whose templates are known. The regression of `models/ridge.py` ranks programs never
seen as well, in a thousandth of the time (Saunders, Gammerman, Vovk 1998; solved by scikit-learn).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.kernel_ridge import KernelRidge

from models.audio_embedding import Standardiser

__all__ = ["KernelRegression"]

FloatArray = NDArray[np.float32]
Doubles = NDArray[np.float64]
WIDTHS: Final = (0.3, 1.0, 3.0)
"""Of the Gaussian: squared distance at which it has fallen to 1/e, in medians of all."""
STRENGTHS: Final = (0.01, 0.03, 0.1, 0.3, 1.0)
"""Penalties."""
MOST_EXAMPLES: Final = 6_000
"""Examples learned from, drawn if there are more: memory grows as their square."""
HELD_OUT: Final = 4
"""One of so many examples is held out to choose width and strength."""


@dataclass(frozen=True, eq=False)
class KernelRegression:
    """A fitted regression.

    Args:
        standardiser: of the inputs.
        examples: (n, features), standardised and divided by the root of their number.
        scale: squared distance at which the Gaussian has fallen to 1/e.
        weights: (n, outputs).
        offset: (outputs,).
    """

    standardiser: Standardiser
    examples: Doubles
    scale: float
    weights: Doubles
    offset: Doubles

    @classmethod
    def fit(cls, inputs: FloatArray, targets: FloatArray, seed: int = 0) -> "KernelRegression":
        """From examples; width and strength are those with the least error on held-out ones.

        Args:
            inputs: (n ≥ 8, features), finite.
            targets: (n, outputs), finite.
            seed: of the examples drawn and held out.

        Raises:
            ValueError: shapes that differ, or fewer than 8 examples.
        """
        if len(inputs) != len(targets) or len(inputs) < 8:
            raise ValueError(
                "there must be at least 8 inputs, with one target each, got "
                f"{len(inputs)} and {len(targets)}"
            )
        drawn = np.random.default_rng(seed).permutation(len(inputs))[:MOST_EXAMPLES]
        standardiser = Standardiser.fit(inputs)
        points = _points(standardiser, inputs[drawn])
        wanted = targets[drawn].astype(np.float64)
        offset = wanted.mean(axis=0)
        apart = cdist(points, points, "sqeuclidean")
        median = max(float(np.median(apart)), 1e-12)
        linear = points @ points.T
        held, known = np.split(np.arange(len(points)), [len(points) // HELD_OUT])
        errors = {}
        for width in WIDTHS:
            kernel = linear + np.exp(-apart / (width * median))
            for strength in STRENGTHS:
                solver = KernelRidge(alpha=strength, kernel="precomputed")
                solver.fit(kernel[np.ix_(known, known)], wanted[known] - offset)
                missed = solver.predict(kernel[np.ix_(held, known)]) + offset - wanted[held]
                errors[width, strength] = float((missed**2).sum())
        width, strength = min(errors, key=lambda choice: errors[choice])
        scale = width * median
        solver = KernelRidge(alpha=strength, kernel="precomputed")
        solver.fit(linear + np.exp(-apart / scale), wanted - offset)
        return cls(standardiser, points, scale, solver.dual_coef_, offset)

    def predict(self, inputs: FloatArray) -> FloatArray:
        """Targets for inputs of shape (n, features), shape (n, outputs)."""
        points = _points(self.standardiser, inputs)
        apart = cdist(points, self.examples, "sqeuclidean")
        kernel = points @ self.examples.T + np.exp(-apart / self.scale)
        return np.asarray(kernel @ self.weights + self.offset, dtype=np.float32)


def _points(standardiser: Standardiser, inputs: FloatArray) -> Doubles:
    return standardiser.apply(inputs).astype(np.float64) / np.sqrt(inputs.shape[1])
