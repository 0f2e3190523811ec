"""Learning what tells a key: profiles by gradient descent through the forward pass of the filter.

The loss is the cross-entropy of the annotated key's signature after every window that sounds, and
by a tenth of the key itself: what an answer is turned by depends on the signature alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.key import N_KEYS, N_ROTATIONS, KeyConfig, rotation_of

__all__ = ["KeyTrack", "train_key"]

_ROTATIONS: Final = torch.tensor([rotation_of(key) for key in range(N_KEYS)])
_MODE_SHARE: Final = 0.1
_BATCH: Final = 40
_CROP_SECONDS: Final = 100.0
_LEARNING_RATE: Final = 0.05
_WARM_UP: Final = 10
_UNKNOWN: Final = -1


@dataclass(frozen=True, eq=False)
class KeyTrack:
    """One part of a song and the key that people wrote down, W windows from its beginning.

    Args:
        chroma: (W, 12), ≥ 0.
        silent: (W,) bool.
        keys: (W,) int64, 0..23, −1 where none is known.
    """

    chroma: NDArray[np.float32]
    silent: NDArray[np.bool_]
    keys: NDArray[np.int64]


def train_key(
    tracks: Mapping[float, Sequence[KeyTrack]], steps: int = 240, seed: int = 0
) -> tuple[KeyConfig, float]:
    """Learn profiles and how often the key changes.

    Args:
        tracks: by length of their windows, seconds; every step takes the next length.
        steps: of Adam.
        seed: of the draw of tracks.

    Returns:
        What tells a key, to three places, and the loss of the last 30 steps, nats.

    Raises:
        ValueError: no tracks.
    """
    if not tracks or not all(tracks.values()):
        raise ValueError("learning a key needs tracks with annotated keys, got none")
    rng = np.random.default_rng(seed)
    profiles = torch.zeros(2, N_ROTATIONS, requires_grad=True)
    change = torch.tensor(-6.0, requires_grad=True)  # log of changes per second
    optimizer = torch.optim.Adam([profiles, change], lr=_LEARNING_RATE)
    losses = []
    for step in range(steps):
        window = list(tracks)[step % len(tracks)]
        drawn = rng.choice(len(tracks[window]), min(_BATCH, len(tracks[window])), replace=False)
        chosen = [tracks[window][index] for index in drawn]
        rate = min(1.0, (step + 1) / _WARM_UP) * (1.0 - 0.95 * step / steps)
        optimizer.param_groups[0]["lr"] = _LEARNING_RATE * rate
        loss = _loss(profiles, change.exp(), chosen, window)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_([profiles, change], 1.0)
        optimizer.step()
        losses.append(loss.item())
    major, minor = (tuple(round(float(one), 3) for one in row) for row in profiles.detach())
    per_minute = round(60.0 * float(change.detach().exp()), 3)
    config = KeyConfig(major=major, minor=minor, changes_per_minute=per_minute)
    return config, float(np.mean(losses[-30:]))


def _loss(profiles: Tensor, change: Tensor, tracks: Sequence[KeyTrack], window: float) -> Tensor:
    """Nats per window that sounds, after `models.key.RunningKey`."""
    longest = min(round(_CROP_SECONDS / window), max(len(track.keys) for track in tracks))
    chroma = torch.zeros(len(tracks), longest, N_ROTATIONS)
    sounding = torch.zeros(len(tracks), longest, dtype=torch.bool)
    keys = torch.full((len(tracks), longest), _UNKNOWN)
    for row, track in enumerate(tracks):
        n = min(longest, len(track.keys))
        lengths = np.maximum(np.linalg.norm(track.chroma[:n], axis=1, keepdims=True), 1e-9)
        chroma[row, :n] = torch.from_numpy(track.chroma[:n] / lengths)
        sounding[row, :n] = torch.from_numpy(~track.silent[:n])
        keys[row, :n] = torch.from_numpy(track.keys[:n])
    turned = torch.stack([chroma.roll(-tonic, -1) for tonic in range(N_ROTATIONS)], dim=2)
    evidence = window * torch.cat([turned @ profile for profile in profiles], dim=-1)  # (B, W, 24)
    chance = (change * window).clamp(max=1.0)
    belief = torch.full((len(tracks), N_KEYS), -float(np.log(N_KEYS)))
    beliefs = []
    for t in range(longest):
        before = (1.0 - chance) * belief.exp() + chance / N_KEYS
        told = (before.log() + evidence[:, t]).log_softmax(-1)
        belief = torch.where(sounding[:, t, None], told, belief)
        beliefs.append(belief)
    judged = sounding & (keys >= 0)
    logs, truth = torch.stack(beliefs, dim=1)[judged], keys[judged]
    of_rotation = torch.stack(
        [logs[:, rotation == _ROTATIONS].logsumexp(-1) for rotation in range(N_ROTATIONS)], dim=-1
    )
    signature = torch.nn.functional.nll_loss(of_rotation, _ROTATIONS[truth])
    return signature + _MODE_SHARE * torch.nn.functional.nll_loss(logs, truth)
