"""Simple distances of code, against cases that can be counted by hand."""

import numpy as np
import pytest

from corpus.sonic_pi.code_distances import (
    edit_distances,
    event_distances,
    parameter_distances,
    sleep_distances,
    tree_distances,
)
from corpus.sonic_pi.unroller import Unroller

PROGRAMS = [
    "play 60\nsleep 1",
    "play 60\nsleep 0.5",
    "sample :bd_haus\nsleep 1",
    "play 72\nsleep 2",
]


def test_edits_are_counted_in_words_over_the_longer_program():
    found = edit_distances(["a b c", "a x c", "a b", "", "b c d e"])
    assert found[0, 1] == pytest.approx(1 / 3)
    assert found[0, 2] == pytest.approx(1 / 3)
    assert found[0, 3] == 1.0
    assert found[0, 4] == pytest.approx(3 / 4)  # drop a, add d and e
    assert edit_distances(["", ""])[0, 1] == 0.0


def test_edit_distance_agrees_with_the_textbook_recursion():
    rng = np.random.default_rng(0)
    for _ in range(20):
        first, second = ("".join(rng.choice(list("abc"), size=n)) for n in rng.integers(1, 9, 2))
        longer = max(len(first), len(second))
        found = edit_distances([" ".join(first), " ".join(second)])[0, 1] * longer
        assert round(found) == _textbook(first, second)


def _textbook(first: str, second: str) -> int:
    if not first or not second:
        return len(first) + len(second)
    return min(
        _textbook(first[1:], second) + 1,
        _textbook(first, second[1:]) + 1,
        _textbook(first[1:], second[1:]) + (first[0] != second[0]),
    )


def test_trees_are_compared_by_the_small_subtrees_they_share():
    found = tree_distances(["a b", "a c", "a b"])
    # each of the trees program(call(a, list(b))) has 2·2 + 3·3 - 1 = 12 pq-grams (two leaves, three
    # nodes above them), of which the 3 with the list as anchor and the 1 of its leaf tell b from c
    assert found[0, 1] == pytest.approx(4 / 12)
    assert found[0, 2] == 0.0


def test_trees_see_what_is_written_not_how_it_is_laid_out():
    found = tree_distances(
        ["2.times do\n  play 60\nend", "2.times do play 60 end # again", "play 1 + 2", "play 1 - 2"]
    )
    assert found[0, 1] == 0.0
    assert 0 < found[2, 3] < found[0, 2] <= 1


def test_a_tree_in_another_place_is_another_tree():
    inside, beside = tree_distances(
        ["loop do\n  play 60\n  sleep 1\nend", "loop do\n  play 60\nend\nsleep 1"]
    )[0]
    assert inside == 0.0
    assert beside > 0.2


def test_waiting_times_are_compared_in_octaves():
    found = sleep_distances(PROGRAMS)
    assert found[0, 1] == pytest.approx(1.0)
    assert found[0, 2] == 0.0
    assert found[1, 3] == pytest.approx(2.0)
    assert sleep_distances(["play 60", "sleep 1", "sleep 0"])[0, 1] == 0.0


def test_parameters_tell_a_name_a_number_and_a_note_apart():
    found = parameter_distances(PROGRAMS)
    assert (found[np.triu_indices(4, 1)] > 0).all()
    same = parameter_distances(["play 60, amp: 0.5", "play 60,  amp: 0.5", "play :c5, amp: 2"])
    assert same[0, 1] == 0.0
    assert same[0, 2] > 0
    assert (parameter_distances(["puts 1", "puts 2"]) == 0).all()


def test_events_differ_by_what_is_played_not_by_how_it_is_written():
    codes = ["2.times do\nplay 60\nsleep 1\nend", "play 60\nsleep 1\nplay 60\nsleep 1", "play 71"]
    unroller = Unroller()
    found = event_distances([unroller.unroll(code, 4.0).events for code in codes])
    assert found[0, 1] == pytest.approx(0.0)
    assert found[0, 2] > 0.5


@pytest.mark.parametrize(
    "distances", [edit_distances, parameter_distances, sleep_distances, tree_distances]
)
def test_distances_are_symmetric_zero_on_the_diagonal_and_finite(distances):
    found = distances([*PROGRAMS, "", "end end ((", "# nothing"])
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, found.T)
    assert (np.diag(found) == 0).all()


def test_programs_that_play_nothing_have_finite_event_distances():
    assert np.isfinite(event_distances([(), ()])).all()
