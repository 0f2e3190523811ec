"""Nucleus set, mask and coupled noise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from models.alphabet import SILENCE
from models.sampling import (
    MOST_PROBABLE_PLAYABLE,
    NOTHING_PLAYABLE,
    NUCLEUS,
    draw_label,
    draw_silence,
    gumbel_noise,
    nucleus,
    uniform_noise,
)

FOUR = np.array([0.5, 0.3, 0.15, 0.05])
ALL = np.ones(4, dtype=bool)

distributions = st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=40).map(
    lambda weights: np.array(weights) / np.sum(weights)
)


def test_label_that_crosses_the_mass_is_in_the_nucleus():
    assert nucleus(FOUR, 0.6).tolist() == [True, True, False, False]


def test_mass_reached_exactly_needs_no_further_label():
    assert nucleus(FOUR, 0.5).tolist() == [True, False, False, False]


def test_whole_mass_keeps_every_label_that_can_occur():
    assert nucleus(FOUR, 1.0).all()


@given(distributions, st.floats(0.01, 1.0))
def test_nucleus_reaches_the_mass_and_is_minimal(probabilities, top_p):
    members = nucleus(probabilities, top_p)
    mass = probabilities[members].sum()
    assert mass >= top_p - 1e-9
    assert mass - probabilities[members].min() < top_p + 1e-9
    if not members.all():
        assert probabilities[members].min() >= probabilities[~members].max()


@pytest.mark.parametrize("top_p", [0.0, -0.1, 1.3, float("nan")])
def test_mass_outside_its_range_is_refused(top_p):
    with pytest.raises(ValueError, match=r"top_p must be in \(0, 1\], got"):
        nucleus(FOUR, top_p)


def test_frequencies_match_the_renormalised_nucleus():
    draws = [draw_label(np.log(FOUR), 0.9, ALL, gumbel_noise(3, k, 4)).label for k in range(6000)]
    counts = np.bincount(draws, minlength=4)
    expected = FOUR[:3] / FOUR[:3].sum() * 6000
    assert counts[3] == 0
    assert chisquare(counts[:3], expected).pvalue > 0.01


def test_masked_draws_match_the_nucleus_renormalised_on_the_mask():
    playable = np.array([False, True, True, True])
    draws = [
        draw_label(np.log(FOUR), 0.9, playable, gumbel_noise(4, k, 4)).label for k in range(6000)
    ]
    counts = np.bincount(draws, minlength=4)
    assert counts[[0, 3]].tolist() == [0, 0]
    assert chisquare(counts[1:3], [4000, 2000]).pvalue > 0.01


@given(distributions, st.integers(0, 2**32), st.integers(0, 10**6), st.data())
def test_only_playable_labels_are_ever_drawn(probabilities, seed, window, data):
    k = len(probabilities)
    playable = np.array(data.draw(st.lists(st.booleans(), min_size=k, max_size=k)))
    choice = draw_label(np.log(probabilities), 0.8, playable, gumbel_noise(seed, window, k))
    assert (choice.label == SILENCE) == (not playable.any())
    assert choice.label == SILENCE or playable[choice.label]


def test_mask_that_empties_the_nucleus_gives_the_most_probable_playable_label():
    playable = np.array([False, False, True, True])
    choice = draw_label(np.log(FOUR), 0.5, playable, np.array([0.0, 0.0, 0.0, 99.0]))
    assert (choice.label, choice.reason) == (2, MOST_PROBABLE_PLAYABLE)
    assert choice.probability == pytest.approx(0.15)


def test_empty_mask_says_that_nothing_is_playable():
    choice = draw_label(np.log(FOUR), 0.5, np.zeros(4, dtype=bool), np.zeros(4))
    assert (choice.label, choice.probability, choice.reason) == (SILENCE, 0.0, NOTHING_PLAYABLE)


def test_no_noise_draws_the_most_probable_label():
    choice = draw_label(np.log(FOUR), 0.9, ALL, np.zeros(4))
    assert (choice.label, choice.reason) == (0, NUCLEUS)


def test_same_seed_and_window_give_the_same_noise_in_any_order():
    forwards = [gumbel_noise(7, k, 16) for k in range(5)]
    backwards = [gumbel_noise(7, k, 16) for k in reversed(range(5))][::-1]
    np.testing.assert_array_equal(forwards, backwards)


def test_windows_seeds_and_streams_have_noise_of_their_own():
    noise = [
        uniform_noise(seed, window, 8, stream=stream)
        for seed in (0, 1)
        for window in (0, 1)
        for stream in (0, 1)
    ]
    assert len(np.unique(np.concatenate(noise))) == 8 * 8


def test_noise_of_a_label_does_not_depend_on_the_size_of_the_alphabet():
    np.testing.assert_array_equal(gumbel_noise(7, 3, 64)[:16], gumbel_noise(7, 3, 16))


def test_noise_is_uniform_between_0_and_1_over_windows():
    values = np.array([uniform_noise(1, k, 1)[0] for k in range(4000)])
    assert values.min() > 0
    assert values.max() < 1
    assert chisquare(np.histogram(values, bins=10, range=(0, 1))[0]).pvalue > 0.01


def test_small_change_of_the_distribution_rarely_changes_the_draw():
    moved = np.array([0.48, 0.32, 0.15, 0.05])
    same = [
        draw_label(np.log(FOUR), 1.0, ALL, gumbel_noise(0, k, 4)).label
        == draw_label(np.log(moved), 1.0, ALL, gumbel_noise(0, k, 4)).label
        for k in range(2000)
    ]
    assert np.mean(same) > 0.95  # independent draws would agree on 0.37 of the windows


def test_negative_window_is_refused():
    with pytest.raises(ValueError, match="must be at least 0, got 0 and -1"):
        gumbel_noise(0, -1, 4)


def test_silence_comes_with_its_probability_and_only_by_the_windows_noise():
    draws = [draw_silence(0.3, 5, k) for k in range(4000)]
    assert np.mean(draws) == pytest.approx(0.3, abs=0.03)
    assert draws == [draw_silence(0.3, 5, k) for k in range(4000)]
    assert not draw_silence(0.0, 5, 0)
    assert draw_silence(1.0, 5, 0)
