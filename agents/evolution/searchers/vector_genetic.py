"""A genetic algorithm on vectors: one-point crossover and sparse Gaussian mutation, by EvoTorch.

EvoMusic left the mutation probability unset, so that every gene of every child mutated, and its
elites were ignored; here each number mutates with a stated chance, and elites are the population's.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from agents.evolution.genome import Individual
from agents.evolution.searchers.searcher import Proposal, rng_from_state, rng_state
from agents.evolution.searchers.vectors import Doubles, VectorConfig, VectorSpace, places_of

__all__ = ["VectorGenetic"]


class VectorGenetic:
    """Keeps the interface of `searcher.Searcher`.

    Args:
        space: what is searched.
        config: how to choose and vary.
        seed: of everything drawn.

    Raises:
        ImportError: EvoTorch is not installed.
    """

    name = "vector genetic"

    def __init__(
        self, space: VectorSpace, config: VectorConfig | None = None, seed: int = 0
    ) -> None:
        import evotorch.operators.functional  # noqa: F401 - here it shows early that it is missing

        self._space, self.config = space, config or VectorConfig()
        self._rng = np.random.default_rng([seed, 59])

    def ask(self, n: int, population: Sequence[Individual]) -> list[Proposal]:
        """See `Searcher.ask`."""
        if not population:
            return self._novel(n)
        n_novel = round(self.config.novel * n)
        n_crossed = round(self.config.crossed * (n - n_novel))
        places, fitness = places_of(self._space, population)
        crossed = self._crossed(places, fitness, n_crossed)
        copied = self._copied(places, fitness, n - n_novel - n_crossed)
        proposals = self._novel(n_novel)
        for operator, children in (("cross", crossed), ("mutate", copied)):
            proposals += [
                Proposal(self._space.genome(place), operator) for place in self._mutated(children)
            ]
        return proposals

    def _novel(self, n: int) -> list[Proposal]:
        drawn = self.config.sigma * self._rng.normal(size=(n, self._space.dim))
        return [Proposal(self._space.genome(place), "novel") for place in drawn]

    def _crossed(self, places: Doubles, fitness: Doubles, n: int) -> Doubles:
        import torch
        from evotorch.operators.functional import one_point_cross_over

        if not n or self._space.dim < 2:
            return self._copied(places, fitness, n)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(self._rng.integers(2**31)))
            children = one_point_cross_over(
                torch.from_numpy(places),
                torch.from_numpy(fitness),
                tournament_size=self.config.tournament,
                num_children=n + n % 2,
                objective_sense="max",
            )
        crossed: Doubles = children.numpy()[:n]
        return crossed

    def _copied(self, places: Doubles, fitness: Doubles, n: int) -> Doubles:
        import torch
        from evotorch.operators.functional import tournament

        if not n:
            return places[:0]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(self._rng.integers(2**31)))
            winners = tournament(
                torch.from_numpy(places),
                torch.from_numpy(fitness),
                num_tournaments=n + n % 2,
                tournament_size=self.config.tournament,
                objective_sense="max",
            )
        copied: Doubles = winners.numpy()[:n]
        return copied

    def _mutated(self, children: Doubles) -> Doubles:
        """Each number with its chance, and at least one of each child."""
        rng = self._rng
        moves = rng.random(children.shape) < self.config.changed
        moves[np.arange(len(children)), rng.integers(self._space.dim, size=len(children))] = True
        mutated: Doubles = children + moves * self.config.sigma * rng.normal(size=children.shape)
        return mutated

    def tell(self, judged: Sequence[Individual]) -> None:
        """Nothing to learn: the population carries it all."""

    def state(self) -> dict[str, Any]:
        """Its generator of chance."""
        return {"rng": rng_state(self._rng)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Searcher.restore`."""
        self._rng = rng_from_state(state["rng"])
