"""A Sonic Pi program as genes: its top-level statements, which can move to another program.

A loop that moves takes along what it needs: the variables and functions that it names (renamed
where the new program has others of that name) and the settings it was played under (`use_synth`
and its like, in a thread of its own). It leaves its tempo behind, so that both are in time. All
of it works on the syntax tree; nothing is run.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final, Literal

import tree_sitter
import tree_sitter_ruby

__all__ = ["Gene", "genes_of", "mended", "program_of", "transplant"]

_THREADED: Final = frozenset({"live_loop", "in_thread", "at"})
_TEMPO: Final = frozenset({"use_bpm", "use_sample_bpm", "use_random_seed"})
_BLOCKS: Final = frozenset({"do_block", "block"})
_COMPOUND: Final = re.compile(r"use_\w+|set|set_\w+!?")
Edit = tuple[int, int, str]  # bytes from, to, and what stands there instead


@dataclass(frozen=True)
class Gene:
    """One statement of a program, or several that play one after the other.

    Args:
        kind: setting (holds for what follows), definition (variable or function), loop (a thread
            of its own), passage (plays in the program's own time).
        text: the source.
        names: what a definition defines, or a setting sets.
        needs: identifiers and symbols that it mentions.
        loops: names of the live loops in it.
    """

    kind: Literal["setting", "definition", "loop", "passage"]
    text: str
    names: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    loops: tuple[str, ...] = ()

    @property
    def plays(self) -> bool:
        """Whether sound comes from it."""
        return self.kind in ("loop", "passage")


def genes_of(program: str) -> tuple[Gene, ...]:
    """The genes of a program in order; comments between them are left out.

    Args:
        program: Sonic Pi source; what does not parse ends up in some gene as it is.
    """
    source = program.encode(errors="surrogatepass")
    genes: list[Gene] = []
    for node in _parser().parse(source).root_node.named_children:
        if node.type == "comment":
            continue
        gene = _gene(node)
        if gene.kind == "passage" and genes and genes[-1].kind == "passage":
            before = genes.pop()
            gene = replace(
                before, text=f"{before.text}\n{gene.text}", needs=before.needs | gene.needs
            )
        genes.append(gene)
    return tuple(genes)


def program_of(genes: Sequence[Gene]) -> str:
    """The program that the genes spell, blank lines around loops."""
    lines: list[str] = []
    for gene in genes:
        lines += ["", gene.text] if gene.plays and lines else [gene.text]
    return "\n".join(lines) + "\n"


def transplant(
    host: Sequence[Gene], donor: Sequence[Gene], which: int, place: int | None = None
) -> tuple[Gene, ...]:
    """The host with a playing gene of the donor in it, and all that this gene needs.

    Args:
        host: genes of the program that takes it in.
        donor: genes of the program it comes from.
        which: index in `donor` of a gene that plays.
        place: index in `host` of a playing gene to put it in the place of; None adds it at the end.

    Raises:
        ValueError: `which` or `place` is no gene that plays.
    """
    for genes, index in ((donor, which), (host, place)):
        if index is not None and not genes[index].plays:
            raise ValueError(f"a gene that plays is needed, gene {index} is a {genes[index].kind}")
    kept = [gene for k, gene in enumerate(host) if k != place]
    moved, carried = donor[which], _needed(donor, which)
    taken = {name for gene in kept if gene.kind == "definition" for name in gene.names}
    texts = {gene.text for gene in kept}
    renamed: dict[str, str] = {}
    for gene in carried:
        if gene.kind == "definition" and gene.text not in texts:
            renamed |= {name: _free(name, taken) for name in gene.names if name in taken}
    loops = {name for gene in kept for name in gene.loops}
    new_loops = {name: _free(name, loops) for name in moved.loops if name in loops}
    definitions = [
        _renamed(gene, renamed, {})
        for gene in carried
        if gene.kind == "definition" and gene.text not in texts
    ]
    shared = {name for gene in kept if gene.kind == "setting" for name in gene.names}
    sets = [g for g in carried if g.kind == "setting" and g.names and not g.names <= shared]
    moved = _renamed(moved, renamed, new_loops)
    manner = [g.text for g in carried if g.kind == "setting" and not g.names]
    if moved.kind == "passage" or (manner and not moved.text.startswith("in_thread")):
        body = "\n".join([*manner, moved.text])
        inner = re.sub(r"^(?=.)", "  ", body, flags=re.M)
        moved = replace(moved, kind="loop", text=f"in_thread do\n{inner}\nend")
    at = len(kept) if place is None else place
    return mended((*kept[:at], *sets, *definitions, moved, *kept[at:]))


def mended(genes: Sequence[Gene]) -> tuple[Gene, ...]:
    """The genes, none of them waiting for a loop that is gone: for another one's, or not at all."""
    every = {name for gene in genes for name in gene.loops}
    result = []
    for index, gene in enumerate(genes):
        others = [name for k, other in enumerate(genes) if k != index for name in other.loops]
        result.append(_edited(gene, _waiting_edits(gene, every, others)))
    return tuple(result)


def _waiting_edits(gene: Gene, every: set[str], others: Sequence[str]) -> list[Edit]:
    edits = []
    for node in _nodes(gene):
        if node.type == "simple_symbol" and _role(node) == "sync" and _text(node)[1:] not in every:
            option = node.parent
            if others:
                edits.append((node.start_byte, node.end_byte, f":{others[0]}"))
            elif option is not None and option.type == "pair":
                edits.append((option.start_byte, option.end_byte, "delay: 0"))
    return edits


def _needed(donor: Sequence[Gene], which: int) -> list[Gene]:
    """Definitions that a gene needs, directly or not, and settings that held for it, in order."""
    needs, chosen = set(donor[which].needs), set[int]()
    for index in range(len(donor) - 1, -1, -1):
        gene = donor[index]
        if gene.kind == "definition" and gene.names & needs:
            chosen.add(index)
            needs |= gene.needs
        elif gene.kind == "setting" and index < which:
            method = gene.text.split("(")[0].split()[0]
            if (gene.names & needs) or (not gene.names and method not in _TEMPO):
                chosen.add(index)
                needs |= gene.needs
    return [donor[index] for index in sorted(chosen)]


def _free(name: str, taken: set[str]) -> str:
    stem = re.sub(r"_\d+$", "", name)
    number = 2
    while f"{stem}_{number}" in taken:
        number += 1
    taken.add(f"{stem}_{number}")
    return f"{stem}_{number}"


def _renamed(gene: Gene, identifiers: dict[str, str], loops: dict[str, str]) -> Gene:
    """The gene with other names."""
    edits: list[Edit] = []
    for node in _nodes(gene):
        name, role = _text(node).lstrip(":"), ""
        if node.type == "simple_symbol":
            role = _role(node)
        if name in identifiers and (node.type == "identifier" or role == "define"):
            edits.append(
                (node.start_byte, node.end_byte, _text(node)[: -len(name)] + identifiers[name])
            )
        elif name in loops and role in ("live_loop", "sync"):
            edits.append((node.start_byte, node.end_byte, f":{loops[name]}"))
    return replace(
        _edited(gene, edits),
        names=frozenset(identifiers.get(name, name) for name in gene.names),
        loops=tuple(loops.get(name, name) for name in gene.loops),
    )


def _edited(gene: Gene, edits: Sequence[Edit]) -> Gene:
    source = gene.text.encode(errors="surrogatepass")
    for start, end, new in sorted(set(edits), reverse=True):
        source = source[:start] + new.encode() + source[end:]
    return replace(gene, text=source.decode(errors="replace"))


def _nodes(gene: Gene) -> Iterator[tree_sitter.Node]:
    return _walk(_parser().parse(gene.text.encode(errors="surrogatepass")).root_node)


def _role(symbol: tree_sitter.Node) -> str:
    """The call or option that a symbol is the argument of, "" if of none."""
    parent = symbol.parent
    if parent is not None and parent.type == "pair":
        return _text(parent.child_by_field_name("key")).strip(":")
    if parent is not None and parent.type == "argument_list" and parent.parent is not None:
        return _text(parent.parent.child_by_field_name("method"))
    return ""


def _gene(node: tree_sitter.Node) -> Gene:
    text = _text(node)
    inside = list(_walk(node))
    needs = frozenset(
        _text(n).lstrip(":") for n in inside if n.type in ("identifier", "simple_symbol")
    )
    method = _text(node.child_by_field_name("method")) if node.type == "call" else ""
    loops = tuple(
        _text(n)[1:] for n in inside if n.type == "simple_symbol" and _role(n) == "live_loop"
    )
    if node.type in ("assignment", "operator_assignment", "method"):
        left = node.child_by_field_name("left") or node.child_by_field_name("name")
        names = frozenset(_text(n) for n in _walk(left) if n.type == "identifier") if left else ()
        return Gene("definition", text, frozenset(names), needs)
    if method in ("define", "defonce"):
        named = next((_text(n)[1:] for n in inside if n.type == "simple_symbol"), "")
        return Gene("definition", text, frozenset({named}), needs)
    if method and _COMPOUND.fullmatch(method):
        first = next((_text(n)[1:] for n in inside if n.type == "simple_symbol"), "")
        names = frozenset({first}) if method == "set" else frozenset()
        return Gene("setting", text, names, needs)
    calls = {_text(n.child_by_field_name("method")) for n in inside if n.type == "call"}
    has_block = any(child.type in _BLOCKS for child in node.children)
    if has_block and calls & _THREADED and not method.startswith("use_"):
        return Gene("loop", text, needs=needs, loops=loops)
    return Gene("passage", text, needs=needs, loops=loops)


def _walk(node: tree_sitter.Node | None) -> Iterator[tree_sitter.Node]:
    pending = [] if node is None else [node]
    while pending:
        one = pending.pop()
        yield one
        pending.extend(reversed(one.named_children))


def _text(node: tree_sitter.Node | None) -> str:
    return "" if node is None or node.text is None else node.text.decode(errors="replace")


@cache
def _parser() -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_ruby.language()))
