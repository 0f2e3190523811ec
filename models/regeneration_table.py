"""Figures of the re-generation task for every system, song by song, like with like.

Names say how a system answers: "greedy …" the most probable label, "sampled …" nucleus 0.8,
"constrained …" nucleus 0.8 among labels that the true answer's track holds, "told …" the true past
given, "silence …" with silence decided by the system itself and every window counted. Elsewhere
that the answer plays is given, and only windows in which it plays are judged.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.alphabet import SILENCE
from models.count_model import CountModel
from models.decision_model import OWN_PAST_WEIGHT
from models.decision_transformer import DecisionTransformer
from models.evaluation import repeat_share, silence_share
from models.metrics.labels import common_prefix_lengths, entropy_bits, mean_run_length
from models.paired_labels import Block
from models.regeneration import (
    CountReader,
    Reading,
    answer_freely,
    constant_reading,
    read_blocks,
    sample,
)

TOP_P: Final = 0.8
SEQUENCE_SECONDS: Final = 15.0
OVERLAP_SECONDS: Final = 5.0
_LEAST_ACTIVE: Final = 0.3  # of a sequence that is judged as one
Labels = NDArray[np.int64]


@dataclass(eq=False)
class SystemFigures:
    """Figures of one system; per song in the order of names, per 15 s sequence in the order read.

    Args:
        hits: per song, windows answered as in truth.
        n: per song, windows judged.
        bits: per song, bits of the true labels summed; empty if the system has no probabilities.
        silence_bits: per song, bits of silence summed over all windows; likewise.
        tpp: per sequence, %.
        entropy: per sequence, bits of the answer's labels.
        run: per sequence, windows.
        prefix: per sequence, LCP by position, windows.
        sequence_songs: per sequence, its song.
    """

    hits: dict[str, float] = field(default_factory=dict)
    n: dict[str, int] = field(default_factory=dict)
    bits: dict[str, float] = field(default_factory=dict)
    silence_bits: dict[str, float] = field(default_factory=dict)
    tpp: list[float] = field(default_factory=list)
    entropy: list[float] = field(default_factory=list)
    run: list[float] = field(default_factory=list)
    prefix: list[Labels] = field(default_factory=list)
    sequence_songs: list[str] = field(default_factory=list)

    def add_bits(self, block: Block, reading: Reading) -> None:
        """Take in what the system expected of one block."""
        bits = reading.bits(block.answer)[block.scored_active]
        silent = reading.silence_bits(block.answer)[block.scored]
        self.bits[block.song] = self.bits.get(block.song, 0.0) + float(bits.sum())
        self.silence_bits[block.song] = self.silence_bits.get(block.song, 0.0) + float(silent.sum())
        if not self.hits:  # judged by bits alone so far
            self.n.setdefault(block.song, 0)

    def add_answer(
        self, block: Block, answer: Labels, window_seconds: float, *, all_windows: bool = False
    ) -> None:
        """Take in what the system answered to one block, (T,)."""
        judged = block.scored if all_windows else block.scored_active
        hits = float((answer == block.answer)[judged].sum())
        self.hits[block.song] = self.hits.get(block.song, 0.0) + hits
        self.n[block.song] = self.n.get(block.song, 0) + int(judged.sum())
        length = round(SEQUENCE_SECONDS / window_seconds)
        hop = max(1, length - round(OVERLAP_SECONDS / window_seconds))
        played = answer if all_windows else np.where(block.answer == SILENCE, SILENCE, answer)
        for first in range(1, len(answer) - length + 1, hop):
            cut = slice(first, first + length)
            truth, own = block.answer[cut], played[cut]
            active = truth != SILENCE
            if active.mean() < _LEAST_ACTIVE:
                continue
            counted = np.ones(length, dtype=bool) if all_windows else active
            self.sequence_songs.append(block.song)
            self.tpp.append(100.0 * float((truth == own)[counted].mean()))
            self.entropy.append(entropy_bits(own))
            self.run.append(mean_run_length(own))
            missed = np.where(active, own, SILENCE - 1)  # a silence that both keep is no merit
            self.prefix.append(common_prefix_lengths(truth, missed))

    def as_json(self) -> dict[str, Any]:
        """Everything, for storing; prefixes as mean and deviation by position."""
        songs = sorted(self.n)
        content: dict[str, Any] = {"n": [self.n[song] for song in songs]}
        if self.hits:
            content |= {
                "hits": [self.hits[song] for song in songs],
                "tpp": self.tpp,
                "entropy": self.entropy,
                "run": self.run,
                "lcp": float(np.mean(self.prefix)) if self.prefix else 0.0,
                "lcp_mean": np.mean(self.prefix, axis=0).tolist() if self.prefix else [],
                "lcp_deviation": np.std(self.prefix, axis=0).tolist() if self.prefix else [],
            }
        if self.bits:
            content |= {
                "bits": [self.bits[song] for song in songs],
                "silence_bits": [self.silence_bits[song] for song in songs],
            }
        return content


def measure_systems(
    network: DecisionTransformer,
    counts: CountModel,
    train: Sequence[Block],
    blocks: Sequence[Block],
    window_seconds: float,
    seed: int,
) -> dict[str, SystemFigures]:
    """All systems on held-out blocks, by name; shift 1.

    Args:
        network: ours, trained.
        counts: trained.
        train: what shares are taken from.
        blocks: held out.
        window_seconds: Δ.
        seed: of sampling; all systems share the noise of a window.
    """
    k, found = network.n_labels, _Table(window_seconds)
    everything = np.ones(k, dtype=bool)
    silent, repeated = silence_share(train), repeat_share(train)
    readers = {
        "p(y|x)": CountReader(counts.labels[0], counts.silence[0], k, 1, pairs=False),
        "p(y|x₋,x)": CountReader(counts.labels[0], counts.silence[0], k, 1, pairs=True),
    }
    unigram = counts.unigram()
    ours, told = read_blocks(network, blocks), read_blocks(network, blocks, told=True)
    wrong = read_blocks(network, wrong_guides(blocks))
    free = answer_freely(
        network, blocks, ours, own_past_weight=OWN_PAST_WEIGHT, top_p=TOP_P, seed=seed
    )
    for number, block in enumerate(blocks):
        n = len(block.heard)
        rng = np.random.default_rng([seed, number])
        noise = rng.gumbel(size=(n, k))
        coin = rng.random(n)
        none = np.zeros((n, k))
        held = np.isin(np.arange(k), block.answer)
        readings = {
            "uniform": constant_reading(np.full(k, 1 / k), silent, n),
            "unigram": constant_reading(unigram, silent, n),
            **{name: reader.read(block.heard) for name, reader in readers.items()},
            "ours": ours[number],
            "ours, wrong song": wrong[number],
        }
        for name, reading in readings.items():
            found.bits(f"sampled {name}", block, reading)
            drawn = sample(reading, noise, TOP_P, everything)
            found.answer(f"sampled {name}", block, drawn)
            found.answer(f"constrained {name}", block, sample(reading, noise, TOP_P, held))
            mute = np.where(coin < reading.silence, SILENCE, drawn)
            found.answer(f"silence sampled {name}", block, mute, all_windows=True)
            if name != "uniform":
                best = sample(reading, none, TOP_P, everything)
                greedy = "majority" if name == "unigram" else name
                found.answer(f"greedy {greedy}", block, best)
                mute = np.where(reading.silence >= 0.5, SILENCE, best)
                found.answer(f"silence greedy {greedy}", block, mute, all_windows=True)
        before = np.concatenate([[SILENCE], block.heard[:-1]])
        copied = np.where(before == SILENCE, int(unigram.argmax()), before)
        found.answer("greedy copy the guide", block, copied)
        found.answer("silence greedy copy the guide", block, before, all_windows=True)
        found.answer("sampled ours, own past", block, free[number])
        found.bits("told ours, own past", block, told[number])
        best = sample(told[number], none, TOP_P, everything)
        found.answer("told ours, own past", block, best)
        last = np.concatenate([[SILENCE], block.answer[:-1]])
        found.answer("told repeat the last label", block, last)
        found.bits("told repeat the last label", block, _repeating(last, unigram, repeated, silent))
        found.answer("truth", block, block.answer)
    return found.systems


class _Table:
    """Figures by system."""

    def __init__(self, window_seconds: float) -> None:
        self.systems: dict[str, SystemFigures] = {}
        self._window_seconds = window_seconds

    def bits(self, name: str, block: Block, reading: Reading) -> None:
        self.systems.setdefault(name, SystemFigures()).add_bits(block, reading)

    def answer(self, name: str, block: Block, answer: Labels, *, all_windows: bool = False) -> None:
        figures = self.systems.setdefault(name, SystemFigures())
        figures.add_answer(block, answer, self._window_seconds, all_windows=all_windows)


def wrong_guides(blocks: Sequence[Block]) -> list[Block]:
    """Each block with a guide of another song: the next song's, as much of it as there is."""
    songs = sorted({block.song for block in blocks})
    first = {song: next(b for b in blocks if b.song == song) for song in songs}
    wrong = []
    for block in blocks:
        other = first[songs[(songs.index(block.song) + 1) % len(songs)]]
        n, m = len(block.heard), min(len(block.heard), len(other.heard))
        heard, fields = np.full(n, SILENCE), np.zeros_like(block.fields)
        heard[:m], fields[:m] = other.heard[:m], other.fields[:m]
        wrong.append(
            Block(block.song, block.first_window, block.warm_up, heard, fields, block.answer)
        )
    return wrong


def _repeating(last: Labels, unigram: NDArray[np.float64], share: float, silent: float) -> Reading:
    """p(y) that expects the last label again with `share`."""
    chances = np.tile((1.0 - share) * unigram, (len(last), 1))
    plays = last != SILENCE
    chances[plays, last[plays]] += share
    chances[~plays] = unigram
    return Reading(np.log(chances).astype(np.float32), np.full(len(last), silent, np.float32))
