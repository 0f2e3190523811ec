"""Judging rankings: cases small enough to count by hand."""

import numpy as np
import pytest

from agents.code_ranking.diversity import most_distinct
from agents.code_ranking.judgement import (
    Judgement,
    chance,
    judge_choice,
    judge_distances,
    mean_judgement,
)

LINE = np.abs(np.subtract.outer(np.arange(5.0), np.arange(5.0)))
"""Five sounds in a row: the three most distinct are 0, 2 and 4."""


def test_the_truth_judges_itself_perfect():
    judged = judge_distances(LINE, LINE, 3)
    assert judged == Judgement(1.0, 1.0, pytest.approx(1.0), pytest.approx(1.0), 1.0)


def test_a_choice_is_judged_by_hand():
    judged = judge_choice((0, 1, 4), LINE)
    # 2 of 3 are right; of ten subsets one has least distance 2, the others 1: the mean is 1.1
    assert judged.overlap == pytest.approx(2 / 3)
    assert judged.jaccard == pytest.approx(2 / 4)
    assert judged.capture == pytest.approx((1 - 1.1) / (2 - 1.1))
    assert judged.spearman is None


def test_reversed_distances_correlate_negatively():
    judged = judge_distances(np.where(LINE > 0, 5.0 - LINE, 0.0), LINE, 3)
    assert judged.spearman == pytest.approx(-1.0)
    assert judged.pearson == pytest.approx(-1.0)


def test_ties_are_broken_in_several_ways_and_averaged():
    judged = judge_distances(np.where(LINE > 0, 1.0, 0.0), LINE, 3)
    assert judged.spearman == 0.0
    assert 0.0 < judged.overlap < 1.0


def test_chance_is_what_random_choices_give_on_average():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(10, 3))
    real = np.linalg.norm(points[:, None] - points[None], axis=2)
    assert most_distinct(real, 3, rng)
    drawn = [judge_choice(tuple(rng.permutation(10)[:3]), real) for _ in range(600)]
    expected, found = chance(10, 3), mean_judgement(drawn)
    assert expected.overlap == pytest.approx(0.3)
    assert found.overlap == pytest.approx(expected.overlap, abs=0.03)
    assert found.jaccard == pytest.approx(expected.jaccard, abs=0.03)
    assert found.capture == pytest.approx(0.0, abs=0.12)


def test_means_are_taken_over_those_that_have_the_figure():
    mean = mean_judgement([Judgement(0, 0, 0.5, 0.5, 0), Judgement(1, 1, None, None, 1)])
    assert mean == Judgement(0.5, 0.5, 0.5, 0.5, 0.5)
    assert mean_judgement([Judgement(1, 1, None, None, 1)]).spearman is None


def test_shapes_that_differ_and_nothing_to_judge_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        judge_distances(LINE[:4, :4], LINE, 3)
    with pytest.raises(ValueError, match="at least one judgement"):
        mean_judgement([])
