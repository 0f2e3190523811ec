"""Functions that compute: notes, chords and scales, arithmetic."""

import math
from typing import Final

from corpus.sonic_pi import unroller_theory as theory
from corpus.sonic_pi.unroller_blocks import Block
from corpus.sonic_pi.unroller_chance import quantised
from corpus.sonic_pi.unroller_registry import function
from corpus.sonic_pi.unroller_threads import VirtualThread
from corpus.sonic_pi.unroller_values import (
    LARGEST_LIST,
    UNKNOWN,
    Ring,
    Symbol,
    Value,
    as_list,
    is_list,
    is_number,
    to_float,
    whole,
)

__all__: list[str] = []


def _options(given: list[Value]) -> dict[str, Value]:
    return given[-1] if given and isinstance(given[-1], dict) else {}


def _plain(given: list[Value]) -> list[Value]:
    return given[:-1] if given and isinstance(given[-1], dict) else given


@function("note")
def _note(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    value = given[0] if given else None
    if isinstance(value, Block):
        value = value.call(thread)
    return theory.note_number(value, _options(given).get("octave"))


@function("note_info")
def _note_info(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    number = theory.note_number(given[0], _options(given).get("octave"))
    if not is_number(number):
        return UNKNOWN
    name, octave = theory.note_name(number), theory.note_octave(number)
    return {
        "midi_note": number,
        "octave": octave,
        "pitch_class": name,
        "interval": int(number) % 12,
        "midi_string": f"{name}{octave}",
    }


@function("notes", "midi_notes")
def _notes(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return Ring([theory.note_number(value) for value in given])


@function("octs")
def _octs(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    count = whole(given[1]) if len(given) > 1 else 1
    start = theory.note_number(given[0])
    return Ring([start + 12 * octave for octave in range(min(count, 50))])


@function("note_range")
def _note_range(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    low, high = (whole(theory.note_number(value)) for value in given[:2])
    pitches = _options(given).get("pitches")
    notes = range(low, min(high, low + LARGEST_LIST) + 1)
    if pitches is None:
        return Ring(list(notes))
    wanted = {theory.note_number(pitch) % 12 for pitch in as_list(pitches)}
    return Ring([note for note in notes if note % 12 in wanted])


@function("scale")
def _scale(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    plain = _plain(given)
    tonic = plain[0] if len(plain) > 1 else 0
    octaves = _options(given).get("num_octaves") or 1
    return Ring(theory.scale_notes(tonic, plain[-1], octaves))


@function("chord")
def _chord(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    plain = _plain(given)
    tonic, name = (plain[0], plain[1]) if len(plain) > 1 else (0, plain[0])
    if tonic is None:
        return []
    if is_list(tonic):
        tonic, name = as_list(tonic)[:2]
    options = _options(given)
    notes = theory.chord_notes(tonic, name, options.get("num_octaves") or 1)
    return Ring(theory.inverted(notes, _shift(options.get("invert"))))


def _shift(value: Value) -> int:
    return math.floor(value + 0.5) if is_number(value) else 0


@function("chord_invert", "invert_chord")
def _chord_invert(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return Ring(theory.inverted(as_list(given[0]), _shift(given[1])))


@function("degree")
def _degree(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return theory.degree_note(*given[:3])


@function("chord_degree")
def _chord_degree(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    plain = [*_plain(given)]
    defaults: list[Value] = [Symbol("i"), Symbol("c"), Symbol("major"), 4]
    degree, tonic, name, count = plain + defaults[len(plain) :]
    notes = theory.degree_chord(degree, tonic, name, whole(count))
    return Ring(theory.inverted(notes, _shift(_options(given).get("invert"))))


@function("scale_names")
def _scale_names(_thread: VirtualThread, _given: list[Value], _block: Block | None) -> Value:
    return Ring([Symbol(name) for name in sorted(theory.SCALES)])


@function("chord_names")
def _chord_names(_thread: VirtualThread, _given: list[Value], _block: Block | None) -> Value:
    return Ring(sorted(theory.CHORDS))


@function("midi_to_hz")
def _midi_to_hz(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return theory.midi_to_hertz(given[0])


@function("hz_to_midi")
def _hz_to_midi(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return theory.hertz_to_midi(given[0])


@function("pitch_to_ratio")
def _pitch_to_ratio(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return 2.0 ** (given[0] / 12.0)


@function("ratio_to_pitch")
def _ratio_to_pitch(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return 12.0 * math.log2(abs(given[0]))


@function("quantise", "quantize")
def _quantise(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return quantised(given[0], given[1])


@function("rest?")
def _is_rest(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    value = given[0].get("note", 0) if isinstance(given[0], dict) else given[0]
    return theory.is_rest(value)


@function("Integer")
def _integer(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return whole(given[0])


@function("Float")
def _float(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return to_float(given[0])


@function("Array.new", "Array")
def _array(thread: VirtualThread, given: list[Value], block: Block | None) -> Value:
    count = min(max(0, whole(given[0])), LARGEST_LIST) if given else 0
    if block is not None:
        return [block.call(thread, [index]) for index in range(count)]
    return [given[1] if len(given) > 1 else None] * count


_MATHS: Final = ("sin", "cos", "tan", "sqrt", "log", "log2", "log10", "exp", "atan", "asin", "acos")


def _register_maths(name: str) -> None:
    apply = getattr(math, name)

    @function(f"Math.{name}", name)
    def _compute(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
        return apply(to_float(given[0]))


for _name in _MATHS:
    _register_maths(_name)


@function("Math.hypot")
def _hypot(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return math.hypot(given[0], given[1])


@function("Math.pow")
def _pow(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return math.pow(given[0], given[1])
