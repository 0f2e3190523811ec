"""How the band is doing, in a few lines of a terminal: plain, told of messages, it renders.

It owns no thread and no clock; `actors.terminal.display.Display` puts it on the terminal.
"""

import math
from bisect import insort
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from actors.report.palette import INK_ON_LABEL, label_colour, reason_colour
from actors.streams.machinery_messages import Fault
from agents.messages import CodeRanked, CodeSent, HeardLabel, Message, Metric, Played, Tick

_METER_FLOOR_DB: Final = -60.0
_METER_CELLS: Final = 8
_BUDGET_CELLS: Final = 16
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
KEYS: Final = "p⏎ panic · q⏎ quit"


class StatusLine:
    """The state of a running performance in a few lines, told message by message.

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
        self._fault: Fault | None = None
        self._ranked: CodeRanked | None = None
        self._sent: CodeSent | None = None

    def take(self, message: Message | Fault) -> None:
        """Let one message change what is shown; kinds that show nothing are ignored."""
        match message:
            case Tick():
                self.window = message.window
            case HeardLabel():
                self._heard = message
            case Metric(name="audio.peak"):
                self._out_db = _decibels(message.value)
            case Fault():
                self._fault = message
                self.restarts += message.event == "restart"
            case Played():
                self._take_played(message)
            case CodeRanked():
                self._ranked = message
            case CodeSent():
                self._sent = message
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
        """Lines of at most 80 columns: music, timing, levels, the last ranking, the last fault."""
        lines = [self._music(), self._timing(), self._levels()]
        if self._ranked is not None:
            lines.append(_row("code").append(self._code()))
        if self._fault is not None:
            lines.append(_fault_line(self._fault))
        return Group(*lines)

    def line(self) -> str:
        """The same in one line of plain text, for a log."""
        played = self._played
        reaction = played.reaction_seconds if played else None
        fault = f" · {_fault_line(self._fault).plain}" if self._fault else ""
        code = f" · code {self._code()}" if self._ranked else ""
        return (
            f"{_clock(self.window * self.window_seconds)} window {self._position()}"
            f" · {_name(self._heard)} → {_name(played)} {played.reason if played else ''}".rstrip()
            + f" · reaction {_ms(reaction)}, p99 {_ms(self.reaction_p99_seconds)}"
            f" · missed {self.misses} · underruns {self.underruns} · restarts {self.restarts}"
            + code
            + fault
        )

    def _code(self) -> str:
        """The last ranking: the places to choose from with their candidates, and where one went."""
        ranked = self._ranked
        assert ranked is not None
        if not ranked.order:
            return ranked.errors[0] if ranked.errors else "nothing could be ranked"
        places = zip(ranked.order, ranked.tiers, strict=False)
        shown = [
            f"{place}: #{candidate + 1} {tier}"
            for place, (candidate, tier) in enumerate(places, 1)
            if candidate in ranked.chosen
        ]
        text = f"{ranked.mode} of {len(ranked.candidates)}  " + "  ".join(shown)
        if ranked.malformed:
            text += f"  {ranked.malformed} malformed"
        if self._sent is not None and self._sent.request == ranked.request:
            destination = self._sent.destination.replace("_", " ")
            text += f"  #{self._sent.candidate + 1} → {destination}"
        return text if ranked.final else f"{text} …"

    def _position(self) -> str:
        return f"{self.window}" if self.n_windows is None else f"{self.window}/{self.n_windows}"

    def _music(self) -> Text:
        text = _row()
        text.append(f"{_clock(self.window * self.window_seconds):>8}  ", style="bold")
        text.append(f"window {self._position()}")
        text.append("  heard ", style="dim").append_text(_label(self._heard))
        text.append(" → played ", style="dim").append_text(_label(self._played))
        if self._played is not None:
            reason = self._played.reason
            text.append(f"  {reason}", style=reason_colour(reason))
            if self._played.segment >= 0:
                text.append(f" #{self._played.segment}", style="dim")
        return text

    def _timing(self) -> Text:
        last = self._played.reaction_seconds if self._played else None
        text = _row("reaction")
        text.append(f"{_ms(last):>9} ").append_text(self._budget_bar(last))
        text.append("  p99 ", style="dim").append(
            f"{_ms(self.reaction_p99_seconds):<8}", style=self._colour(self.reaction_p99_seconds)
        )
        return _counts(text, ("missed", self.misses), ("underruns", self.underruns))

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
            text.append(f"{level:4.0f} dB" if level > _METER_FLOOR_DB else "   – dB")
        return _counts(text, ("restarts", self.restarts)).append(f"  {KEYS}", style="dim")


def _row(name: str | None = None) -> Text:
    """An empty line that is cut off, never wrapped, at the edge of the terminal."""
    text = Text(no_wrap=True, overflow="crop")
    return text if name is None else text.append(f"{name:>8} ", style="dim")


def _counts(text: Text, *counts: tuple[str, int]) -> Text:
    """`text` with names and counts after it, green while a count is 0."""
    for name, count in counts:
        text.append(f"  {name} ", style="dim")
        text.append(str(count), style="bold red" if count else "green")
    return text


def _fault_line(fault: Fault) -> Text:
    """Who, what and when, in the words of the supervisor."""
    text = _row(fault.event).append(fault.role, style="bold red")
    return text.append(f" in window {fault.window}: {fault.detail}")


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
    return Text(name, style=f"{INK_ON_LABEL} on {label_colour(message.label)}")


def _name(message: HeardLabel | Played | None) -> str:
    return "–" if message is None or message.label < 0 else str(message.label)


def _decibels(amplitude: float) -> float:
    """Level of an amplitude, dB relative to full scale."""
    return 20.0 * math.log10(amplitude) if amplitude > 0 else -math.inf


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes}:{rest:04.1f}"


def _ms(seconds: float | None) -> str:
    return "–" if seconds is None else f"{1000 * seconds:.1f} ms"
