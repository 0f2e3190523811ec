"""Whether the stage has time to spare: what ranking looks at before it has programs rendered."""

from collections import deque
from typing import Final

from agents.messages import Played

REMEMBERED_WINDOWS: Final = 16
"""How long trouble is remembered, windows."""
MOST_TROUBLED: Final = 1
"""Windows of these that may have been in trouble without the stage counting as strained."""


class StageLoad:
    """Follows what the loudspeaker says of each window.

    A window was in trouble if its fresh answer took more than 3/4 of the budget Δ/4 or did not
    come, if the plan had run out, or if blocks had no sound ready. Ranking is to step back before
    the budget is used up, so three quarters of it count.

    Args:
        window_seconds: Δ, > 0.
    """

    def __init__(self, window_seconds: float) -> None:
        self._most_seconds = 0.75 * window_seconds / 4
        self._troubled: deque[bool] = deque(maxlen=REMEMBERED_WINDOWS)

    def take(self, played: Played) -> None:
        """Let one window count."""
        late = played.reaction_seconds is None or played.reaction_seconds > self._most_seconds
        self._troubled.append(late or played.reason == "missed" or played.underruns > 0)

    @property
    def is_strained(self) -> bool:
        """More than one of the last 16 windows was in trouble."""
        return sum(self._troubled) > MOST_TROUBLED
