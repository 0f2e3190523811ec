"""Pairs of program and sound on disk: N fillings of every template, rendered, checked, levelled.

A data set is a folder. `dataset.yaml` says how it was made and guards against mixing,
`pairs.sqlite` has a row for every filling tried (program, outcome, levels, events), `sound/` has a
FLAC file for every pair kept. Making one can be stopped at any time and taken up again; the result
is the same, as each pair depends on (template, seed, index) alone.

Sound is kept mono at 22.05 kHz, levelled to one loudness: how loud a program is cannot be told
from it. What is silent, clipped or failed is counted and dropped.
"""

import io
import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import soundfile
import soxr
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from corpus.sonic_pi.events import REAL_TIME, Event
from corpus.sonic_pi.renderer import Rendering
from corpus.sonic_pi.templating import Template
from corpus.whole_file import write_atomically

__all__ = ["CheckConfig", "Dataset", "DatasetConfig", "Job", "Outcome", "Pair", "checked_pair"]

SAMPLE_RATE: Final = 22_050
Outcome = Literal["kept", "silent", "clipped", "failed"]


class CheckConfig(BaseModel, frozen=True, extra="forbid"):
    """What makes a render unusable, and how the others are levelled."""

    silent_below_db: float = Field(-60.0, le=0, description="RMS of the whole render, dBFS")
    full_scale: float = Field(0.999, gt=0, description="magnitude from which a sample is clipped")
    clipped_share: float = Field(0.001, ge=0, le=1, description="clipped samples from which it is")
    level_db: float = Field(
        -23.0, le=0, description="RMS after levelling, dBFS; peaks stay below 1"
    )


class DatasetConfig(BaseModel, frozen=True, extra="forbid"):
    """How a data set is made."""

    renders: int = Field(500, ge=1, description="fillings of each template")
    seconds: float = Field(10.0, gt=0, le=600, description="length of a render")
    seed: int = Field(0, ge=0, description="of the fillings")
    check: CheckConfig = Field(CheckConfig(), description="what is dropped")


@dataclass(frozen=True)
class Job:
    """One program to render."""

    template: str
    index: int
    code: str
    seconds: float


@dataclass(frozen=True, eq=False)
class Pair:
    """One filling tried.

    Args:
        template, index: which filling.
        code: the program.
        outcome: kept, or why not.
        level_db: RMS as rendered, dBFS, at least -120.
        peak: largest magnitude as rendered.
        events: what the program played.
        note: first error of a failed program, else empty.
        sound: FLAC file as bytes; empty if not kept or not asked for.
    """

    template: str
    index: int
    code: str
    outcome: Outcome
    level_db: float
    peak: float
    events: tuple[Event, ...]
    note: str
    sound: bytes = b""

    def samples(self) -> NDArray[np.float32]:
        """The sound, mono at 22.05 kHz, shape (samples,).

        Raises:
            ValueError: if the pair has no sound.
        """
        if not self.sound:
            raise ValueError(f"{self.template} {self.index} has no sound: it was {self.outcome}")
        samples: NDArray[np.float32] = soundfile.read(io.BytesIO(self.sound), dtype="float32")[0]
        return samples


def checked_pair(job: Job, rendering: Rendering, config: CheckConfig) -> Pair:
    """Judges a render and levels its sound; the same render gives the same bytes.

    Args:
        job: what was to be rendered.
        rendering: what came of it.
        config: what to drop.
    """
    mono = rendering.audio.mean(axis=1)
    level_db = 20 * float(np.log10(max(float(np.sqrt(np.mean(mono**2, dtype=np.float64))), 1e-6)))
    clipped = float(np.mean(np.abs(rendering.audio) >= config.full_scale))
    outcome: Outcome = "kept"
    if rendering.errors:
        outcome = "failed"
    elif level_db < config.silent_below_db:
        outcome = "silent"
    elif clipped > config.clipped_share:
        outcome = "clipped"
    sound = _encoded(mono, rendering.sample_rate, config) if outcome == "kept" else b""
    note = str(rendering.errors[0]) if rendering.errors else ""
    return Pair(
        job.template, job.index, job.code, outcome, level_db, rendering.peak, rendering.events,
        note, sound,
    )  # fmt: skip


def _encoded(mono: NDArray[np.float32], sample_rate: int, config: CheckConfig) -> bytes:
    resampled = soxr.resample(mono, sample_rate, SAMPLE_RATE)
    gain = 10 ** (config.level_db / 20) / max(float(np.sqrt(np.mean(resampled**2))), 1e-9)
    gain = min(gain, 0.99 / max(float(np.abs(resampled).max()), 1e-9))
    file = io.BytesIO()
    soundfile.write(file, resampled * gain, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return file.getvalue()


_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS pairs (
    template TEXT NOT NULL, number INTEGER NOT NULL, code TEXT NOT NULL, outcome TEXT NOT NULL,
    level_db REAL NOT NULL, peak REAL NOT NULL, events BLOB NOT NULL, note TEXT NOT NULL,
    PRIMARY KEY (template, number)
) WITHOUT ROWID
"""


class Dataset:
    """A data set on disk; a context manager. One process writes, any number read.

    Args:
        folder: made if it is not there.
        config: how it is made; None opens one that exists.
        templates: what it is made from; needed to add pairs.

    Raises:
        ValueError: if the folder holds a data set made otherwise, or a damaged one, or two
            templates share a name.
        OSError: it cannot be made or written; the message says what to do.
        FileNotFoundError: if `config` is None and there is no data set.
    """

    def __init__(
        self,
        folder: Path,
        config: DatasetConfig | None = None,
        templates: Sequence[Template] = (),
    ) -> None:
        self._folder, self._templates = folder, tuple(templates)
        names = [template.name for template in templates]
        if len(set(names)) < len(names):
            raise ValueError(f"templates must have different names, got {sorted(names)}")
        self.config = _opened(folder, config, self._templates)
        with _said_of(folder):
            (folder / "sound").mkdir(exist_ok=True)
            self._rows = sqlite3.connect(folder / "pairs.sqlite")
            self._rows.execute("PRAGMA journal_mode=WAL")
            self._rows.execute(_SCHEMA)

    def __enter__(self) -> "Dataset":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file of rows."""
        self._rows.close()

    @property
    def n_wanted(self) -> int:
        """How many fillings the whole data set tries."""
        return self.config.renders * len(self._templates)

    @property
    def n_tried(self) -> int:
        """How many fillings need not be tried again."""
        return len(self._tried())

    def missing(self) -> Iterator[Job]:
        """The fillings not tried, or tried in vain on a busy machine; templates in turn."""
        done = self._tried()
        for index in range(self.config.renders):
            for template in self._templates:
                if (template.name, index) not in done:
                    code = template.fill(index, self.config.seed).code
                    yield Job(template.name, index, code, self.config.seconds)

    def _tried(self) -> set[tuple[str, int]]:
        return set(
            self._rows.execute(
                "SELECT template, number FROM pairs WHERE outcome != 'failed' OR note NOT LIKE ?",
                (f"%{REAL_TIME}%",),
            )
        )

    def add(self, pair: Pair) -> None:
        """Writes one pair; sound first, so that a row never lacks its file.

        Raises:
            OSError: the disk is full or cannot be written; what was written before is whole.
        """
        events = zlib.compress(json.dumps([event._asdict() for event in pair.events]).encode())
        with _said_of(self._folder):
            if pair.sound:
                write_atomically(self._sound_path(pair.template, pair.index), pair.sound)
            with self._rows:
                self._rows.execute(
                    "INSERT OR REPLACE INTO pairs VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (pair.template, pair.index, pair.code, pair.outcome, pair.level_db, pair.peak,
                     events, pair.note),
                )  # fmt: skip

    def counts(self) -> dict[str, int]:
        """How many pairs there are of each outcome."""
        rows = self._rows.execute("SELECT outcome, COUNT(*) FROM pairs GROUP BY outcome")
        return {"kept": 0, "silent": 0, "clipped": 0, "failed": 0, **dict(rows)}

    def pairs(self, *outcomes: Outcome, sound: bool = True) -> Iterator[Pair]:
        """The pairs tried, by template and index.

        Args:
            outcomes: which; none given means those kept.
            sound: read the sound files too.
        """
        wanted = outcomes or ("kept",)
        marks = ", ".join("?" * len(wanted))
        rows = self._rows.execute(
            f"SELECT * FROM pairs WHERE outcome IN ({marks}) ORDER BY template, number", wanted
        )
        for template, index, code, outcome, level_db, peak, events, note in rows:
            pair = Pair(template, index, code, outcome, level_db, peak, _events(events), note)
            yield self.with_sound(pair) if sound and outcome == "kept" else pair

    def with_sound(self, pair: Pair) -> Pair:
        """A pair that was kept, given without its sound, with it."""
        return replace(pair, sound=self._sound_path(pair.template, pair.index).read_bytes())

    def _sound_path(self, template: str, index: int) -> Path:
        return self._folder / "sound" / template / f"{index:05d}.flac"


def _events(content: bytes) -> tuple[Event, ...]:
    return tuple(Event(**event) for event in json.loads(zlib.decompress(content)))


def _opened(
    folder: Path, config: DatasetConfig | None, templates: Iterable[Template]
) -> DatasetConfig:
    """The config that rules a folder: the one on file, which a given one must agree with."""
    path = folder / "dataset.yaml"
    if config is None and not path.is_file():
        raise FileNotFoundError(
            f"{folder} holds no data set (no dataset.yaml); make one with launch/render_corpus.py"
        )
    texts = {template.name: zlib.crc32(template.text.encode()) for template in templates}
    if config is not None and not path.is_file():
        with _said_of(folder):
            _write_config(path, config, texts)
        return config
    found, templates_found = _read_config(path)
    if config is None:
        return found
    if config.model_copy(update={"renders": found.renders}) != found:
        raise ValueError(
            f"{folder} was made with {found}, asked for was {config}; choose another folder"
        )
    if texts != templates_found:
        raise ValueError(
            f"the templates must be those that {folder} was made from; some were added, removed "
            "or changed: choose another folder"
        )
    if config != found:
        with _said_of(folder):
            _write_config(path, config, texts)
    return config


def _read_config(path: Path) -> tuple[DatasetConfig, Any]:
    """How a data set was made, and the checksums of its templates."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return DatasetConfig.model_validate(content["config"]), content["templates"]
    except (ValueError, TypeError, KeyError, yaml.YAMLError) as error:
        raise ValueError(
            f"{path} must say how the data set was made, and is damaged "
            f"({' '.join(str(error).split())[:200]}); put it back, or choose another folder"
        ) from error


def _write_config(path: Path, config: DatasetConfig, templates: Mapping[str, int]) -> None:
    content = {"config": config.model_dump(), "templates": dict(templates)}
    write_atomically(path, yaml.safe_dump(content))


@contextmanager
def _said_of(folder: Path) -> Iterator[None]:
    """Says of what cannot be written where it is, and what to do."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise OSError(
            f"{folder} must be a folder of data that can be written, with room for more, and is "
            f"not ({reason}); free the disk or choose another folder"
        ) from error
