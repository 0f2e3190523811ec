"""Receipts: what sounded is told until it has come back, so that no outage loses the account.

The audio process hears its own `Played` messages; the broker keeps their order. When one comes
back and an older one has not, a broker died with it. A few windows later, when everybody has
found the next broker, all since then is told again.
"""

from actors.streams.streams import Streams
from agents.messages import Message, Played

RETELL_WINDOWS = 4
"""Windows after the first receipt behind a gap until the gap is told again."""
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
        self._doubtful: dict[int, Played] = {}  # came back to us, but to everybody?
        self._retell_at: int | None = None

    def publish(self, message: Message) -> None:
        """Say `message`; a `Played` waits for its receipt from then on."""
        self._streams.publish(message)
        if isinstance(message, Played):
            self._untold[message.window] = message
            if len(self._untold) > MAX_UNTOLD:
                del self._untold[min(self._untold)]

    def take(self, receipt: Played) -> None:
        """`receipt` came back; what is missing before it is told again in a while."""
        self._untold.pop(receipt.window, None)
        if self._retell_at is None and min(self._untold, default=receipt.window) < receipt.window:
            self._retell_at = receipt.window + RETELL_WINDOWS
        if self._retell_at is not None:
            self._doubtful[receipt.window] = receipt
            if receipt.window >= self._retell_at:
                self._retell(receipt.window)

    def close(self) -> None:
        """Tell everything once more that may not have been heard by all."""
        self._retell(max(self._untold, default=0) + 1)
        self._untold.clear()

    def _retell(self, before: int) -> None:
        lost = {window: played for window, played in self._untold.items() if window < before}
        again = {**lost, **self._doubtful} if lost else {}
        for window in sorted(again):
            self._streams.publish(again[window])
        self._doubtful.clear()
        self._retell_at = None
