"""The recorder: listens to everything but raw audio, keeps the journal, and remembers aloud.

An agent that was restarted asks it (`recall`) for what was said on its topics. The answer and
what the agent then receives join without gap or overlap: the broker hands everybody the same
messages in one order, so the recorder has heard all that came before the question, and what the
agent has received by the time of the answer is taken out of it.
"""

import logging
import time
from collections import Counter, deque
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from actors.journal import NOT_JOURNALLED, Journal, JournalReader
from actors.streams.codec import (
    MAX_FRAME_BYTES,
    NO_WINDOW,
    TOPICS,
    Envelope,
    MalformedFrame,
    decode,
    encode,
)
from actors.streams.handshake import answer_roll_call
from actors.streams.machinery_messages import Fault, Recall, Recalled
from actors.streams.streams import Streams
from agents.messages import Fragment, Tick

_log = logging.getLogger(__name__)

JOURNAL_TOPICS: frozenset[str] = TOPICS - {kind.TOPIC for kind in NOT_JOURNALLED} | {Recall.TOPIC}
"""What the recorder's streams must subscribe to."""
MAX_RECALL_WINDOWS = 256
"""Windows that the recorder remembers at most."""
MAX_RECALL_MESSAGES = 1024
"""Messages of one topic that it remembers at most."""
RECALL_SECONDS = 0.2
"""Pause between two askings."""
_FRAME_OVERHEAD, _ANSWER_OVERHEAD = 5, 4096


class JournalRecorder:
    """Moves messages from `streams` to `journal`, and answers who asks.

    Args:
        streams: subscribes to `JOURNAL_TOPICS` and has passed `wait_until_ready`; the sender's
            name is the role that answers the roll call.
        journal: where to; a file that is carried on is remembered too.
    """

    def __init__(self, streams: Streams, journal: Journal) -> None:
        self._streams = streams
        self._journal = journal
        self._memory: dict[str, deque[tuple[int, Envelope]]] = {}
        self._newest_window = NO_WINDOW
        self._latest = 0.0
        self._n_heard = 0
        self._noted: Counter[str] = Counter()
        self._n_faults = 0
        self._remember_earlier_life()

    def step(self, timeout_seconds: float) -> int:
        """Take in all that has come, answer (the roll call too), commit once per window.

        Args:
            timeout_seconds: how long to wait for something to come.

        Returns:
            The number of messages taken in.
        """
        arrived = self._streams.receive(timeout_seconds)
        envelopes = answer_roll_call(self._streams, self._streams.sender, arrived)
        for envelope in envelopes:
            if isinstance(envelope.message, Recall):
                self._answer(envelope.sender, envelope.message)
            else:
                self._remember(envelope)
        self._journal.append(envelopes)
        if not envelopes or any(isinstance(envelope.message, Tick) for envelope in envelopes):
            self._note_what_is_missing()
            self._journal.commit()
        return len(envelopes)

    def close(self) -> None:
        """Take in what is left and close the journal."""
        self.step(0.0)
        self._note_what_is_missing()
        self._journal.close()

    def _remember_earlier_life(self) -> None:
        if self._journal.failure is not None:
            return
        try:
            with JournalReader(self._journal.path) as reader:
                for envelope in reader.recall(JOURNAL_TOPICS, MAX_RECALL_WINDOWS):
                    self._remember(envelope)
        except (OSError, ValueError) as error:
            _log.warning("the journal remembers nothing from before: %s", error)

    def _remember(self, envelope: Envelope) -> None:
        message = envelope.message
        if isinstance(message, Fragment):
            empty = np.empty((0, message.samples.shape[1]), np.float32)
            envelope = replace(envelope, message=replace(message, samples=empty))
        if isinstance(message, Tick):
            self._newest_window = message.window
        self._n_heard += 1
        self._latest = envelope.received
        memory = self._memory.setdefault(envelope.topic, deque(maxlen=MAX_RECALL_MESSAGES))
        memory.append((self._n_heard, envelope))

    def _answer(self, asker: str, question: Recall) -> None:
        first_window = self._newest_window - min(question.n_windows, MAX_RECALL_WINDOWS) + 1
        found = sorted(
            (place, envelope)
            for topic in set(question.topics)
            for place, envelope in self._memory.get(topic, ())
            if envelope.window >= first_window
        )
        frames = _frames([envelope for _, envelope in found])
        self._streams.publish(Recalled(asker, question.request, frames))

    def _note_what_is_missing(self) -> None:
        """Turn what the recorder itself could not hear into faults of the run."""
        counters = self._streams.counters
        missing = Counter({f"malformed {kind}": n for kind, n in counters.malformed.items()})
        missing["lost"] = counters.lost
        for what, n_messages in (missing - self._noted).items():
            detail = f"{n_messages} messages did not reach the journal: {what}"
            event = "lost" if what == "lost" else "malformed"
            fault = Fault(max(0, self._newest_window), self._streams.sender, event, detail)
            self._journal.append([self._own_envelope(fault)])
        self._noted = missing

    def _own_envelope(self, fault: Fault) -> Envelope:
        self._n_faults += 1
        return Envelope(
            fault.TOPIC,
            self._streams.sender,
            self._streams.session,
            self._n_faults - 1,
            fault.window,
            self._latest,
            fault,
            self._latest,
        )


def _frames(envelopes: Sequence[Envelope]) -> tuple[bytes, ...]:
    """Three frames per envelope, oldest first; the oldest that do not fit are left out."""
    messages: deque[list[bytes]] = deque()
    n_bytes = 0
    for envelope in reversed(envelopes):
        frames = encode(
            envelope.message,
            sender=envelope.sender,
            session=envelope.session,
            sequence=envelope.sequence,
            time=envelope.time,
        )
        n_bytes += sum(len(frame) + _FRAME_OVERHEAD for frame in frames)
        if n_bytes > MAX_FRAME_BYTES - _ANSWER_OVERHEAD:
            break
        messages.appendleft(frames)
    return tuple(frame for frames in messages for frame in frames)


def recall(
    streams: Streams, topics: Collection[str], n_windows: int, timeout_seconds: float
) -> list[Envelope]:
    """Ask the recorder what was said on `topics` about the last `n_windows` windows.

    To be called right after `wait_until_ready`, by one that subscribes to `topics`: the answer
    and what `receive` then hands out join without gap or overlap. Fragments come without samples.

    Args:
        streams: of the one who asks.
        topics: what to recall.
        n_windows: how far back, 1 to `MAX_RECALL_WINDOWS`.
        timeout_seconds: how long to ask, > 0.

    Returns:
        Oldest first; nothing, with a warning in the log, if no recorder answered.
    """
    question = Recall(time.perf_counter_ns(), tuple(topics), n_windows)
    others: list[Envelope] = []
    start, next_asking = time.perf_counter(), 0.0
    streams.subscribe(Recalled.TOPIC)
    try:
        while (waited := time.perf_counter() - start) < timeout_seconds:
            if waited >= next_asking:
                streams.publish(question)
                next_asking = waited + RECALL_SECONDS
            arrived = streams.receive(RECALL_SECONDS)
            others += [one for one in arrived if not isinstance(one.message, Recalled)]
            for envelope in arrived:
                answer = envelope.message
                if isinstance(answer, Recalled) and _is_for(answer, streams.sender, question):
                    return _without(_decoded(answer.frames, envelope.received), others)
    finally:
        streams.unsubscribe(Recalled.TOPIC)
        streams.put_back(others)
    _log.warning(
        "%s must be told its past within %s s, but no journal answered: it starts without",
        streams.sender,
        timeout_seconds,
    )
    return []


def _is_for(answer: Recalled, asker: str, question: Recall) -> bool:
    return (answer.asker, answer.request) == (asker, question.request)


def _decoded(frames: Sequence[bytes], received: float) -> list[Envelope]:
    past = []
    for first in range(0, len(frames), 3):
        try:
            past.append(decode(frames[first : first + 3], received=received))
        except MalformedFrame as error:
            _log.warning("a recalled message is malformed and left out: %s", error)
    return past


def _without(past: list[Envelope], present: list[Envelope]) -> list[Envelope]:
    """`past` without what is in `present` too."""
    heard = {_identity(envelope) for envelope in present}
    return [envelope for envelope in past if _identity(envelope) not in heard]


def _identity(envelope: Envelope) -> tuple[str, int, str, int]:
    return envelope.sender, envelope.session, envelope.topic, envelope.sequence
