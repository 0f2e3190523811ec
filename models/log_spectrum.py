"""What a learned ear sees: how loud each semitone is, in a short and in a long frame.

The short frame (186 ms) tells notes apart in time, the long one (372 ms) in pitch, down to the
octave below the bass clef. Both end at the same moment, and nothing after it is looked at. A sine
gives its amplitude at any pitch and sample rate.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.descriptors import amplitude_taper, fast_length, frame_indices, pitch_filters

FloatArray = NDArray[np.float32]

FRAME_SECONDS: Final = (4096 / 22050, 8192 / 22050)
HOP_SECONDS: Final = 0.1
LEAST_RATE: Final = 20_000
"""At twice this rate and above, neighbouring samples are averaged: all pitches lie below 4 kHz."""
LOWEST_PITCH: Final = 33
HIGHEST_PITCH: Final = 104
N_PITCHES: Final = HIGHEST_PITCH - LOWEST_PITCH + 1
N_LENGTHS: Final = len(FRAME_SECONDS)


class LogSpectrum:
    """Amplitudes of 72 semitones (A1 to G#7) in frames of two lengths.

    Frames end at the window's end and at equal steps of about 100 ms before it.

    Args:
        sample_rate: samples per second, 4000 to 384000.
        window_seconds: length of a window, seconds, > 0.
        before: further frames wanted before those of the window, ≥ 0.

    Raises:
        ValueError: a rate or a window length out of range.
    """

    def __init__(self, sample_rate: int, window_seconds: float, before: int = 0) -> None:
        if not 4000 <= sample_rate <= 384_000:
            raise ValueError(
                f"sample_rate must be in 4000..384000 Hz, got {sample_rate}; resample the audio"
            )
        if not window_seconds > 0:
            raise ValueError(f"window_seconds must be above 0, got {window_seconds}")
        self._every = max(1, sample_rate // LEAST_RATE)
        rate = sample_rate / self._every
        self._lengths = [
            _Frames(rate, seconds, window_seconds, before) for seconds in FRAME_SECONDS
        ]

    @property
    def history_samples(self) -> int:
        """How many of the newest samples `amplitudes` needs."""
        return self._every * max(one.history_samples for one in self._lengths)

    def amplitudes(self, history: FloatArray) -> FloatArray:
        """Amplitude of every semitone, ≥ 0, shape (frames, 2, 72), oldest frame first.

        Args:
            history: newest samples, mono, finite, shape (≥ history_samples,), oldest first.
        """
        newest = history[len(history) - self.history_samples :].reshape(-1, self._every)
        thinned = newest.mean(axis=1, dtype=np.float32) if self._every > 1 else newest[:, 0]
        return np.stack([one.amplitudes(thinned) for one in self._lengths], axis=1)


class _Frames:
    """The frames of one length."""

    def __init__(
        self, sample_rate: float, frame_seconds: float, window_seconds: float, before: int
    ) -> None:
        n_samples = round(frame_seconds * sample_rate)
        self._indices = frame_indices(n_samples, HOP_SECONDS, sample_rate, window_seconds, before)
        self._n_fft = fast_length(n_samples)
        self._taper = amplitude_taper(n_samples)
        self._filters, self._n_bins = pitch_filters(
            sample_rate, n_samples, self._n_fft, LOWEST_PITCH, HIGHEST_PITCH
        )

    @property
    def history_samples(self) -> int:
        return int(-self._indices.min())

    def amplitudes(self, history: FloatArray) -> FloatArray:
        frames = history[self._indices] * self._taper
        spectrum = np.fft.rfft(frames, self._n_fft, axis=1)[:, : self._n_bins]
        return np.abs(spectrum) @ self._filters
