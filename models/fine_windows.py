"""Fine windows: an ear made for one short length serves segments of every length.

Segments that are a fraction of a beat are as long as the tempo says; an encoder is made for one
length. So what it hears in fine windows of 50 ms is brought onto the segments, by one rule: in
training from features on disk (`on_grid`), live window by window (`FineEar`).
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.ear import Ear, EarConfig, Heard, build_ear
from models.energy_gate import EnergyGateConfig

__all__ = ["FINE_SECONDS", "FineEar", "build_fine_ear", "on_grid", "pool"]

_PER_SECOND: Final = 20
FINE_SECONDS: Final = 1 / _PER_SECOND
"""Length of a fine window, seconds."""


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
    """What an ear heard in fine windows, brought onto the windows of another grid.

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
        "energy_db": 10.0 * np.log10(np.maximum(beside[:, 0], 1e-12, dtype=np.float64)),
        "onset": beside[:, 1],
        "silent": beside[:, 2] > 1 - 1e-6,
    }


class FineEar(Ear):
    """Hears segments of any length by the fine windows that end in them, as `on_grid` does.

    Fine windows follow each other from the first sample heard since the start or the last reset,
    so up to 50 ms at the end of a segment are told with the next one.

    Args:
        fine: an ear made for windows of `FINE_SECONDS`; its own from now on.
        window_seconds: length of a segment, seconds, ≥ 0.1; in samples it may alternate by one.

    Raises:
        ValueError: segments too short, or an ear of other windows.
    """

    def __init__(self, fine: Ear, window_seconds: float) -> None:
        if fine.window_seconds != FINE_SECONDS or window_seconds < 2 * FINE_SECONDS:
            raise ValueError(
                f"segments must be {2 * FINE_SECONDS:g} s or longer and heard in windows of "
                f"{FINE_SECONDS:g} s, got {window_seconds:g} s in windows of "
                f"{fine.window_seconds:g} s; take longer segments"
            )
        self.sample_rate = fine.sample_rate
        self.window_seconds = float(window_seconds)
        self._fine = fine
        self._pending = np.zeros(0, dtype=np.float32)  # heard, but in no whole fine window yet
        self._position = 0  # samples heard
        self._n_fine = 0  # whole fine windows among them

    @property
    def n_parts(self) -> int:
        """Parts of a segment in which attacks are told, of 50 ms or a little more."""
        return int(self.window_seconds / FINE_SECONDS + 1e-9)

    @property
    def feature_dim(self) -> int:
        """Length D of the feature vector of a segment."""
        return self._fine.feature_dim

    def listen(self, window: NDArray[np.float32]) -> Heard:
        """Hear the next segment, which follows the one before without a gap.

        Args:
            window: mono, finite, full scale ±1, shape (n,), n within one sample of the length.

        Raises:
            ValueError: a segment of another shape or length.
        """
        self._check(window)
        begin, sound = self._position, np.concatenate([self._pending, window])
        self._position += len(window)
        heard, ends, place = [], [], self._end(self._n_fine)
        while (end := self._end(self._n_fine + 1)) <= self._position:
            heard.append(self._fine.listen(sound[: end - place]))
            ends.append(end)
            sound, place = sound[end - place :], end
            self._n_fine += 1
        self._pending = sound
        fields = {
            "features": np.array([one.features for one in heard], dtype=np.float32),
            "energy_db": np.array([one.energy_db for one in heard], dtype=np.float32),
            "onset": np.array([one.onset for one in heard], dtype=np.float32),
            "silent": np.array([one.silent for one in heard], dtype=np.bool_),
        }
        found = on_grid(fields, np.array(ends), np.array([begin, self._position]))
        strongest = [max(one.attacks) for one in heard]
        return Heard(
            features=np.asarray(found["features"][0], dtype=np.float32),
            energy_db=float(found["energy_db"][0]),
            onset=float(found["onset"][0]),
            silent=bool(found["silent"][0]),
            reference_db=heard[-1].reference_db,
            attacks=tuple(max(strongest[a:b]) for a, b in self._parts(len(heard))),
        )

    def skip(self, n_windows: int) -> None:
        """Let `n_windows` ≥ 0 segments pass that were never heard: they count as zeros."""
        if n_windows == 0:
            return
        before = self._n_fine
        self._stand_after(
            self._position + round(n_windows * self.window_seconds * self.sample_rate)
        )
        self._fine.skip(self._n_fine - before)

    def reset(self) -> None:
        """Forget everything heard."""
        self._fine.reset()
        self._stand_after(0)

    def restore(self, reference_db: float, n_heard: int = 0) -> None:
        """Start afresh, with the gate's reference of an earlier life, dBFS.

        Fine windows go on where they were: on the grid of a life that heard `n_heard` segments.
        """
        self._fine.restore(reference_db)
        self._stand_after(round(n_heard * self.window_seconds * self.sample_rate))

    def use_gate(self, gate_config: EnergyGateConfig) -> None:
        """Judge silence by another configuration from now on; forgets the reference."""
        self._fine.use_gate(gate_config)

    def _parts(self, n_fine: int) -> list[tuple[int, int]]:
        """Which of `n_fine` ≥ 1 fine windows make up each part: there may be one more or less."""
        edges = [part * n_fine // self.n_parts for part in range(self.n_parts + 1)]
        return [(a, max(a + 1, b)) for a, b in pairwise(edges)]

    def _stand_after(self, n_samples: int) -> None:
        """Be where so many samples have been heard; those since the last fine window as zeros."""
        self._position = n_samples
        self._n_fine = (_PER_SECOND * (n_samples + 1) - 1) // self.sample_rate
        self._pending = np.zeros(n_samples - self._end(self._n_fine), dtype=np.float32)

    def _end(self, n_fine: int) -> int:
        """The sample after the last of so many fine windows: floor(n · 50 ms · rate)."""
        return n_fine * self.sample_rate // _PER_SECOND


def build_fine_ear(config: EarConfig, sample_rate: int, window_seconds: float) -> FineEar:
    """The ear that `config` describes, for segments of `window_seconds`.

    Args:
        config: encoder, condenser and gate.
        sample_rate: samples per second of everything that it will hear.
        window_seconds: length of a segment, seconds, ≥ 0.1.

    Raises:
        ValueError: a rate or length out of range.
    """
    return FineEar(build_ear(config, sample_rate, FINE_SECONDS), window_seconds)
