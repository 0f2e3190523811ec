"""Metrics on labels: worked examples, ranges, refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.alphabet import SILENCE
from models.metrics.labels import (
    common_prefix_lengths,
    entropy_bits,
    evaluate,
    grouped_bootstrap,
    mann_whitney,
    mean_common_prefix,
    mean_run_length,
    paired_bootstrap,
    true_positive_percentage,
)

REFERENCE = np.array([1, 1, 2, SILENCE, 3])
ESTIMATE = np.array([1, 2, 2, SILENCE, 3])
sequences = st.lists(st.integers(-1, 4), max_size=30).map(lambda x: np.array(x, dtype=np.int64))


def test_tpp_counts_matches_among_active_windows():
    assert true_positive_percentage(REFERENCE, ESTIMATE) == 75.0


def test_tpp_of_a_silent_reference_is_zero():
    silent = np.full(3, SILENCE)
    assert true_positive_percentage(silent, silent) == 0.0


def test_prefix_lengths_of_a_worked_example():
    assert common_prefix_lengths(REFERENCE, ESTIMATE).tolist() == [1, 0, 3, 2, 1]
    assert mean_common_prefix(REFERENCE, ESTIMATE) == (1 + 0 + 3 + 1) / 4


@given(sequences)
def test_a_perfect_answer_reaches_the_longest_prefix_everywhere(labels):
    assert common_prefix_lengths(labels, labels).tolist() == list(range(len(labels), 0, -1))


@given(sequences, st.randoms(use_true_random=False))
def test_metrics_stay_in_their_ranges(labels, random):
    estimate = labels.copy()
    random.shuffle(estimate)
    scores = evaluate(labels, estimate)
    assert 0 <= scores["tpp"] <= 100
    assert 0 <= scores["lcp"] <= len(labels)
    assert -1e-12 <= scores["entropy"] <= np.log2(5) + 1e-12
    assert 0 <= scores["mean_run"] <= len(labels)


def test_entropy_of_even_labels_is_their_logarithm():
    assert entropy_bits(np.array([0, 1, 2, 3, SILENCE])) == 2.0
    assert entropy_bits(np.array([SILENCE])) == 0.0


def test_runs_are_broken_by_change_and_by_silence():
    assert mean_run_length(np.array([1, 1, 1, 2, SILENCE, 2, 2])) == 6 / 3


def test_sequences_of_different_length_are_refused():
    with pytest.raises(ValueError, match="must be equally long, got 2 and 3 windows"):
        true_positive_percentage(np.zeros(2, dtype=np.int64), np.zeros(3, dtype=np.int64))


def test_sequences_that_are_not_integer_are_refused():
    with pytest.raises(ValueError, match="estimate must be a vector of integers, got float64"):
        true_positive_percentage(np.zeros(2, dtype=np.int64), np.zeros(2))


def test_interval_of_a_constant_difference_is_a_point():
    gain = paired_bootstrap(np.full(40, 0.5), np.arange(40) // 4, seed=0)
    assert (gain.mean, gain.low, gain.high) == (0.5, 0.5, 0.5)
    assert gain.is_above_zero


def test_interval_of_noise_holds_zero_and_of_a_shift_does_not():
    noise = np.random.default_rng(0).normal(0, 1, 400)
    assert not paired_bootstrap(noise - noise.mean(), np.arange(400) // 8, seed=0).is_above_zero
    assert paired_bootstrap(noise + 0.5, np.arange(400) // 8, seed=0).is_above_zero


def test_windows_that_move_together_widen_the_interval():
    values = np.repeat(np.random.default_rng(0).normal(0, 1, 20), 20)
    alone = paired_bootstrap(values, np.arange(400), seed=0)
    together = paired_bootstrap(values, np.arange(400) // 20, seed=0)
    assert together.high - together.low > 3 * (alone.high - alone.low)


def test_nothing_to_resample_is_refused():
    with pytest.raises(ValueError, match="not empty"):
        paired_bootstrap(np.zeros(0), np.zeros(0, dtype=np.int64), seed=0)


def test_sums_of_songs_give_the_interval_of_their_windows():
    rng = np.random.default_rng(0)
    differences, songs = rng.normal(0.3, 1, 500), rng.integers(0, 12, 500)
    sums = np.bincount(songs, weights=differences)
    sizes = np.bincount(songs).astype(float)
    whole = paired_bootstrap(differences, songs, seed=1)
    grouped = grouped_bootstrap(sums, sizes, seed=1)
    assert (grouped.low, grouped.high) == (whole.low, whole.high)
    assert grouped.mean == pytest.approx(differences.mean())


def test_mann_whitney_tells_samples_apart_and_equals_from_equals():
    rng = np.random.default_rng(0)
    first = rng.normal(0, 1, 80)
    assert mann_whitney(first, first + 2) < 1e-4
    assert mann_whitney(first, rng.permutation(first)) > 0.5
