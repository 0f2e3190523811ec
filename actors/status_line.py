"""What the performer sees in the terminal: how starting goes on, and how the band is doing.

`StatusLine` and `StartUp` are plain: told of messages and steps, they render; they own no thread
and no clock of their own. `Display` puts either on a terminal, or writes a line now and then where
the output is a file or a pipe.
"""

import math
from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from types import TracebackType
from typing import Final, Self

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from actors.palette import label_colour, reason_colour
from agents.messages import AudioOut, HeardLabel, Heartbeat, Message, Played, Tick

_METER_FLOOR_DB: Final = -60.0
_METER_CELLS: Final = 12
_BUDGET_CELLS: Final = 16
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
KEYS: Final = "p panic · q quit"


class StatusLine:
    """The state of a running performance in three lines, told message by message.

    Args:
        window_seconds: Δ, > 0.
        n_windows: how many windows the run will have; None for an open end.

    Raises:
        ValueError: if window_seconds is not above 0.
    """

    def __init__(self, *, window_seconds: float, n_windows: int | None = None) -> None:
        if not window_seconds > 0:
            raise ValueError(f"window_seconds must be above 0, got {window_seconds}")
        self.window_seconds = window_seconds
        self.n_windows = n_windows
        self.window = 0
        self.misses = 0
        self.underruns = 0
        self.restarts = 0
        self._heard: HeardLabel | None = None
        self._played: Played | None = None
        self._out_db = -math.inf
        self._reactions: list[float] = []  # seconds, ascending
        self._processes: dict[str, int] = {}

    def take(self, message: Message) -> None:
        """Let one message change what is shown; kinds that show nothing are ignored."""
        match message:
            case Tick():
                self.window = message.window
            case HeardLabel():
                self._heard = message
            case AudioOut():
                self._out_db = _level_db(message)
            case Heartbeat():
                known = self._processes.get(message.role, message.process_id)
                self.restarts += known != message.process_id
                self._processes[message.role] = message.process_id
            case Played():
                self._take_played(message)
            case _:
                pass

    def _take_played(self, played: Played) -> None:
        self._played = played
        self.window = max(self.window, played.window)
        self.misses += played.reason == "missed"
        self.underruns += played.underruns
        if played.reaction_seconds is not None:
            insort(self._reactions, played.reaction_seconds)

    @property
    def reaction_p99_seconds(self) -> float | None:
        """The reaction that 99 of 100 answers so far did not exceed; None before the first."""
        if not self._reactions:
            return None
        return self._reactions[math.ceil(0.99 * len(self._reactions)) - 1]

    def render(self) -> RenderableType:
        """Three lines of at most 80 columns: the music, the timing, the levels."""
        return Group(self._music(), self._timing(), self._levels())

    def line(self) -> str:
        """The same in one line of plain text, for a log."""
        played = self._played
        reaction = played.reaction_seconds if played else None
        return (
            f"{_clock(self.window * self.window_seconds)} window {self._position()}"
            f" · {_name(self._heard)} → {_name(played)} {played.reason if played else ''}".rstrip()
            + f" · reaction {_ms(reaction)}, p99 {_ms(self.reaction_p99_seconds)}"
            f" · missed {self.misses} · underruns {self.underruns} · restarts {self.restarts}"
        )

    def _position(self) -> str:
        return f"{self.window}" if self.n_windows is None else f"{self.window}/{self.n_windows}"

    def _music(self) -> Text:
        text = _row()
        text.append(f"{_clock(self.window * self.window_seconds):>8}  ", style="bold")
        text.append(f"window {self._position():<12}")
        text.append("heard ", style="dim").append_text(_label(self._heard))
        text.append(" → played ", style="dim").append_text(_label(self._played))
        if self._played is not None:
            reason = self._played.reason
            text.append(f"  {reason:<12}", style=reason_colour(reason))
            if self._played.segment >= 0:
                text.append(f" segment {self._played.segment}", style="dim")
        return text

    def _timing(self) -> Text:
        last = self._played.reaction_seconds if self._played else None
        text = _row("reaction")
        text.append(f"{_ms(last):>9} ").append_text(self._budget_bar(last))
        text.append("  p99 ", style="dim").append(
            f"{_ms(self.reaction_p99_seconds):<9}", style=self._colour(self.reaction_p99_seconds)
        )
        for name, count in (
            ("missed", self.misses),
            ("underruns", self.underruns),
            ("restarts", self.restarts),
        ):
            text.append(f"  {name} ", style="dim")
            text.append(str(count), style="bold red" if count else "green")
        return text

    def _budget_bar(self, seconds: float | None) -> Text:
        """A bar that ends at Δ/2 and has the budget Δ/4 marked at its middle."""
        share = 0.0 if seconds is None else min(seconds / (self.window_seconds / 2), 1.0)
        cells = _bar(share, _BUDGET_CELLS)
        middle = _BUDGET_CELLS // 2
        return (
            Text(cells[:middle], style=self._colour(seconds))
            .append("│", style="dim")
            .append(cells[middle:], style=self._colour(seconds))
        )

    def _colour(self, seconds: float | None) -> str:
        """Green within the budget Δ/4, yellow within Δ, red beyond."""
        if seconds is None:
            return "dim"
        shares = seconds / self.window_seconds
        return "green" if shares <= 0.25 else "yellow" if shares <= 1.0 else "red"

    def _levels(self) -> Text:
        text = _row("level")
        heard_db = self._heard.energy_db if self._heard else -math.inf
        for name, level in (("in", heard_db), ("out", self._out_db)):
            share = (max(level, _METER_FLOOR_DB) - _METER_FLOOR_DB) / -_METER_FLOOR_DB
            text.append(f" {name} ", style="dim")
            text.append(_bar(min(share, 1.0), _METER_CELLS), style="red" if level > -3 else "cyan")
            text.append(f"{level:5.0f} dB " if level > _METER_FLOOR_DB else "    – dB ")
        text.append(f"   {KEYS}", style="dim")
        return text


@dataclass
class Step:
    """One step of starting up; `seconds` is None while it runs."""

    name: str
    started: float
    seconds: float | None = None
    detail: str = ""
    failed: bool = False


class StartUp:
    """The steps from the command to the first sound, each with the seconds it took.

    Args:
        clock: gives monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self.steps: list[Step] = []
        self._clock = clock
        self._began = clock()

    @property
    def seconds(self) -> float:
        """Since the start until now, or until the last step ended."""
        if self.steps and self.steps[-1].seconds is not None:
            return self.steps[-1].started + self.steps[-1].seconds - self._began
        return self._clock() - self._began

    def begin(self, name: str) -> None:
        """End the running step, if any, and begin the next ("loading bundle")."""
        self.done()
        self.steps.append(Step(name, self._clock()))

    def tell(self, detail: str) -> None:
        """Say how far the running step is ("34 of 120 files").

        Raises:
            RuntimeError: if no step is running.
        """
        self._running().detail = detail

    def done(self) -> None:
        """End the running step; nothing happens if none runs."""
        if self.steps and self.steps[-1].seconds is None:
            self.steps[-1].seconds = self._clock() - self.steps[-1].started

    def fail(self, detail: str) -> None:
        """End the running step as failed.

        Raises:
            RuntimeError: if no step is running.
        """
        step = self._running()
        step.failed, step.detail = True, detail
        self.done()

    def _running(self) -> Step:
        if not self.steps or self.steps[-1].seconds is not None:
            raise RuntimeError("a step must be running: call begin(name) first")
        return self.steps[-1]

    def render(self) -> RenderableType:
        """One line per step: a sign, the name, the seconds, the detail."""
        return Group(*(self._step_line(step) for step in self.steps))

    def _step_line(self, step: Step) -> Text:
        seconds = self._clock() - step.started if step.seconds is None else step.seconds
        if step.failed:
            sign, style = "✗", "bold red"
        elif step.seconds is None:
            sign, style = "…", "yellow"
        else:
            sign, style = "✓", "green"
        text = _row().append(f"{sign} ", style=style).append(f"{step.name:<30}")
        return text.append(f"{seconds:6.1f} s  ", style="dim").append(step.detail, style="dim")

    def line(self) -> str:
        """The last step in one line of plain text, for a log."""
        if not self.steps:
            return ""
        step = self.steps[-1]
        state = "failed" if step.failed else "…" if step.seconds is None else "done"
        took = "" if step.seconds is None else f" in {step.seconds:.1f} s"
        return f"{step.name}: {state}{took} {step.detail}".rstrip()


class Display:
    """Shows a `StatusLine` or a `StartUp`: in place on a terminal, else as lines now and then.

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
        shown: StatusLine | StartUp,
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
        self._drawn = -math.inf
        self._live = (
            Live(console=self.console, auto_refresh=False, get_renderable=shown.render)
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

    def refresh(self, *, now: bool = False) -> None:
        """Draw, unless it was done a moment ago; `now` draws in any case."""
        seconds = self._clock()
        if not now and seconds - self._drawn < self._interval:
            return
        self._drawn = seconds
        if self._live:
            self._live.refresh()
        elif line := self._shown.line():
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)


def _row(name: str | None = None) -> Text:
    """An empty line that is cut off, never wrapped, at the edge of the terminal."""
    text = Text(no_wrap=True, overflow="crop")
    return text if name is None else text.append(f"{name:>8} ", style="dim")


def _bar(share: float, cells: int) -> str:
    """`share` (0..1) of `cells` characters, filled from the left in eighths."""
    eighths = round(max(share, 0.0) * cells * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(cells)


def _label(message: HeardLabel | Played | None) -> Text:
    """The class id of a message on its own colour."""
    name = f"{_name(message):^5}"
    if message is None or message.label < 0:
        return Text(name, style="dim")
    return Text(name, style=f"black on {label_colour(message.label)}")


def _name(message: HeardLabel | Played | None) -> str:
    return "–" if message is None or message.label < 0 else str(message.label)


def _level_db(sound: AudioOut) -> float:
    """Level of a window, dB relative to full scale (RMS)."""
    power = float(np.mean(np.square(sound.samples, dtype=np.float64))) if sound.samples.size else 0
    return 10.0 * math.log10(power) if power > 0 else -math.inf


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"


def _ms(seconds: float | None) -> str:
    return "–" if seconds is None else f"{1000 * seconds:.1f} ms"
