"""The host: gives any agent its sockets, its heartbeat and its place in the beat.

One round is receive → step → publish. A host belongs to the thread that calls it (its sockets do).
It is the only place that catches whatever an agent throws: it logs the traceback, says so as a
metric and plays on, because a musician who stumbles must not stop the band.
"""

import logging
import os
import threading
from collections.abc import Callable

from actors.clock import Clock
from actors.machinery_messages import Recall, Recalled
from actors.streams import Envelope, Streams
from agents.agent import Agent
from agents.messages import Heartbeat, Message, Metric
from agents.musical_time import Moment

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 0.5
"""How often a host says that it is alive when nothing else happens."""


class Host:
    """Runs one agent on one set of streams.

    Args:
        role: the agent's name; prefix of its metrics ("decision.step_ms").
        agent: the plain agent.
        streams: connected, subscribed to what the agent hears.
        clock: for step times and heartbeats; never handed to the agent.
    """

    def __init__(self, role: str, agent: Agent, streams: Streams, clock: Clock) -> None:
        self.role = role
        self.agent = agent
        self._streams = streams
        self._clock = clock
        self._moment = Moment(0, 0.0, 0.0, 120.0)
        self._beat_due = clock.now()

    def run(self, stop: threading.Event) -> None:
        """Play until `stop` is set; closes the streams at the end."""
        try:
            while not stop.is_set():
                self.play_round(timeout_seconds=0.1)
        finally:
            self._streams.close()

    def play_round(self, timeout_seconds: float) -> bool:
        """Receive what is there, answer it, publish; True if there was anything.

        Args:
            timeout_seconds: how long to wait for a first message, ≥ 0.
        """
        envelopes = self._streams.receive(timeout_seconds)
        self._beat_heart()
        inbox = [e.message for e in envelopes if not isinstance(e.message, Recalled)]
        if not inbox:
            return False
        self._follow_time(envelopes)
        started = self._clock.now()
        outbox = self._answer(inbox)
        step_ms = (self._clock.now() - started) * 1e3
        for message in outbox:
            self._streams.publish(message)
        newest = envelopes[-1]
        hop_ms = (newest.received - newest.time) * 1e3
        window = newest.message.window
        self._streams.publish(Metric(window, f"{self.role}.step_ms", step_ms))
        self._streams.publish(Metric(window, f"{self.role}.hop_ms", hop_ms))
        return True

    def restore(self, topics: tuple[str, ...], n_windows: int, patience_seconds: float) -> None:
        """Ask the journal what was said, and let the agent take it up again.

        A journal that does not answer within `patience_seconds` means a fresh start.
        """
        if not topics:
            return
        self._streams.publish(Recall(0, self.role, topics, n_windows))
        give_up = self._clock.now() + patience_seconds
        while (left := give_up - self._clock.now()) > 0:
            for envelope in self._streams.receive(left):
                answer = envelope.message
                if isinstance(answer, Recalled) and answer.role == self.role:
                    self.agent.restore(answer.messages)
                    return

    def _answer(self, inbox: list[Message]) -> list[Message]:
        try:
            return self.agent.step(self._moment, inbox)
        except Exception:  # noqa: BLE001 the one place: a stumble is logged and told, not fatal
            log.exception("%s failed on window %d", self.role, inbox[-1].window)
            return [Metric(inbox[-1].window, f"{self.role}.faults", 1.0)]

    def _follow_time(self, envelopes: list[Envelope]) -> None:
        for envelope in envelopes:
            moment = getattr(envelope.message, "moment", None)
            if moment is not None:
                self._moment = moment

    def _beat_heart(self) -> None:
        if self._clock.now() < self._beat_due:
            return
        self._beat_due = self._clock.now() + HEARTBEAT_SECONDS
        counters = self._streams.counters
        self._streams.publish(
            Heartbeat(
                self._moment.window, self.role, os.getpid(), counters.malformed, counters.lost
            )
        )


Build = Callable[[], Agent]
