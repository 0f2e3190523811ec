"""Ranks Sonic Pi programs by how they will sound, without playing them.

python launch/rank.py --context C.rb CAND1.rb CAND2.rb … --keep 3 [--near FILE.wav] [--json]
python launch/rank.py --table [--data FOLDER] …    every figure measured anew (rank_table.py)

Without `--near` the chosen are those that will sound most unlike each other and unlike the context;
with it, those nearest to the sound. A candidate may be a folder of programs. Exit codes: 0 ranked;
1 nothing could be chosen; 2 refused.
"""

import argparse
import gc
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

if __package__ in (None, ""):  # run as a file: the repository is not on the path yet
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rich.console import Console

from agents.code_ranking.cascade import Cascade, CascadeConfig, open_cascade
from agents.code_ranking.estimate import FloatArray
from agents.code_ranking.prediction import FORESEEN_SECONDS
from agents.code_ranking.ranking import Ranking
from corpus.audio_file import is_silent, read_audio
from corpus.sonic_pi.events import printable
from corpus.sonic_pi.install import InstallConfig
from corpus.sonic_pi.syntax import parse
from launch.command import command, one_line
from launch.program_file import read_program
from launch.rank_report import Listed, as_json, as_table
from models.audio_embedding import AxisWeights
from models.sound_descriptors import AXES

__all__ = ["main"]

_NEAR_RATE = 44_100
_MOST_WORKERS = 64


@command(OSError, ValueError, stopped="stopped")
def main(argv: Sequence[str] | None = None) -> int:
    """Ranks; returns the exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:1] == ["--table"]:
        from launch import rank_table  # brings networks and pictures, which ranking does without

        return rank_table.main(given[1:])
    arguments = _parser().parse_args(given)
    context = "" if arguments.context is None else read_program(arguments.context)
    listed = [_listed(path) for path in _files(arguments.candidates)]
    with open_cascade(_config(arguments)) as cascade:
        ranking = _rank(cascade, context, listed, arguments)
        if arguments.near is not None and (fault := _fault_of(context)):
            ranking = replace(ranking, context_notice=f"nothing is taken from the context: {fault}")
        _show(ranking, listed, arguments)
    return 0 if ranking.chosen else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="antiphon rank",
        description="Sonic Pi programs, ranked by how they will sound.",
        epilog="antiphon rank --table measures every figure of ranking anew; see its own --help.",
    )
    add = parser.add_argument
    add("candidates", type=Path, nargs="+", help="programs, or folders of programs (*.rb)")
    add("--context", type=Path, help="the program that is there already (default: none)")
    add("--keep", type=int, default=3, help="how many to choose (default: 3)")
    add("--near", type=Path, help="a sound file to be near to; its first ten seconds count")
    add("--trade", type=float, help="with --near: below 1 asks for difference as well (default: 1)")
    for axis in AXES:
        add(f"--{axis}", type=float, default=1.0, help=f"how much {axis} counts (default: 1)")
    add("--seconds-budget", type=float, default=5.0, help="time to answer in (default: 5)")
    add("--static-only", action="store_true", help="judge by the code alone, run nothing")
    add("--workers", type=int, default=1, help="programs run side by side (default: 1)")
    add("--cache", type=Path, help="file that keeps what was found out (default: none)")
    add("--sonic-pi", type=Path, help="root folder of another Sonic Pi 3.2 install")
    add("--seed", type=int, default=0, help="breaks ties (default: 0)")
    add("--json", action="store_true", help="print JSON instead of a table")
    return parser


def _config(arguments: argparse.Namespace) -> CascadeConfig:
    for option, value, least in (("--keep", arguments.keep, 1), ("--seed", arguments.seed, 0)):
        if value < least:
            raise ValueError(f"{option} must be at least {least}, got {value}")
    if not 1 <= arguments.workers <= _MOST_WORKERS:
        raise ValueError(f"--workers must be in [1, {_MOST_WORKERS}], got {arguments.workers}")
    if arguments.trade is not None and arguments.near is None:
        raise ValueError("--trade must come with --near, which it trades against; add --near FILE")
    budget: float = arguments.seconds_budget
    if not budget >= 0:
        raise ValueError(f"--seconds-budget must be at least 0, got {budget}")
    for axis in AXES:
        if not 0 <= getattr(arguments, axis) <= 10:
            raise ValueError(f"--{axis} must be in [0, 10], got {getattr(arguments, axis)}")
    if not any(getattr(arguments, axis) for axis in AXES):
        options = ", ".join(f"--{axis}" for axis in AXES)
        raise ValueError(f"one of {options} must be above 0, got 0 for each")
    return CascadeConfig(
        runs_programs=not arguments.static_only,
        n_workers=arguments.workers,
        program_seconds=min(max(budget / 2, 1.0), 10.0),  # none may take all the time
        cache=arguments.cache,
        install=InstallConfig(root=arguments.sonic_pi),
    )


def _files(given: Sequence[Path]) -> list[Path]:
    """The candidates, folders opened; each file once, in the order given."""
    files: dict[Path, None] = {}
    for path in given:
        if path.is_dir():
            inside = sorted(path.rglob("*.rb"))
            if not inside:
                raise FileNotFoundError(f"{path} must hold Sonic Pi programs (*.rb), got none")
            files.update(dict.fromkeys(inside))
        else:
            files[path] = None
    return list(files)


def _listed(path: Path) -> Listed:
    """A candidate as it was found; what cannot be read is told in the table."""
    try:
        return Listed(path, read_program(path), "")
    except (OSError, ValueError) as error:
        return Listed(
            path, None, one_line(error).removeprefix(f"{path} ").removeprefix(f"{path}: ")
        )


def _rank(
    cascade: Cascade,
    context: str,
    listed: Sequence[Listed],
    arguments: argparse.Namespace,
) -> Ranking:
    gc.freeze()  # tables that stay need not be searched for garbage while it counts
    return cascade.rank(
        context,
        [one.code for one in listed if one.code is not None],
        arguments.keep,
        near=None if arguments.near is None else _near(cascade, arguments.near),
        trade=1.0 if arguments.trade is None else arguments.trade,
        weights=AxisWeights(**{axis: getattr(arguments, axis) for axis in AXES}),
        seed=arguments.seed,
        seconds=arguments.seconds_budget,
    )


def _near(cascade: Cascade, path: Path) -> FloatArray:
    samples = read_audio(path, _NEAR_RATE)[: round(FORESEEN_SECONDS * _NEAR_RATE)]
    if is_silent(samples):
        raise ValueError(f"{path} must hold sound in its first ten seconds, it is silent there")
    return cascade.point_of_sound(samples, _NEAR_RATE)


def _fault_of(context: str) -> str:
    """Why a context cannot be read, which `--near` compares with nothing; empty if it can."""
    faults = parse(context).faults if context.strip() else ()
    return f"line {faults[0].line}: {faults[0].message}" if faults else ""


def _show(ranking: Ranking, listed: Sequence[Listed], arguments: argparse.Namespace) -> None:
    if arguments.json:
        print(as_json(ranking, listed, arguments.context, arguments.near))
        return
    console = Console()
    console.print(as_table(ranking, listed, arguments.context, arguments.near))
    if len(ranking.chosen) < arguments.keep:
        n_able = len(ranking.chosen)
        console.print(f"{arguments.keep} were asked for, {n_able} can be chosen", markup=False)
    for notice in ranking.all_notices:
        console.print(printable(notice), markup=False, highlight=False)


if __name__ == "__main__":
    sys.exit(main())
