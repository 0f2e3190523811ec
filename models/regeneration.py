"""The re-generation task: answers of many systems to held-out guides, many blocks at a time.

Systems that only listen are read as one table of log-probabilities per block. A system with own
past answers freely, window by window, all blocks in step, through a key/value cache. That the
answer plays is given (silence is masked) unless a system decides silence itself.

Shape letters: B blocks, T windows, K labels, C width, N heads, D = C / N, W windows in the cache.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.alphabet import SILENCE
from models.count_model import BackoffTable
from models.decision_model import HIDDEN
from models.decision_transformer import Block as Layer
from models.decision_transformer import DecisionTransformer, rotary_angles
from models.paired_labels import Block
from models.sampling import nucleus_rows
from models.training_crops import own_past

Labels = NDArray[np.int64]
Figures = NDArray[np.float32]
_BLOCKS_AT_ONCE: Final = 16


@dataclass(frozen=True, eq=False)
class Reading:
    """What a system expects of every window of one block.

    Args:
        labels: (T, K) float32, log-probabilities given that one plays; row t is about window t.
        silence: (T,) float32, probability that window t is silent.
    """

    labels: Figures
    silence: Figures

    def bits(self, answer: Labels) -> NDArray[np.float64]:
        """Bits of each true label, (T,); NaN for silence."""
        rows = np.arange(len(answer))
        bits = -self.labels[rows, np.maximum(answer, 0)].astype(np.float64) / np.log(2)
        return np.where(answer == SILENCE, np.nan, bits)

    def silence_bits(self, answer: Labels) -> NDArray[np.float64]:
        """Bits of whether each window is silent, (T,)."""
        chance = np.where(answer == SILENCE, self.silence, 1.0 - self.silence)
        return -np.log2(np.maximum(chance.astype(np.float64), 1e-9))


def constant_reading(probabilities: NDArray[np.floating], silence: float, n: int) -> Reading:
    """The same expectation (K,) for `n` windows."""
    logs = np.log(probabilities).astype(np.float32)
    return Reading(np.broadcast_to(logs, (n, len(logs))), np.full(n, silence, np.float32))


class CountReader:
    """Reads blocks with a count table: p(y | x₋, x), or p(y | x) alone.

    Args:
        labels: table of labels for this shift.
        silence: table of silence for this shift.
        n_labels: K.
        shift: windows between the last heard and the answered one, ≥ 0.
        pairs: use the last two labels heard; otherwise the last.
    """

    def __init__(
        self,
        labels: BackoffTable,
        silence: BackoffTable,
        n_labels: int,
        shift: int,
        *,
        pairs: bool,
    ) -> None:
        self._tables, self._n_labels = (labels, silence), n_labels
        self._shift, self._pairs = shift, pairs
        self._known: dict[int, tuple[Figures, float]] = {}

    def read(self, heard: Labels) -> Reading:
        """The reading of one guide (T,)."""
        k, n = self._n_labels, len(heard)
        contexts = np.full(n + 2, k, dtype=np.int64)
        contexts[2:] = np.where(heard == SILENCE, k, heard)
        last = np.full(n, k, dtype=np.int64)
        previous = last.copy()
        start = min(self._shift, n)
        last[start:] = contexts[2 : 2 + n - start]
        previous[start:] = contexts[1 : 1 + n - start]
        keys = previous * (k + 1) + last if self._pairs else last
        unique, where = np.unique(keys, return_inverse=True)
        rows = [self._look_up(int(key)) for key in unique]
        table = np.stack([row for row, _ in rows])
        return Reading(table[where], np.array([p for _, p in rows], np.float32)[where])

    def _look_up(self, key: int) -> tuple[Figures, float]:
        if key not in self._known:
            k = self._n_labels + 1
            labels, silence = self._tables
            if self._pairs:
                context = (key // k, key % k)
                row, silent = labels.distribution(*context), silence.distribution(*context)
            else:
                row, silent = labels.after(key), silence.after(key)
            self._known[key] = np.log(row).astype(np.float32), float(silent[1])
        return self._known[key]


@torch.no_grad()
def read_blocks(
    network: DecisionTransformer, blocks: Sequence[Block], shift: int = 1, *, told: bool = False
) -> list[Reading]:
    """The network's reading of whole blocks.

    Args:
        network: trained.
        blocks: of any lengths.
        shift: 0..2.
        told: it is told the true own past (teacher-forced); otherwise own past is hidden.
    """
    readings = []
    for first in range(0, len(blocks), _BLOCKS_AT_ONCE):
        some = blocks[first : first + _BLOCKS_AT_ONCE]
        heard, fields = _padded(some)
        past = np.full(heard.shape, HIDDEN)
        if told:
            for row, block in zip(past, some, strict=True):
                row[: len(block.answer)] = own_past(block.answer, shift)
        shifts = torch.full((len(some),), shift)
        labels, silence, *_ = network(
            torch.from_numpy(heard), torch.from_numpy(past), fields, None, shifts
        )
        logs = labels[:, :, 0].log_softmax(-1).numpy()
        silent = silence[:, :, 0].sigmoid().numpy()
        readings += [
            _moved(row[: len(b.heard)], p[: len(b.heard)], shift)
            for row, p, b in zip(logs, silent, some, strict=True)
        ]
    return readings


def _moved(logs: Figures, silence: Figures, shift: int) -> Reading:
    """From rows by the window last heard to rows by the window answered; the first know nothing."""
    labels = np.full_like(logs, -np.log(logs.shape[1]))
    silent = np.full_like(silence, 0.5)
    if shift < len(logs):
        labels[shift:], silent[shift:] = logs[: len(logs) - shift], silence[: len(logs) - shift]
    return Reading(labels, silent)


def _padded(blocks: Sequence[Block]) -> tuple[Labels, Tensor]:
    """Heard labels (B, T) and fields (B, T, 2) of blocks filled up with silence."""
    longest = max(len(block.heard) for block in blocks)
    heard = np.full((len(blocks), longest), SILENCE, dtype=np.int64)
    fields = np.zeros((len(blocks), longest, blocks[0].fields.shape[1]), dtype=np.float32)
    for row, block in enumerate(blocks):
        heard[row, : len(block.heard)] = block.heard
        fields[row, : len(block.heard)] = block.fields
    return heard, torch.from_numpy(fields)


def sample(
    reading: Reading, noise: NDArray[np.floating], top_p: float, playable: NDArray[np.bool_]
) -> Labels:
    """One label per window by nucleus sampling, (T,); zeros as noise give the most probable one.

    Args:
        reading: of the block.
        noise: (T, K), Gumbel, or zeros.
        top_p: nucleus mass, in (0, 1].
        playable: (K,) labels wanted; where the nucleus holds none, it is sampled as it is (the
            constrained generation of Bujard et al. 2025).
    """
    logs = reading.labels
    members = nucleus_rows(np.exp(logs.astype(np.float64)), top_p)
    wanted = members & playable
    candidates = np.where(wanted.any(axis=1, keepdims=True), wanted, members)
    return np.where(candidates, logs + noise, -np.inf).argmax(axis=1).astype(np.int64)


@torch.no_grad()
def answer_freely(
    network: DecisionTransformer,
    blocks: Sequence[Block],
    hidden: Sequence[Reading],
    *,
    own_past_weight: float,
    top_p: float,
    seed: int | None,
    shift: int = 1,
) -> list[Labels]:
    """What the network plays to each block, its own past being what it played, (T,) each.

    Where the truth is silent, so is the answer; own past begins with the windows that are scored.

    Args:
        network: trained.
        blocks: of any lengths.
        hidden: its readings without own past, for mixing.
        own_past_weight: w in [0, 1].
        top_p: nucleus mass.
        seed: of the noise; None answers greedily.
        shift: 0..2.
    """
    heard, fields = _padded(blocks)
    n, longest = heard.shape
    truth = np.full((n, longest), SILENCE, dtype=np.int64)
    known, unheard = np.zeros((n, longest), dtype=bool), np.full(n, HIDDEN)
    free = np.zeros((n, longest, network.n_labels), dtype=np.float32)
    for row, (block, reading) in enumerate(zip(blocks, hidden, strict=True)):
        truth[row, : len(block.answer)] = block.answer
        known[row, : len(block.answer)] = block.scored
        free[row, : len(block.answer)] = reading.labels
    cache = _Cache(network, n, shift)
    played = np.full((n, longest), SILENCE, dtype=np.int64)
    unknown = np.full(n, np.nan, dtype=np.float32)
    for t in range(longest):
        logs = free[:, t]
        if t >= shift:
            before = np.where(known[:, t - 1], played[:, t - 1], HIDDEN) if t else unheard
            told = cache.step(
                torch.from_numpy(heard[:, t - shift]),
                torch.from_numpy(before),
                fields[:, t - shift],
            )
            logs = own_past_weight * told + (1.0 - own_past_weight) * logs
            logs = logs - np.log(np.exp(logs).sum(axis=1, keepdims=True))
        noise = np.zeros(logs.shape)
        if seed is not None:
            noise = np.random.default_rng([seed, t]).gumbel(size=logs.shape)
        chosen = sample(Reading(logs, unknown), noise, top_p, np.ones(logs.shape[1], bool))
        played[:, t] = np.where(truth[:, t] == SILENCE, SILENCE, chosen)
    return [row[: len(block.answer)] for row, block in zip(played, blocks, strict=True)]


class _Cache:
    """Keys and values of the last W windows of B performances, in step."""

    def __init__(self, network: DecisionTransformer, n_blocks: int, shift: int) -> None:
        config = network.config
        self._network, self._position = network, 0
        self._shift = torch.full((n_blocks,), shift)
        head_dim = config.width // config.n_heads
        shape = (config.n_layers, n_blocks, config.n_heads, config.context, head_dim)
        self._keys, self._values = torch.zeros(shape), torch.zeros(shape)

    def step(self, heard: Tensor, own: Tensor, fields: Tensor) -> Figures:
        """Read one window of each performance (B,); log-probabilities (B, K) of the next answer."""
        network, config = self._network, self._network.config
        stream = network.embed(heard[:, None], own[:, None], fields[:, None], self._shift)
        cos, sin = rotary_angles(self._position, 1, config.width // config.n_heads)
        slot, filled = self._position % config.context, min(self._position + 1, config.context)
        for layer, block in enumerate(cast("list[Layer]", network.blocks)):
            q, k, v = block.project(stream, cos, sin)
            keys, values = self._keys[layer], self._values[layer]
            keys[:, :, slot], values[:, :, slot] = k[:, :, 0], v[:, :, 0]
            answer = torch.nn.functional.scaled_dot_product_attention(
                q, keys[:, :, :filled], values[:, :, :filled]
            )
            stream = block.finish(stream, answer, None)
        self._position += 1
        labels = network.answer(stream, heard[:, None], own[:, None], self._shift).labels
        logs: Figures = labels[:, 0, 0].log_softmax(-1).numpy()
        return logs
