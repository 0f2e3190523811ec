"""A report rebuilt from the journal of a run, finished, crashed or damaged."""

import json
import sqlite3

import numpy as np
import pytest

from actors.journal import Journal
from actors.report.report import report_from_run
from actors.streams.codec import NO_WINDOW, Envelope, topic_of
from actors.streams.machinery_messages import Fault
from agents.messages import Fragment, HeardLabel, Metric, Played, Tick
from agents.musical_time import Moment

METADATA = {
    "window_seconds": 0.25,
    "pace": "real",
    "seed": 7,
    "memory": [{"name": "cello.wav", "first_segment": 0}],
    "config": "rehearsal",
}


def messages_of(n_windows):
    for k in range(n_windows):
        yield Tick(k, Moment(k, k / 4, k / 2, 120.0), 0.0625)
        yield HeardLabel(k, k % 3, 0.2, -20.0, 0.1, -20.0)
        yield Fragment(k, k, 2, 2, 40 + k, "continuation", True, 0, np.ones((9, 2), np.float32))
        yield Played(k, 2, 2, 40 + k, "continuation", 0, 0.012, True, 0)
        yield Metric(k, "decision.step_ms", 5.0)


def journalled(run_dir, messages, metadata=METADATA):
    """A journal as a running band leaves it: committed, not closed."""
    journal = Journal(run_dir / "journal.sqlite", metadata)
    for number, message in enumerate(messages):
        window = getattr(message, "window", NO_WINDOW)
        topic = topic_of(type(message).__name__)
        journal.append([Envelope(topic, "band", 1, number, window, 0.0, message, 0.0)])
    journal.commit()
    return journal


def rebuilt(run_dir, **options):
    json_path, html_path = report_from_run(run_dir, **options)
    return json.loads(json_path.read_text("utf-8")), html_path.read_text("utf-8")


def test_a_crashed_run_is_reported_up_to_its_last_window(tmp_path):
    faults = [Fault(2, "decision", "crash", "signal 9"), Fault(3, "decision", "restart", "back")]
    journal = journalled(tmp_path, [*messages_of(5), *faults])
    figures, page = rebuilt(tmp_path)
    assert (figures["windows"], figures["finished"], figures["restarts"]) == (5, False, 1)
    assert figures["segments"] == [40, 41, 42, 43, 44]
    assert figures["labels_in"] == [0, 1, 2, 0, 1]
    assert (figures["isrw"], figures["fragments"]) == (1.0, 5)
    assert figures["stages_ms"]["decision"]["p50"] == 5.0
    assert "Stopped before the end" in page
    assert "cello.wav" in page
    assert "signal 9" in page
    journal.close()


def test_what_only_the_living_run_knew_is_kept_when_the_report_is_rebuilt(tmp_path):
    journalled(tmp_path, messages_of(3)).close()
    first, _ = rebuilt(tmp_path, finished=True, extra={"startup_seconds": 7.5})
    again, page = rebuilt(tmp_path)
    assert first == again
    assert again["startup_seconds"] == 7.5
    assert "Played to the end" in page


def test_a_half_written_earlier_report_does_not_stand_in_the_way(tmp_path):
    journalled(tmp_path, messages_of(3)).close()
    (tmp_path / "report.json").write_text('{"finished": tr', "utf-8")
    figures, _ = rebuilt(tmp_path)
    assert figures["finished"] is False


def test_a_run_that_said_nothing_still_has_a_report(tmp_path):
    journalled(tmp_path, []).close()
    figures, _ = rebuilt(tmp_path)
    assert (figures["windows"], figures["isr"], figures["misses"]) == (0, None, 0)


def test_a_journal_that_does_not_name_the_window_is_refused(tmp_path):
    journalled(tmp_path, [], {"pace": "real"}).close()
    with pytest.raises(ValueError, match=r"must name \['seed', 'window_seconds'\]"):
        report_from_run(tmp_path)


def test_a_folder_without_journal_is_refused(tmp_path):
    with pytest.raises(OSError, match="journal"):
        report_from_run(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_damaged_row_is_refused_and_nothing_is_written(tmp_path):
    journalled(tmp_path, messages_of(2)).close()
    with sqlite3.connect(tmp_path / "journal.sqlite") as database:
        database.execute("UPDATE messages SET payload = '{}' WHERE topic = 'played'")
    with pytest.raises(ValueError, match="fields"):
        report_from_run(tmp_path)
    assert not (tmp_path / "report.json").exists()
