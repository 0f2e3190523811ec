"""One evolution in one folder: made from its config, resumed, carried on, saved."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

from rich.progress import Progress

from agents.evolution.checkpoint import CheckpointError, RunLock, load_checkpoint, save_checkpoint
from agents.evolution.genome import Answer, Individual
from agents.evolution.population import Evolution
from corpus.sonic_pi.renderer import Rendering
from launch.evolve_crew import Crew, InProcessCrew, RayCrew
from launch.evolve_parts import (
    build_foresight,
    build_generator,
    build_searcher,
    build_surrogate,
)
from launch.evolve_settings import EvolveConfig, check_settings
from launch.evolve_world import MadeUpWorld, World
from launch.trained_world import TrainedWorld
from models.taste_checkpoint import fingerprint

__all__ = ["Run"]

_STATE: Final = ("config", "taste", "evolution", "world", "seconds")


class Run:
    """One evolution in one folder, from its config; a context manager.

    Args:
        config: what to do; paths resolved.
        bar: shows progress.
        resumes: go on from the folder's checkpoint if there is one.

    Raises:
        CheckpointError: a checkpoint that does not fit, or a folder that is in use.
        ValueError: parts that do not fit together.
    """

    def __init__(self, config: EvolveConfig, bar: Progress, *, resumes: bool = True) -> None:
        check_settings(config)
        self.config, self._bar = config, bar
        config.out.mkdir(parents=True, exist_ok=True)
        config.cache.mkdir(parents=True, exist_ok=True)
        self.seconds_spent = 0.0
        self.is_stopped = False
        with ExitStack() as opened:
            opened.enter_context(RunLock(config.out))
            # what can be refused comes before the world, whose catalogue takes minutes
            earlier = self._earlier() if resumes and self.checkpoint.exists() else None
            self.generator = opened.enter_context(
                closing(build_generator(config, self._on_rendering))
            )
            searcher = build_searcher(config, self.generator)
            foresee = (
                opened.enter_context(closing(build_foresight(config))) if config.surrogate else None
            )
            self.world = _world(config, bar)
            self.evolution = Evolution(
                searcher,
                config.evolution.model_copy(update={"seed": config.seed}),
                None if foresee is None else build_surrogate(foresee, self.world),
            )
            if earlier is not None:
                self._resume(earlier)
            self._crew = opened.enter_context(closing(self._hire()))
            self._opened = opened.pop_all()

    @property
    def checkpoint(self) -> Path:
        """The file that a run goes on from."""
        return self.config.out / "evolution.checkpoint"

    def _on_rendering(self, program: str, rendering: Rendering) -> None:
        self.world.on_rendering(program, rendering)

    def _hire(self) -> Crew:
        if not self.config.workers:
            return InProcessCrew(self.generator, self.world, self.config.seconds)
        return RayCrew(self.config, self.world)

    def _earlier(self) -> dict[str, Any]:
        """What the checkpoint holds; of this config."""
        state = load_checkpoint(self.checkpoint)
        lacking = [name for name in _STATE if name not in state]
        if lacking:
            raise CheckpointError(
                f"{self.checkpoint} must be a checkpoint of `antiphon evolve`, it lacks "
                f"{', '.join(lacking)}; name another folder with --out, or start anew with --fresh"
            )
        now, then = (
            _identity(one) for one in (self.config.model_dump(mode="json"), state["config"])
        )
        differing = [k for k in sorted({*now, *then}) if now.get(k) != then.get(k)]
        if differing:
            raise CheckpointError(
                f"{self.checkpoint} must be of this config, but {', '.join(differing)} differ; "
                "change them back, name another folder with --out, or start anew with --fresh"
            )
        return state

    def _resume(self, state: Mapping[str, Any]) -> None:
        if state["taste"] != fingerprint(self.world.aligner):
            raise CheckpointError(
                f"{self.checkpoint} must be of this taste model, but it was trained anew since; "
                "put the old one back, name another folder with --out, or start anew with --fresh"
            )
        self.evolution.restore(state["evolution"])
        self.world.restore(state["world"])
        self.seconds_spent = state["seconds"]

    def go(self) -> None:
        """Evolve until the last generation, or until told to stop; everything told is saved."""
        task = self._bar.add_task(
            "evolving", total=self.config.generations, completed=self.evolution.generation, said=""
        )
        while self.evolution.generation < self.config.generations and not self.is_stopped:
            began = time.perf_counter()
            self.step()
            self.seconds_spent += time.perf_counter() - began
            self.save()
            row = self.evolution.history[-1] if self.evolution.history else {}
            shown = ("best", "best true", "best second", "median")
            said = ", ".join(f"{name} {row[name]:.2f}" for name in shown if name in row)
            self._bar.update(task, completed=self.evolution.generation, said=said)

    def step(self) -> None:
        """One generation; an interruption leaves it where it is, answers and all."""
        while children := self.evolution.ask():
            self.evolution.tell(self.evaluate(children))
            if self.is_stopped:
                return
            if self.evolution.is_complete:
                break
        self.evolution.close_generation()
        self.world.heed(self.evolution)

    def evaluate(self, children: Sequence[Individual]) -> list[Answer]:
        """Generate and judge children, in their order; fewer if the run is stopped meanwhile."""
        return self._crew.evaluate(children, lambda: self.is_stopped)

    def save(self) -> None:
        """Write the checkpoint."""
        state = {
            "config": self.config.model_dump(mode="json"),
            "taste": fingerprint(self.world.aligner),
            "evolution": self.evolution.state(),
            "world": self.world.state(),
            "seconds": self.seconds_spent,
        }
        save_checkpoint(self.checkpoint, state)

    def close(self) -> None:
        """End the workers and the generator, and let go of the folder."""
        self._opened.close()

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _world(config: EvolveConfig, bar: Progress) -> World:
    if config.taste.model is not None:
        return TrainedWorld(config)
    task = bar.add_task("hearing the catalogue", total=config.taste.catalogue, said="")
    return MadeUpWorld(config, lambda: bar.update(task, advance=1))


def _identity(config: dict[str, Any]) -> dict[str, Any]:
    """What must not change between parts of a run."""
    free = (
        "generations", "out", "cache", "workers", "show", "address", "resources", "priority"
    )  # fmt: skip
    return {name: value for name, value in config.items() if name not in free}
