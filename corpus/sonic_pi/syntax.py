"""The Sonic Pi language (Ruby) as a syntax tree, without a Ruby interpreter and without running it.

The grammar is tree-sitter's; here its tree becomes plain nodes, and its complaints become faults
with a line and a sentence. Nothing of a program is ever evaluated by the host language.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

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
    """A parsed program; with faults it cannot run, and `root` is whatever could be read."""

    root: Node
    faults: tuple[Fault, ...]


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
    faults: list[Fault] = []
    root = _convert(tree.root_node, source, faults)
    if tree.root_node.has_error and not faults:
        faults.append(Fault(1, "this is not Ruby as Sonic Pi reads it"))
    return Program(root, tuple(sorted(faults, key=lambda fault: fault.line)))


def _as_call(match: re.Match[str]) -> str:
    return " " + match[1] + match[2] + "(" + match[3][1:].replace(",", " ")


def _convert(top: tree_sitter.Node, source: bytes, faults: list[Fault]) -> Node:
    root, has_faults = Node(top.type, "", 1), top.has_error
    pending = [(top, root, 0)]
    while pending:
        raw, node, depth = pending.pop()
        if depth > MAX_DEPTH:
            if not any("nested" in fault.message for fault in faults):
                faults.append(Fault(node.line, f"this is nested deeper than {MAX_DEPTH} levels"))
            continue
        cursor = raw.walk()
        if not cursor.goto_first_child():
            continue
        more = True
        while more:
            child = cursor.node
            field = cursor.field_name
            more = cursor.goto_next_sibling()
            if child is None:
                continue
            kind = child.type
            if kind in _IGNORED or (kind in _MARKS and field is None and not has_faults):
                continue
            line = child.start_point.row + 1
            if has_faults and (child.is_error or child.is_missing):
                faults.append(Fault(line, _complaint(child, source)))
            if not child.is_named:
                if field == "operator":
                    node.fields[field] = Node("operator", kind, line)
                continue
            text, is_leaf = "", not child.named_child_count
            if is_leaf:
                text = source[child.start_byte : child.end_byte].decode("utf-8", "replace")
            is_name = field == "name" or (field == "method" and "receiver" in node.fields)
            if kind == "identifier" and text in _RESERVED and not is_name:
                # the grammar lets a word pass that closes what was never opened
                faults.append(Fault(line, f"{text!r} has nothing to belong to here"))
            copy = Node(kind, text, line)
            node.children.append(copy)
            if field is not None and field not in node.fields:
                node.fields[field] = copy
            if not is_leaf or child.child_count:
                pending.append((child, copy, depth + 1))
    return root


def _complaint(node: tree_sitter.Node, source: bytes) -> str:
    if node.is_missing:
        return f"{node.type!r} is missing here"
    text = source[node.start_byte : node.end_byte].decode("utf-8", "replace").strip()
    return f"cannot read {text[:40]!r}"
