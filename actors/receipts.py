"""Receipts: what sounded is told until it has come back, so that no outage loses the account.

The audio process hears its own `Played` messages; the broker keeps their order. When one comes
back and a much older one has not, a broker died with it: it is told again.
"""

from actors.streams.streams import Streams
from agents.messages import Message, Played

RETELL_WINDOWS = 4
"""An account that is this much older than the newest receipt is told again: by then everybody
has found the broker."""
MAX_UNTOLD = 4096
"""Bound of the accounts that wait for their receipt; the oldest are dropped."""


class Receipts:
    """Publishes, and publishes again what got lost.

    Args:
        streams: of the process that accounts for what sounded.
    """

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._untold: dict[int, Played] = {}

    def publish(self, message: Message) -> None:
        """Say `message`; a `Played` waits for its receipt from then on."""
        self._streams.publish(message)
        if isinstance(message, Played):
            self._untold[message.window] = message
            if len(self._untold) > MAX_UNTOLD:
                del self._untold[min(self._untold)]

    def take(self, receipt: Played) -> None:
        """`receipt` came back; what should have come well before it is told again."""
        self._untold.pop(receipt.window, None)
        for window in sorted(self._untold):
            if window <= receipt.window - RETELL_WINDOWS:
                self._streams.publish(self._untold[window])

    def close(self) -> None:
        """Tell everything once more that has no receipt yet."""
        for window in sorted(self._untold):
            self._streams.publish(self._untold.pop(window))
