"""A second opinion on taste that evolution never sees: reported beside the fitness, never in it.

It shares nothing with AlignerV2 but the ratings: kernel ridge regression on the encoder's features
alone, no towers, no other listeners. Where the first scorer rises and this one falls, the search
has found a weakness of the first and not music.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
_RIDGE: Final = 1.0
_FEWEST: Final = 4


class SecondScorer:
    """Taste of one listener from rated songs, by kernel ridge regression.

    Args:
        layers: of rated songs, (songs, L, D), at least 4.
        ratings: > 0 like, < 0 dislike; 0 (unrated) is ignored, (songs,).
        real: layers of songs in general that features are standardised by, (songs, L, D); the
            rated ones if None.

    Raises:
        ValueError: fewer than 4 rated songs, or shapes that do not fit.
    """

    def __init__(
        self,
        layers: FloatArray,
        ratings: Sequence[float] | NDArray[np.float64],
        real: FloatArray | None = None,
    ) -> None:
        verdicts = np.sign(np.asarray(ratings, np.float64))
        if len(verdicts) != len(layers):
            raise ValueError(f"every song needs a rating, got {len(layers)} and {len(verdicts)}")
        rated = verdicts != 0
        if rated.sum() < _FEWEST:
            raise ValueError(f"a second opinion needs {_FEWEST} rated songs, got {rated.sum()}")
        general = _flat(layers if real is None else real)
        self._mean, deviation = general.mean(axis=0), general.std(axis=0)
        self._scale = np.where(deviation > 1e-4, deviation, 1.0)
        self._songs = self._standard(layers[rated])
        self._level = float(verdicts[rated].mean())
        kernel = self._kernel(self._songs)
        n = len(kernel)
        self._weights = np.linalg.solve(kernel + _RIDGE * np.eye(n), verdicts[rated] - self._level)

    def scores(self, layers: FloatArray) -> FloatArray:
        """Taste for songs (songs, L, D), about −1 dislike to 1 like, (songs,)."""
        scored = self._kernel(self._standard(layers)) @ self._weights + self._level
        return scored.astype(np.float32)

    def _standard(self, layers: FloatArray) -> NDArray[np.float64]:
        flat = (_flat(layers) - self._mean) / self._scale
        standard: NDArray[np.float64] = np.clip(flat, -6.0, 6.0)
        return standard

    def _kernel(self, songs: NDArray[np.float64]) -> NDArray[np.float64]:
        """exp(−|a − b|² / 2D): Gaussian, as wide as standardised songs lie apart."""
        apart = (
            (songs**2).sum(axis=1)[:, None]
            + (self._songs**2).sum(axis=1)
            - 2 * songs @ self._songs.T
        )
        kernel: NDArray[np.float64] = np.exp(-apart / (2 * songs.shape[1]))
        return kernel


def _flat(layers: FloatArray) -> NDArray[np.float64]:
    return layers.reshape(len(layers), -1).astype(np.float64)
