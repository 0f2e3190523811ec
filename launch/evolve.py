"""Evolve music for a listener without a stage: `python launch/evolve.py --config FILE`.

Every generation is drawn, judged, and saved; a run that was stopped goes on where it was. The
folder of the run holds the living as audio, the curves, and a page to see and hear both.
"""

if __package__ in (None, ""):  # run as a file: the packages lie one folder up
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from actors.evolution_workers import WorkforceError
from actors.ray_session import StartError
from agents.evolution.checkpoint import CheckpointError, RunLock, load_checkpoint, save_checkpoint
from agents.evolution.genome import Answer, Individual
from agents.evolution.population import Evolution
from agents.evolution.surrogate import CodeSurrogate
from corpus.audio_file import AudioFileError
from corpus.sonic_pi.install import SonicPiMissingError
from corpus.sonic_pi.sandbox import SandboxMissingError
from launch.config import ConfigError, load_config, resolve
from launch.evolve_crew import Crew, InProcessCrew, RayCrew
from launch.evolve_page import write_page
from launch.evolve_parts import (
    build_foresight,
    build_generator,
    build_searcher,
    build_surrogate,
)
from launch.evolve_settings import EvolveConfig
from launch.evolve_world import MadeUpWorld, TrainedWorld, World
from models.language_model import LanguageModelError

_COLUMNS = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"))
_ERRORS = (
    ConfigError, LanguageModelError, CheckpointError, ValueError, OSError, ImportError,
    AudioFileError, SonicPiMissingError, SandboxMissingError, StartError, WorkforceError,
)  # fmt: skip


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
        self.config, self._bar = config, bar
        config.out.mkdir(parents=True, exist_ok=True)
        config.cache.mkdir(parents=True, exist_ok=True)
        self.seconds_spent = 0.0
        self.is_stopped = False
        with ExitStack() as opened:
            opened.enter_context(RunLock(config.out))
            self.world = _world(config, bar)
            self.generator = opened.enter_context(
                closing(build_generator(config, self.world.on_rendering))
            )
            self.evolution = Evolution(
                build_searcher(config, self.generator),
                config.evolution.model_copy(update={"seed": config.seed}),
                self._surrogate(opened),
            )
            if resumes and self.checkpoint.exists():
                self._resume()
            self._crew = opened.enter_context(closing(self._hire()))
            self._opened = opened.pop_all()

    @property
    def checkpoint(self) -> Path:
        """The file that a run goes on from."""
        return self.config.out / "evolution.checkpoint"

    def _surrogate(self, opened: ExitStack) -> CodeSurrogate | None:
        if not self.config.surrogate:
            return None
        foresee = opened.enter_context(closing(build_foresight(self.config)))
        return build_surrogate(foresee, self.world)

    def _hire(self) -> Crew:
        if not self.config.workers:
            return InProcessCrew(self.generator, self.world, self.config.seconds)
        return RayCrew(self.config, self.world)

    def _resume(self) -> None:
        state = load_checkpoint(self.checkpoint)
        now, then = (
            _identity(one) for one in (self.config.model_dump(mode="json"), state["config"])
        )
        if now != then:
            differing = sorted(k for k in now if now[k] != then.get(k))
            raise CheckpointError(
                f"{self.checkpoint} must be of this config, but {', '.join(differing)} differ; "
                "change them back, name another folder with --out, or start anew with --fresh"
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


def main(argv: Sequence[str] | None = None) -> int:
    """Evolve as the command line says; 0 if the run is complete, 130 if it was interrupted."""
    options = _parser().parse_args(argv)
    console = Console(stderr=True)
    torch.set_num_threads(1)
    try:
        config = read_evolve_config(options.config, options.set, options.out)
        with (
            Progress(*_COLUMNS, TimeElapsedColumn(), console=console) as bar,
            Run(config, bar, resumes=not options.fresh) as run,
        ):
            console.print(f"{run.generator.name}: {run.generator.licence}", markup=False)
            with _stopping_on_signals(run):
                run.go()
            run.save()
            write_page(run, config.out)
            _report(run, console)
            return 130 if run.is_stopped else 0
    except _ERRORS as error:
        console.print(f"error: {error}", style="red", markup=False, soft_wrap=True)
        return 2


def read_evolve_config(path: Path, assignments: Sequence[str], out: Path | None) -> EvolveConfig:
    """The config of a file and the command line, with paths that can be used.

    Raises:
        ConfigError: as `load_config`.
    """
    options = {"out": None if out is None else str(resolve(out, typed=True))}
    config = load_config(EvolveConfig, path, options=options, assignments=assignments)
    return config.model_copy(update={"out": resolve(config.out), "cache": resolve(config.cache)})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="antiphon evolve", description="Evolve music for a taste."
    )
    add = parser.add_argument
    add("--config", type=Path, default=Path("configs/evolution.yaml"), metavar="FILE")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting")
    add("--out", type=Path, metavar="DIR", help="folder of the run; one is resumed if it is there")
    add("--fresh", action="store_true", help="start anew, whatever the folder holds")
    return parser


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


@contextmanager
def _stopping_on_signals(run: Run) -> Iterator[None]:
    """Ctrl-C and a kind kill end the run after what is being judged; nothing told is lost."""

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        run.is_stopped = True

    before = {one: signal.signal(one, stop) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _report(run: Run, console: Console) -> None:
    for reason, count in run.generator.failures.most_common(3):
        console.print(
            f"{count} clips of {run.generator.name} were replaced: {reason}", markup=False
        )
    minutes = max(run.seconds_spent / 60, 1e-9)
    console.print(
        f"{run.evolution.n_evaluated} clips judged, {run.evolution.n_evaluated / minutes:.1f} a "
        f"minute; {run.config.out / 'index.html'} shows and plays the living",
        markup=False,
        soft_wrap=True,
    )
    if run.is_stopped:
        console.print("stopped; the same command goes on from here", markup=False)


if __name__ == "__main__":
    sys.exit(main())
