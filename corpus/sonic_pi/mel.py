"""Mel spectrograms in the one resolution that sketches, atlas and real audio share.

64 bands from 40 Hz to 12 kHz, frames of 2048 samples at 44.1 kHz (46.4 ms). Values are powers,
averaged over channels and over a frame, so that a sound's pan does not matter and powers add up.
"""

import math
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "FRAME_SECONDS", "N_BANDS", "PLAIN", "SAMPLE_RATE", "Floats", "band_hertz",
    "band_widths", "high_pass", "low_pass", "mel_spectrogram", "shifted_bands",
]  # fmt: skip

SAMPLE_RATE: Final = 44_100
N_BANDS: Final = 64
FRAME_SAMPLES: Final = 2048
FRAME_SECONDS: Final = FRAME_SAMPLES / SAMPLE_RATE
_LOWEST_HERTZ: Final = 40.0
_HIGHEST_HERTZ: Final = 12_000.0
_WINDOW_SAMPLES: Final = 2048
_HOP_SAMPLES: Final = 1024

Floats = NDArray[np.float32]


def mel_spectrogram(audio: ArrayLike) -> Floats:
    """The mel power spectrogram of real audio.

    Args:
        audio: shape (samples,) or (samples, channels), at 44.1 kHz.

    Returns:
        Shape (64, frames), frames = samples // 2048, ≥ 0.

    Raises:
        ValueError: the audio has another shape.
    """
    signal = np.asarray(audio, dtype=np.float32)
    if signal.ndim == 1:
        signal = signal[:, None]
    if signal.ndim != 2:
        raise ValueError(
            f"audio must have shape (samples,) or (samples, channels), got {signal.shape}"
        )
    n_frames = len(signal) // FRAME_SAMPLES
    if not n_frames:
        return np.zeros((N_BANDS, 0), dtype=np.float32)
    window = np.hanning(_WINDOW_SAMPLES).astype(np.float32)
    padded = np.pad(signal[: n_frames * FRAME_SAMPLES], ((512, 512), (0, 0)))
    power = np.zeros((2 * n_frames, _WINDOW_SAMPLES // 2 + 1), dtype=np.float32)
    for channel in padded.T:
        hops = np.lib.stride_tricks.sliding_window_view(channel, _WINDOW_SAMPLES)[::_HOP_SAMPLES]
        power[: len(hops)] += np.abs(np.fft.rfft(hops * window, axis=1)) ** 2
    power /= signal.shape[1] * float(np.sum(window**2)) * _WINDOW_SAMPLES / 2
    frames = power.reshape(n_frames, 2, -1).mean(axis=1)
    return np.ascontiguousarray(_filters() @ frames.T)


def _to_mel(hertz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return 2595.0 * np.log10(1.0 + np.asarray(hertz) / 700.0)


def _from_mel(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(700.0 * (10.0 ** (mel / 2595.0) - 1.0))


@lru_cache(maxsize=1)
def _edges() -> NDArray[np.float64]:
    ends = _to_mel(_LOWEST_HERTZ), _to_mel(_HIGHEST_HERTZ)
    return _from_mel(np.linspace(*ends, N_BANDS + 2))


@lru_cache(maxsize=1)
def band_hertz() -> NDArray[np.float64]:
    """Centres of the bands in hertz, shape (64,)."""
    return _edges()[1:-1]


@lru_cache(maxsize=1)
def _filters() -> Floats:
    edges = _edges()
    bins = np.fft.rfftfreq(_WINDOW_SAMPLES, 1 / SAMPLE_RATE)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    shape = np.maximum(0.0, np.minimum(rising, falling))
    thin = shape.sum(axis=1) < 1.0  # narrower than a bin: share the nearest bins
    distance = np.abs(bins[None, :] - centre)
    shape[thin] = np.maximum(0.0, 1.0 - distance[thin] / bins[1])
    return shape.astype(np.float32)


def shifted_bands(spectra: Floats, semitones: ArrayLike) -> Floats:
    """Spectra moved along log frequency.

    Args:
        spectra: shape (n, 64), powers.
        semitones: shape (n,), up > 0.

    Returns:
        Shape (n, 64): each keeps its power but for what leaves the range of the bands.
    """
    steps, which = np.unique(np.asarray(semitones, dtype=np.float64), return_inverse=True)
    ratio = 2.0 ** (steps / 12.0)
    low, high = float(_to_mel(_LOWEST_HERTZ)), float(_to_mel(_HIGHEST_HERTZ))
    place = _to_mel(band_hertz() / ratio[:, None])
    place = (place - low) * ((N_BANDS + 1) / (high - low)) - 1.0
    floor = np.floor(place)
    index = np.minimum(np.maximum(floor.astype(np.int64) + 1, 0), N_BANDS + 1)
    after = np.minimum(np.maximum(floor.astype(np.int64) + 2, 0), N_BANDS + 1)
    widths = band_widths()
    scale = widths / ratio[:, None]
    second = ((place - floor) * scale).astype(np.float32)
    first = scale.astype(np.float32) - second
    density = np.zeros((len(spectra), N_BANDS + 3), dtype=np.float32)
    np.divide(spectra, widths, out=density[:, 1:-2])
    rows = (np.arange(len(spectra)) * density.shape[1])[:, None]
    moved = density.take(rows + index[which]) * first[which]
    moved += density.take(rows + after[which]) * second[which]
    return moved


@lru_cache(maxsize=1)
def band_widths() -> Floats:
    """Widths of the bands in hertz, shape (64,)."""
    edges = _edges()
    return ((edges[2:] - edges[:-2]) / 2).astype(np.float32)


PLAIN: Final = 1.0 - math.sqrt(2.0)
"""The resonance at which a filter is as flat as can be (Butterworth)."""


def low_pass(cutoff: ArrayLike, resonance: ArrayLike = PLAIN) -> Floats:
    """Power response of two-pole low-pass filters.

    Args:
        cutoff: MIDI numbers, shape (...).
        resonance: `PLAIN`, or Sonic Pi's `res` from 0 to 1; broadcast against `cutoff`.

    Returns:
        Shape (..., 64).
    """
    corner = 440.0 * 2.0 ** ((np.asarray(cutoff, dtype=np.float64)[..., None] - 69.0) / 12.0)
    return _two_poles(band_hertz() / corner, resonance)


def high_pass(cutoff: ArrayLike, resonance: ArrayLike = PLAIN) -> Floats:
    """Power response of two-pole high-pass filters; arguments as for `low_pass`."""
    corner = 440.0 * 2.0 ** ((np.asarray(cutoff, dtype=np.float64)[..., None] - 69.0) / 12.0)
    return _two_poles(corner / band_hertz(), resonance)


def _two_poles(ratio: NDArray[np.float64], resonance: ArrayLike) -> Floats:
    width = 1.0 - np.minimum(np.asarray(resonance, dtype=np.float64)[..., None], 0.95)
    response = 1.0 / ((1.0 - ratio**2) ** 2 + (width * ratio) ** 2)
    return np.minimum(response, 60.0).astype(np.float32)
