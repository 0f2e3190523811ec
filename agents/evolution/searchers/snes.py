"""SNES: a Gaussian with a deviation for each direction (Schaul et al. 2011), by EvoTorch."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from agents.evolution.genome import Individual
from agents.evolution.searchers.searcher import Proposal, rng_from_state, rng_state
from agents.evolution.searchers.vectors import VectorConfig, VectorSpace, places_of

__all__ = ["Snes"]

_FEWEST: Final = 4


class Snes:
    """Keeps the interface of `searcher.Searcher`; late answers teach like any other.

    Args:
        space: what is searched.
        config: the first step.
        seed: of the samples.

    Raises:
        ImportError: EvoTorch is not installed.
    """

    name = "snes"

    def __init__(
        self, space: VectorSpace, config: VectorConfig | None = None, seed: int = 0
    ) -> None:
        import evotorch.distributions  # noqa: F401 - here it shows early that it is missing

        self._space, self.config = space, config or VectorConfig()
        self._mu = np.zeros(space.dim)
        self._sigma = np.full(space.dim, self.config.sigma)
        self._rng = np.random.default_rng([seed, 47])
        self._untaught: list[Individual] = []

    def ask(self, n: int, population: Sequence[Individual]) -> list[Proposal]:
        """See `Searcher.ask`; the population does not matter."""
        del population
        noise = self._rng.normal(size=(n, self._space.dim))
        return [
            Proposal(self._space.genome(place), "sample")
            for place in self._mu + self._sigma * noise
        ]

    def tell(self, judged: Sequence[Individual]) -> None:
        """One natural-gradient step (eq. 4 of the paper) with its utilities by rank."""
        import torch
        from evotorch.distributions import ExpSeparableGaussian

        self._untaught += judged
        if len(self._untaught) < _FEWEST:
            return
        places, fitness = places_of(self._space, self._untaught)
        self._untaught = []
        parameters = {"mu": torch.from_numpy(self._mu), "sigma": torch.from_numpy(self._sigma)}
        now = ExpSeparableGaussian(parameters)
        gradients = now.compute_gradients(
            torch.from_numpy(places),
            torch.from_numpy(fitness),
            objective_sense="max",
            ranking_method="nes",
        )
        rate = 0.2 * (3 + np.log(self._space.dim)) / np.sqrt(self._space.dim)
        after = now.update_parameters(gradients, learning_rates={"mu": 1.0, "sigma": rate})
        self._mu, self._sigma = after.mu.numpy().copy(), after.sigma.numpy().copy()

    def state(self) -> dict[str, Any]:
        """The Gaussian, chance, and answers too few to learn from."""
        return {
            "mu": self._mu,
            "sigma": self._sigma,
            "rng": rng_state(self._rng),
            "untaught": [one.plain() for one in self._untaught],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Searcher.restore`."""
        if len(state["mu"]) != self._space.dim:
            raise ValueError(
                f"the state must be of a space of {self._space.dim} numbers, got {len(state['mu'])}"
            )
        self._mu, self._sigma = state["mu"], state["sigma"]
        self._rng = rng_from_state(state["rng"])
        self._untaught = [Individual.from_plain(one) for one in state["untaught"]]
