"""Every figure of code ranking, measured anew: the paper's tables, ours, and the two studies.

python launch/rank.py --table [--data runs/ranking] [--renders 40] [--runs 5] [--workers 1]
    [--without grid studies unseen]

Renders what is missing (templates, variations of the installed examples, scenarios) under the data
folder, trains the paper's model, and writes `table.json` and `table.html` there. Ctrl-C stops; the
same command goes on. Nothing that is trained on has seen a scenario or an example.
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from corpus.whole_file import write_atomically

if __package__ in (None, ""):  # run as a file: the repository is not on the path yet
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from agents.code_ranking.judgement import judge_distances
from corpus.sonic_pi.dataset import Dataset
from corpus.sonic_pi.install import find_installation
from corpus.sonic_pi.scenarios import Scenario, own_scenarios
from launch import rank_measure as measure
from launch import rank_pictures as pictures
from launch import rank_scenarios as on_scenarios
from launch import rank_studies as studies
from launch import rank_unseen as unseen
from launch import render_corpus
from launch.alignment_material import Material, load_material
from launch.command import command, within
from launch.rank_asked import as_asked, ask_cascade, judge_asked
from launch.rank_page import print_tables, write_page
from launch.rank_truths import described_by_model, true_distances
from launch.train_alignment import ours_on_known, paper_grid
from models.modulation_embedding import ModulationSpace
from models.pretrained_embedding import PretrainedDescriber
from models.text_embedding import TextEmbeddingConfig

__all__ = ["main"]

PARTS: Final = ("grid", "studies", "unseen")
BUDGETS: Final = (0, 3, 4, 5, 6, 7, 10)
BUDGET: Final = 5
N_EXAMPLE_RENDERS: Final = 6

Values = dict[str, Any]
FloatArray = NDArray[np.float32]


@command(OSError, ValueError, RuntimeError)
def main(argv: Sequence[str] | None = None) -> int:
    """Measures all; returns 0, 130 when stopped, 2 when refused."""
    arguments = _parser().parse_args(argv)
    values, images = _measured(arguments)
    data: Path = arguments.data
    write_atomically(data / "table.json", json.dumps(_finite(values), indent=1, allow_nan=False))
    write_atomically(data / "table.html", write_page(values, images))
    print_tables(values, Console())
    print(f"written: {data / 'table.json'} and {data / 'table.html'}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="antiphon rank --table", description="All figures of code ranking."
    )
    add = parser.add_argument
    add("--data", type=Path, default=Path("runs/ranking"), help="renders, results")
    add("--renders", type=within(int, 1), default=40, help="of each template (default: 40)")
    add("--runs", type=within(int, 1), default=5, help="of what is trained (default: 5)")
    add("--workers", type=within(int, 1), default=1, help="renderers side by side")
    add("--text", default="", help="hub id or folder of a text encoder")
    add(
        "--audio",
        default="",
        help="hub id or folder of an audio model: a third truth, and the paper's sounds",
    )
    add("--without", nargs="*", choices=PARTS, default=[], help="leave out")
    return parser


def _finite(values: object) -> object:
    """Values as JSON can hold them: what is not a number becomes null."""
    if isinstance(values, dict):
        return {str(name): _finite(value) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return [_finite(value) for value in values]
    if isinstance(values, float) and not math.isfinite(values):
        return None
    return values


def _measured(arguments: argparse.Namespace) -> tuple[Values, dict[str, bytes]]:
    data: Path = arguments.data
    encoder = TextEmbeddingConfig(model=arguments.text)
    scenarios = own_scenarios()
    workers = arguments.workers
    with _progress("scenarios") as tell:
        outcomes = on_scenarios.render_scenarios(scenarios, data, workers, tell)
    training = _data_set(data / "templates", ["--renders", str(arguments.renders)], workers)
    learned = _loaded(training, encoder)
    values: Values = {"programs": outcomes, "training_pairs": len(learned.material.text)}
    found, images = _scenarios(scenarios, learned.material, arguments, encoder)
    values["scenarios"] = found
    values["as asked"] = _as_asked(scenarios, learned.material, arguments, encoder)
    if "unseen" not in arguments.without:
        examples = _data_set(data / "examples", _example_options(), workers)
        with _progress("programs left out") as tell:
            figures = unseen.on_programs_left_out(learned, lambda n: tell(n, unseen.N_FOLDS))
        values["programs left out"] = measure.unseen_values(figures)
        asked = _loaded(examples, encoder)
        values["installed examples"] = measure.unseen_values(
            unseen.on_examples(asked, learned.material)
        )
    if "studies" not in arguments.without:
        study, more = _studies(data / "studies", learned.material, encoder, workers)
        values["studies"] = study
        images.update(more)
    if "grid" not in arguments.without:
        rows = paper_grid(learned.material, training, "text", arguments.runs, arguments.audio)
        rows.update(ours_on_known(learned.material, arguments.runs))
        values["paper's setting"] = measure.grid_values(rows)
    images.update(pictures.of_embeddings(learned.material))
    return values, images


@contextmanager
def _progress(what: str):  # type: ignore[no-untyped-def]  # noqa: ANN202
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=None)

        def tell(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield tell


def _data_set(folder: Path, options: Sequence[str], n_workers: int) -> Path:
    """Renders what a data set lacks."""
    code = render_corpus.main(["--out", str(folder), "--workers", str(n_workers), *options])
    if code == 130:
        raise KeyboardInterrupt
    if code:
        raise RuntimeError(f"the data set {folder} could not be rendered; see above")
    return folder


def _example_options() -> list[str]:
    examples = find_installation().example_folder
    return [
        "--programs", str(examples), "--only-programs", "--renders", str(N_EXAMPLE_RENDERS)
    ]  # fmt: skip


def _loaded(folder: Path, encoder: TextEmbeddingConfig) -> unseen.Programs:
    with _progress(f"views of {folder.name}") as tell:
        count = iter(range(1, 10**9))
        material = load_material(folder, encoder, lambda _: tell(next(count), 0))
    with Dataset(folder) as dataset:
        pairs = [(pair.code, pair.events) for pair in dataset.pairs(sound=False)]
    return unseen.Programs(
        material, tuple(code for code, _ in pairs), tuple(events for _, events in pairs)
    )


def _scenarios(
    scenarios: Sequence[Scenario],
    training: Material,
    arguments: argparse.Namespace,
    encoder: TextEmbeddingConfig,
) -> tuple[Values, dict[str, bytes]]:
    data: Path = arguments.data
    sounds = on_scenarios.load_scenarios(scenarios, data, encoder)
    truths = true_distances(sounds, training, _by_model(scenarios, sounds, arguments))
    ranked = [i for i, each in enumerate(sounds) if len(each.kept) > on_scenarios.KEEP]
    asked = [sounds[i] for i in ranked]
    methods = on_scenarios.method_distances(asked, training, arguments.runs)
    runs = [on_scenarios.run_cascade(each, BUDGETS) for each in asked]
    methods["first 4 s heard"] = [[run.heard for run in runs]]
    values: Values = {"count": len(asked), "truths": {}, "cascade": {}}
    kinds = [each.scenario for each in asked]
    for truth, every in truths.items():
        real = [every[i] for i in ranked]
        judged = on_scenarios.judge_scenarios(methods, real)
        by_budget = on_scenarios.judge_cascade(runs, real)
        judged[f"cascade, {BUDGET} heard"] = by_budget[BUDGET]
        values["truths"][truth] = measure.scenario_values(judged, kinds)
        values["cascade"][truth] = {
            str(budget): measure.scenario_values({"": each}, kinds)["all"][""]
            for budget, each in by_budget.items()
        }
    own = [truths["own"][i] for i in ranked]
    shown = ("text embedding, candidate", "paper's model, candidate", "static", "runtime events")
    values["paper's table"] = measure.paper_values(
        {
            name: [
                [judge_distances(run[i], real, on_scenarios.KEEP) for run in methods[name]]
                for i, real in enumerate(own)
            ]
            for name in shown
        },
        kinds,
    )
    chosen = {each.scenario.name: run.chosen[BUDGET] for each, run in zip(asked, runs, strict=True)}
    values["three or ten"] = measure.three_or_ten(sounds, truths["own"], chosen)
    images = pictures.of_scenarios(values)
    images["distances"] = pictures.of_distances(
        {name: methods[name][0] for name in ("paper's model, candidate", "static")}, own
    )
    return values, images


def _as_asked(
    scenarios: Sequence[Scenario],
    training: Material,
    arguments: argparse.Namespace,
    encoder: TextEmbeddingConfig,
) -> Values:
    """The product's own question; scenarios of which anything cannot be heard are left out."""
    ten = [each for each in scenarios if len(each.candidates) > on_scenarios.KEEP]
    asked = as_asked(ten)
    with _progress("as asked") as tell:
        on_scenarios.render_scenarios(asked, arguments.data, arguments.workers, tell)
    sounds = on_scenarios.load_scenarios(asked, arguments.data, encoder)
    whole = [each for each in sounds if len(each.kept) == len(each.scenario.candidates)]
    names = {each.scenario.name for each in whole}
    written = [each for each in ten if each.name in names]
    choices = [ask_cascade(one, each, BUDGETS) for one, each in zip(written, whole, strict=True)]
    return {
        "count": len(whole),
        "truths": {
            truth: measure.scenario_values(judge_asked(whole, choices, every), written)["all"]
            for truth, every in true_distances(whole, training).items()
        },
    }


def _by_model(
    scenarios: Sequence[Scenario],
    sounds: Sequence[on_scenarios.ScenarioSounds],
    arguments: argparse.Namespace,
) -> tuple[FloatArray, FloatArray] | None:
    """What a pretrained model hears in scenarios and training sounds, if one is named."""
    if not arguments.audio:
        return None
    describer = PretrainedDescriber(arguments.audio)
    folder = on_scenarios.scenario_folder(scenarios, arguments.data)
    names = [name for each in sounds for name in each.names]
    return (
        described_by_model(folder, describer, names),
        described_by_model(arguments.data / "templates", describer),
    )


def _studies(
    folder: Path, training: Material, encoder: TextEmbeddingConfig, n_workers: int
) -> tuple[Values, dict[str, bytes]]:
    with _progress("studies") as tell:
        studies.render_study(find_installation().example_folder, folder, n_workers, tell)
    material = studies.load_study(folder, encoder)
    correlation = studies.correlation_study(material, ModulationSpace.fit(training.modulation))
    fuzz = studies.fuzz_study(material)
    values = {
        "correlation": measure.correlation_values(correlation),
        "fuzz": measure.fuzz_values(fuzz),
    }
    return values, pictures.of_studies(correlation, fuzz)


if __name__ == "__main__":
    sys.exit(main())
