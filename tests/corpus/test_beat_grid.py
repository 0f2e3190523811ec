from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.beat_grid import BeatGrid, tempo_of
from corpus.segmentation import WindowGrid, exact_seconds

beat_lists = st.lists(st.floats(0.2, 2.0), min_size=1, max_size=12).map(
    lambda steps: tuple(np.cumsum([0.3, *steps]).tolist())
)


def test_windows_are_fractions_of_each_beat():
    grid = BeatGrid(100, (0.0, 1.0, 3.0), 2)
    assert grid.boundaries(4).tolist() == [0, 50, 100, 200, 300]


def test_beats_go_on_before_the_first_and_after_the_last():
    grid = BeatGrid(100, (1.25, 1.75, 2.5))
    assert grid.boundaries(6).tolist() == [25, 75, 125, 175, 250, 325, 400]


@given(beat_lists, st.integers(1, 4), st.integers(0, 60))
def test_windows_touch_and_rise_and_every_beat_is_a_boundary(beats, per_beat, n):
    grid = BeatGrid(1000, beats, per_beat)
    bounds = grid.boundaries(n + per_beat * (len(beats) + 3))
    assert (np.diff(bounds) > 0).all()
    assert bounds[0] >= 0
    for beat in beats:
        assert np.abs(bounds - beat * 1000).min() < 1.001


@given(beat_lists, st.integers(1, 4), st.integers(0, 20_000))
def test_a_sample_lies_in_its_window(beats, per_beat, sample):
    grid = BeatGrid(1000, beats, per_beat)
    window = grid.window_of(sample)
    if window >= 0:
        assert grid.boundary(window) <= sample < grid.boundary(window + 1)
    else:
        assert sample < grid.boundary(0)


@given(beat_lists, st.integers(1, 3), st.integers(0, 20_000))
def test_whole_windows_end_within_the_samples_and_the_next_does_not(beats, per_beat, n_samples):
    grid = BeatGrid(1000, beats, per_beat)
    n = grid.n_whole_windows(n_samples)
    assert n == 0 or grid.boundary(n) <= n_samples
    assert grid.boundary(n + 1) > n_samples


@pytest.mark.parametrize(
    ("beats", "message"),
    [
        ((1.0,), "two beats"),
        ((1.0, 1.0), "rising"),
        ((2.0, 1.0), "rising"),
        ((-1.0, 1.0), "from 0 s"),
        ((0.0, float("nan")), "two beats"),
    ],
)
def test_beats_that_make_no_grid_are_refused(beats, message):
    with pytest.raises(ValueError, match=message):
        BeatGrid(1000, beats)


@given(st.sampled_from([8000, 22_050, 44_100, 48_000]), st.integers(40, 240), st.integers(1, 4))
def test_steady_beats_give_the_windows_that_the_stage_plays_at_that_tempo(rate, bpm, per_beat):
    beats = tuple(60 * k / bpm for k in range(100))
    trained = BeatGrid(rate, beats, per_beat).boundaries(90 * per_beat)
    played = WindowGrid(rate, Fraction(60, bpm * per_beat)).boundaries(90 * per_beat)
    assert np.abs(trained - played).max() <= 1  # a float that is a hair below the beat
    if 6000 % bpm == 0:  # a beat of whole hundredths of a second has no such float
        exact = BeatGrid(rate, tuple(float(exact_seconds(round(b, 2))) for b in beats), per_beat)
        np.testing.assert_array_equal(exact.boundaries(90 * per_beat), played)


def test_the_tempo_is_that_of_the_usual_beats():
    beats = np.round(np.arange(0, 60, 0.6) / 0.0232) * 0.0232  # on the frames of a beat tracker
    assert tempo_of(beats) == pytest.approx(100, abs=0.1)
    assert tempo_of(np.delete(beats, [10, 11, 12, 50])) == pytest.approx(100, abs=0.1)
    assert tempo_of((1.0, 1.5)) == 120
