"""Sonic Pi code in, sound, events, log and errors out.

>>> with Renderer() as renderer:                       # doctest: +SKIP
...     rendering = renderer.render("play 60", 2.0)

The same program gives the same bytes. Nothing that a program does raises here: its failures are
data. What raises is what the caller must change: a missing installation, no sandbox, wrong
arguments.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from corpus.sonic_pi.events import (
    SCHEDULE_AHEAD_SECONDS,
    Event,
    Message,
    ProgramError,
    events_of,
)
from corpus.sonic_pi.fork_server import ForkServer, ProgramLimits, Recording
from corpus.sonic_pi.install import InstallConfig, find_installation
from corpus.sonic_pi.sandbox import Sandbox
from corpus.sonic_pi.score import ScoreError, checked, score
from corpus.sonic_pi.synthesis import SAMPLE_RATE, SynthesisError, SynthesisLimits, Synthesizer

__all__ = ["PATIENT", "EventList", "Renderer", "RendererConfig", "Rendering"]

_LONGEST_SECONDS = 3600.0
_LIMITER_SECONDS = 0.02  # the mixer's limiter looks ahead: sound leaves it so much later
_LEAD_SECONDS = SCHEDULE_AHEAD_SECONDS + _LIMITER_SECONDS


class RendererConfig(BaseModel, frozen=True, extra="forbid"):
    """How programs are rendered."""

    install: InstallConfig = Field(InstallConfig(), description="where Sonic Pi is")
    program: ProgramLimits = Field(ProgramLimits(), description="what one program may use")
    synthesis: SynthesisLimits = Field(SynthesisLimits(), description="what its synthesis may use")
    allow_unsandboxed: bool = Field(
        False,
        description="run without bubblewrap where it is missing: programs can read every file",
    )


PATIENT: Final = RendererConfig(
    program=ProgramLimits(wall_seconds=60.0), synthesis=SynthesisLimits(wall_seconds=90.0)
)
"""For data sets: processor time decides what is given up, however busy the machine is."""


@dataclass(frozen=True)
class EventList:
    """What a program plays, without the sound.

    Args:
        events: ordered by time.
        log: lines the program wrote.
        errors: what went wrong; events before it, and of other threads, are there all the same.
        seconds: length of the run.
    """

    events: tuple[Event, ...]
    log: tuple[str, ...]
    errors: tuple[ProgramError, ...]
    seconds: float


@dataclass(frozen=True, eq=False)
class Rendering(EventList):
    """What a program plays, and its sound.

    Args:
        audio: shape (frames, 2), exactly `seconds` long; zeros if nothing could be heard. Sounds
            begin at the times of their events, to the synthesis block of 1.5 ms.
        sample_rate: 44 100 Hz.
    """

    audio: NDArray[np.float32]
    sample_rate: int = SAMPLE_RATE

    @property
    def peak(self) -> float:
        """Largest magnitude of any sample, ≥ 0; 1 is full scale."""
        return float(np.abs(self.audio).max(initial=0.0))


class Renderer:
    """Renders programs one after the other; a context manager that owns a language server.

    Not safe for several threads at once: one renderer for each (see `pool.RendererPool`).

    Args:
        config: where Sonic Pi is, limits, sandbox policy.

    Raises:
        SonicPiMissingError: if something is not installed.
        SandboxMissingError: if there is no sandbox and the config does not allow going without.
    """

    def __init__(self, config: RendererConfig | None = None) -> None:
        config = config or RendererConfig()
        self._installation = find_installation(config.install)
        sandbox = Sandbox(self._installation.bubblewrap, self._installation.folders)
        if not config.allow_unsandboxed:
            sandbox.check()
        self._server = ForkServer(self._installation, sandbox, config.program)
        self._synthesizer = Synthesizer(self._installation, sandbox, config.synthesis)

    def __enter__(self) -> "Renderer":
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the language server; the next call starts a new one."""
        self._server.close()

    def events(self, code: str, seconds: float) -> EventList:
        """What the first `seconds` of a program play, without making sound.

        Args:
            code: Sonic Pi source.
            seconds: of music, in (0, 3600].

        Raises:
            ValueError: if `seconds` is out of range.
            RuntimeError: if the language itself cannot be loaded.
        """
        return self._perform(code, seconds)[0]

    def render(self, code: str, seconds: float) -> Rendering:
        """The first `seconds` of a program, heard.

        Args:
            code: Sonic Pi source.
            seconds: of music, in (0, 3600].

        Raises:
            ValueError: if `seconds` is out of range.
            RuntimeError: if the language itself cannot be loaded.
        """
        played, messages, spent_seconds = self._perform(code, seconds)
        audio = np.zeros((round(seconds * SAMPLE_RATE), 2), dtype=np.float32)
        errors = played.errors
        if played.events:
            try:
                audio, faults = self._synthesize(messages, seconds, spent_seconds)
                errors += faults
            except (SynthesisError, ScoreError) as error:
                errors += (ProgramError("sound", str(error)),)
        return Rendering(played.events, played.log, errors, seconds, audio)

    def _perform(self, code: str, seconds: float) -> tuple[EventList, list[Message], float]:
        if not (math.isfinite(seconds) and 0 < seconds <= _LONGEST_SECONDS):
            raise ValueError(f"seconds must be in (0, {_LONGEST_SECONDS:g}], got {seconds}")
        try:
            code.encode()
        except UnicodeEncodeError as error:
            fault = ProgramError("encoding", f"a program must be UTF-8 text: {error}")
            return EventList((), (), (fault,), seconds), [], 0.0
        recording = self._record(code, seconds)
        try:
            messages = checked(recording.messages, self._installation.sound_folders)
            events = events_of(messages, self._server.synthdefs, seconds)
        except (ScoreError, ValueError, OverflowError) as error:
            fault = ProgramError("ended", f"the program forged messages: {error}")
            return EventList((), recording.log, (*recording.errors, fault), seconds), [], 0.0
        played = EventList(events, recording.log, recording.errors, seconds)
        return played, messages, recording.spent_seconds

    def _record(self, code: str, seconds: float) -> Recording:
        """Runs the program; once more if the language failed, which a fresh process mends."""
        recording = self._server.perform(code, seconds)
        if recording.failure is not None:
            recording = self._server.perform(code, seconds)
        if recording.failure is not None:
            fault = ProgramError("runtime", recording.failure)
            recording = replace(recording, errors=(*recording.errors, fault))
        return recording

    def _synthesize(
        self, messages: Sequence[Message], seconds: float, spent_seconds: float
    ) -> tuple[NDArray[np.float32], tuple[ProgramError, ...]]:
        length = _LEAD_SECONDS + seconds
        bundles = score(messages, self._installation.synthdef_folder, length)
        audio = self._synthesizer.render(bundles, seconds, _LEAD_SECONDS, spent_seconds)
        if np.isfinite(audio).all():
            return audio, ()
        fault = ProgramError("sound", "some samples were not finite and are silent now")
        return np.nan_to_num(audio, nan=0.0, posinf=0.0, neginf=0.0), (fault,)
