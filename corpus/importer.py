"""The importer: one song after another from its sources to a record in the corpus.

A song that cannot be used is refused with one sentence in its record, and the import goes on. A
song whose record is there, of equal sources and settings, is not imported again: an import that
was killed goes on where it was and ends with the same bytes.
"""

import hashlib
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
import soundfile
from numpy.typing import NDArray
from pydantic import ValidationError

from corpus.annotations import Annotations
from corpus.audio_file import AudioFileError, content_hash
from corpus.manifest import (
    ImportSettings,
    PartRecord,
    SongRecord,
    to_json,
    write_atomically,
)
from corpus.midi_song import MidiFileError
from corpus.rendering import RENDERING, Renderer
from corpus.song_sources import SongSource
from corpus.song_stems import AudioStems, MidiStems

__all__ = [
    "Hear",
    "SongImporter",
    "finished_record",
    "import_one_by_one",
    "settings_hash",
    "write_features",
]

Samples = NDArray[np.float32]
Hear = Callable[[Samples], dict[str, NDArray[np.generic]]]
"""Features of a stem at the rate of the settings: "Δ/field" → array, one row per window."""

SONGS: Final = "songs"


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
        record = finished_record(self._out, source, self._settings)
        if record is not None:
            return record
        try:
            record = self._import(source, _hashes(source))
        except (SongRefusedError, MidiFileError, AudioFileError) as error:
            shutil.rmtree(self._folder(source), ignore_errors=True)
            record = self._record(source, _hashes(source), refused=str(error))
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
        annotations = self._annotate(source, stems.annotations)
        return self._record(
            source,
            hashes,
            seconds=round(stems.seconds, 3),
            parts=parts,
            doubled=doubled,
            dropped=tuple(stems.dropped),
            notices=tuple(stems.notices),
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
            samples = stems.samples(part)
            if self._hear is not None and self._settings.keep != "audio":
                heard |= {f"{index}/{key}": value for key, value in self._hear(samples).items()}
            if self._settings.keep != "features":
                path = self._folder(source) / f"{index} {part.name.replace('/', ' ')}.flac"
                _write_flac(path, samples, self._settings.sample_rate)
                part = part.model_copy(update={"audio": path.relative_to(self._out).as_posix()})
            parts.append(part)
        if not heard:
            return tuple(parts), None
        path = _record_path(self._out, source.name).with_suffix(".npz")
        write_features(path, heard)
        return tuple(parts), path.relative_to(self._out).as_posix()

    def _annotate(self, source: SongSource, annotations: Annotations) -> str | None:
        if annotations == Annotations():
            return None
        record = _record_path(self._out, source.name)
        path = record.with_name(record.name.removesuffix(".json") + ".annotations.json")
        write_atomically(path, to_json(annotations))
        return path.relative_to(self._out).as_posix()

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
    try:
        record = SongRecord.model_validate_json(_record_path(out, source.name).read_bytes())
    except (OSError, ValidationError):
        return None
    same = record.settings == settings_hash(settings) and record.collection == source.collection
    return record if same and record.sources == _hashes(source) else None


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


def _record_path(out: Path, name: str) -> Path:
    return out / SONGS / f"{name}.json"


def _write_flac(path: Path, samples: Samples, sample_rate: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    soundfile.write(part, samples, sample_rate, format="FLAC", subtype="PCM_16")
    os.replace(part, path)


def write_features(path: Path, arrays: dict[str, NDArray[np.generic]]) -> None:
    """Write arrays as an npz file, whole or not at all; the same arrays give the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with zipfile.ZipFile(part, "w") as archive:
        for name, array in arrays.items():  # np.savez would write the time of day
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
    os.replace(part, path)


def import_one_by_one(
    sources: Sequence[SongSource], out: Path, settings: ImportSettings, hear: Hear | None
) -> Iterator[SongRecord]:
    """The records of all songs, imported in this process, in order."""
    with SongImporter(out, settings, hear) as importer:
        for source in sources:
            yield importer.run(source)
