"""Functions of chance, drawn from the thread's place in the stored stream."""

import math

from corpus.sonic_pi import unroller_theory as theory
from corpus.sonic_pi.unroller_blocks import Block, SymbolBlock
from corpus.sonic_pi.unroller_registry import function
from corpus.sonic_pi.unroller_threads import VirtualThread
from corpus.sonic_pi.unroller_values import (
    LARGEST_LIST,
    Ring,
    RubyError,
    Span,
    Value,
    as_list,
    inspect,
    is_list,
    is_number,
    whole,
)

__all__ = ["choose_from", "quantised", "shuffle_list"]


def _options(given: list[Value]) -> dict[str, Value]:
    return given[-1] if given and isinstance(given[-1], dict) else {}


def _plain(given: list[Value]) -> list[Value]:
    return given[:-1] if given and isinstance(given[-1], dict) else given


def _drawn(thread: VirtualThread, below: float) -> float:
    thread.machine.n_random += 1
    return thread.chance.draw(below)


def _bound(value: Value) -> float:
    kind = type(value)
    if kind is int or kind is float:
        return value  # type: ignore[no-any-return]
    number = theory.note_number(value)
    if not is_number(number):
        raise RubyError(f"a bound must be a number, got {inspect(value)}")
    return number  # type: ignore[no-any-return]


def quantised(value: float, step: Value) -> Value:
    """The multiple of `step` nearest to a value; the value itself without a step."""
    return math.floor(value / step + 0.5) * step if step else value


@function("rand")
def _rand(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    most = given[0] if given else 1
    if isinstance(most, Span):
        return _between(thread, [most.first, most.last])
    return _drawn(thread, most) if most != 0 else 0.0


@function("rand_i")
def _rand_i(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    most = given[0] if given else 2
    if isinstance(most, Span):
        return _between_whole(thread, [most.first, most.last], None)
    return int(_drawn(thread, _bound(most))) if most != 0 else 0


@function("rrand")
def _rrand(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return _between(thread, given)


def _between(thread: VirtualThread, given: list[Value]) -> Value:
    low, high = _bound(given[0]), _bound(given[1])
    step = _options(given).get("step") if len(given) > 2 else None
    if low == high:
        return quantised(low, step)
    return quantised(_drawn(thread, abs(low - high)) + min(low, high), step)


@function("rrand_i")
def _between_whole(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    low, high = _bound(given[0]), _bound(given[1])
    if low == high:
        return low
    return int(_drawn(thread, int(abs(low - high)) + 1)) + min(low, high)


@function("rdist")
def _rdist(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    numbers = _plain(given)
    centre = numbers[1] if len(numbers) > 1 else 0
    return _between(thread, [centre - numbers[0], centre + numbers[0], _options(given)])


@function("dice")
def _dice(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return _between_whole(thread, [1, given[0] if given else 6], None)


@function("one_in")
def _one_in(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    count = whole(given[0])
    return count >= 1 and _between_whole(thread, [1, count], None) == 1


@function("rand_back")
def _rand_back(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    thread.chance.index -= given[0] if given else 1
    return thread.chance.peek(thread.chance.index)


@function("rand_skip")
def _rand_skip(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    thread.chance.index += given[0] if given else 1
    return thread.chance.peek(thread.chance.index)


@function("rand_reset")
def _rand_reset(thread: VirtualThread, _given: list[Value], _block: Block | None) -> Value:
    thread.chance.index = 0
    return 0


@function("rand_look")
def _rand_look(thread: VirtualThread, given: list[Value], block: Block | None) -> Value:
    value = _rand(thread, given, block)
    thread.chance.index -= 1
    return value


@function("rand_i_look")
def _rand_i_look(thread: VirtualThread, given: list[Value], block: Block | None) -> Value:
    value = _rand_i(thread, given, block)
    thread.chance.index -= 1
    return value


@function("current_random_seed")
def _current_random_seed(thread: VirtualThread, _given: list[Value], _block: Block | None) -> Value:
    return thread.chance.seed + thread.chance.index


def choose_from(thread: VirtualThread, values: list[Value]) -> Value:
    """One of the values by the thread's chance; nil of none."""
    index = int(_drawn(thread, len(values)))
    return values[index] if values else None


def shuffle_list(thread: VirtualThread, values: list[Value]) -> list[Value]:
    """The values in an order by the thread's chance."""
    thread.machine.n_random += 1
    thread.spend(len(values))
    return thread.chance.shuffled(values)


@function("choose")
def _choose(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    if not given:
        return SymbolBlock(lambda chooser, values: choose_from(chooser, as_list(values)))
    return choose_from(thread, as_list(given[0]))


@function("shuffle")
def _shuffle(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    held = given[0]
    if isinstance(held, str):
        return "".join(shuffle_list(thread, list(held)))
    order = shuffle_list(thread, as_list(held))
    return held.like(order) if isinstance(held, Ring) else order


@function("pick")
def _pick(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    if not given or not (is_list(given[0]) or isinstance(given[0], Span)):
        rest = list(given)
        return SymbolBlock(lambda chooser, values: _pick(chooser, [values, *rest], None))
    values = as_list(given[0])
    count = given[1] if len(given) > 1 and is_number(given[1]) else 1
    for _ in range(whole(_options(given).get("skip", 0) or 0)):
        choose_from(thread, values)
    picked = [choose_from(thread, values) for _ in range(min(whole(count), LARGEST_LIST))]
    return Ring(picked) if isinstance(given[0], Ring) else picked
