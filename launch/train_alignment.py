"""The paper's alignment on a data set: 24 configurations, five runs each, beside their floors.

python launch/train_alignment.py DATASET [--runs 5] [--view text] [--text ENCODER]
    [--audio MODEL] [--programs-out] [--save FOLDER]

Two splits. The default is the paper's: 20 % of the renders are held out, so every program is known
by its other fillings. `--programs-out` leaves whole programs out (4 folds) and compares all views,
losses and the regression there. `--audio` aligns with a pretrained model's view of the sounds, as
the paper does (wav2vec 2.0), in place of our own descriptors. Finished runs of the grid are kept in
DATASET/alignment-VIEW.jsonl and not repeated. `--save` fits the regression from the static sketch
to all pairs and writes what ranking needs: `space.safetensors` and `ridge.safetensors`.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

if __package__ in (None, ""):  # run as a file: the repository is not on the path yet
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from launch.alignment_material import Material, load_material
from launch.command import command, within
from launch.rank_truths import described_by_model
from models.alignment import AlignmentConfig
from models.alignment_training import (
    PAPER_GRID,
    GridRow,
    evaluate_alignment,
    hold_out_renders,
    run_grid,
    train,
)
from models.audio_embedding import AudioSpace
from models.kernel_regression import KernelRegression
from models.metrics import retrieval, similarity
from models.pretrained_embedding import PretrainedDescriber, PretrainedSpace
from models.ridge import Ridge, choose_strength, leave_programs_out
from models.text_embedding import TextEmbeddingConfig

__all__ = ["HELD_OUT_SHARE", "VIEWS", "main", "ours_on_known", "paper_grid"]

FloatArray = NDArray[np.float32]
VIEWS = ("text", "sketch", "events")
HELD_OUT_SHARE = 0.2
N_FOLDS = 4
FEWEST_PAIRS = 20
"""A fifth of fewer are too few sounds to say whether their distances are in order."""
NARROW = AlignmentConfig(loss="symmetric", output_dim=16)
FIGURES = (
    "cka", "cka_floor", "cca", "cca_floor", "code_to_audio_r10", "audio_to_code_r10", "chance_r10",
    "spearman", "spearman_within",
)  # fmt: skip


@command(OSError, ValueError)
def main(argv: Sequence[str] | None = None) -> int:
    """Trains what is missing and prints the table; returns 0, 130 when stopped, 2 when refused."""
    arguments = _parser().parse_args(argv)
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("describing pairs", total=None)
        encoder = TextEmbeddingConfig(model=arguments.text)
        material = load_material(arguments.dataset, encoder, lambda n: progress.advance(task, n))
    _refuse_few(material, arguments.dataset)
    if arguments.save is not None:
        _save(material, arguments.save)
    if arguments.programs_out:
        table = _table("programs left out", _programs_out(material))
    else:
        rows = paper_grid(
            material, arguments.dataset, arguments.view, arguments.runs, arguments.audio
        )
        table = _table("renders held out (the paper's split)", rows)
    Console().print(table)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="train_alignment", description="Text meets sound.")
    add = parser.add_argument
    add("dataset", type=Path, help="folder made by render_corpus.py")
    add("--runs", type=within(int, 1), default=5, help="of each configuration (default: 5)")
    add("--text", default="", help="hub id or folder of a text encoder")
    add("--audio", default="", help="hub id or folder of an audio model, in place of descriptors")
    add("--view", choices=VIEWS, default="text", help="of the program")
    add("--save", type=Path, help="folder to write the fitted regression to")
    add("--programs-out", action="store_true", help="leave whole programs out")
    return parser


def paper_grid(
    material: Material, folder: Path, view: str, n_runs: int, audio: str = ""
) -> dict[str, list[GridRow]]:
    """Rows of every configuration, by a name that says its sizes; what is finished is not repeated.

    Args:
        material: views of a data set.
        folder: of the data set, where finished runs are kept.
        view: of the program, one of `VIEWS`.
        n_runs: of each configuration.
        audio: hub id or folder of an audio model that hears the sounds; empty: our descriptors.
    """
    held = hold_out_renders(len(material.text), HELD_OUT_SHARE, seed=0)
    if audio:
        describer = PretrainedDescriber(audio)
        heard = described_by_model(folder, describer)
        points, name = PretrainedSpace.fit(heard[~held]).embed(heard), f"{view}-{describer.name}"
    else:
        points, name = AudioSpace.fit(material.sound[~held]).embed(material.sound), view
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("training", total=None)
        rows = run_grid(
            getattr(material, view),
            points,
            material.programs,
            held,
            folder / f"alignment-{name}.jsonl",
            n_runs=n_runs,
            grid=PAPER_GRID,
            on_row=lambda _: progress.advance(task),
        )
    names = {0: "before training"}
    for number, config in enumerate(PAPER_GRID, start=1):
        sizes = f"{config.hidden_dim}/{config.output_dim}/{config.n_hidden_layers}"
        names[number] = f"{number}: {sizes}/{config.learning_rate:g}"
    return {
        name: [row for row in rows if row["configuration"] == number]
        for number, name in names.items()
    }


def ours_on_known(material: Material, n_runs: int) -> dict[str, list[GridRow]]:
    """Our own models in the paper's setting: the same renders held out as for `paper_grid`.

    A narrow network, as a wide one has canonical correlations near 1 by construction, the
    regression that ranks best, and one that bends; all from the sketch, static and from real
    events.

    Args:
        material: views of a data set.
        n_runs: networks trained of each view.
    """
    held = hold_out_renders(len(material.text), HELD_OUT_SHARE, seed=0)
    known, asked = material.rows(~held), material.rows(held)
    space = AudioSpace.fit(known.sound)
    sounds, real = space.embed(known.sound), space.embed(asked.sound)
    rows: dict[str, list[GridRow]] = {}
    for name, view in (("static", "sketch"), ("runtime events", "events")):
        learned: FloatArray = getattr(known, view)
        given: FloatArray = getattr(asked, view)
        rows[f"{name}: network, {NARROW.output_dim} dimensions"] = [
            evaluate_alignment(
                *train(learned, sounds, NARROW, seed).embed(given, real), real, asked.programs
            )
            for seed in range(n_runs)
        ]
        each_alone = np.arange(len(learned)).astype(str)  # chosen as it is judged: on renders
        strength = choose_strength(learned, sounds, each_alone)
        predicted = Ridge.fit(learned, sounds, strength).predict(given)
        rows[f"{name}: regression"] = [_figures(predicted, real, asked.programs)]
        bent = KernelRegression.fit(learned, sounds).predict(given)
        rows[f"{name}: kernel regression"] = [_figures(bent, real, asked.programs)]
    return rows


def _refuse_few(material: Material, folder: Path) -> None:
    n_pairs, n_programs = len(material.programs), len(np.unique(material.programs))
    if n_pairs < FEWEST_PAIRS or n_programs < N_FOLDS:
        raise ValueError(
            f"an alignment is learned from {FEWEST_PAIRS} pairs of {N_FOLDS} programs or more, got "
            f"{n_pairs} pairs of {n_programs} in {folder}; render more with launch/render_corpus.py"
        )


def _programs_out(material: Material) -> dict[str, list[GridRow]]:
    results: dict[str, list[GridRow]] = {}
    for held in leave_programs_out(material.programs, N_FOLDS, seed=0):
        sounds = AudioSpace.fit(material.sound[~held]).embed(material.sound)
        for name in VIEWS:
            view: FloatArray = getattr(material, name)
            for loss, row in _fold(view, sounds, material.programs, held).items():
                results.setdefault(f"{name}, {loss}", []).append(row)
    return results


def _fold(
    view: FloatArray, sounds: FloatArray, programs: NDArray[np.str_], held: NDArray[np.bool_]
) -> dict[str, GridRow]:
    """Figures of each loss, and of the regression, on the programs held out."""
    rows: dict[str, GridRow] = {}
    for loss in ("info_nce", "symmetric", "soft"):
        config = AlignmentConfig.model_validate({"loss": loss})
        points = train(view[~held], sounds[~held], config, 0).embed(view[held], sounds[held])
        rows[loss] = evaluate_alignment(*points, sounds[held], programs[held])
    strength = choose_strength(view[~held], sounds[~held], programs[~held])
    predicted = Ridge.fit(view[~held], sounds[~held], strength).predict(view[held])
    rows["ridge"] = _figures(predicted, sounds[held], programs[held])
    return rows


def _figures(predicted: FloatArray, real: FloatArray, programs: NDArray[np.str_]) -> GridRow:
    return {
        **similarity.evaluate(predicted, real, programs),
        **retrieval.evaluate(predicted, real),
    }


def _save(material: Material, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    space = AudioSpace.fit(material.sound)
    points = space.embed(material.sound)
    strength = choose_strength(material.sketch, points, material.programs)
    space.save(folder / "space.safetensors")
    Ridge.fit(material.sketch, points, strength).save(folder / "ridge.safetensors")
    print(f"{folder}: regression from {len(points)} pairs, strength {strength:g}")


def _table(title: str, results: Mapping[str, Sequence[GridRow]]) -> Table:
    """Mean and deviation over runs or folds."""
    table = Table("model", *FIGURES, title=title)
    for name, rows in results.items():
        cells = []
        for figure in FIGURES:
            values = [row[figure] for row in rows if figure in row]
            spread = f" ± {np.std(values):.3f}" if len(values) > 1 else ""
            cells.append(f"{np.mean(values):.3f}{spread}" if values else "")
        table.add_row(name, *cells)
    return table


if __name__ == "__main__":
    sys.exit(main())
