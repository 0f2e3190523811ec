"""What every ear listens with: the recent samples in, frames of features out.

An encoder is causal and stateless: it is handed the newest samples, the last of which is the last
of the window, and describes the frames that *end* inside that window. Who keeps the samples is
the `Ear`, so a pretrained or a learned encoder needs nothing but `encode`.
"""

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from models.descriptors import Descriptors

__all__ = ["Encoder", "EncoderName", "build_encoder"]

EncoderName = Literal["descriptors"]


class Encoder(Protocol):
    """Samples to features, made for one sample rate and one window length."""

    @property
    def history_samples(self) -> int:
        """How many of the newest samples `encode` needs, those of the window included."""
        ...

    @property
    def feature_dim(self) -> int:
        """Numbers per frame, D."""
        ...

    def encode(self, history: NDArray[np.float32]) -> NDArray[np.float32]:
        """Describe the window that ends with the last sample.

        Args:
            history: mono, finite, full scale ±1, shape (history_samples,), oldest first.

        Returns:
            Features of the frames that end inside the window, oldest first, shape (frames, D);
            the number of frames depends on the window length alone.
        """
        ...


def build_encoder(name: EncoderName, sample_rate: int, window_seconds: float) -> Encoder:
    """The encoder called `name`, made for a rate and a window length.

    Args:
        name: "descriptors", the hand-made pitch descriptors.
        sample_rate: samples per second of everything that it will hear.
        window_seconds: length of a window, seconds, > 0.

    Raises:
        ValueError: unknown name, or a rate or window out of range.
    """
    if name != "descriptors":
        raise ValueError(f"encoder must be 'descriptors', got {name!r}; choose the one there is")
    return Descriptors(sample_rate, window_seconds)
