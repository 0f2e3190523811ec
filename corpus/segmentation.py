"""The window grid: exact sample boundaries T_k = k·Δ, shared by training, memory and stage.

Window k holds the samples [boundary(k), boundary(k + 1)). Boundaries are floors of exact
rationals, never a rounded number of feature frames, so a label cannot drift against its audio.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


def exact_seconds(seconds: float | str | Fraction) -> Fraction:
    """Δ as the rational that its decimal spelling means: 0.35 is 7/20, not a binary neighbour."""
    return seconds if isinstance(seconds, Fraction) else Fraction(str(seconds))


@dataclass(frozen=True)
class WindowGrid:
    """A uniform grid of windows on a sample clock.

    Args:
        sample_rate: samples per second, ≥ 1.
        window_seconds: Δ, exact, > 0; give it through `exact_seconds`.
    """

    sample_rate: int
    window_seconds: Fraction

    def __post_init__(self) -> None:
        if self.sample_rate < 1:
            raise ValueError(f"sample_rate must be at least 1 Hz, got {self.sample_rate}")
        if self.window_seconds * self.sample_rate < 1:
            raise ValueError(
                f"a window must hold at least one sample, got {self.window_seconds} s "
                f"at {self.sample_rate} Hz"
            )

    def boundary(self, window: int) -> int:
        """The first sample of `window`: floor(window · Δ · rate)."""
        exact = self._window_samples
        return window * exact.numerator // exact.denominator

    def boundaries(self, n_windows: int) -> NDArray[np.int64]:
        """First samples of windows 0..n_windows, shape (n_windows + 1,)."""
        return np.array([self.boundary(k) for k in range(n_windows + 1)], dtype=np.int64)

    def n_whole_windows(self, n_samples: int) -> int:
        """How many windows lie wholly inside the first `n_samples` samples."""
        return self.window_of(n_samples)

    def window_of(self, sample: int) -> int:
        """The window that holds `sample`: the largest k with boundary(k) ≤ sample."""
        exact = self._window_samples
        guess = sample * exact.denominator // exact.numerator
        while self.boundary(guess + 1) <= sample:
            guess += 1
        return guess

    @cached_property
    def _window_samples(self) -> Fraction:
        """Samples in a window, exact."""
        return self.window_seconds * self.sample_rate

    @property
    def longest_window_samples(self) -> int:
        """The largest number of samples that any window of this grid holds."""
        return self._window_samples.__ceil__()
