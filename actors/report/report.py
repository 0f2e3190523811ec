"""The record of a run: figures as report.json, and a page to look at as report.html.

`summarize` turns the messages of a run into one plain dictionary; `write_report` writes it, with
pictures, so that the page needs no network and no other file (only its audio players point at the
WAV files beside it). Lists with one entry per window all have the length `windows`; a figure that
nothing was measured for is null.
"""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from actors.journal import JournalReader
from actors.report.code_ranking import CODE_TOPICS, summarize_code
from actors.streams.machinery_messages import Fault
from agents.messages import SILENCE, Fragment, HeardLabel, Metric, Played
from corpus.whole_file import write_atomically
from models.metrics import timing

Summary = dict[str, Any]

STAGES: Final = ("perception", "decision", "action")
MISSED: Final = "missed"
UNREPORTED: Final = "unreported"
"""Reason of a window about which no `Played` came: it counts as missed."""

_REPORTED_TOPICS: Final = tuple(
    kind.TOPIC for kind in (Played, HeardLabel, Metric, Fragment, Fault)
)
_SETUP: Final[tuple[str, ...]] = ("config", "bundle", "machine", "settings")
_ONLY_LIVE: Final[tuple[str, ...]] = ("startup_seconds", "peak_memory_mb")
_AUDIBLE_REDUCTION_DB: Final = 0.1
AUDIO_NAMES: Final = ("input", "accompaniment", "mix")


@dataclass(frozen=True)
class MemorySource:
    """A file that the memory was cut from.

    Args:
        name: the file's name, for people.
        first_segment: index in the memory of its first segment, ≥ 0.
    """

    name: str
    first_segment: int


def summarize(
    played: Sequence[Played],
    heard: Sequence[HeardLabel],
    metrics: Sequence[Metric],
    fragments: Sequence[Fragment],
    *,
    window_seconds: float,
    pace: str,
    seed: int,
    restarts: int,
    finished: bool,
    memory: Sequence[MemorySource] = (),
    faults: Sequence[Fault] = (),
    extra: Mapping[str, Any] | None = None,
) -> Summary:
    """The figures of a run, ready for report.json.

    Messages may come in any order; of two about the same window the later in the sequence counts.

    Args:
        played: what sounded; the run is as long as its last window says.
        heard: what perception made of each window.
        metrics: "ROLE.step_ms" feed `stages_ms`, "NAME.hop_ms" feed `stream_ms`,
            "audio.limiter_db" (dB, ≥ 0) feeds `limiter_share`.
        fragments: all that action cut, the foreseen ones included; their samples are not used.
        window_seconds: Δ, > 0.
        pace: real or fast.
        seed: the run's seed.
        restarts: how many processes were started again, ≥ 0.
        finished: the run reached its end.
        memory: the files that the memory was cut from, in the order of their segments.
        faults: what went wrong.
        extra: more entries, which must not hide a figure. The page shows startup_seconds,
            peak_memory_mb, peak_dbfs, code_ranking (tables), config, bundle, machine and
            settings (a table).

    Raises:
        ValueError: if window_seconds is not above 0, restarts is negative, or extra hides a figure.
    """
    if not window_seconds > 0:
        raise ValueError(f"window_seconds must be above 0, got {window_seconds}")
    if restarts < 0:
        raise ValueError(f"restarts must be at least 0, got {restarts}")
    windows = _per_window(played, heard)
    figures: Summary = {
        "finished": finished,
        "windows": len(windows["segments"]),
        "window_seconds": window_seconds,
        "pace": pace,
        "seed": seed,
        **_timing_figures(windows),
        "underruns": sum(windows["underruns_per_window"]),
        "restarts": restarts,
        "faults": [vars(fault) for fault in faults],
        "stages_ms": {stage: _metric_ms(metrics, f"{stage}.step_ms") for stage in STAGES},
        "stream_ms": _metric_ms(metrics, ".hop_ms"),
        "limiter_share": _limiter_share(metrics),
        "fragments": len(fragments),
        "reason_counts": dict(sorted(Counter(windows["reasons"]).items())),
        "memory": [vars(source) for source in memory],
    }
    hidden = sorted(set(extra or {}) & (set(figures) | set(windows)))
    if hidden:
        raise ValueError(f"extra must not hide a figure, got {hidden}; give them other names")
    return {**figures, **(extra or {}), **windows}


def _per_window(played: Sequence[Played], heard: Sequence[HeardLabel]) -> dict[str, list[Any]]:
    """One entry per window, from window 0 to the last that sounded (or was heard, if none did)."""
    sounded = {message.window: message for message in played if message.window >= 0}
    labels = {message.window: message for message in heard if message.window >= 0}
    n_windows = 1 + max(sounded or labels, default=-1)
    heard_rows = [labels.get(window) for window in range(n_windows)]
    rows = [sounded.get(window) or _unreported(window) for window in range(n_windows)]
    return {
        "labels_in": [None if row is None else row.label for row in heard_rows],
        "energy_db": [None if row is None else _finite(row.energy_db) for row in heard_rows],
        "labels_out": [row.label for row in rows],
        "labels_wanted": [row.wanted for row in rows],
        "segments": [row.segment for row in rows],
        "reasons": [row.reason for row in rows],
        "staleness": [row.staleness for row in rows],
        "reaction_ms_per_window": [_milliseconds(row.reaction_seconds) for row in rows],
        "foreseen_stood": [row.foreseen_stood for row in rows],
        "underruns_per_window": [row.underruns for row in rows],
    }


def _unreported(window: int) -> Played:
    """What is assumed of a window that nobody spoke of."""
    return Played(window, SILENCE, SILENCE, SILENCE, UNREPORTED, 0, None, False, 0)


def _timing_figures(windows: Mapping[str, list[Any]]) -> Summary:
    """ISR, ISRw, staleness, anticipation, misses and reaction of the windows."""
    reaction = [math.nan if ms is None else ms for ms in windows["reaction_ms_per_window"]]
    found = timing.evaluate(
        np.array([reason not in (MISSED, UNREPORTED) for reason in windows["reasons"]], bool),
        np.array(windows["staleness"], np.int64),
        np.array(reaction, np.float64),
        np.array(windows["foreseen_stood"], bool),
    )
    return {
        "isr": found["isr"],
        "isrw": found["isrw"],
        "staleness_mean": found["staleness_mean"],
        "anticipation": found["anticipation"],
        "misses": found["misses"],
        "answered": found["answered"],
        "reaction_ms": found["reaction"],
    }


def _metric_ms(metrics: Sequence[Metric], ending: str) -> dict[str, float | None]:
    """p50 and p99 of all metrics of the beat whose name ends so; ranking is beside the beat."""
    values = [
        m.value
        for m in metrics
        if m.name.endswith(ending) and not m.name.startswith("code_ranking.")
    ]
    return timing.quantiles(values, ("p50", "p99"))


def _limiter_share(metrics: Sequence[Metric]) -> float | None:
    """Share of the windows in which the limiter took away more than can be heard."""
    reductions = [metric.value for metric in metrics if metric.name == "audio.limiter_db"]
    if not reductions:
        return None
    return sum(value > _AUDIBLE_REDUCTION_DB for value in reductions) / len(reductions)


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None or not math.isfinite(seconds) else 1000.0 * max(seconds, 0.0)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def write_report(
    run_dir: Path, summary: Summary, audio: Mapping[str, Path] | None = None
) -> tuple[Path, Path]:
    """Write report.json and report.html into `run_dir`, each whole or not at all.

    The figures are on disk before the first picture is drawn. Peak levels are added from the audio
    files unless the summary has them.

    Args:
        run_dir: the run's folder; it must exist.
        summary: what `summarize` gave.
        audio: files to draw by name (input, accompaniment, mix); the WAV files of these names in
            `run_dir` unless given. Missing and unreadable ones are said so on the page.

    Returns:
        The paths of report.json and report.html.

    Raises:
        OSError: if the folder cannot be written.
    """
    from actors.report.page import draw_page, read_envelopes  # matplotlib: only when drawing

    paths = dict(audio) if audio else {name: run_dir / f"{name}.wav" for name in AUDIO_NAMES}
    envelopes = read_envelopes(paths, summary)
    peaks = {name: _decibels(sound.peak) for name, sound in envelopes.items() if sound}
    whole: Summary = {"peak_dbfs": peaks, **summary}
    json_path, html_path = run_dir / "report.json", run_dir / "report.html"
    write_atomically(json_path, strict_json(whole))
    write_atomically(html_path, draw_page(run_dir.resolve().name, _plain(whole), paths, envelopes))
    return json_path, html_path


def report_from_run(
    run_dir: Path, *, finished: bool | None = None, extra: Mapping[str, Any] | None = None
) -> tuple[Path, Path]:
    """Write the report of a run from its journal; a run that crashed has one up to its last window.

    The journal's metadata must name window_seconds, pace and seed; memory (a list of tables as
    `MemorySource`), config, bundle, machine and settings are shown if named. Restarts are the
    faults whose event is "restart". What only the living run knew (whether it finished, seconds
    to start, memory) is taken over from a report.json that is there already.

    Args:
        run_dir: the run's folder, with journal.sqlite and the WAV files.
        finished: whether the run reached its end; None: as said before, or else not.
        extra: more entries, as for `summarize`; they win over those known before.

    Returns:
        The paths of report.json and report.html.

    Raises:
        OSError: the journal is missing, or the folder cannot be written.
        ValueError: the journal is none, is damaged, or lacks what it must name.
    """
    before = _earlier_report(run_dir / "report.json")
    with JournalReader(run_dir / "journal.sqlite") as journal:
        known = journal.metadata
        lacking = sorted({"window_seconds", "pace", "seed"} - known.keys())
        if lacking:
            raise ValueError(f"the journal of {run_dir} must name {lacking}: it has {[*known]}")
        said = _by_kind(envelope.message for envelope in journal.read(_REPORTED_TOPICS))
        code = summarize_code(journal.read((*CODE_TOPICS, Metric.TOPIC)))
    entries = {name: known[name] for name in _SETUP if name in known}
    entries |= {name: before[name] for name in (*_SETUP, *_ONLY_LIVE) if before.get(name)}
    if code is not None:
        entries["code_ranking"] = code
    summary = summarize(
        said[Played],
        said[HeardLabel],
        said[Metric],
        said[Fragment],
        window_seconds=known["window_seconds"],
        pace=known["pace"],
        seed=known["seed"],
        restarts=sum(fault.event == "restart" for fault in said[Fault]),
        finished=bool(before.get("finished", False)) if finished is None else finished,
        memory=[MemorySource(**source) for source in known.get("memory", ())],
        faults=said[Fault],
        extra={**entries, **(extra or {})},
    )
    return write_report(run_dir, summary)


def _earlier_report(path: Path) -> Summary:
    """What a report.json says; nothing if there is none or it cannot be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _by_kind(messages: Iterable[Any]) -> defaultdict[type, list[Any]]:
    """The messages by their class, in order."""
    kinds: defaultdict[type, list[Any]] = defaultdict(list)
    for message in messages:
        kinds[type(message)].append(message)
    return kinds


def _decibels(amplitude: float) -> float | None:
    """Level in dB relative to full scale; None for digital silence."""
    return 20.0 * math.log10(amplitude) if amplitude > 0 else None


def strict_json(summary: Summary) -> str:
    """JSON text that every reader takes (no NaN, no Infinity), one entry of `summary` a line."""
    lines = [
        f" {json.dumps(key)}: {json.dumps(value, allow_nan=False, ensure_ascii=False)}"
        for key, value in _plain(summary).items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _plain(value: Any) -> Any:  # noqa: ANN401  any JSON-like tree
    """`value` in the types of strict JSON: what is not finite becomes None."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    return str(value)
