"""Settings of what ears listen with: which learned ear, which pretrained model, and how."""

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field

__all__ = ["EncoderName", "LearnedConfig", "LiveHearing", "Precision", "PretrainedConfig"]

EncoderName = Literal["descriptors", "learned", "pretrained"]
Precision = Literal["float32", "bfloat16", "int8"]
EARS_FOLDER: Final = Path(__file__).with_name("ears")


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
