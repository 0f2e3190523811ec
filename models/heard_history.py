"""What has been heard so far, in a few numbers: running means over several memories.

Each label stands for the principal components of its codebook centre. A running mean with a memory
of n windows forgets by exp(−1/n) a window; silent windows do not enter it, their share does. It
tells in one step what attention would have to gather: key, register, how busy the guide is, also
from before the reach of attention.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.alphabet import SILENCE
from models.paired_labels import Block
from models.transformer_config import HISTORY_DIM

_EPSILON: Final = 1e-6
Array = NDArray[np.float32]


def codes_of(centres: NDArray[np.floating]) -> Array:
    """Codebook centres (K, D) in their principal components, of mean square 1, (K, HISTORY_DIM).

    Components that there are not are zero; the sign of each makes its largest entry positive.
    """
    centred = np.asarray(centres, dtype=np.float64) - np.mean(centres, axis=0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    found = (left * sizes)[:, :HISTORY_DIM]
    largest = np.abs(found).argmax(axis=0)
    found = found * np.where(found[largest, np.arange(found.shape[1])] < 0, -1.0, 1.0)
    found = found / max(float(np.sqrt(np.mean(found**2))), _EPSILON)
    codes = np.zeros((len(found), HISTORY_DIM), dtype=np.float32)
    codes[:, : found.shape[1]] = found
    return codes


class HeardHistory:
    """Running means that follow a performance.

    Args:
        codes: (K, HISTORY_DIM), of `codes_of`.
        memories: windows, > 0 each, at least one.
    """

    def __init__(self, codes: Array, memories: tuple[float, ...]) -> None:
        self._codes = codes
        self._keep = np.exp(-1.0 / np.array(memories))[:, None]
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        n = len(self._keep)
        self._sums, self._sounding = np.zeros((n, HISTORY_DIM)), np.zeros((n, 1))
        self._passed = np.zeros((n, 1))

    def hear(self, label: int) -> Array:
        """Take in a label, or SILENCE: what was heard up to now, `history_size` numbers."""
        code = self._codes[label] if label != SILENCE else np.zeros(HISTORY_DIM, np.float32)
        self._sums = self._sums * self._keep + code
        self._sounding = self._sounding * self._keep + (label != SILENCE)
        self._passed = self._passed * self._keep + 1.0
        means = self._sums / np.maximum(self._sounding, _EPSILON)
        shares = self._sounding / self._passed
        return np.concatenate(
            [code, np.concatenate([means, shares], axis=1).ravel()], dtype=np.float32
        )

    def follow(self, heard: NDArray[np.int64]) -> Array:
        """Start afresh and hear a whole track (T,): (T, `history_size`)."""
        self.reset()
        return np.stack([self.hear(int(label)) for label in heard])


def with_history(blocks: Sequence[Block], codes: Array, memories: tuple[float, ...]) -> list[Block]:
    """The blocks, with what was heard so far beside level and onset.

    Args:
        blocks: with plain fields; a guide heard in several of them is followed once.
        codes: of `codes_of`.
        memories: windows; none leaves the blocks as they are.
    """
    if not memories:
        return list(blocks)
    history = HeardHistory(codes, memories)
    known: dict[bytes, Array] = {}
    told = []
    for block in blocks:
        place = block.heard.tobytes() + block.fields.tobytes()
        if place not in known:
            followed = history.follow(block.heard)
            known[place] = np.concatenate([block.fields, followed], axis=1)
        told.append(replace(block, fields=known[place]))
    return told
