"""A second way to say how music sounds, for evaluation only: it must agree with the first unasked.

Nothing here is shared with `sound_descriptors`: bands are spaced by octave thirds, time enters as
the modulation spectrum of each band (how strongly its envelope beats at which rate), timbre as
spectral contrast (Jiang et al. 2002) and zero crossings. A ranker that was fitted to the first
embedding and only flatters it shows here.
"""

import itertools
from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

from models.audio_embedding import Standardiser

__all__ = ["MODULATION_DIM", "ModulationSpace", "modulation_description"]

SAMPLE_RATE: Final = 22_050
FRAME, HOP = 1024, 256
BAND_EDGES_HZ: Final = 40.0 * 2.0 ** (np.arange(25) / 3)  # 40 Hz to 10.2 kHz
RATE_EDGES_HZ: Final = np.array([0.3, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.7, 8.0, 11.3, 16.0])
CONTRAST_EDGES_HZ: Final = np.array([60.0, 200, 400, 800, 1600, 3200, 6400, 11000])
CONTRAST_SHARE: Final = 0.2
_N_BANDS, _N_RATES, _N_CONTRASTS = len(BAND_EDGES_HZ) - 1, len(RATE_EDGES_HZ) - 1, 7
MODULATION_DIM: Final = _N_BANDS * _N_RATES + 4 * _N_CONTRASTS + 2
_BLOCK_STARTS: Final = (0, _N_BANDS * _N_RATES, MODULATION_DIM)


def modulation_description(samples: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """Modulation spectrum, contrast and zero crossings, shape (MODULATION_DIM,), finite.

    Args:
        samples: shape (samples,) or (samples, channels), finite; at least 0.1 s.
        sample_rate: samples per second, ≥ 4000.

    Raises:
        ValueError: too short, not finite, or a rate out of range.
    """
    if sample_rate < 4000 or len(samples) < sample_rate / 10 or not np.isfinite(samples).all():
        raise ValueError(
            "samples must be finite, at least 0.1 s at 4000 Hz or more, got "
            f"{len(samples)} at {sample_rate} Hz"
        )
    mono = samples.mean(axis=1) if samples.ndim == 2 else samples
    mono = soxr.resample(mono.astype(np.float64), sample_rate, SAMPLE_RATE)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(mono, FRAME // 2), FRAME)[::HOP]
    magnitude = np.abs(np.fft.rfft(frames * np.blackman(FRAME), axis=1))
    hz = np.fft.rfftfreq(FRAME, 1 / SAMPLE_RATE).astype(np.float64)
    crossings = (np.diff(np.signbit(frames), axis=1)).mean(axis=1)
    parts = [
        _modulation(magnitude, hz),
        *_contrast(magnitude, hz),
        np.array([crossings.mean(), crossings.std()]),
    ]
    return np.concatenate(parts).astype(np.float32)


def _modulation(magnitude: NDArray[np.float64], hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of each band's envelope energy at each rate, cube-rooted, bands one after the other."""
    envelopes = np.stack(
        [
            np.sqrt((magnitude[:, _band(hz, low, high)] ** 2).sum(axis=1))
            for low, high in itertools.pairwise(BAND_EDGES_HZ)
        ]
    )
    strength = np.abs(np.fft.rfft(envelopes * np.hanning(envelopes.shape[1]), axis=1)) ** 2
    rates = np.fft.rfftfreq(envelopes.shape[1], HOP / SAMPLE_RATE)
    still = (envelopes**2).sum(axis=1) * envelopes.shape[1] + 1e-9
    pooled = [
        strength[:, (rates >= low) & (rates < high)].sum(axis=1) / still
        for low, high in itertools.pairwise(RATE_EDGES_HZ)
    ]
    return np.asarray(np.cbrt(np.stack(pooled, axis=1)).ravel())


def _contrast(
    magnitude: NDArray[np.float64], hz: NDArray[np.float64]
) -> tuple[NDArray[np.float64], ...]:
    """Peaks over valleys and valleys of seven bands in dB: mean and deviation of both."""
    loudest = max(float(magnitude.max()), 1e-9)
    peaks, valleys = [], []
    for low, high in itertools.pairwise(CONTRAST_EDGES_HZ):
        ordered = np.sort(magnitude[:, _band(hz, low, high)], axis=1) / loudest
        n = max(1, round(CONTRAST_SHARE * ordered.shape[1]))
        peaks.append(20 * np.log10(ordered[:, -n:].mean(axis=1) + 1e-4))
        valleys.append(20 * np.log10(ordered[:, :n].mean(axis=1) + 1e-4))
    contrast, valley = np.stack(peaks) - np.stack(valleys), np.stack(valleys)
    return contrast.mean(axis=1), contrast.std(axis=1), valley.mean(axis=1), valley.std(axis=1)


def _band(hz: NDArray[np.float64], low: float, high: float) -> NDArray[np.bool_]:
    """Bins of a band; the nearest one if it is narrower than a bin."""
    inside = (hz >= low) & (hz < high)
    if not inside.any():
        inside[np.abs(hz - np.sqrt(low * high)).argmin()] = True
    return inside


class ModulationSpace:
    """Standardised, balanced points of modulation descriptions, compared by Euclidean distance.

    Args:
        standardiser: fitted to descriptions of shape (n, MODULATION_DIM).
    """

    def __init__(self, standardiser: Standardiser) -> None:
        self._standardiser = standardiser

    @classmethod
    def fit(cls, descriptions: NDArray[np.float32]) -> "ModulationSpace":
        """From the descriptions of many sounds; errors as `Standardiser.fit`."""
        return cls(Standardiser.fit(descriptions))

    def embed(self, descriptions: NDArray[np.float32]) -> NDArray[np.float32]:
        """Points, shape (n, MODULATION_DIM)."""
        points = self._standardiser.apply(descriptions)
        for start, stop in itertools.pairwise(_BLOCK_STARTS):
            points[:, start:stop] /= np.sqrt(stop - start)
        return points
