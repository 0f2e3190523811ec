"""Evolved clips in the performer's memory: taken in beside the beat, bounded, and taken back.

Segments keep their indices for the whole run: a clip is counted after all that came before it, and
one that goes leaves silence in its place. So whatever sounds, is planned or is written down stays
true while the memory changes. What the performer brought is never removed.
"""

import json
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from agents.action.memory import Memory
from agents.action.passages import Passages
from agents.action.track import Track
from agents.messages import SILENCE, Clip, Feedback, MemoryChanged

RATED: Final = ("like", "dislike", "approve")
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Change:
    """A memory as it is from now on, ready to be walked, and what has changed.

    Args:
        memory: the new one.
        passages: over its labels, for each rotation.
        events: what is to be told; their window is not known yet.
    """

    memory: Memory
    passages: Sequence[Passages]
    events: tuple[MemoryChanged, ...]


class SideWork(Protocol):
    """Does jobs one after the other, in their order; on stage not in the caller's thread."""

    def do(self, job: Callable[[], Change]) -> None:
        """Take a job; returns at once, or when it is done."""
        ...

    def done(self) -> list[Change]:
        """What has been finished since the last call, in order."""
        ...


@dataclass
class Entry:
    """A clip that was taken in at some time.

    Args:
        name: of the clip.
        path: of its file.
        n_segments: how many places it takes.
        present: it can be played.
        approved: it goes last.
        verdicts: 1 or −1 by anonymous device.
    """

    name: str
    path: str
    n_segments: int
    present: bool = True
    approved: bool = False
    verdicts: dict[str, int] = field(default_factory=dict)


class Clips:
    """The clips of one memory. Everything that takes time is left to `work`.

    Args:
        memory: what the performer brought.
        hear: reads, cuts and labels a file, as the memory's own files were.
        index: makes a memory walkable.
        work: where that is done; nothing else touches what it works on.
        book: file in which it is kept what there is, so that a restart finds it; None keeps none.
    """

    def __init__(
        self,
        memory: Memory,
        hear: Callable[[Path], Track],
        index: Callable[[Memory], Sequence[Passages]],
        work: SideWork,
        book: Path | None = None,
    ) -> None:
        self._memory, self._hear, self._index = memory, hear, index
        self._work, self._book = work, book
        self._n_own = memory.n_tracks
        self._entries: list[Entry] = []

    def resume(self) -> Change | None:
        """What the book says was there, at once; None if there is no book yet.

        A clip whose file is gone leaves its place silent.
        """
        entries = _read(self._book)
        if entries is None:
            return None
        for entry in entries:
            try:
                self._append(entry, self._hear_again(entry) if entry.present else None)
            except (OSError, ValueError) as error:
                entry.present = False
                self._append(entry, None)
                _LOG.warning("clip %s is not there any more: %s", entry.name, error)
        return self._change()

    def take(self, clip: Clip, most_seconds: float) -> None:
        """Have a clip taken in; known names are passed over.

        Args:
            clip: what is offered.
            most_seconds: bound of all clips together; others go if they must.
        """
        self._work.do(lambda: self._take(clip, most_seconds))

    def obey(self, said: Feedback) -> None:
        """Take a clip back, or note what somebody thinks of it; about no clip: nothing."""
        if said.verdict == "back":
            self._work.do(lambda: self._take_back(said.about))
        elif said.verdict in RATED:
            self._work.do(lambda: self._rate(said))

    def done(self) -> list[Change]:
        """Changes to adopt, oldest first."""
        return [change for change in self._work.done() if change.events]

    def _take(self, clip: Clip, most_seconds: float) -> Change:
        if any(entry.name == clip.name for entry in self._entries):
            return self._change()
        try:
            track = self._hear(Path(clip.path))
        except (OSError, ValueError) as error:
            return self._change(self._refused(clip, f"{clip.name} cannot be used: {error}"))
        seconds = _seconds(track, self._memory)
        if not (track.labels != SILENCE).any():
            return self._change(self._refused(clip, f"{clip.name} must sound, but it is silent"))
        if seconds > most_seconds:
            return self._change(
                self._refused(
                    clip,
                    f"{clip.name} must be at most {most_seconds:g} s long, got {seconds:.1f} s; "
                    "raise action.clip_seconds",
                )
            )
        events = []
        while self._seconds() + seconds > most_seconds:
            events.append(self._remove(self._first_to_go(), "evicted"))
        self._append(Entry(clip.name, clip.path, len(track.energy_db)), track)
        events.append(self._event(len(self._entries) - 1, "added"))
        return self._change(*events)

    def _take_back(self, name: str) -> Change:
        for number in reversed(range(len(self._entries))):
            entry = self._entries[number]
            if entry.present and name in ("", entry.name):
                return self._change(self._remove(number, "removed"))
        return self._change()

    def _rate(self, said: Feedback) -> Change:
        for entry in self._entries:
            if entry.name == said.about:
                entry.verdicts[said.who] = -1 if said.verdict == "dislike" else 1
                entry.approved = said.verdict == "approve" or (
                    entry.approved and said.verdict != "dislike"
                )
                self._write()
        return self._change()

    def _first_to_go(self) -> int:
        """The least liked of those present, the oldest of equals; what was approved goes last."""

        def rank(number: int) -> tuple[bool, int, int]:
            entry = self._entries[number]
            return entry.approved, sum(entry.verdicts.values()), number

        return min((n for n, entry in enumerate(self._entries) if entry.present), key=rank)

    def _append(self, entry: Entry, track: Track | None) -> None:
        if track is None:
            self._memory = self._memory.add_rest(entry.n_segments)
        else:
            self._memory = self._memory.add(track)
        self._entries.append(entry)

    def _remove(self, number: int, event: str) -> MemoryChanged:
        self._memory = self._memory.remove(self._n_own + number)
        self._entries[number].present = False
        return self._event(number, event)

    def _hear_again(self, entry: Entry) -> Track:
        track = self._hear(Path(entry.path))
        if len(track.energy_db) != entry.n_segments:
            raise ValueError(f"it has become another, of {len(track.energy_db)} segments")
        return track

    def _seconds(self) -> float:
        present = sum(entry.n_segments for entry in self._entries if entry.present)
        return present * float(self._memory.grid.window_seconds)

    def _event(self, number: int, event: str) -> MemoryChanged:
        entry = self._entries[number]
        first = self._memory.starts[self._n_own + number]
        return MemoryChanged(0, entry.name, event, first, entry.n_segments, ())

    def _refused(self, clip: Clip, detail: str) -> MemoryChanged:
        return MemoryChanged(0, clip.name, "refused", SILENCE, 0, (), detail[:500])

    def _change(self, *events: MemoryChanged) -> Change:
        if any(event.event != "refused" for event in events):
            self._write()
        return Change(self._memory, self._index(self._memory), events)

    def _write(self) -> None:
        """Keep the book, whole or not at all; without room for it the music goes on."""
        if self._book is None:
            return
        part = self._book.with_name(f".{self._book.name}.{os.getpid()}")
        try:
            part.write_text(json.dumps([asdict(entry) for entry in self._entries]), "utf-8")
            part.replace(self._book)
        except OSError as error:
            _LOG.warning("%s cannot be written (%s): a restart forgets", self._book, error.strerror)
            part.unlink(missing_ok=True)


def _seconds(track: Track, memory: Memory) -> float:
    return len(track.energy_db) * float(memory.grid.window_seconds)


def _read(book: Path | None) -> list[Entry] | None:
    if book is None or not book.exists():
        return None
    try:
        values: list[dict[str, Any]] = json.loads(book.read_text("utf-8"))
        return [Entry(**one) for one in values]
    except (OSError, ValueError, TypeError) as error:
        _LOG.warning("%s cannot be read (%s): its clips are forgotten", book, error)
        return None
