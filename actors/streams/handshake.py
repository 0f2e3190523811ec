"""The roll call: nobody starts before everybody listens.

The conductor asks "who is there?" again and again until every role has answered. A peer answers
once its own probe has come back; since the broker, not the publisher, sorts by topic, it then
misses nothing that anyone says. The peers keep no state: a peer that starts late, a broker that
starts late, and a conductor that starts anew all end in the same way.
"""

import os
import time
from collections.abc import Callable, Iterable, Sequence

from actors.streams.codec import Envelope
from actors.streams.machinery_messages import CallRoll, Ready
from actors.streams.streams import Streams

CALL_SECONDS = 0.05
"""Pause between two calls."""


def answer_roll_call(streams: Streams, role: str, envelopes: Sequence[Envelope]) -> list[Envelope]:
    """Answer the calls among `envelopes` and return the rest; for peers that are ready.

    `streams` must subscribe to `CallRoll.TOPIC` and have passed `wait_until_ready`.
    """
    rest = [envelope for envelope in envelopes if not isinstance(envelope.message, CallRoll)]
    if len(rest) < len(envelopes):
        streams.publish(Ready(role, os.getpid()))
    return rest


class RollCall:
    """The conductor's side: who of `roles` has not answered yet.

    Args:
        streams: the conductor's; subscribes to the answers.
        roles: who must be there.
    """

    def __init__(self, streams: Streams, roles: Iterable[str]) -> None:
        self.absent = set(roles)
        self.process_ids: dict[str, int] = {}
        self._streams = streams
        self._n_calls = 0
        streams.subscribe(Ready.TOPIC)

    def call(self) -> None:
        """Ask once."""
        self._streams.publish(CallRoll(self._n_calls))
        self._n_calls += 1

    def hear(self, envelopes: Sequence[Envelope]) -> list[Envelope]:
        """Take the answers out of `envelopes` and return the rest."""
        rest = []
        for envelope in envelopes:
            if isinstance(envelope.message, Ready):
                self.absent.discard(envelope.message.role)
                self.process_ids[envelope.message.role] = envelope.message.process_id
            else:
                rest.append(envelope)
        return rest

    def wait(
        self,
        timeout_seconds: float,
        on_progress: Callable[[set[str]], None] | None = None,
    ) -> None:
        """Ask until everybody has answered; other messages wait for the next `receive`.

        Args:
            timeout_seconds: how long to ask, > 0.
            on_progress: called with the roles still absent whenever one has answered.

        Raises:
            TimeoutError: somebody is still absent.
        """
        start, next_call = time.perf_counter(), 0.0
        others: list[Envelope] = []
        try:
            while self.absent:
                waited = time.perf_counter() - start
                if waited >= timeout_seconds:
                    raise TimeoutError(
                        f"everybody must be ready within {timeout_seconds} s, but nothing was "
                        f"heard of {', '.join(sorted(self.absent))}: see their logs"
                    )
                n_absent = len(self.absent)
                if waited >= next_call:  # paced by time: every answer would call forth a call
                    self.call()
                    next_call = waited + CALL_SECONDS
                others += self.hear(self._streams.receive(CALL_SECONDS))
                if on_progress is not None and len(self.absent) < n_absent:
                    on_progress(set(self.absent))
        finally:
            self._streams.put_back(others)
