"""A single-producer single-consumer ring of audio frames: no lock, no allocation but views.

One thread pushes, one other pulls; each owns one counter and only reads the other's. The counters
only grow, and each is moved after its samples have been copied, so what is counted is there.
"""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class RingBuffer:
    """Frames of `channels` numbers, first in first out, bounded.

    Args:
        capacity_frames: frames it holds at most, ≥ 1.
        channels: numbers per frame, ≥ 1.
        dtype: of the numbers; float32 for audio.

    Raises:
        ValueError: a size below 1.
    """

    def __init__(self, capacity_frames: int, channels: int, dtype: DTypeLike = np.float32) -> None:
        if capacity_frames < 1 or channels < 1:
            raise ValueError(
                "a ring must hold at least one frame of one channel, "
                f"got {capacity_frames} frames of {channels}"
            )
        self._frames: NDArray[Any] = np.zeros((capacity_frames, channels), dtype=dtype)
        self._capacity = capacity_frames
        self._pushed = 0
        self._pulled = 0

    @property
    def available(self) -> int:
        """Frames that can be pulled now."""
        return self._pushed - self._pulled

    @property
    def free(self) -> int:
        """Frames that can be pushed now."""
        return self._capacity - (self._pushed - self._pulled)

    def push(self, block: NDArray[Any]) -> int:
        """Append as much of `block` (frames, channels) as there is room; the frames taken.

        Producer's thread only. Does not block, does not allocate.
        """
        n = min(len(block), self.free)
        at = self._pushed % self._capacity
        first = min(n, self._capacity - at)
        self._frames[at : at + first] = block[:first]
        self._frames[: n - first] = block[first:n]
        self._pushed += n
        return n

    def pull_into(self, out: NDArray[Any]) -> int:
        """Fill `out` (frames, channels) from the oldest on; the frames given, the rest untouched.

        Consumer's thread only. Does not block, does not allocate.
        """
        n = min(len(out), self.available)
        at = self._pulled % self._capacity
        first = min(n, self._capacity - at)
        out[:first] = self._frames[at : at + first]
        out[first:n] = self._frames[: n - first]
        self._pulled += n
        return n

    def skip(self, n_frames: int) -> int:
        """Drop up to `n_frames` of the oldest; the frames dropped. Consumer's thread only."""
        n = min(n_frames, self.available)
        self._pulled += n
        return n
