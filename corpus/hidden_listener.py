"""A member of a simulated audience who can be asked about songs that were not there before.

The truth of an evolution's measurement: who rates what is bred, and says afterwards how much it
was really liked. Tastes are functions of attributes; here new songs are measured by them, on the
scale of the catalogue.
"""

import numpy as np
from numpy.typing import NDArray

from corpus.simulated_audience import AudienceConfig, draw_tastes, is_binary

__all__ = ["HiddenListener"]

FloatArray = NDArray[np.float64]


class HiddenListener:
    """One listener of an audience.

    Args:
        catalogue: attributes of the songs that the audience was made up for, (songs, attributes).
        config: of the audience.
        listener: which of them, 0..n_listeners-1.

    Raises:
        ValueError: no such listener.
    """

    def __init__(self, catalogue: FloatArray, config: AudienceConfig, listener: int) -> None:
        if not 0 <= listener < config.n_listeners:
            raise ValueError(f"listener must be in 0..{config.n_listeners - 1}, got {listener}")
        self._tastes = draw_tastes(catalogue.shape[1], config)
        self._listener, self._binary = np.array([listener]), is_binary(catalogue)
        known = self._raw(catalogue)
        self._mean, self._deviation = known.mean(), max(float(known.std()), 1e-9)

    def taste(self, attributes: FloatArray) -> FloatArray:
        """How much songs (n, attributes) are liked; the catalogue has mean 0, deviation 1."""
        scaled: FloatArray = (self._raw(attributes) - self._mean) / self._deviation
        return scaled

    def _raw(self, attributes: FloatArray) -> FloatArray:
        [said] = self._tastes.of(self._listener, attributes, self._binary)
        raw: FloatArray = said
        return raw

    def verdicts(
        self, attributes: FloatArray, rng: np.random.Generator, noise: float = 0.3
    ) -> NDArray[np.int64]:
        """Like 1 or dislike −1 for songs (n, attributes): the sign of taste and noise together."""
        felt = self.taste(attributes) + noise * rng.normal(size=len(attributes))
        return np.where(felt > 0, 1, -1)
