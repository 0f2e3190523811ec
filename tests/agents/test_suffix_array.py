import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.action.suffix_array import BREAK, DEPTH, SuffixArray

TEXTS = st.lists(st.integers(BREAK, 3), max_size=60)
PATTERNS = st.lists(st.integers(0, 4), min_size=1, max_size=DEPTH)


def matched(text, position, pattern):
    n_matched = 0
    for wanted, label in zip(pattern, text[position:], strict=False):
        if wanted != label:
            break
        n_matched += 1
    return n_matched


def suffix_array(text):
    return SuffixArray(np.array(text, dtype=np.int64))


@given(TEXTS, PATTERNS)
def test_a_match_is_as_long_as_what_follows(text, pattern):
    array = suffix_array(text)

    for position in range(len(text)):
        assert array.match(position, array.encode(pattern)) == matched(text, position, pattern)


@given(TEXTS, PATTERNS)
def test_the_longest_match_is_found_with_all_its_places(text, pattern):
    array = suffix_array(text)
    places = {p: matched(text, p, pattern) for p, label in enumerate(text) if label != BREAK}
    longest = max(places.values(), default=0)

    found = array.longest(array.encode(pattern))

    assert found.length == longest
    positions = [array.position(place) for place in range(found.first, found.last)]
    assert sorted(positions) == [p for p, length in places.items() if length >= longest]


def test_nothing_matches_across_a_break():
    array = suffix_array([0, 1, BREAK, 0, 1, 2])

    assert array.match(0, array.encode([0, 1, 0])) == 2
    assert array.longest(array.encode([0, 1, 0])).length == 2


def test_equal_continuations_stand_in_the_order_of_the_memory():
    array = suffix_array([5] * 100)

    found = array.longest(array.encode([5] * DEPTH))

    assert [array.position(p) for p in range(found.first, found.last)] == list(range(69))


@pytest.mark.parametrize("label", [-2, 65535])
def test_a_label_that_does_not_fit_is_refused(label):
    with pytest.raises(ValueError, match=r"labels must be in 0\.\.65534 or -1, got"):
        suffix_array([label])
