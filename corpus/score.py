"""Scores: pieces of our own as readable YAML, read into parts on the beat grid.

A score is a harmony (chord symbols, one or more per bar, sharing it equally) and its parts. A
phrase is one line of music (corpus/notation.py), or a list of lines that sound together. A part
names its phrases and plays them in the order of its form, in which a number stands for so many
bars of rest. Onsets and lengths are exact; only velocities are humanised, from a seed.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
import yaml
from pydantic import BaseModel, Field, ValidationError

from corpus.notation import Note, chord_pitch_classes, parse_line, split_bars

HUMAN_SPREAD: Final = 5
"""Velocities stray by at most this much, evenly spread."""


@dataclass(frozen=True)
class Part:
    """What one player plays: notes in order of onset, never two of one pitch at once."""

    instrument: str
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class Score:
    """A piece: parts of equal length over one harmony.

    Args:
        title: its name.
        tempo_bpm: beats per minute, > 0.
        beats_per_bar: beats in a bar, ≥ 1.
        harmony: the chord symbols of each bar, length n_bars.
        parts: by name.
    """

    title: str
    tempo_bpm: int
    beats_per_bar: int
    harmony: tuple[tuple[str, ...], ...]
    parts: dict[str, Part]

    @property
    def n_bars(self) -> int:
        """Bars in the piece."""
        return len(self.harmony)

    @property
    def seconds(self) -> Fraction:
        """Length of the written bars, exact."""
        return Fraction(60 * self.n_bars * self.beats_per_bar, self.tempo_bpm)

    def chord_at(self, beats: Fraction) -> str:
        """The chord symbol in force at `beats`, 0 ≤ beats < n_bars · beats_per_bar."""
        bar, inside = divmod(beats, self.beats_per_bar)
        symbols = self.harmony[int(bar)]
        return symbols[int(inside * len(symbols) / self.beats_per_bar)]


class PartSheet(BaseModel, frozen=True, extra="forbid"):
    """A part as written in YAML."""

    instrument: str = Field(description="a name of corpus.sound_font.INSTRUMENTS")
    pedal_beats: int | None = Field(
        None, gt=0, description="notes ring to the next multiple of this; beats"
    )
    form: list[str | int] = Field(min_length=1, description="phrase names, or bars of rest")
    phrases: dict[str, str | list[str]] = Field(description="each one line, or lines together")


class ScoreSheet(BaseModel, frozen=True, extra="forbid"):
    """A score as written in YAML."""

    title: str = Field(min_length=1)
    tempo_bpm: int = Field(gt=0, le=400, description="beats per minute")
    beats_per_bar: int = Field(4, ge=1, le=16)
    seed: int = Field(0, ge=0, description="of the humanised velocities")
    harmony: str = Field(description="chord symbols between bar lines")
    parts: dict[str, PartSheet] = Field(min_length=1)


def read_score(sheet: ScoreSheet) -> Score:
    """Play through a sheet: every part's phrases in the order of its form.

    Raises:
        ValueError: a part cannot be read, or is not as long as the harmony.
    """
    harmony = tuple(tuple(bar) for bar in split_bars(sheet.harmony))
    for symbol in {symbol for bar in harmony for symbol in bar}:
        chord_pitch_classes(symbol)
    parts = {}
    for index, (name, part) in enumerate(sheet.parts.items()):
        notes, n_bars = _play_form(name, part, sheet.beats_per_bar)
        if n_bars != len(harmony):
            raise ValueError(
                f"part {name} must have as many bars as the harmony, {len(harmony)}; got {n_bars}"
            )
        rng = np.random.default_rng([sheet.seed, index])
        end = Fraction(n_bars * sheet.beats_per_bar)
        notes = _without_overlaps(_pedalled(sorted(notes, key=_in_order), part.pedal_beats, end))
        parts[name] = Part(part.instrument, tuple(_humanised(notes, rng)))
    return Score(sheet.title, sheet.tempo_bpm, sheet.beats_per_bar, harmony, parts)


def load_score(path: Path) -> Score:
    """The score in a YAML file.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not a score; the message names the file and the place.
    """
    try:
        sheet = ScoreSheet.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        return read_score(sheet)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(key) for key in first["loc"]) or "the whole file"
        raise ValueError(f"{path} must be a score: {place}: {first['msg']}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(f"{path} must be a score: {error}") from error


def _play_form(name: str, part: PartSheet, beats_per_bar: int) -> tuple[list[Note], int]:
    """A part's notes in the order of its form, and its length in bars."""
    phrases = {key: _read_phrase(f"{name}.{key}", part, beats_per_bar) for key in part.phrases}
    notes: list[Note] = []
    n_bars = 0
    for entry in part.form:
        if isinstance(entry, int):
            if entry < 1:
                raise ValueError(f"the form of {name} must rest for at least 1 bar, got {entry}")
            n_bars += entry
            continue
        if entry not in phrases:
            raise ValueError(f"the form of {name} must name its phrases, got {entry!r}")
        start = n_bars * beats_per_bar
        notes += [replace(n, onset_beats=n.onset_beats + start) for n in phrases[entry][0]]
        n_bars += phrases[entry][1]
    return notes, n_bars


def _read_phrase(where: str, part: PartSheet, beats_per_bar: int) -> tuple[list[Note], int]:
    written = part.phrases[where.partition(".")[2]]
    lines = [written] if isinstance(written, str) else written
    try:
        read = [parse_line(line, beats_per_bar) for line in lines]
    except ValueError as error:
        raise ValueError(f"phrase {where}: {error}") from error
    lengths = {n_bars for _, n_bars in read}
    if len(lengths) != 1:
        raise ValueError(f"phrase {where}: its lines must be equally long, got {sorted(lengths)}")
    return [note for notes, _ in read for note in notes], lengths.pop()


def _pedalled(notes: list[Note], pedal_beats: int | None, end: Fraction) -> list[Note]:
    """The notes held until the pedal is lifted, at the next multiple of `pedal_beats`."""
    if pedal_beats is None:
        return notes
    pedalled = []
    for note in notes:
        lift = min(Fraction(note.onset_beats // pedal_beats + 1) * pedal_beats, end)
        length = max(lift, note.end_beats) - note.onset_beats
        pedalled.append(replace(note, length_beats=length))
    return pedalled


def _without_overlaps(notes: list[Note]) -> list[Note]:
    """A pitch struck again stops its note before; struck twice at once, it sounds once."""
    kept: list[Note] = []
    last: dict[int, int] = {}
    for note in notes:
        before = last.get(note.pitch)
        if before is not None and kept[before].end_beats > note.onset_beats:
            if kept[before].onset_beats == note.onset_beats:
                continue
            cut = note.onset_beats - kept[before].onset_beats
            kept[before] = replace(kept[before], length_beats=cut)
        last[note.pitch] = len(kept)
        kept.append(note)
    return kept


def _humanised(notes: list[Note], rng: np.random.Generator) -> list[Note]:
    strays = rng.integers(-HUMAN_SPREAD, HUMAN_SPREAD + 1, size=len(notes))
    return [
        replace(n, velocity=int(np.clip(n.velocity + stray, 1, 127)))
        for n, stray in zip(notes, strays, strict=True)
    ]


def _in_order(note: Note) -> tuple[Fraction, int]:
    return note.onset_beats, note.pitch
