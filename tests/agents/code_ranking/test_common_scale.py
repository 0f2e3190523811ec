"""What was heard and what was only foreseen, on one scale."""

import numpy as np
import pytest

from agents.code_ranking.common_scale import on_common_scale

HEARD = np.array([True, True, True, False, False])


def foreseen_points(seed=0):
    return np.random.default_rng(seed).normal(size=(5, 8)).astype(np.float32)


def heard_points(foreseen, errors):
    return np.where(HEARD[:, None], foreseen + errors, foreseen).astype(np.float32)


def test_where_nothing_or_all_was_heard_nothing_changes():
    foreseen = foreseen_points()
    for heard in (np.zeros(5, dtype=bool), np.ones(5, dtype=bool)):
        assert (on_common_scale(foreseen + 1, foreseen, heard) == foreseen + 1).all()


def test_what_was_heard_stays_where_it_is():
    foreseen = foreseen_points()
    points = heard_points(foreseen, np.random.default_rng(1).normal(size=(5, 8)))
    assert (on_common_scale(points, foreseen, HEARD)[HEARD] == points[HEARD]).all()


def test_an_error_that_all_share_moves_the_others_most_of_the_way():
    foreseen = foreseen_points()
    moved = on_common_scale(heard_points(foreseen, 2.0), foreseen, HEARD) - foreseen
    assert (moved[~HEARD] > 1.2).all()
    assert (moved[~HEARD] < 2.2).all()


def test_a_twin_of_what_was_heard_moves_as_far():
    foreseen = foreseen_points()
    foreseen[3] = foreseen[0]
    errors = np.random.default_rng(1).normal(size=(5, 8))
    moved = on_common_scale(heard_points(foreseen, errors), foreseen, HEARD)
    assert moved[3] == pytest.approx(moved[0], abs=1e-3)


def test_programs_foreseen_at_one_place_do_no_harm():
    foreseen = np.zeros((5, 8), dtype=np.float32)
    moved = on_common_scale(heard_points(foreseen, 1.0), foreseen, HEARD)
    assert moved == pytest.approx(1.0, abs=1e-3)


def test_a_program_heard_but_never_foreseen_teaches_nothing():
    foreseen = foreseen_points()
    points = heard_points(foreseen, 3.0)
    foreseen[HEARD] = np.nan
    assert (on_common_scale(points, foreseen, HEARD) == points).all()
