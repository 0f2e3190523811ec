"""Onset strength of a window and of its parts, from short frames: beside the label, never in it."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.descriptors import amplitude_taper, fast_length, frame_indices

FRAME_SECONDS: Final = 512 / 22050
HOP_SECONDS: Final = 0.01
PART_SECONDS: Final = 0.05
N_BANDS: Final = 32
LOWEST_HZ: Final = 60.0
HIGHEST_HZ: Final = 8000.0
LAG_FRAMES: Final = 2
COMPRESSION: Final = 1000.0
WEAKEST_ATTACK: Final = 0.05
"""Strength below which nothing is an attack; vibrato and beats stay below it."""
WEAKEST_SHARE: Final = 0.2
"""Of a track's strong attacks, what an attack must have at least."""
STRONG_PERCENTILE: Final = 90


class OnsetStrength:
    """Mean half-wave rectified log-spectral flux over a window.

    Frames of 23 ms, 10 ms apart, in bands of equal width in log-frequency, each compared with the
    strongest of its neighbours two frames before, so that beats and vibrato do not count (Böck
    and Widmer 2013, SuperFlux). For a window of 0.25 s a held chord gives about 0.015, an attack
    out of silence about 0.14.

    Args:
        sample_rate: samples per second, ≥ 4000.
        window_seconds: length of a window, seconds, > 0.
    """

    def __init__(self, sample_rate: int, window_seconds: float) -> None:
        self.n_parts = max(1, round(window_seconds / PART_SECONDS))
        """Parts in which a window is measured, about 50 ms each."""
        frame_samples = round(FRAME_SECONDS * sample_rate)
        self._indices = frame_indices(
            frame_samples, HOP_SECONDS, sample_rate, window_seconds, before=LAG_FRAMES
        )
        self._n_fft = fast_length(frame_samples)
        self._taper = amplitude_taper(frame_samples)
        self._bands = _band_filters(sample_rate, self._n_fft)

    @property
    def history_samples(self) -> int:
        """How many of the newest samples `measure` needs."""
        return int(-self._indices.min())

    def measure(self, history: NDArray[np.float32]) -> float:
        """Onset strength, ≥ 0, of the window that ends with the last sample.

        Args:
            history: newest samples, mono, finite, shape (≥ history_samples,), oldest first.
        """
        return self.measure_parts(history)[0]

    def measure_parts(self, history: NDArray[np.float32]) -> tuple[float, tuple[float, ...]]:
        """Onset strength of the window, and the strongest moment in each of its parts.

        Args:
            history: newest samples, mono, finite, shape (≥ history_samples,), oldest first.
        """
        frames = history[self._indices] * self._taper
        spectrum = np.abs(np.fft.rfft(frames, self._n_fft, axis=1))[:, : self._bands.shape[0]]
        bands = np.log1p(COMPRESSION * (spectrum @ self._bands))
        before = bands[:-LAG_FRAMES].copy()
        before[:, 1:] = np.maximum(before[:, 1:], bands[:-LAG_FRAMES, :-1])
        before[:, :-1] = np.maximum(before[:, :-1], bands[:-LAG_FRAMES, 1:])
        flux = np.maximum(bands[LAG_FRAMES:] - before, 0.0)
        parts = np.array_split(flux.mean(axis=1), self.n_parts)
        return float(flux.mean()), tuple(float(part.max()) for part in parts)


def attack_events(attacks: NDArray[np.float32]) -> NDArray[np.bool_]:
    """In which parts of successive windows a track has attacks, (windows, parts).

    An attack is a part stronger than its neighbours that stands out from the track.

    Args:
        attacks: strongest onset in each part, ≥ 0, (windows, parts).
    """
    strength = attacks.ravel()
    audible = strength[strength > WEAKEST_ATTACK / 2]
    strong = np.percentile(audible, STRONG_PERCENTILE) if audible.size else 0.0
    least = max(WEAKEST_ATTACK, WEAKEST_SHARE * float(strong))
    before, after = np.append(0.0, strength[:-1]), np.append(strength[1:], 0.0)
    events = (strength >= before) & (strength > after) & (strength > least)
    return events.reshape(attacks.shape)


def _band_filters(sample_rate: int, n_fft: int) -> NDArray[np.float32]:
    """Which bins each band averages, shape (bins, bands); bands without a bin are left out."""
    highest = min(HIGHEST_HZ, sample_rate / 2)
    edges = np.geomspace(LOWEST_HZ, HIGHEST_HZ, N_BANDS + 1)
    frequencies = np.arange(int(highest * n_fft / sample_rate) + 1) * sample_rate / n_fft
    inside = (frequencies[:, None] >= edges[:-1]) & (frequencies[:, None] < edges[1:])
    inside = inside[:, inside.any(axis=0)]
    return (inside / inside.sum(axis=0)).astype(np.float32)
