import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.decision.attack_forecast import AttackForecast

N_PARTS = 10


def follow(strengths, n_parts=N_PARTS):
    forecast = AttackForecast()
    for start in range(0, len(strengths), n_parts):
        forecast.hear(tuple(strengths[start : start + n_parts]))
    return forecast


def pulse(period, n, level=0.5):
    return [level if place % period == 0 else 0.01 for place in range(n)]


@pytest.mark.parametrize("period", [7, 8, 13, 20, 31])
def test_a_steady_beat_goes_on(period):
    heard = pulse(period, 200)
    coming = np.ravel(follow(heard).expect(4))
    expected = pulse(period, 240)[200:]
    np.testing.assert_allclose(coming, expected, atol=1e-9)


def test_a_rhythm_of_long_and_short_goes_on():
    bar = [0.5, 0, 0, 0, 0, 0, 0.3, 0, 0, 0.4, 0, 0, 0, 0, 0, 0.0]
    coming = np.ravel(follow((bar * 20)[:200]).expect(3))
    np.testing.assert_allclose(coming, (bar * 20)[200:230], atol=1e-9)


def test_nothing_is_expected_without_a_rhythm():
    assert AttackForecast().expect(4) == ()
    assert follow([0.0] * 200).expect(4) == ()
    assert follow([0.2] * 200).expect(4) == ()
    assert follow(pulse(8, 10)).expect(4) == ()  # one window tells no period
    single = [0.0] * 200
    single[100] = 0.5
    assert follow(single).expect(4) == ()


def test_a_new_tempo_takes_over_when_the_old_one_is_forgotten():
    forecast = follow(pulse(8, 400) + [0.01] * 0 + pulse(13, 390))
    coming = np.ravel(forecast.expect(2))
    assert set(np.flatnonzero(coming > 0.3)) <= set(
        np.flatnonzero(np.array(pulse(13, 410)[390:]) > 0.3)
    )


def test_windows_in_another_number_of_parts_start_afresh():
    forecast = follow(pulse(8, 200))
    forecast.hear((0.5,) * 5)
    assert forecast.expect(2) == ()


def test_windows_without_parts_expect_nothing():
    forecast = AttackForecast()
    forecast.hear(())
    assert forecast.expect(2) == ()


@given(st.lists(st.floats(0, 1), min_size=10, max_size=500), st.integers(1, 8))
def test_what_is_expected_is_finite_and_lies_within_what_was_heard(strengths, n_windows):
    heard = strengths[: len(strengths) // N_PARTS * N_PARTS]
    rows = follow(heard).expect(n_windows)
    assert len(rows) in (0, n_windows)
    for row in rows:
        assert len(row) == N_PARTS
        assert 0 <= min(row) <= max(row) <= max(heard)
