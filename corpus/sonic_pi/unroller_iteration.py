"""Methods that run a block for every item, or until something is found."""

from collections.abc import Callable
from functools import cmp_to_key
from typing import Final

from corpus.sonic_pi.unroller_blocks import Block, finish
from corpus.sonic_pi.unroller_methods import sliced, windows
from corpus.sonic_pi.unroller_operators import ordered
from corpus.sonic_pi.unroller_registry import waiting_method
from corpus.sonic_pi.unroller_threads import Steps, VirtualThread
from corpus.sonic_pi.unroller_values import (
    Ring,
    RubyError,
    Value,
    as_list,
    is_number,
    is_truthy,
    whole,
)

__all__: list[str] = []

MOST_ROUNDS: Final = 1_000_000


def _iterator(names: str, prepare: Callable[[Value, list[Value]], list[list[Value]]]) -> None:
    """Registers a method that runs its block for every set of values, and gives its receiver."""

    @waiting_method(*names.split())
    def _made(
        thread: VirtualThread, owner: Value, given: list[Value], block: Block | None
    ) -> Steps:
        if block is not None:
            for values in prepare(owner, given):
                yield from block.steps(thread, values)
        return owner


_iterator("each each_entry each_pair", lambda owner, _: [[item] for item in as_list(owner)])
_iterator("each_with_index each_index", lambda owner, _: [
    [item, index] for index, item in enumerate(as_list(owner))
])  # fmt: skip
_iterator("reverse_each", lambda owner, _: [[item] for item in reversed(as_list(owner))])
_iterator("each_char", lambda owner, _: [[letter] for letter in owner])
_iterator("each_key", lambda owner, _: [[key] for key in owner])
_iterator("each_value", lambda owner, _: [[value] for value in owner.values()])
_iterator("each_slice", lambda owner, given: [
    [group] for group in sliced(as_list(owner), whole(given[0]))
])  # fmt: skip
_iterator("each_cons", lambda owner, given: [
    [group] for group in windows(as_list(owner), whole(given[0]))
])  # fmt: skip


@waiting_method("times")
def _times(thread: VirtualThread, owner: Value, _given: list[Value], block: Block | None) -> Steps:
    is_float = isinstance(owner, float)
    if block is None:
        return owner
    passes = bool(block.parameters)
    for index in range(min(whole(owner), MOST_ROUNDS)):
        yield from block.steps(thread, ((float(index) if is_float else index),) if passes else ())
    return owner


@waiting_method("upto")
def _upto(thread: VirtualThread, owner: Value, given: list[Value], block: Block | None) -> Steps:
    for index in range(whole(owner), min(whole(given[0]), whole(owner) + MOST_ROUNDS) + 1):
        if block is not None:
            yield from block.steps(thread, [index])
    return owner


@waiting_method("downto")
def _downto(thread: VirtualThread, owner: Value, given: list[Value], block: Block | None) -> Steps:
    for index in range(whole(owner), whole(given[0]) - 1, -1):
        if block is not None:
            yield from block.steps(thread, [index])
    return owner


@waiting_method("step")
def _step(thread: VirtualThread, owner: Value, given: list[Value], block: Block | None) -> Steps:
    first: Value
    last: Value
    step: Value
    if is_number(owner):
        options = given[-1] if isinstance(given[-1], dict) else {}
        last = options.get("to", given[0])
        step = options.get("by", given[1] if len(given) > 1 and is_number(given[1]) else 1)
        first = owner
    else:
        first, last, step = owner.first, owner.last, given[0]
    if not is_number(step) or step == 0:
        raise RubyError("a step must be a number other than 0")
    count = int((last - first) / step + 1e-9) + 1
    for index in range(min(count, MOST_ROUNDS)):
        if block is not None:
            yield from block.steps(thread, [first + index * step])
    return owner


@waiting_method("map", "collect", "flat_map", "map!")
def _map(thread: VirtualThread, owner: Value, _given: list[Value], block: Block | None) -> Steps:
    made = []
    for item in list(as_list(owner)):
        made.append((yield from block.steps(thread, [item])) if block is not None else item)
    return made


@waiting_method("each_with_object")
def _with_object(
    thread: VirtualThread, owner: Value, given: list[Value], block: Block | None
) -> Steps:
    for item in list(as_list(owner)):
        if block is not None:
            yield from block.steps(thread, [item, given[0]])
    return given[0]


@waiting_method("map_with_index", "each_with_index_map", "with_index")
def _with_index(
    thread: VirtualThread, owner: Value, given: list[Value], block: Block | None
) -> Steps:
    start = whole(given[0]) if given else 0
    made = []
    for index, item in enumerate(list(as_list(owner)), start):
        if block is not None:
            made.append((yield from block.steps(thread, [item, index])))
    return made


def _filter(names: str, *, keeps: bool) -> None:
    @waiting_method(*names.split())
    def _made(
        thread: VirtualThread, owner: Value, _given: list[Value], block: Block | None
    ) -> Steps:
        kept = []
        for item in list(as_list(owner)):
            passed = item if isinstance(owner, dict) else [item]
            verdict = (yield from block.steps(thread, passed)) if block is not None else item
            if is_truthy(verdict) == keeps:
                kept.append(item)
        if isinstance(owner, dict):
            return {key: value for key, value in kept}
        return owner.like(kept) if isinstance(owner, Ring) else kept


_filter("select filter keep_if find_all select!", keeps=True)
_filter("reject delete_if reject!", keeps=False)


def _search(
    names: str, found: Callable[[bool, int, Value], list[Value] | None], otherwise: Value
) -> None:
    """Registers a method that stops at the first item for which `found` gives a list of one."""

    @waiting_method(*names.split())
    def _made(
        thread: VirtualThread, owner: Value, _given: list[Value], block: Block | None
    ) -> Steps:
        for index, item in enumerate(list(as_list(owner))):
            verdict = (yield from block.steps(thread, [item])) if block is not None else item
            answer = found(is_truthy(verdict), index, item)
            if answer is not None:
                return answer[0]
        return otherwise


_search("find detect", lambda yes, _i, item: [item] if yes else None, None)
_search("find_index index", lambda yes, index, _item: [index] if yes else None, None)
_search("any?", lambda yes, _i, _item: [True] if yes else None, otherwise=False)
_search("all?", lambda yes, _i, _item: None if yes else [False], otherwise=True)
_search("none?", lambda yes, _i, _item: [False] if yes else None, otherwise=True)


@waiting_method("reduce", "inject")
def _reduce(thread: VirtualThread, owner: Value, given: list[Value], block: Block | None) -> Steps:
    items = list(as_list(owner))
    total = given[0] if given else (items.pop(0) if items else None)
    for item in items:
        total = (yield from block.steps(thread, [total, item])) if block is not None else total
    return total


@waiting_method("sum", "count")
def _count_or_sum(
    thread: VirtualThread, owner: Value, _given: list[Value], block: Block | None
) -> Steps:
    total: Value = 0
    for item in list(as_list(owner)):
        value = (yield from block.steps(thread, [item])) if block is not None else item
        total += value if is_number(value) else is_truthy(value)
    return total


def _keyed(thread: VirtualThread, owner: Value, block: Block | None) -> list[tuple[Value, Value]]:
    items = list(as_list(owner))
    keys = [finish(block.steps(thread, [item])) if block is not None else item for item in items]
    pairs = list(zip(keys, items, strict=True))

    def order(one: tuple[Value, Value], other: tuple[Value, Value]) -> int:
        return ordered(one[0], other[0]) or 0

    return sorted(pairs, key=cmp_to_key(order))


@waiting_method("sort_by", "sort_by!")
def _sort_by(
    thread: VirtualThread, owner: Value, _given: list[Value], block: Block | None
) -> Steps:
    return [item for _, item in _keyed(thread, owner, block)]
    yield  # keys are computed at once


@waiting_method("min_by")
def _min_by(thread: VirtualThread, owner: Value, _given: list[Value], block: Block | None) -> Steps:
    order = _keyed(thread, owner, block)
    return order[0][1] if order else None
    yield  # keys are computed at once


@waiting_method("max_by")
def _max_by(thread: VirtualThread, owner: Value, _given: list[Value], block: Block | None) -> Steps:
    order = _keyed(thread, owner, block)
    return order[-1][1] if order else None
    yield  # keys are computed at once


@waiting_method("sort")
def _sort(thread: VirtualThread, owner: Value, _given: list[Value], block: Block | None) -> Steps:
    def order(one: Value, other: Value) -> int:
        verdict = finish(block.steps(thread, [one, other])) if block is not None else 0
        return whole(verdict or 0)

    return sorted(as_list(owner), key=cmp_to_key(order))
    yield  # the order is computed at once


@waiting_method("group_by")
def _group_by(
    thread: VirtualThread, owner: Value, _given: list[Value], block: Block | None
) -> Steps:
    groups: dict[Value, list[Value]] = {}
    for item in list(as_list(owner)):
        key = (yield from block.steps(thread, [item])) if block is not None else item
        groups.setdefault(key, []).append(item)
    return groups


@waiting_method("partition")
def _partition(
    thread: VirtualThread, owner: Value, _given: list[Value], block: Block | None
) -> Steps:
    kept: list[list[Value]] = [[], []]
    for item in list(as_list(owner)):
        verdict = (yield from block.steps(thread, [item])) if block is not None else item
        kept[not is_truthy(verdict)].append(item)
    return kept


@waiting_method("cycle")
def _cycle(thread: VirtualThread, owner: Value, given: list[Value], block: Block | None) -> Steps:
    rounds = whole(given[0]) if given and is_number(given[0]) else MOST_ROUNDS
    items = list(as_list(owner))
    for _ in range(rounds if items and block is not None else 0):
        for item in items:
            if block is not None:
                yield from block.steps(thread, [item])
    return None


@waiting_method("call", "yield", "()", "===")
def _call(thread: VirtualThread, owner: Value, given: list[Value], block: Block | None) -> Steps:
    if not isinstance(owner, Block):
        raise RubyError("only a lambda or a function can be called")
    return (yield from owner.steps(thread, given, block))


@waiting_method("tap", "then", "yield_self")
def _then(thread: VirtualThread, owner: Value, _given: list[Value], block: Block | None) -> Steps:
    return (yield from block.steps(thread, [owner])) if block is not None else owner
