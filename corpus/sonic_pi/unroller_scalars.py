"""Methods of numbers, text, hashes, and of every value."""

import math
from collections.abc import Callable

from corpus.sonic_pi.unroller_blocks import Block
from corpus.sonic_pi.unroller_chance import shuffle_list
from corpus.sonic_pi.unroller_operators import BINARY, is_case, store
from corpus.sonic_pi.unroller_registry import method
from corpus.sonic_pi.unroller_theory import note_number
from corpus.sonic_pi.unroller_threads import VirtualThread
from corpus.sonic_pi.unroller_values import (
    LARGEST_LIST,
    UNKNOWN,
    Ring,
    RubyError,
    Span,
    Symbol,
    Value,
    as_list,
    inspect,
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


def _rounded(value: float, digits: int) -> Value:
    if digits > 0:
        return round(value, digits) if isinstance(value, float) else value
    scale = 10**-digits
    return math.floor(abs(value) / scale + 0.5) * scale * (1 if value >= 0 else -1)


def _clamped(value: float, given: list[Value]) -> float:
    if len(given) != 1:  # Sonic Pi's own clamp hides Ruby's
        raise RubyError("clamp takes one number")
    limit: float = given[0]
    return max(-limit, min(value, limit))


_register("number", "to_i to_int truncate", lambda owner, _: whole(owner))
_register("number", "to_f", lambda owner, _: float(owner))
_register("number", "floor", lambda owner, _: math.floor(owner))
_register("number", "ceil", lambda owner, _: math.ceil(owner))
_register("number", "round", lambda owner, given: _rounded(owner, whole(given[0]) if given else 0))
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
_register("number", "clamp", lambda owner, given: _clamped(owner, given))
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
_register("text", "scan", lambda _owner, _given: UNKNOWN)
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
_register(
    "hash", "fetch dig []", lambda owner, given: owner.get(given[0], (given[1:] or [None])[0])
)
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


def _register_fact(name: str) -> None:
    _register("hash", name, lambda owner, _: owner.get(name, UNKNOWN))


for _fact in ("midi_note", "octave", "pitch_class", "interval", "midi_string"):
    _register_fact(_fact)

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
_register("any", "is_a? kind_of? instance_of?", lambda owner, given: is_case(given[0], owner))
_register("any", "respond_to? class", lambda _owner, _given: UNKNOWN)
_register("any", "== eql? equal?", lambda owner, given: same(owner, given[0]))
_register("any", "ring", lambda owner, _: Ring(as_list(owner)))


def _register_operator(name: str) -> None:
    _register("any", name, lambda owner, given: BINARY[name](owner, given[0]))


for _operator in ("+", "-", "*", "/", "%", "**", "<", ">", "<=", ">=", "<=>", "<<", "&", "|"):
    _register_operator(_operator)
