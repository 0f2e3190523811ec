"""Who makes and judges the children of an evolution: this process, or Ray actors on any node.

Which of them judges a child changes nothing about it: answers come in the order of the children,
and verdicts that change do so here, where the listener is known.
"""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Final, Protocol

import numpy as np
import torch

from actors.evolution_workers import Workforce
from actors.ray_session import start_ray
from agents.evolution.evaluation import Evaluator
from agents.evolution.fitness import Fitness, Target
from agents.evolution.generators.generator import Clip
from agents.evolution.generators.watched import WatchedGenerator
from agents.evolution.genome import Answer, Individual
from corpus.program_attributes import PROGRAM_ATTRIBUTES, program_attributes
from corpus.sonic_pi.renderer import Rendering
from launch.evolve_parts import build_generator
from launch.evolve_settings import EvolveConfig
from launch.evolve_world import World

__all__ = ["Crew", "InProcessCrew", "RayCrew"]

_BATCH: Final = 4  # children between two looks at whether to stop
_COLLECT_SECONDS: Final = 0.5


class Crew(Protocol):
    """Makes and judges children."""

    def evaluate(
        self, children: Sequence[Individual], is_stopped: Callable[[], bool]
    ) -> list[Answer]:
        """An answer to each child, in their order; fewer if it was told to stop."""
        ...

    def close(self) -> None:
        """End whoever works."""
        ...


class InProcessCrew:
    """Everything here, one batch after the other.

    Args:
        generator: makes the clips.
        world: judges them.
        seconds: of each clip.
    """

    def __init__(self, generator: WatchedGenerator, world: World, seconds: float) -> None:
        self._generator, self._world, self._seconds = generator, world, seconds

    def evaluate(
        self, children: Sequence[Individual], is_stopped: Callable[[], bool]
    ) -> list[Answer]:
        """See `Crew.evaluate`; stops between batches."""
        answers: list[Answer] = []
        for start in range(0, len(children), _BATCH):
            batch = children[start : start + _BATCH]
            clips = self._generator.generate(
                [child.genome.condition for child in batch],
                self._seconds,
                [child.seed for child in batch],
            )
            judged = self._world.fitness.judge(clips, self._generator.sample_rate)
            answers += [
                Answer(child.id, judgement, self._world.extras(child))
                for child, judgement in zip(batch, judged, strict=True)
            ]
            if is_stopped():
                break
        return answers

    def close(self) -> None:
        """Nobody else works."""


class RayCrew:
    """Ray actors out of everybody's way, each with a generator and a fitness of its own.

    Args:
        config: of the evolution; `workers` ≥ 1. Ray is started here, and ended with the crew.
        world: knows the listener and, if it is made up, what programs should be noted of.

    Raises:
        StartError: Ray cannot start.
    """

    def __init__(self, config: EvolveConfig, world: World) -> None:
        self._world, self._n_workers = world, config.workers
        # workers step back by themselves, as far as `priority` says
        start_ray(max(2, config.workers), address=config.address, niceness=0)
        self._workforce = Workforce(
            partial(_build_evaluator, config, _portable(world.fitness)),
            config.workers,
            config.resources,
            config.priority,
        )

    @property
    def n_lost(self) -> int:
        """Children whose worker died; they were handed out again."""
        return self._workforce.n_lost

    def evaluate(
        self, children: Sequence[Individual], is_stopped: Callable[[], bool]
    ) -> list[Answer]:
        """See `Crew.evaluate`; told to stop, it waits for those in flight and hands out no more.

        Raises:
            WorkforceError: workers cannot begin.
        """
        waiting, answers = list(reversed(children)), dict[int, Answer]()
        force = self._workforce
        while force.n_busy or force.n_waiting or waiting:
            while force.n_busy < self._n_workers and not is_stopped():
                if force.n_waiting:
                    force.hand_out()
                elif waiting:
                    force.hand_out(waiting.pop())
                else:
                    break
            if not force.n_busy:
                break
            for done in force.collect(_COLLECT_SECONDS):
                answers[done.answer.id] = done.answer
        return [self._here(child, answers[child.id]) for child in children if child.id in answers]

    def _here(self, child: Individual, answer: Answer) -> Answer:
        """Judged for the listener as known now, with what is known of the program."""
        if answer.extras:
            played = np.array([answer.extras[name] for name in PROGRAM_ATTRIBUTES])
            self._world.note(child.genome.text, played)
        judgement = self._world.fitness.judge_again(answer.judgement)
        return Answer(answer.id, judgement, self._world.extras(child))

    def close(self) -> None:
        """End the workers, and Ray."""
        import ray

        self._workforce.close()
        ray.shutdown()


class _NotingEvaluator(Evaluator):
    """Reports what programs played beside what is thought of their sound."""

    def __init__(self, config: EvolveConfig, fitness: Fitness) -> None:
        self._played: dict[str, dict[str, float]] = {}
        alone = config.model_copy(update={"workers": 1})
        super().__init__(build_generator(alone, self._note), fitness, config.seconds)

    def _note(self, program: str, rendering: Rendering) -> None:
        attributes = program_attributes(rendering.events, rendering.seconds)
        self._played[program] = dict(zip(PROGRAM_ATTRIBUTES, attributes.tolist(), strict=True))

    def evaluate(self, child: Individual) -> tuple[Answer, Clip]:
        """As `Evaluator.evaluate`; the clip stays here, it can be made again."""
        answer, clip = super().evaluate(child)
        played = self._played.get(child.genome.text, {})
        return replace(answer, extras=played), clip[:0]


def _build_evaluator(config: EvolveConfig, fitness: Fitness) -> Evaluator:
    """What a worker works with, built where it works."""
    torch.set_num_threads(1)  # one core is one clip
    return _NotingEvaluator(config, fitness)


def _portable(fitness: Fitness) -> Fitness:
    """The same fitness, for the listener as known now: another process cannot ask again."""
    elsewhere = copy(fitness)
    vector = fitness.target.vector()
    elsewhere.target = Target(fitness.target.mode, lambda: vector)
    return elsewhere
