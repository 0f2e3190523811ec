"""A third way to say how music sounds: the hidden layers of a pretrained Hugging Face audio model.

For evaluation, as `modulation_embedding`, with the same two steps: a description of each sound, and
a space fitted to many. Any model that reads raw audio will do (wav2vec 2.0, which the paper uses;
HuBERT; MERT). None comes with the project; name a hub id or a local folder.
"""

from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from models.audio_embedding import Standardiser
from models.hidden_layers import HiddenLayers

__all__ = ["PretrainedDescriber", "PretrainedSpace"]

FloatArray = NDArray[np.float32]


class PretrainedDescriber:
    """Sounds to the mean of all hidden layers of a model.

    Args:
        model: hub id or folder, as `HiddenLayers`.
        trust_remote_code: as `HiddenLayers`.

    Raises:
        ValueError: as `HiddenLayers`.
    """

    def __init__(self, model: Path | str, *, trust_remote_code: bool = False) -> None:
        self._layers = HiddenLayers(model, trust_remote_code=trust_remote_code)

    @property
    def name(self) -> str:
        """Which model, and a digest of its weights."""
        return self._layers.name

    def describe(self, samples: FloatArray, sample_rate: int) -> FloatArray:
        """One vector per sound, shape (width of the model,), finite.

        Args:
            samples: shape (samples,) or (samples, channels), finite; at least half a second.
            sample_rate: samples per second, > 0.

        Raises:
            ValueError: too short, not finite, or no rate.
        """
        if sample_rate <= 0:
            raise ValueError(f"sample_rate must be above 0, got {sample_rate}")
        mono = samples.mean(axis=1) if samples.ndim == 2 else samples
        heard = soxr.resample(mono.astype(np.float32), sample_rate, self._layers.sample_rate)
        return np.asarray(self._layers.encode(heard).mean(axis=0), dtype=np.float32)


class PretrainedSpace:
    """Standardised points of such descriptions, compared by Euclidean distance.

    Args:
        standardiser: fitted to descriptions of one model.
    """

    def __init__(self, standardiser: Standardiser) -> None:
        self._standardiser = standardiser

    @classmethod
    def fit(cls, descriptions: FloatArray) -> "PretrainedSpace":
        """From the descriptions of many sounds; errors as `Standardiser.fit`."""
        return cls(Standardiser.fit(descriptions))

    def embed(self, descriptions: FloatArray) -> FloatArray:
        """Points, shape (n, width), of descriptions of that shape."""
        points = self._standardiser.apply(descriptions)
        return points / np.float32(np.sqrt(points.shape[1]))
