"""Evolve music for a listener without a stage: `python launch/evolve.py --config FILE`.

Every generation is drawn, judged, and saved; a run that was stopped goes on where it was. The
folder of the run holds the living as audio, the curves, and a page to see and hear both.
"""

if __package__ in (None, ""):  # run as a file: the packages lie one folder up
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from actors.ending_signals import on_ending_signals
from actors.evolution_workers import WorkforceError
from actors.ray_session import StartError
from agents.evolution.checkpoint import CheckpointError
from corpus.audio_file import AudioFileError
from corpus.sonic_pi.install import SonicPiMissingError
from corpus.sonic_pi.sandbox import SandboxMissingError
from launch.command import command
from launch.config import PROJECT_ROOT, ConfigError, load_config, resolve
from launch.evolve_page import said_of_texts, write_page
from launch.evolve_run import Run
from launch.evolve_settings import EvolveConfig
from models.audiocraft_client import AudiocraftError
from models.language_model import LanguageModelError

DEFAULT_CONFIG = PROJECT_ROOT / "configs" / "evolution.yaml"
_CONFIG_HELP = "settings; what follows wins over them (configs/evolution.yaml)"
_COLUMNS = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"))
_ERRORS = (
    ConfigError, LanguageModelError, CheckpointError, ValueError, OSError, ImportError,
    AudioFileError, AudiocraftError, SonicPiMissingError, SandboxMissingError, StartError,
    WorkforceError,
)  # fmt: skip


@command(*_ERRORS)
def main(argv: Sequence[str] | None = None) -> int:
    """Evolve as the command line says; 0 if the run is complete, 130 if it was interrupted."""
    options = _parser().parse_args(argv)
    console = Console(stderr=True)
    torch.set_num_threads(1)
    config = read_evolve_config(options.config, options.set, options.out)
    with (
        Progress(*_COLUMNS, TimeElapsedColumn(), console=console) as bar,
        Run(config, bar, resumes=not options.fresh) as run,
    ):
        console.print(f"{run.generator.name}: {run.generator.licence}", markup=False)
        with on_ending_signals(partial(_stop, run)):
            run.go()
        run.save()
        write_page(run, config.out)
        _report(run, console)
        return 130 if run.is_stopped else 0


def read_evolve_config(path: Path, assignments: Sequence[str], out: Path | None) -> EvolveConfig:
    """The config of a file and the command line, with paths that can be used.

    Raises:
        ConfigError: as `load_config`.
    """
    options = {"out": None if out is None else str(resolve(out, typed=True))}
    config = load_config(EvolveConfig, path, options=options, assignments=assignments)
    typed = any(assignment.startswith("cache=") for assignment in assignments)
    cache = resolve(config.cache, typed=typed)
    return config.model_copy(update={"out": resolve(config.out), "cache": cache})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="antiphon evolve", description="Evolve music for a taste."
    )
    add = parser.add_argument
    add("--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE", help=_CONFIG_HELP)
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting")
    add("--out", type=Path, metavar="DIR", help="folder of the run; one is resumed if it is there")
    add("--fresh", action="store_true", help="start anew, whatever the folder holds")
    return parser


def _stop(run: Run) -> None:
    """End after what is being judged; nothing told is lost."""
    run.is_stopped = True


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
    for remark in [*said_of_texts(run.evolution.searcher.state()), *run.world.remarks()]:
        console.print(remark, markup=False, soft_wrap=True)
    if run.is_stopped:
        console.print("stopped; the same command goes on from here", markup=False)


if __name__ == "__main__":
    sys.exit(main())
