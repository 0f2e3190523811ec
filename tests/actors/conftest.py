"""A small world to evolve in: songs, a taste model that knows them, and a quick generator."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from actors.evolution_config import StageEvolutionConfig
from corpus.song_features import SongDescriptors, encode_folder
from models.taste import AlignerV2, TasteConfig
from models.taste_checkpoint import save_aligner

RATE = 22_050


def tune(seed, seconds=1.0):
    """Decaying tones of a key, a speed and a brightness of their own."""
    rng = np.random.default_rng(seed)
    step = int(RATE * rng.uniform(0.12, 0.3))
    t = np.arange(step) / RATE
    root, bright, notes = int(rng.integers(48, 72)), rng.uniform(0.2, 0.8), []
    fades = np.minimum(1, np.minimum(t / 0.005, (t[-1] - t) / 0.02))
    while len(notes) * step < seconds * RATE:
        hz = 440 * 2 ** ((root + int(rng.choice([0, 2, 4, 7])) - 69) / 12)
        body = sum(bright**k * np.sin(2 * np.pi * hz * (k + 1) * t) for k in range(4))
        notes.append(0.2 * body * fades * np.exp(-rng.uniform(2, 8) * t))
    return np.concatenate(notes)[: int(seconds * RATE)].astype(np.float32)


@dataclass(frozen=True)
class World:
    """Where the songs and the taste model are, and what was heard before."""

    songs: Path
    taste: Path
    heard: Path

    def config(self, folder, **options):
        population = options.pop("population", 4)
        values = {
            "enabled": True,
            "taste": self.taste,
            "songs": self.songs,
            "folder": folder,
            "seconds": 1.0,
            "accept": -20.0,
            "shape": {"population": population, "elites": 0.25},
        }
        return StageEvolutionConfig(**{**values, **options})


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    songs = folder / "songs"
    songs.mkdir()
    for seed in range(20):
        soundfile.write(songs / f"{seed:02}.wav", tune(seed), RATE)
    _, layers = encode_folder(songs, SongDescriptors(), cache=folder / "heard")
    shape = TasteConfig(user_dim=4, hidden_dim=16, shared_dim=8)
    aligner = AlignerV2(shape, 6, *layers.shape[1:], seed=1)
    deviation = torch.from_numpy(layers.std(axis=0)).clamp(min=1e-3)
    aligner.set_standard(torch.from_numpy(layers.mean(axis=0)), deviation)
    save_aligner(folder / "taste.safetensors", aligner, {"encoder": "descriptors"})
    return World(songs, folder / "taste.safetensors", folder / "heard")
