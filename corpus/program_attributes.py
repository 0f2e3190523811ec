"""What a Sonic Pi program plays, as a few numbers that a listener may care about.

They are read from the events of a run and never from its sound, so that a taste defined on them is
hidden from whatever hears.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from corpus.sonic_pi.events import Event

__all__ = ["PROGRAM_ATTRIBUTES", "program_attributes"]

PROGRAM_ATTRIBUTES: Final = (
    "pace", "height", "spread", "length", "loudness", "thickness",
    "drums", "textures", "soft", "rough",
)  # fmt: skip
"""Entries of `program_attributes`: six quantities, then what the sounding time is made of."""

_SOFT: Final = frozenset(
    {"beep", "sine", "tri", "dtri", "piano", "pluck", "pretty_bell", "dull_bell", "hollow", "fm"}
    | {"mod_sine", "mod_tri", "blade", "dark_ambience", "kalimba", "organ_tonewheel", "rodeo"}
)
_TEXTURES: Final = ("ambi_", "loop_", "guit_", "vinyl_", "bass_")
_LONGEST_SECONDS: Final = 4.0


def program_attributes(events: Sequence[Event], seconds: float) -> NDArray[np.float64]:
    """The attributes in the order of PROGRAM_ATTRIBUTES, shape (10,), about ±1, finite.

    Args:
        events: of the first `seconds` of a run; effects and changes are passed over.
        seconds: > 0.
    """
    sounds = [event for event in events if event.kind in ("synth", "sample")]
    if not sounds:
        return np.zeros(len(PROGRAM_ATTRIBUTES))
    onsets = {round(event.time, 3) for event in sounds}
    pitches = [
        event.arguments["note"]
        for event in sounds
        if event.kind == "synth" and event.arguments.get("note", 0.0) > 0
    ]
    lengths = np.array([_length(event) for event in sounds])
    amps = np.array([max(event.arguments.get("amp", 1.0), 0.01) for event in sounds])
    weights = lengths * np.minimum(amps, 2.0)
    families = np.array([_family(event) for event in sounds])
    shares = [
        float(weights[families == name].sum() / max(weights.sum(), 1e-9))
        for name in ("drums", "textures", "soft", "rough")
    ]
    return np.array(
        [
            float(np.clip(np.log2(len(onsets) / seconds / 4.0) / 2, -2, 2)),
            (float(np.mean(pitches)) - 60) / 14 if pitches else 0.0,
            float(np.std(pitches)) / 6 - 1 if pitches else -1.0,
            float(np.log2(np.average(lengths, weights=weights) / 0.6)) / 2,
            float(np.log2(np.mean(amps) / 0.7)),
            float(np.log2(len(sounds) / len(onsets))) - 0.5,
            *(2 * share - 1 for share in shares),
        ]
    )


def _length(event: Event) -> float:
    """How long a sound lasts, seconds, bounded."""
    said = event.arguments
    if event.kind == "sample":
        return 1.0 if _family(event) == "textures" else 0.25
    parts = (said.get(name, 0.0) for name in ("attack", "decay", "sustain"))
    return float(np.clip(sum(parts) + 0.5 * said.get("release", 1.0), 0.03, _LONGEST_SECONDS))


def _family(event: Event) -> str:
    if event.kind == "sample":
        return "textures" if event.name.startswith(_TEXTURES) else "drums"
    return "soft" if event.name in _SOFT else "rough"
