import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from corpus.feedback_store import (
    FeedbackConfig,
    FeedbackError,
    FeedbackStore,
    TooMuchFeedbackError,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def store(tmp_path):
    with FeedbackStore(tmp_path / "feedback.sqlite") as opened:
        yield opened


def test_what_is_acknowledged_is_there_for_whoever_opens_the_file_next(tmp_path):
    """Defect 12: nothing was kept."""
    with FeedbackStore(tmp_path / "f.sqlite") as store:
        receipt = store.add("phone", "song 1", "like", 0.0)
        with FeedbackStore(tmp_path / "f.sqlite") as other:
            assert other.current() == [receipt]
    with FeedbackStore(tmp_path / "f.sqlite") as again:
        assert again.current("phone") == [receipt]


def test_the_newest_of_contradictory_verdicts_counts_and_the_history_is_kept(store):
    for second, gesture in enumerate(("like", "dislike", "approve", "back")):
        store.add("phone", "song", gesture, float(second))
    assert [one.verdict for one in store.current()] == [-1]
    assert [one.verdict for one in store.history()] == [1, -1, 1, -1]


def test_a_verdict_taken_back_no_longer_counts(store):
    store.add("phone", "song", "like", 0.0)
    store.add("phone", "song", "unrate", 1.0)
    assert store.current() == []


def test_a_wish_for_change_is_kept_but_is_no_verdict(store):
    store.add("phone", "song", "like", 0.0)
    store.add("phone", "song", "change", 1.0)
    assert [one.gesture for one in store.current()] == ["like"]
    assert [one.gesture for one in store.history()] == ["like", "change"]


def test_a_room_pools_devices_and_knows_none_by_name(store, tmp_path):
    store.add("alice@phone", "song", "like", 0.0)
    store.add("bob@phone", "song", "dislike", 0.0)
    pooled = store.current()
    assert sorted(one.verdict for one in pooled) == [-1, 1]
    assert len({one.device for one in pooled}) == 2
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("feedback.sqlite*"))
    assert b"alice" not in kept
    assert b"bob" not in kept


def test_a_device_has_another_name_in_another_store(store, tmp_path):
    with FeedbackStore(tmp_path / "other.sqlite") as other:
        assert other.anonymous("phone") != store.anonymous("phone")


def test_a_flood_is_refused_for_its_device_alone_until_time_has_passed(tmp_path):
    config = FeedbackConfig(most_per_span=3, span_seconds=10)
    with FeedbackStore(tmp_path / "f.sqlite", config) as store:
        for second in range(3):
            store.add("troll", f"song {second}", "dislike", float(second))
        with pytest.raises(TooMuchFeedbackError, match="wait a little"):
            store.add("troll", "song", "dislike", 3.0)
        store.add("phone", "song", "like", 3.0)
        store.add("troll", "song", "dislike", 12.0)
        assert len(store.history()) == 5


@pytest.mark.parametrize(
    ("device", "song", "gesture", "message"),
    [
        ("phone", "song", "love", "must be one of"),
        ("phone", "", "like", "1 to 200 characters"),
        ("phone", "x" * 201, "like", "1 to 200 characters"),
        ("", "song", "like", "1 to 200 characters"),
    ],
)
def test_malformed_feedback_is_refused(store, device, song, gesture, message):
    with pytest.raises(FeedbackError, match=message):
        store.add(device, song, gesture, 0.0)
    assert store.history() == []


def test_a_file_that_is_no_store_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but somebody's notes\n" * 40)
    before = path.read_bytes()
    with pytest.raises(FeedbackError, match="must be a feedback store"):
        FeedbackStore(path)
    assert path.read_bytes() == before


def test_a_store_of_another_version_is_refused(tmp_path):
    database = sqlite3.connect(tmp_path / "f.sqlite")
    database.executescript("CREATE TABLE feedback (id); PRAGMA user_version = 99;")
    database.close()
    with pytest.raises(FeedbackError, match="version 2, got a file of version 99"):
        FeedbackStore(tmp_path / "f.sqlite")


def test_a_full_disk_is_said_and_nothing_before_is_lost(store):
    store.add("phone", "song", "like", 0.0)
    store._database.execute("PRAGMA max_page_count = 1")
    with pytest.raises(FeedbackError, match="nothing was stored"):  # noqa: PT012
        for k in range(3000):
            store.add(f"phone {k}", "a song with a long name " * 8, "like", 0.0)
    stored = store.history()
    assert stored[0].song == "song"


def test_a_writer_killed_in_the_middle_loses_nothing_that_it_acknowledged(tmp_path):
    path = tmp_path / "f.sqlite"
    writer = (
        "import sys; from pathlib import Path\n"
        "from corpus.feedback_store import FeedbackStore\n"
        "store = FeedbackStore(Path(sys.argv[1]))\n"
        "for k in range(10**9):\n"
        "    print(store.add(f'phone {k}', f'song {k}', 'like', 0.0).id, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", writer, str(path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    acknowledged = [int(process.stdout.readline()) for _ in range(50)]
    os.kill(process.pid, signal.SIGKILL)
    acknowledged += [int(line) for line in process.stdout.read().split("\n")[:-1]]
    process.wait(timeout=30)
    with FeedbackStore(path) as store:
        stored = {one.id for one in store.history()}
        assert set(acknowledged) <= stored
        assert len(stored) <= len(acknowledged) + 1  # at most the one in flight
        store.add("phone", "and on", "like", 0.0)


def test_two_writers_share_a_store(tmp_path):
    with FeedbackStore(tmp_path / "f.sqlite") as one, FeedbackStore(tmp_path / "f.sqlite") as two:
        for k in range(10):
            (one, two)[k % 2].add("phone", f"song {k}", "like", float(k))
        assert len(one.current()) == len(two.current()) == 10
