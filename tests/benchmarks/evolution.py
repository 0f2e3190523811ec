"""What evolution reaches: hidden listeners, three modes, with and without the surrogate.

Run as `python tests/benchmarks/evolution.py [--out DIR] [--mode dynamic] [--seeds 0 1 2 3 4]
[--full] [--set taste.dataset=FOLDER]`. Every run is resumable and a finished one is only read. The
table has, for each seed, the true taste of the best in the first and last generation (0 and 1 are
mean and deviation over the catalogue), the second scorer's opinion, and renders.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from agents.evolution.checkpoint import load_checkpoint
from launch.evolve import main as evolve

COLUMNS = ("best", "best true", "median true", "best second", "median second")


def main() -> None:
    """Run what is asked for and print one row for each seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/evolution-benchmark"))
    parser.add_argument("--cache", type=Path, default=Path("runs/evolution-cache"))
    parser.add_argument("--mode", nargs="+", default=["dynamic", "user", "music"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--generations", type=int, default=20)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--full", action="store_true", help="render every child")
    options = parser.parse_args()
    names = [name for column in COLUMNS for name in (f"{column} first", f"{column} last")]
    print("| mode | seed | renders | a minute |", " | ".join(names), "| rank | hits |")
    print("|---" * (6 + len(names)) + "|")
    for mode in options.mode:
        for seed in options.seeds:
            settings = [
                f"cache={options.cache}",
                f"generations={options.generations}",
                f"workers={options.workers}",
                *options.set,
            ]
            folder = made(options.out, mode, seed, settings, full=options.full)
            print(row_of(folder, mode, seed), flush=True)


def made(out: Path, mode: str, seed: int, settings: Sequence[str], *, full: bool) -> Path:
    """The folder of a run that is made, or carried on, if it is not finished."""
    folder = out / f"{mode}-{'full' if full else 'surrogate'}-{seed}"
    arguments = ["--out", str(folder)]
    fixed = (f"mode={mode}", f"seed={seed}", f"surrogate={str(not full).lower()}")
    for setting in (*fixed, *settings):
        arguments += ["--set", setting]
    if evolve(arguments) != 0:
        sys.exit(1)
    return folder


def row_of(folder: Path, mode: str, seed: int) -> str:
    """A line of the table."""
    state = load_checkpoint(folder / "evolution.checkpoint")
    history = state["evolution"]["history"]
    first, last = history[0], history[-1]
    rate = last["evaluated"] / max(state["seconds"] / 60, 1e-9)
    cells = [mode, str(seed), f"{last['evaluated']:.0f}", f"{rate:.1f}"]
    for column in COLUMNS:
        cells += [f"{one[column]:.2f}" if column in one else "" for one in (first, last)]
    for column in ("surrogate rank correlation", "surrogate hits"):
        cells.append(f"{last[column]:.2f}" if column in last else "")
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
