"""What is said about Sonic Pi code: asked for, ranked, to be played, sent."""

from dataclasses import dataclass
from typing import ClassVar

__all__ = ["CodePlay", "CodeRanked", "CodeRequest", "CodeSent"]


@dataclass(frozen=True)
class CodeRequest:
    """Asks which of some pieces of Sonic Pi code to hear.

    Args:
        window: the window that sounded when it was asked.
        request: its name; every answer carries it.
        context: the program that each candidate is added to; may be empty.
        candidates: pieces of code; empty if a language model is to propose them first.
        propose: how many pieces a language model shall propose, ≥ 0.
        part: what these shall be: melody, drums, bass or anything.
        mode: "diversity" for the most distinct, "nearest" for those nearest to what is heard now.
        keep: how many to choose, ≥ 1.
        malformed: proposals of a language model that were no Sonic Pi code and were dropped.
    """

    TOPIC: ClassVar[str] = "code.request"
    window: int
    request: str
    context: str
    candidates: tuple[str, ...]
    mode: str
    keep: int
    propose: int = 0
    part: str = "anything"
    malformed: int = 0


@dataclass(frozen=True)
class CodeRanked:
    """An answer to a `CodeRequest`; an early one is followed by one that is `final`.

    Places are indices into `candidates`, from 0. Candidates that cannot be ranked are left out.

    Args:
        window: the newest window known when it was answered.
        request: name of the request.
        mode: how it was chosen.
        context: the program that each candidate is added to.
        candidates: as asked, or as a language model proposed them.
        order: places, the chosen ones first.
        scores: one per place in `order`: the distance, in the space of sounds, to the nearest
            other one chosen (diversity: the more the better) or to what is heard (nearest: the
            less the better); 0 where there is nothing to compare with.
        tiers: one per place in `order`, what the score rests on: static (the code alone), events
            (a silent run) or heard (a rendering).
        chosen: places, at most `keep` of them.
        errors: sentences about what could not be ranked, and why.
        malformed: proposals of a language model that were dropped.
        final: nothing better follows.
    """

    TOPIC: ClassVar[str] = "code.ranked"
    window: int
    request: str
    mode: str
    context: str
    candidates: tuple[str, ...]
    order: tuple[int, ...]
    scores: tuple[float, ...]
    tiers: tuple[str, ...]
    chosen: tuple[int, ...]
    errors: tuple[str, ...]
    malformed: int
    final: bool


@dataclass(frozen=True)
class CodePlay:
    """The performer's word: play, or hear on the headphones first, one place of the last ranking.

    Args:
        window: the window that sounded when it was said.
        place: in the ranking's order, counted from 1.
        preview: on the headphones only.
    """

    TOPIC: ClassVar[str] = "code.play"
    window: int
    place: int
    preview: bool


@dataclass(frozen=True)
class CodeSent:
    """A program went somewhere.

    Args:
        window: the newest window known.
        request: name of the request that it was a candidate of.
        candidate: its place among the candidates, from 0.
        destination: "sonic_pi" or "preview".
        detail: where exactly, for a person.
    """

    TOPIC: ClassVar[str] = "code.sent"
    window: int
    request: str
    candidate: int
    destination: str
    detail: str
