"""Methods of values that compute: numbers, text, lists, hashes."""

import math
from collections.abc import Callable
from functools import cmp_to_key

from corpus.sonic_pi.unroller_blocks import Block
from corpus.sonic_pi.unroller_functions import choose_from, shuffle_list
from corpus.sonic_pi.unroller_language import look, tick
from corpus.sonic_pi.unroller_operators import BINARY, fetch, ordered, store
from corpus.sonic_pi.unroller_registry import kind_of, method
from corpus.sonic_pi.unroller_theory import note_number
from corpus.sonic_pi.unroller_threads import VirtualThread
from corpus.sonic_pi.unroller_values import (
    LARGEST_LIST,
    UNKNOWN,
    OutOfBudget,
    ProgramFailure,
    Ring,
    Span,
    Symbol,
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

Plain = Callable[[Value, list[Value]], Value]


def _register(kind: str, names: str, apply: Plain) -> None:
    @method(kind, *names.split())
    def _made(
        _thread: VirtualThread, owner: Value, given: list[Value], _block: Block | None
    ) -> Value:
        return apply(owner, given)


def _like(owner: Value, items: list[Value]) -> Value:
    return owner.like(items) if isinstance(owner, Ring) else items


def _listed(names: str, apply: Callable[[list[Value], list[Value]], list[Value]]) -> None:
    """Registers a method that gives a list of the same kind as its receiver."""
    _register("list", names, lambda owner, given: _like(owner, apply(as_list(owner), given)))


def _count(given: list[Value], default: int = 1) -> int:
    return whole(given[0]) if given else default


def _repeated(items: list[Value], count: int) -> list[Value]:
    if len(items) * count > LARGEST_LIST:
        raise OutOfBudget(f"a list grew beyond {LARGEST_LIST} items")
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


_register("list", "ramp", lambda owner, _: Ring(as_list(owner), "ramp"))
_register("list", "to_a to_ary entries", lambda owner, _: list(as_list(owner)))
_register("list", "length size count", lambda owner, given: (
    sum(same(item, given[0]) for item in as_list(owner)) if given else len(as_list(owner))
))  # fmt: skip
_register("list", "empty? none?", lambda owner, _: not as_list(owner))
_register("list", "any?", lambda owner, _: any(map(is_truthy, as_list(owner))))
_register("list", "all?", lambda owner, _: all(map(is_truthy, as_list(owner))))
_register("list", "include? member? cover? ===", lambda owner, given: (
    owner.holds(given[0])
    if isinstance(owner, Span)
    else any(same(item, given[0]) for item in as_list(owner))
))  # fmt: skip
_register("list", "join", lambda owner, given: (
    str(given[0] if given else "").join(map(str, _flat(as_list(owner))))[:LARGEST_LIST]
))  # fmt: skip
_register("list", "sum", lambda owner, given: _sum(as_list(owner), given))
_register("list", "index find_index", lambda owner, given: next(
    (i for i, item in enumerate(as_list(owner)) if given and same(item, given[0])), None
))  # fmt: skip
_register("list", "zip", lambda owner, given: [
    [item, *(other[i] if i < len(other) else None for other in map(as_list, given))]
    for i, item in enumerate(as_list(owner))
])  # fmt: skip
_register("list", "product", lambda owner, given: [
    [a, b] for a in as_list(owner)[:300] for b in as_list(given[0])[:150]
])  # fmt: skip
_register("list", "transpose", lambda owner, _: [list(row) for row in zip(*owner, strict=True)])
_register("list", "each_slice", lambda owner, given: sliced(as_list(owner), whole(given[0])))
_register("list", "each_cons", lambda owner, given: windows(as_list(owner), whole(given[0])))
_register("list", "each_with_index", lambda owner, _: [
    [item, index] for index, item in enumerate(as_list(owner))
])  # fmt: skip
_register("list", "each map to_enum lazy cycle", lambda owner, _: owner)
_register("list", "fetch at dig []", lambda owner, given: fetch_plain(owner, given))
_register("list", "slice", lambda owner, given: fetch_plain(owner, given))
_register("list", "to_h", lambda owner, _: {pair[0]: pair[1] for pair in as_list(owner)})
_register("list", "step", lambda owner, given: _span_steps(owner, given[0]))
_register("list", "begin", lambda owner, _: owner.first)
_register("list", "end", lambda owner, _: owner.last)


def _span_steps(owner: Value, step: float) -> list[Value]:
    if not isinstance(owner, Span) or step <= 0:
        raise ProgramFailure("step needs a range and a number above 0")
    count = math.floor((owner.last - owner.first) / step + 1e-9) + 1
    if count > LARGEST_LIST:
        raise OutOfBudget(f"a range is longer than {LARGEST_LIST}")
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
        raise ProgramFailure("a slice must have at least one item")
    return [items[start : start + count] for start in range(0, len(items), count)]


def windows(items: list[Value], count: int) -> list[Value]:
    """Every `count` neighbouring items."""
    if count < 1 or count > 1000:
        raise ProgramFailure("a window must have 1 to 1000 items")
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
def _choose(thread: VirtualThread, owner: Value, _given: list[Value], _block: Block | None) -> Value:
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
def _shuffle(thread: VirtualThread, owner: Value, _given: list[Value], _block: Block | None) -> Value:
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
            raise ProgramFailure(f"{inspect(owner)} cannot be changed")
        value = apply(owner, given)
        if len(owner) > LARGEST_LIST:
            raise OutOfBudget(f"a list grew beyond {LARGEST_LIST} items")
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


def _rounded(value: float, digits: int) -> Value:
    if digits > 0:
        return round(value, digits) if isinstance(value, float) else value
    scale = 10**-digits
    return math.floor(abs(value) / scale + 0.5) * scale * (1 if value >= 0 else -1)


_register("number", "to_i to_int truncate", lambda owner, _: whole(owner))
_register("number", "to_f", lambda owner, _: float(owner))
_register("number", "floor", lambda owner, _: math.floor(owner))
_register("number", "ceil", lambda owner, _: math.ceil(owner))
_register("number", "round", lambda owner, given: _rounded(owner, _count(given, 0)))
_register("number", "abs magnitude", lambda owner, _: abs(owner))
_register("number", "even?", lambda owner, _: owner % 2 == 0)
_register("number", "odd?", lambda owner, _: owner % 2 == 1)
_register("number", "zero?", lambda owner, _: owner == 0)
_register("number", "positive?", lambda owner, _: owner > 0)
_register("number", "negative?", lambda owner, _: owner < 0)
_register("number", "succ next", lambda owner, _: owner + 1)
_register("number", "pred", lambda owner, _: owner - 1)
_register("number", "divmod", lambda owner, given: list(divmod(owner, given[0])))
_register("number", "div", lambda owner, given: math.floor(owner / given[0]))
_register("number", "fdiv", lambda owner, given: owner / given[0])
_register("number", "modulo", lambda owner, given: owner % given[0])
_register("number", "pow", lambda owner, given: BINARY["**"](owner, given[0]))
_register("number", "gcd", lambda owner, given: math.gcd(owner, given[0]))
_register("number", "lcm", lambda owner, given: math.lcm(owner, given[0]))
_register("number", "max", lambda owner, given: min(owner, given[0]))  # Sonic Pi: at most
_register("number", "min", lambda owner, given: max(owner, given[0]))  # Sonic Pi: at least
_register("number", "between?", lambda owner, given: given[0] <= owner <= given[1])
_register("number", "clamp", lambda owner, given: (
    max(given[0], min(owner, given[1])) if len(given) > 1 else max(-given[0], min(owner, given[0]))
))  # fmt: skip
_register("number", "nan?", lambda owner, _: owner != owner)
_register("number", "digits", lambda owner, _: [int(d) for d in reversed(str(abs(owner)))])
_register("number", "chr", lambda owner, _: chr(owner))
_register("number", "upto", lambda owner, given: Span(owner, given[0], exclusive=False))
_register("number", "times", lambda owner, _: Span(0, owner, exclusive=True))
_register("number", "integer?", lambda owner, _: isinstance(owner, int))

_register("text", "to_sym intern", lambda owner, _: Symbol(owner))
_register("text", "to_i", lambda owner, _: _leading_int(owner))
_register("text", "to_f", lambda owner, _: (
    to_float(note_number(owner)) if isinstance(owner, Symbol) else to_float(owner)
))  # fmt: skip
_register("text", "length size", lambda owner, _: len(owner))
_register("text", "chars", lambda owner, _: list(owner))
_register("text", "ring", lambda owner, _: Ring(list(owner)))
_register("text", "bytes", lambda owner, _: list(owner.encode()))
_register("text", "ord", lambda owner, _: ord(owner[0]))
_register("text", "upcase", lambda owner, _: type(owner)(owner.upper()))
_register("text", "downcase", lambda owner, _: type(owner)(owner.lower()))
_register("text", "capitalize", lambda owner, _: type(owner)(owner.capitalize()))
_register("text", "reverse", lambda owner, _: owner[::-1])
_register("text", "strip chomp", lambda owner, _: owner.strip())
_register("text", "split", lambda owner, given: _split(owner, given))
_register("text", "lines", lambda owner, _: owner.splitlines(keepends=True))
_register("text", "include?", lambda owner, given: str(given[0]) in owner)
_register("text", "start_with?", lambda owner, given: owner.startswith(str(given[0])))
_register("text", "end_with?", lambda owner, given: owner.endswith(str(given[0])))
_register("text", "gsub sub tr", lambda owner, given: (
    owner.replace(given[0], given[1])[:LARGEST_LIST] if len(given) > 1 and given[0] else UNKNOWN
))  # fmt: skip
_register("text", "delete", lambda owner, given: "".join(c for c in owner if c not in given[0]))
_register("text", "count", lambda owner, given: sum(c in given[0] for c in owner))
_register("text", "index", lambda owner, given: (
    owner.index(given[0]) if given[0] in owner else None
))  # fmt: skip
_register("text", "empty?", lambda owner, _: not owner)
_register("text", "concat", lambda owner, given: BINARY["+"](owner, given[0]))
_register("text", "scan", lambda owner, given: UNKNOWN)
_register("text", "hex", lambda owner, _: int(owner, 16))
_register("text", "[] slice", lambda owner, given: owner[whole(given[0])])


@method("text", "shuffle")
def _shuffle_text(
    thread: VirtualThread, owner: Value, _given: list[Value], _block: Block | None
) -> Value:
    return type(owner)("".join(shuffle_list(thread, list(owner))))


def _leading_int(text: str) -> int:
    if isinstance(text, Symbol):
        return whole(to_float(note_number(text)))
    digits = text.strip()
    sign = -1 if digits.startswith("-") else 1
    digits = digits.lstrip("+-")
    end = next((i for i, c in enumerate(digits) if not c.isdigit()), len(digits))
    return sign * int(digits[: min(end, 300)] or 0)


def _split(text: str, given: list[Value]) -> list[Value]:
    if given and not isinstance(given[0], str):
        return [UNKNOWN]
    if not given or given[0] == " ":
        return list(text.split())
    parts = list(text) if given[0] == "" else text.split(given[0])
    while parts and not parts[-1]:
        parts.pop()
    return parts


_register("hash", "keys", lambda owner, _: list(owner.keys()))
_register("hash", "values", lambda owner, _: list(owner.values()))
_register("hash", "length size count", lambda owner, _: len(owner))
_register("hash", "empty?", lambda owner, _: not owner)
_register("hash", "key? has_key? include? member?", lambda owner, given: given[0] in owner)
_register("hash", "value? has_value?", lambda owner, given: any(
    same(value, given[0]) for value in owner.values()
))  # fmt: skip
_register("hash", "merge update merge!", lambda owner, given: {
    k: v for part in (owner, *given) for k, v in part.items()
})  # fmt: skip
_register("hash", "fetch dig []", lambda owner, given: owner.get(given[0], (given[1:] or [None])[0]))
_register("hash", "delete", lambda owner, given: owner.pop(given[0], None))
_register("hash", "to_a", lambda owner, _: as_list(owner))
_register("hash", "to_h dup clone", lambda owner, _: dict(owner))
_register("hash", "invert", lambda owner, _: {v: k for k, v in owner.items()})
_register("hash", "key", lambda owner, given: next(
    (k for k, v in owner.items() if same(v, given[0])), None
))  # fmt: skip
_register("hash", "values_at", lambda owner, given: [owner.get(key) for key in given])
_register("hash", "slice", lambda owner, given: {k: owner[k] for k in given if k in owner})
_register("hash", "store []=", lambda owner, given: store(owner, given[0], given[1]))

for _fact in ("midi_note", "octave", "pitch_class", "interval", "midi_string"):
    _register("hash", _fact, lambda owner, _, fact=_fact: owner.get(fact, UNKNOWN))

_register("block", "arity", lambda owner, _: owner.arity)
_register("nil", "to_a", lambda _owner, _given: [])
_register("nil", "to_i", lambda _owner, _given: 0)
_register("nil", "to_f", lambda _owner, _given: 0.0)
_register("nil", "tick look", lambda _owner, _given: None)
_register("node", "args", lambda owner, _: dict(owner.arguments))

_register("any", "nil?", lambda owner, _: owner is None)
_register("any", "to_s", lambda owner, _: (
    "" if owner is None else str(owner) if isinstance(owner, str) else inspect(owner)
))  # fmt: skip
_register("any", "inspect", lambda owner, _: inspect(owner))
_register("any", "freeze itself to_proc force_encoding", lambda owner, _: owner)
_register("any", "frozen?", lambda owner, _: not isinstance(owner, list | dict))
_register("any", "dup clone", lambda owner, _: list(owner) if isinstance(owner, list) else owner)
_register("any", "is_a? kind_of? instance_of? respond_to? class", lambda _owner, _given: UNKNOWN)
_register("any", "== eql? equal?", lambda owner, given: same(owner, given[0]))
_register("any", "ring", lambda owner, _: Ring(as_list(owner)))
for _operator in ("+", "-", "*", "/", "%", "**", "<", ">", "<=", ">=", "<=>", "<<", "&", "|"):
    _register("any", _operator, lambda owner, given, o=_operator: BINARY[o](owner, given[0]))

_UNUSED = (fetch, kind_of)
