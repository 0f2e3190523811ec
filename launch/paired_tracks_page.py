"""The paired-tracks table as pictures, as one page, and as JSON."""

import base64
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from jinja2 import Environment
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from corpus.whole_file import write_atomically
from launch.paired_tracks_jobs import Cell
from launch.paired_tracks_summary import BASELINES, sequences

_COLOURS: Final = {16: "#0072b2", 64: "#009e73", 256: "#d55e00"}
_OTHER: Final = "#555555"
_GREY: Final = "#9a9a9a"
_OURS: Final = "ours, own past"
_SHOWN: Final = {
    "tpp": ("fig4-tpp", "TPP %, free (paper Fig. 4)", f"sampled {_OURS}", "sampled uniform"),
    "tpp constrained": (
        "fig5-tpp-constrained",
        "TPP %, constrained (paper Fig. 5)",
        "constrained ours",
        "constrained uniform",
    ),
    "entropy": (
        "fig7-entropy",
        "entropy, bits, free (paper Fig. 7)",
        f"sampled {_OURS}",
        "sampled uniform",
    ),
    "entropy constrained": (
        "fig8-entropy-constrained",
        "entropy, bits, constrained (paper Fig. 8)",
        "constrained ours",
        "constrained uniform",
    ),
}


def write_page(out: Path, table: dict[str, Any]) -> None:
    """Write table.json, the pictures as PNG, and table.html with everything in it.

    Args:
        out: folder.
        table: of `launch.paired_tracks_table.fill`.
    """
    cells: dict[str, list[Cell]] = table["cells"]
    collections = list(table["by_collection"]) or [None]
    pictures = []
    for what, (name, title, ours, uniform) in _SHOWN.items():
        figure = _boxes(cells, collections, what.split()[0], title, ours, uniform)
        pictures.append((title, _save(out / f"{name}.png", figure)))
    prefix = _prefixes(cells)
    pictures.append(
        ("LCP by position, constrained (paper Fig. 6)", _save(out / "fig6-lcp.png", prefix))
    )
    pictures.append(("Training curves", _save(out / "curves.png", _curves(cells))))
    content = {key: value for key, value in table.items() if key != "cells"}
    write_atomically(out / "table.json", json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    environment = Environment(autoescape=True)
    environment.filters["gain"] = gain
    page = environment.from_string(_PAGE).render(
        table=table,
        rows=list(table["rows"].values()),
        pictures=[(title, base64.b64encode(png).decode()) for title, png in pictures],
        baselines=BASELINES,
    )
    write_atomically(out / "table.html", page)


def gain(found: dict[str, Any], digits: int = 2) -> str:
    """A difference with its interval, a star if the interval lies above zero, − if below."""
    sign = "*" if found["low"] > 0 else "−" if found["high"] < 0 else ""
    low, high = (f"{found[name]:+.{digits}f}" for name in ("low", "high"))
    return f"{found['mean']:+.{digits}f}{sign} [{low}, {high}]"


def _save(path: Path, figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    partial = path.with_name(f".{path.name}.part")
    partial.write_bytes(buffer.getvalue())
    partial.replace(path)
    return buffer.getvalue()


def _boxes(
    cells: dict[str, list[Cell]],
    collections: Sequence[str | None],
    what: str,
    title: str,
    ours: str,
    uniform: str,
) -> Figure:
    """Box plots of every configuration by collection, alphabets by colour, chance in grey."""
    figure = Figure(figsize=(12, 3.4 * len(collections)), dpi=100, layout="constrained")
    panels: Any = figure.subplots(len(collections), 1, squeeze=False)[:, 0]
    order = sorted(cells.values(), key=lambda c: (c[0]["alphabet"], c[0]["window_seconds"]))
    for axes, collection in zip(panels, collections, strict=True):
        for place, found in enumerate(order):
            colour = _COLOURS.get(found[0]["alphabet"], _OTHER)
            _box(axes, 3 * place, sequences(found, ours, what, collection), colour)
            _box(axes, 3 * place + 1, sequences(found, uniform, what, collection), _GREY)
            if what == "entropy":
                truth = float(np.mean(sequences(found, "truth", what, collection)))
                axes.plot([3 * place - 0.5, 3 * place + 0.5], [truth] * 2, color="black", lw=2)
        axes.set_xticks([3 * place + 0.5 for place in range(len(order))])
        axes.set_xticklabels([found[0]["configuration"] for found in order])
        axes.set_title(f"{title}: {collection or 'all'}", fontsize=11)
        axes.grid(axis="y", alpha=0.3)
    _legend(panels[0], [found[0]["alphabet"] for found in order], truth=what == "entropy")
    return figure


def _legend(axes: Axes, alphabets: Sequence[int], *, truth: bool) -> None:
    """Which colour is ours with which alphabet, which is chance, and the line of the truth."""
    marks: list[Patch | Line2D] = [
        Patch(color=_COLOURS.get(k, _OTHER), alpha=0.7, label=f"ours, K = {k}")
        for k in dict.fromkeys(alphabets)
    ]
    marks.append(Patch(color=_GREY, alpha=0.7, label="chance: labels drawn uniformly"))
    if truth:
        marks.append(Line2D([], [], color="black", lw=2, label="truth, mean"))
    axes.legend(handles=marks, fontsize=8, ncol=len(marks))


def _box(axes: Axes, place: float, values: Sequence[float], colour: str) -> None:
    if values:
        axes.boxplot(
            [values],
            positions=[place],
            widths=0.8,
            patch_artist=True,
            showfliers=False,
            boxprops={"facecolor": colour, "alpha": 0.7},
            medianprops={"color": "black"},
        )


def _prefixes(cells: dict[str, list[Cell]]) -> Figure:
    """LCP by position on a symmetric logarithmic scale: ours blue, chance black, limit red."""
    windows = sorted({found[0]["window_seconds"] for found in cells.values()})
    alphabets = sorted({found[0]["alphabet"] for found in cells.values()})
    figure = Figure(figsize=(12, 2.8 * len(alphabets)), dpi=100, layout="constrained")
    panels: Any = figure.subplots(len(alphabets), len(windows), squeeze=False)
    for found in cells.values():
        axes = panels[alphabets.index(found[0]["alphabet"])][
            windows.index(found[0]["window_seconds"])
        ]
        ours, chance = (found[0]["systems"][f"constrained {n}"] for n in ("ours", "uniform"))
        mean, spread = np.array(ours["lcp_mean"]), np.array(ours["lcp_deviation"])
        places = np.arange(len(mean))
        axes.plot(places, len(mean) - places, color="red", lw=1)
        axes.fill_between(places, np.maximum(mean - spread, 0), mean + spread, alpha=0.25)
        axes.plot(places, mean, color="#0072b2")
        axes.plot(np.array(chance["lcp_mean"]), color="black", lw=1)
        axes.set_yscale("symlog", linthresh=0.1)
        axes.set_title(found[0]["configuration"], fontsize=10)
        axes.set_xlabel("window of the sequence", fontsize=8)
        axes.set_ylabel("LCP, windows", fontsize=8)
    return figure


def _curves(cells: dict[str, list[Cell]]) -> Figure:
    """Validation loss of every training over its steps."""
    figure = Figure(figsize=(12, 4), dpi=100, layout="constrained")
    axes: Any = figure.subplots(1, 1)
    for found in cells.values():
        colour = _COLOURS.get(found[0]["alphabet"], _OTHER)
        for place, cell in enumerate(found):
            steps, _, loss = zip(*cell["training"]["curve"], strict=True)
            name = cell["configuration"] if place == 0 else None
            style = {0.25: ":", 0.35: "--"}.get(cell["window_seconds"], "-")
            axes.plot(steps, loss, style, color=colour, alpha=0.7, label=name)
    axes.set_xlabel("step")
    axes.set_ylabel("validation, nats per window")
    figure.legend(fontsize=8, loc="outside right upper")
    return figure


_PAGE: Final = """<!doctype html><html lang="en"><meta charset="utf-8">
<title>Paired tracks</title><style>
body{font:15px/1.5 system-ui,sans-serif;max-width:78rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:1rem 0;font-variant-numeric:tabular-nums;font-size:13px}
td,th{padding:.2rem .7rem .2rem 0;text-align:left;border-bottom:1px solid #ccc}
img{max-width:100%}p{max-width:60rem}</style>
<h1>Paired tracks: the re-generation task</h1>
<p>Corpora: {{ table.corpora|join(", ") }}; measured on {{ table.measured_on }} songs, shift 1,
{{ rows[0].train_songs }} training songs, {{ rows[0].songs }} songs judged, seeds
{{ rows[0].seeds|join(", ") }}. Intervals: 95 %, paired bootstrap over songs; * above zero,
− below. Silence masked unless said; sampled: nucleus 0.8. “Ours” listens only; “own past” also
reads what it played itself (w = 0.7) and answers freely. Greedy and sampled figures are never
compared.</p>
{% for notice in table.notices %}<p>{{ notice }}</p>{% endfor %}
<h2>Bits per window</h2>
<table><tr><th>configuration<th>uniform<th>unigram<th>p(y|x)<th>p(y|x₋,x)<th>ours
<th>saved over the best<th>saved over a wrong song
<th>told the past: ours<th>repeat the last</tr>
{% for r in rows %}<tr><td>{{ r.configuration }}
{% for n in ("uniform", "unigram", "p(y|x)", "p(y|x₋,x)", "ours") %}
<td>{{ "%.2f"|format(r.bits["sampled " ~ n]) }}{% endfor %}
<td>{{ r.gains["bits"]|gain(3) }}<td>{{ r.gains["bits, wrong song"]|gain }}
<td>{{ "%.2f"|format(r.bits["told ours, own past"]) }}
<td>{{ "%.2f"|format(r.bits["told repeat the last label"]) }}</tr>{% endfor %}</table>
{% for how, names in baselines.items() %}
<h2>TPP %, {{ how }}</h2>
<table><tr><th>configuration{% for n in names %}<th>{{ n }}{% endfor %}<th>ours<th>own past
<th>ours over the best<th>own past over the best</tr>
{% for r in rows %}<tr><td>{{ r.configuration }}
{% for n in names %}<td>{{ "%.1f"|format(r.tpp[how ~ " " ~ n]) }}{% endfor %}
<td>{{ "%.1f"|format(r.tpp[how ~ " ours"]) }}
<td>{{ "%.1f"|format(r.tpp[how ~ " ours, own past"]) if how ~ " ours, own past" in r.tpp }}
<td>{{ r.gains["TPP, " ~ how ~ " ours"]|gain }}
<td>{{ r.gains["TPP, " ~ how ~ " ours, own past"]|gain
  if "TPP, " ~ how ~ " ours, own past" in r.gains }}</tr>
{% endfor %}</table>{% endfor %}
<h2>Told the true past</h2><p>Teacher-forced figures are the score of repeating.</p>
<table><tr><th>configuration<th>ours, TPP %<th>repeat the last label, TPP %</tr>
{% for r in rows %}<tr><td>{{ r.configuration }}
<td>{{ "%.1f"|format(r.tpp["told ours, own past"]) }}
<td>{{ "%.1f"|format(r.tpp["told repeat the last label"]) }}</tr>{% endfor %}</table>
<h2>How answers move</h2>
<table><tr><th>configuration<th>entropy: truth<th>own past<th>ours<th>p(y|x₋,x)
<th>mean run: truth<th>own past<th>ours<th>greedy ours<th>LCP: own past<th>p(y|x₋,x)
<th>Mann-Whitney, own past over uniform</tr>
{% for r in rows %}<tr><td>{{ r.configuration }}
{% for n in ("truth", "sampled ours, own past", "sampled ours", "sampled p(y|x₋,x)") %}
<td>{{ "%.2f"|format(r.entropy[n]) }}{% endfor %}
{% for n in ("truth", "sampled ours, own past", "sampled ours", "greedy ours") %}
<td>{{ "%.2f"|format(r.run[n]) }}{% endfor %}
<td>{{ "%.2f"|format(r.lcp["sampled ours, own past"]) }}
<td>{{ "%.2f"|format(r.lcp["sampled p(y|x₋,x)"]) }}
<td>{{ "%.1e"|format(r.mann_whitney["sampled ours, own past over uniform"]) }}</tr>
{% endfor %}</table>
<h2>Silence decided by each system, all windows counted</h2>
<table><tr><th>configuration<th>greedy majority<th>greedy p(y|x₋,x)<th>greedy ours
<th>sampled unigram<th>sampled p(y|x₋,x)<th>sampled ours</tr>
{% for r in rows %}<tr><td>{{ r.configuration }}
{% for n in ("greedy majority", "greedy p(y|x₋,x)", "greedy ours", "sampled unigram",
"sampled p(y|x₋,x)", "sampled ours") %}
<td>{{ "%.1f"|format(r.tpp["silence " ~ n]) }}{% endfor %}</tr>{% endfor %}</table>
<h2>Corpus by corpus</h2>
<table><tr><th>corpus<th>configuration<th>songs<th>bits saved over the best
<th>sampled TPP: p(y|x₋,x)<th>ours<th>own past</tr>
{% for name, found in table.by_collection.items() %}{% for r in found.values() %}
<tr><td>{{ name }}<td>{{ r.configuration }}<td>{{ r.songs }}<td>{{ r.gains["bits"]|gain }}
<td>{{ "%.1f"|format(r.tpp["sampled p(y|x₋,x)"]) }}<td>{{ "%.1f"|format(r.tpp["sampled ours"]) }}
<td>{{ "%.1f"|format(r.tpp["sampled ours, own past"]) }}</tr>{% endfor %}{% endfor %}</table>
{% if table.paper %}<h2>The paper's configuration on the same labels</h2>
<p>6 layers, 12 heads, 768, 2048; the compute is stated because it decides: at 1e-6 the published
training needs many epochs.</p>
<table><tr><th>configuration<th>rate<th>steps<th>epochs<th>CPU s<th>loss, first to last
<th>sampled TPP: paper<th>ours<th>own past<th>own past over paper<th>greedy over greedy
<th>labels/s: paper<th>ours</tr>
{% for p in table.paper %}<tr><td>{{ p.configuration }}<td>{{ p.learning_rate }}<td>{{ p.steps }}
<td>{{ "%.1f"|format(p.epochs) }}<td>{{ "%.0f"|format(p.cpu_seconds) }}
<td>{{ "%.2f"|format(p.loss[0]) }} → {{ "%.2f"|format(p.loss[1]) }}
{% for n in ("sampled paper", "sampled ours", "sampled ours, own past") %}
<td>{{ "%.1f"|format(p.judged.tpp[n]) }}{% endfor %}
{% for n in ("sampled ours, own past over sampled paper", "greedy ours over greedy paper") %}
<td>{{ "%+.1f [%+.1f, %+.1f]"|format(*p.judged.gains[n]) }}{% endfor %}
<td>{{ "%.0f"|format(p.throughput.paper) }}<td>{{ "%.0f"|format(p.throughput.ours) }}</tr>
{% endfor %}</table>{% endif %}
{% for title, png in pictures %}<h2>{{ title }}</h2>
<img alt="{{ title }}" src="data:image/png;base64,{{ png }}">{% endfor %}</html>
"""
