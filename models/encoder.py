"""What every ear listens with: the recent samples in, frames of features out.

An encoder is causal and stateless: it is handed the newest samples, the last of which is the last
of the window, and describes the frames that *end* inside that window. Who keeps the samples is
the `Ear`, so a pretrained or a learned encoder needs nothing but `encode`.
"""

from pathlib import Path
from typing import Annotated, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from models.descriptors import Descriptors

__all__ = [
    "Encoder",
    "EncoderName",
    "LearnedConfig",
    "LiveHearing",
    "Precision",
    "PretrainedConfig",
    "build_encoder",
]

EncoderName = Literal["descriptors", "learned", "pretrained"]
Precision = Literal["float32", "bfloat16", "int8"]
EARS_FOLDER: Final = Path(__file__).with_name("ears")


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


class LearnedConfig(BaseModel, frozen=True, extra="forbid"):
    """Which learned ear."""

    weights: str = Field("pop", description="A name in models/ears, or a safetensors file.")
    digest: str = Field("", description="Of the weights' content, if they must be these.")

    @property
    def path(self) -> Path:
        """The file of the weights."""
        plain = self.weights and Path(self.weights).name == self.weights and "." not in self.weights
        return EARS_FOLDER / f"{self.weights}.safetensors" if plain else Path(self.weights)


class LiveHearing(BaseModel, frozen=True, extra="forbid"):
    """How much of the past a pretrained model hears at once, how exactly, with how many hands."""

    context_seconds: float = Field(2.0, gt=0, le=30, description="Heard at once, window included.")
    precision: Precision = Field("float32", description="Of the weights.")
    threads: int = Field(1, ge=1, le=64, description="Of the process that hears.")


class PretrainedConfig(LiveHearing, frozen=True, extra="forbid"):
    """Which Hugging Face model hears, and how."""

    model: str = Field(min_length=1, description="A folder of save_pretrained, or a hub id.")
    layer: Annotated[int, Field(ge=0)] | Literal["mean"] = Field(
        "mean", description="Hidden layer, 0 being the input of the first; or the mean of all."
    )
    trust_remote_code: bool = Field(False, description="Run Python files of the model.")


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
