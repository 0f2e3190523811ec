"""The beat grid: windows that are a fraction of a beat, from a list of beats.

Same questions as `WindowGrid`, other windows: between two beats they divide the time evenly, so
their lengths follow the tempo. Where no beats are known, before the first and after the last, the
nearest beat's length goes on. At a steady tempo from 0 s on this is the `WindowGrid` of a
fraction of the beat, on which the stage plays.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from corpus.segmentation import exact_seconds

__all__ = ["BeatGrid", "tempo_of"]

USUAL: Final = 0.1
"""Share of the median by which a beat may be longer or shorter and still tells the tempo."""


@dataclass(frozen=True)
class BeatGrid:
    """Windows of a fraction of a beat on a sample clock; window 0 starts with the first sample.

    Args:
        sample_rate: samples per second, ≥ 1.
        beats: times of the beats, seconds, rising, two or more, none before 0.
        windows_per_beat: 1, 2, 3, …: an eighth is 2 in four-four time.
    """

    sample_rate: int
    beats: tuple[float, ...]
    windows_per_beat: int = 1

    def __post_init__(self) -> None:
        times = np.array(self.beats, dtype=np.float64)
        if self.sample_rate < 1 or self.windows_per_beat < 1:
            raise ValueError(
                "sample_rate and windows_per_beat must be at least 1, got "
                f"{self.sample_rate} and {self.windows_per_beat}"
            )
        if len(times) < 2 or not np.isfinite(times).all() or times[0] < 0:
            raise ValueError(f"there must be two beats or more, from 0 s on, got {len(times)}")
        if not (np.diff(times) * self.sample_rate >= self.windows_per_beat).all():
            raise ValueError(
                "every beat must come after the one before and every window hold at least one "
                "sample; give rising times or fewer windows per beat"
            )

    def boundary(self, window: int) -> int:
        """The first sample of `window`; window 0 begins at or before the first whole beat."""
        return int(self.boundaries(window)[window])

    def boundaries(self, n_windows: int) -> NDArray[np.int64]:
        """First samples of windows 0..n_windows, shape (n_windows + 1,), strictly rising."""
        exact = [exact_seconds(time) * self.sample_rate for time in self.beats]
        first, last = exact[1] - exact[0], exact[-1] - exact[-2]
        n_before = int(exact[0] // first)
        exact = [exact[0] - k * first for k in range(n_before, 0, -1)] + exact
        n_beats = n_windows // self.windows_per_beat + 2
        exact += [exact[-1] + k * last for k in range(1, n_beats - len(exact) + 1)]
        found = []
        for k in range(n_windows + 1):
            beat, part = divmod(k, self.windows_per_beat)
            step = (exact[beat + 1] - exact[beat]) / self.windows_per_beat
            found.append((exact[beat] + part * step).__floor__())
        return np.array(found, dtype=np.int64)

    def n_whole_windows(self, n_samples: int) -> int:
        """How many windows lie wholly inside the first `n_samples` samples."""
        n = self.windows_per_beat
        while self.boundary(n) <= n_samples:
            n *= 2
        return max(0, int(np.searchsorted(self.boundaries(n), n_samples, side="right")) - 1)

    def window_of(self, sample: int) -> int:
        """The window that holds `sample`; -1 before window 0."""
        if sample < self.boundary(0):
            return -1
        return self.n_whole_windows(sample)


def tempo_of(beats: Sequence[float]) -> float:
    """Beats per minute: by the mean of the beats that are about as long as their median.

    So neither a beat that was passed over counts, nor that beats found in sound lie on frames.

    Args:
        beats: seconds, rising, two or more.
    """
    lengths = np.diff(np.array(beats, dtype=np.float64))
    usual = np.median(lengths)
    return 60.0 / float(np.mean(lengths[np.abs(lengths - usual) <= USUAL * usual]))
