"""Whether a bundle's pretrained model can hear live on this machine, said before anything sounds.

The model must answer within half a window. What is measured is told; where no context, precision
or number of threads is fast enough, the stage does not start. If it must hear otherwise than in
training, the labels of both ways are compared on the guide (or the memory) and told as well.
"""

import os
from itertools import pairwise
from typing import Final, Protocol

import numpy as np

from actors.stage_config import StageConfig
from corpus.audio_file import read_audio
from launch.config import ConfigError
from models.bundle import Bundle
from models.encoder_config import LiveHearing

__all__ = ["Told", "fit_for_live"]

SHARE_OF_WINDOW: Final = 0.5
COMPARED_WINDOWS: Final = 40
MOST_THREADS: Final = 4


class Told(Protocol):
    """Who is told how the preparation goes."""

    def begin(self, step: str) -> None:
        """The next step begins."""
        ...

    def tell(self, detail: str) -> None:
        """How far the step is."""
        ...

    def note(self, sentence: str) -> None:
        """Something that a person should know; the stage goes on."""
        ...


def fit_for_live(config: StageConfig, told: Told) -> StageConfig:
    """The stage with its way of hearing decided; as it was if no pretrained model hears.

    Fast pace waits for nobody, so there the model hears as in training.

    Args:
        config: with absolute paths.
        told: the figures.

    Raises:
        ConfigError: the model cannot answer within half a window.
        ValueError: the model cannot be used.
    """
    bundle = Bundle.load(config.bundle)
    trained = bundle.card.ear.pretrained
    if trained is None or config.pace == "fast" or config.perception.live is not None:
        return config
    from models.pretrained_probe import probe

    told.begin("measuring the encoder")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = range(1, min(MOST_THREADS, cores or 1) + 1)
    budget = SHARE_OF_WINDOW * config.window
    found = probe(trained, config.audio.sample_rate, config.window, budget, threads)
    if not found.fits:
        raise ConfigError(
            f"the encoder {trained.model} must answer within half a window "
            f"({1000 * budget:.0f} ms), and the fastest way here is {found.told}; play with a "
            "longer --window, or train with a smaller model or a lower layer"
        )
    live = LiveHearing.model_validate(
        found.config.model_dump(include=set(LiveHearing.model_fields))
    )
    perception = config.perception.model_copy(update={"live": live})
    fitted = config.model_copy(update={"perception": perception})
    told.note(f"the encoder hears with {found.told}")
    as_trained = (trained.context_seconds, trained.precision)
    if (live.context_seconds, live.precision) != as_trained:
        told.note(_agreement(fitted, bundle, live))
    return fitted


def _agreement(config: StageConfig, bundle: Bundle, live: LiveHearing) -> str:
    """How often live labels are those of the training's way of hearing, on windows of a file."""
    path = config.replay or config.memory[0]
    rate, window = config.audio.sample_rate, config.window
    samples = read_audio(path, rate, 1)[:, 0]
    n_windows = min(COMPARED_WINDOWS, config.grid.window_of(len(samples)))
    bounds = config.grid.boundaries(n_windows)
    labels = []
    for hearing in (None, live):
        labeller = bundle.labeller(rate, window, hearing)
        labels.append([labeller.push(samples[a:b]).label for a, b in pairwise(bounds)])
    trained, now = np.array(labels)
    share = float(np.mean(trained == now)) if n_windows else 1.0
    return (
        f"hearing so, {share:.0%} of {n_windows} windows of {path.name} get the label that the "
        "training's way of hearing gives them"
    )
