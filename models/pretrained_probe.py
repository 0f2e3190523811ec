"""Can a pretrained model hear live here? Measured before anything sounds, on this machine.

Contexts from that of the training downward, precisions from the most exact on, few threads before
many: the first combination that always answers in time is taken.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, get_args

import numpy as np

from models.encoder_config import Precision, PretrainedConfig
from models.pretrained_encoder import PretrainedEncoder

__all__ = ["ProbeResult", "probe", "seconds_to_answer"]

ROUNDS: Final = 5
PRECISIONS: Final[tuple[Precision, ...]] = get_args(Precision)


@dataclass(frozen=True)
class ProbeResult:
    """What was found.

    Args:
        config: how to hear live, or the fastest way tried if none is fast enough.
        seconds: longest answer measured with it, seconds.
        budget_seconds: what was allowed.
        tried: every combination measured, with its longest answer.
    """

    config: PretrainedConfig
    seconds: float
    budget_seconds: float
    tried: tuple[tuple[PretrainedConfig, float], ...]

    @property
    def fits(self) -> bool:
        """Whether it answers in time."""
        return self.seconds <= self.budget_seconds

    @property
    def told(self) -> str:
        """The choice and its figure, in words."""
        one = self.config
        threads = "1 thread" if one.threads == 1 else f"{one.threads} threads"
        return (
            f"{one.precision}, {threads}, {one.context_seconds:g} s of context: "
            f"{1000 * self.seconds:.0f} ms a window, of {1000 * self.budget_seconds:.0f} allowed"
        )


def probe(
    config: PretrainedConfig,
    sample_rate: int,
    window_seconds: float,
    budget_seconds: float,
    threads: Sequence[int] = (1, 2),
    measure: Callable[[PretrainedConfig, int, float], float] | None = None,
) -> ProbeResult:
    """How to hear live with a model within a time.

    Args:
        config: as it was trained with; contexts are this one, a half, a quarter … of it.
        sample_rate: samples per second of what will be heard.
        window_seconds: length of a window, seconds; no context is shorter.
        budget_seconds: time allowed for one window, seconds.
        threads: numbers of threads that may be used, in the order in which they are tried.
        measure: seconds that a window takes; `seconds_to_answer` if None.

    Raises:
        ValueError: a model that cannot be used.
    """
    measured = measure or seconds_to_answer
    tried: list[tuple[PretrainedConfig, float]] = []
    for context in _contexts(config.context_seconds, window_seconds):
        for precision in PRECISIONS[PRECISIONS.index(config.precision) :]:
            for count in threads:
                one = config.model_copy(
                    update={"context_seconds": context, "precision": precision, "threads": count}
                )
                seconds = measured(one, sample_rate, window_seconds)
                tried.append((one, seconds))
                if seconds <= budget_seconds:
                    return ProbeResult(one, seconds, budget_seconds, tuple(tried))
    fastest, seconds = min(tried, key=lambda pair: pair[1])
    return ProbeResult(fastest, seconds, budget_seconds, tuple(tried))


def seconds_to_answer(config: PretrainedConfig, sample_rate: int, window_seconds: float) -> float:
    """The longest of five answers by the clock on the wall, after one to warm up, seconds."""
    encoder = PretrainedEncoder(config, sample_rate, window_seconds)
    rng = np.random.default_rng(0)
    sound = rng.normal(0.0, 0.1, encoder.history_samples).astype(np.float32)
    encoder.encode(sound)
    longest = 0.0
    for _ in range(ROUNDS):
        started = time.perf_counter()
        encoder.encode(sound)
        longest = max(longest, time.perf_counter() - started)
    return longest


def _contexts(longest: float, window_seconds: float) -> list[float]:
    """The longest, a half of it, a quarter … and last the window alone."""
    found = []
    while longest > window_seconds:
        found.append(longest)
        longest /= 2
    return [*found, window_seconds]
