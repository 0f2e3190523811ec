"""Who becomes a parent: tournaments and the roulette wheel, over populations sorted best first."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agents.evolution.genome import Individual

__all__ = ["roulette", "tournament"]


def tournament(
    population: Sequence[Individual],
    size: int,
    n: int,
    rng: np.random.Generator,
    temperature: float | None = None,
) -> list[Individual]:
    """The best `n` of `size` drawn evenly without replacement; the highest fitness wins.

    Args:
        population: at least one; their order does not matter.
        size: how many compete, ≥ 1; all if there are fewer.
        n: how many win, ≥ 1.
        rng: draws who competes.
        temperature: None takes the best; else the winners are drawn by `roulette`.
    """
    size = min(max(size, n), len(population))
    drawn = [population[int(k)] for k in rng.permutation(len(population))[:size]]
    if temperature is not None:
        return roulette(drawn, n, rng, temperature)
    return sorted(drawn, key=lambda one: -one.fitness)[:n]


def roulette(
    population: Sequence[Individual], n: int, rng: np.random.Generator, temperature: float
) -> list[Individual]:
    """`n` drawn without replacement, with chances of the softmax of fitness / temperature.

    Gumbel's trick: the largest of log-chance + Gumbel noise are such a draw (Yellott 1977).
    """
    fitness: NDArray[np.float64] = np.array([one.fitness for one in population])
    keys = fitness / temperature + rng.gumbel(size=len(population))
    return [population[int(k)] for k in np.argsort(-keys)[:n]]
