"""The page of an evolution: its curves, and the living to listen to, as `index.html`."""

import csv
import html
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import matplotlib
import soundfile
from matplotlib.figure import Figure

from agents.evolution.genome import Individual
from launch.evolve_run import Run

__all__ = ["draw_curves", "said_of_texts", "write_page"]

_LEVELS: Final = (("best", "best"), ("mean", "mean"), ("median", "median"))
_PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Evolution: {title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff }}
img {{ max-width: 100% }} table {{ border-collapse: collapse; width: 100% }}
td, th {{ text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #ddd;
  vertical-align: top }}
code {{ font-size: 12px; word-break: break-all }}
pre {{ margin: 0; font-size: 12px; white-space: pre-wrap; max-height: 8rem; overflow: auto }}
@media (prefers-color-scheme: dark) {{ body {{ color: #ddd; background: #181818 }}
  img {{ background: #fff }} }}
</style>
<h1>Evolution: {title}</h1>
<p>{said}</p>
<img src="curves.svg" alt="Fitness, taste and the second opinion by generation">
<h2>The living</h2>
<table><tr><th>fitness</th><th>taste</th><th>second</th><th>true</th><th>from</th><th>listen</th>
<th>name</th><th>genome</th></tr>
{rows}
</table></html>
"""


def write_page(run: Run, folder: Path) -> None:
    """Write `index.html`, `curves.svg`, `history.csv` and the living's clips as FLAC.

    A clip is named as feedback names it: by the hash of what was judged.

    Args:
        run: between generations.
        folder: exists; older clips in it are replaced.
    """
    clips = folder / "clips"
    clips.mkdir(exist_ok=True)
    living = run.evolution.population
    sounds = run.generator.generate(
        [one.genome.condition for one in living], run.config.seconds, [one.seed for one in living]
    )
    rows, written = [], set()
    for one, sound in zip(living, sounds, strict=True):
        name = one.judgement.clip if one.judgement is not None and len(sound) else ""
        if name:
            path = clips / f"{name}.flac"
            soundfile.write(path, sound, run.generator.sample_rate, subtype="PCM_16")
            written.add(path)
        rows.append(_row(one, name))
    for old in clips.glob("*.flac"):
        if old not in written:
            old.unlink()
    write_history(run.evolution.history, folder / "history.csv")
    draw_curves(run.evolution.history, folder / "curves.svg")
    config = run.config
    searcher = run.evolution.searcher.name + (", surrogate" if config.surrogate else "")
    generator = run.generator
    said = [
        f"{run.evolution.generation} generations of {config.evolution.population}",
        f"{run.evolution.n_evaluated} clips judged",
        f"{generator.name}: {generator.licence}",
        *said_of_texts(run.evolution.searcher.state()),
    ]
    text = _PAGE.format(
        title=html.escape(f"{config.mode}, {searcher}"),
        said=html.escape(". ".join(said) + "."),
        rows="\n".join(rows),
    )
    (folder / "index.html").write_text(text, encoding="utf-8")


def said_of_texts(search: Mapping[str, Any]) -> list[str]:
    """Who wrote the texts of a search, in a sentence; nothing of a search without texts.

    Args:
        search: the state of a searcher.
    """
    if "counts" not in search:
        return []
    counts = Counter(search["counts"])
    if not counts["answered"] + counts["unanswered"]:
        return ["no language model was asked: all texts come from operators without one"]
    return [
        f"language model: {counts['answered']} questions answered, {counts['unanswered']} not; "
        f"{counts['by the model']} texts by the model, {counts['malformed']} malformed, "
        f"{counts['without a model']} by operators without it"
    ]


def _row(one: Individual, clip: str) -> str:
    judged = one.judgement
    figures = (
        one.fitness,
        judged.taste if judged else None,
        judged.second if judged else None,
        one.extras.get("true"),
    )
    cells = ["" if value is None else f"{value:.2f}" for value in figures]
    player = (
        f'<audio controls preload="none" src="clips/{clip}.flac"></audio>' if clip else "failed"
    )
    genome = html.escape(one.genome.text or f"{one.genome.key[:8]}, {one.genome.kind}")
    cells += [html.escape(one.operator), player, f"<code>{clip}</code>", f"<pre>{genome}</pre>"]
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def write_history(history: list[dict[str, float]], path: Path) -> None:
    """The figures of every generation as a table, one row each."""
    names = list(dict.fromkeys(name for row in history for name in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(history)


def draw_curves(history: list[dict[str, float]], path: Path) -> None:
    """Fitness (best, mean, median), estimated and true taste, and the second opinion, as SVG."""
    panels = [("fitness", ""), ("estimated taste", "taste"), ("true taste", "true")]
    panels += [("second opinion", "second")]
    panels = [one for one in panels if any(_name("mean", one[1]) in row for row in history)]
    with matplotlib.rc_context({"svg.hashsalt": "antiphon", "font.size": 9}):
        figure = Figure(figsize=(3 * max(1, len(panels)), 2.8), layout="constrained")
        for place, (title, figure_name) in enumerate(panels, start=1):
            axes = figure.add_subplot(1, len(panels), place)
            for level, label in _LEVELS:
                name = _name(level, figure_name)
                points = [(row["generation"], row[name]) for row in history if name in row]
                if points:
                    axes.plot(*zip(*points, strict=True), label=label)
            axes.set_title(title)
            axes.set_xlabel("generation")
            axes.grid(alpha=0.3)
            if place == 1:
                axes.legend(frameon=False)
        figure.savefig(path, format="svg", metadata={"Date": None})


def _name(level: str, figure: str) -> str:
    return f"{level} {figure}".strip()
