"""The end of the music: whatever is given fades to silence on the output's sample clock."""

import numpy as np

from agents.action.fades import release
from agents.messages import Audio


class FadeOut:
    """Follows the output and, once its end is known, fades the last of it.

    Args:
        n_samples: length of the fade, ≥ 1.
    """

    def __init__(self, n_samples: int) -> None:
        self.position = 0
        self.end: int | None = None
        """Where silence is reached, samples of the output; None while nobody knows."""
        self._curve = np.append(release(n_samples), np.zeros((1, 1), np.float32), axis=0)

    def end_at(self, sample: int) -> None:
        """Be silent from `sample` on, unless an earlier end is known."""
        self.end = sample if self.end is None else min(self.end, sample)

    def begin(self) -> int:
        """Start to fade with the next block; gives where silence is reached."""
        self.end_at(self.position + len(self._curve) - 1)
        assert self.end is not None
        return self.end

    def faded(self, block: Audio) -> Audio:
        """The next block of the output, (frames, channels), as it shall sound."""
        start = self.position
        self.position += len(block)
        fade = len(self._curve) - 1
        if self.end is None or self.position <= self.end - fade:
            return block
        done = np.arange(start, self.position) - (self.end - fade)
        gain = np.where(done[:, None] < 0, np.float32(1), self._curve[np.clip(done, 0, fade)])
        faded: Audio = block * gain
        return faded
