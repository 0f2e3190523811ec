"""A genetic algorithm on Sonic Pi programs: loops cross and move, parameters mutate."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel, Field

from agents.evolution.genome import Genome, Individual
from agents.evolution.searchers.searcher import Proposal, rng_from_state, rng_state
from agents.evolution.searchers.selection import tournament
from corpus.sonic_pi.breeding import Breeder

__all__ = ["GeneticConfig", "ProgramGenetic"]


class GeneticConfig(BaseModel, frozen=True, extra="forbid"):
    """How a genetic algorithm chooses and varies."""

    tournament: int = Field(default=4, ge=1, description="Who compete to be a parent.")
    temperature: float | None = Field(
        default=None, gt=0, description="Of the roulette among competitors; none: the best wins."
    )
    novel: float = Field(default=0.1, ge=0, le=1, description="Share of children out of nothing.")
    crossed: float = Field(default=0.5, ge=0, le=1, description="Share of children of two.")
    reduced: float = Field(
        default=0.1, ge=0, le=1, description="Share of programs that lose a loop."
    )
    also_mutated: float = Field(
        default=0.5, ge=0, le=1, description="Share of the children of two that mutate too."
    )


class ProgramGenetic:
    """Keeps the interface of `searcher.Searcher`; learns nothing but whom the population holds.

    Args:
        breeder: makes children.
        config: how to choose.
        seed: of everything drawn.
    """

    name = "program genetic"

    def __init__(
        self, breeder: Breeder, config: GeneticConfig | None = None, seed: int = 0
    ) -> None:
        self._breeder, self.config = breeder, config or GeneticConfig()
        self._rng = np.random.default_rng([seed, 31])

    def ask(self, n: int, population: Sequence[Individual]) -> list[Proposal]:
        """See `Searcher.ask`."""
        if not population:
            return [self._novel() for _ in range(n)]
        n_novel = round(self.config.novel * n)
        return [self._novel() for _ in range(n_novel)] + [
            self._child(population) for _ in range(n - n_novel)
        ]

    def _novel(self) -> Proposal:
        return Proposal(Genome("program", self._breeder.novel(self._rng)), "novel")

    def _child(self, population: Sequence[Individual]) -> Proposal:
        rng, config = self._rng, self.config
        [mother] = tournament(population, config.tournament, 1, rng, config.temperature)
        code, chance = mother.genome.text, rng.random()
        if chance < config.crossed and len(population) > 1:
            others = [one for one in population if one is not mother]
            [father] = tournament(others, config.tournament, 1, rng, config.temperature)
            child = self._breeder.crossed(code, father.genome.text, rng)
            if rng.random() < config.also_mutated:
                child = self._breeder.mutated(child, rng)
            return Proposal(Genome("program", child), "cross", (mother.id, father.id))
        if chance < config.crossed + config.reduced:
            return Proposal(
                Genome("program", self._breeder.reduced(code, rng)), "reduce", (mother.id,)
            )
        child = self._breeder.mutated(code, rng)
        return Proposal(Genome("program", child), "mutate", (mother.id,))

    def tell(self, judged: Sequence[Individual]) -> None:
        """Nothing to learn: the population carries it all."""

    def state(self) -> dict[str, Any]:
        """Its generator of chance."""
        return {"rng": rng_state(self._rng)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Searcher.restore`."""
        self._rng = rng_from_state(state["rng"])
