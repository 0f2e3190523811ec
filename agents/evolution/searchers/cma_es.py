"""CMA-ES: a Gaussian with a full covariance (Hansen and Ostermeier 2001), by pycma.

pycma's own state is a pickle, which we do not write; what was asked and told is kept instead, and
a search put back is told it all again, to the same state.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.evolution.genome import Individual
from agents.evolution.searchers.searcher import Proposal
from agents.evolution.searchers.vectors import Doubles, VectorConfig, VectorSpace, places_of

__all__ = ["CmaEs"]


class CmaEs:
    """Keeps the interface of `searcher.Searcher`.

    Answers may come late: pycma takes a point of an earlier Gaussian as an injected one and bounds
    what it may move (Hansen 2011, "Injecting external solutions into CMA-ES").

    Args:
        space: what is searched; above some 500 numbers the covariance stays diagonal.
        config: the first step.
        seed: of the samples.
        batch: answers that make a step, ≥ 4.

    Raises:
        ImportError: pycma is not installed.
    """

    name = "cma-es"

    def __init__(
        self,
        space: VectorSpace,
        config: VectorConfig | None = None,
        seed: int = 0,
        batch: int = 20,
    ) -> None:
        self._space, self.config = space, config or VectorConfig()
        self._seed, self._batch = seed, max(4, batch)
        self._untaught: list[Individual] = []
        self._done: list[dict[str, Any]] = []
        self._begin()

    def _begin(self) -> None:
        import cma

        self._rng = np.random.default_rng([self._seed, 53])

        def normal(*shape: int) -> NDArray[np.float64]:
            return self._rng.standard_normal(shape)

        options = {
            "popsize": self._batch,
            "seed": np.nan,  # pycma would seed numpy's global generator
            "randn": normal,
            "verbose": -9,
            "CMA_mirrors": 0,  # a mirrored pair must be one question's, and ours come one by one
            "CMA_diagonal": self._space.dim > 500,
        }
        self._search: Any = cma.CMAEvolutionStrategy(
            np.zeros(self._space.dim), self.config.sigma, options
        )

    def ask(self, n: int, population: Sequence[Individual]) -> list[Proposal]:
        """See `Searcher.ask`; the population does not matter."""
        del population
        return [Proposal(self._space.genome(place), "sample") for place in self._asked(n)]

    def _asked(self, n: int) -> list[Doubles]:
        self._done.append({"asked": n})
        places: list[Doubles] = self._search.ask(number=n)
        return places

    def tell(self, judged: Sequence[Individual]) -> None:
        """A step as soon as there are answers for one; those left wait for the next."""
        self._untaught += judged
        while len(self._untaught) >= self._batch:
            batch, self._untaught = (
                self._untaught[: self._batch],
                self._untaught[self._batch :],
            )
            self._told(*places_of(self._space, batch))

    def _told(self, places: Doubles, fitness: Doubles) -> None:
        self._done.append({"places": places, "fitness": fitness})
        if self._search._flgtelldone:  # two steps since the last question: open another
            self._search.ask(number=1)
        self._search.tell(list(places), list(-fitness))

    def state(self) -> dict[str, Any]:
        """What was asked and told, in order."""
        return {
            "dim": self._space.dim,
            "done": list(self._done),
            "untaught": [one.plain() for one in self._untaught],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Searcher.restore`; takes as long as the steps did."""
        if state["dim"] != self._space.dim:
            raise ValueError(
                f"the state must be of a space of {self._space.dim} numbers, got {state['dim']}"
            )
        self._done = []
        self._begin()
        for one in state["done"]:
            if "asked" in one:
                self._asked(int(one["asked"]))
            else:
                self._told(one["places"], one["fitness"])
        self._untaught = [Individual.from_plain(one) for one in state["untaught"]]
