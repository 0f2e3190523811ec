"""The interface of all searchers: ask for children, tell what became of them, in any order.

Fitness is maximised. A searcher keeps no clock, makes no sound and draws chance from its own
generator, whose state is part of `state()`: a searcher put back goes on as if never stopped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from agents.evolution.genome import Genome, Individual

__all__ = ["Proposal", "Searcher", "rng_from_state", "rng_state"]


@dataclass(frozen=True, eq=False)
class Proposal:
    """A child that a searcher would like to see evaluated.

    Args:
        genome: what it is.
        operator: how it came about.
        parents: ids of the individuals it was made of.
    """

    genome: Genome
    operator: str
    parents: tuple[int, ...] = ()


class Searcher(Protocol):
    """Finds children for a population; see the module's conventions."""

    @property
    def name(self) -> str:
        """Names the kind of searcher, for checkpoints and reports."""
        ...

    def ask(self, n: int, population: Sequence[Individual]) -> list[Proposal]:
        """`n` children to evaluate next, n ≥ 1.

        Args:
            n: how many; elites are the population's affair and do not count.
            population: the judged individuals that live now, best first; empty at the start.
        """
        ...

    def tell(self, judged: Sequence[Individual]) -> None:
        """Learn from children that were asked for, this generation's or (late) earlier ones'.

        Args:
            judged: each with a judgement, or with an estimate where it was not rendered.
        """
        ...

    def state(self) -> dict[str, Any]:
        """All that `restore` needs: plain values and arrays."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Be as when `state` was taken.

        Raises:
            ValueError: a state of another searcher.
        """
        ...


def rng_state(rng: np.random.Generator) -> dict[str, Any]:
    """A PCG64 generator as plain values; its 128-bit numbers as text."""
    state: Any = rng.bit_generator.state
    return {
        "state": str(state["state"]["state"]),
        "inc": str(state["state"]["inc"]),
        "has_uint32": int(state["has_uint32"]),
        "uinteger": int(state["uinteger"]),
    }


def rng_from_state(state: Mapping[str, Any]) -> np.random.Generator:
    """The generator that `rng_state` described."""
    bits = np.random.PCG64()
    bits.state = {
        "bit_generator": "PCG64",
        "state": {"state": int(state["state"]), "inc": int(state["inc"])},
        "has_uint32": state["has_uint32"],
        "uinteger": state["uinteger"],
    }
    return np.random.Generator(bits)
