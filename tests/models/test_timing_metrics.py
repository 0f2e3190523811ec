"""Worked examples small enough to check by hand, and properties that hold for every run."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.metrics import timing

NAN = math.nan


def test_four_windows_with_one_miss_by_hand():
    figures = timing.evaluate(
        success=[True, True, False, True],
        staleness=[0, 16, 0, 0],
        reaction=[0.010, NAN, NAN, 0.030],
        foreseen_stood=[True, False, False, False],
    )
    assert figures["isr"] == 0.75
    assert figures["isrw"] == pytest.approx((1 + 0.5 + 0 + 1) / 4)
    assert figures["staleness_mean"] == pytest.approx(16 / 3)
    assert figures["anticipation"] == 0.5
    assert (figures["misses"], figures["answered"]) == (1, 2)
    assert figures["reaction"]["p50"] == pytest.approx(0.020)
    assert figures["reaction"]["max"] == pytest.approx(0.030)


def test_a_perfect_run_scores_one_everywhere():
    figures = timing.evaluate([True] * 3, [0] * 3, [0.01] * 3, [True] * 3)
    assert (figures["isr"], figures["isrw"], figures["anticipation"]) == (1.0, 1.0, 1.0)
    assert (figures["misses"], figures["staleness_mean"]) == (0, 0.0)


def test_a_run_that_missed_every_window_scores_zero_and_has_no_staleness():
    figures = timing.evaluate([False, False], [0, 0], [NAN, NAN], [False, False])
    assert (figures["isr"], figures["isrw"], figures["misses"]) == (0.0, 0.0, 2)
    assert figures["staleness_mean"] is None
    assert figures["anticipation"] is None
    assert figures["reaction"] == {"p50": None, "p95": None, "p99": None, "max": None}


def test_a_run_of_no_window_has_no_rate_at_all():
    figures = timing.evaluate([], [], [], [])
    assert figures["isr"] is None
    assert figures["isrw"] is None
    assert figures["misses"] == 0


def test_an_entry_older_than_the_horizon_counts_nothing_and_never_less():
    success, ages = np.array([True, True]), np.array([33, 0])
    assert timing.weighted_success_rate(success, ages) == 0.5


def test_staleness_of_a_missed_window_does_not_enter_any_figure():
    fresh = timing.evaluate([True, False], [1, 0], [0.1, NAN], [True, False])
    old = timing.evaluate([True, False], [1, 99], [0.1, NAN], [True, False])
    assert fresh == old


def test_percentiles_interpolate_and_leave_out_what_is_not_finite():
    values = [NAN, math.inf, *range(101)]
    assert timing.quantiles(values) == {"p50": 50.0, "p95": 95.0, "p99": 99.0, "max": 100.0}


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 100)), min_size=1, max_size=50))
def test_weighting_by_freshness_never_raises_the_success_rate(windows):
    success = np.array([ok for ok, _ in windows])
    ages = np.array([age for _, age in windows])
    isr = timing.interaction_success_rate(success)
    isrw = timing.weighted_success_rate(success, ages)
    assert 0.0 <= isrw <= isr <= 1.0


@given(st.lists(st.floats(0, 10), min_size=1, max_size=50))
def test_quantiles_rise_and_stay_within_the_values(values):
    found = list(timing.quantiles(values).values())
    assert found == sorted(found)
    assert min(values) <= found[0]
    assert found[-1] == max(values)


@pytest.mark.parametrize(
    ("arrays", "error", "match"),
    [
        (([True], [0, 0], [0.1], [True]), ValueError, "one entry per window"),
        (([[True]], [0], [0.1], [True]), ValueError, "success must have shape"),
        (([True], [-1], [0.1], [True]), ValueError, "staleness must be at least 0"),
        (([True], [0], [-0.1], [True]), ValueError, "reaction must be finite"),
        (([True], [0], [math.inf], [True]), ValueError, "reaction must be finite"),
        (([1], [0], [0.1], [True]), TypeError, "success must be boolean"),
        (([True], [0.5], [0.1], [True]), TypeError, "staleness must be integer"),
        (([True], [0], ["soon"], [True]), TypeError, "reaction must be numbers"),
    ],
)
def test_arrays_that_break_the_conventions_are_refused(arrays, error, match):
    with pytest.raises(error, match=match):
        timing.evaluate(*arrays)


def test_a_horizon_of_no_window_is_refused():
    with pytest.raises(ValueError, match="horizon must be at least 1"):
        timing.weighted_success_rate(np.array([True]), np.array([0]), horizon=0)
