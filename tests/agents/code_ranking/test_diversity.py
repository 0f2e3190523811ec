"""Choosing among candidates, on distances small enough to check by hand."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from agents.code_ranking.diversity import maximal_marginal_relevance, most_distinct, nearest


def on_a_line(*places):
    points = np.array(places, dtype=float)[:, None]
    return cdist(points, points)


def rng(seed=0):
    return np.random.default_rng(seed)


def test_most_distinct_three_on_a_line_are_both_ends_and_the_middle():
    assert most_distinct(on_a_line(0, 1, 5, 6, 10), 3, rng()) in {(0, 2, 4), (0, 3, 4)}


def test_equal_least_distance_is_decided_by_the_mean_distance():
    # 0 and 10 with 5 or with 5.5 on the other side: least 4.5 against 5
    assert most_distinct(on_a_line(0, 5, 5.5, 10), 3, rng()) == (0, 1, 3)
    # both {0, 4, 8} and {0, 4, 9} have least 4; the second is wider
    assert most_distinct(on_a_line(0, 4, 8, 8.0, 9), 3, rng()) == (0, 1, 4)


def test_perfect_ties_depend_on_the_generator_alone():
    square = cdist(np.eye(6), np.eye(6))
    assert most_distinct(square, 3, rng(1)) == most_distinct(square, 3, rng(1))
    assert len({most_distinct(square, 3, rng(seed)) for seed in range(30)}) > 5


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3, 8), st.integers(2, 4))
def test_no_subset_has_a_larger_least_distance(seed, n, k):
    points = rng(seed).normal(size=(n, 3))
    distances = cdist(points, points)
    chosen = most_distinct(distances, min(k, n), rng())

    def least(subset):
        return min((distances[i, j] for i, j in combinations(subset, 2)), default=np.inf)

    best = max(least(subset) for subset in combinations(range(n), min(k, n)))
    assert least(chosen) == pytest.approx(best)


def test_many_candidates_get_at_least_half_of_the_best_spread():
    points = rng(3).normal(size=(200, 2)) * 0.01
    points[[7, 50, 123]] = [[10, 0], [-10, 0], [0, 17]]
    assert most_distinct(cdist(points, points), 3, rng()) == (7, 50, 123)


def test_many_equal_candidates_give_different_indices():
    assert len(set(most_distinct(np.zeros((30, 30)), 5, rng()))) == 5


@pytest.mark.parametrize("n", [0, 1, 2])
def test_fewer_candidates_than_asked_for_are_all_chosen(n):
    assert most_distinct(np.zeros((n, n)), 3, rng()) == tuple(range(n))


def test_one_most_distinct_is_the_candidate_farthest_from_the_rest():
    assert most_distinct(on_a_line(0, 1, 2, 30), 1, rng()) == (3,)


def test_nearest_come_in_order_of_distance():
    assert nearest(np.array([3.0, 1.0, 2.0, 9.0]), 3, rng()) == (1, 2, 0)


def test_relevance_alone_is_nearest_and_difference_takes_the_far_one():
    between, to_target = on_a_line(0, 1, 2, 10), np.array([0.0, 1, 2, 10])
    assert maximal_marginal_relevance(to_target, between, 3, 1.0, rng()) == (0, 1, 2)
    assert maximal_marginal_relevance(to_target, between, 2, 0.0, rng()) == (0, 3)


def test_relevance_with_difference_skips_the_twin_of_what_was_chosen():
    between, to_target = on_a_line(0, 0.01, -3), np.array([1.0, 1.01, 3.0])
    assert maximal_marginal_relevance(to_target, between, 2, 0.4, rng()) == (0, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: most_distinct(np.zeros((2, 3)), 1, rng()), r"shape \(n, n\), got \(2, 3\)"),
        (lambda: most_distinct(np.full((2, 2), np.nan), 1, rng()), "finite"),
        (lambda: most_distinct(np.zeros((2, 2)), 0, rng()), "k must be at least 1, got 0"),
        (lambda: nearest(np.zeros((2, 2)), 1, rng()), "finite list"),
        (lambda: nearest(np.zeros(2), 0, rng()), "k must be at least 1"),
        (
            lambda: maximal_marginal_relevance(np.zeros(2), np.zeros((2, 2)), 1, 1.5, rng()),
            r"trade must be in \[0, 1\], got 1.5",
        ),
        (
            lambda: maximal_marginal_relevance(np.zeros(3), np.zeros((2, 2)), 1, 0.5, rng()),
            "to_target must be 2",
        ),
    ],
)
def test_malformed_input_is_refused_with_the_reason(call, message):
    with pytest.raises(ValueError, match=message):
        call()
