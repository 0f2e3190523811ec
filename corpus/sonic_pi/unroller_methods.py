"""Methods of lists that compute."""

import math
from collections.abc import Callable
from functools import cmp_to_key

from corpus.sonic_pi.unroller_blocks import Block
from corpus.sonic_pi.unroller_chance import choose_from, shuffle_list
from corpus.sonic_pi.unroller_language import look, tick
from corpus.sonic_pi.unroller_operators import BINARY, ordered, store
from corpus.sonic_pi.unroller_registry import method, plain_method
from corpus.sonic_pi.unroller_theory import note_number
from corpus.sonic_pi.unroller_threads import VirtualThread
from corpus.sonic_pi.unroller_values import (
    LARGEST_LIST,
    BudgetError,
    Ring,
    RubyError,
    Span,
    Value,
    as_list,
    inspect,
    is_number,
    is_truthy,
    same,
    to_float,
    whole,
)

__all__: list[str] = []


def _like(owner: Value, items: list[Value]) -> Value:
    return owner.like(items) if isinstance(owner, Ring) else items


def _listed(names: str, apply: Callable[[list[Value], list[Value]], list[Value]]) -> None:
    """Registers a method that gives a list of the same kind as its receiver."""
    plain_method("list", names, lambda owner, given: _like(owner, apply(as_list(owner), given)))


def _count(given: list[Value], default: int = 1) -> int:
    return whole(given[0]) if given else default


def _repeated(items: list[Value], count: int) -> list[Value]:
    if len(items) * count > LARGEST_LIST:
        raise BudgetError(f"a list grew beyond {LARGEST_LIST} items")
    return items * count


def _taken(items: list[Value], given: list[Value]) -> list[Value]:
    count = _count(given)
    if count < 0:
        return _taken(items[::-1], [-count])
    if count > len(items) and items:
        return _repeated(items, count // len(items) + 1)[:count]
    return items[:count]


def _rotated(items: list[Value], given: list[Value]) -> list[Value]:
    shift = _count(given) % len(items) if items else 0
    return items[shift:] + items[:shift]


def _reflected(items: list[Value], given: list[Value]) -> list[Value]:
    made = items + items[::-1][1:]
    return made + _repeated(made[1:], _count(given) - 1) if _count(given) > 1 else made


def _stretched(items: list[Value], given: list[Value]) -> list[Value]:
    return [item for item in items for _ in range(min(max(0, _count(given)), LARGEST_LIST))]


def _unique(items: list[Value], _given: list[Value]) -> list[Value]:
    made: list[Value] = []
    for item in items:
        if not any(same(item, other) for other in made[:1000]):
            made.append(item)
    return made


def _flat(items: list[Value], depth: int = 20) -> list[Value]:
    made: list[Value] = []
    for item in items:
        if isinstance(item, list | Ring) and depth:
            made.extend(_flat(as_list(item), depth - 1))
        else:
            made.append(item)
    return made


def _sorted(items: list[Value]) -> list[Value]:
    return sorted(items, key=cmp_to_key(lambda a, b: ordered(a, b) or 0))


_listed("reverse", lambda items, _: items[::-1])
_listed("mirror", lambda items, given: _repeated(items + items[::-1], _count(given)))
_listed("reflect", _reflected)
_listed("repeat", lambda items, given: _repeated(items, max(1, _count(given, 2))))
_listed("stretch", _stretched)
_listed("rotate", _rotated)
_listed("drop", lambda items, given: items[max(0, _count(given)) :])
_listed("drop_last", lambda items, given: items[: max(0, len(items) - _count(given))])
_listed("butlast", lambda items, _: items[:-1])
_listed("take_last", lambda items, given: items[-_count(given) :] if _count(given) else [])
_listed("uniq", _unique)
_listed("compact", lambda items, _: [item for item in items if item is not None])
_listed("flatten", lambda items, given: _flat(items, _count(given, 20)))
_listed("sort", lambda items, _: _sorted(items))
_listed("scale", lambda items, given: [item * to_float(given[0]) for item in items])
_listed("notes", lambda items, _: [note_number(item) for item in items])
_listed("values_at", lambda items, given: [items[whole(index)] for index in given])
_listed("list_diff", lambda items, given: BINARY["-"](items, as_list(given[0])))
_listed("list_concat concat", lambda items, given: items + as_list(given[0]))
_listed("shift_by", _rotated)


@method("list", "take")
def _take(_thread: VirtualThread, owner: Value, given: list[Value], _block: Block | None) -> Value:
    if isinstance(owner, Ring):
        return owner.like(_taken(list(owner.items), given))
    return as_list(owner)[: max(0, _count(given))]


@method("list", "ring", "to_ring")
def _ring(_thread: VirtualThread, owner: Value, _given: list[Value], _block: Block | None) -> Value:
    return owner if isinstance(owner, Ring) else Ring(as_list(owner))


plain_method("list", "ramp", lambda owner, _: Ring(as_list(owner), "ramp"))
plain_method("list", "to_a to_ary entries", lambda owner, _: list(as_list(owner)))
plain_method("list", "length size count", lambda owner, given: (
    sum(same(item, given[0]) for item in as_list(owner)) if given else len(as_list(owner))
))  # fmt: skip
plain_method("list", "empty? none?", lambda owner, _: not as_list(owner))
plain_method("list", "any?", lambda owner, _: any(map(is_truthy, as_list(owner))))
plain_method("list", "all?", lambda owner, _: all(map(is_truthy, as_list(owner))))
plain_method("list", "include? member? cover? ===", lambda owner, given: (
    owner.holds(given[0])
    if isinstance(owner, Span)
    else any(same(item, given[0]) for item in as_list(owner))
))  # fmt: skip
plain_method("list", "join", lambda owner, given: (
    str(given[0] if given else "").join(map(str, _flat(as_list(owner))))[:LARGEST_LIST]
))  # fmt: skip
plain_method("list", "sum", lambda owner, given: _sum(as_list(owner), given))
plain_method("list", "index find_index", lambda owner, given: next(
    (i for i, item in enumerate(as_list(owner)) if given and same(item, given[0])), None
))  # fmt: skip
plain_method("list", "zip", lambda owner, given: [
    [item, *(other[i] if i < len(other) else None for other in map(as_list, given))]
    for i, item in enumerate(as_list(owner))
])  # fmt: skip
plain_method("list", "product", lambda owner, given: [
    [a, b] for a in as_list(owner)[:300] for b in as_list(given[0])[:150]
])  # fmt: skip
plain_method("list", "transpose", lambda owner, _: [list(row) for row in zip(*owner, strict=True)])
plain_method("list", "each_slice", lambda owner, given: sliced(as_list(owner), whole(given[0])))
plain_method("list", "each_cons", lambda owner, given: windows(as_list(owner), whole(given[0])))
plain_method("list", "each_with_index", lambda owner, _: [
    [item, index] for index, item in enumerate(as_list(owner))
])  # fmt: skip
plain_method("list", "each map to_enum lazy cycle", lambda owner, _: owner)
plain_method("list", "fetch at dig []", lambda owner, given: fetch_plain(owner, given))
plain_method("list", "slice", lambda owner, given: fetch_plain(owner, given))
plain_method("list", "to_h", lambda owner, _: {pair[0]: pair[1] for pair in as_list(owner)})
plain_method("list", "step", lambda owner, given: _span_steps(owner, given[0]))
plain_method("list", "begin", lambda owner, _: owner.first)
plain_method("list", "end", lambda owner, _: owner.last)


def _span_steps(owner: Value, step: float) -> list[Value]:
    if not isinstance(owner, Span) or step <= 0:
        raise RubyError("step needs a range and a number above 0")
    count = math.floor((owner.last - owner.first) / step + 1e-9) + 1
    if count > LARGEST_LIST:
        raise BudgetError(f"a range is longer than {LARGEST_LIST}")
    made = [owner.first + index * step for index in range(count)]
    return made[:-1] if owner.exclusive and made and made[-1] == owner.last else made


def fetch_plain(owner: Value, given: list[Value]) -> Value:
    """`owner[given]` for lists."""
    if isinstance(owner, Span):
        owner = owner.items()
    if isinstance(owner, Ring) and len(given) == 1 and is_number(given[0]):
        return owner.at(given[0])
    return _FETCH(owner, given)


def _fetch_list(owner: Value, given: list[Value]) -> Value:
    items = as_list(owner)
    if len(given) == 2 and is_number(given[1]):
        return _like(owner, items[whole(given[0]) : whole(given[0]) + whole(given[1])])
    if isinstance(given[0], Span):
        first, last = whole(given[0].first), whole(given[0].last)
        last = last + len(items) if last < 0 else last
        return _like(owner, items[first : last + (not given[0].exclusive)])
    place = whole(given[0])
    return items[place] if -len(items) <= place < len(items) else None


_FETCH = _fetch_list


def sliced(items: list[Value], count: int) -> list[Value]:
    """The items in groups of `count`."""
    if count < 1:
        raise RubyError("a slice must have at least one item")
    return [items[start : start + count] for start in range(0, len(items), count)]


def windows(items: list[Value], count: int) -> list[Value]:
    """Every `count` neighbouring items."""
    if count < 1 or count > 1000:
        raise RubyError("a window must have 1 to 1000 items")
    return [items[start : start + count] for start in range(len(items) - count + 1)]


def _sum(items: list[Value], given: list[Value]) -> Value:
    total = given[0] if given else 0
    for item in items:
        total = BINARY["+"](total, item)
    return total


def _extreme(names: str, sign: int) -> None:
    @method("list", *names.split())
    def _made(
        _thread: VirtualThread, owner: Value, given: list[Value], _block: Block | None
    ) -> Value:
        order = _sorted(as_list(owner))[::sign]
        return _like(owner, order[: whole(given[0])]) if given else (order[0] if order else None)


_extreme("min", 1)
_extreme("max", -1)


@method("list", "first")
def _first(_thread: VirtualThread, owner: Value, given: list[Value], _block: Block | None) -> Value:
    items = as_list(owner)
    return _like(owner, items[: _count(given)]) if given else (items[0] if items else None)


@method("list", "last")
def _last(_thread: VirtualThread, owner: Value, given: list[Value], _block: Block | None) -> Value:
    items = as_list(owner)
    count = _count(given)
    return _like(owner, items[-count:] if count else []) if given else (items or [None])[-1]


@method("list", "choose", "sample")
def _choose(
    thread: VirtualThread, owner: Value, _given: list[Value], _block: Block | None
) -> Value:
    return choose_from(thread, as_list(owner))


@method("list", "pick")
def _pick(thread: VirtualThread, owner: Value, given: list[Value], _block: Block | None) -> Value:
    items = as_list(owner)
    count = whole(given[0]) if given and is_number(given[0]) else 1
    options = given[-1] if given and isinstance(given[-1], dict) else {}
    for _ in range(whole(options.get("skip", 0))):
        choose_from(thread, items)
    made = [choose_from(thread, items) for _ in range(min(count, LARGEST_LIST))]
    return Ring(made) if isinstance(owner, Ring) else made


@method("list", "shuffle")
def _shuffle(
    thread: VirtualThread, owner: Value, _given: list[Value], _block: Block | None
) -> Value:
    return _like(owner, shuffle_list(thread, as_list(owner)))


@method("list", "tick")
def _tick(thread: VirtualThread, owner: Value, given: list[Value], _block: Block | None) -> Value:
    index = tick(thread, given)
    return (owner if isinstance(owner, Ring) else Ring(as_list(owner))).at(index)


@method("list", "look")
def _look(thread: VirtualThread, owner: Value, given: list[Value], _block: Block | None) -> Value:
    index = look(thread, given)
    return (owner if isinstance(owner, Ring) else Ring(as_list(owner))).at(index)


def _changing(names: str, apply: Callable[[list[Value], list[Value]], Value]) -> None:
    """Registers a method that changes an array in place."""

    @method("list", *names.split())
    def _made(
        thread: VirtualThread, owner: Value, given: list[Value], _block: Block | None
    ) -> Value:
        thread.spend()
        if not isinstance(owner, list):
            raise RubyError(f"{inspect(owner)} cannot be changed")
        value = apply(owner, given)
        if len(owner) > LARGEST_LIST:
            raise BudgetError(f"a list grew beyond {LARGEST_LIST} items")
        return value


def _replaced(items: list[Value], new: list[Value]) -> list[Value]:
    items[:] = new
    return items


def _inserted(items: list[Value], given: list[Value]) -> list[Value]:
    items[whole(given[0]) : whole(given[0])] = given[1:]
    return items


_changing("push append", lambda items, given: _replaced(items, items + given))
_changing("unshift prepend", lambda items, given: _replaced(items, given + items))
_changing("concat", lambda items, given: _replaced(items, items + as_list(given[0])))
_changing("pop", lambda items, _: items.pop() if items else None)
_changing("shift", lambda items, _: items.pop(0) if items else None)
_changing("rotate!", lambda items, given: _replaced(items, _rotated(items, given)))
_changing("reverse!", lambda items, _: _replaced(items, items[::-1]))
_changing("sort!", lambda items, _: _replaced(items, _sorted(items)))
_changing("uniq!", lambda items, given: _replaced(items, _unique(items, given)))
_changing("flatten!", lambda items, _: _replaced(items, _flat(items)))
_changing("clear", lambda items, _: _replaced(items, []))
_changing("replace", lambda items, given: _replaced(items, list(as_list(given[0]))))
_changing("insert", _inserted)
_changing("delete_at", lambda items, given: (
    items.pop(whole(given[0])) if -len(items) <= whole(given[0]) < len(items) else None
))  # fmt: skip
_changing("delete", lambda items, given: _replaced(
    items, [item for item in items if not same(item, given[0])]
))  # fmt: skip


@method("list", "put")
def _put(_thread: VirtualThread, owner: Value, given: list[Value], _block: Block | None) -> Value:
    items = list(as_list(owner))
    store(items, given[0], given[1])
    return _like(owner, items)


@method("list", "shuffle!")
def _shuffle_in_place(
    thread: VirtualThread, owner: Value, _given: list[Value], _block: Block | None
) -> Value:
    return _replaced(owner, shuffle_list(thread, owner))
