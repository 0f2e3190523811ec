"""How long a heavy encoder takes to hear one window; prints a table.

`python tests/benchmarks/encoders.py [--rounds 9]`: a random model of wav2vec2-base's size and
format (94 million weights), windows of 0.5 s, by context, precision and threads: wall-clock median
and longest, processor time, and how near the features are to those of float32. Beside it the ears
that are trained here. The aim is an answer within half a window, 250 ms, on two cores.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

from models.descriptors import Descriptors
from models.ear_training import EarNetwork
from models.encoder import Encoder
from models.encoder_config import PretrainedConfig
from models.learned_ear import EarShape, EarWeights, LearnedEar
from models.pretrained_encoder import PretrainedEncoder
from models.pretrained_probe import PRECISIONS

WINDOW_SECONDS = 0.5
STAGE_RATE = 44_100


def measured(encoder: Encoder, sound: np.ndarray, rounds: int) -> tuple[float, float, float]:
    """Median and longest wall-clock time and mean processor time of an answer, ms."""
    history = sound[-encoder.history_samples :]
    encoder.encode(history)
    walls, started = [], time.process_time()
    for _ in range(rounds):
        begun = time.perf_counter()
        encoder.encode(history)
        walls.append(1000 * (time.perf_counter() - begun))
    used = 1000 * (time.process_time() - started) / rounds
    return float(np.median(walls)), max(walls), used


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--context", type=float, action="append", help="seconds; may be repeated")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    sound = (0.1 * rng.normal(size=8 * STAGE_RATE)).astype(np.float32)
    print(f"{'encoder':42} {'median':>8} {'longest':>8} {'processor':>9} ms   cosine")
    weights = EarWeights(EarShape(), EarNetwork(EarShape(), 0).arrays(), {})
    own = (
        ("descriptors", Descriptors(STAGE_RATE, WINDOW_SECONDS)),
        ("learned", LearnedEar(weights, STAGE_RATE, WINDOW_SECONDS)),
    )
    with threadpool_limits(1):  # as in the stage's processes
        for name, encoder in own:
            print("{:42} {:8.1f} {:8.1f} {:9.1f}".format(name, *measured(encoder, sound, 100)))
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        Wav2Vec2Model(Wav2Vec2Config()).save_pretrained(folder)
        Wav2Vec2FeatureExtractor().save_pretrained(folder)
        exact: dict[float, np.ndarray] = {}
        for precision in PRECISIONS:
            for context in arguments.context or [0.5, 1.0, 2.0, 4.0]:
                for threads in (1, 2):
                    config = PretrainedConfig(
                        model=folder, context_seconds=context, precision=precision, threads=threads
                    )
                    encoder = PretrainedEncoder(config, STAGE_RATE, WINDOW_SECONDS)
                    frames = encoder.encode(sound[-encoder.history_samples :]).ravel()
                    reference = exact.setdefault(context, frames)
                    near = frames @ reference / np.linalg.norm(frames) / np.linalg.norm(reference)
                    name = f"base size, {precision}, {context:g} s, {threads} threads"
                    figures = measured(encoder, sound, arguments.rounds)
                    print("{:42} {:8.0f} {:8.0f} {:9.0f}      {:.5f}".format(name, *figures, near))


if __name__ == "__main__":
    print(f"load of the machine {Path('/proc/loadavg').read_text().split()[0]}")
    main()
