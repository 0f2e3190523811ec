"""Streams: how a peer publishes and receives, whatever carries it.

A queue that is full drops what is newest, never blocks, and shows: the publisher counts
`dropped`, the receivers see the gap in the sequence numbers and count `lost`. What a peer
publishes while the broker is away is dropped and seen as lost too: old news would only be late.
Frames that are no message are counted, logged once per kind, and dropped.
"""

import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

import zmq

from actors.streams.codec import Envelope, MalformedFrame, StreamMessage, decode, encode
from actors.streams.endpoints import StreamsConfig, bound_queues
from actors.streams.machinery_messages import Probe

_log = logging.getLogger(__name__)

PROBE_SECONDS = 0.02
"""Pause between two probes."""
RECONNECT_MS = (20, 100)
"""First and longest pause before a lost broker is tried again."""
LINGER_MS = 200
"""What was published just before `close` has this long to leave."""
MAX_TRACKED = 4096
"""Senders times topics whose sequences are followed; beyond it the following starts anew."""


@dataclass
class StreamCounters:
    """What a peer's streams have done so far, in messages.

    Args:
        sent: published; while the broker is away they go nowhere.
        dropped: refused by `publish` because the queue was full.
        received: handed out by `receive`.
        lost: missing in the sequences of the senders heard.
        malformed: refused, by the kind claimed.
    """

    sent: int = 0
    dropped: int = 0
    received: int = 0
    lost: int = 0
    malformed: Counter[str] = field(default_factory=Counter)


class Streams(Protocol):
    """One peer's place on the streams; it stays in the thread that made it."""

    sender: str
    session: int
    counters: StreamCounters

    def publish(self, message: StreamMessage) -> None:
        """Say `message` to whoever subscribes to its topic; does not block.

        Raises:
            ValueError: a field breaks its annotation or the message is too large.
        """
        ...

    def receive(self, timeout_seconds: float) -> list[Envelope]:
        """All that has come, in order of arrival; waits up to `timeout_seconds` for the first."""
        ...

    def put_back(self, envelopes: Sequence[Envelope]) -> None:
        """Give back what the next `receive` shall hand out first."""
        ...

    def subscribe(self, *topics: str) -> None:
        """Receive these topics too, from about now on."""
        ...

    def unsubscribe(self, *topics: str) -> None:
        """Receive these topics no longer."""
        ...

    def wait_until_ready(self, timeout_seconds: float) -> None:
        """Return when nothing said from now on, on the topics subscribed, will be missed.

        Raises:
            TimeoutError: nothing came back in `timeout_seconds`.
        """
        ...

    def close(self) -> None:
        """Leave; any number of times."""
        ...


class Intake:
    """What both kinds of streams do with arriving frames: decode, count, follow the sequences."""

    def __init__(
        self, sender: str, topics: Iterable[str], counters: StreamCounters, most_held: int
    ) -> None:
        self.topics = set(topics)
        self._sender = sender
        self._most_held = most_held
        self._counters = counters
        self._expected: dict[tuple[str, str], tuple[int, int]] = {}
        self._held: list[Envelope] = []

    def take(self, frames: Sequence[bytes], received: float) -> Envelope | None:
        """The envelope in `frames`, or None if it is malformed or of a foreign topic."""
        try:
            envelope = decode(frames, received=received)
        except MalformedFrame as error:
            if error.kind not in self._counters.malformed:
                _log.warning("%s drops a malformed frame: %s", self._sender, error)
            self._counters.malformed[error.kind] += 1
            return None
        if envelope.topic not in self.topics:
            return None  # ZeroMQ matches topics by prefix
        self._follow(envelope)
        self._counters.received += 1
        return envelope

    @property
    def is_holding(self) -> bool:
        """Something was put back and not yet taken out."""
        return bool(self._held)

    def hold(self, envelopes: Sequence[Envelope]) -> None:
        """Keep `envelopes`, ahead of those already held; the newest beyond the bound are lost."""
        held = [*envelopes, *self._held]
        self._held = held[: self._most_held]
        self._counters.lost += len(held) - len(self._held)

    def release(self) -> list[Envelope]:
        """Everything held, in order."""
        held, self._held = self._held, []
        return held

    def forget(self, topic: str) -> None:
        """Stop receiving `topic`: what is missed from now on is not lost."""
        self.topics.discard(topic)
        for key in [key for key in self._expected if key[1] == topic]:
            del self._expected[key]

    def _follow(self, envelope: Envelope) -> None:
        key = (envelope.sender, envelope.topic)
        session, expected = self._expected.get(key, (envelope.session, envelope.sequence))
        if session == envelope.session and envelope.sequence > expected:
            self._counters.lost += envelope.sequence - expected
        if len(self._expected) >= MAX_TRACKED:
            self._expected.clear()
        self._expected[key] = (envelope.session, envelope.sequence + 1)


class ZmqStreams:
    """Streams through the broker at `config`'s endpoints; connects, and reconnects, by itself.

    Args:
        config: endpoints, bounds and keys.
        sender: name of this peer, 1 to 64 characters.
        topics: what to receive.
        now: monotonic seconds, comparable between the processes of a machine.

    Raises:
        ValueError: the keys file holds no keys.
        OSError: the keys file cannot be read.
    """

    def __init__(
        self,
        config: StreamsConfig,
        sender: str,
        topics: Iterable[str],
        *,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.sender = sender
        self.session = time.perf_counter_ns()
        self.counters = StreamCounters()
        self._config = config
        self._now = now
        self._intake = Intake(sender, (), self.counters, config.queue_messages)
        self._sequences: Counter[str] = Counter()
        self._thread = threading.get_ident()
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        self._out, self._in = context.socket(zmq.PUB), context.socket(zmq.SUB)
        self._open()
        self.subscribe(*topics)

    def _open(self) -> None:
        keys = self._config.keys()
        self._out.setsockopt(zmq.XPUB_NODROP, 1)  # a full queue is an error that we can count
        self._out.setsockopt(zmq.IMMEDIATE, 1)  # nothing piles up while the broker is away
        for socket, address in (
            (self._out, self._config.publish_address),
            (self._in, self._config.subscribe_address),
        ):
            bound_queues(socket, self._config)
            socket.linger = LINGER_MS
            socket.reconnect_ivl, socket.reconnect_ivl_max = RECONNECT_MS
            if keys is not None:
                keys.unlock_peer(socket)
            socket.connect(address)

    def publish(self, message: StreamMessage) -> None:
        """See `Streams.publish`."""
        self._check_thread()
        sequence = self._sequences[message.TOPIC]
        frames = encode(
            message,
            sender=self.sender,
            session=self.session,
            sequence=sequence,
            time=self._now(),
        )
        self._sequences[message.TOPIC] += 1
        try:
            self._out.send_multipart(frames, zmq.NOBLOCK)
            self.counters.sent += 1
        except zmq.Again:
            self.counters.dropped += 1

    def receive(self, timeout_seconds: float) -> list[Envelope]:
        """See `Streams.receive`."""
        self._check_thread()
        if timeout_seconds > 0 and not self._intake.is_holding:
            self._in.poll(math.ceil(timeout_seconds * 1000))
        return self._intake.release() + self._drain()

    def _drain(self) -> list[Envelope]:
        arrived = []
        for _ in range(self._config.queue_messages):  # a flood must not keep us here
            try:
                frames = self._in.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            envelope = self._intake.take(frames, self._now())
            if envelope is not None:
                arrived.append(envelope)
        return arrived

    def put_back(self, envelopes: Sequence[Envelope]) -> None:
        """See `Streams.put_back`."""
        self._intake.hold(envelopes)

    def subscribe(self, *topics: str) -> None:
        """See `Streams.subscribe`."""
        for topic in topics:
            if topic not in self._intake.topics:
                self._intake.topics.add(topic)
                self._in.subscribe(topic)

    def unsubscribe(self, *topics: str) -> None:
        """See `Streams.unsubscribe`."""
        for topic in topics:
            if topic in self._intake.topics:
                self._intake.forget(topic)
                self._in.unsubscribe(topic)

    def wait_until_ready(self, timeout_seconds: float) -> None:
        """See `Streams.wait_until_ready`; the proof is a probe that came back."""
        start = time.perf_counter()
        self.subscribe(Probe.TOPIC)  # the last subscription: it takes effect after all others
        n_probes, next_probe = 0, 0.0
        others: list[Envelope] = []
        try:
            while (waited := time.perf_counter() - start) < timeout_seconds:
                if waited >= next_probe:
                    self.publish(Probe(n_probes))
                    n_probes, next_probe = n_probes + 1, waited + PROBE_SECONDS
                arrived = self.receive(PROBE_SECONDS)
                others += [envelope for envelope in arrived if envelope.topic != Probe.TOPIC]
                if any(self._is_own_probe(envelope) for envelope in arrived):
                    return
        finally:
            self.unsubscribe(Probe.TOPIC)
            self.put_back(others)
        raise TimeoutError(
            f"{self.sender} must find the broker at {self._config.publish_address} and "
            f"{self._config.subscribe_address}, but nothing came back in {timeout_seconds} s: "
            "is it running, with the same keys?"
        )

    def _is_own_probe(self, envelope: Envelope) -> bool:
        return (envelope.topic, envelope.sender, envelope.session) == (
            Probe.TOPIC,
            self.sender,
            self.session,
        )

    def close(self) -> None:
        """See `Streams.close`."""
        self._out.close()
        self._in.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_thread(self) -> None:
        if threading.get_ident() != self._thread:
            raise RuntimeError(
                f"the streams of {self.sender} must stay in the thread that made them: "
                "make them inside the thread that uses them"
            )
