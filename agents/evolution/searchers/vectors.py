"""Spaces of vectors to search, and what all numerical searchers share.

A space says where to start, how far to look in each direction, and what genome a point stands for.
Searchers work in whitened coordinates: 0 is the start, 1 one step of the space.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from agents.evolution.fitness import WORST
from agents.evolution.genome import Genome, Individual

__all__ = ["VectorConfig", "VectorSpace", "embedding_space", "places_of"]

FloatArray = NDArray[np.float32]
Doubles = NDArray[np.float64]


class VectorConfig(BaseModel, frozen=True, extra="forbid"):
    """How numerical searchers begin and vary."""

    sigma: float = Field(default=1.0, gt=0, description="First step, in steps of the space.")
    tournament: int = Field(default=4, ge=1, description="Genetic: who compete to be a parent.")
    crossed: float = Field(
        default=0.5, ge=0, le=1, description="Genetic: share of children of two."
    )
    changed: float = Field(
        default=0.1, gt=0, le=1, description="Genetic: chance of each number to mutate."
    )
    novel: float = Field(default=0.0, ge=0, le=1, description="Genetic: share out of nothing.")


@dataclass(frozen=True, eq=False)
class VectorSpace:
    """A space of genomes.

    Args:
        origin: where a search starts, (dim,).
        step: how far it looks at first in each direction, (dim,), > 0.
        express: the genome of a point (dim,); its `vector` is the point, in any shape.
    """

    origin: FloatArray
    step: FloatArray
    express: Callable[[FloatArray], Genome]

    @property
    def dim(self) -> int:
        """Numbers of a point."""
        return len(self.origin)

    def genome(self, place: Doubles) -> Genome:
        """The genome at a place in whitened coordinates, (dim,)."""
        return self.express((self.origin + self.step * place).astype(np.float32))

    def place(self, genome: Genome) -> Doubles:
        """Where a genome of this space is, whitened, (dim,).

        Raises:
            ValueError: a genome without a vector of this space's size.
        """
        if genome.vector is None or genome.vector.size != self.dim:
            raise ValueError(f"a genome of this space has {self.dim} numbers, got another")
        place: Doubles = (genome.vector.ravel().astype(np.float64) - self.origin) / self.step
        return place


def embedding_space(embeddings: FloatArray, n_tokens: int) -> VectorSpace:
    """Prompts of `n_tokens` token embeddings, flattened token by token (EvoMusic, section V-B).

    Args:
        embeddings: the text encoder's matrix, (vocabulary, dim).
        n_tokens: ≥ 1.
    """
    mean, deviation = embeddings.mean(axis=0), embeddings.std(axis=0)
    shape = (n_tokens, embeddings.shape[1])
    step = np.maximum(np.tile(deviation, n_tokens), 1e-6).astype(np.float32)

    def express(point: FloatArray) -> Genome:
        return Genome("vector", vector=point.reshape(shape))

    return VectorSpace(np.tile(mean, n_tokens).astype(np.float32), step, express)


def places_of(space: VectorSpace, judged: Sequence[Individual]) -> tuple[Doubles, Doubles]:
    """Places (n, dim) and fitness (n,) of individuals; what cannot be judged is just the worst."""
    places = np.stack([space.place(one.genome) for one in judged])
    fitness = np.array([one.fitness for one in judged])
    sound = fitness > WORST
    if sound.any() and not sound.all():  # far below all others, but not so far that they look equal
        spread = float(np.ptp(fitness[sound]))
        fitness = np.where(sound, fitness, fitness[sound].min() - max(spread, 0.1))
    return places, fitness
