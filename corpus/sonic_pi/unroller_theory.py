"""Notes, scales and chords by name, as Sonic Pi spells them. Pitches are MIDI numbers, 60 = C4."""

import math
import re
from functools import lru_cache
from typing import Final

from corpus.sonic_pi.unroller_values import (
    UNKNOWN,
    RubyError,
    Symbol,
    Value,
    is_number,
)

__all__ = [
    "CHORDS", "SCALES", "chord_notes", "degree_chord", "degree_note", "hertz_to_midi", "inverted",
    "is_rest", "midi_to_hertz", "note_name", "note_number", "note_octave", "scale_notes",
]  # fmt: skip

_NOTE = re.compile(r":?([a-g])([sbf]?)(-?[0-9]*)", re.IGNORECASE)
_PITCH_CLASSES: Final = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_NAMES: Final = ("C", "Cs", "D", "Eb", "E", "F", "Fs", "G", "Ab", "A", "Bb", "B")

# Semitones from step to step; modes are rotations of one another.
_FAMILIES: Final = {
    "2212221": "diatonic ionian major|dorian|phrygian|lydian|mixolydian|aeolian minor|locrian",
    "221223": "hex_major6|hex_dorian|hex_phrygian|hex_major7|hex_sus|hex_aeolian",
    "32232": "minor_pentatonic yu|major_pentatonic gong|egyptian shang|jiao|zhi ritusen",
}
_STEPS: Final = {
    "whole_tone whole messiaen1": "222222",
    "chromatic": "111111111111",
    "harmonic_minor": "2122131",
    "melodic_minor_asc melodic_minor": "2122221",
    "melodic_minor_desc": "2122122",
    "hungarian_minor": "2131131",
    "octatonic diminished2": "21212121",
    "messiaen2 diminished": "12121212",
    "messiaen3": "211211211",
    "messiaen4": "11311131",
    "messiaen5": "141141",
    "messiaen6": "22112211",
    "messiaen7": "1112111121",
    "super_locrian": "1212222",
    "hirajoshi": "21414",
    "kumoi": "21423",
    "neapolitan_major": "1222221",
    "neapolitan_minor": "1222131",
    "bartok hindu": "2212122",
    "bhairav": "1312131",
    "locrian_major": "2211222",
    "ahirbhairav": "1312212",
    "enigmatic": "1322211",
    "pelog": "12414",
    "augmented2": "131313",
    "augmented": "313131",
    "scriabin": "13323",
    "harmonic_major": "2212131",
    "romanian_minor": "2131212",
    "iwato": "14142",
    "marva": "1321221",
    "melodic_major": "2212122",
    "indian": "41232",
    "spanish": "1312122",
    "prometheus": "22251",
    "todi": "1231131",
    "leading_whole": "2222211",
    "purvi": "1321131",
    "chinese": "42141",
    "lydian_minor": "2221122",
    "blues_major": "211323",
    "blues_minor": "321132",
}
_CHORDS: Final = {
    "1": "0",
    "5": "0 7",
    "+5 augmented a": "0 4 8",
    "m+5": "0 3 8",
    "sus2": "0 2 7",
    "sus4": "0 5 7",
    "6": "0 4 7 9",
    "m6": "0 3 7 9",
    "7sus2": "0 2 7 10",
    "7sus4": "0 5 7 10",
    "7-5": "0 4 6 10",
    "7+5": "0 4 8 10",
    "m7+5": "0 3 8 10",
    "halfdiminished halfdim m7b5 m7-5": "0 3 6 10",
    "9": "0 4 7 10 14",
    "m9 m7+9": "0 3 7 10 14",
    "maj9": "0 4 7 11 14",
    "9sus4": "0 5 7 10 14",
    "6*9": "0 4 7 9 14",
    "m6*9": "0 3 9 7 14",
    "7-9": "0 4 7 10 13",
    "m7-9": "0 3 7 10 13",
    "7-10": "0 4 7 10 15",
    "7-11": "0 4 7 10 16",
    "7-13": "0 4 7 10 20",
    "9+5": "0 10 13",
    "m9+5": "0 10 14",
    "7+5-9": "0 4 8 10 13",
    "m7+5-9": "0 3 8 10 13",
    "11": "0 4 7 10 14 17",
    "m11": "0 3 7 10 14 17",
    "maj11": "0 4 7 11 14 17",
    "11+": "0 4 7 10 14 18",
    "m11+": "0 3 7 10 14 18",
    "13": "0 4 7 10 14 17 21",
    "m13": "0 3 7 10 14 17 21",
    "add2": "0 2 4 7",
    "add4": "0 4 5 7",
    "add9": "0 4 7 14",
    "add11": "0 4 7 17",
    "add13": "0 4 7 21",
    "madd2": "0 2 3 7",
    "madd4": "0 3 5 7",
    "madd9": "0 3 7 14",
    "madd11": "0 3 7 17",
    "madd13": "0 3 7 21",
    "major maj M": "0 4 7",
    "minor min m": "0 3 7",
    "major7 M7": "0 4 7 11",
    "dom7 7": "0 4 7 10",
    "minor7 m7": "0 3 7 10",
    "diminished dim i": "0 3 6",
    "diminished7 dim7 i7": "0 3 6 9",
}


def _all_scales() -> dict[str, tuple[int, ...]]:
    scales = {}
    for steps, modes in _FAMILIES.items():
        for shift, names in enumerate(modes.split("|")):
            turned = steps[shift:] + steps[:shift]
            scales.update({name: tuple(map(int, turned)) for name in names.split()})
    for names, steps in _STEPS.items():
        scales.update({name: tuple(map(int, steps)) for name in names.split()})
    return scales


SCALES: Final = _all_scales()
"""Steps in semitones by the name of the scale."""
CHORDS: Final = {
    name: tuple(map(int, intervals.split()))
    for names, intervals in _CHORDS.items()
    for name in names.split()
}
"""Semitones above the root by the name of the chord."""


def is_rest(value: Value) -> bool:
    """Whether a note is a rest: nil, :r or :rest."""
    return value is None or (isinstance(value, str) and value in ("r", "rest"))


@lru_cache(maxsize=2048)
def _named_note(name: str) -> int:
    match = _NOTE.fullmatch(name)
    if match is None:
        raise RubyError(f"a note must be a letter with an octave such as :c4, got :{name}")
    letter, sign, octave = match.groups()
    shift = {"s": 1, "b": -1, "f": -1, "": 0}[sign.lower()]
    octave_number = int(octave) if octave not in ("", "-") else 4
    return 12 * (octave_number + 1) + _PITCH_CLASSES[letter.lower()] + shift


def note_number(value: Value, octave: Value = None) -> Value:
    """The MIDI number of a note; nil for a rest.

    Raises:
        RubyError: it is no note.
    """
    if value is UNKNOWN or (is_number(value) and octave is None):
        return value
    if is_rest(value):
        return None
    if isinstance(value, str):
        value = _named_note(str(value))
    if not is_number(value):
        raise RubyError("a note must be a number or a name")
    return value if octave is None else value % 12 + 12 * int(octave) + 12


def note_name(number: float) -> Symbol:
    """The pitch class of a MIDI number, :C, :Cs, …, :B."""
    return Symbol(_NAMES[int(number) % 12])


def note_octave(number: float) -> int:
    """The octave of a MIDI number; 60 is in octave 4."""
    return int(number // 12) - 1


def scale_notes(tonic: Value, name: Value, octaves: int = 1) -> list[Value]:
    """The notes of a scale from `tonic`, its octave included.

    Raises:
        RubyError: there is no such scale.
    """
    steps = SCALES.get(str(name))
    if steps is None:
        raise RubyError(f"there is no scale {name!s}")
    current = note_number(tonic)
    if current is UNKNOWN or current is None:
        return [current]
    notes = [current]
    for step in steps * max(0, min(int(octaves), 20)):
        current += step
        notes.append(current)
    return notes


def chord_notes(tonic: Value, name: Value, octaves: int = 1) -> list[Value]:
    """The notes of a chord on `tonic`, repeated over `octaves`.

    Raises:
        RubyError: there is no such chord.
    """
    intervals = CHORDS.get(str(name))
    if intervals is None:
        raise RubyError(f"there is no chord {name!s}")
    root = note_number(tonic)
    if root is UNKNOWN or root is None:
        return [root]
    count = max(0, min(int(octaves), 20))
    return [root + step + 12 * octave for octave in range(count) for step in intervals]


def inverted(notes: list[Value], shift: int) -> list[Value]:
    """A chord with its lowest note moved up (shift > 0) or its highest down, |shift| times."""
    notes = list(notes)
    for _ in range(min(abs(shift), 100)):
        if not notes:
            break
        up = [*notes[1:], notes[0] + 12]
        notes = up if shift > 0 else sorted([*notes[:-1], notes[-1] - 12])
    return notes


_ROMAN: Final = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100, "d": 500, "m": 1000}


def _degree_index(degree: Value) -> int:
    number: float
    if is_number(degree):
        number = degree
    elif str(degree).isdigit():
        number = int(str(degree))
    else:
        values = [_ROMAN.get(letter, 0) for letter in str(degree).lower()]
        following = [*values[1:], 0]
        number = sum(-a if a < b else a for a, b in zip(values, following, strict=True))
        number = 0 if 0 in values else number
    if number <= 0:
        raise RubyError(f"a degree must be 1 or more, or a Roman numeral, got {degree!s}")
    return int(number) - 1


def degree_note(degree: Value, tonic: Value, name: Value) -> Value:
    """The note on a degree of a scale: a number, :iv, or :p4, :a4, :d5 (raised, lowered)."""
    shift = 0
    if not is_number(degree):
        degree = str(degree).lower()
        for prefix, semitones in (("p", 0), ("aa", 2), ("a", 1), ("dd", -2), ("d", -1)):
            if degree.startswith(prefix):
                shift, degree = semitones, degree.removeprefix(prefix)
                break
    notes = scale_notes(tonic, name)
    octave, index = divmod(_degree_index(degree), len(notes) - 1)
    return notes[index] + 12 * octave + shift


def degree_chord(degree: Value, tonic: Value, name: Value, count: int) -> list[Value]:
    """The chord of `count` stacked thirds on a degree of a scale."""
    return scale_notes(tonic, name, 2)[_degree_index(degree) :: 2][: max(0, count)]


def midi_to_hertz(value: Value) -> Value:
    """The frequency of a note."""
    note = note_number(value)
    return note if note is None or note is UNKNOWN else 440.0 * 2 ** ((note - 69) / 12.0)


def hertz_to_midi(frequency: Value) -> Value:
    """The MIDI number, perhaps fractional, of a frequency."""
    if not is_number(frequency) or frequency <= 0:
        return UNKNOWN
    return 12 * math.log2(frequency * 0.0022727272727) + 69
