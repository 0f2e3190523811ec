"""What tastes are learned on: fillings, and an evolution that nobody steers."""

import pytest

from agents.evolution.program_catalogue import draw_programs
from corpus.sonic_pi.breeding import Breeder
from corpus.sonic_pi.templating import own_templates


@pytest.fixture(scope="module")
def breeder():
    return Breeder(own_templates(), 1.0)


def test_a_longer_draw_begins_with_the_shorter_one(breeder):
    assert draw_programs(breeder, 40, seed=3)[:30] == draw_programs(breeder, 30, seed=3)


def test_all_programs_differ_and_are_foreseen_to_play(breeder):
    programs = draw_programs(breeder, 40, seed=3)
    assert len(set(programs)) == 40
    assert all(breeder.plays(code) for code in programs)


def test_every_second_program_is_bred_over_generations(breeder):
    parents = {}

    class Watched:
        novel = staticmethod(breeder.novel)

        def crossed(self, mother, father, rng):
            child = breeder.crossed(mother, father, rng)
            parents[child] = mother
            return child

        def mutated(self, parent, rng):
            child = breeder.mutated(parent, rng)
            parents[child] = parent
            return child

    programs = draw_programs(Watched(), 64, seed=3)
    bred = [code for code in programs if code in parents]
    assert 15 <= len(bred) <= 25

    def depth(code):
        return 0 if code not in parents else 1 + depth(parents[code])

    assert max(depth(code) for code in bred) >= 3
