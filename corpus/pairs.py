"""Songs to learn from: tracks that were played together, found in files and folders.

A song is two or more stems of equal start. Two files make one; a folder makes one of each of its
subfolders. Drums, percussion, effects and whole mixes are told by the names of their files and
folders and left out: they have no harmony to learn, or contain the answer. What is left out is
logged as a notice.
"""

import logging
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from corpus.audio_file import AudioFileError, is_silent, read_audio

__all__ = [
    "LENGTH_TOLERANCE_SECONDS",
    "Song",
    "audio_files",
    "find_songs",
    "load_song",
    "pair_song",
    "song_folders",
    "unusable_words",
]

LENGTH_TOLERANCE_SECONDS: Final = 1.0
"""Stems that differ in length by more than this are trimmed with a notice."""

AUDIO_SUFFIXES: Final = frozenset({".wav", ".flac", ".ogg"})
EFFECT_WORDS: Final = frozenset({"fx", "sfx", "effect", "effects", "noise", "ambience"})
"""Words that name sound effects; in MIDI the program tells them, as "Crystal FX" is a pad."""
WITHOUT_HARMONY: Final = frozenset(
    {"drum", "drums", "drumkit", "kick", "snare", "hat", "hats", "hihat", "cymbal", "cymbals"}
    | {"toms", "clap", "claps", "perc", "percs", "percussion", "shaker", "tambourine"}
    | EFFECT_WORDS
)
WHOLE_MIXES: Final = frozenset({"mix", "mixture", "mixdown", "master", "fullmix"})

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Song:
    """Tracks that were played together.

    Args:
        name: of the folder, or of the two files joined by "+".
        stems: file of each stem by its name, two or more, in the order of the names.
    """

    name: str
    stems: dict[str, Path]


def pair_song(first: str | Path, second: str | Path) -> Song:
    """The song that two files make, whatever their names say.

    Raises:
        AudioFileError: both are the same file.
    """
    first, second = Path(first), Path(second)
    if os.path.realpath(first) == os.path.realpath(second):
        raise AudioFileError(
            f"a pair must be two different files, got {first} twice; name the other track"
        )
    names = (first.stem, second.stem)
    if names[0] == names[1]:
        names = (f"{first.parent.name}/{first.stem}", f"{second.parent.name}/{second.stem}")
    return Song("+".join(names), {names[0]: first, names[1]: second})


def find_songs(folder: str | Path) -> list[Song]:
    """Every subfolder with audio files is a song, and its files, at any depth, are the stems.

    A folder without such subfolders, but with audio files of its own, is one song.

    Args:
        folder: searched for WAV, FLAC and OGG; hidden files and folders are passed over.

    Returns:
        Songs in the order of their names.

    Raises:
        AudioFileError: as in `song_folders`, or a song with fewer than two stems.
    """
    return [_song(place) for place in song_folders(Path(folder))]


def song_folders(folder: Path) -> list[Path]:
    """The folder of every song, as `find_songs` says.

    Raises:
        AudioFileError: no such folder, nothing in it, or songs deeper than its subfolders.
    """
    if not folder.is_dir():
        raise AudioFileError(
            f"{folder} must be a folder with one subfolder of stems per song, but there is no "
            "such folder; check the path"
        )
    places = [place for place in sorted(folder.iterdir()) if place.is_dir()]
    places = [place for place in places if audio_files(place)]
    if not places and audio_files(folder):
        _tell_of_prefixes(folder)
        return [folder]
    if not places:
        raise AudioFileError(
            f"{folder} must hold one subfolder of stems per song, got no WAV, FLAC or OGG file in "
            "it; put the stems of each song into a folder of their own"
        )
    _refuse_nested(places)
    return places


def _refuse_nested(places: Sequence[Path]) -> None:
    """Refuse a "song" that holds songs: files named alike in its folders, or a mix for each."""
    of_place: dict[Path, dict[Path, set[str]]] = {}  # place → folder → names of its files
    for place in places:
        for file in audio_files(place):
            of_place.setdefault(place, {}).setdefault(file.parent, set()).add(file.stem)
    for place, folders in of_place.items():
        alike = [pair for pair in combinations(folders.values(), 2) if len(pair[0] & pair[1]) > 1]
        inner = {folder.name for folder in folders if folder != place}
        others = [of_place[other].get(other, set()) for other in places if other != place]
        if alike or any(len(names) > 1 and names <= inner for names in others):
            raise AudioFileError(
                f"{place} must be one song, but its folders look like songs of their own, as they "
                "hold files of equal names or are named as a mix is; give the folder that the "
                "songs lie in, and nothing beside them"
            )


def _tell_of_prefixes(folder: Path) -> None:
    """A notice if the files of a single song are named as if they belonged to several."""
    counts = Counter(re.split(r"[ _-]", file.stem, maxsplit=1)[0] for file in audio_files(folder))
    if len(counts) > 1 and min(counts.values()) > 1:
        _log.warning(
            "%s is read as one song, though its names begin alike (%s); if those are songs, put "
            "the stems of each into a folder of its own",
            folder,
            ", ".join(sorted(counts)),
        )


def load_song(song: Song, sample_rate: int) -> dict[str, NDArray[np.float32]]:
    """The stems as mono samples of equal length, by name.

    All are trimmed at the end to the shortest; a difference above `LENGTH_TOLERANCE_SECONDS` is
    logged. A stem that is silent over that length is dropped with a notice.

    Args:
        song: where the stems are.
        sample_rate: samples per second wanted.

    Returns:
        Two or more stems, each of shape (frames,), float32, full scale ±1.

    Raises:
        AudioFileError: a file that cannot be used, or fewer than two stems that sound.
    """
    stems = {name: read_audio(path, sample_rate, 1)[:, 0] for name, path in song.stems.items()}
    lengths = {name: len(samples) for name, samples in stems.items()}
    shortest, longest = min(lengths.values()), max(lengths.values())
    if longest - shortest > LENGTH_TOLERANCE_SECONDS * sample_rate:
        _log.warning(
            "%s: the stems should be equally long, got %.1f to %.1f s; all are cut to the shortest",
            song.name,
            shortest / sample_rate,
            longest / sample_rate,
        )
    stems = {name: samples[:shortest] for name, samples in stems.items()}
    sounding = {name: samples for name, samples in stems.items() if not is_silent(samples)}
    for name in (name for name in stems if name not in sounding):
        _log.warning("%s: the stem %s is silent and left out", song.name, name)
    if len(sounding) < 2:
        raise AudioFileError(
            f"the song {song.name} must have at least two stems that sound, got {len(sounding)} "
            f"of {len(stems)}; give tracks that are not silent"
        )
    return sounding


def _song(place: Path) -> Song:
    files = audio_files(place)
    kept = []
    for file in files:
        words = unusable_words(_name(file, place))
        if words:
            told = ", ".join(sorted(words))
            _log.info("%s: %s is left out, its name says %s", place.name, file.name, told)
        else:
            kept.append(file)
    if len(kept) < 2:
        raise AudioFileError(
            f"the song {place} must have at least two stems with pitch, got {len(kept)} (of "
            f"{len(files)} audio files; drums, effects and mixes do not count); add a stem or "
            "move the folder away"
        )
    stems: dict[str, Path] = {}
    for file in kept:
        name = _name(file, place)
        stems[file.relative_to(place).as_posix() if name in stems else name] = file
    return Song(place.name, stems)


def audio_files(place: Path) -> list[Path]:
    """WAV, FLAC and OGG files at any depth, in order; hidden ones are passed over."""
    return sorted(
        path
        for path in place.rglob("*")
        if path.suffix.lower() in AUDIO_SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(place).parts)
    )


def unusable_words(name: str) -> set[str]:
    """Words of a stem's name (split at anything but letters) that bar it from being a stem.

    They name drums, percussion, effects or a whole mix; those of folders, drums, percussion or
    effects alone, as stems may well lie in a folder "mix".

    Args:
        name: of the file without its suffix, after its folders below the song, joined by "/".
    """
    *folders, own = (set(re.split(r"[^a-z]+", part)) for part in name.lower().split("/"))
    return (own & (WITHOUT_HARMONY | WHOLE_MIXES)) | (set().union(*folders) & WITHOUT_HARMONY)


def _name(file: Path, place: Path) -> str:
    return file.relative_to(place).with_suffix("").as_posix()
