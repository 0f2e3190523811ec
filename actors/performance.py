"""A performance at real pace, seen from the process that was started by a person.

It starts the band, shows what happens, passes on what fingers, pedals and signals say, notes
restarts in the journal, and ends everything in order.
"""

import contextlib
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import psutil

from actors.chronicle import Chronicle
from actors.clock import Clock
from actors.devices.osc import URGENT, Answer, OscInput
from actors.ending_signals import on_ending_signals
from actors.feedback_desk import FeedbackOffice
from actors.roster import connect, roster_of
from actors.stage_config import BandConfig
from actors.streams.handshake import RollCall
from actors.streams.machinery_messages import Fault
from actors.streams.streams import Streams
from actors.supervisor import Supervisor
from actors.terminal.status_line import StatusLine
from agents.messages import (
    CodeRanked,
    CodeSent,
    Control,
    Feedback,
    HeardLabel,
    Heartbeat,
    MemoryChanged,
    Metric,
    Played,
    Tick,
)

WATCHED = (
    Tick.TOPIC,
    HeardLabel.TOPIC,
    Played.TOPIC,
    Metric.TOPIC,
    Fault.TOPIC,
    Heartbeat.TOPIC,
    CodeRanked.TOPIC,
    CodeSent.TOPIC,
    MemoryChanged.TOPIC,
)
"""What the person's process listens to."""
LOOK_SECONDS = 0.05
"""How often it looks at news and processes."""
END_SECONDS = 10.0
"""How long the audio process may take to fade out and close its files."""
ROLL_CALL_SECONDS = 20.0
"""How long the band may take to say that it hears."""
MEMORY_SECONDS = 1.0
"""How often the band's memory is measured."""
LAST_WORD_SECONDS = 2.0
"""How long the end waits for a journal that has not yet been told of a restart."""


class Showing(Protocol):
    """Whatever shows the state; told when there may be something new."""

    def refresh(self) -> None:
        """Draw if it is time to."""
        ...


@dataclass(frozen=True)
class Outcome:
    """How a performance ended.

    Args:
        finished: it reached its end, or was ended on purpose, in order.
        failure: one sentence if not.
        first_answer: clock time of the first window answered; None if none was.
        restarts: how often each role was restarted.
        peak_memory_mb: largest resident memory of all processes of the band together, MiB.
    """

    finished: bool
    failure: str
    first_answer: float | None
    restarts: dict[str, int]
    peak_memory_mb: float


class Performance:
    """Plays one run.

    Args:
        config: a prepared stage at real pace.
        clock: the machine's.
        status: told every message watched.
    """

    def __init__(self, config: BandConfig, clock: Clock, status: StatusLine) -> None:
        self._config = config
        self._clock = clock
        self._status = status
        self._orders: queue.SimpleQueue[Feedback | Control | Metric | Fault] = queue.SimpleQueue()
        self._feedback = FeedbackOffice(
            config.feedback_store,
            config.sources,
            config.window,
            config.feedback,
            self._orders.put,
            clock.now,
        )
        self._stop = threading.Event()
        self._first_answer: float | None = None
        self._peak_memory = 0.0
        self._memory_due = 0.0

    def run(self, tell: Callable[[str], None], on_begin: Callable[[], Showing]) -> Outcome:
        """Start, play to the end, stop.

        Args:
            tell: told each step of the start.
            on_begin: called when the music begins; gives what shows it.

        Raises:
            StartError: the band cannot start; nothing is left running.
        """
        supervisor = Supervisor(self._config, self._clock, tell)
        try:
            supervisor.start()
            streams = connect(self._config, "stage", WATCHED)
            tell("calling the roll")
            RollCall(streams, self._awaited()).wait(ROLL_CALL_SECONDS)
            with self._listening_to_people():
                tell("playing")
                supervisor.begin()
                failure = self._watch(supervisor, streams, on_begin())
                streams.close()
                supervisor.close()  # here, so that a second Ctrl-C does not cut the end short
        finally:
            supervisor.close()
        return Outcome(
            not failure, failure, self._first_answer, supervisor.restarts, self._peak_memory
        )

    def _awaited(self) -> list[str]:
        """Who must hear before the music begins: all but the broker and who may come later."""
        roles = roster_of(self._config).items()
        return [name for name, role in roles if role.is_awaited and name != "broker"]

    def _watch(self, supervisor: Supervisor, streams: Streams, showing: Showing) -> str:
        chronicle = Chronicle(streams, self._clock)
        n_faults, give_up = 0, None
        while not supervisor.finished():
            with contextlib.suppress(queue.Empty):  # an order wakes us, news does not
                streams.publish(self._orders.get(timeout=LOOK_SECONDS))
            for envelope in chronicle.hear(streams.receive(0.0)):
                self._feedback.hear(envelope.message, envelope.time)  # type: ignore[arg-type]
                self._take(envelope.message, supervisor)
            supervisor.look()
            for role, event, sentence in supervisor.faults[n_faults:]:
                fault = Fault(self._status.window, role, event, sentence)
                chronicle.tell(fault)
                self._status.take(fault)
            n_faults = len(supervisor.faults)
            self._measure_memory()
            showing.refresh()
            if self._stop.is_set() and give_up is None:
                supervisor.stop_music()
                give_up = self._clock.now() + END_SECONDS
            if give_up is not None and self._clock.now() > give_up:
                return "the audio process did not end in time; the run is kept as far as written"
        chronicle.finish(LAST_WORD_SECONDS)
        return supervisor.result()

    def _take(self, message: object, supervisor: Supervisor) -> None:
        if isinstance(message, Heartbeat):
            supervisor.hear(message)
            return
        if isinstance(message, Fault) and message.event in ("restart", "crash"):
            return  # its own, told already
        self._status.take(message)  # type: ignore[arg-type]
        if isinstance(message, Played) and message.reaction_seconds is not None:
            self._first_answer = self._first_answer or self._clock.now()

    def _measure_memory(self) -> None:
        if self._clock.now() < self._memory_due:
            return
        self._memory_due = self._clock.now() + MEMORY_SECONDS
        total = 0
        me = psutil.Process()
        for process in (me, *me.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
        self._peak_memory = max(self._peak_memory, total / 2**20)

    @contextlib.contextmanager
    def _listening_to_people(self) -> Iterator[None]:
        """Signals end the music in order; keys and OSC become messages."""
        osc = None
        if self._config.osc is not None:
            osc = OscInput(
                self._config.osc, self._obey, lambda: self._status.window, self._clock.now
            )
        with on_ending_signals(self._stop.set):
            self._feedback.start()
            try:
                if osc is not None:
                    try:
                        osc.start()
                    except OSError as error:  # the show goes on without
                        self._status.take(Fault(0, "osc", "alarm", str(error)))
                if sys.stdin is not None and sys.stdin.isatty():
                    threading.Thread(target=self._read_keys, name="keys", daemon=True).start()
                yield
            finally:
                if osc is not None:
                    osc.stop()
                self._feedback.stop()

    def _obey(self, message: Feedback | Control, answer: Answer) -> None:
        """Pass on what must not wait; the rest is stored first."""
        if isinstance(message, Feedback) and message.verdict not in URGENT:
            self._feedback.take(message, answer)
            return
        self._orders.put(message)
        if isinstance(message, Feedback):
            answer(True, message.verdict)

    def _read_keys(self) -> None:
        for line in sys.stdin:
            match line.strip().lower():
                case "p" | "panic":
                    self._orders.put(Feedback(self._status.window, "panic", "keys"))
                case "r" | "resume":
                    self._orders.put(Feedback(self._status.window, "resume", "keys"))
                case "q" | "quit":
                    self._stop.set()
                case _:
                    pass
