"""Whatever a generator may do, the child is answered for."""

import numpy as np
import pytest

from agents.evolution.evaluation import Evaluator
from agents.evolution.fitness import WORST, Judgement
from agents.evolution.genome import Genome, Individual

CHILD = Individual(7, Genome("program", "play 60"), 0)


class Scripted:
    """A generator that gives what it was made with, or raises it."""

    name, sample_rate, licence, allows_paid_shows = "scripted", 22_050, "ours", True

    def __init__(self, gives):
        self._gives = gives

    def generate(self, conditions, seconds, seeds):
        assert (conditions, seconds, seeds) == (["play 60"], 2.0, [0])
        if isinstance(self._gives, Exception):
            raise self._gives
        return self._gives


class Plain:
    """Judges clips as the fitness does those that cannot be judged: see test_fitness."""

    def judge(self, clips, sample_rate):
        assert sample_rate == 22_050
        sound = [len(clip) and np.isfinite(clip).all() and np.any(clip) for clip in clips]
        return [Judgement("", 1.0 if good else WORST, 0.0, 0.0, None, None, None) for good in sound]


@pytest.mark.parametrize(
    "gives",
    [
        ValueError("no such voice"),
        [],
        [np.zeros(0, np.float32)],
        [np.zeros(44_100, np.float32)],
        [np.full(44_100, np.nan, np.float32)],
    ],
    ids=["raises", "no clip", "nothing", "silence", "NaN"],
)
def test_what_cannot_be_judged_is_the_worst_there_is(gives):
    answer, _ = Evaluator(Scripted(gives), Plain(), 2.0).evaluate(CHILD)
    assert (answer.id, answer.judgement.fitness) == (7, WORST)


def test_a_generator_that_raises_says_why():
    answer, clip = Evaluator(Scripted(ValueError("no such voice")), Plain(), 2.0).evaluate(CHILD)
    assert answer.judgement.reason == "the generator failed: no such voice"
    assert len(clip) == 0


def test_a_clip_is_given_back_as_it_was_judged():
    made = np.ones(44_100, np.float32)
    answer, clip = Evaluator(Scripted([made]), Plain(), 2.0).evaluate(CHILD)
    assert answer.judgement.fitness == 1.0
    assert clip is made
