"""Functions that make lists: rings, ranges, lines, spreads."""

from functools import lru_cache

from corpus.sonic_pi.unroller_blocks import Block
from corpus.sonic_pi.unroller_registry import function
from corpus.sonic_pi.unroller_threads import VirtualThread
from corpus.sonic_pi.unroller_values import (
    LARGEST_LIST,
    BudgetError,
    Ring,
    Value,
    as_list,
    is_truthy,
    options_of,
    to_float,
    whole,
)

__all__ = ["euclidean"]


def _options(given: list[Value]) -> dict[str, Value]:
    return given[-1] if given and isinstance(given[-1], dict) else {}


def _plain(given: list[Value]) -> list[Value]:
    return given[:-1] if given and isinstance(given[-1], dict) else given


@function("ring")
def _ring(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return Ring(given)


@function("ramp")
def _ramp(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return Ring(given, "ramp")


@function("vector")
def _vector(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return Ring(given, "vector")


@function("map")
def _map(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return options_of(given)


@function("knit")
def _knit(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    made: list[Value] = []
    for value, count in zip(given[::2], given[1::2], strict=False):
        made.extend([value] * min(max(0, whole(count)), LARGEST_LIST))
    return Ring(made)


@function("stretch")
def _stretch(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    made: list[Value] = []
    for values, count in zip(given[::2], given[1::2], strict=False):
        for value in as_list(values):
            made.extend([value] * min(max(0, whole(count)), LARGEST_LIST))
    return Ring(made)


@function("range")
def _range(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    options = _options(given)
    numbers = _plain(given)
    step = numbers[2] if len(numbers) > 2 else options.get("step") or 1.0
    inclusive = is_truthy(options.get("inclusive", False))
    return _stepped(to_float(numbers[0]), to_float(numbers[1]), abs(step), inclusive=inclusive)


@lru_cache(maxsize=1024)
def _stepped(first: float, last: float, step: float, *, inclusive: bool) -> Ring:
    if first == last or step == 0:
        return Ring([])
    if abs(last - first) / step > LARGEST_LIST:
        raise BudgetError(f"a list grew beyond {LARGEST_LIST} items")
    made = []
    sign = 1 if last > first else -1
    current = first
    while (round(current, 14) - last) * sign < 0 or (inclusive and round(current, 14) == last):
        made.append(round(current, 14))
        current += step * sign
    return Ring(made)


@function("line")
def _line(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    options = _options(given)
    first, last = to_float(given[0]), to_float(given[1])
    steps = options.get("steps") or 4
    inclusive = is_truthy(options.get("inclusive", False))
    width = abs(first - last)
    step = (width / (steps - 1) if steps > 1 else 0.0) if inclusive else width / steps
    return _stepped(first, last, step, inclusive=inclusive)


def _geometric(factor: float) -> None:
    name = "doubles" if factor > 1 else "halves"

    @function(name)
    def _made(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
        count = whole(given[1]) if len(given) > 1 else 1
        ratio = factor if count >= 0 else 1 / factor
        return Ring([to_float(given[0]) * ratio**index for index in range(min(abs(count), 500))])


_geometric(2.0)
_geometric(0.5)


@lru_cache(maxsize=1024)
def euclidean(accents: int, size: int) -> tuple[bool, ...]:
    """Accents spread as evenly as they go over a number of steps (Bjorklund's algorithm)."""
    if accents <= 0:
        return (False,) * max(0, size)
    if accents >= size:
        return (True,) * max(0, size)
    front = [[True] for _ in range(max(0, accents))]
    back = [[False] for _ in range(size - len(front))]
    while True:
        count = min(len(front), len(back))
        joined = [front[i] + back[i] for i in reversed(range(count))]
        back = front[count:] or back[count:]
        front = joined
        if len(back) <= 1:
            return tuple(step for group in front + back for step in group)


@function("spread")
def _spread(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    size = whole(given[1])
    if size > LARGEST_LIST:
        raise BudgetError(f"a list grew beyond {LARGEST_LIST} items")
    pattern = euclidean(whole(given[0]), size)
    turns = abs(whole(_options(given).get("rotate", 0) or 0))
    if turns and any(pattern) and not all(pattern):
        for _ in range(turns % sum(pattern)):
            pattern = pattern[1:] + pattern[:1]
            while not pattern[0]:
                pattern = pattern[1:] + pattern[:1]
    return Ring(pattern)
