"""A small notation for music as readable text: tokens in, notes on the beat grid out.

A line of music is tokens between blanks; `|` is a bar line, and every bar must be full:

    E4:1/2          a pitch (C4 is MIDI 60) and its length in beats; without a length it takes the
                    one before it, and a bar starts with a length of 1
    C3+G3+E4:2      several pitches at once
    r:1             a rest
    A4:2~           tied: the same pitches in the next token go on instead of starting again
    D5!  D5'        accented; staccato (sounds for half its length)
    mf              a dynamic (pp p mp mf f ff), in force until the next; a line starts at mf
    %               a whole bar: the bar before it again

Onsets and lengths are exact fractions of a beat.
"""

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

DYNAMICS: Final = {"pp": 40, "p": 52, "mp": 63, "mf": 74, "f": 88, "ff": 102}
"""MIDI velocity of each dynamic."""
ACCENT: Final = 12
"""What an accent adds to the velocity."""
DOWNBEAT: Final = 4
"""What the first beat of a bar adds to the velocity."""

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
    bars = split_bars(text)
    line = _Line()
    for index, bar in enumerate(bars):
        line.onset, line.length = Fraction(index * beats_per_bar), Fraction(1)
        try:
            for token in bar:
                line.take(token, is_downbeat=line.onset == index * beats_per_bar)
        except ValueError as error:
            raise ValueError(f"bar {index + 1}: {error}") from error
        got = line.onset - index * beats_per_bar
        if got != beats_per_bar:
            raise ValueError(
                f"bar {index + 1} must hold {beats_per_bar} beats, got {got}: {' '.join(bar)}"
            )
    if line.held:
        raise ValueError("a tie must end inside its phrase: take the ~ off the last note")
    return line.notes, len(bars)


def split_bars(text: str) -> list[list[str]]:
    """Tokens bar by bar, with % written out; a bar line at the very end opens no bar.

    Raises:
        ValueError: a bar without tokens, or a % with no bar before it.
    """
    bars: list[list[str]] = []
    for part in text.strip().removesuffix("|").split("|"):
        bar = part.split()
        if not bar or (bar == ["%"] and not bars):
            raise ValueError(f"bar {len(bars) + 1} must hold music, got {part.strip()!r}")
        bars.append(bars[-1] if bar == ["%"] else bar)
    return bars


class _Line:
    """A line being read: its notes so far, and what the next token takes over."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self.onset, self.length = Fraction(0), Fraction(1)
        self.velocity = DYNAMICS["mf"]
        self.held: dict[int, int] = {}  # tied pitches: where their note stands in `notes`

    def take(self, token: str, *, is_downbeat: bool) -> None:
        """Add what one token says."""
        if token in DYNAMICS:
            self.velocity = DYNAMICS[token]
            return
        pitches, self.length, marks = _read(token, self.length)
        if not set(self.held) <= set(pitches):
            raise ValueError(f"a tie must lead to its own pitch, got {token}")
        heard = self.length / 2 if "'" in marks else self.length
        velocity = min(self.velocity + ACCENT * ("!" in marks) + DOWNBEAT * is_downbeat, 127)
        places = {}
        for pitch in pitches:
            place = places[pitch] = self.held.get(pitch, len(self.notes))
            if pitch in self.held:
                tied = self.notes[place]
                self.notes[place] = replace(tied, length_beats=tied.length_beats + heard)
            else:
                self.notes.append(Note(self.onset, heard, pitch, velocity))
        self.held = places if "~" in marks else {}
        self.onset += self.length


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
