"""A listener who is in no table, approximated from likes and dislikes (EvoMusic, section IV-C).

What is fitted is a row as the user table has them, through the frozen user tower: AlignerV2 itself
never changes. The row starts from what the table says of people in general, its mean and
covariance, and moves in coordinates in which these are 0 and 1. A like is explained by the chance
that InfoNCE stands for: log p(song | listener) / p(song), the listener's score against a fixed
background of songs. So likes alone and dislikes alone both teach; what is unrated is not looked at.
Who has said both likes what lies above their own line, half way between the two kinds: some like
one song in three, others every second.
"""

from collections.abc import Hashable, Sequence
from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from torch import Tensor
from torch.nn import functional

from models.taste import AlignerV2

Initialisation = Literal["mean", "random", "mean with noise"]
Fitting = Literal["classic", "minibatch"]
FloatArray = NDArray[np.float32]

_RIDGE: Final = 1e-3  # added to the covariance's diagonal, relative to its mean


class ListenerConfig(BaseModel, frozen=True, extra="forbid"):
    """How a listener is approximated."""

    initialisation: Initialisation = Field(
        default="mean", description="Where the row starts: people in general, or a draw from them."
    )
    fitting: Fitting = Field(
        default="minibatch",
        description="classic: all of the newest feedback at once; minibatch: shuffled from memory.",
    )
    memory_length: int = Field(
        default=200, ge=1, description="Ratings kept for minibatches; the oldest go first."
    )
    batch_size: int = Field(default=8, ge=1, description="Ratings in a minibatch.")
    epochs: int = Field(default=10, ge=1, description="Passes over the ratings in a fit...")
    fewest_steps: int = Field(
        default=100, ge=1, description="...and more of them, if these are fewer steps of Adam."
    )
    learning_rate: float = Field(default=0.1, gt=0, description="Of Adam, in whitened units.")
    prior: float = Field(
        default=0.003, ge=0, description="Pull towards people in general, per rating, nats."
    )
    contrast: float = Field(
        default=0.0, ge=0, description="Weight of the paper's softmax of likes over all rated."
    )
    sharpness: float = Field(
        default=1.0,
        gt=0,
        description="How much surer a verdict is than a listen; 2 suits one who never errs.",
    )
    noise: float = Field(default=0.3, ge=0, description='Of "mean with noise", whitened units.')
    seed: int = Field(default=0, ge=0, description="Of the start and the shuffles.")


class Listener:
    """One listener, or a room as one; learns from ratings and scores songs.

    Args:
        aligner: a trained AlignerV2; not changed, its table not written to.
        background: unit vectors of songs in general, (songs, shared), ≥ 1; the same for the life
            of the listener.
        config: how to fit.

    Raises:
        ValueError: an empty background.
    """

    def __init__(
        self, aligner: AlignerV2, background: FloatArray, config: ListenerConfig | None = None
    ) -> None:
        if background.ndim != 2 or not len(background):
            raise ValueError(
                f"background must be (songs, shared) with a song, got shape {background.shape}"
            )
        self.config = config or ListenerConfig()
        self._aligner = aligner
        self._background = torch.from_numpy(background)
        with torch.no_grad():
            table = aligner.users.weight.detach().double()
            self._mean = table.mean(dim=0).float()
            self._spread = _square_root(table - table.mean(dim=0)).float()
            self._temperature = float(aligner.temperature)
        self._rng = np.random.default_rng([self.config.seed, 13])
        self._place = self._start()
        self._songs = torch.zeros(0, background.shape[1])
        self._verdicts = torch.zeros(0)
        self._weights = torch.zeros(0)
        self.n_fits = 0

    def _start(self) -> Tensor:
        dims = len(self._mean)
        scale = {"mean": 0.0, "random": 1.0, "mean with noise": self.config.noise}
        draw = self._rng.normal(0, 1, dims) * scale[self.config.initialisation]
        return torch.from_numpy(draw.astype(np.float32))

    @property
    def n_remembered(self) -> int:
        """Ratings in memory."""
        return len(self._verdicts)

    def hear(
        self,
        songs: FloatArray,
        ratings: Sequence[float] | NDArray[np.float32],
        weights: Sequence[float] | NDArray[np.float32] | None = None,
    ) -> None:
        """Take in ratings; any number at a time. `fit` learns from them.

        Args:
            songs: unit vectors of the rated songs, (n, shared).
            ratings: (n,), > 0 like, < 0 dislike, 0 unrated, which is ignored.
            weights: how much each counts, (n,), ≥ 0; 1 each if None.

        Raises:
            ValueError: shapes that do not fit, or numbers that are not finite.
        """
        verdict = torch.as_tensor(np.asarray(ratings, np.float32))
        weight = (
            torch.ones(len(verdict))
            if weights is None
            else torch.as_tensor(np.asarray(weights, np.float32))
        )
        vectors = torch.from_numpy(np.ascontiguousarray(songs, np.float32))
        if vectors.shape != (len(verdict), self._songs.shape[1]) or weight.shape != verdict.shape:
            raise ValueError(
                f"songs must be (n, {self._songs.shape[1]}) with n ratings and weights, got "
                f"{tuple(vectors.shape)}, {len(verdict)} and {len(weight)}"
            )
        if not (vectors.isfinite().all() and verdict.isfinite().all() and (weight >= 0).all()):
            raise ValueError("songs and ratings must be finite and weights at least 0")
        rated = verdict != 0
        if self.config.fitting == "classic":
            self._songs, self._verdicts, self._weights = self._songs[:0], verdict[:0], weight[:0]
        length = self.config.memory_length if self.config.fitting == "minibatch" else len(verdict)
        self._songs = torch.cat([self._songs, vectors[rated]])[-length:]
        self._verdicts = torch.cat([self._verdicts, torch.sign(verdict[rated])])[-length:]
        self._weights = torch.cat([self._weights, weight[rated]])[-length:]

    def fit(self, epochs: int | None = None) -> list[float]:
        """Move the listener to explain what is remembered; a new fit starts where the last ended.

        Args:
            epochs: passes, exactly; what the config says if None.

        Returns:
            Mean loss of each pass, nats per rating; empty if nothing is rated yet.
        """
        n = self.n_remembered
        if not n:
            return []
        self.n_fits += 1
        size = n if self.config.fitting == "classic" else self.config.batch_size
        n_steps = -(-n // size)
        settled = max(self.config.epochs, -(-self.config.fewest_steps // n_steps))
        n_epochs = settled if epochs is None else epochs
        place = self._place.clone().requires_grad_()
        optimizer = torch.optim.Adam([place], lr=self.config.learning_rate)
        losses = []
        for epoch in range(n_epochs):
            for group in optimizer.param_groups:  # settles towards the end of the fit
                group["lr"] = self.config.learning_rate * (1 - 0.9 * epoch / n_epochs)
            order = self._rng.permutation(n)
            total = 0.0
            for start in range(0, n, size):
                batch = torch.from_numpy(order[start : start + size])
                loss = self._loss(place, batch)
                [place.grad] = torch.autograd.grad(loss, [place])
                optimizer.step()
                total += float(loss.detach()) * len(batch)
            losses.append(total / n)
        self._place = place.detach()
        return losses

    def _loss(self, place: Tensor, batch: Tensor) -> Tensor:
        songs, verdicts = self._songs[batch], self._verdicts[batch]
        weights = self._weights[batch]
        vector = self._vector(place)
        logits = songs @ vector / self._temperature
        margin = self.config.sharpness * (logits - self._line(vector))
        single = functional.softplus(-verdicts * margin)
        loss = (weights * single).sum() / torch.clamp(weights.sum(), min=1e-9)
        liked = verdicts > 0
        if self.config.contrast and liked.any() and not liked.all():
            weighted = logits + torch.log(torch.clamp(weights, min=1e-9))
            share = torch.logsumexp(weighted[liked], 0) - torch.logsumexp(weighted, 0)
            loss = loss - self.config.contrast * share
        return loss + 0.5 * self.config.prior * place.square().sum()

    def _line(self, vector: Tensor) -> Tensor:
        """The logit above which this listener likes."""
        liked = self._verdicts > 0
        if liked.any() and not liked.all():
            rated = self._songs @ vector / self._temperature
            return 0.5 * (rated[liked].mean() + rated[~liked].mean())
        crowd = torch.logsumexp(self._background @ vector / self._temperature, dim=0)
        return crowd - float(np.log(len(self._background)))

    def _vector(self, place: Tensor) -> Tensor:
        return self._aligner.listeners((self._mean + place @ self._spread)[None])[0]

    @torch.no_grad()
    def embedding(self) -> FloatArray:
        """The listener in the shared space, a unit vector (shared,)."""
        vector: FloatArray = self._vector(self._place).numpy()
        return vector

    def scores(self, songs: FloatArray) -> FloatArray:
        """Taste for songs given as unit vectors (songs, shared): cosines in [−1, 1], (songs,)."""
        scored: FloatArray = songs @ self.embedding()
        return scored

    def place(self) -> FloatArray:
        """Where the listener is, to keep and to `return_to`; (user_dim,), whitened units."""
        return self._place.numpy().copy()

    def return_to(self, place: FloatArray) -> None:
        """Be where `place` says.

        Raises:
            ValueError: a place of another size, or not finite.
        """
        if place.shape != self._place.shape or not np.isfinite(place).all():
            raise ValueError(
                f"place must be finite, of shape {tuple(self._place.shape)}, got {place.shape}"
            )
        self._place = torch.from_numpy(place.astype(np.float32))


def room_weights(devices: Sequence[Hashable]) -> FloatArray:
    """Weights of pooled ratings, mean 1: every device counts the same, however much it says.

    Args:
        devices: who gave each rating, (n,).
    """
    each: dict[Hashable, int] = {}
    for device in devices:
        each[device] = each.get(device, 0) + 1
    share = np.array([1.0 / each[device] for device in devices], np.float32)
    weights: FloatArray = share * np.float32(len(devices) / max(1, len(each)))
    return weights


def _square_root(centred: Tensor) -> Tensor:
    """R with R'R the covariance of the rows, a little ridge included, (dims, dims)."""
    covariance = centred.T @ centred / max(1, len(centred) - 1)
    scale = torch.clamp(covariance.diagonal().mean(), min=1e-6)
    ridge = _RIDGE * scale * torch.eye(len(covariance), dtype=covariance.dtype)
    return torch.linalg.cholesky(covariance + ridge).T
