from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.segmentation import WindowGrid, exact_seconds

rates = st.integers(8000, 192000)
windows = st.fractions(Fraction(1, 10), 1, max_denominator=1000)


def test_decimal_seconds_mean_what_they_spell():
    assert exact_seconds(0.35) == Fraction(7, 20)


def test_a_sixteenth_at_44100_alternates_between_5512_and_5513_samples():
    grid = WindowGrid(44100, Fraction(1, 8))
    assert list(grid.boundaries(4)) == [0, 5512, 11025, 16537, 22050]


@given(rates, windows, st.integers(0, 100_000))
def test_boundary_is_never_a_sample_away_from_the_exact_time(rate, window, k):
    error = k * window * rate - WindowGrid(rate, window).boundary(k)
    assert 0 <= error < 1


@given(rates, windows, st.integers(0, 10**9))
def test_every_sample_lies_in_exactly_its_window(rate, window, sample):
    grid = WindowGrid(rate, window)
    k = grid.window_of(sample)
    assert grid.boundary(k) <= sample < grid.boundary(k + 1)


def test_a_grid_without_a_sample_per_window_is_refused():
    with pytest.raises(ValueError, match="at least one sample"):
        WindowGrid(1, Fraction(1, 4))
