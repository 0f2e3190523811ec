"""How fast taste is: features per song, scores per second, one fit, one judgement of a clip.

Run as `python tests/benchmarks/taste.py`. What taste is *worth* is measured by
`python launch/taste.py --simulate --out DIR`.
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from agents.evolution.audio_faults import find_faults
from agents.evolution.fitness import Fitness, user_target
from agents.evolution.music_guard import MusicGuard
from corpus.song_features import SongDescriptors
from models.listener import Listener, ListenerConfig
from models.taste import AlignerV2, TasteConfig

SECONDS = 10.0
N_SONGS = 600


def milliseconds(work: Callable[[], object], repeats: int) -> float:
    """Median of `repeats` runs after one to warm up."""
    work()
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return 1e3 * statistics.median(taken)


def main() -> None:
    """Measure and print one line per figure."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    encoder = SongDescriptors()
    t = np.arange(round(SECONDS * encoder.sample_rate)) / encoder.sample_rate
    clip = (0.3 * np.sin(2 * np.pi * 330 * t) * np.exp(-4 * (t % 0.5))).astype(np.float32)
    shape = encoder.encode(clip).shape
    songs = rng.normal(size=(N_SONGS, *shape)).astype(np.float32)
    aligner = AlignerV2(TasteConfig(), 300, *shape)
    vectors = aligner.embed_songs(torch.from_numpy(songs)).numpy()

    def fit_hundred() -> None:
        listener = Listener(aligner, vectors, ListenerConfig())
        listener.hear(vectors[:100], [1, -1] * 50)
        listener.fit(10)

    fitness = Fitness(encoder, aligner, user_target(aligner, 0), MusicGuard(songs))
    print("| what | ms |\n|---|---|")
    for name, work, repeats in (
        (f"features of a song of {SECONDS:g} s", lambda: encoder.encode(clip), 10),
        (f"faults of a clip of {SECONDS:g} s", lambda: find_faults(clip, encoder.sample_rate), 10),
        (f"scores of 300 users for {N_SONGS} songs",
         lambda: aligner.scores(torch.from_numpy(songs)), 10),
        ("a fit: 100 ratings, 10 epochs", fit_hundred, 5),
        (f"a judgement of a clip of {SECONDS:g} s",
         lambda: fitness.judge([clip], encoder.sample_rate), 10),
    ):  # fmt: skip
        print(f"| {name} | {milliseconds(work, repeats):.1f} |", flush=True)


if __name__ == "__main__":
    main()
