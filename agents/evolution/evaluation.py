"""One child after another: its sound, and what is thought of it; whatever a generator may do."""

from typing import Final

import numpy as np

from agents.evolution.fitness import WORST, Fitness, Judgement
from agents.evolution.generators.generator import Clip, Generator
from agents.evolution.genome import Answer, Individual

__all__ = ["Evaluator", "failed"]

_NO_SOUND: Final = np.zeros(0, np.float32)


class Evaluator:
    """Makes and judges clips; stays where it was built.

    Args:
        generator: makes sound; one that raises costs the child and no more.
        fitness: judges; whoever takes in the answers may judge again for another target.
        seconds: length of each clip, > 0.
    """

    def __init__(self, generator: Generator, fitness: Fitness, seconds: float) -> None:
        self.generator, self._fitness, self._seconds = generator, fitness, seconds

    def evaluate(self, child: Individual) -> tuple[Answer, Clip]:
        """What became of `child`, and its clip, mono (samples,), at the generator's rate."""
        try:
            clips = self.generator.generate([child.genome.condition], self._seconds, [child.seed])
            clip = clips[0] if clips else _NO_SOUND
        except Exception as error:  # noqa: BLE001 - a foreign generator may raise anything
            return failed(child, f"the generator failed: {error}"), _NO_SOUND
        [judgement] = self._fitness.judge([clip], self.generator.sample_rate)
        return Answer(child.id, judgement), clip

    def close(self) -> None:
        """Give back what the generator holds."""
        self.generator.close()


def failed(child: Individual, reason: str) -> Answer:
    """The answer about a child that has no clip."""
    return Answer(child.id, Judgement("", WORST, 0.0, 1.0, None, None, None, reason[:500]))
