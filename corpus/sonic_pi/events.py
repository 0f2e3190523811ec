"""What a program plays: the events and errors of one run, as data.

The recording holds raw messages to the synthesis server; here they become events with every
argument filled in. Messages come from a process that a hostile program may have taken over, so
nothing about them is taken for granted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal, NamedTuple

__all__ = [
    "REAL_TIME", "SCHEDULE_AHEAD_SECONDS", "Event", "EventKind", "Message", "ProgramError",
    "events_of", "printable",
]  # fmt: skip

SCHEDULE_AHEAD_SECONDS = 0.5
"""Sonic Pi sends every sound this long before it is due; `Event` times are without it."""

REAL_TIME = "of real time"
"""Ends the message of an error that a busy machine alone may bring about."""

EventKind = Literal["synth", "sample", "fx", "control"]
Message = Sequence[int | float | str]
"""[nanoseconds since the start of the program, address, arguments...]."""

_PREFIX = "sonic-pi-"
_MIXERS = frozenset({"mixer", "basic_mixer"})
_HIDDEN = frozenset({"scope", "server-info", "recorder", "amp_stereo_monitor"})


class Event(NamedTuple):
    """One thing that a program sets going.

    Args:
        time: seconds from the start of the program; ≥ 0 unless the program warps time backwards.
        kind: a synth note, a sample, an effect, or a change (`control`) of one of these.
        name: synth or effect without prefix, or the sample's file name without extension.
        arguments: every argument by name, defaults included (for `control`: those that change).
            Times are in seconds (the tempo is already applied), pitches MIDI numbers, `in_bus`
            and `out_bus` say how sounds run into effects.
        node: the number that `control` events share with the event they change.
    """

    time: float
    kind: EventKind
    name: str
    arguments: Mapping[str, float]
    node: int


@dataclass(frozen=True)
class ProgramError:
    """Something that went wrong in a program or was refused to it; never an exception of ours.

    Args:
        kind: `syntax`; `runtime` (raised by the program, in one of its threads); `limit` (CPU time,
            real time or output used up); `ended` (the program ended its own process); `encoding`
            (not UTF-8 text); `sound` (the synthesis failed or its output was not finite).
        message: what happened, for the person who wrote the program.
        line: line of the program, counted from 1, if known.
        thread: name of the live loop or thread in which it happened, if it has one.
    """

    kind: Literal["syntax", "runtime", "limit", "ended", "encoding", "sound"]
    message: str
    line: int | None = None
    thread: str | None = None

    def __str__(self) -> str:
        """Where, what kind, what; safe to print, in as many lines as the message has."""
        place = "" if self.line is None else f"line {self.line}: "
        thread = "" if self.thread is None else f" (in {printable(self.thread)})"
        message = "\n".join(map(printable, self.message.expandtabs().splitlines()))
        return f"{place}{self.kind} error{thread}: {message}"


def printable(text: str) -> str:
    """A line of text that came from a program, without power over a terminal.

    Control characters, and whatever else shows nothing, are written as Python escapes them.
    """
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )


def events_of(
    messages: Sequence[Message], synthdefs: Mapping[str, Mapping[str, float]], seconds: float
) -> tuple[Event, ...]:
    """The events that begin within the first `seconds`, ordered by time, then by order sent.

    Args:
        messages: the recording, valid as `score.checked` leaves it.
        synthdefs: default arguments of each synth definition.
        seconds: length of the run, > 0.
    """
    samples: dict[int, str] = {}
    nodes: dict[int, str] = {}
    events: list[Event] = []
    for nanoseconds, address, *arguments in messages:
        time = round(float(nanoseconds) / 1e9 - SCHEDULE_AHEAD_SECONDS, 9)
        if address == "/b_allocRead":
            samples[int(arguments[0])] = PurePath(str(arguments[1])).stem
        elif time < seconds and address == "/s_new":
            event = _started(time, arguments, synthdefs, samples)
            if event is not None:
                nodes[event.node] = event.name
                events.append(event)
        elif time < seconds and address == "/n_set" and int(arguments[0]) in nodes:
            node = int(arguments[0])
            events.append(Event(time, "control", nodes[node], _pairs(arguments[1:]), node))
    return tuple(sorted(events, key=lambda event: event.time))


def _started(
    time: float,
    arguments: Sequence[int | float | str],
    synthdefs: Mapping[str, Mapping[str, float]],
    samples: Mapping[int, str],
) -> Event | None:
    synthdef, node = str(arguments[0]), int(arguments[1])
    name = synthdef.removeprefix(_PREFIX)
    if name in _MIXERS or name in _HIDDEN:
        return None
    complete = {**synthdefs.get(synthdef, {}), **_pairs(arguments[4:])}
    if name.startswith("fx_"):
        return Event(time, "fx", name.removeprefix("fx_"), complete, node)
    if name.endswith("_player"):
        sample = samples.get(int(complete.get("buf", -1)), "buffer")
        return Event(time, "sample", sample, complete, node)
    return Event(time, "synth", name, complete, node)


def _pairs(arguments: Sequence[int | float | str]) -> dict[str, float]:
    names, values = arguments[::2], arguments[1::2]
    return {str(name): float(value) for name, value in zip(names, values, strict=True)}
