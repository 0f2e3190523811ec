"""Sounds that differ in nothing but numbers from what the same call came to before.

`play rrand(50, 70), amp: rand` comes to another sound every time, but most of what it comes to is
the same: only the numbers given are put in their places.
"""

from typing import Final

from corpus.sonic_pi.unroller_definitions import Arguments
from corpus.sonic_pi.unroller_played import Played
from corpus.sonic_pi.unroller_samples import REWORKED
from corpus.sonic_pi.unroller_threads import VirtualThread
from corpus.sonic_pi.unroller_values import Value

__all__ = ["SCALED", "Places", "are_numbers", "can_be_varied", "places_of", "variant"]

Places = tuple[tuple[int, str], ...]

SCALED: Final = frozenset(
    {"attack", "decay", "sustain", "release", "phase", "max_phase", "mod_phase"}
    | {"cutoff_attack", "cutoff_decay", "cutoff_sustain", "cutoff_release"}
)
"""Arguments of synths and effects that are times, in beats until they are sent."""
_ENTANGLED: Final = frozenset({"on", "pitch", "notes", "duration", "slide"})
_ENTANGLED_OF_SAMPLES: Final = frozenset({"on", "path", "slide", "note"}) | REWORKED
"""Arguments on which others depend."""
_NUMBERS: Final = frozenset({int, float})


def places_of(name: str, given: Arguments) -> Places | None:
    """Which of a call's arguments vary, by place and name; none if more depends on them.

    Args:
        name: of the function.
        given: its arguments.
    """
    if name not in ("play", "synth", "sample") or given.n_plain != 1 or not given.is_simple:
        return None
    entangled = _ENTANGLED_OF_SAMPLES if name == "sample" else _ENTANGLED
    if any(key in entangled or key.endswith("_slide") for key in given.keys):
        return None
    names = ["note" if name == "play" else "", *given.keys]
    if names.count("note") > 1:
        return None
    return tuple(
        (place, key)
        for place, (key, code) in enumerate(zip(names, given.codes, strict=True))
        if key and code.constant is None
    )


def are_numbers(places: Places, asked: list[Value]) -> bool:
    """Whether all that varies is a number."""
    return _NUMBERS.issuperset([type(asked[place]) for place, _ in places])


def can_be_varied(thread: VirtualThread, made: Played) -> bool:
    """Whether what a call came to differs only where its numbers do, in the present state."""
    defaults = thread.sample_defaults if made.kind == "sample" else thread.synth_defaults
    is_plain = len(made.sounds) == 1 and made.name != "tb303"
    return is_plain and not defaults and not thread.checks_arguments


def variant(thread: VirtualThread, made: Played, places: Places, asked: list[Value]) -> Played:
    """What a call comes to with other numbers than before, in an equal state.

    Args:
        thread: which plays.
        made: what it came to.
        places: what varies.
        asked: all values, in order.
    """
    sound = dict(made.sounds[0])
    scale = thread.beat_seconds if thread.scales_times and made.kind == "synth" else 1.0
    for place, key in places:
        value = asked[place]
        if key == "note":
            value += thread.transpose + 12 * thread.octave + thread.cents / 100.0
        elif key in SCALED and scale != 1.0:
            value *= scale
        sound[key] = value
    return made._replace(sounds=[sound])
