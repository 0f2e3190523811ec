"""Learn taste from listens: `python launch/taste.py --events FILE --audio FOLDER --out DIR`.

`--simulate` makes songs and an audience of known tastes instead, and measures everything on it.
"""

if __package__ in (None, ""):  # run as a file: the packages lie one folder up
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import csv
import hashlib
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from corpus.audio_file import AudioFileError
from corpus.generated_songs import attribute_table, draw_recipe, recipe_row, render_song
from corpus.listening_events import Partitions, count_listens, read_listens, split_listens
from corpus.simulated_audience import AudienceConfig, simulate_audience
from corpus.song_features import SongDescriptors, SongEncoder, cached_layers, encode_folder
from corpus.sound_font import SynthesizerMissingError, sound_font_kept_open
from launch.command import command, within
from launch.taste_picture import draw_table
from launch.taste_table import Material, measure
from models.metrics.ranking import evaluate_rows
from models.taste import FEW_SONGS, AlignerV2
from models.taste_checkpoint import load_training, save_aligner, save_training
from models.taste_training import (
    TasteData,
    TasteState,
    TasteTrainingConfig,
    fit,
    refining,
    start,
)

_COLUMNS = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"))


@command(ValueError, OSError, AudioFileError, SynthesizerMissingError)
def main(argv: Sequence[str] | None = None) -> int:
    """Train, and measure, as the command line says; 0 if a model was written."""
    options = _parser().parse_args(argv)
    console = Console(stderr=True)
    torch.set_num_threads(1)  # more threads gain little here, and sums come out otherwise
    began = time.perf_counter()
    if not options.simulate:
        _check_sources(options)
    encoder = _encoder(options.encoder)
    options.out.mkdir(parents=True, exist_ok=True)
    with Progress(*_COLUMNS, TimeElapsedColumn(), console=console) as bar:
        report = (_simulate if options.simulate else _learn)(options, encoder, bar)
    report["seconds"] = round(time.perf_counter() - began, 1)
    path = options.out / "taste.json"
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=1))
    console.print(f"{options.out}: taste.safetensors and taste.json written", markup=False)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="antiphon taste", description="Learn listeners' taste.")
    add = parser.add_argument
    add("--events", type=Path, metavar="FILE", help="listens, in Last.fm-1K's format")
    add("--audio", type=Path, metavar="FOLDER", help="audio of the songs")
    add("--simulate", action="store_true", help="made-up listeners; made-up songs without --audio")
    add("--attributes", type=Path, metavar="CSV", help="with --simulate --audio: name, numbers...")
    add("--out", type=Path, required=True, metavar="DIR", help="where model and figures go")
    add("--cache", type=Path, metavar="DIR", help="keeps songs' features from run to run")
    add("--encoder", default="descriptors", help="descriptors, or the folder of an audio model")
    songs, listeners, epochs = within(int, 10), within(int, 5), TasteTrainingConfig().max_epochs
    add("--songs", type=songs, default=600, metavar="N", help="made-up songs, 10 or more (600)")
    add("--listeners", type=listeners, default=300, metavar="N", help="made-up, 5 or more (300)")
    add("--epochs", type=within(int, 1), default=epochs, metavar="N")
    minutes = within(float, 0.0)
    add("--minutes-limit", type=minutes, default=4.0, metavar="M", help="training time at most (4)")
    add("--seed", type=within(int, 0), default=0, help="of everything drawn (0)")
    add("--checkpoint", type=Path, metavar="FILE", help="save to, and resume from, this file")
    return parser


def _check_sources(options: argparse.Namespace) -> None:
    """Refuse what can only fail, before hours of hearing."""
    if options.events is None or options.audio is None:
        raise ValueError("--events and --audio must both be given, or --simulate; see --help")
    if not options.events.is_file():
        raise ValueError(
            f"--events must be a file of listens, got {options.events}; check the path"
        )


def _encoder(name: str) -> SongEncoder:
    if name == "descriptors":
        return SongDescriptors()
    from models.hidden_layers import HiddenLayers

    return HiddenLayers(name)


def _learn(options: argparse.Namespace, encoder: SongEncoder, bar: Progress) -> dict[str, Any]:
    """From real listens to a folder of audio."""
    names, layers = _hear_folder(options, encoder, bar)
    events = count_listens(read_listens(options.events), names)
    parts = split_listens(len(events.users), len(names), seed=options.seed)
    data = _listens_of(events.plays, layers, parts)
    state = _train(options, data, bar)
    test = parts.songs_to_evaluate("test")
    scores = state.network.scores(torch.from_numpy(layers[test])).numpy()
    listened = events.listened[np.ix_(parts.known, test)]
    report = {
        "encoder": encoder.name,
        "songs": len(names),
        "users": len(events.users),
        "lines_malformed": events.n_malformed,
        "listens_without_audio": events.n_without_audio,
        "known_users_on_unseen_songs": dict(evaluate_rows(scores, listened)),
        "training": _training_report(state),
    }
    _save(options, state.network, encoder)
    return report


def _listens_of(
    plays: NDArray[np.int64], layers: NDArray[np.float32], parts: Partitions
) -> TasteData:
    known = plays[parts.known]
    kept = np.zeros_like(known)
    kept[:, parts.train] = known[:, parts.train]
    users, songs = np.nonzero(kept)
    return TasteData(
        layers=layers,
        n_users=len(parts.known),
        users=users,
        songs=songs,
        plays=kept[users, songs].astype(np.float64),
        validation_songs=parts.validation,
        validation_listened=known[:, parts.validation] > 0,
    )


def _simulate(options: argparse.Namespace, encoder: SongEncoder, bar: Progress) -> dict[str, Any]:
    """Made-up listeners over made-up songs, or over a folder with a table of attributes."""
    if options.audio is not None:
        names, layers = _hear_folder(options, encoder, bar)
        attributes = read_attributes(options.attributes, names)
    else:
        layers, attributes = _made_up_songs(options, encoder, bar)
    config = AudienceConfig(n_listeners=options.listeners, seed=options.seed)
    audience = simulate_audience(attributes, config)
    parts = split_listens(audience.n_listeners, audience.n_songs, seed=options.seed)
    material = Material(layers, audience, parts)
    state = _train(options, material.training_data(), bar)
    task = bar.add_task("measuring", total=None, said="")
    report = {
        "encoder": encoder.name,
        "audience": config.model_dump(),
        **measure(material, state.network, seed=options.seed),
        "training": _training_report(state),
    }
    bar.update(task, total=1, completed=1)
    draw_table(report, options.out / "taste.png")
    _save(options, state.network, encoder)
    return report


def read_attributes(path: Path | None, names: Sequence[str]) -> NDArray[np.float64]:
    """A CSV table (name, then numbers, with a header) in the order of `names`, (songs, attributes).

    Raises:
        ValueError: no table, not numbers, or a song that is not in it.
    """
    if path is None:
        raise ValueError("--simulate with --audio needs --attributes: a CSV of name and numbers")
    with path.open(encoding="utf-8", newline="") as file:
        rows = {row[0]: row[1:] for row in list(csv.reader(file))[1:] if row}
    missing = [name for name in names if name not in rows]
    if missing:
        raise ValueError(f"{path} must have a row for every song, none for {missing[0]!r}")
    try:
        return np.array([[float(cell) for cell in rows[name]] for name in names], np.float64)
    except ValueError as error:
        raise ValueError(f"{path} must hold numbers after the name: {error}") from error


def _made_up_songs(
    options: argparse.Namespace, encoder: SongEncoder, bar: Progress
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    recipes = [draw_recipe(1000 * options.seed + k) for k in range(options.songs)]
    task = bar.add_task("rendering and hearing", total=len(recipes), said="")
    layers = []
    with sound_font_kept_open():
        for recipe in recipes:
            key = f"{encoder.name}:{json.dumps(recipe_row(recipe))}"
            layers.append(
                cached_layers(
                    options.cache,
                    key,
                    lambda recipe=recipe: encoder.encode(  # type: ignore[misc]
                        render_song(recipe, sample_rate=encoder.sample_rate)
                    ),
                )
            )
            bar.update(task, advance=1)
    return np.stack(layers), attribute_table(recipes)


def _hear_folder(
    options: argparse.Namespace, encoder: SongEncoder, bar: Progress
) -> tuple[list[str], NDArray[np.float32]]:
    task = bar.add_task("hearing", total=None, said="")
    return encode_folder(
        options.audio, encoder, cache=options.cache, on_song=lambda n: bar.update(task, said=n)
    )


def _train(options: argparse.Namespace, data: TasteData, bar: Progress) -> TasteState:
    """Train within the time limit; from the checkpoint on, if there is one."""
    training = refining(options.epochs, options.seed)
    state = start(FEW_SONGS, training, data)
    of = hashlib.sha256(
        training.model_dump_json().encode() + data.layers.tobytes() + data.songs.tobytes()
    ).hexdigest()
    if options.checkpoint is not None and options.checkpoint.exists():
        load_training(options.checkpoint, state, of)
    task = bar.add_task("training", total=training.max_epochs, said="", completed=state.epoch)
    deadline = time.perf_counter() + 60 * options.minutes_limit

    def after(state: TasteState) -> None:
        best = state.best_epoch
        said = f"validation AUC {best.validation_auc:.3f} after {best.epoch}"
        bar.update(task, completed=state.epoch, said=said)
        if options.checkpoint is not None:
            save_training(options.checkpoint, state, of)

    return fit(
        state, training, data, on_epoch=after, should_stop=lambda: time.perf_counter() > deadline
    )


def _training_report(state: TasteState) -> dict[str, Any]:
    return {
        "stopped": state.stopped,
        "epochs": state.epoch,
        "best_epoch": state.best_epoch.epoch,
        "validation_auc": [round(epoch.validation_auc, 4) for epoch in state.history],
        "temperature": float(state.network.temperature.detach()),
    }


def _save(options: argparse.Namespace, network: AlignerV2, encoder: SongEncoder) -> None:
    card = {"encoder": encoder.name, "layers": ",".join(encoder.layer_names)}
    save_aligner(options.out / "taste.safetensors", network, card)


if __name__ == "__main__":
    sys.exit(main())
