"""The feedback desk: what people say becomes a verdict about something, is stored, then answered.

A hand is slower than the music: a like at t is about what sounded in [t − r, t], and of that about
what sounded longest. What sounds in a window is known when it has ended, so a verdict without a
name waits for its window, no longer. Nothing is acknowledged before it is on disk. What changes
the music (back, change) does so even where nothing can be stored: the music goes on.
"""

import queue
import threading
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, get_args

from pydantic import BaseModel, Field

from actors.devices.osc import Answer
from actors.streams.machinery_messages import Fault
from agents.messages import SILENCE, Feedback, MemoryChanged, Message, Metric, Played, Tick
from corpus.feedback_store import (
    FeedbackConfig,
    FeedbackError,
    FeedbackStore,
    Gesture,
    TooMuchFeedbackError,
)

MOST_WAITING: Final = 256
"""Verdicts that may wait for their window; more are refused."""
KEPT_SECONDS: Final = 60.0
"""How long it is remembered what sounded when."""
LATE_WINDOWS: Final = 3
"""A window of which nothing was heard for so long is given up."""
NOTHING: Final = "(nothing)"
"""What a wish for change is about when nothing sounds."""
GESTURES: Final = frozenset(get_args(Gesture))


class FeedbackDeskConfig(BaseModel, frozen=True, extra="forbid"):
    """Where feedback is kept, and how slow hands are."""

    store: Path | None = Field(
        default=None, description="The file; none: feedback.sqlite in the run's folder."
    )
    reaction_seconds: float = Field(
        default=1.5, gt=0, le=10, description="r: a like at t is about [t − r, t]."
    )
    recent_seconds: float = Field(
        default=10.0, gt=0, le=KEPT_SECONDS, description="If it was silent: about what was before."
    )
    limits: FeedbackConfig = FeedbackConfig()


@dataclass(frozen=True)
class _Verdict:
    """What somebody said, as long as it is not settled."""

    said: Feedback
    seconds: float
    answer: Answer


class FeedbackDesk:
    """Settles verdicts. Plain: told the time, it owns no thread; the store is its own.

    Args:
        store: where feedback is kept, or the sentence that says why there is none.
        sources: name of each file of the memory, by its first segment.
        window_seconds: Δ.
        config: how slow hands are.
        publish: takes what is to be said on the streams.
    """

    def __init__(
        self,
        store: FeedbackStore | str,
        sources: Mapping[int, str],
        window_seconds: float,
        config: FeedbackDeskConfig,
        publish: Callable[[Feedback | Metric | Fault], None],
    ) -> None:
        self._store, self._config = store, config
        self._window_seconds, self._publish = window_seconds, publish
        self._sources = dict(sources)
        self._present = set(self._sources.values())
        self._clips: list[str] = []  # in the order of their coming, present only
        self._starts: deque[tuple[int, float]] = deque()  # window, seconds; ascending
        self._played: dict[int, int] = {}  # window → segment
        self._waiting: deque[_Verdict] = deque()
        self._counts: Counter[str] = Counter()
        self._alarmed = False

    def hear(self, message: Message, seconds: float) -> None:
        """Follow what sounds: Tick, Played and MemoryChanged; all else is passed over.

        Args:
            message: as it came.
            seconds: when it was said, on the clock that `take` and `settle` know.
        """
        match message:
            case Tick(window):
                self._starts.append((window, seconds))
                while self._starts[0][1] < seconds - KEPT_SECONDS:
                    self._played.pop(self._starts.popleft()[0], None)
            case Played():
                self._played[message.window] = message.segment
            case MemoryChanged(event="added"):
                self._sources[message.first_segment] = message.clip
                self._present.add(message.clip)
                self._clips = [name for name in self._clips if name != message.clip]
                self._clips.append(message.clip)
            case MemoryChanged(event="removed" | "evicted"):
                self._present.discard(message.clip)
                self._clips = [name for name in self._clips if name != message.clip]
            case _:
                pass

    def take(self, said: Feedback, seconds: float, answer: Answer) -> None:
        """Somebody says something at `seconds`; `settle` will answer."""
        if len(self._waiting) >= MOST_WAITING:
            self._refuse(answer, "limited", f"at most {MOST_WAITING} verdicts may wait at a time")
            return
        self._waiting.append(_Verdict(said, seconds, answer))

    def settle(self, now: float) -> None:
        """Store and answer whatever can be told by now."""
        for _ in range(len(self._waiting)):
            verdict = self._waiting.popleft()
            if self._can_be_told(verdict, now):
                self._settle(verdict)
            else:
                self._waiting.append(verdict)

    def close(self) -> None:
        """Settle what still waits with what is known, and close the store."""
        while self._waiting:
            self._settle(self._waiting.popleft())
        if isinstance(self._store, FeedbackStore):
            self._store.close()

    def _can_be_told(self, verdict: _Verdict, now: float) -> bool:
        said = verdict.said
        if said.about or said.verdict in ("back", "change"):
            return True
        if now - verdict.seconds > LATE_WINDOWS * self._window_seconds:
            return True
        sounding = self._window_at(verdict.seconds)
        return sounding is not None and sounding in self._played

    def _settle(self, verdict: _Verdict) -> None:
        said = verdict.said
        about, complaint = self._subject(verdict)
        if about is None:
            self._refuse(verdict.answer, "refused", complaint)
            return
        said = replace(said, about="" if about == NOTHING else about)
        try:
            who = self._keep(said, about, verdict.seconds)
        except FeedbackError as error:
            too_much = isinstance(error, TooMuchFeedbackError)
            if said.verdict in ("back", "change") and not too_much:
                self._publish(replace(said, who=""))
            self._refuse(verdict.answer, "limited" if too_much else "failed", str(error))
            if not too_much:
                self._alarm(said.window, str(error))
            return
        self._publish(replace(said, who=who))
        self._count(said.window, "stored")
        gone = f"; {about} is no longer in the memory" if self._is_gone(about) else ""
        verdict.answer(True, f"{said.verdict} is kept, about {about}{gone}")

    def _keep(self, said: Feedback, about: str, seconds: float) -> str:
        """The anonymous name of whoever said it, once it is on disk."""
        if not isinstance(self._store, FeedbackStore):
            raise FeedbackError(self._store)
        device = said.who or said.source
        stored = self._store.add(device, about, said.verdict, seconds)  # type: ignore[arg-type]
        return stored.device

    def _subject(self, verdict: _Verdict) -> tuple[str | None, str]:
        """What a verdict is about; or None, and why it is about nothing."""
        said = verdict.said
        if said.verdict not in GESTURES:
            return None, f"feedback must be one of {', '.join(sorted(GESTURES))}"
        if said.verdict == "back":
            return self._to_take_back(said.about)
        if said.about:
            if said.about in self._present or self._is_gone(said.about):
                return said.about, ""
            return None, (
                f"a clip must be one that this show has had, got {said.about!r:.80}; leave the "
                "name out to speak about what sounds"
            )
        about = self._heard(verdict.seconds)
        if about is None and said.verdict == "change":
            return NOTHING, ""
        return about, (
            f"nothing has sounded in the last {self._config.recent_seconds:g} s; say it when "
            "something does, or name a clip"
        )

    def _to_take_back(self, named: str) -> tuple[str | None, str]:
        if named and named not in self._clips:
            why = "is gone already" if self._is_gone(named) else "is no accepted clip"
            return None, f"only an accepted clip can be taken back, but {named!r:.80} {why}"
        if not self._clips:
            return None, "there is no accepted clip to take back; the performer's sounds stay"
        return named or self._clips[-1], ""

    def _heard(self, seconds: float) -> str | None:
        """The source that sounded longest in [t − r, t], else the last one before."""
        first = seconds - self._config.reaction_seconds
        spent: dict[str, float] = {}
        newest: tuple[float, str] | None = None
        for window, start in self._starts:
            name = self._name(self._played.get(window, SILENCE))
            if name is None or start > seconds:
                continue
            end = min(start + self._window_seconds, seconds)
            spent[name] = spent.get(name, 0.0) + max(0.0, end - max(start, first))
            newest = (start, name)
        if newest is None or newest[0] < seconds - self._config.recent_seconds:
            return None
        return max(spent, key=lambda name: (spent[name], name == newest[1]))

    def _name(self, segment: int) -> str | None:
        if segment == SILENCE:
            return None
        firsts = sorted(self._sources)
        place = bisect_right(firsts, segment) - 1
        return self._sources[firsts[place]] if place >= 0 else None

    def _window_at(self, seconds: float) -> int | None:
        return next((window for window, start in reversed(self._starts) if start <= seconds), None)

    def _is_gone(self, name: str) -> bool:
        return name not in self._present and name in self._sources.values()

    def _refuse(self, answer: Answer, why: str, sentence: str) -> None:
        self._count(self._starts[-1][0] if self._starts else 0, why)
        answer(False, sentence)

    def _count(self, window: int, what: str) -> None:
        self._counts[what] += 1
        self._publish(Metric(window, f"feedback.{what}", float(self._counts[what])))

    def _alarm(self, window: int, sentence: str) -> None:
        if not self._alarmed:
            self._alarmed = True
            self._publish(Fault(window, "feedback", "alarm", sentence[:500]))


def source_names(paths: Sequence[Path]) -> list[str]:
    """A short name for each file, unlike the others: as many of its folders as that takes."""
    names = []
    for path in paths:
        length = 1
        while length < len(path.parts) and any(
            other != path and other.parts[-length:] == path.parts[-length:] for other in paths
        ):
            length += 1
        names.append("/".join(path.parts[-length:]))
    return names


class FeedbackOffice:
    """A desk in a thread of its own, so that no disk is waited for where the music is led.

    Args:
        path: of the store.
        sources: see `FeedbackDesk`.
        window_seconds: Δ.
        config: limits, and how slow hands are.
        publish: takes what is to be said on the streams, from this thread.
        now: monotonic seconds.
    """

    LOOK_SECONDS: Final = 0.05

    def __init__(
        self,
        path: Path,
        sources: Mapping[int, str],
        window_seconds: float,
        config: FeedbackDeskConfig,
        publish: Callable[[Feedback | Metric | Fault], None],
        now: Callable[[], float],
    ) -> None:
        self._path, self._now = path, now
        self._sources, self._window_seconds = sources, window_seconds
        self._config, self._publish = config, publish
        self._news: queue.SimpleQueue[tuple[Message, float, Answer | None]] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="feedback", daemon=True)

    def start(self) -> None:
        """Open the store, in the thread."""
        self._thread.start()

    def hear(self, message: Message, seconds: float) -> None:
        """See `FeedbackDesk.hear`; returns at once."""
        if isinstance(message, Tick | Played | MemoryChanged):
            self._news.put((message, seconds, None))

    def take(self, said: Feedback, answer: Answer) -> None:
        """See `FeedbackDesk.take`; returns at once."""
        if self._news.qsize() > 4 * MOST_WAITING:  # a store that hangs must not fill the machine
            answer(False, "too much is waiting to be stored; say it again in a while")
            return
        self._news.put((said, self._now(), answer))

    def stop(self, patience_seconds: float = 5.0) -> None:
        """Settle what was taken, close the store."""
        self._stopping.set()
        self._thread.join(patience_seconds)

    def _work(self) -> None:
        try:
            store: FeedbackStore | str = FeedbackStore(self._path, self._config.limits)
        except FeedbackError as error:
            store = str(error)
        desk = FeedbackDesk(store, self._sources, self._window_seconds, self._config, self._publish)
        while not (self._stopping.is_set() and self._news.empty()):
            try:
                message, seconds, answer = self._news.get(timeout=self.LOOK_SECONDS)
                if isinstance(message, Feedback) and answer is not None:
                    desk.take(message, seconds, answer)
                else:
                    desk.hear(message, seconds)
            except queue.Empty:
                pass
            desk.settle(self._now())
        desk.close()
