"""Makes the data set of programs and sounds that code ranking learns from.

python launch/render_corpus.py --out FOLDER [--renders 500] [--seconds 10] [--workers 2]
    [--programs FOLDER] [--only-programs] [--ray]

Without further options it fills the 27 templates of the project; `--programs` adds every Sonic Pi
program (*.rb) under a folder, made into a template on the fly. Ctrl-C stops; the same command
goes on.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import tee
from pathlib import Path

if __package__ in (None, ""):  # run as a file: the repository is not on the path yet
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from corpus.sonic_pi.auto_template import template_from_program
from corpus.sonic_pi.dataset import Dataset, DatasetConfig, Job, Pair, checked_pair
from corpus.sonic_pi.pool import RendererPool
from corpus.sonic_pi.renderer import PATIENT
from corpus.sonic_pi.templating import Template, own_templates
from launch.command import command, within
from launch.program_file import read_program

__all__ = ["main"]


@command(OSError, ValueError, RuntimeError)
def main(argv: Sequence[str] | None = None) -> int:
    """Renders what is missing; returns 0 when complete, 130 when stopped, 2 when refused."""
    arguments = _parser().parse_args(argv)
    templates = _templates(arguments)
    config = DatasetConfig(
        renders=arguments.renders, seconds=arguments.seconds, seed=arguments.seed
    )
    with Dataset(arguments.out, config, templates) as dataset:
        return _render(dataset, arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="antiphon render-corpus", description="Programs and their sounds."
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the data set")
    parser.add_argument(
        "--renders", type=within(int, 1), default=500, help="per template (default: 500)"
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="of music (default: 10)")
    parser.add_argument("--seed", type=int, default=0, help="of the fillings (default: 0)")
    parser.add_argument(
        "--workers", type=within(int, 1, 64), default=1, help="renderers side by side"
    )
    parser.add_argument("--programs", type=Path, help="folder of Sonic Pi programs to vary as well")
    parser.add_argument("--only-programs", action="store_true", help="leave out our own templates")
    parser.add_argument("--ray", action="store_true", help="render on the workers of a Ray cluster")
    return parser


def _templates(arguments: argparse.Namespace) -> list[Template]:
    templates = [] if arguments.only_programs else list(own_templates())
    if arguments.programs is not None:
        files = sorted(arguments.programs.rglob("*.rb"))
        if not files:
            raise FileNotFoundError(
                f"{arguments.programs} must hold Sonic Pi programs (*.rb), got none"
            )
        for file in files:
            name = "-".join(file.relative_to(arguments.programs).with_suffix("").parts)
            try:
                templates.append(template_from_program(name, read_program(file)))
            except ValueError as error:
                print(f"skipped: {error}", file=sys.stderr)
    if not templates:
        raise ValueError("there must be templates: --only-programs needs --programs FOLDER")
    return templates


def _render(dataset: Dataset, arguments: argparse.Namespace) -> int:
    done = dataset.n_tried
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task("rendering", total=max(dataset.n_wanted, done), completed=done)
        try:
            for pair in _pairs(dataset, arguments):
                dataset.add(pair)
                progress.advance(task)
        except KeyboardInterrupt:
            _report(dataset)
            print("stopped; the same command goes on")
            return 130
    _report(dataset)
    return 0


def _pairs(dataset: Dataset, arguments: argparse.Namespace) -> Iterator[Pair]:
    check = dataset.config.check
    if arguments.ray:
        from actors.ray_session import ray_session
        from actors.render_tasks import render_jobs  # Ray only when asked for

        with ray_session(arguments.workers):
            yield from render_jobs(dataset.missing(), arguments.workers, PATIENT, check)
        return
    jobs, again = tee(dataset.missing())
    with RendererPool(arguments.workers, PATIENT) as pool:
        renderings = pool.render(_codes(jobs), dataset.config.seconds)
        for job, rendering in zip(again, renderings, strict=True):
            yield checked_pair(job, rendering, check)


def _codes(jobs: Iterable[Job]) -> Iterator[str]:
    return (job.code for job in jobs)


def _report(dataset: Dataset) -> None:
    counts = dataset.counts()
    total = max(1, sum(counts.values()))
    shares = ", ".join(f"{n} {outcome} ({n / total:.1%})" for outcome, n in counts.items())
    print(f"{sum(counts.values())} programs: {shares}")


if __name__ == "__main__":
    sys.exit(main())
