"""The host: gives any agent its sockets, its heartbeat and its place in the beat.

One round is receive → step → publish. A host belongs to the thread that calls it (its sockets do).
It is the only place that catches whatever an agent throws: it logs the traceback, says so as a
fault and plays on, because a musician who stumbles must not stop the band.
"""

import logging
import os
import threading
from collections.abc import Sequence

from actors.clock import Clock
from actors.streams.codec import Envelope, StreamMessage
from actors.streams.handshake import answer_roll_call
from actors.streams.machinery_messages import Fault
from actors.streams.streams import Streams
from agents.agent import Agent
from agents.messages import Heartbeat, Message, Metric, Tick
from agents.musical_time import Moment

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 0.5
"""How often a host says that it is alive."""
ROUND_SECONDS = 0.1
"""How long a host waits for a first message before it looks whether it shall stop."""


class Host:
    """Runs one agent on one set of streams.

    Args:
        role: the agent's name; prefix of its metrics ("decision.step_ms").
        agent: the plain agent.
        streams: connected, subscribed to what the agent hears and to `Tick.TOPIC`.
        clock: for step times and heartbeats; never handed to the agent.
    """

    def __init__(self, role: str, agent: Agent, streams: Streams, clock: Clock) -> None:
        self.role = role
        self._agent = agent
        self._streams = streams
        self._clock = clock
        self._moment = Moment(0, 0.0, 0.0, 120.0)
        self._beat_due = clock.now()

    def run(self, stop: threading.Event) -> None:
        """Play until `stop` is set; closes the streams at the end."""
        try:
            while not stop.is_set():
                self.play_round(ROUND_SECONDS)
        finally:
            self._streams.close()

    def play_round(self, timeout_seconds: float) -> bool:
        """Receive what is there, answer it, publish; True if there was anything to answer.

        Args:
            timeout_seconds: how long to wait for a first message, ≥ 0.
        """
        arrived = self._streams.receive(timeout_seconds)
        inbox = self._follow_time(answer_roll_call(self._streams, self.role, arrived))
        if inbox:
            self._answer(inbox)
        self._beat_heart()
        return bool(inbox)

    def _follow_time(self, envelopes: Sequence[Envelope]) -> list[Envelope]:
        rest = []
        for envelope in envelopes:
            if isinstance(envelope.message, Tick):
                self._moment = envelope.message.moment
            else:
                rest.append(envelope)
        return rest

    def _answer(self, inbox: list[Envelope]) -> None:
        window = inbox[-1].window
        started = self._clock.now()
        outbox = self._step([envelope.message for envelope in inbox], window)  # type: ignore[misc]
        step_ms = (self._clock.now() - started) * 1e3
        for message in outbox:
            self._say(message, window)
        if not outbox:
            return  # it only took note: no stage of the answer, and no traffic beside one
        hop_ms = (inbox[-1].received - inbox[-1].time) * 1e3
        self._streams.publish(Metric(window, f"{self.role}.step_ms", step_ms))
        self._streams.publish(Metric(window, f"{self.role}.hop_ms", hop_ms))

    def _step(self, inbox: list[Message], window: int) -> Sequence[StreamMessage]:
        try:
            return self._agent.step(self._moment, inbox)
        except Exception as error:
            log.exception("%s failed on window %d", self.role, window)
            return [self._stumble(window, error)]

    def _say(self, message: StreamMessage, window: int) -> None:
        try:
            self._streams.publish(message)
        except ValueError as error:
            log.exception("%s said what cannot be told in window %d", self.role, window)
            self._streams.publish(self._stumble(window, error))

    def _stumble(self, window: int, error: Exception) -> Fault:
        detail = f"{self.role} failed on window {window}: {error}"
        return Fault(window, self.role, "stumble", detail[:500])

    def _beat_heart(self) -> None:
        now = self._clock.now()
        if now < self._beat_due:
            return
        self._beat_due = now + HEARTBEAT_SECONDS
        counters = self._streams.counters
        dropped = counters.dropped + counters.malformed.total()
        self._streams.publish(
            Heartbeat(self._moment.window, self.role, os.getpid(), dropped, counters.lost)
        )
