"""Figures of similarity on spaces whose answer is known."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from models.metrics import similarity


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def rotation(dim, seed=0):
    return np.linalg.qr(normal(dim, dim, seed=seed))[0]


def test_cka_is_one_for_a_space_turned_scaled_and_moved():
    space = normal(50, 5)
    assert similarity.linear_cka(space, 3 * space @ rotation(5) + 7) == pytest.approx(1)


def test_cka_by_hand_on_three_points():
    first, second = np.array([[1.0], [0], [-1]]), np.array([[1.0], [-2], [1]])
    assert similarity.linear_cka(first, second) == pytest.approx(0)
    assert similarity.linear_cka(first, np.array([[1.0], [1], [-2]])) == pytest.approx(9 / 12)


def test_cka_of_a_constant_space_is_zero():
    assert similarity.linear_cka(np.ones((9, 2)), normal(9, 2)) == 0


def test_canonical_correlation_of_one_dimension_is_pearson():
    x, y = normal(40), normal(40, seed=1)
    expected = abs(np.corrcoef(x, y)[0, 1])
    assert similarity.canonical_correlations(x[:, None], y[:, None])[0] == pytest.approx(expected)


def test_cca_is_one_under_any_invertible_map_where_cka_is_not():
    space = normal(80, 4)
    skewed = space @ (rotation(4) * [1, 5, 20, 80]) @ rotation(4, seed=1)
    assert similarity.normalised_cca(space, skewed) == pytest.approx(1)
    assert similarity.linear_cka(space, skewed) < 0.6


def test_cca_of_unrelated_spaces_is_high_when_dimensions_near_rows_and_the_floor_says_so():
    first, second = normal(100, 80), normal(100, 80, seed=1)
    found = similarity.normalised_cca(first, second)
    floor = similarity.shuffled_floor(similarity.normalised_cca, first, second, seed=0)
    assert found > 0.7
    assert found == pytest.approx(floor, abs=0.02)
    assert similarity.normalised_cca(first, second, 10) < 0.4


def test_floor_of_a_real_relation_lies_far_below_it():
    space = normal(200, 5)
    floor = similarity.shuffled_floor(similarity.linear_cka, space, space, seed=0)
    assert floor < 0.1 < similarity.linear_cka(space, space)


def test_distance_correlation_of_a_monotone_map_is_one_by_rank_and_less_by_value():
    real = np.arange(1.0, 20)
    spearman, pearson = similarity.distance_correlations(np.exp(real), real)
    assert spearman == pytest.approx(1)
    assert pearson < 0.8


def test_constant_distances_correlate_with_nothing():
    assert similarity.distance_correlations(np.ones(4), np.arange(4.0)) == (0.0, 0.0)


def test_within_program_sees_what_all_pairs_hide():
    # Two programs far apart; inside each, predicted distances are the wrong way round.
    real = np.array([[0.0], [1], [3], [100], [101], [103]])
    predicted = np.array([[0.0], [3], [3.5], [100], [103], [103.5]])
    names = ["a"] * 3 + ["b"] * 3
    figures = similarity.evaluate(predicted, real, names)
    assert figures["spearman"] > 0.8
    assert figures["spearman_within"] == pytest.approx(0.5)


def test_jaccard_and_overlap_of_two_in_three():
    assert similarity.jaccard((0, 1, 2), (1, 2, 3)) == 0.5
    assert similarity.overlap((0, 1, 2), (1, 2, 3)) == pytest.approx(2 / 3)


def test_capture_is_one_for_the_best_choice_and_zero_on_average():
    points = normal(8, 2)
    distances = cdist(points, points)
    triples = [(i, j, k) for i in range(8) for j in range(i) for k in range(j)]
    figures = [similarity.capture(distances, t) for t in triples]
    assert max(figures) == pytest.approx(1)
    assert np.mean(figures) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: similarity.linear_cka(np.zeros((3, 2)), np.zeros((4, 2))), "the same n"),
        (lambda: similarity.linear_cka(np.zeros(3), np.zeros(3)), "shape"),
        (lambda: similarity.linear_cka(np.full((3, 1), np.nan), np.zeros((3, 1))), "finite"),
        (lambda: similarity.capture(np.zeros((4, 4)), [1, 1]), "different rows"),
        (lambda: similarity.capture(np.zeros((4, 4)), [0, 1, 2, 3]), "2 to 3"),
        (lambda: similarity.overlap([1], []), "at least one"),
        (lambda: similarity.distance_correlations(np.zeros(1), np.zeros(1)), "at least 2"),
        (
            lambda: similarity.within_program_correlation(
                np.zeros((3, 1)), np.zeros((3, 1)), ["a", "a", "b"]
            ),
            "at least 3 rows",
        ),
    ],
)
def test_malformed_input_is_refused_with_the_reason(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_program_of_two_rows_has_no_figure_within_it():
    space = normal(4, 2)
    assert "spearman_within" not in similarity.evaluate(space, space, ["a", "a", "b", "b"])
    assert similarity.evaluate(space, space, ["a", "a", "a", "b"])["spearman_within"] == 1
