"""LLM Evolve: a language model as the genetic operators (EvoMusic, algorithm 1).

A tournament gives parents; operators follow one another, each with its chance: crossover makes one
child of two, mutation three of one. Where the model answers nothing usable, the same operator
without a model takes its place, and that is counted: an evolution never waits for a model that is
not there.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import numpy as np
from pydantic import BaseModel, Field

from agents.evolution.adviser import Adviser, tagged
from agents.evolution.genome import Genome, Individual
from agents.evolution.searchers.prompts import CROSS, MUTATE, WHAT, system_prompt
from agents.evolution.searchers.searcher import Proposal, rng_from_state, rng_state
from agents.evolution.searchers.selection import tournament

__all__ = ["LlmEvolve", "LlmEvolveConfig", "TextOperators"]


class TextOperators(Protocol):
    """Operators on texts that need no language model."""

    @property
    def kind(self) -> Literal["prompt", "program"]:
        """What the texts are."""
        ...

    def novel(self, rng: np.random.Generator) -> str:
        """A text out of nothing."""
        ...

    def is_valid(self, text: str) -> bool:
        """Whether a text can be given to the generator."""
        ...

    def mutated(self, parent: str, rng: np.random.Generator) -> str:
        """A text like the parent."""
        ...

    def crossed(self, mother: str, father: str, rng: np.random.Generator) -> str:
        """A text of both."""
        ...


class LlmEvolveConfig(BaseModel, frozen=True, extra="forbid"):
    """Selection and operators; the paper has a population of 100 and tournaments of 25."""

    tournament: int = Field(default=8, ge=1, description="Who compete to be parents.")
    temperature: float | None = Field(
        default=0.15, gt=0, description="Of the roulette among competitors; none: the best win."
    )
    novel: float = Field(default=0.1, ge=0, le=1, description="Share of children out of nothing.")
    crossed: float = Field(default=1.0, ge=0, le=1, description="Chance of the crossover.")
    mutated: float = Field(default=1.0, ge=0, le=1, description="Chance of the mutation after it.")


class LlmEvolve:
    """Keeps the interface of `searcher.Searcher`.

    Args:
        operators: without a model: novel texts, and what stands in for the model.
        model: None uses the operators alone.
        config: selection.
        seed: of everything drawn here; a model's answers are its own.
    """

    name = "llm evolve"

    def __init__(
        self,
        operators: TextOperators,
        model: Adviser | None = None,
        config: LlmEvolveConfig | None = None,
        seed: int = 0,
    ) -> None:
        self._operators, self._model = operators, model
        self.config = config or LlmEvolveConfig()
        self._rng = np.random.default_rng([seed, 61])
        self.counts: Counter[str] = Counter()

    def ask(self, n: int, population: Sequence[Individual]) -> list[Proposal]:
        """See `Searcher.ask`."""
        n_novel = n if not population else round(self.config.novel * n)
        made = [self._proposal(self._operators.novel(self._rng), "novel") for _ in range(n_novel)]
        while len(made) < n:
            made += self._litter(population)
        return made[:n]

    def _litter(self, population: Sequence[Individual]) -> list[Proposal]:
        """Children of one tournament, after all operators."""
        rng, config = self._rng, self.config
        parents = tournament(population, config.tournament, 2, rng, config.temperature)
        ids = tuple(one.id for one in parents)
        texts, done = [one.genome.text for one in parents], "copy"
        if len(texts) == 2 and rng.random() < config.crossed:
            texts, done = self._asked("cross", texts, 1), "cross"
        else:
            texts = texts[:1]
        if rng.random() < config.mutated:
            texts = self._asked("mutate", texts[:1], 3)
            done = "mutate" if done == "copy" else "cross, mutate"
        return [self._proposal(text, done, ids) for text in texts]

    def _asked(self, operator: str, parents: Sequence[str], n: int) -> list[str]:
        """`n` children by the model, or what is missing by the operators without one."""
        children: list[str] = []
        if self._model is not None and not self._model.has_given_up:
            form = CROSS if operator == "cross" else MUTATE
            shown = "\n".join(f"- {text}" for text in parents)
            kind = self._operators.kind
            answer = self._model.ask(
                system_prompt(kind), form.format(what=WHAT[kind], parents=shown)
            )
            read = tagged(answer) if answer is not None else []
            valid = [text for text in read if self._operators.is_valid(text)]
            children = valid[:n]
            self.counts["unanswered" if answer is None else "answered"] += 1
            self.counts["malformed"] += len(read) - len(valid) if read else answer is not None
        self.counts["by the model"] += len(children)
        while len(children) < n:
            self.counts["without a model"] += 1
            if operator == "cross":
                children.append(self._operators.crossed(parents[0], parents[-1], self._rng))
            else:
                children.append(self._operators.mutated(parents[0], self._rng))
        return children

    def _proposal(self, text: str, operator: str, parents: tuple[int, ...] = ()) -> Proposal:
        return Proposal(Genome(self._operators.kind, text), operator, parents)

    def tell(self, judged: Sequence[Individual]) -> None:
        """Nothing to learn: the population carries it all."""

    def state(self) -> dict[str, Any]:
        """Chance and counts."""
        return {"rng": rng_state(self._rng), "counts": dict(self.counts)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Searcher.restore`."""
        self._rng, self.counts = rng_from_state(state["rng"]), Counter(state["counts"])
