from dataclasses import replace

import numpy as np
import pytest

from agents.evolution.checkpoint import pack, unpack
from agents.evolution.genome import Genome
from agents.evolution.surrogate import CodeSurrogate

RNG = np.random.default_rng(0)
TURN = np.linalg.qr(RNG.normal(size=(6, 6)))[0][:, :4]
TARGET = np.array([1.0, 0.0, 0.0, 0.0], np.float32)


def point(code):
    """What a program's code foresees: "" plays nothing."""
    if code == "silent":
        return None
    return np.random.default_rng(int(code)).normal(size=6).astype(np.float32)


def song(code):
    place = point(code) @ TURN
    return (place / np.linalg.norm(place)).astype(np.float32)


def genomes(numbers):
    return [Genome("program", str(k)) for k in numbers]


@pytest.fixture
def surrogate():
    def make(n=60, target=lambda: TARGET):
        codes = [str(k) for k in range(n)]
        points = np.array([point(code) for code in codes]).reshape(n, 6)
        songs = np.array([song(code) for code in codes]).reshape(n, 4)
        return CodeSurrogate(point, target, points, songs)

    return make


def truths(numbers):
    return [float(song(str(k)) @ TARGET) for k in numbers]


def test_it_ranks_programs_never_rendered_as_their_clips_will_be(surrogate):
    numbers = range(1000, 1060)
    estimates = surrogate().estimate(genomes(numbers))
    assert np.corrcoef(estimates, truths(numbers))[0, 1] > 0.8


def test_it_follows_a_listener_who_changes(surrogate):
    where = [TARGET]
    one = surrogate(target=lambda: where[0])
    before = one.estimate(genomes(range(1000, 1020)))
    where[0] = -TARGET
    after = one.estimate(genomes(range(1000, 1020)))
    assert np.corrcoef(before, after)[0, 1] < -0.9


def test_what_will_not_play_is_never_chosen(surrogate):
    assert surrogate().estimate([Genome("program", "silent")]) == [-np.inf]


def test_before_anything_is_known_all_are_alike(surrogate):
    empty = surrogate(0)
    assert empty.estimate(genomes([1, 2])) == [0.0, 0.0]


def judged(individual, numbers, wrong=0.0):
    made = []
    for k, truth in zip(numbers, truths(numbers), strict=True):
        one = individual(k, truth - wrong, str(k), estimate=truth)
        made.append(replace(one, judgement=replace(one.judgement, taste=truth, song=song(str(k)))))
    return made


def test_it_learns_from_renders_alone(surrogate, individual):
    one = surrogate(0)
    for start in range(0, 120, 10):
        one.learn(judged(individual, range(start, start + 10)))
    numbers = range(1000, 1060)
    assert np.corrcoef(one.estimate(genomes(numbers)), truths(numbers))[0, 1] > 0.8


def test_faults_lower_an_estimate(surrogate, individual):
    clean, faulty = surrogate(0), surrogate(0)
    clean.learn(judged(individual, range(30)))
    faulty.learn(judged(individual, range(30), wrong=0.5))
    gap = np.subtract(clean.estimate(genomes([40, 41])), faulty.estimate(genomes([40, 41])))
    np.testing.assert_allclose(gap, 0.5, atol=0.05)


def test_how_often_it_was_right_is_measured_before_it_learns(surrogate, individual):
    children = judged(individual, range(20))
    order = np.argsort([-one.fitness for one in children])
    blind = set(order[-5:].tolist())  # the worst were those it did not choose
    named = [
        replace(one, operator="cross, blind" if k in blind else "cross")
        for k, one in enumerate(children)
    ]
    said = surrogate().learn(named)
    assert said["surrogate rank correlation"] == pytest.approx(1.0)
    assert said["surrogate hits"] == pytest.approx(1.0)
    upside_down = [replace(one, estimate=-one.estimate) for one in named]
    assert surrogate().learn(upside_down)["surrogate rank correlation"] == pytest.approx(-1.0)


def test_a_surrogate_put_back_estimates_the_same(surrogate, individual):
    one, other = surrogate(), surrogate()
    one.learn(judged(individual, range(200, 220)))
    other.restore(unpack(pack(one.state())))
    fresh = genomes(range(1000, 1010))
    np.testing.assert_allclose(other.estimate(fresh), one.estimate(fresh), atol=1e-9)
