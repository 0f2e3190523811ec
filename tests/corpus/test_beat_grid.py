import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.beat_grid import BeatGrid, on_grid, pool

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


def test_pooled_features_are_means_of_the_frames_that_end_inside():
    frames = np.array([[1.0], [3.0], [5.0], [7.0]], np.float32)
    ends = np.array([10, 20, 30, 40])
    assert pool(frames, ends, np.array([0, 20, 40]))[:, 0].tolist() == [2.0, 6.0]
    assert pool(frames, ends, np.array([0, 15, 40]))[:, 0].tolist() == [1.0, 5.0]


def test_a_window_without_frames_takes_the_last_before_and_never_a_later_one():
    frames = np.array([[1.0], [3.0]], np.float32)
    assert pool(frames, np.array([10, 30]), np.array([10, 15, 20]))[:, 0].tolist() == [1.0, 1.0]


def test_frames_without_ends_are_refused():
    with pytest.raises(ValueError, match="an end for each"):
        pool(np.zeros((2, 1), np.float32), np.array([1]), np.array([0, 5]))


def test_levels_are_pooled_as_power_and_silence_needs_every_frame():
    heard = {
        "features": np.array([[1.0], [3.0], [5.0], [5.0]], np.float32),
        "energy_db": np.array([-20.0, -30.0, -90.0, -90.0], np.float32),
        "onset": np.array([0.4, 0.0, 0.0, 0.0], np.float32),
        "silent": np.array([False, True, True, True]),
    }
    found = on_grid(heard, np.array([10, 20, 30, 40]), np.array([0, 20, 40]))
    assert found["features"][:, 0].tolist() == [2.0, 5.0]
    assert found["energy_db"][0] == pytest.approx(10 * np.log10((0.01 + 0.001) / 2), abs=1e-3)
    assert found["onset"][0] == pytest.approx(0.2)
    assert found["silent"].tolist() == [False, True]


def test_pooling_on_a_uniform_grid_gives_the_means_of_whole_windows():
    rng = np.random.default_rng(0)
    frames = rng.random((40, 3)).astype(np.float32)
    found = pool(frames, np.arange(1, 41) * 50, np.arange(0, 9) * 250)
    np.testing.assert_allclose(found, frames.reshape(8, 5, 3).mean(axis=1), atol=1e-6)
