"""What every ear listens with: the recent samples in, frames of features out.

An encoder is causal and stateless: it is handed the newest samples, the last of which is the last
of the window, and describes the frames that *end* inside that window. Who keeps the samples is
the `Ear`, so a pretrained or a learned encoder needs nothing but `encode`.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.descriptors import Descriptors
from models.encoder_config import EncoderName, LearnedConfig, PretrainedConfig

__all__ = ["Encoder", "build_encoder"]


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


def build_encoder(
    name: EncoderName,
    sample_rate: int,
    window_seconds: float,
    learned: LearnedConfig | None = None,
    pretrained: PretrainedConfig | None = None,
) -> Encoder:
    """The encoder called `name`, made for a rate and a window length.

    Args:
        name: "descriptors", the hand-made pitch descriptors; "learned", a network trained here;
            "pretrained", a model of Hugging Face.
        sample_rate: samples per second of everything that it will hear.
        window_seconds: length of a window, seconds, > 0.
        learned: which learned ear.
        pretrained: which model; needed for "pretrained".

    Raises:
        ValueError: unknown name, a rate or window out of range, or weights that cannot be used.
    """
    if name == "descriptors":
        return Descriptors(sample_rate, window_seconds)
    if name == "learned":
        from models.learned_ear import EarWeights, LearnedEar

        config = learned or LearnedConfig()
        return LearnedEar(EarWeights.load(config.path, config.digest), sample_rate, window_seconds)
    if name == "pretrained":
        if pretrained is None:
            raise ValueError(
                "the encoder 'pretrained' must have a model, got none; name its folder or hub id "
                "in ear.pretrained.model"
            )
        from models.pretrained_encoder import PretrainedEncoder

        return PretrainedEncoder(pretrained, sample_rate, window_seconds)
    raise ValueError(
        f"encoder must be 'descriptors', 'learned' or 'pretrained', got {name!r}; choose one"
    )
