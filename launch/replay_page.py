"""The report of a replay as a page of one file, with pictures."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure

from launch.replay_pairs import TRACKS
from models.metrics.accompaniment import MEASURES, WINDOW_SECONDS

__all__ = ["replay_page", "replay_rows"]

COLOURS: Final = {
    "answer": "#0072b2",
    "partner": "#009e73",
    "stranger": "#8c8c8c",
    "copy": "#d55e00",
}
SHOWN_WINDOWS: Final = 80
SHOWN_DUOS: Final = 3
_PITCHES: Final = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"]
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Replay</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem;
  color: #1b1f24; background: #fff; }}
h1 {{ font-size: 1.5rem; }} h2 {{ font-size: 1.1rem; margin-top: 2.5rem; }}
img {{ width: 100%; height: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
td, th {{ padding: .2rem .8rem .2rem 0; text-align: left; border-bottom: 1px solid #d8dde2; }}
p {{ max-width: 46rem; }}
</style></head><body><h1>Does it sound related?</h1><p>{about}</p>{body}</body></html>
"""
_ABOUT: Final = (
    "Every guide was played to the band under the online rule, and its answer compared with the "
    "guide, on the sound. Harmony: mean correlation of the chroma where both sound. Rhythm: "
    "F-measure of the onsets within 50 ms. Activity: Cohen's kappa of playing and resting. As "
    "partner: the same onsets, and the share of windows played or rested, as the true partner, "
    "who scores 1 there. The answer should come near the true partner, not above: a copy of the "
    "guide scores highest and is no accompaniment. The stranger, a stem of the partner's kind from "
    "another song, is the floor. Way: from the stranger (0) to the partner (1). Intervals: 95 %, "
    "bootstrap over songs."
)


def replay_rows(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The table of a summary as text, header first."""
    rows: list[tuple[str, ...]] = [("measure", *TRACKS, "way")]
    for measure in MEASURES:
        figures = summary["measures"][measure]
        rows.append((measure, *(_shown(figures[name]) for name in (*TRACKS, "way"))))
    return rows


def replay_page(summary: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> str:
    """A self-contained page.

    Args:
        summary: of `summarise`, with "pairs", "bundle" and "notices".
        results: of `replay_duo`, none refused.
    """
    rows = replay_rows(summary)
    body = [
        f"<p>{html.escape(summary['bundle'])} on {html.escape(summary['pairs'])}: "
        f"{summary['n_songs']} songs, {summary['n_duos']} duos.</p>",
        _table(rows),
        _image(_overview(results), "Every duo in every measure"),
    ]
    for result in results[:SHOWN_DUOS]:
        body.append(f"<h2>{html.escape(result['duo'])}</h2>")
        body.append(_image(_strips(result), "Chroma, activity and onsets"))
    body.append("<h2>Notices</h2>")
    body += [f"<p>{html.escape(notice)}</p>" for notice in summary["notices"]]
    return _PAGE.format(about=html.escape(_ABOUT), body="\n".join(body))


def _shown(figure: Mapping[str, float | None]) -> str:
    if figure["mean"] is None:
        return "–"
    interval = f" [{figure['low']:.2f}, {figure['high']:.2f}]" if figure["low"] is not None else ""
    return f"{figure['mean']:.2f}{interval}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *rest = rows
    lines = ["<tr>" + "".join(f"<th>{html.escape(cell)}</th>" for cell in head) + "</tr>"]
    for row in rest:
        lines.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>")
    return f"<table>{''.join(lines)}</table>"


def _overview(results: Sequence[Mapping[str, Any]]) -> Figure:
    """A panel for each measure: each duo a line across the tracks, the mean above it."""
    figure = Figure(figsize=(16, 4), dpi=110, layout="constrained")
    axes: Any = figure.subplots(1, len(MEASURES))
    order = ("stranger", "answer", "partner", "copy")
    for axis, measure in zip(axes, MEASURES, strict=True):
        values = np.array([[one["figures"][track][measure] for track in order] for one in results])
        axis.plot(values.T, color="#c8ced4", linewidth=0.7, zorder=1)
        means = values.mean(axis=0)
        for place, (track, mean) in enumerate(zip(order, means, strict=True)):
            axis.scatter(place, mean, s=90, color=COLOURS[track], zorder=2)
            axis.annotate(f"{mean:.2f}", (place, mean), xytext=(9, 5), textcoords="offset points")
        axis.set_xticks(range(len(order)), order)
        axis.set_xlim(-0.4, len(order) - 0.4)
        axis.set_title(measure)
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def _strips(result: Mapping[str, Any]) -> Figure:
    """Guide, answer and partner below each other: chroma, with onsets above, rests left white."""
    strips = result["strips"]
    figure = Figure(figsize=(12, 6), dpi=110, layout="constrained")
    axes: Any = figure.subplots(len(strips), 1, sharex=True)
    for axis, (track, strip) in zip(axes, strips.items(), strict=True):
        chroma = np.array(strip["chroma"])[:SHOWN_WINDOWS]
        sounding = np.array(strip["sounding"])[:SHOWN_WINDOWS]
        seconds = len(chroma) * WINDOW_SECONDS
        shown = np.where(sounding[:, None], chroma, np.nan).T
        axis.imshow(
            shown, origin="lower", aspect="auto", cmap="Blues", extent=(0, seconds, -0.5, 11.5)
        )
        onsets = [onset for onset in strip["onsets"] if onset < seconds]
        axis.vlines(onsets, 11.7, 12.9, color=COLOURS.get(track, "#1b1f24"), linewidth=1)
        axis.set_ylim(-0.5, 13)
        axis.set_yticks(range(12), _PITCHES, fontsize=6)
        axis.set_title(track, loc="left", fontsize=10)
    axes[-1].set_xlabel("seconds; onsets above the chroma, rests white")
    return figure


def _image(figure: Figure, alternative: str) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{html.escape(alternative)}" src="data:image/png;base64,{data}">'
