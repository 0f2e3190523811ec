"""Calls by name while a program runs: which function or method it is, and what it must not do."""

from typing import Final

from corpus.sonic_pi.unroller_blocks import Block
from corpus.sonic_pi.unroller_registry import (
    FUNCTIONS,
    METHODS,
    WAITING_FUNCTIONS,
    WAITING_METHODS,
    kind_of,
)
from corpus.sonic_pi.unroller_threads import MISUSED, Steps, VirtualThread
from corpus.sonic_pi.unroller_values import (
    UNKNOWN,
    BlockBreak,
    RubyError,
    Value,
)

__all__ = ["call_function", "call_method"]

_WAITING_METHOD_NAMES: Final = frozenset({"call", "yield", "()"})


def call_function(
    thread: VirtualThread, name: str, values: list[Value], block: Block | None
) -> Steps:
    """Calls a function by name: the program's own, then the language's."""
    own = thread.machine.functions.get(name)
    try:
        if own is not None:
            return (yield from own.steps(thread, values, block))
        waiting = WAITING_FUNCTIONS.get(name)
        if waiting is not None:
            return (yield from waiting(thread, values, block))
        plain = FUNCTIONS.get(name)
        if plain is not None:
            return plain(thread, values, block)
    except BlockBreak as signal:
        if signal.block is not block or block is None:
            raise
        return signal.value
    except MISUSED:
        thread.machine.miss(name, "arguments")
        return UNKNOWN
    thread.machine.miss(name, "function")
    if block is not None and name.startswith("with_"):
        return (yield from block.steps(thread))
    return UNKNOWN


def call_method(
    thread: VirtualThread, owner: Value, name: str, values: list[Value], block: Block | None
) -> Steps:
    """Calls a method of a value."""
    if owner is UNKNOWN:
        return UNKNOWN
    try:
        if block is not None or name in _WAITING_METHOD_NAMES:
            waiting = WAITING_METHODS.get(name)
            if waiting is not None:
                return (yield from waiting(thread, owner, values, block))
        plain = METHODS[kind_of(owner)].get(name) or METHODS["any"].get(name)
        if plain is not None:
            return plain(thread, owner, values, block)
        if owner is None:
            raise RubyError(f"undefined method '{name}' for nil")
    except BlockBreak as signal:
        if signal.block is not block or block is None:
            raise
        return signal.value
    except MISUSED:
        thread.machine.miss(f".{name}", "arguments")
        return UNKNOWN
    thread.machine.miss(f".{name}", f"method of {kind_of(owner)}")
    return UNKNOWN
