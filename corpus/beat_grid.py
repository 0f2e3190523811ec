"""The beat grid: windows that are a fraction of a beat, from a list of beats.

Same questions as `WindowGrid`, other windows: between two beats they divide the time evenly, so
their lengths follow the tempo. Where no beats are known, before the first and after the last, the
nearest beat's length goes on. An ear hears windows of one length only; its features are brought
onto this grid by `pool`, from a fine uniform grid.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

__all__ = ["BeatGrid", "on_grid", "pool"]


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
        exact = [Fraction(time) * self.sample_rate for time in self.beats]
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


def pool(
    features: NDArray[np.float32], ends: NDArray[np.int64], boundaries: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Features of windows: the mean of the fine frames that end inside each.

    Causal as the frames are. A window in which no frame ends takes the last one before its end
    (the first of all if there is none): windows should be longer than frames are apart.

    Args:
        features: of fine frames, shape (N, D), N ≥ 1.
        ends: the sample after the last of each frame, (N,), rising.
        boundaries: of the windows, (W + 1,), rising.

    Returns:
        Shape (W, D), float32.

    Raises:
        ValueError: not as many ends as frames, or none.
    """
    if len(features) == 0 or len(ends) != len(features):
        raise ValueError(
            f"there must be a frame, and an end for each, got {len(features)} and {len(ends)}"
        )
    total = np.concatenate(
        [np.zeros((1, features.shape[1])), np.cumsum(features, axis=0, dtype=np.float64)]
    )
    place = np.searchsorted(ends, boundaries, side="right")
    start, stop = place[:-1], place[1:]
    empty = start == stop
    start = np.where(empty, np.maximum(stop - 1, 0), start)
    stop = np.where(empty, start + 1, stop)
    pooled: NDArray[np.float32] = ((total[stop] - total[start]) / (stop - start)[:, None]).astype(
        np.float32
    )
    return pooled


def on_grid(
    heard: Mapping[str, NDArray[np.generic]],
    ends: NDArray[np.int64],
    boundaries: NDArray[np.int64],
) -> dict[str, NDArray[np.generic]]:
    """What an ear heard on a fine grid, brought onto the windows of another.

    Features and onset are means, levels are means of power, and a window is silent if all of its
    frames are.

    Args:
        heard: "features" (N, D), "energy_db" (N,), "onset" (N,), "silent" (N,).
        ends: the sample after the last of each fine window, (N,), rising.
        boundaries: of the windows, (W + 1,), rising.

    Returns:
        The same fields, W rows each.
    """
    power = 10.0 ** (np.asarray(heard["energy_db"], dtype=np.float32) / 10)
    columns = [power, heard["onset"], np.asarray(heard["silent"], dtype=np.float32)]
    beside = pool(np.stack(columns, axis=1).astype(np.float32), ends, boundaries)
    features = np.asarray(heard["features"], dtype=np.float32)
    return {
        "features": pool(features, ends, boundaries),
        "energy_db": 10.0 * np.log10(np.maximum(beside[:, 0], 1e-12)),
        "onset": beside[:, 1],
        "silent": beside[:, 2] > 1 - 1e-6,
    }
