"""Code by OSC over UDP, from this machine only, and what is said back.

    /antiphon/code/context    code          the program that candidates are added to
    /antiphon/code/candidate  code          one more candidate
    /antiphon/code/clear                    forget the candidates
    /antiphon/code/rank       [keep] [mode]         rank them; mode is diversity or nearest
    /antiphon/code/ask        n [part] [keep] [mode]   ask a language model for n and rank these;
                                            part is melody, drums, bass or anything
    /antiphon/code/play       n             give place n of the last ranking to Sonic Pi
    /antiphon/code/preview    n             play it on the headphones, or into a file
    /antiphon/code/hold                     do not play by itself what was ranked last

Places count from 1. Answers, to the configured port: `/antiphon/code/ranked` (request, mode, final,
number of candidates, malformed, then the chosen ones, from 1), `/antiphon/code/place` for each
place (request, place, candidate, score, tier), `/antiphon/code/error` (request, sentence) and
`/antiphon/code/sent` (request, candidate, destination, detail).
"""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeGuard

from pythonosc.osc_message_builder import BuildError, OscMessageBuilder

from agents.code_ranking.proposals import PARTS
from agents.messages import CodePlay, CodeRanked, CodeSent

MODES: Final = ("diversity", "nearest")
MOST_PLACES: Final = 99
LONGEST_DATAGRAM: Final = 65_507
"""Bytes: the most that UDP carries."""
_PREFIX: Final = "/antiphon/code/"


@dataclass(frozen=True)
class SetContext:
    """The program that candidates are added to."""

    code: str


@dataclass(frozen=True)
class AddCandidate:
    """One more candidate."""

    code: str


@dataclass(frozen=True)
class ClearCandidates:
    """Forget the candidates."""


@dataclass(frozen=True)
class Hold:
    """Do not play by itself what was ranked last."""


@dataclass(frozen=True)
class Rank:
    """Rank the candidates (`n` is 0), or first ask a language model for `n`.

    Args:
        n: how many proposals, ≥ 0.
        part: what they shall be.
        keep: how many to choose; None: as configured.
        mode: how; None: as configured.
    """

    n: int
    part: str
    keep: int | None
    mode: str | None


Word = SetContext | AddCandidate | ClearCandidates | Hold | Rank | CodePlay


def translate(address: str, arguments: Sequence[object], window: int) -> Word | None:
    """What an OSC address and its arguments mean; None if they mean nothing.

    Args:
        address: OSC address.
        arguments: decoded arguments.
        window: the window that sounds now.
    """
    if not address.startswith(_PREFIX):
        return None
    match address.removeprefix(_PREFIX), list(arguments):
        case "context", [str(code)]:
            return SetContext(code)
        case "candidate", [str(code)]:
            return AddCandidate(code)
        case "clear", []:
            return ClearCandidates()
        case "hold", []:
            return Hold()
        case "rank", options:
            return _rank(0, "anything", options)
        case "ask", [n, str(part), *options] if _is_place(n) and part in PARTS:
            return _rank(n, part, options)
        case "ask", [n, *options] if _is_place(n):
            return _rank(n, "anything", options)
        case ("play" | "preview") as word, [n] if _is_place(n):
            return CodePlay(window, n, word == "preview")
        case _:
            return None


def _rank(n: int, part: str, options: list[object]) -> Rank | None:
    match options:
        case []:
            return Rank(n, part, None, None)
        case [keep] if _is_place(keep):
            return Rank(n, part, keep, None)
        case [keep, str(mode)] if _is_place(keep) and mode in MODES:
            return Rank(n, part, keep, mode)
        case _:
            return None


def _is_place(value: object) -> TypeGuard[int]:
    return type(value) is int and 1 <= value <= MOST_PLACES


class CodeReplies:
    """Says rankings by OSC; nobody need listen.

    Args:
        port: UDP port on this machine.
    """

    def __init__(self, port: int) -> None:
        self._to = ("127.0.0.1", port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def ranked(self, ranked: CodeRanked) -> None:
        """Say a ranking, place by place."""
        chosen = [place + 1 for place in ranked.chosen]
        heads: list[str | int] = [
            ranked.request,
            ranked.mode,
            int(ranked.final),
            len(ranked.candidates),
        ]
        self._say("ranked", [*heads, ranked.malformed, *chosen])
        rows = zip(ranked.order, ranked.scores, ranked.tiers, strict=False)
        for place, (candidate, score, tier) in enumerate(rows, 1):
            self._say("place", [ranked.request, place, candidate + 1, float(score), tier])
        for sentence in ranked.errors:
            self._say("error", [ranked.request, sentence])

    def sent(self, sent: CodeSent) -> None:
        """Say that a program went somewhere."""
        self._say("sent", [sent.request, sent.candidate + 1, sent.destination, sent.detail])

    def error(self, request: str, sentence: str) -> None:
        """Say that something did not work."""
        self._say("error", [request, sentence])

    def close(self) -> None:
        """Say no more."""
        self._socket.close()

    def _say(self, word: str, arguments: Sequence[str | int | float]) -> None:
        builder = OscMessageBuilder(_PREFIX + word)
        try:
            for argument in arguments:
                builder.add_arg(argument)
            self._socket.sendto(builder.build().dgram, self._to)
        except (OSError, BuildError):  # nobody listens, or the system has no room: not our loss
            return
