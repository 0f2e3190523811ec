"""The journal: every message of a run but raw audio, in one SQLite file, read by any tool.

Table `run` holds what was known at the start, table `messages` one row per message in order of
arrival with its fields as JSON, the views `faults` and `parameters` what went wrong and what was
turned. Audio is reduced to its shape and level. The file is in WAL mode and committed once per
window: after a crash or `kill -9` it is readable up to the last window. A disk that is full, slow
to lock or read-only ends the journal with an alarm, never the music.
"""

import contextlib
import json
import logging
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from actors.streams.codec import (
    NO_WINDOW,
    Envelope,
    MalformedFrame,
    StreamMessage,
    pack_fields,
    topic_of,
    unpack_fields,
)
from actors.streams.fields import AUDIO_DTYPE, PackedArray
from actors.streams.machinery_messages import Probe, Recall, Recalled
from agents.messages import AudioIn, AudioOut

_log = logging.getLogger(__name__)

NOT_JOURNALLED = (AudioIn, AudioOut, Probe, Recall, Recalled)
"""Kinds the journal leaves out: raw audio is kept as WAV, the rest is plumbing."""
FORMAT_VERSION = 1
SILENCE_DB = -120.0
"""Level written for digital silence, dBFS."""
MAX_BYTES = 2 * 2**30
"""Default bound of a journal file: days of playing."""
_MAX_PENDING = 4096

_SCHEMA = f"""
PRAGMA user_version = {FORMAT_VERSION};
CREATE TABLE run (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    topic TEXT NOT NULL, kind TEXT NOT NULL,
    sender TEXT NOT NULL, session INTEGER NOT NULL, sequence INTEGER NOT NULL,
    window INTEGER, time REAL NOT NULL, received REAL NOT NULL,
    payload TEXT NOT NULL
);
CREATE INDEX messages_by_topic ON messages (topic, window);
CREATE VIEW faults AS SELECT id, window, time, payload ->> 'role' AS role,
    payload ->> 'event' AS event, payload ->> 'detail' AS detail
    FROM messages WHERE topic = 'fault';
CREATE VIEW parameters AS SELECT id, window, time, sender, payload ->> 'name' AS name,
    payload ->> 'value' AS value FROM messages WHERE topic = 'control';
"""
_INSERT = """INSERT INTO messages
    (topic, kind, sender, session, sequence, window, time, received, payload)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_COLUMNS = "kind, sender, session, sequence, window, time, received, payload"


class Journal:
    """Writes a run's journal; nothing it does raises, once it has failed it does nothing.

    A file that is there already is carried on, as after a crash. Stays in the thread that made it.

    Args:
        path: the file; its folder must exist.
        metadata: what is known at the start of the run, JSON values by name.
        on_alarm: called once with a sentence when journalling stops.
        max_bytes: bound of the file; journalling stops with an alarm when it is reached.
    """

    def __init__(
        self,
        path: Path,
        metadata: Mapping[str, Any],
        *,
        on_alarm: Callable[[str], None] = _log.error,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.path = path
        self.failure: str | None = None
        """Why journalling has stopped, None while it goes on."""
        self._on_alarm = on_alarm
        self._pending: list[tuple[Any, ...]] = []
        self._database: sqlite3.Connection | None = None
        try:
            self._database = sqlite3.connect(path, isolation_level=None)
            self._prepare(self._database, metadata, max_bytes)
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)

    @staticmethod
    def _prepare(database: sqlite3.Connection, metadata: Mapping[str, Any], max_bytes: int) -> None:
        [version] = database.execute("PRAGMA user_version").fetchone()
        [page_bytes] = database.execute("PRAGMA page_size").fetchone()
        [n_tables] = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if version != (FORMAT_VERSION if n_tables else 0):
            raise sqlite3.DatabaseError(f"it is there already and no journal of {FORMAT_VERSION=}")
        database.execute(f"PRAGMA max_page_count = {max(1, max_bytes // page_bytes)}")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        if not n_tables:
            database.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
        rows = [(name, json.dumps(value)) for name, value in metadata.items()]
        database.executemany("INSERT OR IGNORE INTO run VALUES (?, ?)", rows)

    def append(self, envelopes: Sequence[Envelope]) -> None:
        """Take in `envelopes`; they are on disk after the next `commit`."""
        if self.failure is None:
            self._pending += [
                _row(envelope)
                for envelope in envelopes
                if not isinstance(envelope.message, NOT_JOURNALLED)
            ]
            if len(self._pending) >= _MAX_PENDING:
                self.commit()

    def commit(self) -> None:
        """Write what has been taken in, in one transaction."""
        if self._database is None or not self._pending:
            return
        try:
            with _transaction(self._database):
                self._database.executemany(_INSERT, self._pending)
            self._pending.clear()
        except sqlite3.Error as error:
            self._give_up(error)

    def close(self) -> None:
        """Commit and leave one file behind, without a write-ahead log; any number of times."""
        self.commit()
        if self._database is not None:
            with contextlib.suppress(sqlite3.Error):  # a reader may hold the log; it stays then
                self._database.execute("PRAGMA journal_mode = DELETE")
            self._close_database()

    def _give_up(self, error: Exception) -> None:
        self.failure = (
            f"the journal {self.path} must be writable, but: {error}; journalling has stopped, "
            "the music goes on"
        )
        self._pending.clear()
        self._close_database()
        self._on_alarm(self.failure)

    def _close_database(self) -> None:
        if self._database is not None:
            with contextlib.suppress(sqlite3.Error):
                self._database.close()
            self._database = None


@contextlib.contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("BEGIN")
    try:
        yield
        database.execute("COMMIT")
    finally:
        if database.in_transaction:
            database.execute("ROLLBACK")


def _row(envelope: Envelope) -> tuple[Any, ...]:
    return (
        envelope.topic,
        type(envelope.message).__name__,
        envelope.sender,
        envelope.session,
        envelope.sequence,
        None if envelope.window == NO_WINDOW else envelope.window,
        envelope.time,
        envelope.received,
        _to_json(envelope.message),
    )


def _to_json(message: StreamMessage) -> str:
    fields = pack_fields(message)
    for name, value in fields.items():
        if isinstance(value, PackedArray):
            fields[name] = {"shape": value.shape, "level_db": _level_db(value.data)}
    return json.dumps(fields, ensure_ascii=False, allow_nan=False)


def _level_db(data: bytes) -> float:
    samples = np.frombuffer(data, AUDIO_DTYPE).astype(np.float64)
    power = float(np.mean(samples**2)) if samples.size else 0.0
    return SILENCE_DB if power == 0.0 else max(SILENCE_DB, round(10 * float(np.log10(power)), 2))


def _from_json(kind: str, payload: str) -> StreamMessage:
    fields = json.loads(payload)
    for name, value in fields.items():
        if isinstance(value, dict) and value.keys() == {"shape", "level_db"}:
            fields[name] = PackedArray(AUDIO_DTYPE, (0, value["shape"][1]), b"")
    return unpack_fields(kind, fields)


class JournalReader:
    """Reads a journal, also one that crashed or is still being written.

    Raises:
        OSError: the file is not there or cannot be read.
        ValueError: the file is no journal.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise FileNotFoundError(f"a journal must be a file, got {path}: give journal.sqlite")
        try:
            self._database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
            [version] = self._database.execute("PRAGMA user_version").fetchone()
            if version != FORMAT_VERSION:
                raise ValueError(
                    f"a journal must be of format {FORMAT_VERSION}, got {version} in {path}"
                )
            rows = self._database.execute("SELECT key, value FROM run").fetchall()
        except sqlite3.OperationalError as error:
            raise OSError(f"the journal {path} must be readable, but: {error}") from error
        except sqlite3.DatabaseError as error:
            raise ValueError(f"a journal must be an SQLite file, got {path}: {error}") from error
        self.metadata: dict[str, Any] = {key: json.loads(value) for key, value in rows}

    def read(
        self,
        topics: Collection[str] | None = None,
        *,
        first_window: int | None = None,
        last_window: int | None = None,
    ) -> Iterator[Envelope]:
        """The messages in order of arrival; a fragment comes without its samples.

        Args:
            topics: only these, all if None.
            first_window: only messages about this window or later ones.
            last_window: only messages about this window or earlier ones.

        Raises:
            MalformedFrame: a row is no message of ours.
        """
        conditions, values = _conditions(topics, first_window, last_window)
        query = f"SELECT {_COLUMNS} FROM messages WHERE {conditions} ORDER BY id"
        for row in self._database.execute(query, values):
            yield _envelope(row)

    def recall(self, topics: Collection[str], n_windows: int) -> list[Envelope]:
        """What was said on `topics` about the last `n_windows` windows (≥ 1), oldest first.

        The last window is that of the newest tick; without any tick there is nothing to recall.
        """
        query = "SELECT max(window) FROM messages WHERE topic = 'tick'"
        [newest] = self._database.execute(query).fetchone()
        return (
            [] if newest is None else list(self.read(topics, first_window=newest - n_windows + 1))
        )

    def close(self) -> None:
        """Let go of the file; any number of times."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _conditions(
    topics: Collection[str] | None, first_window: int | None, last_window: int | None
) -> tuple[str, list[str | int]]:
    conditions, values = ["1"], list[str | int]()
    if topics is not None:
        conditions.append(f"topic IN ({', '.join('?' * len(topics))})")
        values += topics
    if first_window is not None:
        conditions.append("window >= ?")
        values.append(first_window)
    if last_window is not None:
        conditions.append("window <= ?")
        values.append(last_window)
    return " AND ".join(conditions), values


def _envelope(row: tuple[Any, ...]) -> Envelope:
    kind, sender, session, sequence, window, time, received, payload = row
    try:
        message = _from_json(kind, payload)
    except (json.JSONDecodeError, AttributeError, TypeError, KeyError, IndexError) as error:
        raise MalformedFrame(f"a journal row must hold the fields of a {kind}") from error
    window = NO_WINDOW if window is None else window
    return Envelope(topic_of(kind), sender, session, sequence, window, time, message, received)
