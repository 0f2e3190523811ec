"""One cell of the paired-tracks table: a configuration and a seed, trained and measured.

Labels of a configuration are made once and kept (`labels/NAME.safetensors`); each cell keeps its
figures and weights (`cells/NAME-SEED.json`). A command that was stopped goes on with the rest.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from corpus.whole_file import write_atomically
from launch.corpus_material import HeardCorpora, fit_codebook, label_pairs
from launch.train_settings import TrainSettings
from models.checkpoint import fingerprint, load_checkpoint, save_checkpoint
from models.count_model import CountModel
from models.heard_history import codes_of, with_history
from models.paired_labels import Block, Split, drawn
from models.regeneration_table import measure_systems
from models.training import TrainingState, fit, load_best, start
from models.vector_quantizer import Codebook

Cell = dict[str, Any]
ROLES: Final = ("train", "validation", "test", "astray")
MOST_VALIDATED: Final = 2400
"""Windows of validation songs by which a training is watched."""


@dataclass(frozen=True)
class Configuration:
    """Window and alphabet, as the paper names them.

    Args:
        window_seconds: Δ; the median where it follows beats.
        alphabet: K.
        windows_per_beat: windows of a fraction of the beat; None for uniform ones.
    """

    window_seconds: float
    alphabet: int
    windows_per_beat: int | None = None

    @property
    def name(self) -> str:
        """Such as `0.5s_A64`, or `beat2_A64` with two windows per beat."""
        per_beat = self.windows_per_beat
        window = f"{self.window_seconds:g}s" if per_beat is None else f"beat{per_beat}"
        return f"{window}_A{self.alphabet}"


@dataclass(frozen=True)
class Effort:
    """How much is spent on one cell.

    Args:
        settings: of ours, but for window, alphabet and seed.
        judged_windows: windows of held-out songs that are judged, about.
        measure: which side of the split is measured: "test", or "validation" for design choices.
    """

    settings: TrainSettings
    judged_windows: int
    measure: str


@dataclass(frozen=True, eq=False)
class CellMaterial:
    """What all cells of a configuration share.

    Args:
        split: labelled pairs with plain fields.
        codebook: the alphabet.
        counts: the count model of the training songs.
        train: what is learned from, told its history.
        validation: blocks that training is judged by, likewise.
        measured: blocks that systems are measured on, likewise.
    """

    split: Split
    codebook: Codebook
    counts: CountModel
    train: list[Block]
    validation: list[Block]
    measured: list[Block]


def prepare(
    configuration: Configuration, effort: Effort, labelled: tuple[Split, Codebook]
) -> CellMaterial:
    """Count, and follow the history of every guide.

    Args:
        configuration: window and alphabet.
        effort: how much is measured, and on which side.
        labelled: of `labels_of`.
    """
    split, codebook = labelled
    settings = settings_of(effort, configuration, codebook.n_classes, 0)
    codes, size = codes_of(codebook.centres), settings.transformer()
    counts = CountModel.fit(
        [(b.heard, b.answer) for b in split.train],
        [(b.heard, b.answer) for b in split.validation],
        codebook.n_classes,
        settings.horizon,
    )
    told = [
        with_history(blocks, codes, size)
        for blocks in (
            (*split.train, *split.astray),
            drawn(split.validation, MOST_VALIDATED, 0),
            drawn(getattr(split, effort.measure), effort.judged_windows, 0),
        )
    ]
    return CellMaterial(split, codebook, counts, *told)


def labels_of(
    configuration: Configuration, out: Path, heard: Callable[[], HeardCorpora]
) -> tuple[Split, Codebook]:
    """The labelled pairs of a configuration and its alphabet, from disk if they were made before.

    Args:
        configuration: which.
        out: folder of the table.
        heard: gives the songs if they are needed.
    """
    path = out / "labels" / f"{configuration.name}.safetensors"
    if not path.exists():
        songs = heard()
        codebook, _ = fit_codebook(songs, configuration.alphabet, 0)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.part")
        arrays = _to_arrays(label_pairs(songs, codebook))
        save_file(arrays | {"centres": codebook.centres}, partial)
        partial.replace(path)
    stored = load_file(path)
    return _from_arrays(stored), Codebook(stored["centres"])


def _to_arrays(split: Split) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    for role in ROLES:
        blocks: tuple[Block, ...] = getattr(split, role)
        if not blocks:
            continue
        arrays |= {
            f"{role}/song": np.frombuffer(
                "\n".join(block.song for block in blocks).encode(), dtype=np.uint8
            ),
            f"{role}/length": np.array([len(block.heard) for block in blocks]),
        }
        for name in ("heard", "answer", "fields", "answer_fields"):
            whole = np.concatenate([getattr(block, name) for block in blocks])
            arrays[f"{role}/{name}"] = np.ascontiguousarray(whole)
    return arrays


def _from_arrays(stored: dict[str, NDArray[Any]]) -> Split:
    parts: list[tuple[Block, ...]] = []
    for role in ROLES:
        if f"{role}/length" not in stored:
            parts.append(())
            continue
        ends = np.cumsum(stored[f"{role}/length"])[:-1]
        cut = {
            name: np.split(stored[f"{role}/{name}"], ends)
            for name in ("heard", "answer", "fields", "answer_fields")
        }
        parts.append(
            tuple(
                Block(str(song), 0, 0, heard, fields, answer, answer_fields)
                for song, heard, answer, fields, answer_fields in zip(
                    stored[f"{role}/song"].tobytes().decode().split("\n"),
                    cut["heard"],
                    cut["answer"],
                    cut["fields"],
                    cut["answer_fields"],
                    strict=True,
                )
            )
        )
    return Split(parts[0], parts[1], parts[2], "song", parts[3])


def settings_of(
    effort: Effort, configuration: Configuration, n_labels: int, seed: int
) -> TrainSettings:
    """Settings of ours for one cell: as many labels in a step as for windows of 0.5 s."""
    settings, window = effort.settings, configuration.window_seconds
    told = {
        "window_seconds": window,
        "windows_per_beat": configuration.windows_per_beat,
        "alphabet": n_labels,
        "seed": seed,
        "batch_size": max(1, round(settings.batch_size * window / 0.5)),
    }
    return settings.model_copy(update=told)


def run_cell(
    configuration: Configuration,
    seed: int,
    effort: Effort,
    out: Path,
    material: Callable[[], CellMaterial],
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Train and measure one cell, or read what was measured before.

    Args:
        configuration: window and alphabet.
        seed: of training and sampling.
        effort: how much is spent.
        out: folder of the table.
        material: gives what is learned from if it is needed.
        say: told where it stands.
    """
    path = out / "cells" / f"{configuration.name}-{seed}.json"
    if path.exists():
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    given = material()
    split, n_labels = given.split, given.codebook.n_classes
    settings = settings_of(effort, configuration, n_labels, seed)
    size, config = settings.transformer(), settings.training()
    began = time.process_time()
    state = start(
        size, config, n_labels, settings.horizon, given.train[: len(split.train)],
        split.validation, codes_of(given.codebook.centres),
    )  # fmt: skip
    half, of = path.with_suffix(".half"), fingerprint(size, config, given.train)
    if half.exists():
        load_checkpoint(half, state, of)
    path.parent.mkdir(parents=True, exist_ok=True)

    def validated(state: TrainingState) -> None:
        save_checkpoint(half, state, of)
        say(
            f"{configuration.name} seed {seed}: step {state.step}, "
            f"validation {state.history[-1].validation_loss:.3f} nats"
        )

    fit(state, config, given.train, given.validation, on_validation=validated)
    seconds = time.process_time() - began
    if state.stopped == "interrupted":  # half a training is no figure
        raise KeyboardInterrupt
    weights = load_best(state)
    save_file(dict(weights), path.with_suffix(".safetensors"))
    figures = measure_systems(
        state.network,
        given.counts,
        split.train,
        given.measured,
        configuration.window_seconds,
        seed,
    )
    cell: Cell = {
        "configuration": configuration.name,
        "window_seconds": configuration.window_seconds,
        "alphabet": n_labels,
        "seed": seed,
        "measured_on": effort.measure,
        "training": {
            "steps": state.step,
            "best_step": state.history[state.best_index].step,
            "stopped": state.stopped,
            "cpu_seconds": round(seconds, 1),  # since it was last taken up
            "labels": state.step * config.batch_size * config.sequence_windows,
            "weights": sum(w.numel() for w in state.network.parameters()),
            "curve": [[p.step, p.train_loss, p.validation_loss] for p in state.history[1:]],
        },
        "train_songs": len({b.song for b in split.train}),
        "songs": sorted({b.song for b in given.measured}),
        "sequence_songs": figures["truth"].sequence_songs,
        "systems": {name: one.as_json() for name, one in figures.items()},
    }
    text = json.dumps(_rounded(cell))
    write_atomically(path, text + "\n")
    half.unlink(missing_ok=True)
    kept: Cell = json.loads(text)  # as it will be read again
    return kept


def _rounded(value: Any) -> Any:  # noqa: ANN401
    """Figures to six places: what is kept is read by people too."""
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return round(value, 6) if isinstance(value, float) else value
