"""What a surrogate saves: `python tests/benchmarks/evolution_surrogate.py [--seeds 0 1 2]`.

Pairs of evolutions of the same seed, one that renders every child and one that renders a quarter;
resumable, and those that `evolution.py` made are only read. Draws what was reached against what
was rendered, and prints how many renders the surrogate needed for what rendering everything
reached.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
matplotlib.use("Agg")

from evolution import made
from matplotlib import pyplot

from agents.evolution.checkpoint import load_checkpoint

Rows = Sequence[Mapping[str, float]]
KINDS = {"full": "all children rendered", "surrogate": "a quarter, chosen from code"}
SHOWN = ("best", "median", "best true", "median true")


def history(folder: Path) -> Rows:
    """Rows of a run's generations."""
    rows: Rows = load_checkpoint(folder / "evolution.checkpoint")["evolution"]["history"]
    return rows


def renders_until(rows: Rows, name: str, value: float) -> float | None:
    """Renders after which a figure reached `value` for the first time; None if it never did."""
    return next((row["evaluated"] for row in rows if row[name] >= value), None)


def pair_row(seed: int, full: Rows, cheap: Rows, name: str) -> str:
    """A line of the table."""
    spent, goal = full[-1]["evaluated"], full[-1][name]
    needed = renders_until(cheap, name, goal)
    share = "never" if needed is None else f"{needed:.0f} ({needed / spent:.2f})"
    quarter = [row[name] for row in cheap if row["evaluated"] <= spent / 4]
    reached = f"{quarter[-1]:.3f}" if quarter else ""
    hits, rank = (cheap[-1].get(f"surrogate {said}") for said in ("hits", "rank correlation"))
    right = " | ".join("" if one is None else f"{one:.2f}" for one in (rank, hits))
    start = f"{full[0][name]:.3f}"
    return (
        f"| {seed} | {name} | {start} | {goal:.3f} | {spent:.0f} | {reached} | {share} | {right} |"
    )


def draw(pairs: Mapping[int, Mapping[str, Rows]], path: Path) -> None:
    """Figures against renders: each seed thin, the mean over seeds thick."""
    figure, axes = pyplot.subplots(1, len(SHOWN), figsize=(4 * len(SHOWN), 3.4), layout="tight")
    for name, axis in zip(SHOWN, axes, strict=True):
        for colour, (kind, label) in zip(("C0", "C1"), KINDS.items(), strict=True):
            runs = [runs[kind] for runs in pairs.values()]
            for rows in runs:
                spent = [row["evaluated"] for row in rows]
                axis.plot(spent, [row[name] for row in rows], color=colour, lw=0.7, alpha=0.5)
            together = list(zip(*runs, strict=False))
            axis.plot(
                [np.mean([row["evaluated"] for row in rows]) for rows in together],
                [np.mean([row[name] for row in rows]) for rows in together],
                color=colour, lw=2.5, label=label,
            )  # fmt: skip
        axis.set(xlabel="clips rendered", title=name)
    axes[0].set_ylabel("fitness; the two on the right: true taste")
    axes[-1].legend(loc="lower right", fontsize=8)
    figure.savefig(path)
    pyplot.close(figure)


def main() -> None:
    """Print the table and draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/evolution-benchmark"))
    parser.add_argument("--cache", type=Path, default=Path("runs/evolution-cache"))
    parser.add_argument("--mode", default="dynamic")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--generations", type=int, default=6, help="when everything is rendered")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    pairs: dict[int, dict[str, Rows]] = {}
    for seed in options.seeds:
        pairs[seed] = {}
        for kind, generations in (("full", options.generations), ("surrogate", 20)):
            settings = [f"cache={options.cache}", f"generations={generations}", *options.set]
            folder = made(options.out, options.mode, seed, settings, full=kind == "full")
            pairs[seed][kind] = history(folder)
    print(
        "| seed | figure | first | full: last | renders | surrogate at a quarter of them |", end=""
    )
    print(" renders to the full one's last (share) | rank | hits |")
    print("|---" * 9 + "|")
    for name in SHOWN:
        for seed, runs in pairs.items():
            print(pair_row(seed, runs["full"], runs["surrogate"], name))
    draw(pairs, options.out / f"{options.mode}-surrogate.png")


if __name__ == "__main__":
    main()
