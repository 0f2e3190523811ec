"""Tables I to IV of EvoMusic with our generator: `python launch/evolution_tables.py --out DIR`.

Each row is one evolution in a folder of its own: it can be stopped, and a finished one is only
read. The paper's figures stand beside ours; its data, generator and models are others, so they say
what was reached there and are no comparison. Without a language model (`--set
search.language_model.base_url=…`) tables I and II show the operators that stand in for one.
"""

if __package__ in (None, ""):  # run as a file: the packages lie one folder up
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from agents.evolution.checkpoint import load_checkpoint
from launch.command import within
from launch.evolve import DEFAULT_CONFIG
from launch.evolve import main as evolve
from launch.evolve_page import said_of_texts

__all__ = ["TABLES", "Row", "main"]


@dataclass(frozen=True)
class Row:
    """One evolution of a table.

    Args:
        name: as the paper calls it.
        settings: what differs from the config.
        paper: the paper's best, final best, mean and median fitness; None where it says nothing.
        truth: show figures of the true taste instead of the fitness.
    """

    name: str
    settings: Mapping[str, Any]
    paper: tuple[float | None, float | None, float | None, float | None]
    truth: bool = False


def _llm(prompt: int, *, sampled: bool) -> dict[str, Any]:
    temperature = 0.15 if sampled else "null"
    return {"search.full_llm.prompt": prompt, "search.full_llm.temperature": temperature}


def _ga(population: int, tournament: int) -> dict[str, Any]:
    return {"evolution.population": population, "search.genetic.tournament": tournament}


_DYNAMIC, _USER, _OTHER, _MUSIC = (
    {"mode": "dynamic"}, {"mode": "user"}, {"mode": "user", "taste.user": 50}, {"mode": "music"}
)  # fmt: skip
_SIZES: Final = ((25, 4), (100, 8), (100, 25))
_GA_PAPER: Final = {
    "dynamic": ((0.362, 0.239), (0.511, 0.075), (0.497, 0.251)),
    "user": ((0.585, 0.375), (0.687, 0.428), (0.687, 0.455)),
    "music": ((0.631, 0.587), (0.638, 0.604), (0.641, 0.599)),
}

TABLES: Final[Mapping[str, tuple[str, Mapping[str, Any], tuple[Row, ...]]]] = {
    "I": (
        "LLM Evolve",
        {"search.kind": "llm-evolve"},
        (
            Row("dynamic 0, true", _DYNAMIC, (0.740, 0.680, 0.274, 0.273), truth=True),
            Row("dynamic 0, estimated", _DYNAMIC, (0.738, 0.728, -0.090, -0.169)),
            Row("user 0", _USER, (0.718, 0.703, 0.333, 0.324)),
            Row("another user", _OTHER, (0.607, 0.607, -0.207, -0.295)),
            Row("music", _MUSIC, (0.660, 0.655, 0.598, 0.604)),
        ),
    ),
    "II": (
        "Full LLM",
        {"search.kind": "full-llm"},
        (
            Row("dynamic 0, no sampling, prompt 6", {**_DYNAMIC, **_llm(6, sampled=False)},
                (0.68, 0.68, -0.04, -0.01)),
            Row("dynamic 0, sampling, prompt 5", {**_DYNAMIC, **_llm(5, sampled=True)},
                (0.48, 0.48, -0.09, -0.19)),
            Row("static 0, sampling, prompt 5", {**_USER, **_llm(5, sampled=True)},
                (0.66, 0.66, 0.18, 0.17)),
            Row("music 0, sampling, prompt 5", {**_MUSIC, **_llm(5, sampled=True)},
                (0.62, 0.66, 0.55, None)),
            Row("static 0, no sampling, prompt 5", {**_USER, **_llm(5, sampled=False)},
                (None, 0.79, 0.32, None)),
            Row("static 0, no sampling, prompt 4", {**_USER, **_llm(4, sampled=False)},
                (None, 0.62, 0.24, None)),
        ),
    ),
    "III": (
        "genetic algorithm",
        {"search.kind": "genetic"},
        tuple(
            Row(f"{mode} 0, population {population}, tournament {tournament}",
                {"mode": mode, **_ga(population, tournament)}, (best, None, mean, None))
            for mode, figures in _GA_PAPER.items()
            for (population, tournament), (best, mean) in zip(_SIZES, figures, strict=True)
        ),
    ),
    "IV": (
        "CMA-ES",
        {"search.kind": "cma-es"},
        (
            Row("dynamic 0", _DYNAMIC, (0.598, None, 0.174, None)),
            Row("user 0", _USER, (0.745, None, 0.638, None)),
            Row("another user", _OTHER, (0.526, None, -0.152, None)),
            Row("music", _MUSIC, (0.682, None, 0.604, None)),
        ),
    ),
}  # fmt: skip
"""Table → what is searched with, its settings, its rows."""

_HEAD: Final = (
    "| run | best | final best | mean | median | taste and second of the best | renders "
    "| paper: best | final | mean | median |"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run and print the tables asked for; the code of the first run that failed, else 0."""
    parser = argparse.ArgumentParser(
        prog="antiphon evolution-tables", description="Tables I to IV of EvoMusic, redrawn."
    )
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the runs")
    parser.add_argument("--tables", nargs="+", choices=[*TABLES], default=[*TABLES])
    parser.add_argument(
        "--generations", type=within(int, 1), default=20, metavar="N", help="of each (20)"
    )
    parser.add_argument(
        "--population", type=within(int, 4), metavar="N", help="at most, where a table has more"
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for all")
    options = parser.parse_args(argv)
    done: list[str] = []
    for table in options.tables:
        _, common, rows = TABLES[table]
        done.append("")
        runs: list[dict[str, Any]] = []
        for row in rows:
            settings = {**common, **row.settings}
            if options.population is not None:
                asked = settings.get("evolution.population", options.population)
                settings["evolution.population"] = min(int(asked), options.population)
            name = f"{table}-{_slug(settings)}"
            code = _run(options, name, settings)
            if code:
                return code
            runs.append(load_checkpoint(options.out / name / "evolution.checkpoint"))
            done[-1] = _drawn(table, runs)
            (options.out / "tables.md").write_text("\n\n".join(done) + "\n", encoding="utf-8")
    print("\n\n".join(done))
    return 0


def _run(options: argparse.Namespace, name: str, settings: Mapping[str, Any]) -> int:
    arguments = ["--config", str(options.config), "--out", str(options.out / name)]
    for key, value in {**settings, "generations": options.generations}.items():
        arguments += ["--set", f"{key}={value}"]
    for assignment in options.set:
        arguments += ["--set", assignment]
    return evolve(arguments)


def _slug(settings: Mapping[str, Any]) -> str:
    return "-".join(str(value) for key, value in settings.items() if key != "search.kind")


def _drawn(table: str, runs: Sequence[Mapping[str, Any]]) -> str:
    """A table with as many rows as there are runs, and what they were, in Markdown."""
    title, _, rows = TABLES[table]
    lines = [_line(row, run) for row, run in zip(rows, runs, strict=False)]
    head = [f"**Table {table}: {title}**", "", _HEAD, "|---" * 11 + "|"]
    return "\n".join([*head, *lines, "", _said_of(runs)])


def _said_of(runs: Sequence[Mapping[str, Any]]) -> str:
    """How long and how large these runs were, and who wrote their texts, in sentences."""
    config = runs[0]["config"]
    sizes = sorted({run["config"]["evolution"]["population"] for run in runs})
    generations = sorted({len(run["evolution"]["history"]) for run in runs})
    surrogate = "on" if config["surrogate"] else "off"
    size = (
        f"Generations: {_listed(generations)}; population: {_listed(sizes)}; clips of "
        f"{config['seconds']:g} s; seed {config['seed']}; surrogate {surrogate}."
    )
    searches = [run["evolution"]["search"] for run in runs]
    counted = [Counter(one["counts"]) for one in searches if "counts" in one]
    counts = {"counts": sum(counted, Counter())} if counted else {}
    texts = [f"{one[0].upper()}{one[1:]}." for one in said_of_texts(counts)]
    return " ".join([size, *texts])


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _line(row: Row, run: Mapping[str, Any]) -> str:
    history = run["evolution"]["history"]
    last, extra = history[-1], " true" if row.truth else ""
    ours = [
        max(one.get(f"best{extra}", float("-inf")) for one in history),
        *(last.get(f"{name}{extra}") for name in ("best", "mean", "median")),
    ]
    beside = f"{_text(last.get('best taste'))}, {_text(last.get('best second'))}"
    size = run["config"]["evolution"]["population"]
    is_smaller = row.settings.get("evolution.population", size) != size
    name = f"{row.name} (here {size})" if is_smaller else row.name
    cells = [name, *map(_text, ours), beside, f"{last['evaluated']:.0f}"]
    return "| " + " | ".join([*cells, *map(_text, row.paper)]) + " |"


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    sys.exit(main())
