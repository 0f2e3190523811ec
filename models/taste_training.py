"""Training the taste model on listens: InfoNCE over batches of (user, song), early stopping.

Step n draws its batch, negatives and dropout from (seed, n) alone, so a resumed training takes
the same steps as an uninterrupted one. The user table has an optimizer of its own that touches
only the rows in the batch: no weight decay and no momentum drifts a user who is not there.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from torch import Tensor

from models.metrics.ranking import evaluate_rows
from models.taste import AlignerV2, TasteConfig, info_nce
from models.taste_start import settle


class TasteTrainingConfig(BaseModel, frozen=True, extra="forbid"):
    """How the taste model is trained; the paper has 150 epochs, batch 256 and rate 0.001."""

    max_epochs: int = Field(default=60, ge=1, description="Passes over the listens at most.")
    batch_size: int = Field(default=1024, ge=1, description="(user, song) pairs in a step.")
    n_negatives: int = Field(default=512, ge=0, description="Songs drawn beside the batch's own.")
    learning_rate: float = Field(default=3e-3, gt=0, le=1, description="Of both towers.")
    user_rate: float = Field(default=3e-2, gt=0, le=1, description="Of the user table.")
    weight_decay: float = Field(default=0.3, ge=0, description="AdamW, on the towers only.")
    clip_norm: float = Field(default=5.0, gt=0, description="Largest norm of a step's gradient.")
    plateau_factor: float = Field(default=0.3, gt=0, lt=1, description="Rates shrink by this...")
    plateau_patience: int = Field(default=4, ge=1, description="...after so many flat epochs.")
    patience: int = Field(default=9, ge=1, description="Epochs without a gain before stopping.")
    seed: int = Field(default=0, ge=0, description="Of weights, batches, negatives and dropout.")


def refining(max_epochs: int, seed: int) -> TasteTrainingConfig:
    """Small steps: for a network with landmarks, which begins near where it will end."""
    return TasteTrainingConfig(
        max_epochs=max_epochs, learning_rate=1e-4, user_rate=1e-3, patience=3, seed=seed
    )


@dataclass(frozen=True, eq=False)
class TasteData:
    """What a training learns from and stops by; a song is in one partition only.

    Args:
        layers: features of all songs, (songs, L, D).
        n_users: rows that the table needs; users are 0..n_users-1.
        users: of each listen, (N,).
        songs: of each listen, (N,), all of the train partition.
        plays: of each listen, (N,), ≥ 1; a listen is drawn in proportion to log(1 + plays).
        validation_songs: songs to stop by, (V,), none of them in `songs`.
        validation_listened: (n_users, V), whether the user listened to them.
    """

    layers: NDArray[np.float32]
    n_users: int
    users: NDArray[np.int64]
    songs: NDArray[np.int64]
    plays: NDArray[np.float64]
    validation_songs: NDArray[np.int64]
    validation_listened: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if not len(self.users):
            raise ValueError("training needs at least one listen, got none")
        if not len(self.users) == len(self.songs) == len(self.plays):
            raise ValueError("users, songs and plays must have one entry per listen")
        shared = np.intersect1d(self.songs, self.validation_songs)
        if len(shared):
            raise ValueError(
                f"a song must be in one partition only, got {len(shared)} in train and "
                "validation; split by song first"
            )
        if self.validation_listened.shape != (self.n_users, len(self.validation_songs)):
            raise ValueError(
                "validation_listened must be (n_users, validation songs), got "
                f"{self.validation_listened.shape}"
            )

    @property
    def train_songs(self) -> NDArray[np.int64]:
        """Songs that somebody listened to in training, sorted."""
        return np.unique(self.songs)


@dataclass(frozen=True)
class Epoch:
    """One pass: where training stands."""

    epoch: int  # passes made
    loss: float  # nats, mean of the pass
    validation_auc: float  # ROC AUC on validation songs of the table's users
    rate: float  # of the towers


@dataclass(eq=False)
class TasteState:
    """Everything that a training carries from epoch to epoch."""

    network: AlignerV2
    towers: torch.optim.AdamW
    table: torch.optim.SparseAdam
    epoch: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)
    history: list[Epoch] = field(default_factory=list)
    stopped: str = ""

    @property
    def best_epoch(self) -> Epoch:
        """The epoch whose weights are kept."""
        return max(self.history, key=lambda one: one.validation_auc)


def start(taste: TasteConfig, training: TasteTrainingConfig, data: TasteData) -> TasteState:
    """A fresh network, standardised to the train partition, and its two optimizers."""
    _, n_layers, layer_dim = data.layers.shape
    n_marks = min(taste.n_landmarks, len(data.train_songs))
    taste = taste.model_copy(update={"n_landmarks": n_marks})
    network = AlignerV2(taste, data.n_users, n_layers, layer_dim, seed=training.seed)
    train = torch.from_numpy(data.layers[data.train_songs]).float()
    deviation = train.std(dim=0, correction=0)
    network.set_standard(train.mean(dim=0), torch.where(deviation > 1e-4, deviation, 1.0))
    dense = [(name, w) for name, w in network.named_parameters() if name != "users.weight"]
    groups = [
        {"params": [w for _, w in dense if w.ndim > 1], "weight_decay": training.weight_decay},
        {"params": [w for _, w in dense if w.ndim <= 1], "weight_decay": 0.0},
    ]
    towers = torch.optim.AdamW(groups, lr=training.learning_rate)
    table = torch.optim.SparseAdam([network.users.weight], lr=training.user_rate)
    state = TasteState(network, towers, table)
    if n_marks:
        _settle(state, training, data)
    return state


def _settle(state: TasteState, training: TasteTrainingConfig, data: TasteData) -> None:
    """Begin where listens say at once; that is epoch 0, the one to be better than."""
    listened = np.zeros((data.n_users, len(data.layers)), bool)
    listened[data.users, data.songs] = True
    settle(
        state.network, data.layers, listened, data.train_songs,
        data.validation_songs, data.validation_listened, training.seed,
    )  # fmt: skip
    with torch.no_grad():
        loss = _loss(state.network, training, _Tensors(data), 0, is_training=False)
    auc = validation_auc(state.network, data)
    state.history.append(Epoch(0, float(loss), auc, training.learning_rate))
    state.best = {k: v.detach().clone() for k, v in state.network.state_dict().items()}


def fit(
    state: TasteState,
    config: TasteTrainingConfig,
    data: TasteData,
    *,
    on_epoch: Callable[[TasteState], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> TasteState:
    """Train until validation stops gaining, epochs run out, or the caller says stop.

    Args:
        state: fresh from `start` or resumed; changed in place.
        config: how to train.
        data: what to learn from and stop by.
        on_epoch: told after every epoch (progress, checkpoint).
        should_stop: asked after every epoch.

    Returns:
        `state` with the best weights in its network.
    """
    tensors = _Tensors(data)
    state.stopped = ""
    while not state.stopped:
        rate = _rate(state, config)
        for group in state.towers.param_groups:
            group["lr"] = config.learning_rate * rate
        state.table.param_groups[0]["lr"] = config.user_rate * rate
        n_steps = max(1, round(len(data.users) / config.batch_size))
        losses = [
            take_step(state, config, tensors, state.epoch * n_steps + step)
            for step in range(n_steps)
        ]
        state.epoch += 1
        auc = validation_auc(state.network, data)
        state.history.append(
            Epoch(state.epoch, float(np.mean(losses)), auc, config.learning_rate * rate)
        )
        if state.best_epoch is state.history[-1]:
            state.best = {k: v.detach().clone() for k, v in state.network.state_dict().items()}
        state.stopped = _why_stop(state, config, should_stop)
        if on_epoch is not None:
            on_epoch(state)
    state.network.load_state_dict(state.best)
    return state


class _Tensors:
    """The data as tensors, made once per training."""

    def __init__(self, data: TasteData) -> None:
        self.layers = torch.from_numpy(data.layers).float()
        self.users, self.songs = data.users, data.songs
        self.catalogue = data.train_songs
        chance = np.log1p(data.plays.astype(np.float64))
        self.chance = np.cumsum(chance / chance.sum())
        self.listened = np.zeros((data.n_users, len(data.layers)), bool)
        self.listened[data.users, data.songs] = True


def take_step(
    state: TasteState, config: TasteTrainingConfig, data: "TasteData | _Tensors", step: int
) -> float:
    """One step of both optimizers, drawn from (seed, step); returns the loss in nats."""
    tensors = _Tensors(data) if isinstance(data, TasteData) else data
    loss = _loss(state.network, config, tensors, step)
    state.towers.zero_grad()
    state.table.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    dense = [w for group in state.towers.param_groups for w in group["params"]]
    torch.nn.utils.clip_grad_norm_(dense, config.clip_norm)
    state.towers.step()
    state.table.step()  # type: ignore[no-untyped-call]
    return float(loss.detach())


def _loss(
    network: AlignerV2,
    config: TasteTrainingConfig,
    tensors: "_Tensors",
    step: int,
    *,
    is_training: bool = True,
) -> Tensor:
    """InfoNCE of a batch drawn from (seed, step), nats."""
    rng = np.random.default_rng([config.seed, step])
    rows = np.searchsorted(tensors.chance, rng.random(config.batch_size)).clip(
        0, len(tensors.users) - 1
    )
    users, songs = tensors.users[rows], tensors.songs[rows]
    n_more = min(config.n_negatives, len(tensors.catalogue))
    more = rng.choice(tensors.catalogue, size=n_more, replace=False)
    candidates, target = np.unique(np.concatenate([songs, more]), return_inverse=True)
    allowed = ~tensors.listened[np.ix_(users, candidates)]
    chance = torch.Generator().manual_seed(int(rng.integers(2**62)))
    generator = chance if is_training else None
    everybody, row = np.unique(users, return_inverse=True)
    listeners = network.listeners(network.users(torch.from_numpy(everybody)), generator)
    return info_nce(
        listeners[torch.from_numpy(row)],
        network.songs(tensors.layers[torch.from_numpy(candidates)], generator),
        torch.from_numpy(target[: len(songs)]),
        torch.from_numpy(allowed),
        network.temperature,
    )


def validation_auc(network: AlignerV2, data: TasteData) -> float:
    """Mean ROC AUC over the table's users on the validation songs; 0.5 where undefined."""
    if not len(data.validation_songs):
        return 0.5
    layers = torch.from_numpy(data.layers[data.validation_songs])
    auc = evaluate_rows(network.scores(layers).numpy(), data.validation_listened)["roc_auc"]
    return 0.5 if auc is None else auc


def _rate(state: TasteState, config: TasteTrainingConfig) -> float:
    """Reduce on plateau: a power of the factor, recomputed from the history (so it resumes)."""
    best, flat, power = -1.0, 0, 0
    for epoch in state.history:
        flat = 0 if epoch.validation_auc > best else flat + 1
        best = max(best, epoch.validation_auc)
        if flat >= config.plateau_patience:
            power, flat = power + 1, 0
    return config.plateau_factor**power


def _why_stop(
    state: TasteState, config: TasteTrainingConfig, should_stop: Callable[[], bool] | None
) -> str:
    if should_stop is not None and should_stop():
        return "stopped"
    if state.epoch - state.best_epoch.epoch >= config.patience:
        return "patience"
    return "epochs" if state.epoch >= config.max_epochs else ""
