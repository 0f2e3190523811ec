"""Methods of numbers, text, hashes, and of every value."""

import math

from corpus.sonic_pi.unroller_blocks import Block
from corpus.sonic_pi.unroller_chance import shuffle_list
from corpus.sonic_pi.unroller_operators import BINARY, is_case, store
from corpus.sonic_pi.unroller_registry import method, plain_method
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


plain_method("number", "to_i to_int truncate", lambda owner, _: whole(owner))
plain_method("number", "to_f", lambda owner, _: float(owner))
plain_method("number", "floor", lambda owner, _: math.floor(owner))
plain_method("number", "ceil", lambda owner, _: math.ceil(owner))
plain_method(
    "number", "round", lambda owner, given: _rounded(owner, whole(given[0]) if given else 0)
)
plain_method("number", "abs magnitude", lambda owner, _: abs(owner))
plain_method("number", "even?", lambda owner, _: owner % 2 == 0)
plain_method("number", "odd?", lambda owner, _: owner % 2 == 1)
plain_method("number", "zero?", lambda owner, _: owner == 0)
plain_method("number", "positive?", lambda owner, _: owner > 0)
plain_method("number", "negative?", lambda owner, _: owner < 0)
plain_method("number", "succ next", lambda owner, _: owner + 1)
plain_method("number", "pred", lambda owner, _: owner - 1)
plain_method("number", "divmod", lambda owner, given: list(divmod(owner, given[0])))
plain_method("number", "div", lambda owner, given: math.floor(owner / given[0]))
plain_method("number", "fdiv", lambda owner, given: owner / given[0])
plain_method("number", "modulo", lambda owner, given: owner % given[0])
plain_method("number", "pow", lambda owner, given: BINARY["**"](owner, given[0]))
plain_method("number", "gcd", lambda owner, given: math.gcd(owner, given[0]))
plain_method("number", "lcm", lambda owner, given: math.lcm(owner, given[0]))
plain_method("number", "max", lambda owner, given: min(owner, given[0]))  # Sonic Pi: at most
plain_method("number", "min", lambda owner, given: max(owner, given[0]))  # Sonic Pi: at least
plain_method("number", "between?", lambda owner, given: given[0] <= owner <= given[1])
plain_method("number", "clamp", lambda owner, given: _clamped(owner, given))
plain_method("number", "nan?", lambda owner, _: owner != owner)
plain_method("number", "digits", lambda owner, _: [int(d) for d in reversed(str(abs(owner)))])
plain_method("number", "chr", lambda owner, _: chr(owner))
plain_method("number", "upto", lambda owner, given: Span(owner, given[0], exclusive=False))
plain_method("number", "times", lambda owner, _: Span(0, owner, exclusive=True))
plain_method("number", "integer?", lambda owner, _: isinstance(owner, int))

plain_method("text", "to_sym intern", lambda owner, _: Symbol(owner))
plain_method("text", "to_i", lambda owner, _: _leading_int(owner))
plain_method("text", "to_f", lambda owner, _: (
    to_float(note_number(owner)) if isinstance(owner, Symbol) else to_float(owner)
))  # fmt: skip
plain_method("text", "length size", lambda owner, _: len(owner))
plain_method("text", "chars", lambda owner, _: list(owner))
plain_method("text", "ring", lambda owner, _: Ring(list(owner)))
plain_method("text", "bytes", lambda owner, _: list(owner.encode()))
plain_method("text", "ord", lambda owner, _: ord(owner[0]))
plain_method("text", "upcase", lambda owner, _: type(owner)(owner.upper()))
plain_method("text", "downcase", lambda owner, _: type(owner)(owner.lower()))
plain_method("text", "capitalize", lambda owner, _: type(owner)(owner.capitalize()))
plain_method("text", "reverse", lambda owner, _: owner[::-1])
plain_method("text", "strip chomp", lambda owner, _: owner.strip())
plain_method("text", "split", lambda owner, given: _split(owner, given))
plain_method("text", "lines", lambda owner, _: owner.splitlines(keepends=True))
plain_method("text", "include?", lambda owner, given: str(given[0]) in owner)
plain_method("text", "start_with?", lambda owner, given: owner.startswith(str(given[0])))
plain_method("text", "end_with?", lambda owner, given: owner.endswith(str(given[0])))
plain_method("text", "gsub sub tr", lambda owner, given: (
    owner.replace(given[0], given[1])[:LARGEST_LIST] if len(given) > 1 and given[0] else UNKNOWN
))  # fmt: skip
plain_method("text", "delete", lambda owner, given: "".join(c for c in owner if c not in given[0]))
plain_method("text", "count", lambda owner, given: sum(c in given[0] for c in owner))
plain_method("text", "index", lambda owner, given: (
    owner.index(given[0]) if given[0] in owner else None
))  # fmt: skip
plain_method("text", "empty?", lambda owner, _: not owner)
plain_method("text", "concat", lambda owner, given: BINARY["+"](owner, given[0]))
plain_method("text", "scan", lambda _owner, _given: UNKNOWN)
plain_method("text", "hex", lambda owner, _: int(owner, 16))
plain_method("text", "[] slice", lambda owner, given: owner[whole(given[0])])


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


plain_method("hash", "keys", lambda owner, _: list(owner.keys()))
plain_method("hash", "values", lambda owner, _: list(owner.values()))
plain_method("hash", "length size count", lambda owner, _: len(owner))
plain_method("hash", "empty?", lambda owner, _: not owner)
plain_method("hash", "key? has_key? include? member?", lambda owner, given: given[0] in owner)
plain_method("hash", "value? has_value?", lambda owner, given: any(
    same(value, given[0]) for value in owner.values()
))  # fmt: skip
plain_method("hash", "merge update merge!", lambda owner, given: {
    k: v for part in (owner, *given) for k, v in part.items()
})  # fmt: skip
plain_method(
    "hash", "fetch dig []", lambda owner, given: owner.get(given[0], (given[1:] or [None])[0])
)
plain_method("hash", "delete", lambda owner, given: owner.pop(given[0], None))
plain_method("hash", "to_a", lambda owner, _: as_list(owner))
plain_method("hash", "to_h dup clone", lambda owner, _: dict(owner))
plain_method("hash", "invert", lambda owner, _: {v: k for k, v in owner.items()})
plain_method("hash", "key", lambda owner, given: next(
    (k for k, v in owner.items() if same(v, given[0])), None
))  # fmt: skip
plain_method("hash", "values_at", lambda owner, given: [owner.get(key) for key in given])
plain_method("hash", "slice", lambda owner, given: {k: owner[k] for k in given if k in owner})
plain_method("hash", "store []=", lambda owner, given: store(owner, given[0], given[1]))


def _register_fact(name: str) -> None:
    plain_method("hash", name, lambda owner, _: owner.get(name, UNKNOWN))


for _fact in ("midi_note", "octave", "pitch_class", "interval", "midi_string"):
    _register_fact(_fact)

plain_method("block", "arity", lambda owner, _: owner.arity)
plain_method("nil", "to_a", lambda _owner, _given: [])
plain_method("nil", "to_i", lambda _owner, _given: 0)
plain_method("nil", "to_f", lambda _owner, _given: 0.0)
plain_method("nil", "tick look", lambda _owner, _given: None)
plain_method("node", "args", lambda owner, _: dict(owner.arguments))

plain_method("any", "nil?", lambda owner, _: owner is None)
plain_method("any", "to_s", lambda owner, _: (
    "" if owner is None else str(owner) if isinstance(owner, str) else inspect(owner)
))  # fmt: skip
plain_method("any", "inspect", lambda owner, _: inspect(owner))
plain_method("any", "freeze itself to_proc force_encoding", lambda owner, _: owner)
plain_method("any", "frozen?", lambda owner, _: not isinstance(owner, list | dict))
plain_method("any", "dup clone", lambda owner, _: list(owner) if isinstance(owner, list) else owner)
plain_method("any", "is_a? kind_of? instance_of?", lambda owner, given: is_case(given[0], owner))
plain_method("any", "respond_to? class", lambda _owner, _given: UNKNOWN)
plain_method("any", "== eql? equal?", lambda owner, given: same(owner, given[0]))
plain_method("any", "ring", lambda owner, _: Ring(as_list(owner)))


def _register_operator(name: str) -> None:
    plain_method("any", name, lambda owner, given: BINARY[name](owner, given[0]))


for _operator in ("+", "-", "*", "/", "%", "**", "<", ">", "<=", ">=", "<=>", "<<", "&", "|"):
    _register_operator(_operator)
