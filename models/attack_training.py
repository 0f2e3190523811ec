"""Training the forecast of attacks: what was heard of a guide, and where its partner attacked then.

Binary cross-entropy over the parts to come, in windows in which the partner plays; how often it
attacks is not asked of the guide: on stage the memory tells that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.activity import attack_events
from models.attack_cues import AttackCues
from models.attack_model import AttackModel

__all__ = ["AttackPair", "Examples", "examples_of", "train_attacks"]

HIDDEN: Final = 48
BATCH: Final = 512
LEARNING_RATE: Final = 2e-3
WEIGHT_DECAY: Final = 1e-4
EPOCHS: Final = 5

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class AttackPair:
    """A guide and a partner of one song, W windows in P parts.

    Args:
        song: its name.
        guide: name of the part heard.
        heard: attack strengths of the guide, (W, P).
        answered: attack strengths of the partner, (W, P).
        plays: windows in which the partner sounds, (W,).
    """

    song: str
    guide: str
    heard: Array
    answered: Array
    plays: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Examples:
    """What is learned from or judged on, N moments with A parts to come each.

    Args:
        cues: (N, A, N_CUES).
        attacks: whether the partner attacks, (N, A).
        songs: name of each moment's song, (N,).
        windows: index of the first window to come, (N,).
        pairs: index of each moment's pair, (N,).
    """

    cues: Array
    attacks: NDArray[np.bool_]
    songs: NDArray[np.str_]
    windows: NDArray[np.int64]
    pairs: NDArray[np.int64]


def examples_of(
    pairs: Sequence[AttackPair], window_seconds: float, n_windows: int, every: int, seed: int
) -> Examples:
    """Moments of pairs at which the partner plays in the window to come.

    Args:
        pairs: those of one guide follow each other, so that it is heard once.
        window_seconds: Δ.
        n_windows: to come.
        every: windows between two moments, ≥ 1; where they begin is drawn.
        seed: of that draw.

    Raises:
        ValueError: no pair in which a partner plays.
    """
    rng = np.random.default_rng(seed)
    rows: list[tuple[Array, NDArray[np.bool_], NDArray[np.int64]]] = []
    heard_of, moments, cues = None, np.zeros(0, np.int64), np.zeros(0, np.float32)
    counts = []
    for pair in pairs:
        n, n_parts = pair.heard.shape
        if heard_of is None or heard_of is not pair.heard:
            of = AttackCues(window_seconds / n_parts, n_windows * n_parts)
            moments = np.arange(int(rng.integers(every)) + 1, n - n_windows + 1, every)
            past = np.append(np.zeros(of.n_past, np.float32), pair.heard.ravel())
            ends = moments[:, None] * n_parts + np.arange(of.n_past)
            cues, heard_of = of.of(past[ends]), pair.heard
        used = pair.plays[moments]
        events = attack_events(pair.answered).ravel()
        coming = moments[used, None] * n_parts + np.arange(n_windows * n_parts)
        rows.append((cues[used], events[coming], moments[used]))
        counts.append(int(used.sum()))
    if not sum(counts):
        raise ValueError(
            "there must be pairs of parts in which the second plays, got none; add songs"
        )
    return Examples(
        np.concatenate([row[0] for row in rows]),
        np.concatenate([row[1] for row in rows]),
        np.repeat([pair.song for pair in pairs], counts),
        np.concatenate([row[2] for row in rows]),
        np.repeat(np.arange(len(pairs)), counts),
    )


def train_attacks(
    examples: Examples,
    window_seconds: float,
    n_windows: int,
    *,
    epochs: int = EPOCHS,
    seed: int = 0,
) -> AttackModel:
    """Learn a forecast.

    Args:
        examples: of training songs.
        window_seconds: Δ.
        n_windows: to come.
        epochs: passes over all examples, ≥ 1.
        seed: of weights and batches.
    """
    generator = torch.Generator().manual_seed(seed)
    mean = examples.cues.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)
    scale = examples.cues.std(axis=(0, 1), dtype=np.float64).astype(np.float32) + np.float32(1e-6)
    cues = torch.from_numpy((examples.cues - mean) / scale)
    attacks = torch.from_numpy(examples.attacks.astype(np.float32))
    weights = _initial(cues.shape[2], cues.shape[1], float(examples.attacks.mean()), generator)
    optimiser = torch.optim.AdamW(weights.values(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    n_steps = epochs * -(-len(cues) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, n_steps)
    for _ in range(epochs):
        order = torch.randperm(len(cues), generator=generator)
        for batch in torch.split(order, BATCH):
            loss = nn.functional.binary_cross_entropy_with_logits(
                _forward(weights, cues[batch]), attacks[batch]
            )
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            schedule.step()
    arrays = {name: weight.detach().numpy() for name, weight in weights.items()}
    return AttackModel({"cue_mean": mean, "cue_scale": scale, **arrays}, n_windows, window_seconds)


def _initial(
    n_cues: int, n_ahead: int, share: float, generator: torch.Generator
) -> dict[str, Tensor]:
    """Weights that say the usual share of attacks at first."""

    def drawn(rows: int, *columns: int) -> Tensor:
        return torch.randn(rows, *columns, generator=generator) * (2 / rows) ** 0.5

    weights = {
        "cues": drawn(n_cues, HIDDEN),
        "ahead": torch.zeros(n_ahead, HIDDEN),
        "hidden": drawn(HIDDEN, HIDDEN),
        "hidden_bias": torch.zeros(HIDDEN),
        "out": 0.1 * drawn(HIDDEN),
        "out_bias": torch.logit(torch.tensor([share]), eps=1e-3),
    }
    return {name: weight.requires_grad_() for name, weight in weights.items()}


def _forward(weights: Mapping[str, Tensor], cues: Tensor) -> Tensor:
    """Log-odds (B, A), as `AttackModel.log_odds`, for cues that are standardised."""
    inner = torch.relu(cues @ weights["cues"] + weights["ahead"])
    inner = torch.relu(inner @ weights["hidden"] + weights["hidden_bias"])
    return inner @ weights["out"] + weights["out_bias"]
