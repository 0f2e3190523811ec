"""Crops: the sequences that one step of training reads, and what is drawn for them."""

from collections import Counter
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.decision_model import HIDDEN
from models.paired_labels import Block

__all__ = ["IGNORED", "Crops", "chances_of", "own_past"]

IGNORED: Final = -100
"""Target of a position past the end of its stretch."""


@dataclass(frozen=True, eq=False)
class Crops:
    """B sequences of T windows to read and to be judged by.

    Args:
        heard: (B, T) int64.
        own: (B, T) int64, of window t + shift − 1, hidden at random.
        fields: (B, T, 2) float32 of what is heard.
        shift: (B,) int64.
        answer: (B, T) int64, −100 where there is nothing to judge.
        answer_fields: (B, T, 2) float32, NaN where they are not known.
    """

    heard: Tensor
    own: Tensor
    fields: Tensor
    shift: Tensor
    answer: Tensor
    answer_fields: Tensor

    def select(self, rows: slice, device: torch.device) -> "Crops":
        """Some of the sequences, on a device."""
        return Crops(*(getattr(self, f.name)[rows].to(device) for f in fields(self)))


def own_past(answer: NDArray[np.int64], shift: int) -> NDArray[np.int64]:
    """Own labels as a network of this shift reads them: of window t + shift − 1, else HIDDEN."""
    moved = np.full_like(answer, HIDDEN)
    ahead = shift - 1
    if ahead >= 0:
        moved[: len(answer) - ahead] = answer[ahead:]
    else:
        moved[-ahead:] = answer[:ahead]
    return moved


@lru_cache(maxsize=1)  # asked anew in every step of a training
def chances_of(train: tuple[Block, ...]) -> NDArray[np.float64]:
    """With which each block is drawn, (blocks,): songs by length, pairs of one song alike."""
    n_of_song = Counter(block.song for block in train)
    weights = np.array([len(block.heard) / n_of_song[block.song] for block in train])
    return weights / weights.sum()
