"""AlignerV2: listeners and songs in one space, where near means liked (Bonat et al., EvoMusic).

A song arrives as layers (of a pretrained encoder, or the views of `descriptors`); a learned gate
weighs them, song by song. A listener is a row of a table. Both pass feed-forward blocks with skip
connections and GELU into a shared space of unit vectors; taste is their cosine, in [−1, 1].

Few songs are learned by heart by a feed-forward tower; `n_landmarks` puts a tower in its place that
compares songs, with a learned gate as well.

Where we differ from the published code: dropout keeps what it should keep and its result is used;
every layer has a projection of its own before the gate, as our layers are not alike.
"""

import math
from typing import Final

import torch
from pydantic import BaseModel, Field
from torch import Tensor, nn
from torch.nn import functional

from models.dropout import drop
from models.kernel_tower import KernelTower, layer_distances

COLDEST: Final = 0.02
"""Lowest temperature of InfoNCE: below, one song takes all."""
HOTTEST: Final = 1.0


class TasteConfig(BaseModel, frozen=True, extra="forbid"):
    """The shape of an AlignerV2."""

    user_dim: int = Field(default=32, ge=2, description="Numbers per row of the user table.")
    hidden_dim: int = Field(default=64, ge=2, description="Width of the feed-forward blocks.")
    shared_dim: int = Field(default=64, ge=2, description="Dimensions of the shared space.")
    n_blocks: int = Field(default=1, ge=0, le=16, description="Skip blocks for listeners.")
    n_song_blocks: int = Field(
        default=0, ge=0, le=16, description="Skip blocks for songs: few songs are learned by heart."
    )
    n_landmarks: int = Field(
        default=0, ge=0, description="Songs that others are compared with; 0: feed-forward instead."
    )
    dropout: float = Field(default=0.1, ge=0, lt=1, description="Share set to 0 in training.")
    feature_noise: float = Field(
        default=1.0, ge=0, description="Deviation added to standardised features in training."
    )
    temperature: float = Field(
        default=0.2, ge=COLDEST, le=HOTTEST, description="Of InfoNCE at the start; learned."
    )


FEW_SONGS: Final = TasteConfig(n_landmarks=800, dropout=0.3)
"""The shape for catalogues of hundreds or a few thousand songs."""


class Skip(nn.Module):
    """x + dropout(W₂ · GELU(W₁ · norm(x))): one feed-forward block with its skip connection."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.widen = nn.Linear(dim, 2 * dim)
        self.narrow = nn.Linear(2 * dim, dim)
        self.dropout = dropout

    def forward(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """(..., dim) to (..., dim); without a generator nothing is dropped."""
        inner = self.narrow(functional.gelu(self.widen(self.norm(x))))
        return x + drop(inner, self.dropout, generator)


class SongTower(nn.Module):
    """Layers of songs to unit vectors."""

    mean: Tensor
    scale: Tensor

    def __init__(self, config: TasteConfig, n_layers: int, layer_dim: int) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("mean", torch.zeros(n_layers, layer_dim))
        self.register_buffer("scale", torch.ones(n_layers, layer_dim))
        bound = 1 / math.sqrt(layer_dim)
        self.project = nn.Parameter(
            torch.empty(n_layers, layer_dim, config.hidden_dim).uniform_(-bound, bound)
        )
        self.layer_gate = nn.Parameter(torch.zeros(n_layers))
        self.content_gate = nn.Linear(config.hidden_dim, 1, bias=False)
        self.blocks = nn.ModuleList(
            Skip(config.hidden_dim, config.dropout) for _ in range(config.n_song_blocks)
        )
        self.norm = nn.LayerNorm(config.hidden_dim)
        self.share = nn.Linear(config.hidden_dim, config.shared_dim)

    def gates(self, layers: Tensor) -> Tensor:
        """How much each layer counts, (B, L), ≥ 0, each row summing to 1."""
        return self._gates(self._projected(self._standard(layers)))

    def forward(self, layers: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """(B, L, D) to unit vectors (B, shared)."""
        standard = self._standard(layers)
        if generator is not None and self.config.feature_noise:
            noise = torch.empty_like(standard).normal_(generator=generator)
            standard = standard + self.config.feature_noise * noise
        projected = self._projected(drop(standard, self.config.dropout, generator))  # (B, L, H)
        x = (self._gates(projected)[..., None] * projected).sum(dim=1) * len(self.layer_gate)
        for block in self.blocks:
            x = block(x, generator)
        return functional.normalize(self.share(self.norm(x)), dim=-1)

    @torch.no_grad()
    def distances(self, layers: Tensor, others: Tensor) -> Tensor:
        """Squared distances by ear, layers weighed by the gate of `others`, (B, C), ≥ 0."""
        weights = self.gates(others).mean(dim=0)
        return layer_distances(self._standard(layers), self._standard(others)) @ weights

    def _standard(self, layers: Tensor) -> Tensor:
        return torch.clamp((layers - self.mean) / self.scale, -6.0, 6.0)

    def _projected(self, standard: Tensor) -> Tensor:
        return torch.einsum("bld,ldh->blh", standard, self.project)

    def _gates(self, projected: Tensor) -> Tensor:
        content = self.content_gate(torch.tanh(projected))[..., 0]  # (B, L)
        return torch.softmax(self.layer_gate + content, dim=-1)


class UserTower(nn.Module):
    """Rows of the user table to unit vectors."""

    def __init__(self, config: TasteConfig) -> None:
        super().__init__()
        self.widen = nn.Linear(config.user_dim, config.hidden_dim)
        self.blocks = nn.ModuleList(
            Skip(config.hidden_dim, config.dropout) for _ in range(config.n_blocks)
        )
        self.norm = nn.LayerNorm(config.hidden_dim)
        self.share = nn.Linear(config.hidden_dim, config.shared_dim)

    def forward(self, rows: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """(B, user_dim) to unit vectors (B, shared)."""
        x = self.widen(rows)
        for block in self.blocks:
            x = block(x, generator)
        return functional.normalize(self.share(self.norm(x)), dim=-1)


class AlignerV2(nn.Module):
    """Both towers, the user table, and the temperature.

    Args:
        config: its shape.
        n_users: rows of the table, ≥ 1.
        n_layers: L of the song encoder.
        layer_dim: D of the song encoder.
        seed: of the weights.
    """

    def __init__(
        self, config: TasteConfig, n_users: int, n_layers: int, layer_dim: int, *, seed: int = 0
    ) -> None:
        super().__init__()
        if n_users < 1:
            raise ValueError(f"n_users must be at least 1, got {n_users}")
        self.config = config
        self.users = nn.Embedding(n_users, config.user_dim, sparse=True)
        self.songs: SongTower | KernelTower
        if config.n_landmarks:
            self.songs = KernelTower(
                n_layers,
                layer_dim,
                n_landmarks=config.n_landmarks,
                shared_dim=config.shared_dim,
                dropout=config.dropout,
            )
        else:
            self.songs = SongTower(config, n_layers, layer_dim)
        self.listeners = UserTower(config)
        self.log_temperature = nn.Parameter(torch.tensor(math.log(config.temperature)))
        self._initialise(torch.Generator().manual_seed(seed))

    def _initialise(self, generator: torch.Generator) -> None:
        """Draw all weights from `generator`: the same seed gives the same network."""
        for name, weight in self.named_parameters():
            if name.endswith(("log_temperature", "bias", "layer_gate")) or "norm" in name:
                continue
            fan_in = weight.shape[1] if weight.ndim > 1 else weight.shape[0]
            deviation = 0.3 if name == "users.weight" else 1 / math.sqrt(fan_in)
            nn.init.normal_(weight, 0.0, deviation, generator=generator)
        for name, weight in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(weight)

    @property
    def temperature(self) -> Tensor:
        """τ of InfoNCE, learned, kept in [COLDEST, HOTTEST]."""
        return torch.clamp(self.log_temperature.exp(), COLDEST, HOTTEST)

    @torch.no_grad()
    def set_standard(self, mean: Tensor, scale: Tensor) -> None:
        """Standardise features by `mean` and `scale`, each (L, D), of the train partition."""
        self.songs.mean.copy_(mean)
        self.songs.scale.copy_(scale)

    @torch.no_grad()
    def embed_songs(self, layers: Tensor) -> Tensor:
        """Unit vectors of songs, (songs, shared), from layers (songs, L, D); nothing is dropped."""
        return torch.cat([self.songs(part) for part in torch.split(layers.float(), 512)])

    def distances(self, layers: Tensor, others: Tensor) -> Tensor:
        """How unlike songs (B, L, D) and (C, L, D) sound, squared, (B, C), ≥ 0; no taste in it."""
        return self.songs.distances(layers.float(), others.float())

    @torch.no_grad()
    def embed_users(self, users: Tensor | None = None) -> Tensor:
        """Unit vectors of table users by index, all if None, (users, shared)."""
        rows = self.users.weight if users is None else self.users.weight[users]
        return self.listeners(rows)

    @torch.no_grad()
    def scores(self, layers: Tensor, users: Tensor | None = None) -> Tensor:
        """Taste of table users for songs: cosines in [−1, 1], (users, songs)."""
        return self.embed_users(users) @ self.embed_songs(layers).T


def info_nce(
    listeners: Tensor, candidates: Tensor, target: Tensor, allowed: Tensor, temperature: Tensor
) -> Tensor:
    """InfoNCE (van den Oord et al. 2018, eq. 4): −log of the share of the right song, nats.

    A user may come several times in a batch with different songs: `allowed` takes the user's
    other songs out of the sum, so that they do not push each other away.

    Args:
        listeners: unit vectors (B, E).
        candidates: unit vectors (C, E).
        target: index of each row's song among the candidates, (B,).
        allowed: (B, C), whether a candidate stands in the sum; the target always does.
        temperature: τ, scalar.

    Returns:
        Mean over rows, scalar.
    """
    logits = listeners @ candidates.T / temperature  # (B, C)
    is_target = functional.one_hot(target, candidates.shape[0]).bool()
    return functional.cross_entropy(logits.masked_fill(~(allowed | is_target), -1e9), target)
