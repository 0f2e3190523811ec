"""A small notation for pieces of our own: readable text in, notes on the beat grid out.

A line of music is tokens between blanks; `|` is a bar line, and every bar must be full:

    E4:1/2          a pitch (C4 is MIDI 60) and its length in beats; without a length it takes the
                    one before it, and a bar starts with a length of 1
    C3+G3+E4:2      several pitches at once
    r:1             a rest
    A4:2~           tied: the same pitches in the next token go on instead of starting again
    D5!  D5'        accented; staccato (sounds for half its length)
    mf              a dynamic (pp p mp mf f ff), in force until the next; a line starts at mf
    %               a whole bar: the bar before it again

A phrase is one line, or a list of lines that sound together. A part names its phrases and then
plays them in the order of its form, in which a number stands for so many bars of rest. A score is
a YAML file of parts over a harmony (chord symbols, one or more per bar, sharing it equally).
Onsets and lengths are exact fractions of a beat; only velocities are humanised, from a seed.
"""

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
import yaml
from pydantic import BaseModel, Field

DYNAMICS: Final = {"pp": 40, "p": 52, "mp": 63, "mf": 74, "f": 88, "ff": 102}
"""MIDI velocity of each dynamic."""
ACCENT: Final = 12
DOWNBEAT: Final = 4
HUMAN_SPREAD: Final = 5
"""Velocities stray by at most this much, evenly spread."""

_STEPS: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ALTER: Final = {"": 0, "#": 1, "b": -1}
_CHORDS: Final = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "m7": (0, 3, 7, 10),
    "maj7": (0, 4, 7, 11),
    "sus4": (0, 5, 7),
}
_PITCH: Final = re.compile(r"([A-G])([#b]?)([0-8])")
_CHORD: Final = re.compile(r"([A-G])([#b]?)([a-z0-9]*)")
_TOKEN: Final = re.compile(r"(?P<pitches>[^:~!']+)(:(?P<length>\d+(/[1-9]\d*)?))?(?P<marks>[~!']*)")


@dataclass(frozen=True)
class Note:
    """One note on the beat grid.

    Args:
        onset_beats: from the start of the piece, ≥ 0.
        length_beats: how long it sounds, > 0.
        pitch: MIDI number, 0..127.
        velocity: MIDI velocity, 1..127.
    """

    onset_beats: Fraction
    length_beats: Fraction
    pitch: int
    velocity: int

    @property
    def end_beats(self) -> Fraction:
        """Where it stops."""
        return self.onset_beats + self.length_beats


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


def pitch_number(name: str) -> int:
    """The MIDI number of a pitch name, C4 = 60.

    Raises:
        ValueError: not a letter A-G, an optional # or b, and an octave 0-8.
    """
    match = _PITCH.fullmatch(name)
    if match is None:
        raise ValueError(f"a pitch must read like C4, F#3 or Bb5, got {name!r}")
    step, alter, octave = match.groups()
    return 12 * (int(octave) + 1) + _STEPS[step] + _ALTER[alter]


def chord_pitch_classes(symbol: str) -> frozenset[int]:
    """The pitch classes (C = 0) of a chord symbol such as C, Dm, G7 or Fmaj7.

    Raises:
        ValueError: an unknown root or quality.
    """
    match = _CHORD.fullmatch(symbol)
    if match is None or match[3] not in _CHORDS:
        known = ", ".join(quality or "(major)" for quality in _CHORDS)
        raise ValueError(f"a chord must be a root and one of {known}, got {symbol!r}")
    root = _STEPS[match[1]] + _ALTER[match[2]]
    return frozenset((root + interval) % 12 for interval in _CHORDS[match[3]])


def parse_line(text: str, beats_per_bar: int = 4) -> tuple[list[Note], int]:
    """The notes of one line of music, and how many bars it has.

    Raises:
        ValueError: an unreadable token, a bar that is not full, or a tie that leads nowhere.
    """
    bars = _bars(text)
    notes: list[Note] = []
    held: dict[int, int] = {}  # tied pitches: where their note stands in `notes`
    velocity = DYNAMICS["mf"]
    for index, bar in enumerate(bars):
        onset, length = Fraction(index * beats_per_bar), Fraction(1)
        end = onset + beats_per_bar
        for token in bar:
            if token in DYNAMICS:
                velocity = DYNAMICS[token]
                continue
            pitches, length, marks = _read(token, length)
            if not set(held) <= set(pitches):
                raise ValueError(f"bar {index + 1}: a tie must lead to its own pitch, got {token}")
            heard = length / 2 if "'" in marks else length
            loud = velocity + ACCENT * ("!" in marks) + DOWNBEAT * (onset % beats_per_bar == 0)
            sounding = {}
            for pitch in pitches:
                sounding[pitch] = held.get(pitch, len(notes))
                if pitch in held:
                    tied = notes[held[pitch]]
                    notes[held[pitch]] = replace(tied, length_beats=tied.length_beats + heard)
                else:
                    notes.append(Note(onset, heard, pitch, min(loud, 127)))
            held = sounding if "~" in marks else {}
            onset += length
        if onset != end:
            full, got = beats_per_bar, onset - end + beats_per_bar
            raise ValueError(f"bar {index + 1} must hold {full} beats, got {got}: {' '.join(bar)}")
    if held:
        raise ValueError("a tie must end inside its phrase: take the ~ off the last note")
    return notes, len(bars)


def read_score(sheet: ScoreSheet) -> Score:
    """Play through a sheet: every part's phrases in the order of its form.

    Raises:
        ValueError: a part cannot be read, or is not as long as the harmony.
    """
    harmony = tuple(tuple(bar) for bar in _bars(sheet.harmony))
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
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(f"{path} must be a score as corpus/score.py describes: {error}") from error


def _bars(text: str) -> list[list[str]]:
    """Tokens bar by bar, with % written out; a bar line at the very end opens no bar."""
    bars: list[list[str]] = []
    for part in text.strip().removesuffix("|").split("|"):
        bar = part.split()
        if not bar or (bar == ["%"] and not bars):
            raise ValueError(f"bar {len(bars) + 1} must hold music, got {part.strip()!r}")
        bars.append(bars[-1] if bar == ["%"] else bar)
    return bars


def _read(token: str, length: Fraction) -> tuple[list[int], Fraction, str]:
    """Pitches (none for a rest), length in beats and marks of one token."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise ValueError(f"a token must read like E4:1/2, C3+G3:2, r:1 or a dynamic, got {token!r}")
    if match["length"]:
        length = Fraction(match["length"])
    if length <= 0:
        raise ValueError(f"a note must last longer than 0 beats, got {token!r}")
    names = [] if match["pitches"] == "r" else match["pitches"].split("+")
    return [pitch_number(name) for name in names], length, match["marks"]


def _play_form(name: str, part: PartSheet, beats_per_bar: int) -> tuple[list[Note], int]:
    """A part's notes in the order of its form, and its length in bars."""
    phrases = {key: _read_phrase(f"{name}.{key}", part, beats_per_bar) for key in part.phrases}
    notes: list[Note] = []
    n_bars = 0
    for entry in part.form:
        if isinstance(entry, int):
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
