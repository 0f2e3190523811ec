"""The decision model of Bujard et al. 2025, as published, for comparison on our labels.

A transformer decoder (Vaswani et al. 2017): own past through causal self-attention, the guide
through cross-attention; 6 layers, 12 heads, width 768, feed-forward 2048, dropout 0.1. What the
paper leaves open is decided here: learned embeddings, sinusoidal positions, labels and silence as
one alphabet of K + 1, and a mask on the guide, so that with shift s the answer of window t rests on
windows ≤ t − s (the paper's own runs are offline and see the whole guide).

Shape letters: B sequences, T windows, C width, K labels.
"""

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from torch import Tensor, nn


class PaperConfig(BaseModel, frozen=True, extra="forbid"):
    """Size and training of the published configuration."""

    n_layers: int = Field(default=6, ge=1, description="Decoder layers.")
    n_heads: int = Field(default=12, ge=1, description="Attention heads; divides width.")
    width: int = Field(default=768, ge=2, description="Features per position.")
    feed_forward: int = Field(default=2048, ge=1, description="Inner width of the MLP.")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="Share dropped in training.")
    learning_rate: float = Field(default=1e-6, gt=0, description="Of Adam.")
    batch_size: int = Field(default=24, ge=1, description="Sequences in a step.")
    weight_decay: float = Field(default=1e-5, ge=0, description="Of Adam.")
    sequence_seconds: float = Field(default=15.0, gt=0, description="Length of a sequence.")
    overlap_seconds: float = Field(default=5.0, ge=0, description="Of neighbouring sequences.")
    sampling_decay: float = Field(
        default=0.9, gt=0, le=1, description="Share of true own past, to the power of the epoch."
    )
    seed: int = Field(default=0, ge=0, description="Of weights, draws and dropout.")
    bfloat16: bool = Field(default=False, description="Mixed precision: matrices in bfloat16.")


class PaperTransformer(nn.Module):
    """The network; K + 1 outcomes, silence last.

    Args:
        config: size.
        n_labels: K.
        shift: windows between the last heard and the answered one, ≥ 0.
    """

    def __init__(self, config: PaperConfig, n_labels: int, shift: int = 1) -> None:
        super().__init__()
        self.config, self.n_labels, self.shift = config, n_labels, shift
        self.heard_embedding = nn.Embedding(n_labels + 1, config.width)
        self.own_embedding = nn.Embedding(n_labels + 2, config.width)  # K + 1 opens a sequence
        layer = nn.TransformerDecoderLayer(
            config.width, config.n_heads, config.feed_forward, config.dropout, batch_first=True
        )
        self.decoder = nn.TransformerDecoder(layer, config.n_layers)
        self.head = nn.Linear(config.width, n_labels + 1)

    def forward(self, heard: Tensor, before: Tensor) -> Tensor:
        """Logits (B, T, K + 1) of every window.

        Args:
            heard: (B, T) int64, 0..K, K for silence.
            before: (B, T) int64, own label of the window before, K + 1 at the start.
        """
        n = heard.shape[1]
        places = torch.arange(n)
        later = places[None, :] > places[:, None]
        # Window 0 may rest on nothing of the guide; a place that opens the guide stands for that.
        memory = torch.cat([torch.zeros_like(heard[:, :1]) + self.n_labels, heard], dim=1)
        hidden = torch.arange(n + 1)[None, :] > places[:, None] + 1 - self.shift
        position = _sinusoids(n + 1, self.config.width)
        scale = math.sqrt(self.config.width)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config.bfloat16):
            stream = self.decoder(
                self.own_embedding(before) * scale + position[:n],
                self.heard_embedding(memory) * scale + position,
                tgt_mask=later,
                memory_mask=hidden,
            )
            logits: Tensor = self.head(stream)
        return logits.float()

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """All weights by name, for storing."""
        return {name: t.detach().numpy().copy() for name, t in self.state_dict().items()}

    def load_arrays(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Take over stored weights."""
        self.load_state_dict({n: torch.from_numpy(np.array(a)) for n, a in arrays.items()})


def _sinusoids(n: int, width: int) -> Tensor:
    """Positions (n, width), Vaswani et al. 2017, section 3.5."""
    rates = 10000.0 ** -(torch.arange(0, width, 2) / width)
    angles = torch.arange(n)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)
