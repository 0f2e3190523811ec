"""The interface of all generators: conditions in, clips out, batched and reproducible."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agents.evolution.genome import Condition

__all__ = ["Clip", "Generator"]

Clip = NDArray[np.float32]
"""Mono, (samples,), full scale ±1; what is judged is, sample for sample, what is played."""


class Generator(Protocol):
    """Makes sound from conditions. Built where it is used; not safe for several threads."""

    @property
    def name(self) -> str:
        """Names the generator and all that changes its sound; part of a cache's key."""
        ...

    @property
    def sample_rate(self) -> int:
        """Samples per second of its clips."""
        ...

    @property
    def licence(self) -> str:
        """Under which terms what it makes may be played, one line; shown before a show."""
        ...

    @property
    def allows_paid_shows(self) -> bool:
        """Whether these terms allow a show that people pay for."""
        ...

    def generate(
        self, conditions: Sequence[Condition], seconds: float, seeds: Sequence[int]
    ) -> list[Clip]:
        """One clip per condition, in order.

        Args:
            conditions: all of the kind that the generator understands.
            seconds: length of each clip, > 0.
            seeds: one per condition; the same condition and seed give the same samples.

        Raises:
            ValueError: as many seeds as conditions are needed, and seconds above 0.
        """
        ...

    def close(self) -> None:
        """Give back processes and memory; nothing is generated afterwards."""
        ...
