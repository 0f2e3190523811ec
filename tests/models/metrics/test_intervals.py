"""Intervals against cases that can be done by hand."""

import numpy as np
import pytest

from models.metrics.intervals import Estimate, bootstrap_mean, jackknife


def test_equal_values_have_an_interval_of_no_width():
    assert bootstrap_mean([0.5, 0.5, 0.5]) == Estimate(0.5, 0.5, 0.5)


def test_the_interval_of_a_coin_is_that_of_the_binomial_distribution():
    values = [0.0, 1.0] * 50
    found = bootstrap_mean(values)
    assert found.value == 0.5
    assert found.low == pytest.approx(0.5 - 1.96 * 0.05, abs=0.02)
    assert found.high == pytest.approx(0.5 + 1.96 * 0.05, abs=0.02)


def test_the_same_seed_gives_the_same_interval_and_one_value_has_none():
    values = list(np.random.default_rng(0).normal(size=20))
    assert bootstrap_mean(values, 3) == bootstrap_mean(values, 3)
    alone = bootstrap_mean([0.25])
    assert alone.value == 0.25
    assert np.isnan(alone.low)


@pytest.mark.parametrize("values", [[], [1.0, float("nan")]])
def test_what_has_no_mean_is_refused(values):
    with pytest.raises(ValueError, match="finite list of at least 1"):
        bootstrap_mean(values)


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values = np.array([1.0, 2.0, 3.0, 6.0])
    found = jackknife(lambda kept: float(values[kept].mean()), ["a", "b", "c", "d"])
    error = values.std(ddof=1) / 2
    assert found.value == 3.0
    assert found.high - found.value == pytest.approx(1.959964 * error)


def test_rows_of_a_group_leave_together():
    values = np.array([0.0, 0.0, 1.0, 1.0])
    masks = []
    jackknife(lambda kept: masks.append(kept.tolist()) or float(values[kept].mean()), list("aabb"))
    assert masks[1:] == [[False, False, True, True], [True, True, False, False]]


def test_one_group_is_refused():
    with pytest.raises(ValueError, match="at least 2 groups"):
        jackknife(lambda kept: float(kept.sum()), ["a", "a"])
