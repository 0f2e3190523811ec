"""Labels learned from a second: ours against the paper's configuration, by turns in one run.

Run it: `python tests/benchmarks/training_speed.py`. Times are CPU time of one thread, on made-up
labels (K = 64, windows of 0.5 s); what the labels are does not change what a step costs.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import torch

from launch.config import PROJECT_ROOT
from launch.paired_tracks_paper import throughput
from launch.train_settings import read_settings
from models.heard_history import codes_of, with_history
from models.paired_labels import Block
from models.paper_training import PaperTraining
from models.paper_transformer import PaperConfig

WINDOW_SECONDS, N_LABELS, N_WINDOWS = 0.5, 64, 260


def blocks(rng):
    """Eight pairs of random labels with level and onset."""
    for name in "abcdefgh":
        fields = rng.normal(size=(2, N_WINDOWS, 2)).astype(np.float32)
        labels = rng.integers(-1, N_LABELS, size=(2, N_WINDOWS))
        yield Block(name, 0, 0, labels[0], fields[0], labels[1], fields[1])


def main():
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    told = {"window_seconds": WINDOW_SECONDS, "alphabet": N_LABELS}
    settings = read_settings(PROJECT_ROOT / "configs" / "paired_tracks.yaml", told)
    codes = codes_of(rng.normal(size=(N_LABELS, 18)))
    train = with_history(list(blocks(rng)), codes, settings.transformer())
    paper = PaperTraining.start(PaperConfig(), N_LABELS, WINDOW_SECONDS)
    per_step = paper.network.config.batch_size * paper.sequence
    rates = throughput(train, settings, paper, N_LABELS, per_step)
    print("labels learned from in a second of one core")
    print(f"  ours                      {rates['ours']:8.0f}")
    print(f"  the paper's configuration {rates['paper']:8.0f}")
    print(f"  ours is {rates['ours'] / rates['paper']:.0f} times as fast")


if __name__ == "__main__":
    main()
