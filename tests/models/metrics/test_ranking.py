import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.metrics.ranking import centred_cosine, cosine, evaluate, evaluate_rows


def test_three_of_four_pairs_in_order_give_three_quarters():
    ranking = evaluate([0.1, 0.4, 0.35, 0.8], np.array([False, False, True, True]))
    assert ranking["roc_auc"] == pytest.approx(0.75)
    assert ranking["pr_auc"] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert ranking["base_rate"] == 0.5


def test_ties_count_half():
    assert evaluate([1.0, 1.0], np.array([True, False]))["roc_auc"] == 0.5


@given(st.permutations(range(8)))
def test_the_area_does_not_change_under_a_monotone_map(order):
    scores, liked = np.array(order, float), np.arange(8) % 3 == 0
    assert evaluate(scores, liked)["roc_auc"] == evaluate(np.exp(scores), liked)["roc_auc"]


def test_one_class_alone_has_no_area_rather_than_a_number():
    assert evaluate([0.1, 0.2], np.array([True, True]))["roc_auc"] is None
    assert evaluate([0.1, 0.2], np.array([False, False]))["pr_auc"] is None
    assert evaluate([], np.array([], dtype=bool))["base_rate"] is None


def test_a_listener_counts_once_however_many_are_undefined():
    scores = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    liked = np.array([[False, True], [False, True], [True, True]])
    assert evaluate_rows(scores, liked)["roc_auc"] == 0.5


def test_cosine_is_one_for_the_same_direction_and_centring_takes_off_a_shared_level():
    assert cosine([1.0, 2.0], [2.0, 4.0]) == pytest.approx(1)
    assert cosine([9.0, 10.0], [10.0, 9.0]) > 0.99
    assert centred_cosine([9.0, 10.0], [10.0, 9.0]) == pytest.approx(-1)
    assert centred_cosine([1.0, 1.0], [0.0, 1.0]) is None


@pytest.mark.parametrize(
    ("scores", "liked", "error"),
    [
        ([0.1], np.array([True, False]), ValueError),
        ([0.1, np.nan], np.array([True, False]), ValueError),
        ([0.1, 0.2], np.array([0, 1]), TypeError),
    ],
)
def test_malformed_input_is_refused(scores, liked, error):
    with pytest.raises(error, match="must"):
        evaluate(scores, liked)


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match="same songs"):
        cosine([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="listeners, songs"):
        evaluate_rows([0.1], np.array([True]))
