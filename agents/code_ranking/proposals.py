"""What a language model is asked for, and which parts of its answer are Sonic Pi code.

The sentence is the one of Kouteili et al. 2025, Table A3 ("Propose 10 melodies to accompany this
code"). An answer is text from a stranger: nothing of it is believed before our own parser has read
it and found something in it that sounds.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from corpus.sonic_pi.syntax import parse

__all__ = ["PARTS", "Proposals", "asked_for", "fault_of", "read_answer"]

PARTS: Final = {
    "melody": "melodies",
    "drums": "drum patterns",
    "bass": "bass lines",
    "anything": "continuations",
}
"""What may be asked for, and the word of the prompt."""
INSTRUCTIONS: Final = (
    "You write Sonic Pi code. Answer with {n} fenced code blocks and nothing else. Each block is "
    "one proposal on its own: code that is added below the given code as it stands, without "
    "repeating any of it."
)
LONGEST_PROPOSAL: Final = 20_000
"""Characters; longer pieces are dropped as malformed."""
_SOUNDING: Final = frozenset(
    {"play", "play_chord", "play_pattern", "play_pattern_timed", "sample", "synth"}
)
_FENCE: Final = re.compile(r"^[ \t]*```", re.M)


@dataclass(frozen=True)
class Proposals:
    """What an answer held.

    Args:
        candidates: pieces of Sonic Pi code, each once.
        malformed: pieces that were none, and were dropped.
        error: one sentence if there was no answer to read; else empty.
    """

    candidates: tuple[str, ...]
    malformed: int
    error: str = ""


def asked_for(context: str, part: str, n: int) -> tuple[str, str]:
    """The instructions and the question to a language model.

    Args:
        context: the performer's program.
        part: a key of `PARTS`.
        n: how many proposals, ≥ 1.
    """
    question = f"Propose {n} {PARTS[part]} to accompany this code:\n\n```ruby\n{context}\n```"
    return INSTRUCTIONS.format(n=n), question


def read_answer(answer: str, context: str, known: Collection[str] = ()) -> Proposals:
    """The pieces of Sonic Pi code in an answer: its fenced blocks, or all of it if it has none.

    Args:
        answer: whatever a language model said.
        context: the program it was asked about; a proposal that begins with it is cut.
        known: proposals had before, which do not count again.
    """
    parts = _FENCE.split(answer)
    pieces = [answer] if len(parts) == 1 else [_without_language(part) for part in parts[1::2]]
    candidates: list[str] = []
    malformed = 0
    if len(parts) % 2 == 0:  # the last block was never closed: the answer was cut off
        malformed = 1
        del pieces[-1]
    for piece in pieces:
        code = _without(context, piece)
        if fault_of(code):
            malformed += 1
        elif code not in candidates and code not in known:
            candidates.append(code)
    return Proposals(tuple(candidates), malformed)


def fault_of(code: str) -> str:
    """Why a piece of text is no Sonic Pi code worth hearing, in one sentence; empty if it is."""
    if not code:
        return "a proposal must hold code, got nothing"
    if len(code) > LONGEST_PROPOSAL:
        return f"a proposal must have at most {LONGEST_PROPOSAL} characters, got {len(code)}"
    program = parse(code)
    if program.faults:
        fault = program.faults[0]
        return f"a proposal must be Sonic Pi code, but in line {fault.line} {fault.message}"
    if not any(node.text in _SOUNDING for node in program.root.walk()):
        return "a proposal must play, synthesise or sample something, this one does not"
    return ""


def _without_language(block: str) -> str:
    """A block without what stands behind its opening fence."""
    return block.partition("\n")[2]


def _without(context: str, piece: str) -> str:
    code, context = piece.strip("\n").rstrip(), context.strip("\n").rstrip()
    if context and code.startswith(context):
        code = code[len(context) :].strip("\n")
    return code if code.strip() else ""
