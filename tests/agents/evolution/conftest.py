import numpy as np
import pytest

from agents.evolution.fitness import WORST, Judgement
from agents.evolution.genome import Answer, Genome, Individual
from agents.evolution.searchers.vectors import VectorSpace

GOAL = np.array([1.0, -2.0, 0.5, 3.0, 0.0, -1.0])


def _judgement(fitness, song=None):
    reason = "a clip must sound" if fitness <= WORST else ""
    return Judgement("c", fitness, max(fitness, -1.0), 0.0, None, None, fitness / 2, reason, song)


@pytest.fixture
def judgement():
    return _judgement


@pytest.fixture
def individual():
    def make(id, fitness, text="play 60", **values):
        genome = values.pop("genome", None) or Genome("program", text)
        return Individual(id, genome, 0, judgement=_judgement(fitness), **values)

    return make


@pytest.fixture
def answers_of():
    def make(children, fitness):
        return [Answer(one.id, _judgement(float(fitness(one.genome)))) for one in children]

    return make


@pytest.fixture
def near_goal():
    return lambda genome: -np.linalg.norm(genome.vector.ravel() - GOAL)


@pytest.fixture
def space():
    zero = np.zeros(6, np.float32)
    return VectorSpace(zero, np.ones(6, np.float32), lambda v: Genome("vector", vector=v))
