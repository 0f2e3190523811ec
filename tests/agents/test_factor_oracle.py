from hypothesis import given, settings
from hypothesis import strategies as st

from agents.action.factor_oracle import FactorOracle

WORDS = st.lists(st.integers(0, 3), max_size=40)


def longest_common_suffix(one, other):
    shared = 0
    while shared < min(len(one), len(other)) and one[-1 - shared] == other[-1 - shared]:
        shared += 1
    return shared


def test_links_of_a_word_small_enough_to_check_by_hand():
    oracle = FactorOracle([0, 1, 1, 0, 1])  # a b b a b

    assert [oracle.suffix_link(state) for state in range(6)] == [-1, 0, 0, 2, 1, 2]
    assert [oracle.repeated_suffix_length(state) for state in range(6)] == [0, 0, 0, 1, 1, 2]
    assert oracle.transition(0, 1) == 2
    assert oracle.transition(2, 0) == 4
    assert oracle.transition(1, 0) is None


def test_similar_places_of_a_word_small_enough_to_check_by_hand():
    oracle = FactorOracle([0, 1, 2, 0, 1, 3, 0, 1])

    assert dict(oracle.similar(8)) == {2: 2, 5: 2}


def test_an_oracle_of_nothing_accepts_only_the_empty_word():
    oracle = FactorOracle()

    assert len(oracle) == 0
    assert oracle.n_transitions == 0
    assert oracle.accepts([])
    assert not oracle.accepts([0])


@given(WORDS)
def test_every_factor_is_accepted(word):
    oracle = FactorOracle(word)

    assert all(
        oracle.accepts(word[start:end])
        for start in range(len(word) + 1)
        for end in range(start, len(word) + 1)
    )


@given(WORDS, st.integers(4, 9))
def test_a_label_never_learned_is_refused(word, stranger):
    assert not FactorOracle(word).accepts([stranger])


@given(WORDS)
def test_every_suffix_link_points_left_and_ends_with_the_same_labels(word):
    oracle = FactorOracle(word)

    for state in range(1, len(word) + 1):
        link = oracle.suffix_link(state)
        length = oracle.repeated_suffix_length(state)
        assert 0 <= link < state
        assert length <= longest_common_suffix(word[:state], word[:link])
        assert (length == 0) == (link == 0)


@given(WORDS)
def test_reverse_suffix_links_are_the_suffix_links_backwards(word):
    oracle = FactorOracle(word)
    states = range(len(word) + 1)

    for state in states:
        expected = [later for later in reversed(states) if oracle.suffix_link(later) == state]
        assert list(oracle.reverse_suffix_links(state)) == expected


@given(WORDS)
def test_similar_states_are_others_that_share_at_least_the_stated_past(word):
    oracle = FactorOracle(word)

    for state in range(1, len(word) + 1):
        for other, shared in oracle.similar(state):
            assert other != state
            assert 1 <= shared <= longest_common_suffix(word[:state], word[:other])


@given(WORDS)
def test_transitions_grow_linearly(word):
    n_transitions = FactorOracle(word).n_transitions

    assert len(word) <= n_transitions <= max(0, 2 * len(word) - 1)


@given(WORDS)
def test_learning_one_by_one_is_learning_all(word):
    gradual = FactorOracle()
    for label in word:
        gradual.learn(label)
    whole = FactorOracle(word)

    assert gradual.labels.tolist() == whole.labels.tolist() == word
    assert gradual.n_transitions == whole.n_transitions
    for state in range(len(word) + 1):
        assert gradual.suffix_link(state) == whole.suffix_link(state)
        assert gradual.repeated_suffix_length(state) == whole.repeated_suffix_length(state)


@given(st.integers(1, 50_000), st.integers(0, 5))
@settings(max_examples=5, deadline=None)
def test_one_label_held_for_ever_is_one_chain(size, label):
    oracle = FactorOracle([label] * size)

    assert oracle.n_transitions == size
    assert oracle.suffix_link(size) == size - 1
    assert oracle.repeated_suffix_length(size) == size - 1
