"""After the music: is the run on disk whole, and what is said about it."""

import json
import sqlite3
from typing import Any, NamedTuple

from rich.console import Console

from actors.journal import JournalReader
from actors.performance import Outcome
from actors.report.report import AUDIO_NAMES, report_from_run
from actors.stage_config import BandConfig
from agents.messages import Played
from launch.command import one_line
from launch.run_folder import recorded_frames


class Performed(NamedTuple):
    """What is known when the music has ended.

    Args:
        outcome: how it ended.
        n_windows: windows that were played for certain, ≥ 0.
        startup_seconds: from the command to the first answer.
    """

    outcome: Outcome
    n_windows: int
    startup_seconds: float


def conclude(band: BandConfig, performed: Performed, console: Console) -> int:
    """Write the report of a run and say how it went.

    Returns:
        0 if the run finished and is recorded whole, else 1.
    """
    outcome = performed.outcome
    failure = outcome.failure or what_is_lacking(band, performed.n_windows)
    extra = {
        "restarts_by_role": outcome.restarts,
        "startup_seconds": round(performed.startup_seconds, 3),
        "peak_memory_mb": round(outcome.peak_memory_mb, 1),
        "failure": failure,
    }
    try:
        path, page = report_from_run(band.out, finished=not failure, extra=extra)
        summary = json.loads(path.read_text(encoding="utf-8"))
        say(console, _summary(summary))
        say(console, f"{band.out}: mix.wav to hear, {page.name} to see")
    except (OSError, ValueError, sqlite3.Error) as error:
        failure = (
            f"the report must be written into {band.out}, but it cannot be ({one_line(error)}): "
            "the run there is not whole; free the disk or name another folder with --out"
        )
    if failure:
        complain(console, failure)
    return 1 if failure else 0


def what_is_lacking(band: BandConfig, n_windows: int) -> str:
    """One sentence if the run on disk ends before the music did; else empty.

    Args:
        band: what was played.
        n_windows: windows that were played, ≥ 0.
    """
    end = band.grid.boundary(n_windows)
    short = [
        f"{name}.wav"
        for name in AUDIO_NAMES
        if recorded_frames(band.out / f"{name}.wav") < max(end, 1)
    ]
    if not _is_journalled(band, n_windows - 1):
        short.append("journal.sqlite")
    if not short:
        return ""
    return (
        f"the run must be recorded to its end, window {n_windows}, but {', '.join(short)} in "
        f"{band.out} stopped before; free the disk or name another folder with --out"
    )


def _is_journalled(band: BandConfig, window: int) -> bool:
    try:
        with JournalReader(band.out / "journal.sqlite") as journal:
            return window < 0 or any(journal.read((Played.TOPIC,), first_window=window))
    except (OSError, ValueError, sqlite3.Error):
        return False


def say(console: Console, text: str) -> None:
    """One plain line."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def complain(console: Console, sentence: str) -> None:
    """One line that says what went wrong."""
    console.print(f"error: {sentence}", style="red", markup=False, highlight=False, soft_wrap=True)


def _summary(summary: dict[str, Any]) -> str:
    reaction = summary["reaction_ms"]
    return (
        f"{summary['windows']} windows, ISRw {_figure(summary['isrw'], 4)}, "
        f"misses {summary['misses']}, underruns {summary['underruns']}, "
        f"anticipation {_figure(summary['anticipation'], 2)}, "
        f"reaction p50 {_figure(reaction['p50'], 1)} ms, p99 {_figure(reaction['p99'], 1)} ms, "
        f"restarts {summary['restarts']}"
    )


def _figure(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
