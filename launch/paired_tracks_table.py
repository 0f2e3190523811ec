"""The paired-tracks table: re-generation on imported corpora, nine configurations, like with like.

`python launch/paired_tracks_table.py --corpus DIR [DIR ...] --out DIR` trains and measures every
configuration with every seed, keeps each result, and writes table.html, table.json and pictures
(Figs 4 to 8 of Bujard et al. 2025). What was stopped goes on where it was.
"""

if __package__ in (None, ""):  # run as a file: the packages lie one folder up
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from corpus.manifest import ManifestError, load_manifest, to_json
from corpus.whole_file import write_atomically
from launch.command import command, within
from launch.corpus_material import HeardCorpora, hear_corpora
from launch.paired_tracks_bundle import write_bundle
from launch.paired_tracks_jobs import (
    Cell,
    CellMaterial,
    Configuration,
    Effort,
    labels_of,
    prepare,
    run_cell,
)
from launch.paired_tracks_page import write_page
from launch.paired_tracks_paper import PaperEffort, run_paper
from launch.paired_tracks_summary import summarise
from launch.song_hearing import on_the_beat
from launch.train_settings import SettingsError, TrainSettings, read_settings
from models.bundle import BundleError, check_target
from models.paired_labels import Split
from models.vector_quantizer import Codebook

WINDOWS = (0.25, 0.35, 0.5)
ALPHABETS = (16, 64, 256)
BY_CONFIGURATION = {"window_seconds", "windows_per_beat", "alphabet"}
"""Settings that each configuration has for itself."""
ASKED_FILE = "asked.json"
ERRORS = (ManifestError, SettingsError, BundleError, OSError, ValueError)


@command(*ERRORS)
def main(argv: Sequence[str] | None = None) -> int:
    """Fill and write the table as the command line says; 0 if it was written."""
    arguments = _parser().parse_args(argv)
    console = Console(stderr=True)
    torch.set_num_threads(1)  # more threads gain little here, and sums come out otherwise
    rows = fill(arguments, lambda text: console.print(text, markup=False, soft_wrap=True))
    write_page(arguments.out, rows)
    console.print(f"{arguments.out}: table.html and table.json written", markup=False)
    return 0


def fill(arguments: argparse.Namespace, say: Callable[[str], None]) -> dict[str, Any]:
    """Train and measure what is missing; all rows of the table.

    Raises:
        ManifestError: corpora that cannot be used.
        SettingsError: settings that cannot be used, too little material, or a table of others.
        BundleError: a place where no bundle can be written.
    """
    settings = read_settings(arguments.config, {"max_steps": arguments.steps})
    effort = Effort(settings, arguments.judged_windows, arguments.measure)
    asked = _asked(arguments, settings)
    _same_table(arguments.out, asked)
    configurations = _configurations(arguments)
    papers = [_configuration(name) for name in arguments.paper or []]
    bundled = None
    if arguments.bundle:
        name, place = arguments.bundle
        bundled = next((one for one in configurations if one.name == name), None)
        if bundled is None:
            raise SettingsError(f"--bundle must name a configuration of the table, got {name}")
        check_target(Path(place))

    @cache
    def heard(window: float, per_beat: int | None) -> HeardCorpora:
        about = "" if per_beat is None else f", usually, {per_beat} per beat"
        say(f"reading the corpora in windows of {window:g} s{about}")
        key = settings.key if settings.key_normalised else None
        found = hear_corpora(arguments.corpus, window, key, settings.ear, per_beat=per_beat)
        write_atomically(arguments.out / ASKED_FILE, asked)  # now that there is something to keep
        return found

    def labelled(configuration: Configuration) -> Callable[[], tuple[Split, Codebook]]:
        return lambda: labels_of(
            configuration,
            arguments.out,
            lambda: heard(configuration.window_seconds, configuration.windows_per_beat),
        )

    @lru_cache(maxsize=1)  # that of one configuration fills half a gigabyte
    def material(configuration: Configuration) -> CellMaterial:
        return prepare(configuration, effort, labelled(configuration)())

    cells: dict[str, list[Cell]] = {}
    for one in configurations:
        for seed in range(arguments.seeds):
            cell = run_cell(one, seed, effort, arguments.out, partial(material, one), say)
            cells.setdefault(one.name, []).append(cell)
    paper_effort = PaperEffort(
        arguments.paper_seconds, arguments.paper_windows, arguments.paper_bfloat16
    )
    paper = [
        run_paper(one, rate, effort, paper_effort, arguments.out, labelled(one), say)
        for one in papers
        for rate in arguments.paper_rate or [1e-6]
    ]
    if bundled is not None:
        one, to = bundled, arguments.bundle[1]
        cell = cells[one.name][0]
        write_bundle(one, effort, arguments.corpus, arguments.out, labelled(one)(), cell, Path(to))
        say(f"{to}: bundle written")
    collections = [folder.name for folder in arguments.corpus]
    rows = {name: summarise(found) for name, found in cells.items()}
    notices = _smaller(rows, configurations)
    for notice in notices:
        say(notice)
    by_collection = {
        collection: {name: summarise(found, collection) for name, found in cells.items()}
        for collection in collections
        if any(song.startswith(f"{collection}/") for song in next(iter(cells.values()))[0]["songs"])
    }
    return {
        "corpora": collections,
        "measured_on": arguments.measure,
        "notices": notices,
        "settings": settings.model_dump(mode="json"),
        "rows": rows,
        "by_collection": by_collection,
        "paper": paper,
        "cells": cells,
    }


def _configurations(arguments: argparse.Namespace) -> list[Configuration]:
    """The rows of the table: uniform windows, then those of the beat, each with all alphabets.

    Raises:
        ManifestError: windows of the beat, and no training song whose beats are known.
    """
    uniform = arguments.window or ([] if arguments.windows_per_beat else WINDOWS)
    windows: list[tuple[float, int | None]] = [(window, None) for window in uniform]
    for per_beat in arguments.windows_per_beat or []:
        windows.append((on_the_beat(arguments.corpus, per_beat)[0], per_beat))
    return [
        Configuration(window, alphabet, per_beat)
        for window, per_beat in windows
        for alphabet in arguments.alphabet or ALPHABETS
    ]


def _asked(arguments: argparse.Namespace, settings: TrainSettings) -> str:
    """What the results of a table depend on, as JSON; corpora by what their manifests hold.

    Raises:
        ManifestError: no such corpus.
    """
    corpora = {
        folder.name: hashlib.sha256(to_json(load_manifest(folder)).encode()).hexdigest()
        for folder in arguments.corpus
    }
    told = {
        "corpora": corpora,
        "settings": settings.model_dump(mode="json", exclude=BY_CONFIGURATION),
        "judged_windows": arguments.judged_windows,
        "measured_on": arguments.measure,
    }
    return json.dumps(told, indent=1) + "\n"


def _same_table(out: Path, asked: str) -> None:
    """Refuse to mix results of other corpora, settings or effort into one table."""
    path = out / ASKED_FILE
    if path.exists() and json.loads(path.read_text()) != json.loads(asked):
        raise SettingsError(
            f"--out must be a new folder or the table of the same command, and {out} "
            "holds results of other corpora or settings; choose another --out"
        )


def _smaller(rows: dict[str, Any], configurations: Sequence[Configuration]) -> list[str]:
    """A sentence for each configuration whose corpora do not support its alphabet."""
    return [
        f"{one.name} has an alphabet of {rows[one.name]['alphabet']} classes instead of "
        f"{one.alphabet}: the training songs support no more."
        for one in configurations
        if rows[one.name]["alphabet"] != one.alphabet
    ]


def _configuration(name: str) -> Configuration:
    window, _, alphabet = name.partition("s_A")
    try:
        return Configuration(float(window), int(alphabet))
    except ValueError as error:
        raise SettingsError(
            f"--paper must name a configuration such as 0.5s_A64, got {name}"
        ) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Re-generation on paired tracks: ours, the paper's model, and baselines."
    )
    add = parser.add_argument
    add("--corpus", nargs="+", type=Path, required=True, metavar="DIR", help="imported corpora")
    add("--out", type=Path, required=True, metavar="DIR", help="folder of the table")
    add("--seeds", type=within(int, 1), default=3, help="trainings per configuration (3)")
    add("--window", type=float, action="append", help="seconds; may be repeated; all three")
    add("--windows-per-beat", type=within(int, 1), action="append", help="windows of 1/N beat too")
    add("--alphabet", type=within(int, 2), action="append", help="K; may be repeated; 16, 64, 256")
    add("--config", type=Path, metavar="YAML", help="settings, as in configs/training.yaml")
    add("--steps", type=int, help="training steps at most")
    add("--measure", choices=("validation", "test"), default="test", help="validation for choices")
    add(
        "--judged-windows",
        type=within(int, 1),
        default=24_000,
        help="held-out windows judged, about",
    )
    add("--paper", action="append", metavar="NAME", help="the paper's model on this, as 0.5s_A64")
    add("--paper-rate", type=float, action="append", help="its learning rate; may be repeated")
    add("--paper-seconds", type=float, default=600, help="CPU seconds of its training (600)")
    add("--paper-bfloat16", action="store_true", help="its matrices in bfloat16")
    add("--bundle", nargs=2, metavar=("NAME", "DIR"), help="write a configuration as a bundle")
    add("--paper-windows", type=within(int, 1), default=2000, help="windows it answers (2000)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
