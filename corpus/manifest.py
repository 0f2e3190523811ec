"""The manifest of an imported corpus: every song, what was kept, what was dropped and why.

    OUT/manifest.json           this file
    OUT/songs/NAME.json         the record of one song: written last, so what has one is done
    OUT/songs/NAME.npz          features of its parts
    OUT/songs/NAME/PART.flac    audio of its parts

It holds no dates and no absolute paths: the same sources, settings and seed give the same bytes.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from corpus.annotations import Annotations
from corpus.fingerprint import first_alike
from corpus.song_sources import Layout
from corpus.voices import Voice, VoiceConfig
from corpus.whole_file import write_atomically

__all__ = [
    "MANIFEST_FILE",
    "CorpusManifest",
    "Dropped",
    "ImportSettings",
    "ManifestError",
    "PartRecord",
    "SongRecord",
    "assemble",
    "load_manifest",
    "music_of",
    "write_atomically",
]

MANIFEST_FILE: Final = "manifest.json"
VERSION: Final = 1

SHORTEST_WINDOW: Final = 0.05
"""Seconds; a shorter one holds no two periods of a low tone, and onsets not at all."""

Role = Literal["train", "validation", "test"]


class ManifestError(ValueError):
    """A corpus that cannot be used; the message says what must hold and what to do."""


class ImportSettings(BaseModel, frozen=True, extra="forbid"):
    """What an import makes of every song."""

    sample_rate: int = Field(22050, ge=8000, le=96_000)
    """Samples per second of stems and features."""
    keep: Literal["features", "audio", "both"] = "features"
    """What is written: features of every window, FLAC stems, or both."""
    window_seconds: tuple[Annotated[float, Field(ge=SHORTEST_WINDOW, le=4)], ...] = (0.5, 0.25)
    """Lengths of the windows that features are written for, seconds."""
    voices: VoiceConfig = Field(default_factory=VoiceConfig)
    """How MIDI parts are rendered."""
    twins: bool = False
    """Every MIDI part is rendered a second time on another instrument."""
    longest_seconds: float = Field(3600.0, gt=0)
    """Songs are cut after this."""
    fewest_notes: int = Field(20, ge=1)
    """A MIDI part with fewer notes is dropped as near-empty."""
    least_sounding: float = Field(0.02, ge=0, le=1)
    """A part that sounds for a smaller share of its song is dropped as near-empty."""
    ear: str = ""
    """What made the features; another text makes another corpus."""


class PartRecord(BaseModel, frozen=True, extra="forbid"):
    """A part that was kept."""

    name: str
    content: str
    """Hash of its notes or samples; equal for equal parts."""
    fingerprint: str | None = None
    """By which it is known again at another level or from another codec; None for MIDI."""
    sounding_share: float
    """Share of the song in which it sounds, 0..1."""
    program: int | None = None
    """General MIDI program it was written for; None for audio."""
    n_notes: int | None = None
    """None for audio."""
    voice: Voice | None = None
    """How it was rendered; None for audio."""
    twin_of: str | None = None
    """The part that plays the same notes on another instrument."""
    audio: str | None = None
    """Its FLAC file, relative to the corpus."""


class Dropped(BaseModel, frozen=True, extra="forbid"):
    """A part that was not kept."""

    part: str
    reason: str


class SongRecord(BaseModel, frozen=True, extra="forbid"):
    """One song of a corpus."""

    name: str
    collection: str
    """The folder that it came from."""
    layout: Layout
    sources: dict[str, str]
    """Content hash of every source file, by part ("midi" for MIDI)."""
    settings: str
    """Hash of the settings it was imported with."""
    seconds: float = 0.0
    """Length of every stem."""
    parts: tuple[PartRecord, ...] = ()
    doubled: tuple[tuple[str, str], ...] = ()
    """Parts that must not be paired with each other."""
    dropped: tuple[Dropped, ...] = ()
    notices: tuple[str, ...] = ()
    """What was done about unequal rates and lengths, one sentence each."""
    features: str | None = None
    """Its features, relative to the corpus."""
    annotations: str | None = None
    """Its annotations, relative to the corpus."""
    refused: str = ""
    """Why it cannot be used, one sentence; empty if it can."""
    role: Role | None = None
    """Which side of the split it is on; None if refused."""

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Names of parts that may answer each other, in either direction; twins do not count."""
        names = [part.name for part in self.parts if part.twin_of is None]
        apart = {frozenset(pair) for pair in self.doubled}
        return [pair for pair in combinations(names, 2) if frozenset(pair) not in apart]


class CorpusManifest(BaseModel, frozen=True, extra="forbid"):
    """Everything that was imported."""

    version: Literal[1] = VERSION
    settings: ImportSettings
    split: str
    """By which rule songs were divided."""
    seed: int
    """Of the split."""
    songs: tuple[SongRecord, ...]
    """In the order of their names, refused ones included."""

    @property
    def used(self) -> list[SongRecord]:
        """The songs that can be used."""
        return [song for song in self.songs if not song.refused]

    def with_role(self, role: Role) -> list[SongRecord]:
        """The usable songs on one side of the split."""
        return [song for song in self.used if song.role == role]


def assemble(
    records: Iterable[SongRecord],
    settings: ImportSettings,
    split: str,
    seed: int,
    role_of: Callable[[Sequence[Sequence[SongRecord]]], Sequence[Role]],
) -> CorpusManifest:
    """The manifest of all records: duplicates refused, relatives on one side of the split.

    A song whose parts are all those of an earlier one (in order of names) is refused. Songs that
    share some part are divided as one. Parts are compared as `music_of` says.

    Args:
        records: one for each source.
        settings: of the import.
        split: the name of the rule.
        seed: of the rule.
        role_of: gives each group of songs its role.
    """
    ordered = sorted(records, key=lambda record: record.name)
    music = music_of(part for record in ordered for part in record.parts)
    seen: dict[frozenset[str], str] = {}
    checked = []
    for record in ordered:
        parts = frozenset(music[part.content] for part in record.parts)
        if not record.refused and parts in seen:
            reason = f"it holds the same music as {seen[parts]}, which is kept"
            checked.append(record.model_copy(update={"refused": reason}))
            continue
        if not record.refused:
            seen[parts] = record.name
        checked.append(record)
    groups = _groups([record for record in checked if not record.refused], music)
    roles = {
        record.name: role
        for group, role in zip(groups, role_of(groups), strict=True)
        for record in group
    }
    songs = tuple(record.model_copy(update={"role": roles.get(record.name)}) for record in checked)
    return CorpusManifest(settings=settings, split=split, seed=seed, songs=songs)


def music_of(parts: Iterable[PartRecord]) -> dict[str, str]:
    """By the content of each part, that of the first part with the same music.

    MIDI parts are the same if their notes are; recordings if their fingerprints are alike.
    """
    unique = list({part.content: part for part in parts}.values())
    music: dict[str, str] = {}
    places = first_alike(part.fingerprint or "" for part in unique)
    for part, place in zip(unique, places, strict=True):
        first = unique[place].content
        music[part.content] = music.get(first, first)
    return music


def load_manifest(corpus: str | Path) -> CorpusManifest:
    """The manifest of an imported corpus.

    Raises:
        ManifestError: there is none, or it cannot be read.
    """
    path = Path(corpus) / MANIFEST_FILE
    try:
        return CorpusManifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ManifestError(
            f"{corpus} must be an imported corpus with a {MANIFEST_FILE}, got none that can be "
            "read; import it first"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(one) for one in first["loc"])
        raise ManifestError(
            f"{path} must be a manifest of version {VERSION}, but {place or 'it'} is not: "
            f"{first['msg']}; import the corpus again"
        ) from error


def load_annotations(corpus: str | Path, song: SongRecord) -> Annotations:
    """What is known about a song; empty if nothing is."""
    if song.annotations is None:
        return Annotations()
    return Annotations.model_validate_json((Path(corpus) / song.annotations).read_bytes())


def load_features(
    corpus: str | Path, song: SongRecord, window_seconds: float
) -> dict[str, dict[str, np.ndarray]]:
    """Features of every part of a song, by the name of the part and then of the field.

    Fields: "features" (W, D) float32, "energy_db" (W,) float32, "onset" (W,) float32, "silent"
    (W,) bool; W is the same for all parts.

    Raises:
        ManifestError: the corpus has no features of this window length.
    """
    if song.features is not None:
        with np.load(Path(corpus) / song.features, allow_pickle=False) as stored:
            prefix = f"{window_seconds:g}/"
            names = [name for name in stored.files if name.startswith(f"0/{prefix}")]
            if names:
                fields = [name.rsplit("/", 1)[1] for name in names]
                return {
                    part.name: {field: stored[f"{index}/{prefix}{field}"] for field in fields}
                    for index, part in enumerate(song.parts)
                }
    raise ManifestError(
        f"the song {song.name} must have features of windows of {window_seconds:g} s, got none; "
        f"import it again with --window {window_seconds:g}"
    )


def to_json(model: BaseModel) -> str:
    """Indented JSON with a final line feed, fields in their order."""
    return json.dumps(model.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"


def _groups(records: Sequence[SongRecord], music: Mapping[str, str]) -> list[list[SongRecord]]:
    """Songs that share a part, directly or through others; groups in order of their first song."""
    group_of_part: dict[str, list[SongRecord]] = {}
    groups: list[list[SongRecord]] = []
    for record in records:
        related: list[list[SongRecord]] = []
        for part in record.parts:
            group = group_of_part.get(music[part.content])
            if group is not None and not any(group is one for one in related):
                related.append(group)
        merged = [record]
        if related:
            merged = related[0]
            for other in related[1:]:
                merged += other
                groups = [group for group in groups if group is not other]
            merged.append(record)
        else:
            groups.append(merged)
        for member in merged:
            for part in member.parts:
                group_of_part[music[part.content]] = merged
    return groups
