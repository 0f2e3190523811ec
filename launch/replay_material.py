"""What is replayed: duos of a guide and its true partner, and the memory that answers the guide."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Final

import numpy as np

from corpus.audio_file import AudioFileError, read_audio
from corpus.doubling import are_doubled_samples
from corpus.manifest import (
    MANIFEST_FILE,
    ManifestError,
    Role,
    load_annotations,
    load_manifest,
)
from corpus.pairs import Song, find_songs
from corpus.voices import name_seed

__all__ = ["Duo", "find_duos"]

MEMORY_SONGS: Final = 8
"""Songs whose stems make a memory."""
COMPARED_RATE: Final = 8000
"""At which stems are read to be compared, Hz: doubled ones are told below 2 kHz."""
DUOS_PER_SONG: Final = 2
"""Duos taken from one song, drawn if it has more: no song outweighs the others."""


@dataclass(frozen=True)
class Duo:
    """A guide, who played with it, and what an agent may answer with instead.

    Args:
        song: name of the song.
        guide: name of the stem heard.
        partner: name of the stem that answered it in truth.
        guide_file: audio.
        partner_file: audio.
        memory: stems of the partner's kind from other songs.
        stranger: one of them, the floor: what an unrelated track scores.
        warm_up_seconds: at the start of guide and partner, played and not measured.
        beats: of the song, seconds; empty if nobody knows.
    """

    song: str
    guide: str
    partner: str
    guide_file: Path
    partner_file: Path
    memory: tuple[Path, ...]
    stranger: Path
    warm_up_seconds: float = 0.0
    beats: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        """Names the duo among all."""
        return f"{self.song}: {self.guide} → {self.partner}"


_Found = tuple[list[Song], dict[str, list[tuple[str, str]]], dict[str, tuple[float, ...]]]


def find_duos(
    place: Path,
    limit: int | None,
    seed: int,
    memory: Sequence[Path] = (),
    role: Role = "test",
) -> tuple[list[Duo], list[str]]:
    """The duos of a corpus (one side of its split) or of a folder of songs, and what to know.

    Args:
        place: an imported corpus with audio, or a folder with a subfolder of stems per song.
        limit: songs at most, drawn; None for all.
        seed: of all draws.
        memory: answer with these files instead of stems of other songs.
        role: the side of a corpus; choices are made on "validation", figures told of "test".

    Raises:
        ManifestError, AudioFileError: no such place, too few songs, or a corpus without audio.
    """
    in_corpus = (place / MANIFEST_FILE).is_file()
    songs, pairs, beats = _of_corpus(place, role) if in_corpus else _of_folder(place)
    if len(songs) < 2:
        raise AudioFileError(
            f"{place} must hold at least two songs to try, as a song is compared with strangers, "
            f"got {len(songs)}; add songs"
        )
    rng = np.random.default_rng(seed)
    order = [songs[index] for index in rng.permutation(len(songs))]
    chosen = sorted(order[:limit], key=lambda song: song.name)
    notices = [f"{len(chosen)} of {len(songs)} songs are played, {DUOS_PER_SONG} duos of each."]
    duos = []
    for song in chosen:
        if not in_corpus:
            notices += _keep_apart(song, pairs[song.name])
        others = [other for other in songs if other.name != song.name]
        directed = [duo for a, b in pairs[song.name] for duo in ((a, b), (b, a))]
        draw = np.random.default_rng([seed, name_seed(song.name)])
        for index in sorted(draw.permutation(len(directed))[:DUOS_PER_SONG]):
            guide, partner = directed[index]
            duo = _duo(song, guide, partner, others, tuple(memory), draw)
            duos.append(replace(duo, beats=beats.get(song.name, ())))
    if not duos:
        raise AudioFileError(
            f"{place} must hold songs with two stems that differ, got none: {notices[-1]}"
        )
    return duos, notices


def _duo(
    song: Song,
    guide: str,
    partner: str,
    others: Sequence[Song],
    memory: tuple[Path, ...],
    draw: np.random.Generator,
) -> Duo:
    """Stems of the partner's name come first; songs without one give whatever they have."""
    alike = [other.stems[partner] for other in others if partner in other.stems]
    if not alike:
        alike = [stem for other in others for stem in other.stems.values()]
    drawn = [alike[index] for index in draw.permutation(len(alike))]
    return Duo(
        song=song.name,
        guide=guide,
        partner=partner,
        guide_file=song.stems[guide],
        partner_file=song.stems[partner],
        memory=memory or tuple(drawn[:MEMORY_SONGS]),
        stranger=drawn[-1],
    )


def _of_corpus(place: Path, role: Role) -> _Found:
    """Songs of one side with their audio, the pairs that may answer each other, and beats."""
    songs, pairs, beats = [], {}, {}
    for record in load_manifest(place).with_role(role):
        stems = {one.name: place / one.audio for one in record.parts if one.audio is not None}
        usable = [pair for pair in record.pairs if all(name in stems for name in pair)]
        if usable:
            songs.append(Song(record.name, stems))
            pairs[record.name] = usable
            beats[record.name] = load_annotations(place, record).beats
    if not songs:
        raise ManifestError(
            f"{place} must hold {role} songs with audio, got none; import it with --keep both"
        )
    return songs, pairs, beats


def _of_folder(place: Path) -> _Found:
    """All songs of a folder, and every pair of stems in each; nothing is known of their beats."""
    songs = find_songs(place)
    return songs, {song.name: list(combinations(song.stems, 2)) for song in songs}, {}


def _keep_apart(song: Song, pairs: list[tuple[str, str]]) -> list[str]:
    """Take out pairs of stems that double each other, as training does; what to say about it."""
    try:
        stems = {n: read_audio(path, COMPARED_RATE, 1)[:, 0] for n, path in song.stems.items()}
    except AudioFileError:  # refused where it is played
        return []
    doubled = [(a, b) for a, b in pairs if are_doubled_samples(stems[a], stems[b], COMPARED_RATE)]
    pairs[:] = [pair for pair in pairs if pair not in doubled]
    return [f"{song.name}: {a} and {b} are one and the same music and no duo." for a, b in doubled]
