"""The values that Sonic Pi programs compute with, and what Ruby does with them.

nil, true, false, numbers, strings and hashes are Python's own; arrays are lists. Everything else
has a class here. `UNKNOWN` stands for what could not be foreseen; whatever touches it is unknown.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

__all__ = [
    "LARGEST_LIST",
    "UNKNOWN",
    "BlockBreak",
    "BudgetError",
    "Kind",
    "LoopBreak",
    "LoopNext",
    "NodeHandle",
    "Return",
    "Ring",
    "RubyError",
    "Span",
    "StopThread",
    "Symbol",
    "Unknown",
    "Value",
    "as_list",
    "inspect",
    "is_list",
    "is_number",
    "is_truthy",
    "options_of",
    "same",
    "to_float",
    "whole",
]  # fmt: skip

Value: TypeAlias = Any
LARGEST_LIST: Final = 50_000
"""Lists, strings and ranges do not grow beyond this; a program that needs more is cut short."""


class Symbol(str):
    """A Ruby symbol; a string of another class, so that both find the same hash entry."""

    __slots__ = ()


class Unknown:
    """The one value that could not be foreseen."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN: Final = Unknown()


class Ring:
    """Sonic Pi's immutable lists: `ring` wraps around, `ramp` stays at its ends, `vector` ends.

    Args:
        items: what it holds.
        kind: "ring", "ramp" or "vector".
    """

    __slots__ = ("items", "kind")

    def __init__(self, items: Sequence[Value], kind: str = "ring") -> None:
        if len(items) > LARGEST_LIST:
            raise BudgetError(f"a list grew beyond {LARGEST_LIST} items")
        self.items = tuple(items)
        self.kind = kind

    def at(self, index: Value) -> Value:
        """The item at an index as this kind of list counts."""
        if type(index) is int and self.kind == "ring" and self.items:
            return self.items[index % len(self.items)]
        if not self.items or not is_number(index):
            return None if index is not UNKNOWN else UNKNOWN
        place = whole(index)
        if self.kind == "ring":
            return self.items[place % len(self.items)]
        if self.kind == "ramp":
            return self.items[max(0, min(place, len(self.items) - 1))]
        return self.items[place] if -len(self.items) <= place < len(self.items) else None

    def like(self, items: Sequence[Value]) -> "Ring":
        """Other items in a list of this kind."""
        return Ring(items, self.kind)


class Span:
    """A Ruby range `first..last` or, without its last, `first...last`."""

    __slots__ = ("exclusive", "first", "last")

    def __init__(self, first: Value, last: Value, *, exclusive: bool) -> None:
        self.first = first
        self.last = last
        self.exclusive = exclusive

    def items(self) -> list[Value]:
        """The whole numbers (or letters) in it."""
        if is_number(self.first) and (is_number(self.last) or self.last is None):
            first = whole(self.first)
            last = first + LARGEST_LIST if self.last is None else int(self.last // 1)
            end = last if self.exclusive and last == self.last else last + 1
            if end - first > LARGEST_LIST:
                raise BudgetError(f"a range is longer than {LARGEST_LIST}")
            return list(range(first, end))
        letters = isinstance(self.first, str) and isinstance(self.last, str)
        if letters and len(self.first) == len(self.last) == 1:
            codes = range(ord(self.first), ord(self.last) + (not self.exclusive))
            return [chr(code) for code in codes]
        raise RubyError("a range must run between whole numbers or letters")

    def holds(self, value: Value) -> bool:
        """Whether a value lies in it."""
        if not is_number(value) or not is_number(self.first):
            return False
        if self.last is None:
            return bool(value >= self.first)
        below = value < self.last if self.exclusive else value <= self.last
        return bool(self.first <= value and below)


class Kind:
    """A class of Ruby's, known by name: what `is_a?` and `case` ask about."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def holds(self, value: Value) -> Value:
        """Whether a value is of this class; unknown for classes not known here."""
        types = _KINDS.get(self.name)
        if types is None or value is UNKNOWN:
            return UNKNOWN
        return type(value) in types


_KINDS: Final[dict[str, tuple[type, ...]]] = {
    "Integer": (int,),
    "Float": (float,),
    "Numeric": (int, float),
    "String": (str,),
    "Symbol": (Symbol,),
    "Array": (list,),
    "Hash": (dict,),
    "NilClass": (type(None),),
    "Range": (Span,),
    "TrueClass": (bool,),
    "FalseClass": (bool,),
}


class NodeHandle(NamedTuple):
    """A running sound or effect, as `play` and `with_fx` give it; several for a chord.

    Args:
        nodes: numbers of its events.
        name: synth, effect or sample player.
        arguments: as it was started.
    """

    nodes: tuple[int, ...]
    name: str
    arguments: Mapping[str, float]


class RubyError(Exception):
    """An error that Sonic Pi would raise too: it ends the thread."""


class BudgetError(Exception):
    """A limit of ours is reached: unrolling ends and keeps what it has."""


class StopThread(Exception):  # noqa: N818 - a way out, no error
    """`stop`, or the end of the time that is asked for."""


class Return(Exception):  # noqa: N818 - a way out, no error
    """`return value` on its way to the function."""

    def __init__(self, value: Value) -> None:
        self.value = value


class LoopNext(Return):
    """`next value` on its way to the block or loop."""


class LoopBreak(Return):
    """`break value` on its way to the `while` around it."""


class BlockBreak(Return):
    """`break value` on its way to the call that was given the block."""

    def __init__(self, block: object, value: Value) -> None:
        super().__init__(value)
        self.block = block


def is_truthy(value: Value) -> bool:
    """Ruby's truth: all but nil and false; what is unknown counts as true."""
    return value is not None and value is not False


def is_number(value: Value) -> bool:
    """Whether it is a number; truth values are none."""
    kind = type(value)
    return kind is int or kind is float


def is_list(value: Value) -> bool:
    """Whether it is an array, ring, ramp or vector."""
    return isinstance(value, list | Ring)


def as_list(value: Value) -> list[Value]:
    """The items of a list, range or hash; a single value alone in a list, nil an empty one."""
    if isinstance(value, list):
        return value
    if isinstance(value, Ring):
        return list(value.items)
    if isinstance(value, Span):
        return value.items()
    if isinstance(value, dict):
        return [[key, held] for key, held in value.items()]
    return [] if value is None else [value]


def whole(value: Value) -> int:
    """A number cut to a whole one.

    Raises:
        RubyError: it has no whole part.
    """
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise RubyError(f"a whole number is needed here, got {inspect(value)}") from error


def to_float(value: Value) -> float:
    """Ruby's `to_f`: text is read as far as it is a number."""
    if value is True or value is False or value is None:
        return 1.0 if value else 0.0
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return 0.0


def same(left: Value, right: Value) -> bool:
    """Ruby's `==`."""
    if left is right:
        return True
    if is_number(left) and is_number(right):
        return bool(left == right)
    if isinstance(left, Ring) and isinstance(right, Ring):
        return left.kind == right.kind and _all_same(left.items, right.items)
    if isinstance(left, list) and isinstance(right, list):
        return _all_same(left, right)
    if isinstance(left, Span) and isinstance(right, Span):
        return (left.first, left.last) == (right.first, right.last)
    if type(left) is not type(right) or isinstance(left, bool):
        return False
    return bool(left == right)


def _all_same(left: Sequence[Value], right: Sequence[Value]) -> bool:
    return len(left) == len(right) and all(map(same, left, right))


_HASHES: Final = frozenset({dict})


def options_of(arguments: Sequence[Value]) -> dict[str, Value]:
    """Options given as hashes or as pairs in lists, put together; later ones win."""
    if not arguments:
        return {}
    options: dict[str, Value] = {}
    if _HASHES.issuperset(map(type, arguments)):
        for given in arguments:
            options.update(given)
        return options
    flat = list(_flattened(arguments))
    loose: list[Value] = []
    for item in flat:
        if isinstance(item, dict):
            options.update(item)
        else:
            loose.append(item)
    options.update(zip(loose[::2], loose[1::2], strict=False))
    return options


def _flattened(values: Sequence[Value]) -> Iterator[Value]:
    for value in values:
        if isinstance(value, list):
            yield from _flattened(value)
        else:
            yield value


def inspect(value: Value) -> str:
    """How Ruby writes a value."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Symbol):
        return f":{value}"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return "[" + ", ".join(map(inspect, value[:100])) + "]"
    if isinstance(value, Ring):
        return f"({value.kind} " + ", ".join(map(inspect, value.items[:100])) + ")"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{inspect(k)}=>{inspect(v)}" for k, v in value.items()) + "}"
    return str(value)
