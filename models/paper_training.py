"""Training of the published decision model, and its answers.

Bujard et al. 2025: Adam at 1e-6, batch 24, weight decay 1e-5, cross-entropy, scheduled sampling
with exponential decay (Bengio et al. 2015); windows of 15 s that overlap by 5 s, a random pair of
parts in a random direction each.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from models.alphabet import SILENCE
from models.paired_labels import Block
from models.paper_transformer import PaperConfig, PaperTransformer
from models.regeneration import Reading, sample

_IGNORED: Final = -100


@dataclass(eq=False)
class PaperTraining:
    """A training of the published configuration.

    Args:
        network: weights in training.
        optimizer: Adam over them.
        sequence: windows in a sequence.
        hop: windows from one sequence to the next.
        step: steps taken.
    """

    network: PaperTransformer
    optimizer: torch.optim.Adam
    sequence: int
    hop: int
    step: int = 0

    @classmethod
    def start(
        cls, config: PaperConfig, n_labels: int, window_seconds: float, shift: int = 1
    ) -> "PaperTraining":
        """Fresh weights from the config's seed."""
        with torch.random.fork_rng():
            torch.manual_seed(config.seed)
            network = PaperTransformer(config, n_labels, shift).eval()
        adam = torch.optim.Adam(
            network.parameters(),
            lr=config.learning_rate,
            betas=(0.9, 0.999),
            weight_decay=config.weight_decay,
        )
        sequence = max(2, round(config.sequence_seconds / window_seconds))
        hop = max(1, sequence - round(config.overlap_seconds / window_seconds))
        return cls(network, adam, sequence, hop)

    def take_step(self, train: Sequence[Block]) -> float:
        """One step of Adam; returns the cross-entropy in nats per window.

        Args:
            train: whole songs in pairs; a sequence is a drawn place of a drawn song, then a
                drawn ordered pair of its parts.
        """
        config, network = self.network.config, self.network
        rng = np.random.default_rng([config.seed, self.step])
        heard, answer, n_sequences = self._draw(train, rng)
        epoch = self.step * config.batch_size // max(1, n_sequences)
        with torch.random.fork_rng():
            torch.manual_seed(int(rng.integers(2**62)))  # of dropout
            before = _opened(answer, network.n_labels)
            truth_share = config.sampling_decay**epoch
            if truth_share < 1.0:  # Bengio et al. 2015, in two parallel passes
                with torch.no_grad():
                    own = _opened(network(heard, before).argmax(-1), network.n_labels)
                use_own = torch.from_numpy(rng.random(before.shape) >= truth_share)
                use_own[:, 0] = False
                before = torch.where(use_own, own, before)
            network.train()
            logits = network(heard, before)
            loss = functional.cross_entropy(
                logits.flatten(0, 1), answer.flatten(), ignore_index=_IGNORED
            )
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            network.eval()
        self.step += 1
        return float(loss.detach())

    def epochs(self, train: Sequence[Block]) -> float:
        """How often, on average, each place of the training songs was drawn."""
        return self.step * self.network.config.batch_size / max(1, len(self._places(train)))

    def _places(self, train: Sequence[Block]) -> list[tuple[str, int]]:
        """Song and first window of every sequence."""
        lengths = {block.song: len(block.heard) for block in train}
        return [
            (song, first)
            for song, length in lengths.items()
            for first in range(0, max(1, length - self.sequence + 1), self.hop)
        ]

    def _draw(self, train: Sequence[Block], rng: np.random.Generator) -> tuple[Tensor, Tensor, int]:
        """Heard (B, T) and answer (B, T), silence K; and how many sequences an epoch has."""
        of_song: dict[str, list[Block]] = {}
        for block in train:
            of_song.setdefault(block.song, []).append(block)
        places = self._places(train)
        shape = (self.network.config.batch_size, self.sequence)
        heard = np.full(shape, self.network.n_labels, dtype=np.int64)
        answer = np.full(shape, _IGNORED, dtype=np.int64)
        for row, place in enumerate(rng.integers(len(places), size=shape[0])):
            song, first = places[place]
            block = of_song[song][rng.integers(len(of_song[song]))]
            cut = slice(first, first + self.sequence)
            length = len(block.heard[cut])
            heard[row, :length] = with_silence(block.heard[cut], self.network.n_labels)
            answer[row, :length] = with_silence(block.answer[cut], self.network.n_labels)
        return torch.from_numpy(heard), torch.from_numpy(answer), len(places)


def with_silence(labels: NDArray[np.int64], n_labels: int) -> NDArray[np.int64]:
    """Labels with silence as class K."""
    return np.where(labels == SILENCE, n_labels, labels)


def _opened(labels: Tensor, n_labels: int) -> Tensor:
    """Own labels one window later, opened by K + 1; where nothing is known, silence."""
    known = torch.where(labels == _IGNORED, n_labels, labels)
    return functional.pad(known[:, :-1], (1, 0), value=n_labels + 1)


@torch.no_grad()
def read_sequences(
    training: PaperTraining,
    blocks: Sequence[Block],
    *,
    top_p: float,
    seed: int | None,
    told: bool = False,
) -> list[tuple[Reading, NDArray[np.int64]]]:
    """Let the model answer whole blocks freely, in its own overlapping sequences.

    Each window is judged in the sequence in which most of its past is known: after the overlap.
    Where the truth is silent so is the answer; labels are given that one plays.

    Args:
        training: its network and sequences.
        blocks: of any lengths.
        top_p: nucleus mass.
        seed: of the noise; None answers greedily.
        told: the past is the true one (teacher-forced).

    Returns:
        For each block, what was expected given the own answer so far, and the answer (T,).
    """
    network, k = training.network, training.network.n_labels
    network.eval()
    cuts = [
        (number, first)
        for number, block in enumerate(blocks)
        for first in range(0, len(block.heard), training.hop)
    ]
    heard = np.full((len(cuts), training.sequence), k, dtype=np.int64)
    truth = np.full((len(cuts), training.sequence), SILENCE, dtype=np.int64)
    for row, (number, first) in enumerate(cuts):
        cut = slice(first, first + training.sequence)
        length = len(blocks[number].heard[cut])
        heard[row, :length] = with_silence(blocks[number].heard[cut], k)
        truth[row, :length] = blocks[number].answer[cut]
    before = torch.full(heard.shape, k + 1)
    logs = np.zeros((*heard.shape, k), dtype=np.float32)
    silent = np.zeros(heard.shape, dtype=np.float32)
    played = np.full(heard.shape, SILENCE, dtype=np.int64)
    for t in range(training.sequence):
        logits = network(torch.from_numpy(heard[:, : t + 1]), before[:, : t + 1])[:, t]
        logs[:, t] = logits[:, :k].log_softmax(-1).numpy()
        silent[:, t] = logits.softmax(-1)[:, k].numpy()
        noise = np.zeros(logs[:, t].shape)
        if seed is not None:
            noise = np.random.default_rng([seed, t]).gumbel(size=noise.shape)
        drawn = sample(Reading(logs[:, t], silent[:, t]), noise, top_p, np.ones(k, dtype=bool))
        played[:, t] = np.where(truth[:, t] == SILENCE, SILENCE, drawn)
        if t + 1 < training.sequence:
            past = truth[:, t] if told else played[:, t]
            before[:, t + 1] = torch.from_numpy(with_silence(past, k))
    return _joined(blocks, cuts, training, logs, silent, played)


def _joined(
    blocks: Sequence[Block],
    cuts: Sequence[tuple[int, int]],
    training: PaperTraining,
    logs: NDArray[np.float32],
    silent: NDArray[np.float32],
    played: NDArray[np.int64],
) -> list[tuple[Reading, NDArray[np.int64]]]:
    """Sequences put together again; a window is taken from the one that knows most before it."""
    overlap = training.sequence - training.hop
    joined = []
    for number, block in enumerate(blocks):
        n, k = len(block.heard), logs.shape[2]
        reading = Reading(np.zeros((n, k), np.float32), np.zeros(n, np.float32))
        answer = np.full(n, SILENCE, dtype=np.int64)
        for row, (owner, first) in enumerate(cuts):
            if owner == number:
                start = first if first == 0 else first + overlap
                stop = min(n, first + training.sequence)
                if start < stop:
                    here, there = slice(start, stop), slice(start - first, stop - first)
                    reading.labels[here] = logs[row, there]
                    reading.silence[here] = silent[row, there]
                    answer[here] = played[row, there]
        joined.append((reading, answer))
    return joined


def save_paper(path: Path, training: PaperTraining, seconds: float, losses: list[float]) -> None:
    """Write all that a training needs to go on, whole or not at all."""
    tensors = {f"weights.{name}": tensor for name, tensor in training.network.state_dict().items()}
    for name, weight in training.network.named_parameters():
        for key, value in training.optimizer.state.get(weight, {}).items():
            tensors[f"adam.{key}.{name}"] = value
    header = {"step": training.step, "seconds": seconds, "losses": losses}
    partial = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, partial, {"antiphon": json.dumps(header)})
    os.replace(partial, path)


def load_paper(path: Path, training: PaperTraining) -> tuple[float, list[float]]:
    """Put what `save_paper` wrote into a fresh training; CPU seconds and losses so far."""
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["antiphon"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    prefix = "weights."
    weights = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
    training.network.load_state_dict(weights)
    for name, weight in training.network.named_parameters():
        training.optimizer.state[weight] = {
            key: tensors[f"adam.{key}.{name}"]
            for key in ("step", "exp_avg", "exp_avg_sq")
            if f"adam.{key}.{name}" in tensors
        }
    training.step = header["step"]
    return float(header["seconds"]), list(header["losses"])
