"""The importer: one song after another from its sources to a record in the corpus.

A song that cannot be used is refused with one sentence in its record, and the import goes on. A
song whose record is there, of equal sources and settings, is not imported again: an import that
was killed goes on where it was and ends with the same bytes. If only the lengths of windows
differ and its audio was kept, that is heard anew, and nothing is rendered.
"""

import hashlib
import io
import os
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

import numpy as np
import soundfile
from numpy.typing import NDArray
from pydantic import ValidationError

from corpus.annotations import Annotations
from corpus.audio_file import AudioFileError, content_hash, read_audio
from corpus.beat_grid import tempo_of
from corpus.beat_tracking import find_beats
from corpus.manifest import (
    SHORTEST_WINDOW,
    ImportSettings,
    PartRecord,
    SongRecord,
    load_annotations,
    to_json,
)
from corpus.midi_song import MidiFileError
from corpus.rendering import RENDERING, Renderer
from corpus.song_sources import SongSource, SourceError
from corpus.song_stems import AudioStems, MidiStems
from corpus.whole_file import write_atomically

__all__ = [
    "Hear",
    "SongImporter",
    "check_apart",
    "finished_record",
    "import_one_by_one",
    "settings_hash",
    "write_features",
]

Samples = NDArray[np.float32]

SONGS: Final = "songs"


class Hear(Protocol):
    """Makes features of a stem."""

    def __call__(
        self, samples: Samples, lengths: Sequence[float], /
    ) -> dict[str, NDArray[np.generic]]:
        """Features "Δ/field", one row per window, for each length of window, seconds.

        Args:
            samples: mono, at the rate of the settings, shape (n,).
            lengths: of windows, seconds.
        """
        ...


class SongRefusedError(ValueError):
    """A song that cannot be used; the message says why."""


class SongImporter:
    """Imports songs into one corpus, in one process; use it as a context manager.

    Args:
        out: the corpus; songs go into its folder "songs".
        settings: what is made of every song.
        hear: makes the features; None if only audio is kept.

    Raises:
        ValueError: features are to be kept, but nothing hears.
    """

    def __init__(self, out: Path, settings: ImportSettings, hear: Hear | None) -> None:
        if hear is None and settings.keep != "audio":
            raise ValueError(f"to keep {settings.keep}, the importer needs an ear, got none")
        self._out = out
        self._settings = settings
        self._hash = settings_hash(settings)
        self._hear = hear
        self._renderer: Renderer | None = None
        self._written: list[Path] = []  # for the song in work

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def run(self, source: SongSource) -> SongRecord:
        """Import one song, or take up the record of an earlier import.

        Returns:
            Its record; `refused` says why a song cannot be used.

        Raises:
            SynthesizerMissingError: MIDI is to be rendered and FluidSynth is not installed.
            OSError: the corpus cannot be written.
        """
        record = finished_record(self._out, source, self._settings) or self._hear_more(source)
        if record is not None:
            return record
        self._remove_earlier(source)
        self._written = []
        try:
            record = self._import(source, _hashes(source))
        except (SongRefusedError, MidiFileError, AudioFileError) as error:
            self._remove(source, self._written)
            record = self._record(source, _hashes(source), refused=str(error))
        write_atomically(_record_path(self._out, source.name), to_json(record))
        return record

    def _hear_more(self, source: SongSource) -> SongRecord | None:
        """The record of a song whose kept audio only had to be heard in other windows; or None."""
        record = _read_record(_record_path(self._out, source.name))
        if self._hear is None or record is None or record.features is None:
            return None
        earlier = _read_features(self._out / record.features)
        there = tuple(dict.fromkeys(float(name.split("/")[1]) for name in earlier))
        settings = self._settings.model_copy(update={"window_seconds": there})
        if not there or finished_record(self._out, source, settings) is None:
            return None
        wanted = self._settings.window_seconds
        missing = [length for length in wanted if length not in there]
        heard: dict[str, NDArray[np.generic]] = {}
        for index, part in enumerate(record.parts):
            try:
                samples = read_audio(self._out / str(part.audio), self._settings.sample_rate, 1)
            except AudioFileError:  # not kept, or no longer there
                return None
            found = {f"{index}/{k}": v for k, v in self._hear(samples[:, 0], missing).items()}
            for length in wanted:
                prefix = f"{index}/{length:g}/"
                heard |= {k: v for k, v in (earlier | found).items() if k.startswith(prefix)}
        write_features(self._out / record.features, heard)
        known = load_annotations(self._out, record)
        annotations, told = self._find_beats(source, known, record.seconds)
        update = {
            "settings": self._hash,
            "annotations": self._annotate(source, annotations),
            "notices": (*record.notices, *told),
        }
        record = record.model_copy(update=update)
        write_atomically(_record_path(self._out, source.name), to_json(record))
        return record

    def _import(self, source: SongSource, hashes: dict[str, str]) -> SongRecord:
        stems: MidiStems | AudioStems
        if source.layout == "midi":
            stems = MidiStems(source, self._settings, self._open_renderer)
        else:
            stems = AudioStems(source, self._settings)
        names = [part.name for part in stems.parts if part.twin_of is None]
        doubled = tuple(pair for pair in combinations(names, 2) if stems.are_doubled(*pair))
        if len(names) < 2 or len(doubled) == len(names) * (len(names) - 1) // 2:
            dropped = "".join(f"; {one.part}: {one.reason}" for one in stems.dropped)
            what = "all double each other" if len(names) >= 2 else f"got {len(names)}"
            raise SongRefusedError(
                f"the song {source.name} must have two parts with pitch that differ, {what}"
                f"{dropped}"
            )
        parts, features = self._keep(source, stems)
        found, told = self._find_beats(source, stems.annotations, stems.seconds)
        annotations = self._annotate(source, found)
        return self._record(
            source,
            hashes,
            seconds=round(stems.seconds, 3),
            parts=parts,
            doubled=doubled,
            dropped=tuple(stems.dropped),
            notices=(*stems.notices, *told),
            features=features,
            annotations=annotations,
        )

    def _keep(
        self, source: SongSource, stems: "MidiStems | AudioStems"
    ) -> tuple[tuple[PartRecord, ...], str | None]:
        """Write features and audio of all parts; one part at a time is in memory."""
        heard: dict[str, NDArray[np.generic]] = {}
        parts = []
        for index, part in enumerate(stems.parts):
            samples, rate = stems.samples(part), self._settings.sample_rate
            if self._settings.keep != "features":
                path = self._folder(source) / f"{index} {part.name.replace('/', ' ')}.flac"
                self._written.append(path)
                _write_flac(path, samples, rate)
                part = part.model_copy(update={"audio": path.relative_to(self._out).as_posix()})
            if self._hear is not None and self._settings.keep != "audio":
                if self._settings.keep == "both":
                    samples = read_audio(path, rate, 1)[:, 0]  # as it would be heard later
                found = self._hear(samples, self._settings.window_seconds)
                heard |= {f"{index}/{key}": value for key, value in found.items()}
            parts.append(part)
        if not heard:
            return tuple(parts), None
        path = _record_path(self._out, source.name).with_suffix(".npz")
        self._written.append(path)
        write_features(path, heard)
        return tuple(parts), path.relative_to(self._out).as_posix()

    def _find_beats(
        self, source: SongSource, known: Annotations, seconds: float
    ) -> tuple[Annotations, list[str]]:
        """Annotations with beats if fine windows shall follow them, and what to say about it."""
        if known.beats or SHORTEST_WINDOW not in self._settings.window_seconds:
            return known, []
        beats = find_beats(source, seconds)
        if not beats:
            return known, ["no beats are annotated, and none were found in its sound"]
        told = f"its beats were found in its sound, about {tempo_of(beats):.0f} per minute"
        return known.model_copy(update={"beats": beats}), [told]

    def _annotate(self, source: SongSource, annotations: Annotations) -> str | None:
        if annotations == Annotations():
            return None
        record = _record_path(self._out, source.name)
        path = record.with_name(record.name.removesuffix(".json") + ".annotations.json")
        write_atomically(path, to_json(annotations))
        return path.relative_to(self._out).as_posix()

    def _remove_earlier(self, source: SongSource) -> None:
        """Remove what an import of other sources or settings left, its record first."""
        place = _record_path(self._out, source.name)
        record = _read_record(place)
        if record is None:
            return
        place.unlink()
        kept = [record.features, record.annotations, *(part.audio for part in record.parts)]
        self._remove(source, [self._out / name for name in kept if name is not None])

    def _remove(self, source: SongSource, files: Sequence[Path]) -> None:
        """Remove files that an import wrote; whatever else lies beside them stays."""
        for file in files:
            file.unlink(missing_ok=True)
        with suppress(OSError):  # not there, or not empty
            self._folder(source).rmdir()

    def _record(self, source: SongSource, hashes: dict[str, str], **fields: object) -> SongRecord:
        return SongRecord.model_validate(
            {
                "name": source.name,
                "collection": source.collection,
                "layout": source.layout,
                "sources": hashes,
                "settings": self._hash,
                **fields,
            }
        )

    def _folder(self, source: SongSource) -> Path:
        return self._out / SONGS / source.name

    def _open_renderer(self) -> Renderer:
        if self._renderer is None:
            self._renderer = Renderer(self._settings.sample_rate)
        return self._renderer


def finished_record(out: Path, source: SongSource, settings: ImportSettings) -> SongRecord | None:
    """The record of a song that was imported before, from equal sources with equal settings."""
    record = _read_record(_record_path(out, source.name))
    if record is None:
        return None
    if record.layout != "midi" and any(part.fingerprint is None for part in record.parts):
        return None  # of before there were fingerprints
    same = record.settings == settings_hash(settings) and record.collection == source.collection
    return record if same and record.sources == _hashes(source) else None


def check_apart(places: Sequence[Path], out: Path) -> None:
    """Refuse a corpus that would write its songs among the sources, or take its own for sources.

    Args:
        places: what is imported.
        out: the corpus.

    Raises:
        SourceError: the folder of its songs overlaps a place.
    """
    songs = Path(os.path.realpath(out / SONGS))  # `resolve` raises at a link to itself
    for place in places:
        here = Path(os.path.realpath(place))
        if songs.is_relative_to(here) or here.is_relative_to(songs):
            raise SourceError(
                f"--out must lie apart from what is imported, got {out}, whose folder {SONGS} "
                f"overlaps {place}; choose another --out"
            )


def settings_hash(settings: ImportSettings) -> str:
    """16 hexadecimal digits that name the settings and the rendering."""
    named = f"{RENDERING} {settings.model_dump_json()}"
    return hashlib.blake2b(named.encode(), digest_size=8).hexdigest()


def _hashes(source: SongSource) -> dict[str, str]:
    """Content hashes of the files; a file that cannot be read has an empty one."""
    found = {}
    for name, path in source.paths.items():
        try:
            found[name] = content_hash(path)
        except AudioFileError:
            found[name] = ""
    return found


def _read_record(place: Path) -> SongRecord | None:
    try:
        return SongRecord.model_validate_json(place.read_bytes())
    except (OSError, ValidationError):
        return None


def _read_features(path: Path) -> dict[str, NDArray[np.generic]]:
    """The arrays of an npz file; none if it is not there or damaged."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return {}


def _record_path(out: Path, name: str) -> Path:
    return out / SONGS / f"{name}.json"


def _write_flac(path: Path, samples: Samples, sample_rate: int) -> None:
    sound = io.BytesIO()  # libsndfile would keep the reason to itself if a disk is full
    soundfile.write(sound, samples, sample_rate, format="FLAC", subtype="PCM_16")
    write_atomically(path, sound.getbuffer())


def write_features(path: Path, arrays: dict[str, NDArray[np.generic]]) -> None:
    """Write arrays as an npz file, whole or not at all; the same arrays give the same bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, array in arrays.items():  # np.savez would write the time of day
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
    write_atomically(path, content.getbuffer())


def import_one_by_one(
    sources: Sequence[SongSource], out: Path, settings: ImportSettings, hear: Hear | None
) -> Iterator[SongRecord]:
    """The records of all songs, imported in this process, in order."""
    with SongImporter(out, settings, hear) as importer:
        for source in sources:
            yield importer.run(source)
