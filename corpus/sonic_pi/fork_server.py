"""Runs programs in the installed Sonic Pi language: one Ruby process forks one child per program.

The server (runtime.rb) is loaded once, inside the sandbox; children share nothing but its memory as
it was after loading. The protocol is JSON lines, described in runtime.rb. A server that dies or
falls silent is replaced, and the program that did it gets an error.
"""

import contextlib
import json
import queue
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from pydantic import BaseModel, Field

from corpus.sonic_pi.events import REAL_TIME, ProgramError
from corpus.sonic_pi.install import Installation
from corpus.sonic_pi.sandbox import Sandbox

__all__ = ["ForkServer", "ProgramLimits", "Recording"]

_FOLDER = Path(__file__).resolve().parent
_BOOT_SECONDS = 60.0
_GRACE_SECONDS = 5.0
_CLOSE_SECONDS = 1.0
_LINE_SLACK_BYTES = 1 << 20
_REFUSAL = " (programs may not start processes, open sockets, write files or signal others)"
_ENVIRONMENT = {
    "HOME": "/dev/null",  # nothing can be kept there
    "MALLOC_ARENA_MAX": "2",
    "RUBY_FIBER_VM_STACK_SIZE": str(256 * 1024),
    "RUBY_FIBER_MACHINE_STACK_SIZE": str(768 * 1024),
    # Room for most programs to end before the first garbage collection, a quarter of their time.
    "RUBY_GC_HEAP_INIT_SLOTS": "1000000",
    "RUBY_GC_MALLOC_LIMIT": "128000000",
    "RUBY_GC_MALLOC_LIMIT_MAX": "256000000",
    "RUBY_GC_OLDMALLOC_LIMIT": "256000000",
}


class ProgramLimits(BaseModel, frozen=True, extra="forbid"):
    """What one program may use; processes, sockets and files to write are none by any setting.

    With the synthesis limits the defaults end any run of up to 30 s of music within ten seconds;
    on a busy machine, raise the real-time limits rather than lose good programs.
    """

    cpu_seconds: int = Field(4, ge=1, description="processor time, s, for runs of up to a minute")
    wall_seconds: float = Field(5.5, gt=0, description="real time, s, for runs of up to a minute")
    memory_bytes: int = Field(2 << 30, ge=1 << 28, description="address space, bytes")
    log_lines: int = Field(10_000, ge=0, description="lines a program may write to its log")
    log_bytes: int = Field(1_000_000, ge=0, description="bytes a program may write to its log")
    messages: int = Field(200_000, ge=100, description="messages to the synthesis server")
    answer_bytes: int = Field(64 << 20, ge=1 << 16, description="size of one recording, bytes")

    def settings(self, seconds: float) -> dict[str, float]:
        """The limits of a run of `seconds` of music; time limits grow with runs over a minute."""
        stretch = max(1.0, seconds / 60.0)
        return self.model_dump() | {
            "cpu_seconds": round(self.cpu_seconds * stretch),
            "wall_seconds": self.wall_seconds * stretch,
        }


@dataclass(frozen=True)
class Recording:
    """What a program did under the virtual clock.

    Args:
        messages: to the synthesis server, as decoded; unchecked, see `score.checked`.
        log: lines the program wrote.
        errors: what went wrong.
        failure: why the language itself could not run the program; worth another try.
        spent_seconds: real time that the program took.
    """

    messages: object = field(default_factory=list)
    log: tuple[str, ...] = ()
    errors: tuple[ProgramError, ...] = ()
    failure: str | None = None
    spent_seconds: float = 0.0


class ForkServer:
    """The Sonic Pi language, loaded and ready; a context manager.

    Not safe for several threads at once; use one server for each.

    Args:
        installation: where everything is.
        sandbox: how to shut the server off; it is shown the files of this folder besides.
        limits: what each program may use.
    """

    def __init__(
        self, installation: Installation, sandbox: Sandbox, limits: ProgramLimits | None = None
    ) -> None:
        self._installation = installation
        self._limits = limits or ProgramLimits()
        self._sandbox = replace(sandbox, disguised=_FOLDER)
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._complaints: IO[bytes] | None = None
        self._synthdefs: dict[str, dict[str, float]] = {}

    def __enter__(self) -> "ForkServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def synthdefs(self) -> Mapping[str, Mapping[str, float]]:
        """Default arguments of each synth definition, once started."""
        return self._synthdefs

    def start(self) -> None:
        """Loads the language if it is not loaded; takes about half a second.

        Raises:
            RuntimeError: if the language cannot be loaded, with what Ruby said.
        """
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        settings = {"server_folder": str(self._installation.server_folder)}
        command = [
            str(self._installation.ruby),
            self._sandbox.shown("runtime.rb"),
            json.dumps(settings),
        ]
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the server
        self._process = subprocess.Popen(
            self._sandbox.wrap(command, _ENVIRONMENT),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
        )
        self._lines = queue.SimpleQueue()
        longest = self._limits.answer_bytes + _LINE_SLACK_BYTES
        threading.Thread(
            target=_forward, args=(self._process.stdout, self._lines, longest), daemon=True
        ).start()
        greeting = self._read(_BOOT_SECONDS)
        if not isinstance(greeting, dict):
            raise RuntimeError(
                "the Sonic Pi language could not be loaded from "
                f"{self._installation.server_folder}: {self._last_complaint()}"
            )
        self._synthdefs = greeting["synthdefs"]

    def perform(self, code: str, seconds: float) -> Recording:
        """Runs a program for `seconds` of virtual time, without sound.

        Args:
            code: Sonic Pi source, encodable as UTF-8.
            seconds: how much music is wanted, > 0.
        """
        self.start()
        limits = self._limits.settings(seconds)
        request = json.dumps({"code": code, "seconds": seconds, "limits": limits})
        if not self._send(request.encode() + b"\n"):
            return _ended("the language server died before it took the program")
        patience = limits["wall_seconds"] + _GRACE_SECONDS
        began = time.monotonic()
        verdict = self._read(patience)
        if not isinstance(verdict, dict):
            late = time.monotonic() - began >= patience
            self.close()
            why = f"gave no answer within {patience:g} s {REAL_TIME}" if late else "died"
            return _ended(f"the language server {why} and was replaced")
        if verdict.get("end") != "answered":
            return Recording(errors=(_verdict(str(verdict.get("end")), limits),))
        return replace(
            _recording(self._read(_GRACE_SECONDS)), spent_seconds=float(verdict["seconds"])
        )

    def close(self) -> None:
        """Ends the server and all that it runs."""
        process, self._process = self._process, None
        if process is None:
            return
        _close_quietly(process.stdin)  # an idle server ends by itself
        try:
            process.wait(_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _close_quietly(process.stdout)
        _close_quietly(self._complaints)

    def _send(self, line: bytes) -> bool:
        stdin = None if self._process is None else self._process.stdin
        if stdin is None:
            return False
        try:
            stdin.write(line)
            stdin.flush()
        except BrokenPipeError:
            self.close()
            return False
        return True

    def _read(self, timeout_seconds: float) -> object:
        try:
            line = self._lines.get(timeout=timeout_seconds)
            return None if line is None else json.loads(line)
        except (queue.Empty, ValueError, RecursionError):
            return None

    def _last_complaint(self) -> str:
        if self._complaints is None:
            return "no message"
        self._complaints.seek(0)
        text = self._complaints.read().decode(errors="replace").strip()
        return text[-500:] or "no message"


def _forward(
    stream: IO[bytes], lines: "queue.SimpleQueue[bytes | None]", longest_bytes: int
) -> None:
    """Passes lines on until the stream ends or a line is too long; runs in a thread of its own."""
    try:
        while (line := stream.readline(longest_bytes)).endswith(b"\n"):
            lines.put(line)
    except (OSError, ValueError):  # closed while reading
        pass
    lines.put(None)


def _close_quietly(stream: IO[bytes] | None) -> None:
    with contextlib.suppress(OSError):  # what was buffered for a dead server
        if stream is not None:
            stream.close()


def _ended(message: str) -> Recording:
    return Recording(errors=(ProgramError("ended", message),))


def _verdict(end: str, limits: Mapping[str, float]) -> ProgramError:
    match end:
        case "cpu":
            message = (
                f"the program computed for {limits['cpu_seconds']:g} s without an end; "
                "put a sleep into its loops"
            )
        case "deadline":
            message = f"the program took longer than {limits['wall_seconds']:g} s {REAL_TIME}"
        case "flood":
            message = f"the program produced more than {limits['answer_bytes']:g} bytes"
        case _:
            return ProgramError(
                "ended",
                "the program ended its own process, or it ran out of memory or processor time",
            )
    return ProgramError("limit", message)


def _recording(answer: object) -> Recording:
    """Takes the program's own line apart; it may hold anything."""
    match answer:
        case {"failure": "runtime", "message": str(message)}:
            return Recording(failure=message)
        case {"failure": "confinement", "message": str(message)}:
            return Recording(failure=f"programs cannot be confined here: {message}")
        case {"messages": messages, "log": list(log), "errors": list(errors)}:
            lines = tuple(line for line in log if isinstance(line, str))
            return Recording(messages, lines, tuple(map(_error, errors)))
        case _:
            return _ended("the program forged the answer of its own run")


def _error(fields: object) -> ProgramError:
    match fields:
        case {"kind": ("syntax" | "runtime") as kind, "message": str(text), **rest}:
            line, thread = rest.get("line"), rest.get("thread")
            return ProgramError(
                kind,
                text + _REFUSAL if "Errno::EPERM" in text else text,
                line if isinstance(line, int) else None,
                thread if isinstance(thread, str) else None,
            )
        case _:
            return ProgramError("runtime", "an error that the program made unreadable")
