"""The chronicle: what befell the band is written down, even when what fell was the messenger."""

from collections.abc import Sequence

from actors.clock import Clock
from actors.streams.codec import Envelope
from actors.streams.handshake import CALL_SECONDS, RollCall
from actors.streams.machinery_messages import Fault
from actors.streams.streams import Streams


class Chronicle:
    """Tells the journal what befell the band, once the journal is there to hear it.

    What dies may be the broker or the journal itself: a fault said at once would be said to
    nobody, and the report would not count it. So the roll is called first.

    Args:
        streams: where to speak.
        clock: paces the calls.
    """

    def __init__(self, streams: Streams, clock: Clock) -> None:
        self._streams = streams
        self._clock = clock
        self._untold: list[Fault] = []
        self._roll: RollCall | None = None
        self._call_due = 0.0

    def tell(self, fault: Fault) -> None:
        """Have `fault` written down as soon as the journal listens."""
        self._untold.append(fault)
        self._roll, self._call_due = RollCall(self._streams, ("journal",)), 0.0

    def hear(self, envelopes: Sequence[Envelope]) -> list[Envelope]:
        """Take the journal's answers out of `envelopes`, and speak if it has answered."""
        rest = list(envelopes) if self._roll is None else self._roll.hear(envelopes)
        if self._roll is None:
            return rest
        if not self._roll.absent:
            for fault in self._untold:
                self._streams.publish(fault)
            self._untold, self._roll = [], None
        elif self._clock.now() >= self._call_due:
            self._roll.call()
            self._call_due = self._clock.now() + CALL_SECONDS
        return rest

    def finish(self, timeout_seconds: float) -> None:
        """Wait for the journal until it has been told everything, but no longer than this."""
        until = self._clock.now() + timeout_seconds
        while self._untold and self._clock.now() < until:
            self.hear(self._streams.receive(CALL_SECONDS))
