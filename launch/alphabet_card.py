"""Measure alphabets before any training: `python launch/alphabet_card.py CORPUS --out DIR`.

Fits a codebook of each size on the training songs of an imported corpus and measures it on its
validation songs: relation bits, what labels explain, agreement, balance. Writes pictures, a page
and the figures as JSON.
"""

if __package__ in (None, ""):  # run as a file: the packages lie one folder up
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from corpus.annotations import chord_classes, keys_at
from corpus.manifest import (
    ManifestError,
    Role,
    SongRecord,
    load_annotations,
    load_manifest,
)
from corpus.whole_file import write_atomically
from launch.alphabet_card_page import card_table, write_cards
from launch.command import command, within
from launch.song_hearing import BeatsMissingError, Fields, song_fields
from models.alphabet import SILENCE
from models.alphabet_card import AlphabetCard, CardPart, CardSong, measure_card
from models.descriptors import FEATURE_DIM, N_CHROMA
from models.key import KeyConfig, RunningKey
from models.metrics.key import KeyFigures
from models.metrics.key import evaluate as evaluate_key
from models.vector_quantizer import Codebook

MOST_WINDOWS = 60_000
"""Windows that a codebook is fitted on; more change nothing and take longer."""
_MEASURED: Final[Mapping[str, tuple[Role, ...]]] = {
    "train": ("train",),
    "validation": ("validation",),
    "test": ("test",),
    "unseen": ("validation", "test"),
}
"""Sides of the split whose songs are measured, by what the command line calls them."""
_BEATS_HELP = "N windows per beat instead; the corpus must be imported with --window 0.05"


@command(ManifestError, ValueError, OSError)
def main(argv: Sequence[str] | None = None) -> int:
    """Measure as the command line says; 0 if the cards were written."""
    arguments = _parser().parse_args(argv)
    console = Console(stderr=True)
    cards, notices = measure(arguments)
    write_cards(arguments.out, cards, notices)
    figures = {"notices": notices, "cards": [asdict(card) for card in cards]}
    write_atomically(arguments.out / "card.json", json.dumps(figures, indent=1) + "\n")
    for notice in notices:
        console.print(notice, markup=False, soft_wrap=True)
    for card in cards:
        console.print(f"\nK = {card.n_classes}, windows of {card.window_seconds:g} s", style="bold")
        for what, figure, source in card_table(card):
            console.print(f"  {what:28} {figure:38} {source}", markup=False, soft_wrap=True)
    return 0


def measure(arguments: argparse.Namespace) -> tuple[list[AlphabetCard], list[str]]:
    """A card for each length of window and size of alphabet, and what to know about them.

    Raises:
        ManifestError: no corpus, or without features of this window length.
        ValueError: too few songs or windows.
    """
    fit_on = arguments.fit_on or arguments.corpus
    fit_manifest, manifest = load_manifest(fit_on), load_manifest(arguments.corpus)
    fit_songs = fit_manifest.with_role("train")
    songs = [song for role in _MEASURED[arguments.measure] for song in manifest.with_role(role)]
    rates = (fit_manifest.settings.sample_rate, manifest.settings.sample_rate)
    if not fit_songs or len(songs) < 2:
        raise ManifestError(
            "an alphabet card needs a training song and two songs to measure on, got "
            f"{len(fit_songs)} in {fit_on} and {len(songs)} for {arguments.measure} in "
            f"{arguments.corpus}; import more songs, or name others with --fit-on and --measure"
        )
    notices = [
        f"Codebooks fitted on {len(fit_songs)} training songs, measured on {len(songs)} "
        f"{arguments.measure} songs"
        + (", which they were fitted on too." if arguments.measure == "train" else " never used.")
    ]
    cards = []
    for window, per_beat in _segments(arguments):
        fitted, told = _hear_all(fit_on, rates[0], fit_songs, window, per_beat)
        sounding = _sounding([fields for _, fields, _ in fitted], arguments.seed)
        heard, untold = _hear_all(arguments.corpus, rates[1], songs, window, per_beat)
        notices += dict.fromkeys(told + untold)
        if not per_beat:
            parts = [fields for _, fields, _ in heard]
            notices += key_notices(arguments.corpus, songs, parts, window)
        for n_classes in arguments.classes or [64]:
            codebook = Codebook.fit(sounding, n_classes, arguments.seed)
            labelled = [
                card_song(arguments.corpus, song, features, codebook, moments)
                for song, features, moments in heard
            ]
            usual = float(np.median(np.concatenate([np.diff(m) for *_, m in heard])))
            card = measure_card(labelled, n_classes, round(usual, 3), arguments.seed)
            cards.append(card)
            if per_beat:
                notices.append(
                    f"Windows of 1/{per_beat} beat: their median length, {card.window_seconds:g} "
                    f"s, stands for them in the card of {n_classes} classes."
                )
    return cards, notices


def _hear_all(
    corpus: Path, sample_rate: int, songs: Sequence[SongRecord], window: float, per_beat: int | None
) -> tuple[list[tuple[SongRecord, dict[str, Fields], NDArray[np.float64]]], list[str]]:
    """Of every song its record, fields and the middle of every window, seconds; who was left out.

    Raises:
        ManifestError: features are missing, or the beats of all songs.
    """
    heard, notices = [], []
    for song in songs:
        try:
            fields, bounds = song_fields(corpus, sample_rate, song, window, per_beat)
        except BeatsMissingError as error:
            notices.append(f"{song.name} is left out: {error}.")
            continue
        heard.append((song, fields, (bounds[1:] + bounds[:-1]) / (2.0 * sample_rate)))
    if not heard:
        raise ManifestError(f"windows per beat need songs whose beats are known; {notices[0]}")
    return heard, notices


def _segments(arguments: argparse.Namespace) -> list[tuple[float, int | None]]:
    """(window in seconds, windows per beat or None) of every kind of segment asked for."""
    uniform = arguments.window or ([] if arguments.beats else [0.5])
    return [(one, None) for one in uniform] + [(0.0, n) for n in arguments.beats or []]


def card_song(
    corpus: Path,
    song: SongRecord,
    heard: dict[str, Fields],
    codebook: Codebook,
    moments: NDArray[np.floating],
) -> CardSong:
    """A song of a corpus in the labels of a codebook, with its chords if they are known.

    Args:
        corpus: where its annotations are.
        song: its record.
        heard: fields of every part.
        codebook: the alphabet.
        moments: the middle of every window, seconds.
    """
    labels = {}
    for name, fields in heard.items():
        assigned = codebook.assign(np.asarray(fields["features"], dtype=np.float32))[0]
        labels[name] = np.where(fields["silent"], SILENCE, assigned)
    twins = {part.twin_of: labels[part.name] for part in song.parts if part.twin_of}
    parts = {
        part.name: CardPart(
            labels[part.name],
            np.asarray(heard[part.name]["energy_db"], dtype=np.float32),
            -1 if part.voice is None else part.voice.program,
            twins.get(part.name),
        )
        for part in song.parts
        if part.twin_of is None
    }
    chords = load_annotations(corpus, song).chords
    classes = chord_classes(chords, moments) if chords else None
    return CardSong(song.name, parts, song.pairs, classes)


def key_notices(
    corpus: Path,
    songs: Sequence[SongRecord],
    heard: Sequence[dict[str, Fields]],
    window_seconds: float,
) -> list[str]:
    """How often the running key of each usual part is right, where keys are annotated."""
    figures: dict[str, list[KeyFigures]] = {}
    for song, parts in zip(songs, heard, strict=True):
        keys = load_annotations(corpus, song).keys
        for part in song.parts:
            features = np.asarray(parts[part.name]["features"], dtype=np.float32)
            begins_with_chroma = features.shape[1] == FEATURE_DIM
            if keys and part.twin_of is None and begins_with_chroma:
                silent = np.asarray(parts[part.name]["silent"], dtype=np.bool_)
                moments = (np.arange(len(silent), dtype=np.float64) + 0.5) * window_seconds
                running = RunningKey(KeyConfig(), window_seconds)
                told = running.follow(features[:, :N_CHROMA], silent)
                found = evaluate_key(keys_at(keys, moments), told)
                if found.n_windows:
                    figures.setdefault(part.name, []).append(found)
    return [
        f"Running key of {name} ({window_seconds:g} s windows, past only, {len(found)} songs): "
        f"right {np.mean([one.right for one in found]):.1%}, signature "
        f"{np.mean([one.signature for one in found]):.1%}, within a fifth "
        f"{np.mean([one.within_fifth for one in found]):.1%} of the windows."
        for name, found in figures.items()
        if len(found) >= len(songs) / 2
    ]


def _sounding(songs: Sequence[dict[str, Fields]], seed: int) -> NDArray[np.float32]:
    """Features of windows that sound, of all parts of all songs, thinned out evenly by a draw."""
    rows = []
    for fields in (one for song in songs for one in song.values()):
        features = np.asarray(fields["features"], dtype=np.float32)
        rows.append(features[~np.asarray(fields["silent"], dtype=np.bool_)])
    whole = np.concatenate(rows)
    if len(whole) > MOST_WINDOWS:
        chosen = np.random.default_rng(seed).permutation(len(whole))[:MOST_WINDOWS]
        whole = whole[np.sort(chosen)]
    return whole


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="antiphon alphabet-card", description="Measure alphabets on an imported corpus."
    )
    add = parser.add_argument
    add("corpus", type=Path, help="an imported corpus")
    add("--out", type=Path, required=True, help="folder for card.html, card.json and pictures")
    add("--fit-on", type=Path, help="another corpus whose training songs the codebook is from")
    add("--measure", choices=tuple(_MEASURED), default="validation")
    add("--classes", type=int, action="append", help="K; may be repeated; 64 if left out")
    add("--window", type=float, action="append", help="seconds; may be repeated; 0.5 if left out")
    add("--beats", type=within(int, 1), action="append", metavar="N", help=_BEATS_HELP)
    add("--seed", type=int, default=0, help="of the codebook")
    return parser


if __name__ == "__main__":
    sys.exit(main())
