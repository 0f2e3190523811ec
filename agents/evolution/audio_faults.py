"""Faults of a clip that no taste should excuse: five detectors, each from 0 (clean) to 1.

The five are those of EvoMusic (section IV-D), rebuilt so that each fires on its fault and not on
clean music. The published silence detector flags a tenth of any clip and never silence, and its
flux term punishes drums: here silence is an absolute level held for long, and a discontinuity is a
broadband burst *without* the decay that every struck thing has.
"""

from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from scipy.signal import lfilter

Samples = NDArray[np.float32]

_FULL_SCALE: Final = 0.985  # a sample at or above this may be clipped
_FLAT_SAMPLES: Final = 3  # that many in a row are: music peaks for one or two
_HARSH_HZ: Final = 8000.0
_CLICK_FRAME_SECONDS: Final = 0.0015
_CLICK_RISE_DB: Final = 15.0
_CLICK_LEVEL_DB: Final = -75.0
_ONSET_RISE: Final = 4.0  # in power
_HOLE_STEP: Final = 0.02  # full scale: no note that dies away ends with such a step
_FRAME_SECONDS: Final = 0.046


class FaultConfig(BaseModel, frozen=True, extra="forbid"):
    """From where on a fault counts, and how much it weighs in the penalty."""

    clipped_share: float = Field(
        default=0.02, gt=0, le=1, description="Share of clipped samples that is as bad as can be."
    )
    offset_from: float = Field(default=0.01, ge=0, description="|mean| that is still clean.")
    offset_to: float = Field(default=0.05, gt=0, description="|mean| that is as bad as can be.")
    harsh_from: float = Field(
        default=0.35, ge=0, lt=1, description="Lasting share above 8 kHz that is still clean."
    )
    harsh_to: float = Field(default=0.55, gt=0, le=1, description="Share as bad as can be.")
    clicks_per_second: float = Field(default=4.0, gt=0, description="Clicks as bad as can be.")
    silence_db: float = Field(default=-60.0, lt=0, description="Below is near-silence, dBFS.")
    silence_seconds: float = Field(
        default=1.5, gt=0, description="Shorter near-silences are rests and do not count."
    )
    weights: tuple[float, float, float, float, float] = Field(
        default=(1.0, 0.5, 0.5, 0.7, 1.0),
        description="Of clipping, offset, harshness, discontinuity, silence; each ≥ 0.",
    )


@dataclass(frozen=True)
class AudioFaults:
    """How bad each fault is, in [0, 1]."""

    clipping: float
    dc_offset: float
    harshness: float
    discontinuity: float
    silence: float

    def penalty(self, weights: tuple[float, ...]) -> float:
        """h(m): weighted sum of the faults, kept in [0, 1]; 0 for a clean clip."""
        return min(1.0, float(np.dot(weights, list(asdict(self).values()))))


CLEAN: Final = AudioFaults(0.0, 0.0, 0.0, 0.0, 0.0)


def find_faults(
    samples: Samples, sample_rate: int, config: FaultConfig | None = None
) -> AudioFaults:
    """All five faults of a clip.

    Args:
        samples: mono, finite, full scale ±1, shape (samples,), at least 50 ms.
        sample_rate: samples per second, ≥ 8000.
        config: where faults begin.

    Raises:
        ValueError: not mono, too short, not finite, or too low a rate.
    """
    if samples.ndim != 1 or len(samples) < 0.05 * sample_rate:
        raise ValueError(
            f"a clip must be mono and last at least 50 ms, got shape {samples.shape} "
            f"at {sample_rate} Hz"
        )
    if sample_rate < 8000:
        raise ValueError(f"sample_rate must be at least 8000 Hz, got {sample_rate}")
    if not np.isfinite(samples).all():
        raise ValueError("a clip must be finite, got NaN or infinity; check its generator")
    chosen = config or FaultConfig()
    seconds = len(samples) / sample_rate
    breaks = count_clicks(samples, sample_rate) + count_holes(samples, sample_rate)
    return AudioFaults(
        clipping=min(1.0, clipped_share(samples) / chosen.clipped_share),
        dc_offset=_ramp(abs(float(samples.mean())), chosen.offset_from, chosen.offset_to),
        harshness=_ramp(harsh_share(samples, sample_rate), chosen.harsh_from, chosen.harsh_to),
        discontinuity=min(1.0, breaks / max(1.0, seconds) / chosen.clicks_per_second),
        silence=silent_share(samples, sample_rate, chosen.silence_db, chosen.silence_seconds),
    )


def clipped_share(samples: Samples) -> float:
    """Share of samples in flat tops: three or more in a row at full scale."""
    loud = np.abs(samples) >= _FULL_SCALE
    edges = np.flatnonzero(np.diff(np.concatenate([[False], loud, [False]]).astype(np.int8)))
    lengths = edges[1::2] - edges[::2]
    return float(lengths[lengths >= _FLAT_SAMPLES].sum() / len(samples))


def harsh_share(samples: Samples, sample_rate: int) -> float:
    """Energy above 8 kHz that never goes away, relative to the mean energy of the clip, 0..1.

    Taken at the lower quartile of the frames: cymbals and shakers are as bright as hiss while
    they ring, but they fall; hiss, whistling and aliasing stay. 0 if 8 kHz cannot be heard at all.
    """
    spectrum, hz = _power_frames(samples, sample_rate)
    mean = float(spectrum.sum(axis=1).mean())
    if not mean > 0 or hz[-1] <= _HARSH_HZ:
        return 0.0
    bright = spectrum[:, hz >= _HARSH_HZ].sum(axis=1)
    return min(1.0, float(np.percentile(bright, 25)) / mean)


def count_clicks(samples: Samples, sample_rate: int) -> int:
    """Bursts that are over within 3 ms: splices, dropped blocks, stray samples.

    The signal is whitened by its second difference; a frame of 1.5 ms is a click if it rises far
    above both what was just before and what comes 3 to 12 ms after. A struck string, drum or
    cymbal still rings by then; and where it is louder afterwards, a note has begun, however hard.
    """
    frame = max(8, round(_CLICK_FRAME_SECONDS * sample_rate))
    rough = lfilter([1.0, -2.0, 1.0], [1.0], samples.astype(np.float64))[2:]
    n_frames = len(rough) // frame
    if n_frames < 24:
        return 0
    power = np.max(rough[: n_frames * frame].reshape(n_frames, frame) ** 2, axis=1)
    level = 10 * np.log10(power + 1e-14)
    middle = np.arange(10, n_frames - 10)
    around = level[middle[:, None] + np.array([-8, -7, -6, -5, -4, -3, -2])]
    after = level[middle[:, None] + np.array([2, 3, 4, 5, 6, 7, 8])]
    floor = np.maximum(around.max(axis=1), after.max(axis=1))
    is_click = (level[middle] > floor + _CLICK_RISE_DB) & (level[middle] > _CLICK_LEVEL_DB)
    loud = np.mean(samples[: n_frames * frame].reshape(n_frames, frame).astype(np.float64) ** 2, 1)
    sound_before = loud[middle[:, None] + np.array([-8, -7, -6, -5, -4, -3, -2])].mean(axis=1)
    sound_after = loud[middle[:, None] + np.array([2, 3, 4, 5, 6, 7, 8])].mean(axis=1)
    is_click &= sound_after < _ONSET_RISE * sound_before + 1e-9
    return int(np.sum(np.diff(np.concatenate([[False], is_click]).astype(np.int8)) == 1))


def count_holes(samples: Samples, sample_rate: int) -> int:
    """Places where sound stops from one sample to the next and is exactly zero for 1 ms or more."""
    zero = np.abs(samples) < 1e-7
    edges = np.flatnonzero(np.diff(np.concatenate([[False], zero, [False]]).astype(np.int8)))
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    starts = starts[(lengths >= sample_rate // 1000) & (starts > 0)]
    return int(np.sum(np.abs(samples[starts - 1]) >= _HOLE_STEP))


def silent_share(
    samples: Samples, sample_rate: int, silence_db: float, silence_seconds: float
) -> float:
    """Share of the clip spent in near-silences that last long; 1 for nothing but silence.

    Args:
        samples: mono.
        sample_rate: samples per second.
        silence_db: level (RMS of 46 ms) below which it is near-silent, dBFS.
        silence_seconds: shorter ones are rests; a clip that is silent throughout always counts.
    """
    size = max(1, round(_FRAME_SECONDS * sample_rate))
    n_frames = max(1, len(samples) // size)
    power = np.mean(
        samples[: n_frames * size].reshape(n_frames, -1).astype(np.float64) ** 2, axis=1
    )
    quiet = power < 10 ** (silence_db / 10)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]]).astype(np.int8)))
    lengths = edges[1::2] - edges[::2]
    long = lengths[(lengths * _FRAME_SECONDS >= silence_seconds) | (lengths == n_frames)]
    return float(long.sum() / n_frames)


def _power_frames(
    samples: Samples, sample_rate: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Power spectra of 46 ms frames, (frames, bins), and the frequency of each bin, Hz."""
    size = max(64, round(_FRAME_SECONDS * sample_rate))
    padded = np.pad(samples, (0, max(0, size - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[:: size // 2]
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)) ** 2
    return spectrum, np.fft.rfftfreq(size, 1 / sample_rate).astype(np.float64)


def _ramp(value: float, start: float, end: float) -> float:
    """0 up to `start`, 1 from `end` on, straight between."""
    return float(np.clip((value - start) / (end - start), 0.0, 1.0))
