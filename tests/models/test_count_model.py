"""Counting with back-off."""

import numpy as np
import pytest

from models.alphabet import SILENCE
from models.count_model import BackoffTable, CountModel, LiveCounts

HEARD = np.array([0, 1, 0, 1, 0, 1, 0, 1])
ANSWER = np.array([2, 2, 0, 1, 0, 1, 0, 1])  # one window after 0 comes 1, after 1 comes 0


def fitted(n_labels=3, horizon=2, held_out=()):
    return CountModel.fit([(HEARD, ANSWER)], held_out, n_labels, horizon)


def test_worked_example_of_the_back_off_chain():
    table = BackoffTable.count(
        np.array([0, 0, 1]), np.array([0, 0, 0]), np.array([1, 1, 0]), n_contexts=2, n_outcomes=2
    )
    p_none = (np.array([1, 2]) + 1 * 0.5) / (3 + 1)
    p_last = (np.array([1, 2]) + 20 * p_none) / (3 + 20)
    p_pair = (np.array([0, 2]) + 20 * p_last) / (2 + 20)
    np.testing.assert_allclose(table.distribution(0, 0), p_pair)


def test_unseen_context_falls_back_to_the_unigram():
    table = BackoffTable.count(
        np.array([0]), np.array([0]), np.array([1]), n_contexts=3, n_outcomes=2
    )
    np.testing.assert_allclose(table.distribution(2, 1), table.distribution(1, 2))


def test_distributions_sum_to_one():
    live = LiveCounts(fitted())
    for label in (0, 1, 2, SILENCE, 0):
        live.observe(label, SILENCE, -20.0, 0.0)
        prediction = live.predict()
        np.testing.assert_allclose(np.exp(prediction.log_probabilities).sum(axis=1), 1, rtol=1e-5)
        assert ((prediction.silence >= 0) & (prediction.silence <= 1)).all()


def test_prediction_is_about_the_window_after_the_one_heard():
    many = [(np.tile(HEARD[2:], 40), np.tile(ANSWER[2:], 40))]
    live = LiveCounts(CountModel.fit(many, (), 3, 2))
    live.observe(1, SILENCE, -20.0, 0.0)
    live.observe(0, SILENCE, -20.0, 0.0)
    assert live.predict().log_probabilities.argmax(axis=1).tolist() == [1, 0]


def test_silence_is_counted_apart_from_the_labels():
    heard = np.tile([0, 1], 100)
    answer = np.where(heard == 0, SILENCE, 1)
    live = LiveCounts(CountModel.fit([(heard, answer)], (), 2, 1))
    live.observe(1, SILENCE, -20.0, 0.0)
    assert live.predict().silence[0] > 0.8
    assert live.predict().log_probabilities[0].argmax() == 1


def test_tuning_trusts_contexts_that_hold_and_distrusts_those_that_do_not():
    rng = np.random.default_rng(0)
    heard = rng.integers(0, 8, 4000)
    follows = np.roll(heard, 1)
    noise = rng.integers(0, 8, 4000)
    held_out = rng.integers(0, 8, 1000)
    relation = CountModel.fit([(heard, follows)], [(held_out, np.roll(held_out, 1))], 8, 1)
    chance = CountModel.fit([(heard, noise)], [(held_out, rng.integers(0, 8, 1000))], 8, 1)
    assert relation.labels[0].strengths[1] <= 1.0
    assert chance.labels[0].strengths[1] >= 100.0


def test_stored_arrays_give_the_same_predictions():
    model = fitted(held_out=[(HEARD, ANSWER)])
    again = CountModel.from_arrays(model.arrays(), 3, 2)
    for heard in ((0, 1), (2, 2), (1, SILENCE)):
        live, other = LiveCounts(model), LiveCounts(again)
        for label in heard:
            live.observe(label, SILENCE, -20.0, 0.0)
            other.observe(label, SILENCE, -20.0, 0.0)
        np.testing.assert_array_equal(
            live.predict().log_probabilities, other.predict().log_probabilities
        )


def test_missing_array_is_named():
    arrays = fitted().arrays()
    del arrays["labels.2.by_last"]
    with pytest.raises(ValueError, match="'by_last', which is missing"):
        CountModel.from_arrays(arrays, 3, 2)


def test_arrays_of_another_alphabet_are_refused():
    with pytest.raises(
        ValueError, match=r"labels.1.by_last must have shape \(6, 5\), got \(4, 3\)"
    ):
        CountModel.from_arrays(fitted().arrays(), 5, 2)


def test_keys_out_of_order_are_refused():
    arrays = fitted().arrays()
    arrays["labels.1.pair_keys"] = arrays["labels.1.pair_keys"][::-1]
    with pytest.raises(ValueError, match="count keys must rise"):
        CountModel.from_arrays(arrays, 3, 2)


def test_nothing_to_count_gives_the_uniform_distribution():
    live = LiveCounts(CountModel.fit([], [], 4, 2))
    np.testing.assert_allclose(np.exp(live.predict().log_probabilities), 0.25, rtol=1e-6)


def test_reset_forgets_what_was_heard():
    live = LiveCounts(fitted())
    before = live.predict().log_probabilities
    live.observe(0, SILENCE, -20.0, 0.0)
    live.reset()
    np.testing.assert_array_equal(live.predict().log_probabilities, before)
