"""The twin of the broker and its peers inside one thread: same codec, fixed order, no waiting.

A message reaches the peers in the order in which it was published, after it has been encoded
and decoded just as on the wire. Queues have the same bound and the same policy.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence

from actors.streams.codec import Envelope, StreamMessage, encode
from actors.streams.streams import Intake, StreamCounters


class InProcessHub:
    """Where in-process peers meet.

    Args:
        queue_messages: bound of each peer's queue, ≥ 1; what is newest is dropped when it is full.
        now: monotonic seconds stamped on messages; give the twin clock's for identical journals.
    """

    def __init__(
        self, queue_messages: int = 512, *, now: Callable[[], float] = time.perf_counter
    ) -> None:
        if queue_messages < 1:
            raise ValueError(f"queue_messages must be at least 1, got {queue_messages}")
        self.queue_messages = queue_messages
        self.now = now
        self._peers: list[InProcessStreams] = []
        self._sessions = 0

    def join(self, sender: str, topics: Iterable[str]) -> "InProcessStreams":
        """A new peer; `topics` is what it receives."""
        self._sessions += 1
        peer = InProcessStreams(self, sender, self._sessions, topics)
        self._peers.append(peer)
        return peer

    def leave(self, peer: "InProcessStreams") -> None:
        """Take `peer` out, if it is in."""
        self._peers = [other for other in self._peers if other is not peer]

    def deliver(self, frames: Sequence[bytes]) -> None:
        """Pass `frames`, whatever they hold, to all peers, in the order in which they joined."""
        for peer in self._peers:
            peer.deposit(frames)


class InProcessStreams:
    """A peer of an `InProcessHub`, made by its `join`."""

    def __init__(self, hub: InProcessHub, sender: str, session: int, topics: Iterable[str]) -> None:
        self.sender = sender
        self.session = session
        self.counters = StreamCounters()
        self._hub = hub
        self._intake = Intake(sender, topics, self.counters, hub.queue_messages)
        self._sequences: Counter[str] = Counter()
        self._waiting: deque[Sequence[bytes]] = deque()

    def publish(self, message: StreamMessage) -> None:
        """See `Streams.publish`."""
        sequence = self._sequences[message.TOPIC]
        frames = encode(
            message,
            sender=self.sender,
            session=self.session,
            sequence=sequence,
            time=self._hub.now(),
        )
        self._sequences[message.TOPIC] += 1
        self.counters.sent += 1
        self._hub.deliver(frames)

    def deposit(self, frames: Sequence[bytes]) -> None:
        """Queue `frames` if their topic is subscribed and there is room."""
        wanted = bool(frames) and any(frames[0] == topic.encode() for topic in self._intake.topics)
        if wanted and len(self._waiting) < self._hub.queue_messages:
            self._waiting.append(frames)

    def receive(self, timeout_seconds: float = 0.0) -> list[Envelope]:  # noqa: ARG002 - as in Streams
        """All that has come; never waits, since nobody else can act meanwhile."""
        arrived = self._intake.release()
        while self._waiting:
            envelope = self._intake.take(self._waiting.popleft(), self._hub.now())
            if envelope is not None:
                arrived.append(envelope)
        return arrived

    def put_back(self, envelopes: Sequence[Envelope]) -> None:
        """See `Streams.put_back`."""
        self._intake.hold(envelopes)

    def subscribe(self, *topics: str) -> None:
        """See `Streams.subscribe`."""
        self._intake.topics.update(topics)

    def unsubscribe(self, *topics: str) -> None:
        """See `Streams.unsubscribe`."""
        for topic in topics:
            self._intake.forget(topic)

    def wait_until_ready(self, timeout_seconds: float = 0.0) -> None:
        """Nothing to wait for: a peer that has joined misses nothing."""

    def close(self) -> None:
        """See `Streams.close`."""
        self._hub.leave(self)
