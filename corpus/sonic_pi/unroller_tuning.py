"""Tunings other than equal temperament."""

from typing import Final

from corpus.sonic_pi.unroller_theory import hertz_to_midi, midi_to_hertz, note_number
from corpus.sonic_pi.unroller_values import Value

__all__ = ["tuned"]

_RATIOS: Final = {
    "just": (
        1, 16 / 15, 9 / 8, 6 / 5, 5 / 4, 4 / 3, 45 / 32, 3 / 2, 8 / 5, 5 / 3, 9 / 5, 15 / 8,
    ),
    "pythagorean": (
        1, 2187 / 2048, 9 / 8, 19683 / 16384, 81 / 64, 4 / 3, 729 / 512, 3 / 2, 6561 / 4096,
        27 / 16, 59049 / 32768, 243 / 128,
    ),
    "meantone": (
        1, 1.0449, 1.1180, 1.1963, 1.25, 1.3375, 1.3975, 1.4953, 1.5625, 1.6719, 1.7889, 1.8692,
    ),
}  # fmt: skip


def tuned(note: float, system: str, fundamental: Value) -> float:
    """A note moved to where a tuning system puts it, counted from a fundamental."""
    ratios = _RATIOS.get(system)
    if ratios is None:
        return note
    shift = note_number(fundamental) - 60
    below = int(note // 1)
    low = _tuned_whole(below, shift, ratios)
    if note == below:
        return low
    high = _tuned_whole(below + 1, shift, ratios)
    low_hertz, high_hertz = midi_to_hertz(low), midi_to_hertz(high)
    return float(hertz_to_midi(low_hertz + (high_hertz - low_hertz) * (note - below)))


def _tuned_whole(note: int, shift: float, ratios: tuple[float, ...]) -> float:
    index = int((note - shift) % 12)
    return float(hertz_to_midi(midi_to_hertz(note - index) * ratios[index]))
