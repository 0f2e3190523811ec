"""The page of a run: headline figures, pictures and tables in one self-contained HTML file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jinja2
from markupsafe import Markup

from actors.report import pictures
from actors.report.palette import REASON_COLOURS, reason_colour
from actors.report.waveform import Envelope, read_envelope

_COLUMNS_PER_ROW: Final = 900
_GOOD_ISRW: Final = 0.995
"""The best figure published for one machine (StreamMUSE, RTAS 2026, Table III a)."""


@dataclass(frozen=True)
class Figure:
    """A headline figure: `state` is good, fair, bad or plain."""

    name: str
    value: str
    note: str
    state: str = "plain"


@dataclass(frozen=True)
class StageTime:
    """A row of the table of times, in milliseconds; shares of the budget Δ/4 in percent."""

    name: str
    p50: float | None
    p99: float | None
    p50_percent: float
    p99_percent: float


def read_envelopes(
    paths: Mapping[str, Path], summary: Mapping[str, Any]
) -> dict[str, Envelope | None]:
    """The outlines of a run's audio files by name, as fine as its page shows them."""
    rows = pictures.Rows.of(summary["windows"] * summary["window_seconds"])
    return {
        name: read_envelope(path, rows.seconds / _COLUMNS_PER_ROW) for name, path in paths.items()
    }


def draw_page(
    title: str,
    summary: Mapping[str, Any],
    paths: Mapping[str, Path],
    envelopes: Mapping[str, Envelope | None],
) -> str:
    """The whole page as HTML text.

    Args:
        title: name of the run.
        summary: report.json as plain values.
        paths: audio files by name; those in the run's folder get a player.
        envelopes: their outlines by name, None where a file could not be read.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    rows = pictures.Rows.of(summary["windows"] * summary["window_seconds"])
    return environment.get_template("page.html.j2").render(
        title=title,
        summary=summary,
        duration=pictures.clock(summary["windows"] * summary["window_seconds"]),
        figures=_headline(summary),
        players={name: paths[name].name for name, sound in envelopes.items() if sound},
        unreadable=[paths[name].name for name, sound in envelopes.items() if not sound],
        row_seconds=rows.seconds,
        waveforms=[
            Markup(
                pictures.waveform_row(
                    row, rows, summary, envelopes.get("input"), envelopes.get("accompaniment")
                )
            )
            for row in range(rows.count)
        ],
        segment_map=Markup(pictures.segment_map(summary)),
        reasons=_reasons(summary),
        histogram=Markup(pictures.reaction_histogram(summary)),
        stages=_stage_times(summary),
        transitions=_transitions(summary),
        setup=_setup(summary),
        code=_code_ranking(summary),
        faults=[
            {**fault, "time": pictures.clock(fault["window"] * summary["window_seconds"])}
            for fault in summary["faults"]
        ],
    )


def _headline(summary: Mapping[str, Any]) -> list[Figure]:
    """The figures at the top of the page, the weightiest first."""
    budget = 250.0 * summary["window_seconds"]
    bearable = 0.1 * summary["windows"]
    p50, p99 = summary["reaction_ms"]["p50"], summary["reaction_ms"]["p99"]
    shown = [
        Figure("ISRw", _number(summary["isrw"], 4), "freshness-weighted success",
               _state(summary["isrw"], lambda x: x >= _GOOD_ISRW, lambda x: x >= 0.9)),
        Figure("Missed windows", str(summary["misses"]), f"of {summary['windows']}",
               _state(summary["misses"], lambda x: x == 0, lambda x: x <= bearable)),
        Figure("Underruns", str(summary["underruns"]), "device blocks without sound",
               _state(summary["underruns"], lambda x: x == 0, lambda _: False)),
        Figure("Reaction p99", _number(p99, 1, "ms"), f"budget Δ/4:\u00a0{budget:g}\u00a0ms",
               _state(p99, lambda x: x <= budget, lambda x: x <= 4 * budget)),
        Figure("Reaction p50", _number(p50, 1, "ms"),
               f"longest {_number(summary['reaction_ms']['max'], 1, 'ms')}"),
        Figure("Anticipation", _percent(summary["anticipation"]), "foreseen fragments that stood"),
        Figure("Staleness", _number(summary["staleness_mean"], 3), "mean age of the plan, windows"),
        Figure("Restarts", str(summary["restarts"]), "processes started again",
               _state(summary["restarts"], lambda x: x == 0, lambda _: True)),
    ]  # fmt: skip
    if summary.get("startup_seconds") is not None:
        shown.append(Figure("Start-up", _number(summary["startup_seconds"], 1, "s"),
                            "to the first answered window"))  # fmt: skip
    if summary.get("peak_memory_mb") is not None:
        shown.append(Figure("Peak memory", _number(summary["peak_memory_mb"], 0, "MB"),
                            "the whole band"))  # fmt: skip
    peak = summary["peak_dbfs"].get("accompaniment")
    limited = summary.get("limiter_share")
    if peak is not None or limited is not None:
        note = "limiter at rest" if limited == 0 else f"limiter at work: {_percent(limited)}"
        shown.append(Figure("Peak level", _number(peak, 1, "dBFS"),
                            note if limited is not None else "accompaniment"))  # fmt: skip
    return shown


def _setup(summary: Mapping[str, Any]) -> dict[str, Any]:
    """What the run was started with, by name, as far as the summary says."""
    named = {name: summary[name] for name in ("config", "bundle", "machine") if summary.get(name)}
    return {**named, **(summary.get("settings") or {})}


def _code_ranking(summary: Mapping[str, Any]) -> dict[str, str]:
    """What is told of code ranking, in words; nothing if nothing was asked."""
    code = summary.get("code_ranking")
    if not code:
        return {}
    first, last = code["first_answer_ms"], code["last_answer_ms"]
    tiers = ", ".join(f"{n} {tier}" for tier, n in code["chosen_by_tier"].items())
    sent = ", ".join(f"{n} to {name.replace('_', ' ')}" for name, n in code["sent"].items())
    return {
        "asked": f"{code['asked']}, {code['asked_of_language_model']} of a language model",
        "answered": f"{code['answered']}; {code['without_ranking']} without a ranking",
        "first answer": f"p50 {_number(first['p50'], 0, 'ms')}, "
                        f"p95 {_number(first['p95'], 0, 'ms')}",
        "last answer": f"p50 {_number(last['p50'], 0, 'ms')}, p95 {_number(last['p95'], 0, 'ms')}",
        "chosen, by what they rest on": tiers or "none",
        "sent": sent or "none",
        "dropped, refused, malformed": f"{code['dropped']}, {code['refused']}, "
                                       f"{code['malformed_proposals']}",
    }  # fmt: skip


def _state(value: float | None, good: Any, fair: Any) -> str:  # noqa: ANN401  two predicates
    """good, fair or bad by the two bounds; plain if nothing was measured."""
    if value is None:
        return "plain"
    return "good" if good(value) else "fair" if fair(value) else "bad"


def _number(value: float | None, digits: int, unit: str = "") -> str:
    """`value` as it is printed, held together by a no-break space; a dash if not measured."""
    if value is None:
        return "–"
    return f"{value:.{digits}f}\u00a0{unit}".strip("\u00a0").replace("-", "−")


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}\u00a0%"


def _stage_times(summary: Mapping[str, Any]) -> list[StageTime]:
    """Times by stage, then streams and the whole reaction, as shares of Δ/4."""
    budget = 250.0 * summary["window_seconds"]
    times = [
        *summary["stages_ms"].items(),
        ("one hop of the streams", summary["stream_ms"]),
        ("whole reaction", summary["reaction_ms"]),
    ]
    return [
        StageTime(
            name,
            row["p50"],
            row["p99"],
            min(100.0, 100.0 * (row["p50"] or 0.0) / budget),
            min(100.0, 100.0 * (row["p99"] or 0.0) / budget),
        )
        for name, row in times
    ]


def _reasons(summary: Mapping[str, Any]) -> list[tuple[str, str, str, int, str]]:
    """(sign, reason, colour, windows, share) in the order of the legend."""
    counts: Mapping[str, int] = summary["reason_counts"]
    order: Sequence[str] = list(REASON_COLOURS)
    known = sorted(counts, key=lambda reason: order.index(reason) if reason in order else 99)
    return [
        (
            pictures.SIGNS.get(reason, "●"),
            reason,
            reason_colour(reason),
            counts[reason],
            _percent(counts[reason] / summary["windows"]),
        )
        for reason in known
    ]


def _transitions(summary: Mapping[str, Any]) -> list[tuple[str, Markup | None]]:
    """Two pictures: what was played on what was heard, and what was played next."""
    heard, played = summary["labels_in"], summary["labels_out"]
    answered = pictures.transition_map(heard[:-1], played[1:], "then played", "heard")
    followed = pictures.transition_map(played[:-1], played[1:], "played next", "played")
    captions = (
        "What was heard, and what was played in the window after it",
        "What was played, and what was played next",
    )
    return [
        (caption, None if picture is None else Markup(picture))
        for caption, picture in zip(captions, (answered, followed), strict=True)
    ]
