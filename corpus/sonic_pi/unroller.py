"""What a program will play in its first seconds, foreseen without running it.

An abstract interpreter walks the syntax tree with virtual threads on a virtual clock. It knows the
language as people write it, draws from Sonic Pi's own stored random stream, and is bounded in
steps, events, threads and sizes, so that every program ends. What it does not understand is skipped
and reported: `Coverage` says how far the events can be trusted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Final

from pydantic import BaseModel, Field

from corpus.sonic_pi import (  # noqa: F401 - these register what they define
    unroller_calls,
    unroller_chance,
    unroller_control,
    unroller_definitions,
    unroller_expressions,
    unroller_functions,
    unroller_iteration,
    unroller_language,
    unroller_lists,
    unroller_methods,
    unroller_samples,
    unroller_scalars,
    unroller_settings,
    unroller_sound,
    unroller_time,
)
from corpus.sonic_pi.events import Event, ProgramError
from corpus.sonic_pi.instruments import Instruments, stored_instruments
from corpus.sonic_pi.random_stream import RandomStream
from corpus.sonic_pi.syntax import Program, parse
from corpus.sonic_pi.unroller_blocks import Scope
from corpus.sonic_pi.unroller_compiler import Compiler
from corpus.sonic_pi.unroller_machine import Machine
from corpus.sonic_pi.unroller_threads import Steps, VirtualThread

__all__ = ["Coverage", "Unroller", "UnrollerConfig", "Unrolling"]


_LISTENING: Final = ("sync", "get", "wait")
"""Without any of these in its text no program hears cues or reads shared state."""


class UnrollerConfig(BaseModel, frozen=True, extra="forbid"):
    """Limits of unrolling."""

    most_steps: int = Field(200_000, gt=0, description="calls and rounds of loops in one program")
    most_events: int = Field(5_000, gt=0, description="sounds, effects and changes of one program")
    most_threads: int = Field(500, gt=0, description="threads alive at once")
    random_stream: Path | None = Field(
        None, description="Sonic Pi's rand-stream.wav; none: where it is usually installed"
    )


@dataclass(frozen=True)
class Coverage:
    """How much of a program was understood.

    Args:
        share: of its syntax nodes that are understood, less what was not when met; [0, 1].
        missed: what was not understood or not known, and how often it was met.
        uses_chance: whether random numbers were drawn.
        chance_is_known: whether the stream was Sonic Pi's own; else random choices differ.
        is_complete: whether no limit cut the program short.
    """

    share: float
    missed: tuple[tuple[str, int], ...]
    uses_chance: bool
    chance_is_known: bool
    is_complete: bool

    @property
    def is_trusted(self) -> bool:
        """Whether the events should be those that Sonic Pi would play."""
        chance = self.chance_is_known or not self.uses_chance
        return chance and self.is_complete and not self.missed


@dataclass(frozen=True)
class Unrolling:
    """The events of the first seconds, ordered by time, with errors and coverage."""

    events: tuple[Event, ...]
    errors: tuple[ProgramError, ...]
    coverage: Coverage
    seconds: float


class Unroller:
    """Foresees programs; keeps nothing between them.

    Args:
        config: limits.
        instruments: facts about synths and samples; none: those stored with this package.
    """

    def __init__(
        self, config: UnrollerConfig | None = None, instruments: Instruments | None = None
    ) -> None:
        self._config = config or UnrollerConfig()
        self._instruments = instruments or stored_instruments()
        self._stream = RandomStream.load(self._config.random_stream)

    def unroll(self, code: str, seconds: float) -> Unrolling:
        """What the first `seconds` of a program play.

        Args:
            code: Sonic Pi source; its faults come back as errors.
            seconds: > 0.

        Raises:
            ValueError: `seconds` is not above 0.
        """
        return self.unroll_all([code], seconds)[0]

    def unroll_all(self, codes: Sequence[str], seconds: float) -> list[Unrolling]:
        """The same for several programs: all are read, then all are run, which is quicker."""
        if not seconds > 0:
            raise ValueError(f"seconds must be above 0, got {seconds}")
        programs = [parse(code) for code in codes]
        return [
            self._run(program, code, seconds) if not program.faults else _unread(program, seconds)
            for program, code in zip(programs, codes, strict=True)
        ]

    def _run(self, program: Program, code: str, seconds: float) -> Unrolling:
        config = self._config
        machine = Machine(
            self._stream,
            self._instruments,
            seconds,
            config.most_steps,
            config.most_events,
            config.most_threads,
            listens=any(word in code for word in _LISTENING),
        )
        compiler = Compiler(program)
        body = compiler.compile(program.root)
        scope = Scope(None, None, None)

        def start(thread: VirtualThread) -> Steps:
            if body.steps is None:
                return body.run(scope, thread)
            return (yield from body.steps(scope, thread))

        machine.run(start)
        events = sorted([e for e in machine.events if e.time < seconds], key=itemgetter(0))
        errors = tuple(ProgramError("runtime", message) for message in machine.errors[:20])
        return Unrolling(tuple(events), errors, _coverage(compiler, machine), seconds)


def _unread(program: Program, seconds: float) -> Unrolling:
    errors = tuple(ProgramError("syntax", f.message, f.line) for f in program.faults[:20])
    return Unrolling((), errors, Coverage(0.0, (), False, True, False), seconds)


def _coverage(compiler: Compiler, machine: Machine) -> Coverage:
    missed = compiler.missed + machine.missed
    names = tuple((f"{what} ({why})", count) for (what, why), count in missed.most_common(30))
    share = max(0.0, 1.0 - len(missed) / max(1, compiler.n_nodes) * 5)
    return Coverage(
        share=share,
        missed=names,
        uses_chance=machine.n_random > 0,
        chance_is_known=machine.stream.is_original,
        is_complete=not machine.is_cut,
    )
