"""A candidate and its context: what is played of the two together, and what is ranked.

A candidate is added below the performer's program and so plays at its tempo, with its synth, its
functions and its variables. To be ranked by its own sound, it is heard with these, and without
what else the context plays; if it waits for cues, the loops that may give them run muted.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from corpus.sonic_pi.syntax import Node, parse

__all__ = ["Framed", "frame_of", "framed", "whole_program"]

_FRAMING_CALLS: Final = frozenset({"define", "ndefine", "defonce", "set", "load_samples"})
_CUEING_CALLS: Final = frozenset({"live_loop", "in_thread", "cue"})
_WAITS = re.compile(r"\bsync(_bpm)?\b")
_LOOP = re.compile(r"\blive_loop\b[\s(]*:?[\"']?(\w+)")
_PLACE = re.compile(r"^line (\d+)\b")


@dataclass(frozen=True)
class Framed:
    """A candidate below what it takes from its context.

    Args:
        code: the program to be ranked.
        n_above: lines of it that are not the candidate's.
    """

    code: str
    n_above: int

    def in_own_lines(self, fault: str) -> str:
        """A fault of the program, its line counted as the candidate's author counts."""
        place = _PLACE.match(fault)
        if place is None:
            return fault
        line = int(place[1]) - self.n_above
        return f"line {line}{fault[place.end() :]}" if line > 0 else f"in its context, {fault}"


def whole_program(context: str, candidate: str) -> str:
    """What is played: the performer's program with the candidate added below."""
    return "\n\n".join(part for part in (context.strip("\n"), candidate.strip("\n")) if part)


def frame_of(context: str, candidate: str = "") -> str:
    """The lines of a program that shape what is added below it, and make no sound by themselves.

    These are its assignments, definitions and settings (`use_…`) at the top level; nothing if the
    program cannot be read. For a candidate that waits for cues, they are also the loops and
    threads that may give them, muted, but for loops that the candidate plays anew.
    """
    waits, own = bool(_WAITS.search(candidate)), set(_LOOP.findall(candidate))
    kept: list[str] = []
    for text, frames, gives_cues in _pieces(context):
        if frames:
            kept.append(text)
        elif waits and gives_cues and not own & set(_LOOP.findall(text)):
            kept.append(f"with_fx :level, amp: 0 do\n{text}\nend")
    return "\n".join(kept)


@lru_cache(maxsize=2)  # all candidates have the same context
def _pieces(context: str) -> tuple[tuple[str, bool, bool], ...]:
    """The lines of each statement; whether it shapes what is below it, and may give cues."""
    program = parse(context)
    if program.faults:
        return ()
    lines = context.split("\n")
    pieces = []
    for node, start, end in _statements(program.root.children, len(lines)):
        text = "\n".join(lines[start:end])
        if text:  # else its line was kept with the statement before it
            pieces.append((text, _frames(node), _name(node) in _CUEING_CALLS))
    return tuple(pieces)


def framed(context: str, candidate: str) -> Framed:
    """A candidate as it is ranked: with what shapes it; as it is if it repeats its context."""
    above, own = context.strip(), candidate.strip()
    frame = frame_of(context, candidate) if above and own and above != own else ""
    if not frame:
        return Framed(candidate, 0)
    return Framed(f"{frame}\n\n{candidate}", frame.count("\n") + 2)


def _statements(nodes: list[Node], n_lines: int) -> Iterator[tuple[Node, int, int]]:
    """Each statement with its lines, from and to; of several that begin on a line, all of it."""
    ends = [*(node.line - 1 for node in nodes[1:]), n_lines][: len(nodes)]
    done = 0
    for node, end in zip(nodes, ends, strict=True):
        start = node.line - 1
        if _frames(node):  # also where it shares its line with what does not frame
            yield node, max(start, done), max(end, start + 1)
            done = max(done, end, start + 1)
        elif start >= done and end > start:
            yield node, start, end


def _frames(node: Node) -> bool:
    if node.kind == "assignment":
        return True
    name = _name(node)
    return name.startswith("use_") or name in _FRAMING_CALLS


def _name(node: Node) -> str:
    """Of what is called; empty for everything else."""
    method = node.fields.get("method")
    return method.text if node.kind == "call" and method is not None else ""
