"""Ruby's operators on values, with bounds on how large a result may grow."""

import operator
from collections.abc import Callable
from typing import Any, Final

from corpus.sonic_pi.unroller_blocks import Block
from corpus.sonic_pi.unroller_theory import note_number
from corpus.sonic_pi.unroller_threads import VirtualThread
from corpus.sonic_pi.unroller_values import (
    LARGEST_LIST,
    UNKNOWN,
    BudgetError,
    Kind,
    Ring,
    RubyError,
    Span,
    Symbol,
    Value,
    inspect,
    is_number,
    same,
    to_float,
    whole,
)

__all__ = ["BINARY", "fetch", "is_case", "ordered", "store"]

MOST_BITS: Final = 4096
"""Whole numbers do not grow beyond this many bits."""
_PLAIN: Final = (int, float)


def add(left: Value, right: Value) -> Value:
    """`left + right`: numbers, text, lists, notes by name."""
    if type(left) in _PLAIN and type(right) in _PLAIN:
        return left + right
    if left is UNKNOWN or right is UNKNOWN:
        return UNKNOWN
    if isinstance(left, Symbol):
        root, other = note_number(left), note_number(right)
        return left if root is None or other is None else root + other
    if left is None:
        return None
    if isinstance(left, str) and isinstance(right, str):
        return (left + right)[:LARGEST_LIST]
    if isinstance(left, list) and isinstance(right, list | Ring):
        return _bounded(left + _items(right))
    if isinstance(left, Ring):
        if isinstance(right, list | Ring):
            return left.like([*left.items, *_items(right)])
        shift = to_float(note_number(right))
        return left.like([item + shift for item in left.items])
    raise RubyError(f"cannot add {inspect(right)} to {inspect(left)}")


def subtract(left: Value, right: Value) -> Value:
    """`left - right`."""
    if type(left) in _PLAIN and type(right) in _PLAIN:
        return left - right
    if left is UNKNOWN or right is UNKNOWN:
        return UNKNOWN
    if isinstance(left, Symbol):
        root, other = note_number(left), note_number(right)
        return left if root is None or other is None else root - other
    if left is None:
        return None
    if isinstance(left, list) and isinstance(right, list | Ring):
        taken = _items(right)
        return [item for item in left if not any(same(item, other) for other in taken)]
    if isinstance(left, Ring):
        if isinstance(right, list | Ring):
            taken = _items(right)
            return left.like([i for i in left.items if not any(same(i, o) for o in taken)])
        shift = to_float(note_number(right))
        return left.like([item - shift for item in left.items])
    raise RubyError(f"cannot take {inspect(right)} from {inspect(left)}")


def multiply(left: Value, right: Value) -> Value:
    """`left * right`: numbers; lists and text repeated."""
    if type(left) in _PLAIN and type(right) in _PLAIN:
        product = left * right
        if type(product) is int and product.bit_length() > MOST_BITS:
            raise BudgetError("a number grew too large")
        return product
    if left is UNKNOWN or right is UNKNOWN:
        return UNKNOWN
    if isinstance(left, list | Ring | str) and not isinstance(left, Symbol) and is_number(right):
        count = max(0, whole(right))
        length = len(left.items) if isinstance(left, Ring) else len(left)
        if length * count > LARGEST_LIST:
            raise BudgetError(f"a list grew beyond {LARGEST_LIST} items")
        return left.like(left.items * count) if isinstance(left, Ring) else left * count
    if isinstance(left, list) and isinstance(right, str):
        return right.join(map(str, left))
    raise RubyError(f"cannot multiply {inspect(left)} by {inspect(right)}")


def divide(left: Value, right: Value) -> Value:
    """`left / right`: whole numbers give whole numbers, rounded down."""
    if type(left) in _PLAIN and type(right) in _PLAIN:
        if type(left) is int and type(right) is int:
            if right == 0:
                raise RubyError("divided by 0")
            return left // right
        if right == 0:
            return float("nan") if left == 0 else float("inf") if left > 0 else float("-inf")
        return left / right
    if left is UNKNOWN or right is UNKNOWN:
        return UNKNOWN
    raise RubyError(f"cannot divide {inspect(left)} by {inspect(right)}")


def modulo(left: Value, right: Value) -> Value:
    """`left % right`; of text, its format."""
    if type(left) in _PLAIN and type(right) in _PLAIN:
        if right == 0:
            if type(left) is int and type(right) is int:
                raise RubyError("divided by 0")
            return float("nan")
        return left % right
    if left is UNKNOWN or right is UNKNOWN or isinstance(left, str):
        return UNKNOWN
    raise RubyError(f"cannot divide {inspect(left)} by {inspect(right)}")


def power(left: Value, right: Value) -> Value:
    """`left ** right`."""
    if not is_number(left) or not is_number(right):
        return UNKNOWN
    if type(left) is int and type(right) is int and right > 0:
        if left.bit_length() * right > MOST_BITS:
            raise BudgetError("a number grew too large")
        return left**right
    try:
        result = float(left) ** right
    except (OverflowError, ZeroDivisionError):
        return float("inf")
    return UNKNOWN if isinstance(result, complex) else result


def shift_left(left: Value, right: Value) -> Value:
    """`left << right`: appends to an array; shifts bits."""
    if isinstance(left, list):
        left.append(right)
        return _bounded(left)
    if isinstance(left, str) and isinstance(right, str):
        return (left + right)[:LARGEST_LIST]
    if type(left) is int and type(right) is int and 0 <= right <= MOST_BITS:
        return left << right if left.bit_length() <= MOST_BITS else UNKNOWN
    return UNKNOWN


def compare_equal(left: Value, right: Value) -> Value:
    """`left == right`."""
    return UNKNOWN if left is UNKNOWN or right is UNKNOWN else same(left, right)


def _not_equal(left: Value, right: Value) -> Value:
    return UNKNOWN if left is UNKNOWN or right is UNKNOWN else not same(left, right)


def _comparison(apply: Callable[[Any, Any], bool]) -> Callable[[Value, Value], Value]:
    def compare(left: Value, right: Value) -> Value:
        if type(left) in _PLAIN and type(right) in _PLAIN:
            return apply(left, right)
        if left is UNKNOWN or right is UNKNOWN:
            return UNKNOWN
        if isinstance(left, str) and isinstance(right, str):
            return apply(str(left), str(right))
        raise RubyError(f"cannot compare {inspect(left)} with {inspect(right)}")

    return compare


def ordered(left: Value, right: Value) -> Value:
    """`left <=> right`: -1, 0 or 1; nil if they have no order."""
    if isinstance(left, list) and isinstance(right, list):
        for one, other in zip(left, right, strict=False):
            order = ordered(one, other)
            if order != 0:
                return order
        return (len(left) > len(right)) - (len(left) < len(right))
    numbers = is_number(left) and is_number(right)
    if numbers or (isinstance(left, str) and isinstance(right, str)):
        return (left > right) - (left < right)
    return UNKNOWN if left is UNKNOWN or right is UNKNOWN else None


def is_case(pattern: Value, value: Value) -> Value:
    """`pattern === value`, which `case` asks."""
    if pattern is UNKNOWN or value is UNKNOWN:
        return UNKNOWN
    return pattern.holds(value) if isinstance(pattern, Span | Kind) else same(pattern, value)


def _both(left: Value, right: Value) -> Value:
    if isinstance(left, list | Ring) and isinstance(right, list | Ring):
        kept = _items(right)
        return [item for item in _items(left) if any(same(item, other) for other in kept)]
    if type(left) is int and type(right) is int:
        return left & right
    if isinstance(left, bool):
        return left and right not in (None, False)
    return UNKNOWN


def _either(left: Value, right: Value) -> Value:
    if isinstance(left, list | Ring) and isinstance(right, list | Ring):
        joined: list[Value] = []
        for item in _items(left) + _items(right):
            if not any(same(item, other) for other in joined[:500]):
                joined.append(item)
        return joined
    if type(left) is int and type(right) is int:
        return left | right
    return left or right not in (None, False) if isinstance(left, bool) else UNKNOWN


def _whole_bits(apply: Callable[[int, int], int]) -> Callable[[Value, Value], Value]:
    def compute(left: Value, right: Value) -> Value:
        if type(left) is int and type(right) is int and right >= 0:
            return apply(left, right)
        return UNKNOWN

    return compute


def _unknown(_left: Value, _right: Value) -> Value:
    return UNKNOWN


BINARY: Final[dict[str, Callable[[Value, Value], Value]]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": modulo,
    "**": power,
    "<<": shift_left,
    ">>": _whole_bits(operator.rshift),
    "==": compare_equal,
    "!=": _not_equal,
    "<": _comparison(operator.lt),
    "<=": _comparison(operator.le),
    ">": _comparison(operator.gt),
    ">=": _comparison(operator.ge),
    "<=>": ordered,
    "===": is_case,
    "&": _both,
    "|": _either,
    "^": _whole_bits(operator.xor),
    "=~": _unknown,
    "!~": _unknown,
}


def fetch(thread: VirtualThread, owner: Value, keys: list[Value]) -> Value:
    """`owner[keys]`."""
    if owner is UNKNOWN or UNKNOWN in keys or not keys:
        return UNKNOWN
    key = keys[0]
    if isinstance(owner, Ring):
        if len(keys) == 1 and not isinstance(key, Span):
            return owner.at(key)
        return owner.like(_slice(list(owner.items), keys) or [])
    if isinstance(owner, list):
        if len(keys) == 1 and is_number(key):
            place = whole(key)
            return owner[place] if -len(owner) <= place < len(owner) else None
        return _slice(owner, keys)
    if isinstance(owner, dict):
        return owner.get(tuple(key) if isinstance(key, list) else key)
    if isinstance(owner, Block):
        return owner.call(thread, keys)
    if isinstance(owner, str):
        found = _slice(list(owner), keys if len(keys) > 1 or isinstance(key, Span) else [key, 1])
        return "".join(found) if found is not None else None
    if type(owner) is int and type(key) is int:
        return (owner >> key) & 1 if 0 <= key < MOST_BITS else 0
    if owner is None:
        raise RubyError("undefined method '[]' for nil")
    return UNKNOWN


def _slice(items: list[Value], keys: list[Value]) -> list[Value] | None:
    if isinstance(keys[0], Span):
        span = keys[0]
        first = whole(span.first)
        last = len(items) - 1 if span.last is None else whole(span.last)
        first = first + len(items) if first < 0 else first
        last = last + len(items) if last < 0 else last
        end = last if span.exclusive and span.last is not None else last + 1
    elif len(keys) > 1 and is_number(keys[0]) and is_number(keys[1]):
        first = whole(keys[0])
        first = first + len(items) if first < 0 else first
        end = first + whole(keys[1])
    else:
        return None
    return items[first : max(first, end)] if 0 <= first <= len(items) else None


def store(owner: Value, key: Value, value: Value) -> Value:
    """`owner[key] = value`; gives the value back.

    Raises:
        RubyError: it cannot be changed.
    """
    if isinstance(owner, dict):
        owner[tuple(key) if isinstance(key, list) else key] = value
    elif isinstance(owner, list) and is_number(key):
        place = whole(key)
        if place >= LARGEST_LIST:
            raise BudgetError(f"a list grew beyond {LARGEST_LIST} items")
        if place < -len(owner):
            raise RubyError(f"index {place} is outside of the array")
        if place >= len(owner):
            owner.extend([None] * (place + 1 - len(owner)))
        owner[place] = value
    elif owner is not UNKNOWN:
        raise RubyError(f"cannot change an item of {inspect(owner)}")
    return value


def _items(value: Value) -> list[Value]:
    return list(value.items) if isinstance(value, Ring) else value


def _bounded(values: list[Value]) -> list[Value]:
    if len(values) > LARGEST_LIST:
        raise BudgetError(f"a list grew beyond {LARGEST_LIST} items")
    return values
