"""What has been heard so far, in a few numbers: running means, and what followed like moments.

Each label stands for the principal components of its codebook centre. A running mean with a memory
of n windows forgets by exp(−1/n) a window; silent windows do not enter it, their share does. It
tells in one step what attention would have to gather: key, register, how busy the guide is, also
from before the reach of attention.

Songs repeat themselves: what comes next is foreseen from analogues (Lorenz 1969). Every earlier
moment is compared with the newest one by the cosine of what led up to both, forgetting as above,
and the windows that followed are averaged, the more alike the more they weigh.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.alphabet import SILENCE
from models.paired_labels import Block
from models.transformer_config import FORESEEN_WINDOWS, HISTORY_DIM, TransformerConfig

_EPSILON: Final = 1e-6
_REMEMBERED: Final = 1024
"""Windows back to which analogues are sought."""
_SHARPNESS: Final = 12.0
"""Weight of an analogue: exp of this times its cosine."""
_REST: Final = 2.0
"""Length of the code of silence in comparisons, where it is a direction of its own."""
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
        analogues: what led up to a moment, windows, > 0 each; none foresees nothing.
    """

    def __init__(
        self, codes: Array, memories: tuple[float, ...], analogues: tuple[float, ...] = ()
    ) -> None:
        self._codes = codes
        self._keep = np.exp(-1.0 / np.array(memories))[:, None]
        self._analogues = [Analogues(memory) for memory in analogues]
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        n = len(self._keep)
        self._sums, self._sounding = np.zeros((n, HISTORY_DIM)), np.zeros((n, 1))
        self._passed = np.zeros((n, 1))
        for one in self._analogues:
            one.reset()

    def hear(self, label: int) -> Array:
        """Take in a label, or SILENCE: what was heard up to now, `history_size` numbers."""
        code = self._codes[label] if label != SILENCE else np.zeros(HISTORY_DIM, np.float32)
        self._sums = self._sums * self._keep + code
        self._sounding = self._sounding * self._keep + (label != SILENCE)
        self._passed = self._passed * self._keep + 1.0
        means = self._sums / np.maximum(self._sounding, _EPSILON)
        shares = self._sounding / self._passed
        told = [code, np.concatenate([means, shares], axis=1).ravel()]
        compared = _compared(code[None])[0]
        told += [one.hear(compared) for one in self._analogues]
        return np.concatenate(told, dtype=np.float32)

    def follow(self, heard: NDArray[np.int64]) -> Array:
        """Hear a whole track (T,) from its start: (T, `history_size`); leaves no trace."""
        from scipy.signal import lfilter

        sounding = (heard != SILENCE)[:, None]
        codes = self._codes[heard] * sounding
        entering = np.concatenate([codes, sounding, np.ones_like(sounding)], axis=1)
        parts = [codes]
        for keep in self._keep[:, 0]:
            sums = lfilter([1.0], [1.0, -keep], entering.astype(np.float64), axis=0)
            parts.append(sums[:, :HISTORY_DIM] / np.maximum(sums[:, -2:-1], _EPSILON))
            parts.append(sums[:, -2:-1] / sums[:, -1:])
        compared = _compared(codes)
        parts += [one.follow(compared) for one in self._analogues]
        return np.concatenate(parts, axis=1, dtype=np.float32)


class Analogues:
    """What followed earlier moments like this one, in a performance of any length.

    Args:
        memory: windows, > 0: how much of what led up to them makes two moments alike.
    """

    def __init__(self, memory: float) -> None:
        self._keep = float(np.exp(-1.0 / memory))
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self._past = np.zeros((0, HISTORY_DIM + 1), np.float32)  # newest first
        self._alike = np.zeros(0)  # by lag from 0: products of what led up to now and to then
        self._lengths = np.zeros(0)  # squared, of what led up to each window, newest first

    def hear(self, code: Array) -> NDArray[np.float64]:
        """Take in a code (HISTORY_DIM + 1,): what is foreseen, windows in turn, and how surely."""
        self._past = np.concatenate([code[None], self._past[: _REMEMBERED - 1]])
        n = len(self._past)
        alike = (self._past @ code).astype(np.float64)
        alike[: len(self._alike)] += self._keep * self._alike[:n]
        self._alike = alike
        self._lengths = np.concatenate([alike[:1], self._lengths[: n - 1]])
        then = slice(FORESEEN_WINDOWS, n)
        cosines = alike[then] / np.sqrt(self._lengths[then] * alike[0] + _EPSILON)
        weights = np.exp(_SHARPNESS * (cosines - 1.0))
        total = weights.sum() + _EPSILON
        followed = [
            weights @ self._past[FORESEEN_WINDOWS - ahead : n - ahead, :HISTORY_DIM] / total
            for ahead in range(1, FORESEEN_WINDOWS + 1)
        ]
        return np.concatenate([*followed, [np.log(total) / 4.0]])

    def follow(self, codes: Array) -> Array:
        """Hear a whole track (T, HISTORY_DIM + 1): as `hear`, (T, …); leaves no trace."""
        n = len(codes)
        alike = codes @ codes.T  # (T, T): now, then
        for t in range(1, n):
            alike[t, 1:] += self._keep * alike[t - 1, :-1]
        lengths = alike.diagonal()
        weights = alike / np.sqrt(np.outer(lengths, lengths) + _EPSILON)
        weights = np.exp(_SHARPNESS * (weights - 1.0))
        weights = np.triu(np.tril(weights, -FORESEEN_WINDOWS), 1 - _REMEMBERED)
        total = weights.sum(axis=1, keepdims=True) + _EPSILON
        told = np.zeros((n, FORESEEN_WINDOWS * HISTORY_DIM + 1), np.float32)
        for ahead in range(1, FORESEEN_WINDOWS + 1):
            later = np.zeros((n, HISTORY_DIM), np.float32)
            later[: n - ahead] = codes[ahead:, :HISTORY_DIM]
            told[:, (ahead - 1) * HISTORY_DIM : ahead * HISTORY_DIM] = weights @ later / total
        told[:, -1] = np.log(total[:, 0]) / 4.0
        return told


def _compared(codes: Array) -> Array:
    """Codes (T, HISTORY_DIM), zero for silence, with silence as one direction more."""
    rests = ~codes.any(axis=1, keepdims=True)
    return np.concatenate([codes, _REST * rests], axis=1, dtype=np.float32)


def with_history(blocks: Sequence[Block], codes: Array, config: TransformerConfig) -> list[Block]:
    """The blocks, with what was heard so far beside level and onset.

    Args:
        blocks: with plain fields; a guide heard in several of them is followed once.
        codes: of `codes_of`.
        config: of the network that is told; without a history the blocks stay as they are.
    """
    if not config.history_windows:
        return list(blocks)
    history = HeardHistory(codes, config.history_windows, config.analogue_windows)
    known: dict[bytes, Array] = {}
    told = []
    for block in blocks:
        place = block.heard.tobytes() + block.fields.tobytes()
        if place not in known:
            followed = history.follow(block.heard)
            known[place] = np.concatenate([block.fields, followed], axis=1)
        told.append(replace(block, fields=known[place]))
    return told
