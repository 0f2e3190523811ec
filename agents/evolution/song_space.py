"""Where a clip lies for a fitness that is a dot product with a target.

The taste model's own space, or one in which nearness to a piece is heard twice: by taste, and by
ear.
"""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.taste import AlignerV2

__all__ = ["PieceSpace", "SongSpace"]

FloatArray = NDArray[np.float32]


class SongSpace(Protocol):
    """Puts songs where a target can be compared with them; an AlignerV2 is one."""

    def embed_songs(self, layers: Tensor) -> Tensor:
        """Places of songs, (songs, dim), from layers (songs, L, D)."""
        ...


class PieceSpace:
    """Nearness to one piece: half the cosine of taste, half how near it sounds.

    The ear's part is 1 − d²/m, d the distance by descriptors and m the mean of d² over known songs:
    1 is the piece itself, 0 as far as songs lie on average. The cosine alone is near 1 for the
    nearest of a few dozen songs.

    Args:
        aligner: the taste model.
        piece: layers of the piece, (L, D).
        known: layers of songs in general, (songs, L, D), not all the same as the piece.
    """

    def __init__(self, aligner: AlignerV2, piece: FloatArray, known: FloatArray) -> None:
        self._aligner, self._piece = aligner, torch.from_numpy(piece[None])
        typical = aligner.distances(torch.from_numpy(known), self._piece).mean()
        self._typical = max(float(typical), 1e-9)

    def embed_songs(self, layers: Tensor) -> Tensor:
        """Unit vectors of taste and, last, the ear's part, (songs, shared + 1)."""
        apart = self._aligner.distances(layers, self._piece)
        return torch.cat([self._aligner.embed_songs(layers), 1 - apart / self._typical], dim=1)

    def target(self) -> FloatArray:
        """What places are multiplied with, (shared + 1,): the piece itself gets 1."""
        [place] = self.embed_songs(self._piece)
        vector: FloatArray = (place / 2).numpy()
        return vector
