"""Code meets sound: the dual MLP of the paper, its losses, and the regression that ranks better.

Reference: Kouteili, Madhu, Typaldos and Santolucito, "Embedding Alignment in Code Generation for
Audio" (2025). Two MLPs, hidden layers followed by BatchNorm and GELU, map text and audio embeddings
into one space; InfoNCE with cosine similarity (Eq. 1, code to audio only) pulls pairs together.
The paper speaks of L linear layers, but in its Table A2 d_hidden matters at L = 1: so L is read as
the number of *hidden* layers, before a linear output layer. It does not say how inputs are scaled,
nor the temperature, batch and optimiser; see `AlignmentConfig`.
"""

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from torch import Tensor, nn
from torch.nn import functional

from models.audio_embedding import Standardiser

__all__ = [
    "Alignment",
    "AlignmentConfig",
    "Loss",
    "alignment_loss",
    "info_nce",
    "soft_contrastive",
    "symmetric_info_nce",
]

FloatArray = NDArray[np.float32]
Loss = Literal["info_nce", "symmetric", "soft"]


class AlignmentConfig(BaseModel, frozen=True, extra="forbid"):
    """One dual MLP and how it is trained. The first four are those that the paper varies."""

    hidden_dim: int = Field(256, ge=1, description="d_hidden, width of hidden layers")
    output_dim: int = Field(128, ge=2, description="d_out, width of the common space")
    n_hidden_layers: int = Field(1, ge=0, le=16, description="L of each MLP; 0 is a linear map")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="of AdamW")
    loss: Loss = Field("info_nce", description="Eq. 1; both directions; or soft targets")
    temperature: float = Field(0.1, gt=0, le=10, description="τ of the cosine similarities")
    target_temperature: float = Field(
        0.5, gt=0, le=10, description="of soft targets, in mean distances of the batch"
    )
    batch_size: int = Field(128, ge=2, description="pairs in a step; the others are negatives")
    epochs: int = Field(30, ge=1, description="passes over the pairs")
    weight_decay: float = Field(1e-4, ge=0, description="of AdamW")


class Alignment(nn.Module):
    """Text (or other view) and audio embeddings to one space, each through an MLP of its own.

    Args:
        config: sizes.
        code_dim, audio_dim: width of the inputs, ≥ 1.
        seed: of the initial weights.
    """

    def __init__(self, config: AlignmentConfig, code_dim: int, audio_dim: int, seed: int) -> None:
        super().__init__()
        self.config = config
        self.code_mean: Tensor
        self.code_deviation: Tensor
        self.audio_mean: Tensor
        self.audio_deviation: Tensor
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.code = _mlp(config, code_dim)
            self.audio = _mlp(config, audio_dim)
        for name, dim in (("code", code_dim), ("audio", audio_dim)):
            self.register_buffer(f"{name}_mean", torch.zeros(dim))
            self.register_buffer(f"{name}_deviation", torch.ones(dim))

    def standardise_by(self, code: FloatArray, audio: FloatArray) -> None:
        """Scales inputs from now on by the mean and deviation of these examples."""
        for name, values in (("code", code), ("audio", audio)):
            fitted = Standardiser.fit(values)
            getattr(self, f"{name}_mean").copy_(torch.from_numpy(fitted.mean))
            deviation = np.where(fitted.deviation > 1e-6, fitted.deviation, 1.0)
            getattr(self, f"{name}_deviation").copy_(torch.from_numpy(deviation))

    def map_code(self, code: Tensor) -> Tensor:
        """Code embeddings (B, code_dim) to the common space (B, output_dim)."""
        return self.code((code - self.code_mean) / self.code_deviation)

    def map_audio(self, audio: Tensor) -> Tensor:
        """Audio embeddings (B, audio_dim) to the common space (B, output_dim)."""
        return self.audio((audio - self.audio_mean) / self.audio_deviation)

    def embed(self, code: FloatArray, audio: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Both views in evaluation mode, so that one pair alone gives what it gives among many.

        Args:
            code: (n, code_dim).
            audio: (m, audio_dim).

        Returns:
            Points of unit length, (n, output_dim) and (m, output_dim).
        """
        self.eval()
        with torch.inference_mode():
            points = self.map_code(torch.from_numpy(code)), self.map_audio(torch.from_numpy(audio))
        first, second = (functional.normalize(p, dim=1).numpy() for p in points)
        return first, second


def _mlp(config: AlignmentConfig, input_dim: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    width = input_dim
    for _ in range(config.n_hidden_layers):
        layers += [
            nn.Linear(width, config.hidden_dim),
            nn.BatchNorm1d(config.hidden_dim),
            nn.GELU(),
        ]
        width = config.hidden_dim
    layers.append(nn.Linear(width, config.output_dim))
    return nn.Sequential(*layers)


def _cosines(code: Tensor, audio: Tensor) -> Tensor:
    return functional.normalize(code, dim=1) @ functional.normalize(audio, dim=1).T  # (B, B)


def info_nce(code: Tensor, audio: Tensor, temperature: float) -> Tensor:
    """Eq. 1: mean over i of −log softmax_j(cos(c_i, a_j) / τ) at j = i; code to audio only."""
    logits = _cosines(code, audio) / temperature
    return functional.cross_entropy(logits, torch.arange(len(code)))


def symmetric_info_nce(code: Tensor, audio: Tensor, temperature: float) -> Tensor:
    """Mean of both directions (Radford et al. 2021)."""
    return 0.5 * (info_nce(code, audio, temperature) + info_nce(audio, code, temperature))


def soft_contrastive(
    code: Tensor, audio: Tensor, sounds: Tensor, temperature: float, target_temperature: float
) -> Tensor:
    """Cross-entropy against how near the sounds really are, not only against the one partner.

    Args:
        code: points of programs in the common space, (B, C).
        audio: points of their sounds, (B, C).
        sounds: audio embeddings that say how near two sounds are, (B, D).
        temperature: of the predicted cosines.
        target_temperature: of the targets softmax(−d / (T · mean d)).
    """
    apart = torch.cdist(sounds, sounds)  # (B, B)
    targets = functional.softmax(-apart / (target_temperature * apart.mean().clamp_min(1e-9)), 1)
    logits = _cosines(code, audio) / temperature
    there = functional.cross_entropy(logits, targets)
    back = functional.cross_entropy(logits.T, targets)
    return 0.5 * (there + back)


def alignment_loss(model: Alignment, code: Tensor, audio: Tensor) -> Tensor:
    """The loss that the model's config names, on a batch of pairs (B, code_dim), (B, audio_dim)."""
    config = model.config
    first, second = model.map_code(code), model.map_audio(audio)
    if config.loss == "info_nce":
        return info_nce(first, second, config.temperature)
    if config.loss == "symmetric":
        return symmetric_info_nce(first, second, config.temperature)
    return soft_contrastive(first, second, audio, config.temperature, config.target_temperature)
