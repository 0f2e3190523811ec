"""Fades on the sample clock: tables read by absolute position, so blocks of any size agree.

Weights are float32 of shape (frames, 1), taken at the middle of each sample; a table is computed
once and sliced, which makes the rendered samples independent of how rendering is cut into blocks.
"""

import numpy as np
from numpy.typing import NDArray

from agents.messages import Audio

Weights = NDArray[np.float32]


class Crossfade:
    """The gains of a join of fixed length: equal-power for strangers, linear for the same signal.

    Args:
        n_samples: length of the join in samples, ≥ 1.
    """

    def __init__(self, n_samples: int) -> None:
        if n_samples < 1:
            raise ValueError(f"a crossfade must last at least one sample, got {n_samples}")
        self.n_samples = n_samples
        middle = (np.arange(n_samples) + 0.5) / n_samples
        self._linear: Weights = middle.astype(np.float32)[:, None]
        self._rising: Weights = np.sin(0.5 * np.pi * middle).astype(np.float32)[:, None]
        self._falling: Weights = np.cos(0.5 * np.pi * middle).astype(np.float32)[:, None]

    def join(self, under: Audio, over: Audio, offset: int, *, coherent: bool) -> None:
        """Bring `over` in above `under`, in place in `under`; both (frames, channels).

        Args:
            under: what sounds already; holds the result afterwards.
            over: what enters.
            offset: samples of the join already behind us, ≥ 0; offset + frames ≤ n_samples.
            coherent: the two are the same signal: equal-gain, exact where they agree.
        """
        span = slice(offset, offset + len(under))
        if coherent:
            under += self._linear[span] * (over - under)
        else:
            under *= self._falling[span]
            under += self._rising[span] * over


def release(n_samples: int) -> Weights:
    """A raised cosine from 1 to 0, shape (n_samples, 1)."""
    middle = (np.arange(n_samples) + 0.5) / max(n_samples, 1)
    return (0.5 * (1.0 + np.cos(np.pi * middle))).astype(np.float32)[:, None]


class MasterGain:
    """One gain over everything, moved by straight ramps on the sample clock; starts at 1."""

    def __init__(self) -> None:
        self._start = 0
        self._length = 1
        self._from = 1.0
        self._to = 1.0

    def move(self, target: float, position: int, n_samples: int) -> None:
        """Go to `target` (0 to 1) within `n_samples` (≥ 1) from `position` on."""
        self._from = self._value(position - 1)
        self._start, self._length, self._to = position, n_samples, target

    @property
    def target(self) -> float:
        """Where the gain is, or is going."""
        return self._to

    def _value(self, position: int) -> float:
        done = min(max(position - self._start + 1, 0) / self._length, 1.0)
        return self._from + (self._to - self._from) * done

    def apply(self, samples: Audio, position: int) -> None:
        """Scale `samples` (frames, channels), the first of which lies at `position`, in place."""
        if position >= self._start + self._length - 1:
            if self._to == 0.0:
                samples.fill(0.0)
            elif self._to != 1.0:
                samples *= np.float32(self._to)
            return
        steps = np.arange(position, position + len(samples)) - self._start + 1
        done = np.clip(steps / self._length, 0.0, 1.0)
        gain = self._from + (self._to - self._from) * done
        samples *= gain.astype(np.float32)[:, None]
