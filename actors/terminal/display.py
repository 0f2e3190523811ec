"""Puts what is going on on the terminal, or into a log where the output is a file or a pipe."""

import contextlib
import logging
import math
import os
from collections.abc import Callable
from time import perf_counter
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, RenderableType
from rich.live import Live


class Shown(Protocol):
    """What can be displayed: `StatusLine`, `StartUp`."""

    def render(self) -> RenderableType:
        """A few lines for a terminal."""
        ...

    def line(self) -> str:
        """The same in one line of plain text; empty if there is nothing to say."""
        ...


class StageConsole(Console):
    """Falls silent when nobody takes what it says any more: that must not end the show.

    That is so with a closed pipe, a terminal that is gone, a log on a full disk.
    """

    def _check_buffer(self) -> None:
        try:
            super()._check_buffer()
        except OSError:
            self.on_broken_pipe()

    def on_broken_pipe(self) -> None:
        """Say nothing from now on; what is left to be said shall not fail at exit either."""
        self.quiet = True
        with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), self.file.fileno())


class Display:
    """Shows something: in place on a terminal, else as lines now and then.

    Call `refresh` in the thread that tells the shown object its news; it draws at most
    `per_second` times a second, or a plain line every `line_seconds`.

    Args:
        shown: what to show.
        console: where; standard error by default, so that standard output stays free.
        per_second: drawings per second on a terminal, > 0.
        line_seconds: seconds between plain lines elsewhere, > 0.
        clock: gives monotonic seconds.

    Raises:
        ValueError: if per_second or line_seconds is not above 0.
    """

    def __init__(
        self,
        shown: Shown,
        *,
        console: Console | None = None,
        per_second: float = 8.0,
        line_seconds: float = 10.0,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        if not per_second > 0 or not line_seconds > 0:
            raise ValueError(
                f"per_second and line_seconds must be above 0, got {per_second}, {line_seconds}"
            )
        self.console = console or Console(stderr=True)
        self._shown = shown
        self._clock = clock
        self._interval = 1.0 / per_second if self.console.is_terminal else line_seconds
        self._line = ""
        self._drawn = -math.inf
        self._live = (
            Live(console=self.console, auto_refresh=False, get_renderable=self._render)
            if self.console.is_terminal
            else None
        )

    def __enter__(self) -> Self:
        """Start showing."""
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Show the last state and leave the terminal as it was."""
        self.refresh(now=True)
        if self._live:
            self._live.stop()

    def show(self, shown: Shown, *, line_seconds: float = 10.0) -> None:
        """Leave what is shown as it stands, and show something else below it.

        Args:
            shown: what to show from now on.
            line_seconds: seconds between plain lines where there is no terminal, > 0.
        """
        self.refresh(now=True)
        if self._live:
            self.console.print(self._shown.render())
        else:
            self._interval = line_seconds
        self._shown = shown
        self._drawn = -math.inf

    def say(self, sentence: str) -> None:
        """Print something for a person above what is shown; it stays."""
        self.console.print(self._encodable(sentence), markup=False, highlight=False, soft_wrap=True)

    def _encodable(self, line: str) -> str:
        encoding = self.console.encoding  # a pipe on Windows may not know arrows
        return line.encode(encoding, "replace").decode(encoding)

    def _render(self) -> RenderableType:
        return self._shown.render()

    def refresh(self, *, now: bool = False) -> None:
        """Draw, unless it was done a moment ago; `now` draws in any case."""
        seconds = self._clock()
        if not now and seconds - self._drawn < self._interval:
            return
        self._drawn = seconds
        if self._live:
            self._live.refresh()
        elif (line := self._shown.line()) and line != self._line:
            self._line = line
            self.say(line)


class LogToDisplay(logging.Handler):
    """Says warnings of the log above what is shown, each sentence once.

    Args:
        display: where.
    """

    def __init__(self, display: Display) -> None:
        super().__init__(logging.WARNING)
        self._display = display
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Say it, unless it was said."""
        sentence = record.getMessage()
        if sentence not in self._said:
            self._said.add(sentence)
            self._display.say(f"note: {sentence}")
