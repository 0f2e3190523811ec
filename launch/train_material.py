"""From audio files to labelled songs: what a training learns from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from corpus.audio_file import content_hash
from corpus.doubling import are_doubled_samples
from corpus.fingerprint import fingerprint, first_alike
from corpus.pairs import Song, find_songs, load_song, pair_song
from corpus.segmentation import WindowGrid, exact_seconds
from launch.train_settings import SettingsError, TrainSettings
from models.alphabet import SILENCE
from models.bundle import BeatSegments
from models.ear import Ear, build_ear
from models.key import KeyConfig
from models.paired_labels import LabelledSong, LabelTrack, Split, split_songs
from models.vector_quantizer import Codebook

WINDOWS_PER_CLASS: Final = 8
"""Sounding windows that a class needs on average; with fewer, counts say nothing."""
FEWEST_WINDOWS: Final = 40
"""Shortest song: its held-out end must be judged too."""


@dataclass(frozen=True, eq=False)
class HeardTrack:
    """One track as the ear hears it, before there is a codebook; W windows.

    Args:
        features: (W, D).
        silent: (W,).
        energy_db: (W,).
        onset: (W,).
    """

    features: NDArray[np.float32]
    silent: NDArray[np.bool_]
    energy_db: NDArray[np.float32]
    onset: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Material:
    """Labelled pairs, and the alphabet they are written in.

    Args:
        split: blocks to train on, to stop by, and to report on.
        codebook: of the alphabet.
        sources: content hash of every file, by song and track.
        notices: what the user should know, one sentence each.
        n_windows: labelled windows of all tracks.
        sample_rate: of the audio heard, Hz.
        key: how the running key of the guide follows; None if labels are not normalised by it.
        about: what else the bundle's card tells of the material.
        window_seconds: Δ; the median where it follows beats.
        beats: how it follows them; None for uniform windows.
    """

    split: Split
    codebook: Codebook
    sources: dict[str, dict[str, str]]
    notices: list[str]
    n_windows: int
    sample_rate: int
    key: KeyConfig | None
    about: dict[str, Any]
    window_seconds: float
    beats: BeatSegments | None = None


def songs_of(paths: Sequence[Path]) -> list[Song]:
    """The songs that `--pairs` names: two files of one song, or one folder of songs.

    Raises:
        SettingsError: neither.
        AudioFileError: files that cannot be paired, a folder without songs.
    """
    if len(paths) == 1 and not paths[0].is_file():
        return find_songs(paths[0])
    if len(paths) == 2 and not any(path.is_dir() for path in paths):
        return [pair_song(*paths)]
    raise SettingsError(
        f"--pairs must name two files that were played together, or one folder with a subfolder "
        f"of stems per song, got {len(paths)} paths; bring any other layout, such as two folders "
        "with files of equal names, into a corpus by antiphon import-corpus and give --corpus"
    )


def label_songs(
    songs: Sequence[Song], settings: TrainSettings, on_song: Callable[[Song], None]
) -> Material:
    """Hear every track, make the alphabet, write every track in it.

    Tracks that double each other are not paired, as in an import, and a song with a track of an
    earlier song is left out: it must not be learned from on one side and judged on another.

    Args:
        songs: at least one.
        settings: window, rate, ear, alphabet wished for.
        on_song: told after every song.

    Raises:
        AudioFileError: a file that cannot be used.
        SettingsError: too little sound to learn from.
    """
    if settings.windows_per_beat is not None:
        raise SettingsError(
            "windows_per_beat needs songs whose beats are known; bring the tracks into a corpus by "
            "antiphon import-corpus with --window 0.05 and give --corpus"
        )
    grid = WindowGrid(settings.sample_rate, exact_seconds(settings.window_seconds))
    ear = build_ear(settings.ear, settings.sample_rate, settings.window_seconds)
    heard: dict[str, dict[str, HeardTrack]] = {}
    apart: dict[str, frozenset[tuple[str, str]]] = {}
    fingerprints: dict[str, list[str]] = {}
    notices = []
    for song in songs:
        stems = load_song(song, settings.sample_rate)
        n_windows = grid.n_whole_windows(min(len(samples) for samples in stems.values()))
        if n_windows < FEWEST_WINDOWS:
            raise SettingsError(
                f"the song {song.name} must last at least {FEWEST_WINDOWS} windows of "
                f"{settings.window_seconds} s, got {n_windows}; give longer tracks"
            )
        pairs = list(combinations(stems, 2))
        apart[song.name] = frozenset(
            (a, b)
            for a, b in pairs
            if are_doubled_samples(stems[a], stems[b], settings.sample_rate)
        )
        notices += [
            f"{song.name}: {a} and {b} are one and the same music and not paired."
            for a, b in sorted(apart[song.name])
        ]
        if len(apart[song.name]) == len(pairs):
            notices.append(f"{song.name} is left out: all its tracks double each other.")
            continue
        fingerprints[song.name] = [fingerprint(s, settings.sample_rate) for s in stems.values()]
        bounds = grid.boundaries(n_windows)
        heard[song.name] = {name: _hear(ear, s, bounds) for name, s in stems.items()}
        on_song(song)
    for name, earlier in _shared(fingerprints).items():
        notices.append(f"{name} is left out: it has a track of {earlier}.")
        del heard[name]
    if not heard:
        raise SettingsError(
            f"training needs a song with two tracks that differ, got none: {notices[-1]} Give "
            "tracks that were played together"
        )
    tracks = [track for parts in heard.values() for track in parts.values()]
    sounding = np.concatenate([track.features[~track.silent] for track in tracks])
    size, told = alphabet_size(sounding, settings.alphabet)
    codebook = Codebook.fit(sounding, size, settings.seed)
    labelled = [
        LabelledSong(
            name, {stem: _write(track, codebook) for stem, track in parts.items()}, apart[name]
        )
        for name, parts in heard.items()
    ]
    sources = {
        song.name: {
            name: content_hash(path)
            for name, path in song.stems.items()
            if name in heard[song.name]
        }
        for song in songs
        if song.name in heard
    }
    split = split_songs(
        labelled,
        settings.transformer().context,
        settings.seed,
        both_directions=settings.both_directions,
    )
    n_windows = sum(song.n_windows * len(song.tracks) for song in labelled)
    return Material(
        split,
        codebook,
        sources,
        notices + told,
        n_windows,
        settings.sample_rate,
        None,
        {},
        settings.window_seconds,
    )


def _shared(fingerprints: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The songs that have a track of an earlier song, with the name of that song."""
    owners = [name for name, some in fingerprints.items() for _ in some]
    places = first_alike(one for some in fingerprints.values() for one in some)
    found: dict[str, str] = {}
    for name, place in zip(owners, places, strict=True):
        if owners[place] != name:
            found.setdefault(name, owners[place])
    return found


def alphabet_size(sounding: NDArray[np.float32], wished: int) -> tuple[int, list[str]]:
    """How many classes the material supports, and a notice if that is fewer than wished.

    Args:
        sounding: features of all windows that are not silent, (N, D).
        wished: K asked for.

    Raises:
        SettingsError: not enough for two classes.
    """
    n_distinct = len(np.unique(sounding, axis=0))
    size = min(wished, len(sounding) // WINDOWS_PER_CLASS, n_distinct)
    if size < 2:
        raise SettingsError(
            f"training needs at least {2 * WINDOWS_PER_CLASS} windows that sound and differ, got "
            f"{len(sounding)} ({n_distinct} different); give longer or louder tracks"
        )
    if size == wished:
        return size, []
    return size, [
        f"The alphabet is {size} classes instead of {wished}: {len(sounding)} sounding windows "
        f"({n_distinct} different) support no more."
    ]


def _hear(ear: Ear, samples: NDArray[np.float32], boundaries: NDArray[np.int64]) -> HeardTrack:
    windows = list(ear.listen_track(samples, boundaries))
    return HeardTrack(
        np.stack([window.features for window in windows]),
        np.array([window.silent for window in windows]),
        np.array([window.energy_db for window in windows], dtype=np.float32),
        np.array([window.onset for window in windows], dtype=np.float32),
    )


def _write(track: HeardTrack, codebook: Codebook) -> LabelTrack:
    """The track in labels; silent windows are SILENCE."""
    labels = np.where(track.silent, SILENCE, codebook.assign(track.features)[0])
    return LabelTrack(labels, track.energy_db, track.onset)
