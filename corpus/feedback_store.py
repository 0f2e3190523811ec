"""Every like and dislike on disk before it is acknowledged: SQLite, WAL, synchronous = FULL.

Nobody is known by name: a device is stored as a keyed hash whose key lives in this file, so that
the same phone is one anonymous listener within an evening and cannot be followed to another.
The newest verdict of a device on a song counts; those before it are kept as history, and so is
what is no verdict on taste: a wish for change. Several processes may write at once. Seconds are
whatever monotonic time the caller keeps; nothing here looks at a clock.
"""

import hashlib
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, Self

from pydantic import BaseModel, Field

Verdict = Literal[-1, 0, 1]
Gesture = Literal["like", "dislike", "approve", "back", "unrate", "change"]
VERDICT_OF: Final[Mapping[Gesture, Verdict]] = MappingProxyType(
    {"like": 1, "dislike": -1, "approve": 1, "back": -1, "unrate": 0, "change": 0}
)
"""What each gesture says of the song: to take a clip back is to dislike it."""
FORMAT_VERSION: Final = 2
_LONGEST_NAME: Final = 200
_SCHEMA: Final = f"""
PRAGMA user_version = {FORMAT_VERSION};
CREATE TABLE salt (value BLOB NOT NULL);
CREATE TABLE feedback (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    device TEXT NOT NULL, song TEXT NOT NULL,
    verdict INTEGER NOT NULL CHECK (verdict IN (-1, 0, 1)),
    seconds REAL NOT NULL, gesture TEXT NOT NULL
);
CREATE INDEX feedback_by_device ON feedback (device, seconds);
CREATE INDEX feedback_by_pair ON feedback (device, song, id);
"""


class FeedbackError(ValueError):
    """Feedback that was not stored, or a store that cannot be used; one sentence for the user."""


class TooMuchFeedbackError(FeedbackError):
    """A device has sent more than the limit allows; nothing was stored."""


class FeedbackConfig(BaseModel, frozen=True, extra="forbid"):
    """How much one device may say."""

    most_per_span: int = Field(default=30, ge=1, description="Verdicts of a device in a span.")
    span_seconds: float = Field(default=60.0, gt=0, description="Length of the span, seconds.")
    lock_seconds: float = Field(
        default=5.0, ge=0, description="Longest wait for another writer, seconds."
    )


@dataclass(frozen=True)
class StoredFeedback:
    """One verdict as stored: the acknowledgement.

    Args:
        id: its place in the order of arrival, ≥ 1.
        device: anonymous.
        song: name of the song or clip.
        verdict: 1 like, −1 dislike, 0 no verdict, or one taken back.
        seconds: the caller's time.
        gesture: what was done.
    """

    id: int
    device: str
    song: str
    verdict: Verdict
    seconds: float
    gesture: Gesture = "like"


class FeedbackStore:
    """A file of feedback. Stays in the thread that made it; a file that is there is carried on.

    Args:
        path: the file; its folder must exist.
        config: limits.

    Raises:
        FeedbackError: not such a file, of another version, or not to be opened.
    """

    def __init__(self, path: Path, config: FeedbackConfig | None = None) -> None:
        self.path = path
        self.config = config or FeedbackConfig()
        try:
            self._database = sqlite3.connect(
                path, isolation_level=None, timeout=self.config.lock_seconds
            )
            self._prepare()
        except sqlite3.Error as error:
            raise FeedbackError(
                f"{path} must be a feedback store that can be written, got: {error}; "
                "choose another file or free some space"
            ) from error

    def _prepare(self) -> None:
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        with self._transaction():
            [version] = self._database.execute("PRAGMA user_version").fetchone()
            [n_tables] = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if version != (FORMAT_VERSION if n_tables else 0):
                raise FeedbackError(
                    f"{self.path} must be a feedback store of version {FORMAT_VERSION}, got a file "
                    f"of version {version}; choose another file"
                )
            if not n_tables:
                for statement in _SCHEMA.split(";"):
                    self._database.execute(statement)
                # A key for hashing, not chance in music: it must not be guessable.
                self._database.execute("INSERT INTO salt VALUES (?)", (secrets.token_bytes(32),))
        [self._salt] = self._database.execute("SELECT value FROM salt").fetchone()

    def add(self, device: str, song: str, gesture: Gesture, seconds: float) -> StoredFeedback:
        """Store what a device did; when this returns, it is on disk.

        Args:
            device: whatever identifies the sender; only its hash is stored.
            song: name of the song or clip, 1..200 characters.
            gesture: what was done; "unrate" takes back what was said before.
            seconds: the caller's monotonic time.

        Raises:
            FeedbackError: malformed, or it could not be stored (disk full, locked too long).
            TooMuchFeedbackError: the device has used up its span.
        """
        if gesture not in VERDICT_OF:
            raise FeedbackError(
                f"feedback must be one of {', '.join(VERDICT_OF)}, got {gesture!r:.60}"
            )
        if not 0 < len(song) <= _LONGEST_NAME or not 0 < len(device) <= _LONGEST_NAME:
            raise FeedbackError(
                f"song and device must be 1 to {_LONGEST_NAME} characters, got {len(song)} and "
                f"{len(device)}"
            )
        anonymous, verdict = self.anonymous(device), VERDICT_OF[gesture]
        try:
            with self._transaction():
                self._check_limit(anonymous, seconds)
                row = self._database.execute(
                    "INSERT INTO feedback (device, song, verdict, seconds, gesture) "
                    "VALUES (?, ?, ?, ?, ?)",
                    (anonymous, song, verdict, float(seconds), gesture),
                )
        except (sqlite3.Error, UnicodeEncodeError) as error:
            raise FeedbackError(
                f"feedback must be stored before it counts, but {self.path} refused it ({error}); "
                "nothing was stored, send it again"
            ) from error
        return StoredFeedback(int(row.lastrowid or 0), anonymous, song, verdict, seconds, gesture)

    def _check_limit(self, device: str, seconds: float) -> None:
        [recent] = self._database.execute(
            "SELECT count(*) FROM feedback WHERE device = ? AND seconds > ? AND seconds <= ?",
            (device, seconds - self.config.span_seconds, seconds),
        ).fetchone()
        if recent >= self.config.most_per_span:
            raise TooMuchFeedbackError(
                f"a device may give {self.config.most_per_span} verdicts in "
                f"{self.config.span_seconds:g} s, this one has; wait a little"
            )

    def anonymous(self, device: str) -> str:
        """The name that a device has in this store: 16 hexadecimal digits."""
        return hashlib.blake2b(
            device.encode(errors="replace"), key=self._salt, digest_size=8
        ).hexdigest()

    def current(self, device: str | None = None) -> list[StoredFeedback]:
        """The verdicts that count, oldest first: the newest per device and song, none taken back.

        Args:
            device: a sender's own only; everybody's if None.
        """
        newest = "SELECT max(id) FROM feedback WHERE gesture != 'change' GROUP BY device, song"
        return [one for one in self._rows(f"WHERE id IN ({newest})", device) if one.verdict != 0]

    def history(self, device: str | None = None) -> list[StoredFeedback]:
        """Everything ever stored, oldest first, contradicted and taken back included."""
        return self._rows("WHERE 1", device)

    def _rows(self, where: str, device: str | None) -> list[StoredFeedback]:
        mine = "" if device is None else " AND device = ?"
        values = () if device is None else (self.anonymous(device),)
        rows = self._database.execute(
            "SELECT id, device, song, verdict, seconds, gesture FROM feedback "
            f"{where}{mine} ORDER BY id",
            values,
        )
        return [StoredFeedback(*row) for row in rows]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, and alone: two writers cannot both pass the limit."""
        self._database.execute("BEGIN IMMEDIATE")
        with self._database:  # commits, or rolls back whatever was raised
            yield

    def close(self) -> None:
        """Close the file; what was acknowledged is there whether or not this is called."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
