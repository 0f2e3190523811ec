"""The functions and methods that the unroller understands, by name.

A plain one computes and returns. A waiting one is a generator: it sleeps, or it runs a block that
may. Modules with such functions register them here when they are imported.
"""

from collections.abc import Callable
from typing import Final, TypeAlias, TypeVar

from corpus.sonic_pi.unroller_blocks import Block
from corpus.sonic_pi.unroller_threads import Steps, VirtualThread
from corpus.sonic_pi.unroller_values import NodeHandle, Ring, Span, Symbol, Value

__all__ = [
    "FUNCTIONS", "METHODS", "PURE_FUNCTIONS", "PURE_METHODS", "WAITING_FUNCTIONS",
    "WAITING_METHODS", "Function", "Method", "function", "kind_of", "method", "plain_method",
    "waiting_function", "waiting_method",
]  # fmt: skip

Function: TypeAlias = Callable[[VirtualThread, list[Value], Block | None], Value]
WaitingFunction: TypeAlias = Callable[[VirtualThread, list[Value], Block | None], Steps]
Method: TypeAlias = Callable[[VirtualThread, Value, list[Value], Block | None], Value]
WaitingMethod: TypeAlias = Callable[[VirtualThread, Value, list[Value], Block | None], Steps]

FUNCTIONS: Final[dict[str, Function]] = {}
WAITING_FUNCTIONS: Final[dict[str, WaitingFunction]] = {}
METHODS: Final[dict[str, dict[str, Method]]] = {
    kind: {} for kind in ("list", "number", "text", "hash", "block", "node", "nil", "any")
}
"""By kind of receiver, then by name."""
WAITING_METHODS: Final[dict[str, WaitingMethod]] = {}
"""Methods that run a block; they sort out their receivers themselves."""

PURE_FUNCTIONS: Final = frozenset(
    {"ring", "ramp", "vector", "knit", "stretch", "range", "line", "doubles", "halves", "spread"}
    | {"bools", "scale", "chord", "chord_invert", "invert_chord", "degree", "chord_degree", "note"}
    | {"notes", "midi_notes", "octs", "note_range", "hz_to_midi", "midi_to_hz", "pitch_to_ratio"}
)
PURE_METHODS: Final = frozenset(
    {"mirror", "reverse", "reflect", "stretch", "repeat", "take", "drop", "butlast", "drop_last"}
    | {"take_last", "rotate", "sort", "ring", "ramp"}
)
"""What depends on arguments and receiver alone."""

_KINDS: Final = {
    list: "list", Ring: "list", Span: "list", int: "number", float: "number", str: "text",
    Symbol: "text", dict: "hash", Block: "block", NodeHandle: "node", type(None): "nil",
}  # fmt: skip
_F = TypeVar("_F", bound=Function)
_WF = TypeVar("_WF", bound=WaitingFunction)
_M = TypeVar("_M", bound=Method)
_WM = TypeVar("_WM", bound=WaitingMethod)


def kind_of(value: Value) -> str:
    """Which table of methods a value has."""
    return _KINDS.get(type(value), "any")


def function(*names: str) -> Callable[[_F], _F]:
    """Registers a plain function."""

    def register(made: _F) -> _F:
        FUNCTIONS.update(dict.fromkeys(names, made))
        return made

    return register


def waiting_function(*names: str) -> Callable[[_WF], _WF]:
    """Registers a function that may wait."""

    def register(made: _WF) -> _WF:
        WAITING_FUNCTIONS.update(dict.fromkeys(names, made))
        return made

    return register


def method(kind: str, *names: str) -> Callable[[_M], _M]:
    """Registers a plain method of a kind of value."""

    def register(made: _M) -> _M:
        METHODS[kind].update(dict.fromkeys(names, made))
        return made

    return register


def plain_method(kind: str, names: str, apply: Callable[[Value, list[Value]], Value]) -> None:
    """Registers a method that needs neither thread nor block, under all of these names."""

    @method(kind, *names.split())
    def _made(
        _thread: VirtualThread, owner: Value, given: list[Value], _block: Block | None
    ) -> Value:
        return apply(owner, given)


def waiting_method(*names: str) -> Callable[[_WM], _WM]:
    """Registers a method that runs its block."""

    def register(made: _WM) -> _WM:
        WAITING_METHODS.update(dict.fromkeys(names, made))
        return made

    return register
