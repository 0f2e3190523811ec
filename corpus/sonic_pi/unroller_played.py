"""What was played before: a sound asked for with equal words in an equal state is the same again.

Most calls of `play` and `sample` in a program repeat. What they come to depends on their arguments
and on a few settings of the thread alone, so it is worked out once.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from corpus.sonic_pi.events import Event, EventKind
from corpus.sonic_pi.unroller_threads import VirtualThread
from corpus.sonic_pi.unroller_values import NodeHandle, Ring, Symbol, Value

__all__ = ["Played", "key_of_call", "start"]

_PLAIN: Final = frozenset({int, float, Symbol, Ring, type(None)})
"""What never changes, and has no other value that looks the same but sounds otherwise."""


def _items(ring: Ring) -> object:
    """A list by what it holds, if that never changes; else by itself."""
    return ring.items if _PLAIN.issuperset(map(type, ring.items)) else ring


class Played(NamedTuple):
    """A call of `play`, `synth` or `sample`, worked out.

    Args:
        kind: of its events.
        name: synth or sample player.
        event_name: synth or sample.
        sounds: arguments of every sound, one after the other; several for a chord.
        defaults: of the thread; held here so that no others can be taken for them.
    """

    kind: EventKind
    name: str
    event_name: str
    sounds: Sequence[dict[str, float]]
    defaults: dict[str, Value] | None = None


def key_of_call(
    thread: VirtualThread, what: str, defaults: dict[str, Value] | None, given: list[Value]
) -> tuple[object, ...] | None:
    """All that a call comes to depends on; none if it depends on more, or on what may change."""
    options: Value = given[-1] if given else None
    if type(options) is dict:
        names, values = tuple(options), (*given[:-1], *options.values())
    else:
        names, values = (), tuple(given)
    kinds = set(map(type, values))
    if thread.tuning is not None or not kinds <= _PLAIN or "onset" in names:
        return None
    if Ring in kinds:
        values = tuple(_items(value) if type(value) is Ring else value for value in values)
    pitch = thread.transpose, thread.octave, thread.cents
    times = thread.beat_seconds, thread.scales_times, thread.checks_arguments
    return what, thread.synth, id(defaults), thread.bus, pitch, times, names, values


def start(thread: VirtualThread, played: Played) -> NodeHandle:
    """Starts sounds; their `out_bus` is where the thread plays now."""
    machine, time = thread.machine, thread.time
    kind, name, event_name, sounds, _ = played
    if len(sounds) == 1:
        node, made = machine.new_node(), sounds[0]
        machine.add(Event(time, kind, event_name, made, node))
        return NodeHandle((node,), name, made)
    nodes = [machine.new_node() for _ in sounds]
    for node, made in zip(nodes, sounds, strict=True):
        machine.add(Event(time, kind, event_name, made, node))
    return NodeHandle(nodes, name, sounds[-1] if sounds else {})
