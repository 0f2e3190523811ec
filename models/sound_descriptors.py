"""How ten seconds of music sound, in numbers: blocks for timbre, rhythm and harmony.

A `SoundPicture` is a mel spectrogram and a chromagram. It comes from audio (`picture_of`), or from
whoever can draw one without making sound: both are described by the same `describe`, so that what
is predicted and what is heard are comparable number by number. Descriptions do not depend on the
overall level.
"""

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final, Literal

import numpy as np
import soxr
from numpy.typing import NDArray

from models.compiled import compiled

__all__ = [
    "AXES",
    "BLOCKS",
    "DESCRIPTION_DIM",
    "Axis",
    "Block",
    "SoundPicture",
    "describe",
    "mel_filters",
    "picture_of",
]

Axis = Literal["timbre", "rhythm", "harmony"]
AXES: Final[tuple[Axis, ...]] = ("timbre", "rhythm", "harmony")

SAMPLE_RATE: Final = 22_050
N_MELS: Final = 64
LOWEST_HZ, HIGHEST_HZ = 40.0, 12_000.0
MEL_FFT, MEL_HOP = 1024, 512
HOPS_PER_FRAME: Final = 2
CHROMA_FFT, CHROMA_HOP = 4096, 2048
CHROMA_LOWEST_HZ, CHROMA_HIGHEST_HZ = 60.0, 2000.0
FLOOR_DB: Final = -70.0
N_MFCC: Final = 20
N_ONSET_BANDS: Final = 4
LAGS_SECONDS: Final = np.geomspace(0.1, 3.2, 40)
LEVEL_PERCENTILES: Final = (5, 25, 50, 75, 95)


@dataclass(frozen=True)
class Block:
    """Numbers of a description that belong together: `start` to `stop`, on one axis."""

    name: str
    axis: Axis
    start: int
    stop: int

    @property
    def slice(self) -> slice:
        """Where it is."""
        return slice(self.start, self.stop)


def _laid_out(*blocks: tuple[str, Axis, int]) -> tuple[Block, ...]:
    places, start = [], 0
    for name, axis, size in blocks:
        places.append(Block(name, axis, start, start + size))
        start += size
    return tuple(places)


BLOCKS: Final = _laid_out(
    ("mel", "timbre", 2 * N_MELS),
    ("mfcc", "timbre", 3 * N_MFCC),
    ("shape", "timbre", 13),
    ("onsets", "rhythm", N_ONSET_BANDS * (len(LAGS_SECONDS) + 3)),
    ("chroma", "harmony", 36),
)
DESCRIPTION_DIM: Final = BLOCKS[-1].stop


@dataclass(frozen=True, eq=False)
class SoundPicture:
    """A sound over time, as the descriptors see it.

    Args:
        mel: power in mel bands (`mel_filters`), ≥ 0, shape (64, frames), frames ≥ 1.
        mel_hop_seconds: time from frame to frame, > 0.
        chroma: power by pitch class, C first, ≥ 0, shape (12, chroma frames), frames ≥ 1.
    """

    mel: NDArray[np.float32]
    mel_hop_seconds: float
    chroma: NDArray[np.float32]

    def __post_init__(self) -> None:
        for name, array, bands in (("mel", self.mel, N_MELS), ("chroma", self.chroma, 12)):
            if array.ndim != 2 or array.shape[0] != bands or array.shape[1] < 1:
                raise ValueError(f"{name} must have shape ({bands}, ≥ 1), got {array.shape}")
        if not self.mel_hop_seconds > 0:
            raise ValueError(f"mel_hop_seconds must be above 0, got {self.mel_hop_seconds}")


def picture_of(samples: NDArray[np.float32], sample_rate: int) -> SoundPicture:
    """The picture of a sound.

    Args:
        samples: shape (samples,) or (samples, channels), finite; shorter than 0.2 s is padded.
        sample_rate: samples per second, ≥ 4000.

    Raises:
        ValueError: empty, not finite, or a rate out of range.
    """
    if sample_rate < 4000:
        raise ValueError(f"sample_rate must be at least 4000 Hz, got {sample_rate}")
    if samples.size == 0 or not np.isfinite(samples).all():
        raise ValueError(f"samples must be finite and not empty, got shape {samples.shape}")
    mono = samples.mean(axis=1) if samples.ndim == 2 else samples
    mono = soxr.resample(mono.astype(np.float32), sample_rate, SAMPLE_RATE)
    hops = mel_filters() @ power_spectrogram(mono, MEL_FFT, MEL_HOP)
    n_frames = max(1, hops.shape[1] // HOPS_PER_FRAME)
    whole = hops[:, : n_frames * HOPS_PER_FRAME]
    mel = whole.reshape(N_MELS, n_frames, -1).mean(axis=2)
    chroma = _chroma_filters() @ power_spectrogram(mono, CHROMA_FFT, CHROMA_HOP)
    return SoundPicture(mel, HOPS_PER_FRAME * MEL_HOP / SAMPLE_RATE, chroma)


def power_spectrogram(mono: NDArray[np.float32], n_fft: int, hop: int) -> NDArray[np.float32]:
    """Power of Hann-windowed frames, shape (bins, frames); the ends are padded with zeros."""
    padded = np.pad(mono, n_fft // 2)
    padded = np.pad(padded, (0, max(0, n_fft - len(padded))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop]
    spectrum = np.fft.rfft(frames * np.hanning(n_fft + 1)[:-1].astype(np.float32), axis=1)
    return (spectrum.real**2 + spectrum.imag**2).T.astype(np.float32)


@cache
def mel_filters() -> NDArray[np.float32]:
    """Triangles of height one on the mel scale (O'Shaughnessy 1987), shape (64, bins)."""
    mel = np.linspace(_hz_to_mel(LOWEST_HZ), _hz_to_mel(HIGHEST_HZ), N_MELS + 2)
    edges = 700.0 * (10 ** (mel / 2595.0) - 1.0)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    hz = np.arange(MEL_FFT // 2 + 1) * SAMPLE_RATE / MEL_FFT
    triangles = np.maximum(
        0.0, np.minimum((hz - low) / (centre - low), (high - hz) / (high - centre))
    )
    thin = (triangles.sum(axis=1) < 1.0) & (centre[:, 0] < hz[-1])
    nearest = np.maximum(0.0, 1.0 - np.abs(hz - centre) / hz[1])
    triangles[thin] = nearest[thin]  # narrower than a bin: shares the two nearest
    return triangles.astype(np.float32)


def _hz_to_mel(hz: float) -> float:
    return float(2595.0 * np.log10(1.0 + hz / 700.0))


@cache
def _chroma_filters() -> NDArray[np.float32]:
    """Each bin to its nearest pitch classes, bell-shaped, low pitches first, shape (12, bins)."""
    hz = np.arange(1, CHROMA_FFT // 2 + 1) * SAMPLE_RATE / CHROMA_FFT
    pitch = 69 + 12 * np.log2(hz / 440.0)
    apart = (pitch[None, :] - np.arange(12)[:, None] + 6) % 12 - 6
    bells = np.exp(-0.5 * (apart / 0.5) ** 2)
    bells *= (hz >= CHROMA_LOWEST_HZ) & (hz <= CHROMA_HIGHEST_HZ)
    return np.pad(bells, ((0, 0), (1, 0))).astype(np.float32)


def describe(picture: SoundPicture) -> NDArray[np.float32]:
    """All blocks of a picture, shape (DESCRIPTION_DIM,), finite; silence gives a fixed vector."""
    power = _levelled(picture.mel)
    decibels = 10 * np.log10(power)
    parts = (
        _statistics(decibels)[:2].ravel(),
        _statistics(_cosines() @ decibels).ravel(),
        _shape_block(power, decibels),
        _onset_block(decibels, picture.mel_hop_seconds),
        _chroma_block(picture.chroma),
    )
    return np.concatenate(parts).astype(np.float32)


def _levelled(mel: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mel power relative to the mean power of a frame, nowhere below FLOOR_DB."""
    power = mel.astype(np.float64)
    power /= max(float(power.sum()) / power.shape[1], 1e-30)
    return np.maximum(power, 10 ** (FLOOR_DB / 10), out=power)


@compiled
def _statistics(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean, deviation and mean absolute change of every row, (3, rows)."""
    n_rows, n_frames = rows.shape
    made = np.zeros((3, n_rows))
    for row in range(n_rows):
        values = rows[row]
        total = spread = change = 0.0
        for frame in range(n_frames):
            total += values[frame]
        mean = total / n_frames
        for frame in range(n_frames):
            spread += (values[frame] - mean) ** 2
        for frame in range(1, n_frames):
            change += abs(values[frame] - values[frame - 1])
        made[0, row], made[1, row] = mean, np.sqrt(spread / n_frames)
        made[2, row] = change / max(n_frames - 1, 1)
    return made


@cache
def _cosines() -> NDArray[np.float64]:
    """Discrete cosine transform (type II), coefficients 1 to 20, shape (20, 64)."""
    k, n = np.arange(1, N_MFCC + 1)[:, None], np.arange(N_MELS)[None, :]
    return np.asarray(np.sqrt(2 / N_MELS) * np.cos(np.pi * k * (2 * n + 1) / (2 * N_MELS)))


def _shape_block(power: NDArray[np.float64], decibels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centroid, width, roll-off, flatness (mean, deviation); then five levels of the dynamics."""
    curves, total = _shape_curves(power, decibels)
    level = 10 * np.log10(np.maximum(total / total.mean(), 10 ** (FLOOR_DB / 10)))
    mean, deviation = _weighted(curves, total / total.sum())  # loud frames count
    return np.concatenate([mean, deviation, _levels(level)])


@compiled
def _shape_curves(
    power: NDArray[np.float64], decibels: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centroid, width, roll-off, flatness in every frame, (4, frames), and power, (frames,)."""
    n_bands, n_frames = power.shape
    total, first, second = np.zeros(n_frames), np.zeros(n_frames), np.zeros(n_frames)
    loudness, below, curves = np.zeros(n_frames), np.zeros(n_frames), np.zeros((4, n_frames))
    for band in range(n_bands):
        for frame in range(n_frames):
            total[frame] += power[band, frame]
            first[frame] += power[band, frame] * band
            second[frame] += power[band, frame] * (band * band)
            loudness[frame] += decibels[band, frame]
    for band in range(n_bands):
        for frame in range(n_frames):
            below[frame] += power[band, frame]
            curves[2, frame] += 1.0 if below[frame] < 0.85 * total[frame] else 0.0
    for frame in range(n_frames):
        centroid = first[frame] / total[frame]
        curves[0, frame] = centroid
        curves[1, frame] = np.sqrt(max(second[frame] / total[frame] - centroid**2, 0.0))
        curves[3, frame] = 10 ** (loudness[frame] / n_bands / 10) / (total[frame] / n_bands)
    return curves, total


def _weighted(
    curves: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and deviation of curves, (curves,) each, frames counting by their weight."""
    mean = curves @ weight
    return mean, np.sqrt(np.maximum(((curves - mean[:, None]) ** 2) @ weight, 0.0))


def _levels(level: NDArray[np.float64]) -> NDArray[np.float64]:
    """LEVEL_PERCENTILES of a curve, interpolated."""
    places = np.array(LEVEL_PERCENTILES) / 100 * (len(level) - 1)
    return np.interp(places, np.arange(len(level)), np.sort(level))


def _onset_block(decibels: NDArray[np.float64], hop_seconds: float) -> NDArray[np.float64]:
    """Per band of four: autocorrelation of the onset curve, its mean, deviation and peak rate."""
    low, high, share, inside = _between_frames(decibels.shape[1], hop_seconds)
    block = _onsets(decibels, N_ONSET_BANDS, low, high, share * inside, inside)
    block[:, -1] /= decibels.shape[1] * hop_seconds
    return block.ravel()


@compiled
def _onsets(
    decibels: NDArray[np.float64],
    n_curves: int,
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    share: NDArray[np.float64],
    inside: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The onset block, peaks counted; `low`, … as `_between_frames` gives them."""
    n_bands, n_frames = decibels.shape
    width, n_lags = n_bands // n_curves, len(low)
    made = np.zeros((n_curves, n_lags + 3))
    for which in range(n_curves):
        curve = np.zeros(n_frames)
        for band in range(which * width, (which + 1) * width):
            for frame in range(1, n_frames):
                rise = decibels[band, frame] - decibels[band, frame - 1]
                curve[frame] += max(rise, 0.0)
        mean = energy = 0.0
        for frame in range(n_frames):
            curve[frame] /= width
            mean += curve[frame] / n_frames
        for frame in range(n_frames):
            curve[frame] -= mean
            energy += curve[frame] ** 2
        deviation = np.sqrt(energy / n_frames)
        for frame in range(1, n_frames - 1):
            is_top = curve[frame - 1] < curve[frame] >= curve[frame + 1]
            made[which, n_lags + 2] += is_top and curve[frame] > deviation
        made[which, n_lags], made[which, n_lags + 1] = mean, deviation
        if energy <= 1e-9:
            continue
        for lag in range(n_lags):
            at_low = at_high = 0.0
            for frame in range(n_frames - low[lag]):
                at_low += curve[frame] * curve[frame + low[lag]]
            for frame in range(n_frames - high[lag]):
                at_high += curve[frame] * curve[frame + high[lag]]
            made[which, lag] = (at_low * inside[lag] + (at_high - at_low) * share[lag]) / energy
    return made


@lru_cache(maxsize=64)
def _between_frames(n_frames: int, hop_seconds: float) -> tuple[NDArray[Any], ...]:
    """Where LAGS_SECONDS fall: frames before and after, share of the latter, 1 if inside."""
    lags = LAGS_SECONDS / hop_seconds
    floor = lags.astype(np.int64)
    low, high = np.minimum(floor, n_frames - 1), np.minimum(floor + 1, n_frames - 1)
    return low, high, lags - floor, (lags <= n_frames - 1).astype(np.float64)


def _chroma_block(chroma: NDArray[np.float32]) -> NDArray[np.float64]:
    """Chroma and tonal centroid: mean over time (loud frames count), deviation and change."""
    amplitude = np.sqrt(chroma.astype(np.float64))
    total = amplitude.sum(axis=0)
    if not total.sum() > 0:
        return np.zeros(36)
    share = amplitude / np.maximum(total, 1e-9)
    weight = total / total.sum()
    curves = np.concatenate([share, _tonal_basis().T @ share])
    return np.concatenate(_weighted(curves, weight))


@cache
def _tonal_basis() -> NDArray[np.float64]:
    """Tonal centroid of each pitch class (Harte, Sandler and Gasser 2006), shape (12, 6)."""
    turns = np.array([7 * np.pi / 6, 3 * np.pi / 2, 2 * np.pi / 3])
    angles = np.arange(12)[:, None] * turns
    radii = np.array([1.0, 1.0, 0.5])
    return np.concatenate([radii * np.sin(angles), radii * np.cos(angles)], axis=1)
