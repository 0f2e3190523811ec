import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.action.manner import Expected, Manner
from agents.action.navigation import Navigator
from agents.action.navigation_config import NavigationConfig
from agents.action.passages import Passages
from models.alphabet import SILENCE

N_LABELS = 6
DISTANCES = np.abs(np.subtract.outer(np.arange(N_LABELS), np.arange(N_LABELS))).astype(float)
LABELS = st.lists(st.integers(SILENCE, N_LABELS - 1), max_size=50)
SCENARIOS = st.lists(st.integers(SILENCE, N_LABELS + 1), min_size=1, max_size=40)


def navigator_of(labels, starts=(0,), now=lambda: 0.0, seed=0, **config):
    passages = Passages(np.array(labels, dtype=np.int64), starts, DISTANCES)
    return Navigator([passages], NavigationConfig(**config), seed=seed, now=now)


def walk(navigator, scenario, history=()):
    choices = navigator.navigate(scenario, history)
    return [choice.segment for choice in choices], [choice.reason for choice in choices]


def test_the_longest_continuation_is_found_and_followed():
    navigator = navigator_of([0, 1, 5, 0, 1, 2, 3, 5])

    segments, reasons = walk(navigator, [0, 1, 2, 3])

    assert segments == [3, 4, 5, 6]
    assert reasons == ["scenario", "continuation", "continuation", "continuation"]


def test_what_follows_without_a_gap_says_so():
    choices = navigator_of([0, 1, 2]).navigate([0, 1, 0])

    assert [choice.continues for choice in choices] == [False, True, False]


def test_the_next_segment_is_kept_against_a_match_that_is_little_longer():
    labels = [0, 1, 5, 1, 2, 3]

    assert walk(navigator_of(labels), [1, 2, 3], [0])[0] == [1, 4, 5]
    assert walk(navigator_of(labels, continuity_bonus=1), [1, 2, 3], [0])[0] == [3, 4, 5]


def test_a_jump_goes_where_the_past_is_the_same():
    labels = [2, 3, 0, 4, 1, 0, 2, 3, 4, 0, 2, 3]

    for seed in range(8):
        choice = navigator_of(labels, seed=seed).choose([0], [10, 11], window=0)
        assert (choice.segment, choice.reason) == (2, "suffix")


def test_a_label_that_the_memory_has_not_is_played_by_its_nearest():
    choice = navigator_of([0, 4]).choose([3], [], window=0)

    assert (choice.segment, choice.label, choice.wanted, choice.reason) == (1, 4, 3, "nearest")


def test_the_nearest_labels_are_followed_as_a_scenario_too():
    assert walk(navigator_of([4, 0, 1, 4, 5]), [3, 5])[0] == [3, 4]


def test_a_rest_is_played_and_does_not_break_what_follows():
    segments, reasons = walk(navigator_of([2, 1, 0, 1, 2]), [0, SILENCE, 1, 2])

    assert segments == [2, SILENCE, 3, 4]
    assert reasons == ["scenario", "silence", "continuation", "continuation"]


def test_after_a_rest_of_the_memory_its_next_sounding_segment_continues():
    choices = navigator_of([0, SILENCE, SILENCE, 1]).navigate([0, 1])

    assert [choice.segment for choice in choices] == [0, 3]
    assert choices[1].reason == "continuation"
    assert not choices[1].continues


def test_nothing_continues_across_the_border_of_two_files():
    choices = navigator_of([0, 1, 2, 0], starts=(0, 2)).navigate([1, 2])

    assert [choice.segment for choice in choices] == [1, 2]
    assert choices[1].reason == "jump"
    assert not choices[1].continues


def test_segments_heard_lately_are_not_jumped_to_while_there_are_others():
    navigator = navigator_of([0, 5] * 5, taboo=4)

    segments, _ = walk(navigator, [0] * 30)

    assert all(len(set(segments[i : i + 5])) == 5 for i in range(26))


def test_where_everything_was_heard_lately_the_longest_ago_returns():
    navigator = navigator_of([0, 5, 0, 5, 0], taboo=16)

    assert navigator.choose([0], [2, 0, 4], window=0).segment == 2


def test_a_passage_is_left_after_its_longest_continuity():
    navigator = navigator_of([0] * 200, max_continuity=8, taboo=4)

    segments, _ = walk(navigator, [0] * 80)

    passages = np.diff(segments) == 1
    runs = [len(list(group)) for follows, group in itertools.groupby(passages) if follows]
    assert max(runs) == 7
    jumps = np.diff(segments)[~passages]
    assert all(abs(jump) > 4 for jump in jumps)


def test_a_wish_for_change_leaves_the_passage_at_once():
    navigator = navigator_of([0] * 50)

    assert navigator.choose([0, 0], [10], window=1).segment == 11
    assert abs(navigator.choose([0, 0], [10], window=1, leave=True).segment - 10) > 16


def test_what_was_foreseen_is_kept_among_equals():
    navigator = navigator_of([0, 1, 5] * 10)

    for segment in range(0, 30, 3):
        assert navigator.choose([0, 1], [], window=0, preferred=segment).segment == segment


def test_what_was_foreseen_yields_to_a_longer_match():
    navigator = navigator_of([0, 1, 5, 0, 1, 2])

    assert navigator.choose([0, 1, 2], [], window=0, preferred=0).segment == 3


def test_equals_are_decided_by_seed_and_window():
    def picks(seed):
        navigator = navigator_of([0, 5] * 25, seed=seed)
        return [navigator.choose([0], [], window=window).segment for window in range(20)]

    assert picks(1) == picks(1)
    assert picks(1) != picks(2)
    assert len(set(picks(1))) > 10


def test_a_memory_of_silence_plays_silence():
    for labels in ([], [SILENCE] * 3):
        segments, reasons = walk(navigator_of(labels), [0, 1])
        assert segments == [SILENCE, SILENCE]
        assert reasons == ["silence", "silence"]


def test_when_time_is_up_the_best_found_so_far_is_the_answer():
    ticks = itertools.count()
    navigator = navigator_of([5, 0, 1] * 5, now=lambda: float(next(ticks)))

    fresh = navigator.choose([1, 5], [], window=0)
    going_on = navigator.choose([1, 0, 1, 0, 1], [0, 1], window=2)

    assert (fresh.segment, fresh.label) == (2, 1)
    assert (going_on.segment, going_on.reason) == (2, "continuation")
    assert navigator.n_over_budget == 2


def test_an_empty_scenario_is_refused():
    with pytest.raises(ValueError, match="at least one label"):
        navigator_of([0]).choose([], [], window=0)


def test_labels_of_another_codebook_are_refused():
    with pytest.raises(ValueError, match=r"labels must be in 0\.\.5 or -1, got 0\.\.6"):
        navigator_of([0, 6])


@given(LABELS, SCENARIOS, st.integers(0, 3))
@settings(deadline=None)
def test_what_the_memory_has_is_played_whatever_is_wanted(labels, scenario, taboo):
    navigator = navigator_of(labels, taboo=taboo, max_continuity=5)

    for wanted, choice in zip(scenario, navigator.navigate(scenario), strict=True):
        assert choice.wanted == wanted
        if wanted == SILENCE or set(labels) <= {SILENCE}:
            assert choice.segment == choice.label == SILENCE
        else:
            assert labels[choice.segment] == choice.label
            assert (choice.label == wanted) == (wanted in labels)
            assert (choice.reason == "nearest") == (wanted not in labels)


@given(LABELS, SCENARIOS)
@settings(deadline=None)
def test_the_same_query_gives_the_same_answer(labels, scenario):
    one, other = navigator_of(labels), navigator_of(labels)

    assert one.navigate(scenario) == one.navigate(scenario) == other.navigate(scenario)


@given(LABELS, SCENARIOS)
@settings(deadline=None)
def test_a_first_choice_matches_as_much_of_the_scenario_as_any_segment(labels, scenario):
    if SILENCE in labels or SILENCE in scenario or not set(scenario) <= set(labels):
        return

    def matched(segment):
        pairs = zip(scenario[:32], labels[segment:], strict=False)
        return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))

    choice = navigator_of(labels).choose(scenario, [], window=0)

    assert matched(choice.segment) == max(map(matched, range(len(labels))))


@given(LABELS, SCENARIOS, st.lists(st.integers(-3, 60), max_size=20))
@settings(deadline=None)
def test_no_history_is_too_strange(labels, scenario, history):
    assert len(navigator_of(labels).navigate(scenario, history)) == len(scenario)


def navigator_in_two_rotations(first, second, starts=(0,)):
    passages = [Passages(np.array(labels), starts, DISTANCES) for labels in (first, second)]
    return Navigator(passages, NavigationConfig(), seed=0, now=lambda: 0.0)


def test_each_rotation_has_its_own_labels_of_the_same_segments():
    navigator = navigator_in_two_rotations([0, 1, 2, 3], [2, 3, 0, 1])

    assert navigator.choose([2, 3], [], window=0, rotation=0).segment == 2
    assert navigator.choose([2, 3], [], window=0, rotation=1).segment == 0


def test_a_passage_goes_on_across_a_change_of_rotation():
    navigator = navigator_in_two_rotations([0, 1, 2, 3, 2, 3], [3, 4, 5, 0, 5, 0])

    choice = navigator.choose([5, 0], [0, 1], window=0, rotation=1)

    assert (choice.segment, choice.continues) == (2, True)
    assert choice.reason == "continuation"


def test_a_rotation_that_the_memory_has_not_is_refused():
    with pytest.raises(ValueError, match=r"rotation must be in 0\.\.0, .* got 3"):
        navigator_of([0, 1]).choose([0], [], window=0, rotation=3)


def navigator_in_time(labels, attacks, seed=0):
    passages = Passages(np.array(labels), (0,), DISTANCES)
    still = np.zeros(len(labels), np.float32)
    manner = Manner(np.float32(attacks), still, still, np.ones(len(labels), bool))
    return Navigator([passages], NavigationConfig(), seed=seed, now=lambda: 0.0, manner=manner)


def choose(navigator, scenario, attacks):
    expected = Expected(tuple(attacks))
    return navigator.choose(scenario, [], window=0, expected=expected).segment


def test_among_equals_the_one_with_the_expected_attacks_is_taken():
    labels = [0, 5, 0, 4, 0, 3, 0]
    attacks = [[0, 0, 0]] * 7
    attacks[0], attacks[2], attacks[4], attacks[6] = [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]
    for seed in range(6):
        navigator = navigator_in_time(labels, attacks, seed)
        for part, segment in enumerate((0, 2, 4)):
            expected = [0.1, 0.1, 0.1]
            expected[part] = 0.7
            assert choose(navigator, [0], expected) == segment


def test_the_scenario_comes_before_the_attacks():
    navigator = navigator_in_time([0, 1, 5, 0, 2], [[1, 0], [0, 0], [0, 0], [0, 1], [0, 0]])
    assert choose(navigator, [0, 1], [0.0, 1.0]) == 0


def test_without_expected_attacks_the_draw_decides():
    labels, attacks = [0, 5, 0, 4, 0, 3, 0], [[1, 0]] * 7
    plain = [navigator_of(labels, seed=s).choose([0], [], window=0).segment for s in range(8)]
    for nothing in ((), (0.0, 0.0), (0.3, 0.3), (1.0, 0.0, 0.0)):
        timed = [navigator_in_time(labels, attacks, s) for s in range(8)]
        assert [choose(n, [0], nothing) for n in timed] == plain


def navigator_of_manners(labels, onset, level_db, weight):
    passages = Passages(np.array(labels), (0,), DISTANCES)
    attacks = np.zeros((len(labels), 2), np.float32)
    sounding = np.ones(len(labels), bool)
    manner = Manner(attacks, np.float32(onset), np.float32(level_db), sounding)
    config = NavigationConfig(activity_weight=weight)
    return Navigator([passages], config, seed=1, now=lambda: 0.0, manner=manner)


def test_among_equals_the_one_as_lively_and_as_loud_as_expected_is_taken():
    labels, onset = [0, 5, 0, 4, 0, 3, 0], [0.1, 0.0, 0.2, 0.0, 0.3, 0.0, 0.1]
    navigator = navigator_of_manners(labels, onset, [-6, 0, 0, 0, 0, 0, 6], 0.5)
    for expected, segment in (((0.3, 0.0), 4), ((0.19, 1.0), 2), ((0.1, 5.0), 6), ((0.1, -9.0), 0)):
        found = navigator.choose([0], [], window=0, expected=Expected((), *expected))
        assert found.segment == segment


def test_the_scenario_comes_before_the_activity_and_without_weight_it_counts_nothing():
    labels, onset, still = [0, 1, 5, 0, 2], [0.1, 0, 0, 0.9, 0], [0] * 5
    lively = Expected((), 0.9, 0.0)
    navigator = navigator_of_manners(labels, onset, still, 1.0)
    assert navigator.choose([0, 1], [], window=0, expected=lively).segment == 0
    assert navigator.choose([0], [], window=0, expected=lively).segment == 3
    plain = navigator_of_manners(labels, onset, still, 0.0)
    drawn = [plain.choose([0], [], window=0, expected=one).segment for one in (Expected(), lively)]
    assert drawn[0] == drawn[1]
