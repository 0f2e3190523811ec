import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.action.entries import Offer, best_entry

QUIET = [0, 0, 0, 0, 0]
RARE, SURE = -3.0, 3.0


def offer(position, strikes=QUIET, matched=1, foreseen=False):
    return Offer(position, np.float32(strikes), matched, foreseen)


def enter(offers, staying, log_odds, weight=3.0, waits=True):
    return best_entry(offers, staying, np.float32(log_odds), weight, waits=waits)


def test_where_no_attack_is_expected_nothing_enters():
    entry = enter([offer(7, matched=2)], offer(3), [RARE] * 5)
    assert (entry.position, entry.stays) == (3, True)


@pytest.mark.parametrize("part", range(5))
def test_a_segment_enters_where_an_attack_is_expected(part):
    log_odds = [RARE] * 5
    log_odds[part] = SURE
    entry = enter([offer(7)], offer(3), log_odds)
    assert (entry.position, entry.stays) == (7, False)
    assert entry.share == pytest.approx(part / 5)


def test_what_cannot_go_on_gives_way_on_the_grid():
    entry = enter([offer(7)], None, [RARE, RARE, SURE, RARE, RARE], waits=False)
    assert (entry.position, entry.share) == (7, 0.0)


def test_what_sounds_stays_where_its_own_attacks_are_expected():
    strikes = [0, 0, 1, 0, 0]
    entry = enter([offer(7, strikes)], offer(3, strikes), [RARE, RARE, SURE, RARE, RARE])
    assert entry.stays


def test_of_the_segments_the_one_without_unexpected_attacks_enters():
    log_odds = [SURE, RARE, RARE, RARE, RARE]
    entry = enter([offer(7, [1, 0, 1, 0, 0]), offer(8, [1, 0, 0, 0, 0])], None, log_odds)
    assert (entry.position, entry.share) == (8, 0.0)


def test_without_weight_the_labels_decide():
    log_odds = [RARE, SURE, RARE, RARE, RARE]
    entry = enter([offer(7, matched=3), offer(8)], offer(3, matched=0), log_odds, weight=0.0)
    assert (entry.position, entry.share) == (7, 0.0)
    assert enter([offer(7)], offer(3, matched=4), log_odds, weight=0.0).stays


def test_among_equals_what_was_foreseen_stands():
    assert enter([offer(7), offer(8, foreseen=True)], None, [SURE] * 5).position == 8


def test_where_there_is_nothing_there_is_no_entry():
    assert enter([], None, [SURE] * 5) is None
    assert enter([], offer(3), [SURE] * 5).stays


STRIKES = st.lists(st.integers(0, 1), min_size=5, max_size=5)


@given(
    st.lists(STRIKES, min_size=1, max_size=5),
    STRIKES,
    st.lists(st.floats(-5, 5), min_size=5, max_size=5),
)
def test_the_entry_is_the_best_of_all(offers, staying, log_odds):
    def worth(strikes, labels):
        return labels + 3.0 * float(np.dot(strikes, log_odds)) / 5

    best = worth(staying, 2.0)
    for strikes in offers:
        for part in range(5):
            entering = max(strikes[part], 0.95)
            sounds = [*staying[:part], entering, *strikes[part + 1 :]]
            best = max(best, worth(sounds, 2.0))
    found = enter([offer(n, one) for n, one in enumerate(offers)], offer(9, staying), log_odds)
    sounds = staying
    if not found.stays:
        part, strikes = round(5 * found.share), offers[found.position]
        sounds = [*staying[:part], max(strikes[part], 0.95), *strikes[part + 1 :]]
    assert worth(sounds, 2.0) == pytest.approx(best, abs=1e-4)
