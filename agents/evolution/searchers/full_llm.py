"""Full LLM: a language model reads the ranked population and writes the next (EvoMusic, V-A1).

The best are shown, which are those with the highest scores; what the model does not deliver comes
from operators without a model, and that is counted.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, Field

from agents.evolution.adviser import Adviser, tagged
from agents.evolution.fitness import WORST
from agents.evolution.genome import Genome, Individual
from agents.evolution.searchers.llm_evolve import TextOperators
from agents.evolution.searchers.prompts import FULL, WHAT, system_prompt
from agents.evolution.searchers.searcher import Proposal, rng_from_state, rng_state
from agents.evolution.searchers.selection import roulette, tournament

__all__ = ["FullLlm", "FullLlmConfig"]


class FullLlmConfig(BaseModel, frozen=True, extra="forbid"):
    """What the model is shown and asked."""

    prompt: Literal[4, 5, 6] = Field(default=6, description="Which of the paper's prompts.")
    shown: int = Field(default=20, ge=2, le=500, description="Texts in the ranking.")
    temperature: float | None = Field(
        default=None, gt=0, description="Of the roulette for who is shown; none: the best."
    )
    novel: float = Field(default=0.1, ge=0, le=1, description="Share of children out of nothing.")
    at_once: int = Field(default=20, ge=1, le=200, description="Texts asked for in one question.")


class FullLlm:
    """Keeps the interface of `searcher.Searcher`.

    Args:
        operators: without a model: novel texts, and what stands in for the model.
        model: None uses the operators alone.
        config: what is shown and asked.
        seed: of everything drawn here; a model's answers are its own.
    """

    name = "full llm"

    def __init__(
        self,
        operators: TextOperators,
        model: Adviser | None = None,
        config: FullLlmConfig | None = None,
        seed: int = 0,
    ) -> None:
        self._operators, self._model = operators, model
        self.config = config or FullLlmConfig()
        self._rng = np.random.default_rng([seed, 67])
        self.counts: Counter[str] = Counter()

    def ask(self, n: int, population: Sequence[Individual]) -> list[Proposal]:
        """See `Searcher.ask`."""
        kind = self._operators.kind
        n_novel = n if not population else round(self.config.novel * n)
        texts = [(self._operators.novel(self._rng), "novel") for _ in range(n_novel)]
        if population:
            written = self._written(n - n_novel, population)
            texts += [(text, "written") for text in written]
        while len(texts) < n:
            self.counts["without a model"] += 1
            parents = tournament(population, 4, 2, self._rng)
            child = self._operators.crossed(
                parents[0].genome.text, parents[-1].genome.text, self._rng
            )
            texts.append((child, "cross"))
        return [Proposal(Genome(kind, text), operator) for text, operator in texts]

    def _written(self, n: int, population: Sequence[Individual]) -> list[str]:
        """Up to `n` texts by the model; as many questions as that takes, and no more."""
        kind, written = self._operators.kind, dict[str, None]()
        known = {one.genome.text for one in population}
        n_questions = -(-n // self.config.at_once)
        for _ in range(n_questions):
            if self._model is None or self._model.has_given_up or len(written) >= n:
                break
            question = FULL[self.config.prompt].format(
                what=WHAT[kind],
                ranking=self.ranking(population),
                n=min(self.config.at_once, n - len(written)),
            )
            answer = self._model.ask(system_prompt(kind), question)
            read = tagged(answer) if answer is not None else []
            valid = [text for text in read if self._operators.is_valid(text)]
            self.counts["unanswered" if answer is None else "answered"] += 1
            self.counts["malformed"] += len(read) - len(valid) if read else answer is not None
            written |= dict.fromkeys(text for text in valid if text not in known)
        self.counts["by the model"] += min(n, len(written))
        return list(written)[:n]

    def ranking(self, population: Sequence[Individual]) -> str:
        """The texts shown, best first, with scores from 0 to 100 (50 · fitness + 50)."""
        sound = [one for one in population if one.fitness > WORST] or list(population)
        best = sorted(sound, key=lambda one: -one.fitness)
        if self.config.temperature is not None:
            drawn = roulette(best, self.config.shown, self._rng, self.config.temperature)
            best = sorted(drawn, key=lambda one: -one.fitness)
        lines = []
        for place, one in enumerate(best[: self.config.shown], start=1):
            score = float(np.clip(50 * one.fitness + 50, 0, 100))
            lines.append(f"{place}. score {score:.0f}: {one.genome.text}")
        return "\n".join(lines)

    def tell(self, judged: Sequence[Individual]) -> None:
        """Nothing to learn: the population carries it all."""

    def state(self) -> dict[str, Any]:
        """Chance and counts."""
        return {"rng": rng_state(self._rng), "counts": dict(self.counts)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Searcher.restore`."""
        self._rng, self.counts = rng_from_state(state["rng"]), Counter(state["counts"])
