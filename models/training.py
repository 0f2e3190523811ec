"""Training the decision transformer: crops of pairs, early stopping, checkpoints to resume from.

Every step draws its crops, hidden windows and dropout from (seed, step) alone, so a resumed
training takes the same steps as an uninterrupted one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from torch import Tensor
from torch.nn import functional

from models.alphabet import SILENCE
from models.count_tables import count_tables
from models.decision_model import HIDDEN
from models.decision_transformer import DecisionTransformer
from models.paired_labels import Block
from models.training_crops import IGNORED, Crops, chances_of, own_past
from models.training_team import ALONE, Team
from models.transformer_config import FIELD_LIMIT, TransformerConfig


class TrainingConfig(BaseModel, frozen=True, extra="forbid"):
    """How the decision transformer is trained."""

    max_steps: int = Field(default=600, ge=1, description="Steps at most.")
    batch_size: int = Field(default=16, ge=1, description="Crops in a step.")
    sequence_windows: int = Field(default=120, ge=2, description="Windows in a crop.")
    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="Peak, after warm-up.")
    warm_up_steps: int = Field(default=30, ge=1, description="Steps of linear warm-up.")
    weight_decay: float = Field(default=0.1, ge=0, description="AdamW, on matrices only.")
    fully_hidden_share: float = Field(
        default=0.5, ge=0, le=1, description="Crops whose whole own past is hidden."
    )
    online_share: float = Field(
        default=0.8, ge=0, le=1, description="Crops of shift 1, if the shift is an input."
    )
    activity_weight: float = Field(default=0.1, ge=0, description="Of its squared error.")
    alone_weight: float = Field(
        default=1.0, ge=0, description="Of the network's own expectation, beside the mixture's."
    )
    bfloat16: bool = Field(default=False, description="Mixed precision: matrices in bfloat16.")
    evaluate_every: int = Field(default=25, ge=1, description="Steps between validations.")
    patience: int = Field(
        default=6, ge=1, description="Validations without a gain before stopping."
    )
    keep_last: bool = Field(
        default=False, description="All steps are taken and the last weights kept, not the best."
    )
    seed: int = Field(default=0, ge=0, description="Of weights, crops, hiding and dropout.")


@dataclass(frozen=True)
class Progress:
    """One validation: where training stands."""

    step: int  # steps taken
    train_loss: float  # nats per window, mean of the steps since the last validation
    validation_loss: float  # nats per window


@dataclass(eq=False)
class TrainingState:
    """Everything that a training carries from step to step.

    Args:
        network: weights in training.
        optimizer: AdamW over them.
        keep_last: the last weights count as the best.
        step: steps taken.
        best: weights of the best validation so far.
        history: all validations.
        stopped: why training ended: "patience", "steps", "stopped", "interrupted"; "" before.
    """

    network: DecisionTransformer
    optimizer: torch.optim.AdamW
    keep_last: bool = False
    step: int = 0
    best: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    history: list[Progress] = field(default_factory=list)
    stopped: str = ""

    @property
    def best_index(self) -> int:
        """Which entry of the history was best; −1 before the first validation.

        Without anything to validate on, or if it is to be kept, it is the last.
        """
        losses = [progress.validation_loss for progress in self.history]
        if self.keep_last or np.isnan(losses).all():
            return len(losses) - 1
        return int(np.nanargmin(losses))

    @property
    def lowest_loss(self) -> float:
        """That of the best validation, nats per window."""
        return self.history[self.best_index].validation_loss


def start(
    transformer: TransformerConfig,
    training: TrainingConfig,
    n_labels: int,
    horizon: int,
    train: Sequence[Block],
    validation: Sequence[Block] = (),
    codes: NDArray[np.float32] | None = None,
) -> TrainingState:
    """A fresh network, with fields normalised to the training material, and its optimizer.

    Count tables, if the network has them, are counted on `train` and tuned on `validation`; codes
    are those of the codebook (`models.heard_history`), for a network that is told a history.
    """
    network = DecisionTransformer(transformer, n_labels, horizon)
    network.initialise(torch.Generator().manual_seed(training.seed))
    fields = np.concatenate(
        [b.fields[b.heard != SILENCE, :2] for b in train] or [np.zeros((0, 2), np.float32)]
    )
    if len(fields) > 1:
        _normalise_to(fields, network.field_mean, network.field_scale)
    answered = [b.answer_fields[b.answer != SILENCE] for b in train if b.answer_fields is not None]
    if transformer.activity and sum(map(len, answered)) > 1:
        _normalise_to(np.concatenate(answered), network.answer_mean, network.answer_scale)
    if transformer.counted:
        tables = count_tables(train, validation, n_labels, horizon)
        network.heard_table.copy_(torch.from_numpy(tables.heard))
        network.own_table.copy_(torch.from_numpy(tables.own))
        with torch.no_grad():  # begin at what counting knows
            network.label_heads.weight.zero_()
    if transformer.history_windows and codes is not None:
        network.codes.copy_(torch.from_numpy(codes))
    matrices = [w for w in network.parameters() if w.ndim >= 2]
    vectors = [w for w in network.parameters() if w.ndim < 2]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": training.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=training.learning_rate,
        betas=(0.9, 0.98),
        fused=True,
    )
    return TrainingState(network, optimizer, training.keep_last)


def _normalise_to(fields: NDArray[np.floating], mean: Tensor, scale: Tensor) -> None:
    """Take over mean and deviation of (windows, 2) fields."""
    deviation = np.maximum(fields.std(axis=0), 1e-3)
    mean.copy_(torch.from_numpy(fields.mean(axis=0).astype(np.float32)))
    scale.copy_(torch.from_numpy(deviation.astype(np.float32)))


def fit(
    state: TrainingState,
    config: TrainingConfig,
    train: Sequence[Block],
    validation: Sequence[Block],
    *,
    on_step: Callable[[int], None] | None = None,
    on_validation: Callable[[TrainingState], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    team: Team = ALONE,
) -> TrainingState:
    """Train until validation stops gaining, steps run out, or the caller says stop.

    The network trains on the device that it lies on.

    Args:
        state: fresh from `start` or resumed; changed in place.
        config: how to train.
        train: stretches to learn from.
        validation: blocks to stop by; if empty, all steps are taken and the last weights kept.
        on_step: told after every step how many were taken.
        on_validation: told after every validation (report, checkpoint).
        should_stop: asked after every step; one worker that says so stops all.
        team: those who train this network together, each with the same arguments.

    Returns:
        `state`; its `best` weights are those to use. An interrupt (Ctrl-C) ends training and
        keeps the best so far.

    Raises:
        ValueError: nothing to train on.
        KeyboardInterrupt: interrupted before there was anything to keep.
    """
    if not any(len(block.heard) > 1 for block in train):
        raise ValueError("training needs a stretch of at least 2 windows, got none")
    losses: list[float] = []
    state.stopped = _done(state, config)  # it may have been killed after its last step
    try:
        if not state.history:
            _validate(state, validation, float("nan"), on_validation, team)
        while not state.stopped:
            losses.append(take_step(state, config, train, team))
            if on_step is not None:
                on_step(state.step)
            if should_stop is not None and team.total(float(should_stop())) > 0:
                state.stopped = "stopped"
            if state.step >= config.max_steps:
                state.stopped = "steps"
            if state.step % config.evaluate_every == 0 or state.stopped:
                _validate(state, validation, float(np.mean(losses)), on_validation, team)
                losses = []
                state.stopped = _done(state, config) or state.stopped
    except KeyboardInterrupt:
        if state.best_index < 1:  # no gain yet over the weights it began with
            raise
        state.stopped = "interrupted"
    return state


def _done(state: TrainingState, config: TrainingConfig) -> str:
    """Why there is nothing left to train: "patience", "steps", or "" if there is."""
    if len(state.history) - 1 - state.best_index >= config.patience:
        return "patience"
    return "steps" if state.history and state.step >= config.max_steps else ""


def take_step(
    state: TrainingState, config: TrainingConfig, train: Sequence[Block], team: Team = ALONE
) -> float:
    """One step of AdamW; returns the loss in nats per window.

    All workers of a team draw the same batch and each reads its crops of it; the sum of their
    gradients is that of one worker alone but for rounding and for what dropout drops.
    """
    rng, device = np.random.default_rng([config.seed, state.step]), state.network.device
    crops = draw_crops(train, config, rng, shifts=state.network.config.shift_input)
    seed = int(rng.integers(2**62)) + team.rank
    dropout = torch.Generator(device).manual_seed(seed)
    crops = crops.select(team.share(config.batch_size), device)
    for group in state.optimizer.param_groups:
        group["lr"] = config.learning_rate * _schedule(state.step, config)
    with torch.autocast(device.type, torch.bfloat16, enabled=config.bfloat16):
        loss = _loss(state.network, crops, config, dropout, team)
    state.optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    team.add_up_gradients(state.network)
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), 1.0)
    state.optimizer.step()
    state.step += 1
    return team.total(float(loss.detach()))


def _schedule(step: int, config: TrainingConfig) -> float:
    """Linear warm-up, then a cosine down to a thirtieth."""
    if step < config.warm_up_steps:
        return (step + 1) / config.warm_up_steps
    done = (step - config.warm_up_steps) / max(1, config.max_steps - config.warm_up_steps)
    return float((31 + 29 * np.cos(np.pi * min(1.0, done))) / 60)


def draw_crops(
    train: Sequence[Block], config: TrainingConfig, rng: np.random.Generator, *, shifts: bool
) -> Crops:
    """A batch of overlapping crops, own past hidden at random.

    A song is drawn by its length, then one of its pairs, then the place. In each crop every own
    label is hidden with a rate drawn uniformly from 0..1; a share of the crops is hidden
    throughout, which is the reading without own past.

    Args:
        train: stretches to learn from.
        config: how many, how long, how much is hidden.
        rng: of all draws.
        shifts: a share of the crops has another shift than 1.
    """
    n, t = config.batch_size, config.sequence_windows
    heard, own = np.full((n, t), SILENCE), np.full((n, t), HIDDEN)
    answer = np.full((n, t), IGNORED)
    fields = np.zeros((n, t, train[0].fields.shape[1]), np.float32)
    shift, answer_fields = np.ones(n, np.int64), np.full((n, t, 2), np.nan, np.float32)
    for row, index in enumerate(rng.choice(len(train), size=n, p=chances_of(tuple(train)))):
        block = train[index]
        first = int(rng.integers(max(1, len(block.heard) - t + 1)))
        length = min(t, len(block.heard) - first)
        span = slice(first, first + length)
        heard[row, :length], fields[row, :length] = block.heard[span], block.fields[span]
        answer[row, :length] = block.answer[span]
        if block.answer_fields is not None:
            answer_fields[row, :length] = block.answer_fields[span]
        if shifts and rng.random() >= config.online_share:
            shift[row] = rng.choice((0, 2))
        rate = 1.0 if rng.random() < config.fully_hidden_share else rng.random()
        shown = rng.random(length) >= rate
        past = np.where(shown, block.answer[span], HIDDEN)
        own[row, :length] = own_past(past, int(shift[row]))
    return Crops(
        torch.from_numpy(heard),
        torch.from_numpy(own),
        torch.from_numpy(fields),
        torch.from_numpy(shift),
        torch.from_numpy(answer),
        torch.from_numpy(answer_fields),
    )


def _loss(
    network: DecisionTransformer,
    crops: Crops,
    config: TrainingConfig | None = None,
    generator: torch.Generator | None = None,
    team: Team = ALONE,
) -> Tensor:
    """Cross-entropy of active labels plus that of silence, nats, mean over windows and heads.

    In training, told its config, labels are judged as they are mixed and as the network expects
    them alone, and the squared error of activity in active windows is added by weight. Of a team
    each gets its part: sums over its crops, divided by the windows of all.
    """
    labels, silence, activity, alone = network(
        crops.heard, crops.own, crops.fields, generator, crops.shift
    )
    b, t, horizon = silence.shape
    device = crops.heard.device
    rows = torch.arange(b, device=device)[:, None, None]
    later = torch.arange(t, device=device)[:, None] + torch.arange(horizon, device=device)
    ahead = later + crops.shift[:, None, None]
    beyond = ahead >= t  # (B, T, H)
    ahead = ahead.clamp(max=t - 1)
    target = torch.where(beyond, IGNORED, crops.answer[rows, ahead])
    wanted = torch.where(target >= 0, target, IGNORED).flatten()
    label_loss = _label_loss(labels, wanted)
    if config is not None and alone is not labels:
        own_loss = _label_loss(alone, wanted)
        label_loss = (label_loss + config.alone_weight * own_loss) / (1.0 + config.alone_weight)
    known = target != IGNORED
    silence_loss = functional.binary_cross_entropy_with_logits(
        silence.float()[known], (target[known] == SILENCE).float(), reduction="sum"
    )
    n_active, n_known = team.total(int((target >= 0).sum())), team.total(int(known.sum()))
    loss = label_loss / max(1, n_active) + silence_loss / max(1, n_known)
    if config is not None and activity is not None:
        level = (crops.answer_fields[rows, ahead] - network.answer_mean) / network.answer_scale
        judged = (target >= 0)[..., None] & torch.isfinite(level)
        error = (activity.float() - level.clamp(-FIELD_LIMIT, FIELD_LIMIT))[judged]
        n_judged = team.total(int(judged.sum()))
        loss = loss + config.activity_weight * error.square().sum() / max(1, n_judged)
    return loss


def _label_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy of logits (B, T, H, K) with labels (B·T·H,), summed, nats."""
    logits = logits.float().flatten(0, 2)
    return functional.cross_entropy(logits, wanted, ignore_index=IGNORED, reduction="sum")


@torch.no_grad()
def validation_loss(
    network: DecisionTransformer, blocks: Sequence[Block], team: Team = ALONE
) -> float:
    """Loss in nats per window on scored windows, mean of the readings with and without own past.

    The shift is 1, activity is left out. NaN if there is nothing to score.
    """
    losses, weights = [0.0], [0.0]
    for block in blocks[team.share(len(blocks))]:
        own = torch.from_numpy(block.answer)[None]
        answer = torch.where(torch.from_numpy(block.scored)[None], own, IGNORED)
        fields = torch.from_numpy(block.fields)[None]
        heard, shift = torch.from_numpy(block.heard)[None], torch.ones(1, dtype=torch.int64)
        nothing = torch.full((*heard.shape, 2), torch.nan)
        for past in (own, torch.full_like(own, HIDDEN)):
            crops = Crops(heard, past, fields, shift, answer, nothing)
            losses.append(float(_loss(network, crops.select(slice(None), network.device))))
            weights.append(float(block.scored.sum()))
    weight = team.total(sum(weights))
    return team.total(float(np.dot(losses, weights))) / weight if weight else float("nan")


def _validate(
    state: TrainingState,
    validation: Sequence[Block],
    train_loss: float,
    on_validation: Callable[[TrainingState], None] | None,
    team: Team,
) -> None:
    """Measure, remember the best weights, tell the caller."""
    loss = validation_loss(state.network, validation, team)
    state.history.append(Progress(state.step, train_loss, loss))
    if state.best_index == len(state.history) - 1:
        state.best = state.network.arrays()
    if on_validation is not None:
        on_validation(state)


def load_best(state: TrainingState) -> Mapping[str, NDArray[np.float32]]:
    """Put the best weights into the network, and return them."""
    state.network.load_arrays(state.best)
    return state.best
