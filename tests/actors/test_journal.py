import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from actors.journal import Journal, JournalReader
from actors.streams.codec import MalformedFrame
from actors.streams.in_process_streams import InProcessHub
from actors.streams.machinery_messages import Fault
from agents.messages import (
    SILENCE,
    AudioIn,
    AudioOut,
    Control,
    Feedback,
    Fragment,
    HeardLabel,
    Heartbeat,
    Metric,
    Plan,
    Played,
    Tick,
)
from agents.musical_time import TempoMap

ROOT = Path(__file__).parents[2]
LONG = 10.0  # seconds; only ever waited for when something is broken
METADATA = {"config": "rehearsal", "seed": 7, "window_seconds": 0.25}
KEPT = [
    Tick(0, TempoMap().moment(0, 0.1), 0.0625),
    HeardLabel(0, 3, 0.1, -12.5, 1 / 3, -40.0),
    Plan(1, (3, SILENCE), (0.75, 0.5)),
    Played(1, 3, 3, 17, "scenario", 0, None, True, 0),
    Feedback(1, "like", "pedal"),
    Control(1, "decision.top_p", 0.9),
    Control(1, "decision.mask", True),
    Heartbeat(1, "décision ♪", 42, 0, 0),
    Metric(1, "decision.step_ms", 2.5),
    Fault(1, "action", "restart", "it had been killed"),
]


def fragment(window, samples):
    return Fragment(window, window, 3, 3, 17, "jump", False, 2, samples)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.sqlite"


@pytest.fixture
def said():
    """Turns messages into envelopes, through the codec."""
    hub = InProcessHub(now=lambda: 0.5)
    topics = {message.TOPIC for message in KEPT} | {"audio.in", "audio.out", "fragment"}
    speaker = hub.join("speaker", topics)

    def say(*messages):
        for message in messages:
            speaker.publish(message)
        return speaker.receive()

    return say


@pytest.fixture
def alarms():
    return []


def test_messages_come_back_as_they_were_said_in_order(path, said):
    envelopes = said(*KEPT)
    journal = Journal(path, METADATA)
    journal.append(envelopes)
    journal.close()
    with JournalReader(path) as reader:
        assert reader.metadata == METADATA
        read = list(reader.read())
    assert [envelope.message for envelope in read] == KEPT
    for one, other in zip(read, envelopes, strict=True):
        assert (one.topic, one.sender, one.session) == (other.topic, other.sender, other.session)
        assert (one.sequence, one.window) == (other.sequence, other.window)
        assert (one.time, one.received) == (other.time, other.received)


def test_raw_audio_is_left_out(path, said):
    journal = Journal(path, METADATA)
    samples = np.ones((4, 1), np.float32)
    journal.append(said(AudioIn(0, samples), AudioOut(0, samples), Metric(0, "x", 1.0)))
    journal.close()
    with JournalReader(path) as reader:
        assert [envelope.topic for envelope in reader.read()] == ["metric"]


def test_a_fragment_keeps_its_level_and_length_but_not_its_samples(path, said):
    journal = Journal(path, METADATA)
    half = np.full((100, 2), 0.5, np.float32)
    journal.append(said(fragment(0, half), fragment(1, 0 * half), fragment(2, half[:0])))
    journal.close()
    with sqlite3.connect(path) as database:
        query = "SELECT payload ->> '$.samples.shape', payload ->> '$.samples.level_db'"
        rows = database.execute(f"{query} FROM messages").fetchall()
    assert rows == [("[100,2]", -6.02), ("[100,2]", -120.0), ("[0,2]", -120.0)]
    with JournalReader(path) as reader:
        first, *_ = reader.read()
    assert first.message.samples.shape == (0, 2)
    assert (first.message.segment, first.message.lead_samples) == (17, 2)


def test_topics_and_windows_can_be_picked(path, said):
    journal = Journal(path, METADATA)
    for window in range(6):
        journal.append(said(Metric(window, "x", 0.0), Plan(window, (), ())))
    journal.close()
    with JournalReader(path) as reader:
        picked = list(reader.read({"plan"}, first_window=2, last_window=3))
    assert [(envelope.topic, envelope.window) for envelope in picked] == [("plan", 2), ("plan", 3)]


def test_the_last_windows_are_recalled(path, said):
    journal = Journal(path, METADATA)
    for window in range(6):
        journal.append(
            said(Tick(window, TempoMap().moment(window, 0.0), 0.1), Plan(window, (), ()))
        )
    journal.close()
    with JournalReader(path) as reader:
        assert [envelope.window for envelope in reader.recall({"plan"}, 2)] == [4, 5]


def test_faults_and_parameters_are_one_query_away(path, said):
    journal = Journal(path, METADATA)
    journal.append(said(*KEPT))
    journal.close()
    with sqlite3.connect(path) as database:
        faults = database.execute("SELECT window, role, event, detail FROM faults").fetchall()
        parameters = database.execute("SELECT window, name, value FROM parameters").fetchall()
    assert faults == [(1, "action", "restart", "it had been killed")]
    assert parameters == [(1, "decision.top_p", 0.9), (1, "decision.mask", 1)]


def test_a_closed_journal_is_one_file(path, said):
    journal = Journal(path, METADATA)
    journal.append(said(*KEPT))
    journal.close()
    journal.close()
    assert [file.name for file in path.parent.iterdir()] == ["journal.sqlite"]


def test_a_journal_can_be_read_while_it_is_written(path, said):
    journal = Journal(path, METADATA)
    journal.append(said(Metric(0, "x", 0.0)))
    journal.commit()
    journal.append(said(Metric(1, "not yet", 0.0)))
    with JournalReader(path) as reader:
        assert [envelope.window for envelope in reader.read()] == [0]
    journal.close()


def test_a_journal_is_carried_on_after_a_crash(path, said):
    first = Journal(path, METADATA)
    first.append(said(Metric(0, "x", 0.0)))
    first.commit()
    second = Journal(path, {"seed": 8, "restarted": True})
    second.append(said(Metric(1, "x", 0.0)))
    second.close()
    with JournalReader(path) as reader:
        assert [envelope.window for envelope in reader.read()] == [0, 1]
        assert reader.metadata == METADATA | {"restarted": True}


KILLED_WHILE_WRITING = """
import sys
from pathlib import Path
from actors.streams.in_process_streams import InProcessHub
from actors.journal import Journal
from agents.messages import Metric
speaker = InProcessHub().join("speaker", ["metric"])
journal = Journal(Path(sys.argv[1]), {})
for window in range(20):
    speaker.publish(Metric(window, "x", 0.0))
    journal.append(speaker.receive())
    journal.commit()
speaker.publish(Metric(20, "never committed", 0.0))
journal.append(speaker.receive())
print("written", flush=True)
sys.stdin.read()
"""


def test_a_killed_run_is_readable_up_to_its_last_window(path):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED_WHILE_WRITING, str(path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "written\n"
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=LONG)
    with JournalReader(path) as reader:
        assert [envelope.window for envelope in reader.read()] == list(range(20))


def test_a_full_disk_ends_the_journal_with_one_alarm_and_keeps_what_was_written(path, said, alarms):
    journal = Journal(path, METADATA, on_alarm=alarms.append, max_bytes=100_000)
    for window in range(1000):
        journal.append(said(Feedback(window, "like", "x" * 500)))
        journal.commit()
    journal.close()
    assert alarms == [journal.failure]
    assert "database or disk is full; journalling has stopped, the music goes on" in alarms[0]
    with JournalReader(path) as reader:
        kept = [envelope.window for envelope in reader.read()]
    assert kept == list(range(len(kept)))
    assert 50 < len(kept) < 200


def test_a_folder_that_is_not_there_is_an_alarm_and_nothing_more(tmp_path, said, alarms):
    journal = Journal(tmp_path / "gone" / "journal.sqlite", METADATA, on_alarm=alarms.append)
    journal.append(said(*KEPT))
    journal.commit()
    journal.close()
    assert len(alarms) == 1
    assert "must be writable, but: unable to open database file" in alarms[0]


def test_a_file_of_another_kind_is_left_alone(path, alarms):
    path.write_bytes(b"dear diary, " * 100)
    Journal(path, METADATA, on_alarm=alarms.append)
    assert "file is not a database" in alarms[0]
    assert path.read_bytes() == b"dear diary, " * 100


def test_a_database_of_another_kind_is_left_alone(path, alarms):
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE diary (day TEXT)")
    database.close()
    before = path.read_bytes()
    Journal(path, METADATA, on_alarm=alarms.append)
    assert "no journal" in alarms[0]
    assert path.read_bytes() == before


def test_reading_what_is_no_journal_is_refused(path):
    with pytest.raises(FileNotFoundError, match="a journal must be a file"):
        JournalReader(path)
    path.write_bytes(b"dear diary, " * 100)
    with pytest.raises(ValueError, match="must be an SQLite file"):
        JournalReader(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="must be of format 1, got 0"):
        JournalReader(path)


@pytest.mark.parametrize("payload", ["", "[]", "{}", '{"window": 0, "name": "x", "value": "no"}'])
def test_a_row_that_was_tampered_with_is_refused(path, said, payload):
    journal = Journal(path, METADATA)
    journal.append(said(Metric(0, "x", 0.0)))
    journal.close()
    with sqlite3.connect(path) as database:
        database.execute("UPDATE messages SET payload = ?", [payload])
    database.close()
    with JournalReader(path) as reader, pytest.raises(MalformedFrame, match="Metric"):
        list(reader.read())
