"""The Sonic Pi language (Ruby) as a syntax tree, without a Ruby interpreter and without running it.

The grammar is tree-sitter's; here its tree becomes plain nodes, and its complaints become faults
with a line and a sentence. Nothing of a program is ever evaluated by the host language.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import tree_sitter
import tree_sitter_ruby

__all__ = ["Fault", "Node", "Program", "parse"]

MAX_CHARACTERS: Final = 1_000_000
"""Longer programs are refused: nobody plays them, and a tree costs a hundred times its text."""
MAX_DEPTH: Final = 120
"""Deeper nesting is refused, so that no walk over a tree can exhaust the stack."""

VECTOR_FUNCTIONS: Final = (
    "bools", "chord", "chord_degree", "doubles", "halves", "knit", "line", "midi_notes",
    "note_range", "octs", "ramp", "range", "ring", "sample_names", "sample_paths", "scale",
    "spread", "stretch", "vector",
)  # fmt: skip
"""Functions giving lists: Sonic Pi reads `(ring 1, 2)` as `ring(1, 2)` wherever it stands."""

_VECTOR_CALL = re.compile(r"\((\s*)(" + "|".join(VECTOR_FUNCTIONS) + r")([, \t\r\n]+)")
_RESERVED = frozenset(
    {"begin", "case", "do", "else", "elsif", "end", "ensure", "for", "if", "in", "module", "rescue"}
    | {"then", "unless", "until", "when", "while", "class", "def"}
)
_IGNORED = frozenset({"comment", "heredoc_body", "empty_statement"})
_ERROR = 65535
"""The number of the kind that stands for what cannot be read."""
_MARKS = frozenset(",:()[]{}|") | {"do", "end", "=>"}


@dataclass(frozen=True)
class Fault:
    """What is wrong with a program's text.

    Args:
        line: counted from 1.
        message: a sentence for the person who wrote it.
    """

    line: int
    message: str


class Node:
    """One node of a syntax tree: `kind`, `line` from 1, `children`, `fields`, `text` of leaves.

    A field gives the role of a child ("left", "condition", …); of several in one role, the first.
    Operators are nodes of their own only as the field "operator", their text is the operator.
    """

    __slots__ = ("children", "fields", "kind", "line", "text")

    def __init__(self, kind: str, text: str, line: int) -> None:
        self.kind = kind
        self.text = text
        self.line = line
        self.children: list[Node] = []
        self.fields: dict[str, Node] = {}

    def walk(self) -> "Iterator[Node]":
        """This node and all below it, parents first."""
        pending = [self]
        while pending:
            node = pending.pop()
            yield node
            pending.extend(reversed(node.children))


@dataclass(frozen=True)
class Program:
    """A parsed program; with faults it cannot run.

    Args:
        root: whatever could be read.
        faults: ordered by line.
        nodes: all nodes, in the order of the text.
    """

    root: Node
    faults: tuple[Fault, ...]
    nodes: Sequence[Node] = ()


@lru_cache(maxsize=1)
def _language() -> tree_sitter.Language:
    return tree_sitter.Language(tree_sitter_ruby.language())


def parse(code: str) -> Program:
    """The syntax tree of a program; never raises, whatever the text holds."""
    if len(code) > MAX_CHARACTERS:
        fault = Fault(1, f"a program must have at most {MAX_CHARACTERS} characters, cut it down")
        return Program(Node("program", "", 1), (fault,))
    source = _VECTOR_CALL.sub(_as_call, code).encode("utf-8", "replace")
    tree = tree_sitter.Parser(_language()).parse(source)
    has_faults = tree.root_node.has_error
    faults = _faults_of(tree.root_node, source) if has_faults else []
    nodes = _convert(tree.root_node, source, faults)
    if has_faults and not faults:
        faults.append(Fault(1, "this is not Ruby as Sonic Pi reads it"))
    return Program(nodes[0], tuple(sorted(faults, key=lambda fault: fault.line)), nodes)


def _as_call(match: re.Match[str]) -> str:
    return " " + match[1] + match[2] + "(" + match[3][1:].replace(",", " ")


class _Kinds(NamedTuple):
    """Names of the raw kinds by number: of those that nodes of ours are made of.

    Args:
        always: wherever they stand.
        in_a_role: where they have a role.
        operators: of the field "operator".
    """

    always: dict[int, str]
    in_a_role: dict[int, str]
    operators: dict[int, str]


@lru_cache(maxsize=1)
def _kinds() -> _Kinds:
    language = _language()
    kinds = _Kinds({_ERROR: "ERROR"}, {}, {})
    for number in range(language.node_kind_count):
        name = language.node_kind_for_id(number) or ""
        if not language.node_kind_is_named(number):
            if name not in _MARKS:
                kinds.operators[number] = name
        elif name in _MARKS:
            kinds.in_a_role[number] = name
        elif name not in _IGNORED:
            kinds.always[number] = name
    return kinds


def _convert(top: tree_sitter.Node, source: bytes, faults: list[Fault]) -> list[Node]:
    """All nodes of the tree as plain nodes, the root first, in one walk through the text."""
    nodes, kinds = [Node(top.type, "", 1)], _kinds()
    always, in_a_role, operators = kinds
    breaks = [found.start() for found in re.finditer(b"\n", source)]
    cursor, parent = top.walk(), nodes[0]
    above: list[Node] = []
    more = cursor.goto_first_child()
    while more and (raw := cursor.node) is not None:
        number = raw.kind_id
        name, field = always.get(number), None
        if name is not None or number in in_a_role or number in operators:
            field = cursor.field_name
            if name is None and field is not None:
                name = in_a_role.get(number)
        if name is not None:
            start, text, is_leaf = raw.start_byte, "", not raw.named_child_count
            if is_leaf:
                text = source[start : raw.end_byte].decode("utf-8", "replace")
            node = Node(name, text, bisect_left(breaks, start) + 1)
            nodes.append(node)
            parent.children.append(node)
            if field is not None and field not in parent.fields:
                parent.fields[field] = node
            if is_leaf:
                if text in _RESERVED and name == "identifier" and not _is_name(field, parent):
                    # the grammar lets a word pass that closes what was never opened
                    faults.append(Fault(node.line, f"{text!r} has nothing to belong to here"))
            elif len(above) >= MAX_DEPTH:
                faults.append(Fault(node.line, f"this is nested deeper than {MAX_DEPTH} levels"))
                return nodes
            elif cursor.goto_first_child():
                above.append(parent)
                parent = node
                continue
        elif field == "operator":
            line = bisect_left(breaks, raw.start_byte) + 1
            parent.fields[field] = Node("operator", operators[number], line)
        while not cursor.goto_next_sibling():
            if not above:
                return nodes
            cursor.goto_parent()
            parent = above.pop()
    return nodes


def _is_name(field: str | None, parent: Node) -> bool:
    """Whether a word in a role is the name of something, which may be any word."""
    return field == "name" or (field == "method" and "receiver" in parent.fields)


def _faults_of(top: tree_sitter.Node, source: bytes) -> list[Fault]:
    """What the grammar complains of."""
    faults: list[Fault] = []
    pending = [top]
    while pending:
        raw = pending.pop()
        if raw.is_error or raw.is_missing:
            faults.append(Fault(raw.start_point.row + 1, _complaint(raw, source)))
        pending += reversed([child for child in raw.children if child.type not in _IGNORED])
    return faults


def _complaint(node: tree_sitter.Node, source: bytes) -> str:
    if node.is_missing:
        return f"{node.type!r} is missing here"
    text = source[node.start_byte : node.end_byte].decode("utf-8", "replace").strip()
    return f"cannot read {text[:40]!r}"
