"""A candidate and its context: what is played of the two together, and what is ranked.

A candidate is added below the performer's program and so plays at its tempo, with its synth, its
functions and its variables. To be ranked by its own sound, it is heard with these, and without
what else the context plays.
"""

from typing import Final

from corpus.sonic_pi.syntax import Node, parse

__all__ = ["frame_of", "framed", "whole_program"]

_FRAMING_CALLS: Final = frozenset({"define", "ndefine", "defonce", "set", "load_samples"})


def whole_program(context: str, candidate: str) -> str:
    """What is played: the performer's program with the candidate added below."""
    return "\n\n".join(part for part in (context.strip("\n"), candidate.strip("\n")) if part)


def frame_of(context: str) -> str:
    """The lines of a program that shape what is added below it, and make no sound by themselves.

    These are its assignments, definitions and settings (`use_…`) at the top level; nothing if the
    program cannot be read.
    """
    program = parse(context)
    if program.faults:
        return ""
    lines, tops = context.split("\n"), program.root.children
    ends = [*(node.line - 1 for node in tops[1:]), len(lines)][: len(tops)]
    kept: dict[int, str] = {}  # several statements may share a line
    for node, end in zip(tops, ends, strict=True):
        if _frames(node):
            kept |= {n: lines[n] for n in range(node.line - 1, max(end, node.line))}
    return "\n".join(kept.values())


def framed(frame: str, context: str, candidate: str) -> str:
    """A candidate as it is ranked: with what shapes it; as it is if it repeats its context.

    Args:
        frame: of the context, see `frame_of`.
        context: the performer's program.
        candidate: what is added.
    """
    if not candidate.strip() or candidate.strip() == context.strip():
        return candidate
    return whole_program(frame, candidate)


def _frames(node: Node) -> bool:
    if node.kind == "assignment":
        return True
    method = node.fields.get("method")
    name = method.text if method is not None else ""
    return node.kind == "call" and (name.startswith("use_") or name in _FRAMING_CALLS)
