"""The tables of ranking: for the terminal, and as a page of one file with its pictures."""

import base64
import html
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from launch.rank_measure import TARGETS

__all__ = ["print_tables", "write_page"]

Sheet = tuple[str, str, list[str], list[list[str]]]
"""Title, what it means, heads, rows of cells."""

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem;
  color: #1b1f24; background: #fff; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2.5rem; }
img { max-width: 100%; height: auto; } p { max-width: 52rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 14px; }
td, th { padding: .2rem .9rem .2rem 0; text-align: left; border-bottom: 1px solid #d8dde2; }
"""
_PICTURES: Final = {
    "scenarios": "All scenarios. Blue: ours, from code or events; green: heard; orange: the "
    "paper's model; grey: baselines. Lines: 95 % intervals over scenarios.",
    "cascade": "What hearing some of the ten candidates for four seconds brings.",
    "distances": "Every pair of candidates of every scenario: predicted against heard.",
    "correlation": "The paper's Figure 1a again: all pairs of installed examples.",
    "fuzz": "The paper's Figure 1b again: one kind of number changed throughout a program.",
    "plane": "The paper's Figure 2a again, on renders held out of training.",
    "maps": "The paper's Figure 2b again: cosine of every program with every sound (own pairs on "
    "the diagonal), each modality centred.",
}
_TRUTHS: Final = {
    "own": "the embedding that the ranker foresees",
    "independent": "an embedding that shares nothing with it",
    "pretrained": "the hidden layers of a pretrained audio model",
}
_FIGURES: Final = ("spearman", "pearson", "overlap", "jaccard", "capture")
_UNSEEN: Final = ("spearman", "within", "code_to_audio", "audio_to_code", "chance_r10")
_SPACES: Final = (
    "cka", "cka_floor", "cca", "cca_floor", "cca10", "cca10_floor",
    "code_to_audio_r1", "code_to_audio_r5", "code_to_audio_r10", "code_to_audio_median_rank",
    "audio_to_code_r1", "audio_to_code_r5", "audio_to_code_r10", "audio_to_code_median_rank",
)  # fmt: skip
_GRID: Final = (
    "cka", "cka_floor", "cca", "cca_floor", "cca10", "cca10_floor", "code_to_audio_r10",
    "chance_r10", "spearman", "spearman_within",
)  # fmt: skip


def print_tables(values: Mapping[str, Any], console: Console) -> None:
    """All tables on the terminal."""
    for title, about, heads, rows in _sheets(values):
        table = Table(*heads, title=title, caption=about)
        for row in rows:
            table.add_row(*row)
        console.print(table)


def write_page(values: Mapping[str, Any], images: Mapping[str, bytes]) -> str:
    """The same tables and all pictures as HTML that needs no other file."""
    parts = [_as_html(sheet) for sheet in _sheets(values)]
    for name, about in _PICTURES.items():
        if name in images:
            content = base64.b64encode(images[name]).decode()
            source = f"data:image/png;base64,{content}"
            parts.append(f'<p><img alt="{name}" src="{source}"></p><p>{html.escape(about)}</p>')
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Code ranking</title>'
        f"<style>{_STYLE}</style></head><body><h1>Ranking code by how it will sound</h1>"
        f"{''.join(parts)}</body></html>\n"
    )


def _as_html(sheet: Sheet) -> str:
    title, about, heads, rows = sheet
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        f"<h2>{html.escape(title)}</h2><p>{html.escape(about)}</p>"
        f"<table><tr>{head}</tr>{body}</table>"
    )


def _sheets(values: Mapping[str, Any]) -> Iterator[Sheet]:
    scenarios = values["scenarios"]
    for truth, groups in scenarios["truths"].items():
        meant, table = _TRUTHS[truth], groups["all"]
        yield (
            f"{scenarios['count']} scenarios, truth: {meant}",
            "Three of ten candidates, all distances within a scenario; 95 % intervals over "
            "scenarios. Targets: " + _targets("scenarios"),
            ["method", *_FIGURES],
            [[name, *_cells(row, _FIGURES)] for name, row in table.items()],
        )
    asked = values.get("as asked", {"truths": {}})
    for truth, table in asked["truths"].items():
        yield (
            f"As asked: {asked['count']} scenarios, truth: {_TRUTHS[truth]}",
            "Each candidate with what it takes from its context; three that differ from each "
            "other and from the context. Correlations over all distances, those to the context "
            "too.",
            ["method", *_FIGURES],
            [[name, *_cells(row, _FIGURES)] for name, row in table.items()],
        )
    yield _by_group(scenarios["truths"]["own"])
    yield _budget_sheet(scenarios["cascade"])
    yield from _paper_sheets(scenarios)
    for part, about in (
        ("programs left out", "Trained on the other templates, four folds. "),
        ("installed examples", "Variations of Sonic Pi's examples; trained on templates only. "),
    ):
        if part in values:
            yield (
                part,
                f"{about}Within: among fillings of one program. Distances of code alone are taken "
                f"on 48 programs of a fold. Intervals leave one program out. Targets: "
                f"{_targets(part)}",
                ["method", "spearman", "within", "R@10 code→sound", "R@10 sound→code", "chance"],
                [[name, *_cells(row, _UNSEEN)] for name, row in values[part].items()],
            )
            yield _space_sheet(part, values[part])
    if "paper's setting" in values:
        yield (
            "The paper's setting: renders of known programs held out",
            "Mean ± deviation of runs; floors are shuffled pairs. CCA near its floor says "
            "nothing. Targets: " + _targets("paper's setting"),
            ["d_hidden/d_out/L/rate", *_GRID],
            [
                [name, *(_spread(row.get(figure)) for figure in _GRID)]
                for name, row in values["paper's setting"].items()
            ],
        )
    if "studies" in values:
        yield from _study_sheets(values["studies"])


def _space_sheet(part: str, methods: Mapping[str, Any]) -> Sheet:
    return (
        f"{part}: how foreseen and real points fit",
        "Mean over folds; floors are shuffled pairs. Ranks of a program's own sound among all, and "
        "of a sound's own program.",
        ["method", *_SPACES],
        [
            [name, *(_cell(row["spaces"].get(figure)) for figure in _SPACES)]
            for name, row in methods.items()
            if "spaces" in row
        ],
    )


def _by_group(truths: Mapping[str, Any]) -> Sheet:
    shown = ("static", "runtime events", "paper's model, candidate", "text embedding, candidate")
    rows = [
        [group, *(_cell(table[name].get("spearman")) for name in shown)]
        for group, table in truths.items()
    ]
    return (
        "Spearman by kind and role",
        "Numeric: one shape of code, only numbers and notes differ. Paper: its three scenarios.",
        ["scenarios", *shown],
        rows,
    )


def _budget_sheet(cascade: Mapping[str, Any]) -> Sheet:
    rows = [
        [n, *_cells(row, ("capture", "overlap")), *_cells(cascade["independent"][n], ("capture",))]
        for n, row in cascade["own"].items()
    ]
    return (
        "Cascade: how many of ten candidates are heard",
        "0: the code alone, with silent runs where it is not understood.",
        ["heard", "capture", "overlap", "capture, independent embedding"],
        rows,
    )


def _paper_sheets(scenarios: Mapping[str, Any]) -> Iterator[Sheet]:
    rows = [
        [scenario, name, *(_spread(row.get(figure)) for figure in _FIGURES)]
        for scenario, methods in scenarios["paper's table"].items()
        for name, row in methods.items()
    ]
    yield (
        "The paper's Table 1 on our candidates",
        "Mean ± deviation over runs; chance: overlap 0.30, Jaccard 0.20, correlations 0.",
        ["scenario", "method", *_FIGURES],
        rows,
    )
    apart = scenarios["three or ten"]
    yield (
        "Three asked for, or three chosen out of ten",
        "Mean true distance between candidates; chosen by the cascade.",
        ["scenario", "distances"],
        [
            [name, "; ".join(f"{what}: {value:.2f}" for what, value in row.items())]
            for name, row in apart.items()
        ],
    )


def _study_sheets(studies: Mapping[str, Any]) -> Iterator[Sheet]:
    yield (
        "Distances of code against distances of sound (section 2)",
        "Installed examples, all pairs; with p-values. The paper: Pearson 0.016, Spearman 0.041.",
        ["code, sound", "pairs", "Pearson (p)", "Spearman (p)"],
        [
            [name, str(row["pairs"]), *(_with_p(row[key]) for key in ("pearson", "spearman"))]
            for name, row in studies["correlation"].items()
        ],
    )
    fuzz = studies["fuzz"]
    yield (
        "One kind of number changed (section 2)",
        f"{fuzz['changes']} changes of {', '.join(fuzz['programs'])}. Least and greatest "
        "similarity to the original, and Spearman of predicted and heard distances.",
        ["changed", "text similarity", "sound similarity", "text follows", "static follows"],
        [
            [
                kind,
                *(
                    f"{fuzz[kind][key][0]:.4f} to {fuzz[kind][key][1]:.4f}"
                    for key in ("text_similarity", "sound_similarity")
                ),
                *(f"{fuzz[kind][key]:.2f}" for key in ("spearman_text", "spearman_static")),
            ]
            for kind in ("all", "sleep", "amp", "bpm")
            if kind in fuzz
        ],
    )


def _targets(part: str) -> str:
    wanted: Mapping[str, Any] = TARGETS[part]
    return "; ".join(
        f"{name} ≥ {value}"
        if isinstance(value, float)
        else f"{name} " + ", ".join(f"{figure} ≥ {least}" for figure, least in value.items())
        for name, value in wanted.items()
    )


def _cells(row: Mapping[str, Any], figures: Sequence[str]) -> list[str]:
    return [_cell(row.get(figure)) for figure in figures]


def _cell(value: float | Sequence[float] | None) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value[0]:.2f} ({value[1]:.2f}..{value[2]:.2f})"


def _spread(value: Sequence[float] | None) -> str:
    return "" if value is None else f"{value[0]:.3f} ± {value[1]:.3f}"


def _with_p(value: Sequence[float]) -> str:
    return f"{value[0]:.3f} ({value[1]:.2g})"
