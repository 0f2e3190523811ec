"""Turns any Sonic Pi program into a template by finding its parameters.

A parameter is a literal whose meaning its place tells: the number after `sleep`, the value of
`amp:`, the name after `use_synth`, a note symbol. The syntax tree finds them (a `sleep` in a
comment or in a string is none); everything else stays as it is, to the byte. Literals in
arithmetic, conditions and repeat counts stay too: changing them breaks programs. A program that
does not parse completely gives the parameters of the parts that do.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

import tree_sitter
import tree_sitter_ruby

from corpus.sonic_pi.parameters import NAMES
from corpus.sonic_pi.templating import Template

__all__ = ["Parameter", "find_parameters", "template_from_program"]

_OPTIONS: Final[Mapping[str, str]] = {
    "amp": "amp", "attack": "attack", "cutoff": "cutoff", "lpf": "cutoff", "decay": "release",
    "finish": "finish", "mix": "mix", "note": "note", "pan": "pan", "phase": "phase",
    "rate": "rate", "release": "release", "res": "res", "room": "room", "sustain": "sustain",
}  # fmt: skip
"""Option of a call → kind; others (modes, counts, envelopes of effects) are left alone."""

_FIRST_ARGUMENT: Final[Mapping[str, str]] = {
    "sleep": "sleep", "wait": "sleep", "use_bpm": "bpm", "with_bpm": "bpm",
    "use_random_seed": "seed", "with_random_seed": "seed", "use_synth": "synth",
    "with_synth": "synth", "synth": "synth", "sample": "sample", "with_fx": "fx",
    "use_sample_bpm": "sample", "sample_duration": "sample", "load_sample": "sample",
    "play": "note", "play_pattern": "note", "play_pattern_timed": "note", "play_chord": "note",
    "chord": "note", "scale": "note", "octs": "note",
}  # fmt: skip
_SECOND_ARGUMENT: Final[Mapping[str, str]] = {
    "play_pattern_timed": "sleep", "chord": "chord", "scale": "scale",
}  # fmt: skip
_WITHIN: Final = frozenset(
    (
        "ring",
        "choose",
        "tick",
        "look",
        "shuffle",
        "reverse",
        "mirror",
        "pick",
        "knit",
        "rrand",
        "rrand_i",
    )
)
"""Calls that hand one of the given values on: what is meant by them is meant by these."""

_NUMBERS: Final = frozenset({"integer", "float"})
_LISTS: Final = frozenset({"array", "argument_list", "parenthesized_statements"})
_NOTE_SYMBOL: Final = re.compile(r"[a-gA-G][sbf]?\d")
_PLAIN_NUMBER: Final = re.compile(r"-?\d[\d_]*(\.\d+)?(e-?\d+)?")
_NAME_KINDS: Final = frozenset(NAMES)


@dataclass(frozen=True)
class Parameter:
    """A literal of a program that a template may vary.

    Args:
        kind: of `parameters.NUMBERS` or `parameters.NAMES`, or `note`.
        text: the literal, for symbols without the colon.
        line: of the program, counted from 1.
        start, end: bytes of the UTF-8 source that `text` fills.
    """

    kind: str
    text: str
    line: int
    start: int
    end: int


def find_parameters(program: str) -> tuple[Parameter, ...]:
    """The parameters of a program, in order of place.

    Args:
        program: Sonic Pi source.
    """
    tree = _parser().parse(program.encode(errors="surrogatepass"))
    found = {parameter.start: parameter for parameter in _in_node(tree.root_node, None)}
    return tuple(found[start] for start in sorted(found))


def template_from_program(name: str, program: str, *, tie_equal: bool = True) -> Template:
    """A template whose `original()` is the program and whose fillings vary its parameters.

    Args:
        name: of the template.
        program: Sonic Pi source.
        tie_equal: literals of one kind that are equal in the program stay equal in every filling,
            so that what was in time with each other still is; else each varies by itself.

    Raises:
        ValueError: if the program is not UTF-8 text.
    """
    try:
        source = program.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"program {name} must be UTF-8 text: {error}") from error
    parts, place = [], 0
    for parameter in find_parameters(program):
        parts.append(_escaped(source[place : parameter.start].decode()))
        slot = f', slot="{parameter.text}"' if tie_equal else ""
        parts.append(f'{{{{ {parameter.kind}(like="{parameter.text}"{slot}) }}}}')
        place = parameter.end
    parts.append(_escaped(source[place:].decode()))
    return Template(name, "".join(parts))


@cache
def _parser() -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_ruby.language()))


def _escaped(text: str) -> str:
    """Text that Jinja gives back unchanged."""
    text = re.sub(r"\{(?=[{%#\r]|\Z)", '{{ "{" }}', text)
    return text.replace("\r", '{{ "\\r" }}')  # Jinja makes every line end "\n"


def _in_node(node: tree_sitter.Node, kind: str | None) -> Iterator[Parameter]:
    """Parameters in a subtree.

    Args:
        node: root of the subtree.
        kind: what a literal standing here means; None where nobody says.
    """
    if node.type == "call":
        yield from _in_call(node, kind)
    elif node.type == "pair":
        yield from _in_pair(node)
    elif node.type == "unary" or node.type in _NUMBERS or node.type == "simple_symbol":
        yield from _literal(node, kind)
    elif node.type in _LISTS:
        for child in node.named_children:
            yield from _in_node(child, kind)
    elif node.type not in ("comment", "string", "ERROR"):
        for child in node.named_children:
            yield from _in_node(child, None)


def _in_call(node: tree_sitter.Node, kind: str | None) -> Iterator[Parameter]:
    method = _text(node.child_by_field_name("method"))
    receiver = node.child_by_field_name("receiver")
    arguments = node.child_by_field_name("arguments")
    hands_on = method in _WITHIN
    if receiver is not None:
        yield from _in_node(receiver, kind if hands_on else None)
    if arguments is not None:
        positions = [a for a in arguments.named_children if a.type not in ("pair", "comment")]
        for argument in arguments.named_children:
            meant = kind if hands_on and receiver is None else None
            if receiver is None and argument in positions:
                position = positions.index(argument)
                meant = _meaning(method, position, meant)
            yield from _in_node(argument, meant)
    block = node.child_by_field_name("block")
    if block is not None:
        yield from _in_node(block, None)


def _meaning(method: str, position: int, handed_on: str | None) -> str | None:
    if method == "knit" and position % 2 == 1:
        return None  # how often the value before it comes
    table = (_FIRST_ARGUMENT, _SECOND_ARGUMENT)
    return table[position].get(method, handed_on) if position < len(table) else handed_on


def _in_pair(node: tree_sitter.Node) -> Iterator[Parameter]:
    key, value = node.child_by_field_name("key"), node.child_by_field_name("value")
    if value is not None:
        yield from _in_node(value, _OPTIONS.get(_text(key).strip(":")))


def _literal(node: tree_sitter.Node, kind: str | None) -> Iterator[Parameter]:
    text = _text(node)
    if node.type == "simple_symbol":
        name = text.removeprefix(":")
        is_note = _NOTE_SYMBOL.fullmatch(name) is not None
        if is_note and kind in (None, "note"):
            yield _parameter("note", node, name, skip=1)
        elif kind in _NAME_KINDS and re.fullmatch(r"\w+", name):
            yield _parameter(kind, node, name, skip=1)
    elif kind is not None and kind not in _NAME_KINDS and _PLAIN_NUMBER.fullmatch(text):
        yield _parameter(kind, node, text, skip=0)


def _parameter(kind: str, node: tree_sitter.Node, text: str, skip: int) -> Parameter:
    return Parameter(kind, text, node.start_point[0] + 1, node.start_byte + skip, node.end_byte)


def _text(node: tree_sitter.Node | None) -> str:
    return "" if node is None or node.text is None else node.text.decode(errors="replace")
