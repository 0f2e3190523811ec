"""What was played before: a sound asked for with equal words in an equal state is the same again.

Most calls of `play` and `sample` in a program repeat. What they come to depends on their arguments
and on a few settings of the thread alone, so it is worked out once.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from corpus.sonic_pi.events import Event, EventKind
from corpus.sonic_pi.unroller_threads import VirtualThread
from corpus.sonic_pi.unroller_values import NodeHandle, Ring, Symbol, Value

__all__ = ["UNCHANGING", "Played", "key_of_call", "sounded", "start"]

UNCHANGING: Final = frozenset({int, float, Symbol, Ring, type(None)})
"""What never changes, and has no other value that looks the same but sounds otherwise."""
_new: Final = tuple.__new__
"""Three times quicker than the constructor of a named tuple."""


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


def key_of_call(what: str, given: list[Value]) -> tuple[object, ...] | None:
    """Tells a call from all that may sound otherwise in the same voice; none if nothing does."""
    options: Value = given[-1] if given else None
    if type(options) is dict:
        names, values = tuple(options), (*given[:-1], *options.values())
    else:
        names, values = (), tuple(given)
    return (what, names, values) if UNCHANGING.issuperset(map(type, values)) else None


def start(thread: VirtualThread, played: Played) -> NodeHandle:
    """Starts sounds or an effect; their `out_bus` is where the thread plays now.

    Raises:
        BudgetError: the program plays too much.
    """
    machine, time = thread.machine, thread.time
    kind, name, event_name, sounds, _ = played
    nodes = tuple([machine.new_node() for _ in sounds])
    for node, made in zip(nodes, sounds, strict=True):
        machine.add(Event(time, kind, event_name, made, node))
    return NodeHandle(nodes, name, sounds[-1] if sounds else {})


def sounded(thread: VirtualThread, played: Played) -> NodeHandle:
    """Plays what a call came to; errors as `start`."""
    machine = thread.machine
    machine.budget -= 1
    if machine.budget < 0:
        thread.spend(0)
    kind, name, event_name, sounds, _ = played
    if len(sounds) == 1 and len(machine.events) < machine.event_limit:
        made = sounds[0]
        machine.n_nodes = node = machine.n_nodes + 1
        machine.events.append(_new(Event, (thread.time, kind, event_name, made, node)))
        handle = _new(NodeHandle, ((node,), name, made))
    else:
        handle = start(thread, played)
    thread.last_node = handle
    return handle
