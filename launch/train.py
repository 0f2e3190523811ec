"""Make a bundle from paired tracks: `python launch/train.py --pairs A.wav B.wav --out DIR`.

Or from imported corpora: `--corpus DIR [DIR ...]`. Hears the tracks, makes the alphabet, counts,
trains the decision transformer, measures both on held-out material, and writes the bundle with a
report that says whether anything was learned.
"""

if __package__ in (None, ""):  # run as a file: the packages lie one folder up
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import contextlib
import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import torch
from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from actors.training_workers import TrainingWorkersError, train_together
from corpus.audio_file import AudioFileError
from corpus.manifest import ManifestError
from launch.command import command, within
from launch.corpus_material import corpus_material
from launch.train_material import Material, label_songs, songs_of
from launch.train_report import TrainingReport, html_page, json_page
from launch.train_settings import SettingsError, TrainSettings, read_settings
from models.bundle import CARD_FILE, Bundle, BundleCard, BundleError, check_target
from models.checkpoint import CheckpointError
from models.count_model import CountModel
from models.evaluation import evaluate_decision
from models.heard_history import codes_of
from models.live_transformer import LiveTransformer
from models.paired_labels import drawn
from models.training import TrainingState
from models.training_job import TrainingJob

_ERRORS = (
    AudioFileError,
    ManifestError,
    SettingsError,
    BundleError,
    CheckpointError,
    TrainingWorkersError,
)
_MOST_JUDGED = 8000
"""Windows of a corpus that the report rests on: whole pairs, songs by turns."""
_MOST_VALIDATED = 4800
"""Windows of a corpus that decide when to stop: read again at every validation."""


@command(
    *_ERRORS,
    stopped="interrupted; no bundle was written; with a --checkpoint the same command goes on",
)
def main(argv: Sequence[str] | None = None) -> int:
    """Train as the command line says; 0 if a bundle was written."""
    arguments = _parser().parse_args(argv)
    console = Console(stderr=True)
    logging.basicConfig(
        level=logging.INFO,
        format="%(message)s",
        force=True,
        handlers=[RichHandler(console=console, show_time=False, show_path=False)],
    )
    _check_target(arguments.out, arguments.checkpoint, force=arguments.force)
    settings = read_settings(arguments.config, _overrides(arguments))
    report = train(
        settings,
        arguments.corpus or arguments.pairs,
        arguments.out,
        arguments.checkpoint,
        console,
        kind="corpus" if arguments.corpus else "pairs",
        workers=arguments.workers,
    )
    console.print(report.verdict, markup=False, soft_wrap=True)
    console.print(f"{arguments.out}: bundle and training.html written", markup=False)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="antiphon train", description="Make a bundle from tracks that were played together."
    )
    add = parser.add_argument
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--pairs",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="two audio files, or a folder with a subfolder of stems per song",
    )
    source.add_argument(
        "--corpus",
        nargs="+",
        type=Path,
        metavar="DIR",
        help="imported corpora, learned from together; their manifests say what is held out",
    )
    add("--out", type=Path, required=True, metavar="DIR", help="the bundle to write")
    add("--config", type=Path, metavar="YAML", help="settings, as in configs/training.yaml")
    window = parser.add_mutually_exclusive_group()
    window.add_argument("--window", type=float, metavar="SECONDS", help="its length (0.25)")
    window.add_argument(
        "--windows-per-beat",
        type=within(int, 1),
        metavar="N",
        help="windows of 1/N beat instead; corpora imported with --window 0.05",
    )
    add("--alphabet", type=int, metavar="K", help="classes of the codebook (64)")
    add("--seed", type=int, help="of everything drawn (0)")
    add("--steps", type=int, metavar="N", help="training steps at most (600)")
    add("--minutes-limit", type=float, metavar="M", help="training time at most (3)")
    add("--one-direction", action="store_true", help="only the later named track answers")
    add(
        "--workers",
        type=within(int, 0),
        default=0,
        metavar="N",
        help="processes that train, by Ray Train",
    )
    add("--checkpoint", type=Path, metavar="FILE", help="save to, and resume from, this file")
    add("--force", action="store_true", help="replace a bundle that is there")
    return parser


def _overrides(arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "window_seconds": arguments.window,
        "windows_per_beat": arguments.windows_per_beat,
        "alphabet": arguments.alphabet,
        "seed": arguments.seed,
        "max_steps": arguments.steps,
        "minutes_limit": arguments.minutes_limit,
        "both_directions": False if arguments.one_direction else None,
    }


def _check_target(out: Path, checkpoint: Path | None, *, force: bool) -> None:
    """Refuse to replace what must not be replaced, before any work is done.

    Raises:
        BundleError: `out` is no place for a bundle.
        SettingsError: a bundle is there, and `force` is not given; `checkpoint` is no place for
            a file.
    """
    if checkpoint is not None and (
        checkpoint.is_dir() or not checkpoint.absolute().parent.is_dir()
    ):
        raise SettingsError(
            f"--checkpoint must name a file in a folder that is there, got {checkpoint}; name "
            "another"
        )
    check_target(out)
    if (out / CARD_FILE).is_file() and not force:
        raise SettingsError(
            f"--out must not exist yet, and {out} does; choose another name or give --force"
        )


def train(
    settings: TrainSettings,
    paths: Sequence[Path],
    out: Path,
    checkpoint: Path | None,
    console: Console,
    *,
    kind: Literal["pairs", "corpus"] = "pairs",
    workers: int = 0,
) -> TrainingReport:
    """Make a bundle and write it to `out`, with its report.

    Args:
        settings: what to make.
        paths: two files or a folder of songs, or imported corpora.
        out: folder of the bundle; must not exist, or is replaced.
        checkpoint: file to resume from if it exists, and to save to; removed when all is done.
        console: where progress is shown.
        kind: what `paths` are.
        workers: processes that train together through Ray Train; 0 trains in this one.

    Raises:
        AudioFileError: a file that cannot be used.
        ManifestError: a corpus that cannot be used.
        SettingsError: too little material.
        CheckpointError: a checkpoint of another training.
        TrainingWorkersError: the workers cannot train.
        BundleError: the folder cannot be written.
    """
    torch.set_num_threads(1)  # more threads gain little here, and sums come out otherwise
    began = time.perf_counter()
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"))
    with Progress(*columns, TimeElapsedColumn(), console=console) as bar:
        material = _hear(settings, paths, kind, bar)
        split = material.split
        settings = settings.model_copy(update={"window_seconds": material.window_seconds})
        counts = CountModel.fit(
            [(b.heard, b.answer) for b in split.train],
            [(b.heard[b.warm_up :], b.answer[b.warm_up :]) for b in split.validation],
            material.codebook.n_classes,
            settings.horizon,
        )
        state = _fit(settings, material, checkpoint, workers, bar)
        report = _report(settings, material, counts, state, began)
    for notice in material.notices:
        console.print(notice, markup=False)
    _bundle(settings, material, counts, state, report).save(
        out, {"training.html": html_page(report).encode(), "training.json": json_page(report)}
    )
    if checkpoint is not None and state.stopped in ("patience", "steps"):
        checkpoint.unlink(missing_ok=True)  # otherwise there is more to take up again
    return report


def _hear(settings: TrainSettings, paths: Sequence[Path], kind: str, bar: Progress) -> Material:
    if kind == "corpus":
        task = bar.add_task("reading", total=None, said="")
        return corpus_material(paths, settings, lambda song: bar.update(task, advance=1, said=song))
    songs = songs_of(paths)
    task = bar.add_task("hearing", total=len(songs), said="")
    return label_songs(songs, settings, lambda song: bar.update(task, advance=1, said=song.name))


def _fit(
    settings: TrainSettings,
    material: Material,
    checkpoint: Path | None,
    workers: int,
    bar: Progress,
) -> TrainingState:
    """Train within the time limit, on the GPU if there is one; from the checkpoint on."""
    split = material.split
    job = TrainingJob(
        settings.transformer(),
        settings.training(),
        material.codebook.n_classes,
        settings.horizon,
        split.train,
        split.validation,
        codes_of(material.codebook.centres),
        checkpoint,
        split.astray,
        drawn(split.validation, _MOST_VALIDATED, 0) if material.about else (),
    )
    task = bar.add_task("training", total=job.training.max_steps, said="")
    seconds = 60.0 * settings.minutes_limit

    def validated(step: int, loss: float) -> None:
        bar.update(task, completed=step, said=f"lowest validation {loss:.3f} nats")

    if workers:
        return train_together(job, workers, seconds, validated)
    deadline = time.perf_counter() + seconds
    state = job.begin(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    job.carry_on(
        state,
        on_step=lambda step: bar.update(task, completed=step),
        on_validation=lambda state: validated(state.step, state.lowest_loss),
        should_stop=lambda: time.perf_counter() > deadline,
    )
    return state


def _report(
    settings: TrainSettings,
    material: Material,
    counts: CountModel,
    state: TrainingState,
    began: float,
) -> TrainingReport:
    """Measure on what was held out."""
    n_labels = material.codebook.n_classes
    live = LiveTransformer(settings.transformer(), n_labels, settings.horizon, state.best)
    split = material.split
    test = drawn(split.test, _MOST_JUDGED, settings.seed) if material.about else split.test
    evaluation = evaluate_decision(live, counts, split.train, test, seed=settings.seed)
    return TrainingReport(
        settings=settings.model_dump(mode="json"),
        sources=material.sources,
        notices=material.notices,
        n_labels=n_labels,
        n_windows=material.n_windows,
        split=split.description,
        stopped=state.stopped,
        history=state.history,
        best_step=state.history[state.best_index].step,
        evaluation=evaluation,
        seconds=time.perf_counter() - began,
    )


def _bundle(
    settings: TrainSettings,
    material: Material,
    counts: CountModel,
    state: TrainingState,
    report: TrainingReport,
) -> Bundle:
    measured: dict[str, Any] = {"learned": report.learned, "verdict": report.verdict}
    if report.evaluation is not None:
        measured |= asdict(report.evaluation)
    card = BundleCard(
        ear=settings.ear,
        window_seconds=settings.window_seconds,
        beats=material.beats,
        sample_rate=material.sample_rate,
        n_labels=material.codebook.n_classes,
        horizon=settings.horizon,
        transformer=settings.transformer(),
        key_normalised=material.key is not None,
        key=settings.key,
        trained=material.about
        | {
            "songs": material.sources,
            "seed": settings.seed,
            "split": report.split,
            "best_step": report.best_step,
            "stopped": report.stopped,
            "training": settings.training().model_dump(mode="json"),
            "both_directions": settings.both_directions,
        },
        measured=measured,
    )
    return Bundle(card, material.codebook, counts, dict(state.best))


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main())
