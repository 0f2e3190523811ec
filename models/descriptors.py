"""The `descriptors` encoder: which pitches sound, and as little as possible of who plays them.

Each frame gives 12 chroma (C first, unit length) and 6 tonal centroid coordinates (times 2). The
frame is 186 ms long at any sample rate, so nothing is resampled on the way. The spectrum is read
at the semitones, compressed, and freed of its local mean; what stands out above both neighbours is
a peak. A peak that lower peaks explain as their 2nd, 3rd or 4th partial is weakened, and the more
so the higher it lies above G5, before the octaves are folded. Timbre lives in just those partials
and in the local mean: little of it reaches the features.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FEATURE_DIM",
    "Descriptors",
    "amplitude_taper",
    "fast_length",
    "frame_indices",
    "pitch_filters",
    "rotate_features",
]

FloatArray = NDArray[np.float32]

FRAME_SECONDS: Final = 4096 / 22050
HOP_SECONDS: Final = 0.05
LOWEST_PITCH: Final = 36
HIGHEST_PITCH: Final = 103
FILTER_SEMITONES: Final = 0.35
COMPRESSION: Final = 100.0
LOCAL_SEMITONES: Final = 3
PARTIALS: Final = ((12, 0.6), (19, 0.5), (24, 0.3))
CENTROID_WEIGHT: Final = 2.0
HIGHEST_FULL_PITCH: Final = 79
HIGH_DECAY_SEMITONES: Final = 6.0
QUIETEST_PARTIAL: Final = 1e-5
N_CHROMA: Final = 12
FEATURE_DIM: Final = 18


class Descriptors:
    """Chroma and tonal centroid of the frames that end inside a window.

    Frames end at the window's end and at equal steps of about 50 ms before it; they reach back
    into what was heard before the window. Silence gives zeros. Below D#3 a reed (odd partials)
    may be read as its fifth partial, a third too high.

    Args:
        sample_rate: samples per second, 4000 to 384000.
        window_seconds: length of a window, seconds, > 0.

    Raises:
        ValueError: a rate or a window length out of range.
    """

    def __init__(self, sample_rate: int, window_seconds: float) -> None:
        if not 4000 <= sample_rate <= 384_000:
            raise ValueError(
                f"sample_rate must be in 4000..384000 Hz, got {sample_rate}; resample the audio"
            )
        if not window_seconds > 0:
            raise ValueError(f"window_seconds must be above 0, got {window_seconds}")
        frame_samples = round(FRAME_SECONDS * sample_rate)
        self._indices = frame_indices(frame_samples, HOP_SECONDS, sample_rate, window_seconds)
        self._n_fft = fast_length(frame_samples)
        self._taper = amplitude_taper(frame_samples)
        self._filters, self._n_bins = pitch_filters(
            sample_rate, frame_samples, self._n_fft, LOWEST_PITCH, HIGHEST_PITCH
        )
        self._sharpen = _local_mean_remover()
        self._explain = _partial_suppressor()
        self._fold = _octave_fold()
        self._centroid = _tonal_centroid_basis()

    @property
    def history_samples(self) -> int:
        """How many of the newest samples `encode` needs."""
        return int(-self._indices.min())

    @property
    def feature_dim(self) -> int:
        """12 chroma and 6 tonal centroid coordinates."""
        return FEATURE_DIM

    def encode(self, history: FloatArray) -> FloatArray:
        """Chroma and tonal centroid per frame, shape (frames, 18), finite for finite input.

        Args:
            history: newest samples, mono, finite, shape (≥ history_samples,), oldest first.
        """
        chroma = self.salience(history) @ self._fold
        length = np.sqrt(np.sum(chroma * chroma, axis=1, keepdims=True))
        total = np.sum(chroma, axis=1, keepdims=True)
        chroma_unit = chroma / np.maximum(length, 1e-9)
        centroid = (chroma / np.maximum(total, 1e-9)) @ self._centroid
        return np.concatenate([chroma_unit, centroid], axis=1).astype(np.float32, copy=False)

    def salience(self, history: FloatArray) -> FloatArray:
        """How strongly each semitone sounds as a note of its own, shape (frames, semitones), ≥ 0.

        Args:
            history: newest samples, mono, finite, shape (≥ history_samples,), oldest first.
        """
        frames = history[self._indices] * self._taper
        spectrum = np.fft.rfft(frames, self._n_fft, axis=1)[:, : self._n_bins]
        pitches = np.abs(spectrum) @ self._filters
        strongest = np.maximum(pitches.max(axis=1, keepdims=True), QUIETEST_PARTIAL)
        compressed = np.log1p(COMPRESSION * pitches / strongest)
        raised = np.maximum(compressed @ self._sharpen, 0.0)
        above = compressed[:, 1:] - compressed[:, :-1]
        raised[:, 1:] *= above >= 0
        raised[:, :-1] *= above <= 0
        return np.maximum(raised @ self._explain, 0.0)


def frame_indices(
    frame_samples: int,
    hop_seconds: float,
    sample_rate: float,
    window_seconds: float,
    before: int = 0,
) -> NDArray[np.int64]:
    """Where the frames of a window lie, counted back from its end (-1 is the last sample).

    The last frame ends with the window; the others at equal steps near `hop_seconds` before, all
    inside the window: places that do not move when window lengths alternate by one sample.

    Args:
        frame_samples: samples per frame, ≥ 1.
        hop_seconds: the step wished for, seconds.
        sample_rate: samples per second.
        window_seconds: length of a window, seconds.
        before: further frames wanted before those of the window, ≥ 0.

    Returns:
        Negative indices, shape (before + frames, frame_samples), oldest frame first.
    """
    n_frames = max(1, round(window_seconds / hop_seconds))
    steps = np.arange(n_frames + before)[::-1]
    ends = np.rint(steps * (window_seconds / n_frames) * sample_rate).astype(np.int64)
    return np.arange(-frame_samples, 0)[None, :] - ends[:, None]


def amplitude_taper(frame_samples: int) -> FloatArray:
    """Hann window scaled so that a full-scale sine has a peak of 1 in the magnitude spectrum."""
    taper = np.hanning(frame_samples + 1)[:-1]
    return (taper * 2.0 / taper.sum()).astype(np.float32)


def fast_length(n_samples: int) -> int:
    """The smallest transform length ≥ `n_samples` without a prime factor above 5."""
    length = n_samples
    while True:
        rest = length
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 1


def rotate_features(features: FloatArray, semitones: int) -> FloatArray:
    """The features that the same music gives when played `semitones` higher.

    Exact for the features of one frame and for their mean, as rotation is linear.

    Args:
        features: from `Descriptors`, shape (..., 18), or from `LearnedEar`, (..., n · 12).
        semitones: any integer; only its remainder by 12 matters.

    Returns:
        The same shape, float32.
    """
    if features.shape[-1] % N_CHROMA == 0:  # blocks of pitch classes
        n_blocks = features.shape[-1] // N_CHROMA
        blocks = features.reshape(*features.shape[:-1], n_blocks, N_CHROMA)
        return np.roll(blocks, semitones, axis=-1).reshape(features.shape).astype(np.float32)
    chroma = np.roll(features[..., :N_CHROMA], semitones, axis=-1)
    centroid = features[..., N_CHROMA:].reshape(*features.shape[:-1], 3, 2)
    angles = _TURNS * semitones
    sine, cosine = centroid[..., 0], centroid[..., 1]
    turned = np.stack(
        [
            sine * np.cos(angles) + cosine * np.sin(angles),
            cosine * np.cos(angles) - sine * np.sin(angles),
        ],
        axis=-1,
    )
    return np.concatenate(
        [chroma, turned.reshape(*features.shape[:-1], 6)], axis=-1, dtype=np.float32
    )


# Harte, Sandler and Gasser (2006): angle per semitone on the circles of fifths, minor thirds and
# major thirds, and their radii.
_TURNS: Final = np.array([7 * np.pi / 6, 3 * np.pi / 2, 2 * np.pi / 3])
_RADII: Final = np.array([1.0, 1.0, 0.5])


def _tonal_centroid_basis() -> FloatArray:
    """(12, 6): sine and cosine of each pitch class on the three circles, weighted."""
    angles = np.arange(N_CHROMA)[:, None] * _TURNS
    basis = np.stack([np.sin(angles), np.cos(angles)], axis=-1) * _RADII[:, None]
    return (CENTROID_WEIGHT * basis.reshape(N_CHROMA, 6)).astype(np.float32)


def _n_pitches() -> int:
    return HIGHEST_PITCH - LOWEST_PITCH + 1


def pitch_filters(
    sample_rate: float, frame_samples: int, n_fft: int, lowest: int, highest: int
) -> tuple[FloatArray, int]:
    """Bell-shaped filters, one per semitone, shape (bins, semitones), and the bins they need.

    A bell is a third of a semitone wide, but never narrower than the main lobe of the taper. A
    sine at its centre gives its amplitude, at any pitch and rate. Above 0.95 of the Nyquist
    frequency there are no filters (zeros).

    Args:
        sample_rate: samples per second.
        frame_samples: length of a frame.
        n_fft: length of the transform, ≥ frame_samples.
        lowest: MIDI number of the first semitone.
        highest: of the last.
    """
    centres = 440.0 * 2.0 ** ((np.arange(lowest, highest + 1) - 69) / 12)
    highest_hz = min(centres[-1] * 2 ** (2 / 12), sample_rate / 2)
    n_bins = min(int(highest_hz * n_fft / sample_rate) + 2, n_fft // 2 + 1)
    frequencies = np.arange(n_bins) * sample_rate / n_fft
    lobe = sample_rate / frame_samples
    widths = np.maximum(centres * (2 ** (FILTER_SEMITONES / 12) - 1), 0.75 * lobe)
    apart = frequencies[:, None] - centres
    bells = np.exp(-0.5 * (apart / widths) ** 2)
    bells[np.abs(apart) > 3 * widths] = 0.0
    offset = apart / lobe
    hann_lobe = np.abs(np.sinc(offset) / np.where(np.abs(offset) == 1, 1e-9, 1 - offset**2))
    hann_lobe = np.where(np.abs(offset) < 2, hann_lobe, 0.0)
    response = np.sum(bells * hann_lobe, axis=0)
    bells = np.where(centres < 0.95 * sample_rate / 2, bells / np.maximum(response, 1e-9), 0.0)
    return bells.astype(np.float32), n_bins


def _local_mean_remover() -> FloatArray:
    """Matrix that subtracts from each semitone the mean of those around it, itself included."""
    n = _n_pitches()
    near = np.abs(np.subtract.outer(np.arange(n), np.arange(n))) <= LOCAL_SEMITONES
    return (np.eye(n) - near / near.sum(axis=0)).astype(np.float32)


def _partial_suppressor() -> FloatArray:
    """Matrix that takes from each semitone what the partials of lower ones explain."""
    n = _n_pitches()
    matrix = np.eye(n)
    for interval, share in PARTIALS:
        matrix -= share * np.eye(n, k=interval)
    return matrix.astype(np.float32)


def _octave_fold() -> FloatArray:
    """Matrix that sums the octaves of each pitch class, C first, shape (semitones, 12).

    Up to G5 they count in full, above ever less: up there partials outnumber notes. On rendered
    pop melodies this raised the agreement between two instruments from 46 to 70 % (K = 64).
    """
    pitch = np.arange(LOWEST_PITCH, HIGHEST_PITCH + 1)
    weight = np.exp(-np.maximum(pitch - HIGHEST_FULL_PITCH, 0) / HIGH_DECAY_SEMITONES)
    return (np.eye(N_CHROMA)[pitch % N_CHROMA] * weight[:, None]).astype(np.float32)
