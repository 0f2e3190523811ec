"""What the room has heard in the last seconds: the sound that candidates may be near to."""

import math
from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agents.messages import AudioIn

LEAST_SECONDS: Final = 1.0
"""Less than this says nothing about how something sounds."""
SILENT_BELOW: Final = 1e-3
"""Peak under which a sound counts as silence."""


class RecentSound:
    """Keeps the newest windows of the live input.

    Args:
        sample_rate: of what comes, Hz.
        window_seconds: length of a window, > 0.
        seconds: how much is kept, > 0.
    """

    def __init__(self, sample_rate: int, window_seconds: float, seconds: float) -> None:
        self.sample_rate = sample_rate
        n_windows = max(1, math.ceil(seconds / window_seconds))
        self._windows: deque[NDArray[np.float32]] = deque(maxlen=n_windows)

    def take(self, heard: AudioIn) -> None:
        """Keep one more window, mixed to one channel."""
        self._windows.append(heard.samples.mean(axis=1, dtype=np.float32))

    def samples(self) -> NDArray[np.float32] | None:
        """The sound of the last seconds, (samples,); None if it is too short or silent."""
        if not self._windows:
            return None
        sound = np.concatenate(self._windows)
        if len(sound) < LEAST_SECONDS * self.sample_rate or np.abs(sound).max() < SILENT_BELOW:
            return None
        return sound
