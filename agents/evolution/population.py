"""An evolution, one generation at a time: who lives, who is asked for, what became of them.

Ask for children, have them evaluated anywhere in any order, tell the answers. A generation closes
when enough of its children are answered; an answer that comes later still counts. The living are
the elites, which are the best and not a sample, and the newest judged. Nothing here makes sound,
waits, or looks at a clock.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

import numpy as np
from pydantic import BaseModel, Field

from agents.evolution.fitness import WORST, Judgement
from agents.evolution.genome import Answer, Genome, Individual
from agents.evolution.searchers.searcher import Proposal, Searcher, rng_from_state, rng_state

__all__ = ["Evolution", "EvolutionConfig", "Foresight"]

STATE_VERSION: Final = 1
_REMEMBERED_GENERATIONS: Final = 3  # how late an answer may come
_HALL: Final = 16


class EvolutionConfig(BaseModel, frozen=True, extra="forbid"):
    """The shape of an evolution."""

    population: int = Field(default=40, ge=4, le=10_000, description="Individuals that live.")
    elites: float = Field(
        default=0.1, ge=0, lt=1, description="Share that lives on unchanged: always the best."
    )
    enough: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Share of a generation's children to be answered before the next is asked.",
    )
    renders: float = Field(
        default=0.25,
        gt=0,
        le=1,
        description="With a surrogate: share of the population rendered in a generation.",
    )
    candidates: int = Field(
        default=8, ge=1, le=1000, description="With a surrogate: children imagined per render."
    )
    explored: float = Field(
        default=0.2, ge=0, le=1, description="Share of renders that the surrogate does not choose."
    )
    seed: int = Field(default=0, ge=0, description="Of all that is drawn here.")


class Foresight(Protocol):
    """A surrogate: says from the genome alone how fit a clip will be."""

    def estimate(self, genomes: Sequence[Genome]) -> list[float]:
        """Foreseen fitness, one per genome; −inf for what will surely fail."""
        ...

    def learn(self, judged: Sequence[Individual]) -> Mapping[str, float]:
        """Take in what was rendered; returns how right the estimates were, by name."""
        ...

    def state(self) -> dict[str, Any]:
        """Plain values and arrays for `restore`."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Be as when `state` was taken."""
        ...


class Evolution:
    """A population and its searcher; see the module.

    Args:
        searcher: finds children.
        config: sizes.
        surrogate: chooses whom to render; None renders all.
    """

    def __init__(
        self,
        searcher: Searcher,
        config: EvolutionConfig | None = None,
        surrogate: Foresight | None = None,
    ) -> None:
        self.config = config or EvolutionConfig()
        self.searcher, self.surrogate = searcher, surrogate
        self.generation = 0
        self.population: list[Individual] = []
        self.hall: list[Individual] = []
        self.history: list[dict[str, float]] = []
        self.n_evaluated = self.n_unwanted = 0
        self._next_id = 0
        self._waiting: list[Individual] = []
        self._in_flight: dict[int, Individual] = {}
        self._judged: list[Individual] = []
        self._said: dict[str, float] = {}
        self._n_replaced = 0
        self._rng = np.random.default_rng([self.config.seed, 29])
        self._begun = False

    @property
    def n_elites(self) -> int:
        """How many live on unchanged; at least 1 unless the share is 0."""
        share = self.config.elites
        return 0 if share == 0 else max(1, round(share * self.config.population))

    @property
    def is_complete(self) -> bool:
        """Whether enough of this generation is answered; the next `ask` begins another."""
        if not self._begun:
            return False
        missing = len(self._waiting) + sum(
            child.generation == self.generation for child in self._in_flight.values()
        )
        here = sum(child.generation == self.generation for child in self._judged)
        return missing == 0 or (not self._waiting and here >= self.config.enough * (here + missing))

    @property
    def best(self) -> Individual | None:
        """The fittest ever judged, as judged last; None before the first answer."""
        return self.hall[0] if self.hall else None

    def ask(self, n: int | None = None) -> list[Individual]:
        """Children to evaluate, each handed out once; all that are left if `n` is None.

        Empty while answers are awaited. Begins a generation if the last one is complete.
        """
        if not self._begun:
            self._begin()
        elif self.is_complete:
            self.close_generation()
            self._begin()
        n = len(self._waiting) if n is None else n
        chosen, self._waiting = self._waiting[:n], self._waiting[n:]
        self._in_flight.update({child.id: child for child in chosen})
        return chosen

    def tell(self, answers: Sequence[Answer]) -> list[Individual]:
        """Take answers in any order, however late; those not asked for are counted and passed over.

        Returns:
            The children judged by them.
        """
        judged = []
        for answer in answers:
            child = self._in_flight.pop(answer.id, None)
            if child is None:
                self.n_unwanted += 1
                continue
            judged.append(replace(child, judgement=answer.judgement, extras=dict(answer.extras)))
        self.n_evaluated += len(judged)
        self._judged += judged
        self._remember(judged)
        for child in judged:
            if child.fitness <= WORST and child.generation == self.generation:
                self._replace()
        return judged

    def _replace(self) -> None:
        """Another child in the place of one that could not be judged; within limits."""
        if self._n_replaced < self.config.population:
            self._n_replaced += 1
            [proposal] = self.searcher.ask(1, self.population)
            self._add(replace(proposal, operator=f"{proposal.operator}, replacement"), None)

    def judge_again(self, judge: Callable[[Judgement], Judgement]) -> None:
        """All who live or are remembered, anew: the listener has become another."""

        def anew(one: Individual) -> Individual:
            return one if one.judgement is None else replace(one, judgement=judge(one.judgement))

        self.population = sorted(map(anew, self.population), key=_unfitness)
        self.hall = sorted(map(anew, self.hall), key=_unfitness)
        self._judged = [anew(one) for one in self._judged]

    def close_generation(self) -> dict[str, float]:
        """End the generation as it stands: the searcher learns, the living are chosen.

        Returns:
            Its row of the history.
        """
        if self.surrogate is not None:
            self._said = dict(self.surrogate.learn(self._judged))
        if self._judged:
            self.searcher.tell(self._judged)
        elites = self.population[: self.n_elites]
        newest = sorted(self._judged, key=lambda one: -one.id)
        older = sorted(self.population[self.n_elites :], key=lambda one: -one.id)
        living = (elites + newest + older)[: self.config.population]
        self.population = sorted(living, key=_unfitness)
        row = self._row()
        self.history.append(row)
        self._judged, self._waiting, self._n_replaced = [], [], 0
        self.generation += 1
        self._begun = False
        oldest = self.generation - _REMEMBERED_GENERATIONS
        self._in_flight = {k: v for k, v in self._in_flight.items() if v.generation >= oldest}
        return row

    def _begin(self) -> None:
        """Make this generation's children."""
        self._begun = True
        n = self.config.population - (self.n_elites if self.population else 0)
        if self.surrogate is None:
            chosen: list[tuple[Proposal, float | None]] = [
                (proposal, None) for proposal in self.searcher.ask(n, self.population)
            ]
        else:
            chosen = self._promising(self.surrogate)
        for proposal, estimate in chosen:
            self._add(proposal, estimate)

    def _add(self, proposal: Proposal, estimate: float | None) -> None:
        self._waiting.append(
            Individual(
                id=self._next_id,
                genome=proposal.genome,
                generation=self.generation,
                operator=proposal.operator,
                parents=proposal.parents,
                seed=int(self._rng.integers(2**31)),
                estimate=estimate,
            )
        )
        self._next_id += 1

    def _promising(self, surrogate: Foresight) -> list[tuple[Proposal, float | None]]:
        """The best of many by their code alone, and a few drawn blindly to keep it honest."""
        n = max(1, int(self.config.renders * self.config.population))
        proposals = self.searcher.ask(n * self.config.candidates, self.population)
        distinct = list({p.genome.key: p for p in proposals}.values())
        known = {one.genome.key for one in self.population}
        fresh = [p for p in distinct if p.genome.key not in known] or distinct
        estimates = surrogate.estimate([p.genome for p in fresh])
        order = np.argsort([-one for one in estimates], kind="stable")
        n_blind = min(round(self.config.explored * n), max(0, len(fresh) - n))
        chosen = [int(k) for k in order[: n - n_blind]]
        possible = [int(k) for k in order[n - n_blind :] if np.isfinite(estimates[int(k)])]
        blind = self._rng.permutation(np.array(possible, np.int64))[:n_blind]
        named = [replace(fresh[int(k)], operator=f"{fresh[int(k)].operator}, blind") for k in blind]
        picked: list[tuple[Proposal, float | None]] = [(fresh[k], estimates[k]) for k in chosen]
        return picked + [(p, estimates[int(k)]) for p, k in zip(named, blind, strict=True)]

    def _remember(self, judged: Sequence[Individual]) -> None:
        best: dict[str, Individual] = {}
        for one in sorted([*self.hall, *judged], key=_unfitness):
            best.setdefault(one.genome.key, one)
        self.hall = list(best.values())[:_HALL]

    def _row(self) -> dict[str, float]:
        """Figures of the living; what could not be judged is counted and kept out of the means."""
        sound = [one for one in self.population if one.fitness > WORST]
        row = {
            "generation": float(self.generation),
            "evaluated": float(self.n_evaluated),
            "failed": float(sum(one.fitness <= WORST for one in self._judged)),
        }
        if sound:
            row |= {
                "best": sound[0].fitness,
                "mean": float(np.mean([one.fitness for one in sound])),
                "median": float(np.median([one.fitness for one in sound])),
            }
            shown = {name: value for name, value in _figures(sound[0]).items()}
            row |= {f"best {name}": value for name, value in shown.items()}
            for name in shown:
                there = [_figures(one)[name] for one in sound if name in _figures(one)]
                row[f"mean {name}"] = float(np.mean(there))
                row[f"median {name}"] = float(np.median(there))
        return row | self._said

    def state(self) -> dict[str, Any]:
        """All that `restore` needs, as plain values and arrays; take it whenever you like.

        Children in flight are handed out again after a restart: their answers are lost.
        """
        children = [*self._in_flight.values(), *self._waiting]
        return {
            "version": STATE_VERSION,
            "searcher": self.searcher.name,
            "config": self.config.model_dump(),
            "generation": self.generation,
            "begun": self._begun,
            "population": [one.plain() for one in self.population],
            "hall": [one.plain() for one in self.hall],
            "judged": [one.plain() for one in self._judged],
            "waiting": [c.plain() for c in children if c.generation == self.generation],
            "history": [dict(row) for row in self.history],
            "counts": [self._next_id, self.n_evaluated, self.n_unwanted, self._n_replaced],
            "rng": rng_state(self._rng),
            "search": self.searcher.state(),
            "surrogate": None if self.surrogate is None else self.surrogate.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`; searcher and surrogate must be of the kind that it was taken of.

        Raises:
            ValueError: a state of another version, or of another searcher.
        """
        if state.get("version") != STATE_VERSION:
            raise ValueError(
                f"the state of an evolution must be of version {STATE_VERSION}, got "
                f"{state.get('version')}; resume it with the Antiphon that wrote it, or start anew"
            )
        if state["searcher"] != self.searcher.name:
            raise ValueError(
                f"the state must be of searcher {self.searcher.name!r}, got one of "
                f"{state['searcher']!r}; set the same searcher, or start anew"
            )
        if (state["surrogate"] is None) != (self.surrogate is None):
            had = "without" if state["surrogate"] is None else "with"
            raise ValueError(f"the state was taken {had} a surrogate; resume it {had} one")
        self.searcher.restore(state["search"])
        if self.surrogate is not None:
            self.surrogate.restore(state["surrogate"])
        self.generation, self._begun = int(state["generation"]), bool(state["begun"])
        self.population = [Individual.from_plain(one) for one in state["population"]]
        self.hall = [Individual.from_plain(one) for one in state["hall"]]
        self._judged = [Individual.from_plain(one) for one in state["judged"]]
        self._waiting = [Individual.from_plain(one) for one in state["waiting"]]
        self._in_flight = {}
        self.history = [dict(row) for row in state["history"]]
        self._next_id, self.n_evaluated, self.n_unwanted, self._n_replaced = state["counts"]
        self._rng = rng_from_state(state["rng"])


def _unfitness(one: Individual) -> float:
    return -one.fitness


def _figures(one: Individual) -> dict[str, float]:
    """What is reported of an individual beside its fitness."""
    judged = one.judgement
    if judged is None:
        return {}
    second = {} if judged.second is None else {"second": judged.second}
    return {"taste": judged.taste, **second, **one.extras}
