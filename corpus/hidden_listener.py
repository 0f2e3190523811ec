"""A member of a simulated audience who can be asked about songs that were not there before.

The truth of an evolution's measurement: who rates what is bred, and says afterwards how much it
was really liked. `simulate_audience` fixes tastes on a catalogue; here new songs are laid beside
the catalogue and measured on the same scale.
"""

import numpy as np
from numpy.typing import NDArray

from corpus.simulated_audience import AudienceConfig, simulate_audience

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
        self._catalogue, self._config, self._listener = catalogue, config, listener

    def taste(self, attributes: FloatArray) -> FloatArray:
        """How much songs (n, attributes) are liked: 0 and 1 are the catalogue's mean and deviation.

        A taste is one function of attributes, up to the scale that the audience as a whole gives
        it; the catalogue's own mean and deviation give that scale back.
        """
        both = np.concatenate([self._catalogue, attributes])
        every = simulate_audience(both, self._config).taste[self._listener]
        known = every[: len(self._catalogue)]
        scaled: FloatArray = (every[len(known) :] - known.mean()) / max(float(known.std()), 1e-9)
        return scaled

    def verdicts(
        self, attributes: FloatArray, rng: np.random.Generator, noise: float = 0.3
    ) -> NDArray[np.int64]:
        """Like 1 or dislike −1 for songs (n, attributes): the sign of taste and noise together."""
        felt = self.taste(attributes) + noise * rng.normal(size=len(attributes))
        return np.where(felt > 0, 1, -1)
