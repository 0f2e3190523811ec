"""Retrieval on points small enough to rank by hand."""

import numpy as np
import pytest

from models.metrics import retrieval


def test_ranks_by_hand_on_a_line():
    queries, targets = np.array([[0.0], [5], [6]]), np.array([[0.0], [7], [6]])
    # 5 is 2 from its partner 7 and 1 from 6; 6 is on its partner; 0 on its own
    assert retrieval.partner_ranks(queries, targets).tolist() == [1, 2, 1]


def test_the_two_directions_differ():
    code, audio = np.array([[0.0], [1], [9]]), np.array([[1.0], [1.2], [9]])
    figures = retrieval.evaluate(code, audio)
    assert figures["code_to_audio_r1"] == pytest.approx(2 / 3)
    assert figures["audio_to_code_r1"] == pytest.approx(2 / 3)
    assert retrieval.partner_ranks(code, audio).tolist() == [1, 2, 1]
    assert retrieval.partner_ranks(audio, code).tolist() == [2, 1, 1]


def test_a_constant_space_is_at_chance_not_perfect():
    figures = retrieval.evaluate(np.zeros((101, 2)), np.zeros((101, 2)))
    assert figures["code_to_audio_median_rank"] == 51
    assert figures["code_to_audio_r10"] == 0
    assert figures["chance_r10"] == pytest.approx(10 / 101)


def test_unrelated_spaces_find_their_partner_as_often_as_chance():
    rng = np.random.default_rng(0)
    figures = retrieval.evaluate(rng.normal(size=(400, 8)), rng.normal(size=(400, 8)))
    assert figures["code_to_audio_r10"] == pytest.approx(figures["chance_r10"], abs=0.02)
    assert figures["audio_to_code_median_rank"] == pytest.approx(200, abs=30)


def test_same_points_find_themselves():
    points = np.random.default_rng(0).normal(size=(30, 4))
    assert retrieval.evaluate(points, points)["code_to_audio_r1"] == 1


@pytest.mark.parametrize(
    ("queries", "targets", "message"),
    [
        (np.zeros((0, 2)), np.zeros((0, 2)), "n ≥ 1"),
        (np.zeros((2, 2)), np.zeros((3, 2)), "same shape"),
        (np.full((2, 2), np.inf), np.zeros((2, 2)), "finite"),
    ],
)
def test_malformed_input_is_refused_with_the_reason(queries, targets, message):
    with pytest.raises(ValueError, match=message):
        retrieval.evaluate(queries, targets)
