"""What is replayed: duos of a guide and its true partner, and the memory that answers the guide."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from corpus.audio_file import AudioFileError
from corpus.manifest import MANIFEST_FILE, ManifestError, load_manifest
from corpus.pairs import Song, find_songs
from corpus.voices import name_seed

__all__ = ["Duo", "find_duos"]

MEMORY_SONGS: Final = 8
"""Songs whose stems make a memory."""
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
    """

    song: str
    guide: str
    partner: str
    guide_file: Path
    partner_file: Path
    memory: tuple[Path, ...]
    stranger: Path

    @property
    def name(self) -> str:
        """Names the duo among all."""
        return f"{self.song}: {self.guide} → {self.partner}"


def find_duos(
    place: Path, limit: int | None, seed: int, memory: Sequence[Path] = ()
) -> tuple[list[Duo], list[str]]:
    """The duos of a corpus (its test songs) or of a folder of songs, and what to know about them.

    Args:
        place: an imported corpus with audio, or a folder with a subfolder of stems per song.
        limit: songs at most, drawn; None for all.
        seed: of all draws.
        memory: answer with these files instead of stems of other songs.

    Raises:
        ManifestError, AudioFileError: no such place, too few songs, or a corpus without audio.
    """
    if (place / MANIFEST_FILE).is_file():
        songs, pairs = _of_corpus(place)
    else:
        songs = find_songs(place)
        pairs = {song.name: _every_pair(song) for song in songs}
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
        others = [other for other in songs if other.name != song.name]
        directed = [duo for a, b in pairs[song.name] for duo in ((a, b), (b, a))]
        draw = np.random.default_rng([seed, name_seed(song.name)])
        for index in sorted(draw.permutation(len(directed))[:DUOS_PER_SONG]):
            guide, partner = directed[index]
            duos.append(_duo(song, guide, partner, others, tuple(memory), draw))
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


def _of_corpus(place: Path) -> tuple[list[Song], dict[str, list[tuple[str, str]]]]:
    """Test songs with their audio, and the pairs in each that may answer each other."""
    songs, pairs = [], {}
    for record in load_manifest(place).with_role("test"):
        stems = {one.name: place / one.audio for one in record.parts if one.audio is not None}
        usable = [pair for pair in record.pairs if all(name in stems for name in pair)]
        if usable:
            songs.append(Song(record.name, stems))
            pairs[record.name] = usable
    if not songs:
        raise ManifestError(
            f"{place} must hold test songs with audio, got none; import it with --keep both"
        )
    return songs, pairs


def _every_pair(song: Song) -> list[tuple[str, str]]:
    names = list(song.stems)
    return [(a, b) for index, a in enumerate(names) for b in names[index + 1 :]]
