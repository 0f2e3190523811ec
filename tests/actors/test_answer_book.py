"""How old the information is on which a window rests."""

import numpy as np

from actors.answer_book import AnswerBook
from agents.messages import Fragment


def fragment(window, plan_window, segment=7):
    nothing = np.zeros((0, 1), dtype=np.float32)
    return Fragment(window, plan_window, 5, 5, segment, "jump", False, 0, nothing)


def book_of(*answers):
    book = AnswerBook()
    for answer in answers:
        book.answer(answer, 1.0)
    return book


def test_a_fresh_answer_is_not_stale():
    assert book_of(fragment(3, 3)).close(3, fragment(3, 3), 0).staleness == 0


def test_a_window_that_only_an_older_plan_foresaw_is_as_old_as_that_plan():
    assert book_of(fragment(3, 3), fragment(5, 3)).close(5, fragment(5, 3), 0).staleness == 2


def test_a_newer_plan_that_left_a_fragment_as_it_stood_has_decided_for_it_again():
    book = book_of(fragment(3, 3), fragment(5, 3), fragment(4, 4))
    assert book.close(5, fragment(5, 3), 0).staleness == 1


def test_a_plan_for_later_windows_does_not_make_a_window_fresher_than_itself():
    assert book_of(fragment(6, 6)).close(5, fragment(5, 5), 0).staleness == 0


def test_a_missed_window_is_as_old_as_the_last_plan_that_came():
    account = book_of(fragment(2, 2)).close(9, None, 0)
    assert (account.reason, account.staleness) == ("missed", 7)
