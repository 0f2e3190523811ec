"""The paper's decision model beside ours: the same labels, the same songs, the compute stated."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from corpus.manifest import write_atomically
from launch.paired_tracks_jobs import Configuration, Effort, settings_of
from launch.train_settings import TrainSettings
from models.decision_model import OWN_PAST_WEIGHT
from models.decision_transformer import DecisionTransformer
from models.heard_history import codes_of, with_history
from models.metrics.labels import grouped_bootstrap
from models.paired_labels import Block, Split, drawn
from models.paper_training import PaperTraining, load_paper, read_sequences, save_paper
from models.paper_transformer import PaperConfig
from models.regeneration import answer_freely, read_blocks, sample
from models.regeneration_table import TOP_P, SystemFigures
from models.training import start, take_step
from models.vector_quantizer import Codebook

_SAVED_EVERY = 20
_OURS = ("sampled ours, own past", "sampled ours", "greedy ours")


@dataclass(frozen=True)
class PaperEffort:
    """What is spent on the paper's model.

    Args:
        seconds: CPU time of its training.
        windows: held-out windows that it answers, about.
        bfloat16: its matrices are multiplied in bfloat16.
    """

    seconds: float
    windows: int
    bfloat16: bool = False


def run_paper(
    configuration: Configuration,
    rate: float,
    effort: Effort,
    spent: PaperEffort,
    out: Path,
    labelled: Callable[[], tuple[Split, Codebook]],
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Train the paper's model, and judge it beside ours of seed 0; or read what was found before.

    Args:
        configuration: window and alphabet; its cell of seed 0 must be there.
        rate: learning rate of Adam.
        effort: of ours.
        spent: on the paper's.
        out: folder of the table.
        labelled: gives the labelled pairs if they are needed.
        say: told where it stands.
    """
    name = f"{configuration.name}-paper-{rate:g}"
    path = out / "cells" / f"{name}.json"
    if path.exists():
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    split, codebook = labelled()
    n_labels, codes = codebook.n_classes, codes_of(codebook.centres)
    window = configuration.window_seconds
    config = PaperConfig(learning_rate=rate, bfloat16=spent.bfloat16)
    training = PaperTraining.start(config, n_labels, window)
    checkpoint = path.with_suffix(".half")
    seconds, losses = load_paper(checkpoint, training) if checkpoint.exists() else (0.0, [])
    while seconds < spent.seconds:
        began = time.process_time()
        losses.append(training.take_step(split.train))
        seconds += time.process_time() - began
        if training.step % _SAVED_EVERY == 0:
            save_paper(checkpoint, training, seconds, losses)
            say(f"{name}: step {training.step}, {losses[-1]:.3f} nats, {seconds:.0f} s of CPU")
    settings = settings_of(effort, configuration, n_labels, 0)
    ours = DecisionTransformer(settings.transformer(), n_labels, settings.horizon)
    ours.load_arrays(load_file(out / "cells" / f"{configuration.name}-0.safetensors"))
    size = settings.transformer()
    blocks = with_history(drawn(getattr(split, effort.measure), spent.windows, 0), codes, size)
    per_step = training.network.config.batch_size * training.sequence
    result = {
        "configuration": configuration.name,
        "learning_rate": rate,
        "bfloat16": spent.bfloat16,
        "steps": training.step,
        "epochs": training.epochs(split.train),
        "cpu_seconds": round(seconds, 1),
        "weights": sum(w.numel() for w in training.network.parameters()),
        "loss": [float(np.mean(losses[:20])), float(np.mean(losses[-20:]))],
        "throughput": throughput(
            with_history(split.train, codes, size), settings, training, n_labels, per_step
        ),
        "judged": _judge(training, ours, blocks, window),
    }
    write_atomically(path, json.dumps(result) + "\n")
    checkpoint.unlink(missing_ok=True)
    return result


def throughput(
    train: Sequence[Block],
    settings: TrainSettings,
    training: PaperTraining,
    n_labels: int,
    per_step: int,
) -> dict[str, float]:
    """Labels per second of CPU in training, ours and the paper's by turns in one run."""
    config = settings.training()
    state = start(settings.transformer(), config, n_labels, settings.horizon, train)
    spent = {"ours": 0.0, "paper": 0.0}
    done = {"ours": 0, "paper": 0}
    take_step(state, config, train)  # memory is taken at the first
    for _ in range(2):
        began = time.process_time()
        for _ in range(5):
            take_step(state, config, train)
        spent["ours"] += time.process_time() - began
        done["ours"] += 5 * config.batch_size * config.sequence_windows
        began = time.process_time()
        training.take_step(train)
        spent["paper"] += time.process_time() - began
        done["paper"] += per_step
    return {name: done[name] / spent[name] for name in spent}


def _judge(
    training: PaperTraining, ours: DecisionTransformer, blocks: Sequence[Block], window: float
) -> dict[str, Any]:
    """Both models on the same blocks: free answers, and bits of the paper's told the true past."""
    figures: dict[str, SystemFigures] = {}

    def add(name: str, block: Block, answer: Any) -> None:  # noqa: ANN401
        figures.setdefault(name, SystemFigures()).add_answer(block, answer, window)

    for how, seed in (("sampled paper", 0), ("greedy paper", None)):
        for block, (_, answer) in zip(
            blocks, read_sequences(training, blocks, top_p=TOP_P, seed=seed), strict=True
        ):
            add(how, block, answer)
    heard = read_blocks(ours, blocks)
    free = answer_freely(ours, blocks, heard, own_past_weight=OWN_PAST_WEIGHT, top_p=TOP_P, seed=0)
    everything = np.ones(ours.n_labels, dtype=bool)
    for number, (block, reading, own) in enumerate(zip(blocks, heard, free, strict=True)):
        noise = np.random.default_rng([0, number]).gumbel(size=reading.labels.shape)
        still = np.zeros_like(noise)
        add("sampled ours", block, sample(reading, noise, TOP_P, everything))
        add("greedy ours", block, sample(reading, still, TOP_P, everything))
        add("sampled ours, own past", block, own)
        add("truth", block, block.answer)
    told = read_sequences(training, blocks, top_p=TOP_P, seed=None, told=True)
    told_ours = read_blocks(ours, blocks, told=True)
    for block, (reading, _), mine in zip(blocks, told, told_ours, strict=True):
        figures["sampled paper"].add_bits(block, reading)
        figures["sampled ours, own past"].add_bits(block, mine)
    return _compared(figures)


def _compared(figures: dict[str, SystemFigures]) -> dict[str, Any]:
    songs = sorted(figures["truth"].n)
    sizes = np.array([figures["truth"].n[song] for song in songs], dtype=np.float64)
    hits = {n: np.array([one.hits[s] for s in songs]) for n, one in figures.items()}
    bits = {n: sum(one.bits.values()) / sizes.sum() for n, one in figures.items() if one.bits}
    gains = {}
    for mine in _OURS:
        paper = f"{mine.split()[0]} paper"
        found = grouped_bootstrap(100.0 * (hits[mine] - hits[paper]), sizes, seed=0)
        gains[f"{mine} over {paper}"] = [found.mean, found.low, found.high]
    return {
        "windows": int(sizes.sum()),
        "songs": len(songs),
        "tpp": {n: 100.0 * float(h.sum() / sizes.sum()) for n, h in hits.items() if n != "truth"},
        "entropy": {n: float(np.mean(one.entropy)) for n, one in figures.items()},
        "run": {n: float(np.mean(one.run)) for n, one in figures.items()},
        "told_bits": bits,
        "gains": gains,
    }
