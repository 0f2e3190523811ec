"""The pictures of a run as inline SVG, drawn with matplotlib and coloured by the page.

What belongs to the page's theme (ink, grid, waveforms) is drawn in stand-in colours that become
CSS variables, so one picture serves light and dark; labels and reasons keep their own colours.
Text stays text. The same figures give the same bytes. All functions take lists with one entry per
window, as `actors.report.summarize` gives them.
"""

import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter

from actors.report.palette import INK_ON_LABEL, label_colour, reason_colour
from actors.report.waveform import Envelope

INK, FAINT, GRID, HEARD, ANSWER, WARN = (f"#0{n}0{n}0{n}" for n in range(1, 7))
_THEME: Final = {
    INK: "var(--ink)",
    FAINT: "var(--faint)",
    GRID: "var(--grid)",
    HEARD: "var(--heard)",
    ANSWER: "var(--answer)",
    WARN: "var(--warn)",
}
_RC: Final[Any] = {  # the type of its keys is a list of 300 names
    "svg.fonttype": "none",
    "svg.hashsalt": "antiphon",
    "font.family": "sans-serif",
    "font.size": 8.5,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": FAINT,
    "axes.linewidth": 0.8,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": FAINT,
    "ytick.labelcolor": FAINT,
    "path.simplify": True,
}
_NO_METADATA: Final = dict.fromkeys(("Date", "Creator", "Format", "Type"))
SIGNS: Final = {"jump": "◆", "nearest": "▼", "suffix": "▲", "scenario": "■",
                "missed": "✕", "unreported": "✕", "silence": "–"}  # fmt: skip
"""How `segment_map` marks a reason, as a character; all others are dots."""

_MARKERS: Final = {"jump": "D", "nearest": "v", "suffix": "^", "scenario": "s"}
_ROW_STEPS: Final = (10, 15, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)
_MAX_ROWS: Final = 36
_ROW_INCHES: Final = 10.4
_ID_SIZES: Final = (7.5, 6.0)  # of class ids, points: the larger that fits
_MAX_POINTS_DRAWN_AS_SHAPES: Final = 3000
_MAX_BLOCKS_DRAWN_AS_SHAPES: Final = 320
_MAX_SOURCES_NAMED: Final = 10
_MAX_CLASSES_SHOWN: Final = 24


@dataclass(frozen=True)
class Rows:
    """How a run is laid out in rows: `count` rows of `seconds` each."""

    count: int
    seconds: float

    @classmethod
    def of(cls, run_seconds: float) -> "Rows":
        """Rows of ten seconds, or of longer ones where there would be too many."""
        fitting = (step for step in _ROW_STEPS if run_seconds <= step * _MAX_ROWS)
        step = next(fitting, run_seconds / _MAX_ROWS)
        return cls(max(1, int(np.ceil(run_seconds / step - 1e-9))), float(step))


def clock(seconds: float) -> str:
    """Seconds as m:ss, or h:mm:ss from an hour on."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def waveform_row(
    row: int,
    rows: Rows,
    summary: Mapping[str, Any],
    heard: Envelope | None,
    answer: Envelope | None,
) -> str:
    """One row of the run: heard labels, input, accompaniment, played labels on the window grid."""
    start, delta = row * rows.seconds, float(summary["window_seconds"])
    end = start + rows.seconds
    with _picture(_ROW_INCHES, 1.42, f"Sound and labels from {clock(start)}") as (figure, axes):
        figure.subplots_adjust(left=0.052, right=0.998, top=0.995, bottom=0.14)
        axes.set(xlim=(start, end), ylim=(-0.36, 4.36))
        first, last = int(start / delta + 1e-9), int(np.ceil(end / delta - 1e-9))
        last = min(last, summary["windows"])
        if last - first <= 160:
            axes.vlines(np.arange(first, last + 1) * delta, -0.3, 4.3, color=GRID, lw=0.5, zorder=0)
        _mark_missed(axes, summary["reasons"][first:last], first, delta)
        _draw_labels(axes, summary["labels_in"][first:last], first, delta, 4.0, rows.seconds)
        _draw_labels(axes, summary["labels_out"][first:last], first, delta, 0.0, rows.seconds)
        _draw_wave(axes, heard, start, end, 2.85, HEARD)
        _draw_wave(axes, answer, start, end, 1.15, ANSWER)
        axes.set_yticks([4.0, 2.85, 1.15, 0.0], ["heard", "input", "answer", "played"])
        axes.tick_params(axis="y", length=0)
        step = rows.seconds / 10 if rows.seconds % 10 == 0 else rows.seconds / 5
        ticks = np.arange(start, end - 0.5 * step, step)
        axes.set_xticks(ticks, [clock(tick) for tick in ticks])
        return _svg(figure)


def _draw_wave(
    axes: Axes, sound: Envelope | None, start: float, end: float, centre: float, colour: str
) -> None:
    """The outline of `sound` around height `centre`, its own peak at full height."""
    axes.axhline(centre, color=colour, lw=0.4, alpha=0.5)
    if sound is None:
        axes.text((start + end) / 2, centre, "no sound on disk", color=FAINT, ha="center",
                  va="center", size=8)  # fmt: skip
        return
    times, lows, highs = sound.between(start, end)
    scale = 0.78 / max(sound.peak, 0.02)
    axes.fill_between(
        times, centre + lows * scale, centre + highs * scale, color=colour, lw=0.3, step="post"
    )


def _draw_labels(
    axes: Axes, labels: Sequence[int | None], first: int, delta: float, centre: float, span: float
) -> None:
    """A strip of coloured blocks, one per held label, with its class id where there is room."""
    if len(labels) > _MAX_BLOCKS_DRAWN_AS_SHAPES:
        strip = [to_rgba("none" if colour is None else colour) for colour in map(_colour, labels)]
        extent = (first * delta, (first + len(labels)) * delta, centre - 0.3, centre + 0.3)
        axes.imshow([strip], extent=extent, aspect="auto", interpolation="nearest")
        return
    blocks = [run for run in _runs(labels) if _colour(run[0])]
    spans = [((first + start) * delta, length * delta) for _, start, length in blocks]
    colours = [_colour(label) for label, _, _ in blocks]
    axes.broken_barh(spans, (centre - 0.3, 0.6), facecolors=colours, edgecolor="none")
    for (label, _, _), (left, width) in zip(blocks, spans, strict=True):
        points = width / span * _ROW_INCHES * 72 * 0.946
        size = next((s for s in _ID_SIZES if points >= 0.65 * s * len(str(label)) + 1), None)
        if size:
            axes.text(left + width / 2, centre - 0.02, str(label), color=INK_ON_LABEL,
                      ha="center", va="center_baseline", size=size)  # fmt: skip


def _mark_missed(axes: Axes, reasons: Sequence[str], first: int, delta: float) -> None:
    """A band over each stretch of windows that had nothing to play, and a cross below it."""
    missed = [reason in ("missed", "unreported") for reason in reasons]
    spans = [((first + start) * delta, n * delta) for value, start, n in _runs(missed) if value]
    axes.broken_barh(spans, (-0.36, 4.72), color=WARN, alpha=0.25, lw=0)
    centres = [left + width / 2 for left, width in spans]
    axes.plot(centres, np.zeros(len(spans)), "x", color=WARN, ms=5, mew=1.4)


def segment_map(summary: Mapping[str, Any]) -> str:
    """Which memory segment sounded when, coloured by reason; lines join what follows in memory."""
    delta = float(summary["window_seconds"])
    segments = np.asarray(summary["segments"], dtype=np.int64)
    reasons = np.asarray(summary["reasons"], dtype=object)
    seconds = np.arange(len(segments)) * delta
    with _picture(_ROW_INCHES, 3.5, "Memory segment over time") as (figure, axes):
        figure.subplots_adjust(left=0.07, right=0.985, top=0.98, bottom=0.12)
        _join_continuations(axes, seconds, segments)
        sounding = segments >= 0
        as_pixels = int(sounding.sum()) > _MAX_POINTS_DRAWN_AS_SHAPES
        for reason in sorted(set(reasons[sounding])):
            chosen = sounding & (reasons == reason)
            axes.plot(seconds[chosen], segments[chosen], _MARKERS.get(reason, "o"), zorder=3,
                      color=reason_colour(reason), ms=2.6 if reason == "continuation" else 4.2,
                      mew=0, rasterized=as_pixels)  # fmt: skip
        lost = np.isin(reasons, ["missed", "unreported"])
        top = max(1, int(segments.max(initial=1)))
        axes.plot(seconds[lost], np.full(int(lost.sum()), -0.03 * top), "x", ms=4, mew=1.2,
                  color=reason_colour("missed"))  # fmt: skip
        _name_sources(axes, summary["memory"])
        axes.set(xlim=(0, max(len(segments), 1) * delta), ylim=(-0.07 * top, 1.05 * top),
                 ylabel="memory segment")  # fmt: skip
        axes.grid(axis="y", color=GRID, lw=0.4)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: clock(value)))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        return _svg(figure, dpi=200)


def _name_sources(axes: Axes, memory: Sequence[Mapping[str, Any]]) -> None:
    """A line and a name at the first segment of each file, if there are few enough to read."""
    for source in memory if 1 < len(memory) <= _MAX_SOURCES_NAMED else ():
        axes.axhline(source["first_segment"] - 0.5, color=FAINT, lw=0.5, ls=(0, (2, 3)), zorder=0)
        axes.text(0.998, source["first_segment"], source["name"], color=FAINT, ha="right",
                  va="bottom", size=7.5, transform=axes.get_yaxis_transform(),
                  parse_math=False)  # fmt: skip


def _join_continuations(axes: Axes, seconds: Any, segments: Any) -> None:  # noqa: ANN401
    """Solid lines along the memory, thin upright ones where the player jumped."""
    follows = (np.diff(segments) == 1) & (segments[:-1] >= 0)
    leaps = (np.diff(segments) != 1) & (segments[:-1] >= 0) & (segments[1:] >= 0)
    broken = np.where(np.concatenate([follows, [False]]), segments, -1)
    for held, start, length in _runs(list(broken >= 0)):
        if held:
            part = slice(start, start + length + 1)
            axes.plot(seconds[part], segments[part], color=reason_colour("continuation"), lw=1.4)
    if int(leaps.sum()) <= _MAX_POINTS_DRAWN_AS_SHAPES:
        at = np.flatnonzero(leaps)
        axes.vlines(seconds[at + 1], segments[at], segments[at + 1], color=GRID, lw=0.7, zorder=0)


def reaction_histogram(summary: Mapping[str, Any]) -> str:
    """How long the answers took, on a logarithmic axis, against Δ/4 and Δ."""
    delta_ms = 1000.0 * summary["window_seconds"]
    values = np.array([ms for ms in summary["reaction_ms_per_window"] if ms is not None], float)
    shown = np.maximum(values, 0.1)
    low = min(1.0, shown.min(initial=1.0))
    high = max(1.6 * delta_ms, 1.1 * shown.max(initial=1.0))
    with _picture(5.2, 2.9, "Reaction times against the budget") as (figure, axes):
        figure.subplots_adjust(left=0.11, right=0.975, top=0.86, bottom=0.16)
        axes.set_xscale("log")
        edges = np.geomspace(low, high, 60)
        counts, _ = np.histogram(shown, edges)
        axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=ANSWER, lw=0)
        axes.set(xlim=(low, high), ylim=(0, 1.08 * max(int(counts.max()), 1)))
        for at, words in ((delta_ms / 4, "Δ/4"), (delta_ms, "Δ")):
            axes.axvline(at, color=WARN, lw=1.2, ls=(0, (4, 2)))
            axes.text(at, 1.02, f"{words} = {at:g} ms", color=INK, ha="right" if at < delta_ms
                      else "center", transform=axes.get_xaxis_transform())  # fmt: skip
        ticks = [
            t for t in (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10000) if low <= t <= high
        ]
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.set(xlabel="reaction, ms", ylabel="windows")
        axes.grid(axis="y", color=GRID, lw=0.4)
        axes.set_axisbelow(True)
        return _svg(figure)


def transition_map(
    sources: Sequence[int | None], targets: Sequence[int | None], xlabel: str, ylabel: str
) -> str | None:
    """How often class `targets[i]` came on `sources[i]`: darker is more often in its row.

    Pairs with silence or nothing on either side are left out; of many classes the most frequent
    are shown. None if no pair is left.
    """
    pairs = Counter(
        (source, target)
        for source, target in zip(sources, targets, strict=True)
        if source is not None and target is not None and source >= 0 and target >= 0
    )
    if not pairs:
        return None
    rows, columns = _most_frequent(pairs, 0), _most_frequent(pairs, 1)
    with _picture(5.2, 4.4, f"{ylabel} to {xlabel}") as (figure, axes):
        figure.subplots_adjust(left=0.11, right=0.985, top=0.985, bottom=0.11)
        for y, row in enumerate(rows):
            total = sum(count for (source, _), count in pairs.items() if source == row)
            cells = [(x, pairs[row, column]) for x, column in enumerate(columns)]
            cells = [(x, count) for x, count in cells if count]
            shades = [to_rgba(ANSWER, 0.12 + 0.88 * count / total) for _, count in cells]
            axes.broken_barh([(x - 0.46, 0.92) for x, _ in cells], (y - 0.46, 0.92),
                             facecolors=shades, lw=0)  # fmt: skip
        axes.set(xlim=(-0.6, len(columns) - 0.4), ylim=(len(rows) - 0.4, -0.6))
        axes.set_xticks(range(len(columns)), [str(label) for label in columns])
        axes.set_yticks(range(len(rows)), [str(label) for label in rows])
        axes.tick_params(length=0, labelsize=8.5 if max(len(rows), len(columns)) <= 16 else 6.5)
        axes.set(xlabel=xlabel, ylabel=ylabel)
        return _svg(figure)


def _most_frequent(pairs: "Counter[tuple[int, int]]", side: int) -> list[int]:
    """The classes on one side of the pairs, at most so many as can be read, in order of id."""
    totals: Counter[int] = Counter()
    for pair, count in pairs.items():
        totals[pair[side]] += count
    return sorted(label for label, _ in totals.most_common(_MAX_CLASSES_SHOWN))


def _colour(label: int | None) -> str | None:
    """The colour of a class; None for silence and for a window that is not known."""
    return None if label is None or label < 0 else label_colour(label)


def _runs(values: Sequence[Any]) -> Iterator[tuple[Any, int, int]]:
    """(value, index of its first entry, number of entries) of each stretch of equal values."""
    start = 0
    for value, same in groupby(values):
        length = sum(1 for _ in same)
        yield value, start, length
        start += length


@contextmanager
def _picture(width: float, height: float, title: str) -> Iterator[tuple[Figure, Axes]]:
    """An empty figure in the page's style, sizes in inches; `title` is for screen readers."""
    with mpl.rc_context(_RC):
        figure = Figure(figsize=(width, height))
        figure.set_gid(title)
        axes = figure.add_subplot()
        figure.patch.set_visible(False)
        axes.patch.set_visible(False)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        yield figure, axes


def _svg(figure: Figure, dpi: int = 100) -> str:
    """The figure as an `<svg>` element that scales to its container and takes its theme."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", dpi=dpi, metadata=_NO_METADATA)
    text = buffer.getvalue()
    view_box = re.search(r'viewBox="[^"]*"', text)
    body = text[text.index(">", text.index("<svg")) + 1 :]
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r"#0([1-6])(?:0\1){2}\b", lambda hit: _THEME[hit.group(0)], body)
    title = escape(str(figure.get_gid()))
    size = view_box.group(0) if view_box else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'{size} role="img" aria-label="{title}">{body}'
    )
