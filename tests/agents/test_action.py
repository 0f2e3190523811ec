from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.action.agent import ActionAgent, ActionConfig
from agents.action.memory import Memory
from agents.action.navigation import Navigator
from agents.action.passages import Passages
from agents.action.track import Track
from agents.messages import Activity, Control, Feedback, Fragment, HeardLabel, Metric, Plan, Played
from agents.musical_time import TempoMap
from corpus.segmentation import WindowGrid, exact_seconds
from models.alphabet import SILENCE

GRID = WindowGrid(8000, exact_seconds(0.25))
N_LABELS = 6
MELODY = [0, 1, 2, 3, 4, 0, 2, 1, 3, 0, 1, 4, 4, 4, 2, 0] * 4
PLANS = st.lists(
    st.lists(st.integers(SILENCE, N_LABELS), min_size=1, max_size=4), min_size=1, max_size=12
)


def memory_of(labels, energy_db=-20.0):
    n_segments = len(labels)
    samples = np.random.default_rng(0).normal(0, 0.1, (GRID.boundary(n_segments), 2))
    zeros = np.zeros(n_segments, dtype=np.float32)
    track = Track(
        samples.astype(np.float32),
        GRID.boundaries(n_segments),
        np.array([labels], dtype=np.int64),
        zeros[None],
        zeros + np.float32(energy_db),
        zeros,
        np.zeros((n_segments, 5), dtype=np.float32),
    )
    return Memory([track], GRID)


def agent_in_two_rotations():
    """In rotation 1 each label of the melody is one more (5 becomes 0)."""
    memory = memory_of(MELODY)
    distances = np.abs(np.subtract.outer(np.arange(N_LABELS), np.arange(N_LABELS)))
    turned = [(memory.labels[0] + rotation) % N_LABELS for rotation in (0, 1)]
    passages = [Passages(labels, memory.starts, distances.astype(float)) for labels in turned]
    navigator = Navigator(passages, ActionConfig(), seed=3, now=lambda: 0.0)
    return ActionAgent(memory, navigator, ActionConfig())


def agent_of(labels=MELODY, energy_db=-20.0, **config):
    memory = memory_of(labels, energy_db)
    distances = np.abs(np.subtract.outer(np.arange(N_LABELS), np.arange(N_LABELS)))
    passages = Passages(memory.labels[0], memory.starts, distances.astype(float))
    action_config = ActionConfig(**config)
    navigator = Navigator([passages], action_config, seed=3, now=lambda: 0.0)
    return ActionAgent(memory, navigator, action_config)


def plan(window, *labels):
    return Plan(window, labels, (1.0,) * len(labels))


def heard(window, energy_db, label=0):
    return HeardLabel(window, label, 0.0, energy_db, 0.0, -20.0)


def played(window, segment, reason="scenario", label=0):
    return Played(window, label, label, segment, reason, 0, None, False, 0)


def step(agent, *inbox):
    return agent.step(TempoMap().moment(0, 0.0), inbox)


def fragments(agent, *inbox):
    return {m.window: m for m in step(agent, *inbox) if isinstance(m, Fragment)}


def summary(found):
    return {window: (f.segment, f.continues, len(f.samples)) for window, f in found.items()}


def gain_db(agent, fragment):
    lead_samples, n_samples = fragment.lead_samples, len(fragment.samples)
    sound = agent._memory.cut(fragment.segment, lead_samples, n_samples)[:n_samples]
    return 20 * np.log10(np.linalg.norm(fragment.samples) / np.linalg.norm(sound))


def test_a_plan_is_answered_by_a_fragment_for_each_of_its_windows():
    found = fragments(agent_of(), plan(5, 0, 1, 2, 3))

    assert sorted(found) == [5, 6, 7, 8]
    assert [f.label for f in found.values()] == [0, 1, 2, 3]
    assert [f.plan_window for f in found.values()] == [5] * 4
    assert [f.continues for f in found.values()] == [False, True, True, True]


def test_a_fragment_is_the_segment_with_its_lead_and_tail():
    agent = agent_of(lead_seconds=0.01, tail_seconds=0.1)

    fragment = fragments(agent, plan(0, 3))[0]

    assert fragment.lead_samples == 80
    assert fragment.samples.shape == (80 + 2000 + 800, 2)
    assert fragment.samples.dtype == np.float32
    expected = agent._memory.cut(fragment.segment, 80, 800)
    assert np.array_equal(fragment.samples, expected)


def test_a_plan_that_agrees_gets_the_first_window_confirmed_and_only_the_new_one_sent():
    agent = agent_of()
    first = fragments(agent, plan(5, 0, 1, 2, 3))

    second = fragments(agent, plan(6, 1, 2, 3, 4))

    assert sorted(second) == [6, 9]
    assert second[6].segment == first[6].segment
    assert second[6].plan_window == 6
    assert second[6].samples.shape == (0, 2)
    assert len(second[9].samples) > 0


def test_the_foreseen_fragment_stands_whenever_the_plan_agrees_on_its_window():
    agent = agent_of()
    rng = np.random.default_rng(1)
    future = rng.integers(N_LABELS, size=200).tolist()
    sent = {}
    for window in range(150):
        labels = [future[window], future[window + 1], *rng.integers(N_LABELS, size=2).tolist()]
        found = fragments(agent, plan(window, *labels))
        if window > 0:
            assert found[window].segment == sent[window]
            assert len(found[window].samples) == 0
        sent |= {w: f.segment for w, f in found.items()}


def test_a_plan_that_differs_is_answered_anew():
    agent = agent_of()
    fragments(agent, plan(5, 0, 1, 2, 3))

    found = fragments(agent, plan(6, 4, 4, 4, 2))

    assert [f.label for f in found.values()] == [4, 4, 4, 2]
    assert all(len(f.samples) for f in found.values())


def test_a_repeated_plan_is_confirmed():
    agent = agent_of()
    fragments(agent, plan(5, 0, 1, 2, 3))

    found = fragments(agent, plan(5, 0, 1, 2, 3))

    assert list(found) == [5]
    assert len(found[5].samples) == 0


def test_only_the_newest_of_several_plans_is_answered():
    found = fragments(agent_of(), plan(5, 0), plan(7, 2), plan(6, 1))

    assert sorted(found) == [7]


def test_a_plan_older_than_the_one_answered_is_passed_over():
    agent = agent_of()
    fragments(agent, plan(5, 0))

    assert step(agent, plan(4, 1)) == []


def test_without_a_plan_nothing_is_said():
    assert step(agent_of(), heard(0, -20.0)) == []


def test_silence_is_an_empty_fragment():
    fragment = fragments(agent_of(), plan(0, SILENCE))[0]

    assert fragment.segment == fragment.label == SILENCE
    assert fragment.reason == "silence"
    assert fragment.samples.shape == (0, 2)
    assert fragment.lead_samples == 0


def test_what_really_sounded_is_what_is_continued():
    agent = agent_of()
    fragments(agent, plan(0, 0, 1))

    found = fragments(agent, played(0, 10, label=1), plan(1, 4))

    assert found[1].segment == 11
    assert found[1].continues


def test_after_a_missed_window_the_fragments_are_sent_again():
    agent = agent_of()
    fragments(agent, plan(0, 0, 1, 2, 3))

    found = fragments(agent, played(0, SILENCE, "missed"), plan(1, 1, 2, 3, 4))

    assert sorted(found) == [1, 2, 3, 4]
    assert all(len(f.samples) for f in found.values())


def test_a_wish_for_change_leaves_the_passage():
    agent = agent_of([0] * 200)
    before = fragments(agent, plan(0, 0, 0, 0, 0))[0].segment

    found = fragments(agent, Feedback(0, "change", "pedal"), plan(1, 0, 0, 0, 0))

    assert abs(found[1].segment - before) > 16
    assert [f.continues for f in found.values()] == [False, True, True, True]


def test_the_accompaniment_sits_at_its_ratio_to_the_input():
    agent = agent_of(energy_db=-30.0, level_db=-6.0)

    found = fragments(agent, heard(0, -18.0), plan(2, 0, 1))

    assert gain_db(agent, found[2]) == pytest.approx(6, abs=1e-3)
    assert gain_db(agent, found[3]) == pytest.approx(6, abs=1e-3)


def test_silent_windows_of_the_input_do_not_change_the_level():
    agent = agent_of(level_db=0.0)

    found = fragments(agent, heard(0, -20.0), heard(1, -90.0, label=SILENCE), plan(4, 0))

    assert gain_db(agent, found[4]) == pytest.approx(0, abs=1e-3)


def test_the_gain_does_not_depend_on_whether_the_newest_label_came_in_time():
    early, late = agent_of(), agent_of()
    for agent in (early, late):
        fragments(agent, heard(0, -30.0), heard(1, -30.0))

    in_time = fragments(early, heard(2, -5.0), plan(3, 0))
    too_late = fragments(late, plan(3, 0), heard(2, -5.0))[3]

    assert np.array_equal(in_time[3].samples, too_late.samples)


def test_gain_never_jumps_inside_a_passage():
    agent = agent_of([0] * 300, level_db=0.0, max_continuity=1000)
    gains = []
    for window in range(40):
        level = -30.0 if window < 5 else -6.0
        found = fragments(agent, heard(window, level), plan(window + 2, 0, 0))
        gains += [gain_db(agent, f) for f in found.values() if len(f.samples)]

    assert np.abs(np.diff(gains)).max() <= 0.25 + 1e-3
    assert gains[-1] > gains[0] + 5


def test_a_control_takes_effect_and_a_bad_one_is_refused_and_counted():
    agent = agent_of()

    good = step(agent, Control(0, "action.taboo", 3), Control(0, "decision.top_p", 9))
    bad = step(agent, Control(1, "action.taboo", -1), Control(1, "action.tabu", 3))

    assert agent.config.taboo == agent._navigator.config.taboo == 3
    assert good == []
    assert bad == [Metric(0, "action.refused", 2.0)]


def test_choices_cut_short_are_counted_once():
    agent = agent_of()
    agent._navigator.n_over_budget = 2

    assert step(agent, plan(0, 0))[-1] == Metric(0, "action.over_budget", 2.0)
    assert not any(isinstance(m, Metric) for m in step(agent, plan(1, 0)))


@given(PLANS)
@settings(deadline=None, max_examples=40)
def test_the_same_messages_give_the_same_bytes(plans):
    one, other = agent_of(), agent_of()

    for window, labels in enumerate(plans):
        inbox = (heard(window, -20.0 - window), plan(window, *labels))
        ours, theirs = fragments(one, *inbox), fragments(other, *inbox)
        assert summary(ours) == summary(theirs)
        assert all(ours[w].samples.tobytes() == theirs[w].samples.tobytes() for w in ours)


@given(PLANS)
@settings(deadline=None, max_examples=40)
def test_a_restored_agent_goes_on_like_the_one_that_died(plans):
    agent, history = agent_of(), []
    for window, labels in enumerate(plans):
        history += [heard(window, -20.0 - window)]
        history += step(agent, history[-1], plan(window, *labels))
    reborn = agent_of()

    reborn.restore(history)

    following = plan(len(plans), *plans[0])
    assert summary(fragments(reborn, following)) == summary(fragments(agent, following))
    for window in range(len(plans), len(plans) + len(plans[0])):
        ours, theirs = agent._placed[window].gain_db, reborn._placed[window].gain_db
        assert ours == theirs or ours == pytest.approx(theirs, abs=1e-3)


@given(PLANS, st.lists(st.integers(SILENCE, N_LABELS - 1), min_size=1, max_size=3))
@settings(deadline=None, max_examples=40)
def test_any_plan_is_answered_from_any_memory(plans, labels):
    agent = agent_of(labels)

    for window, wanted in enumerate(plans):
        found = fragments(agent, plan(window, *wanted))
        assert found[window].wanted == wanted[0]
        sounds = wanted[0] != SILENCE and set(labels) != {SILENCE}
        assert (found[window].segment != SILENCE) == sounds


def test_a_memory_of_one_window_plays_on():
    agent = agent_of([0])

    found = [fragments(agent, plan(window, 0, 0))[window] for window in range(5)]

    assert [f.segment for f in found] == [0] * 5
    assert not any(f.continues for f in found)


def test_a_change_of_rotation_goes_on_with_the_same_passage():
    agent = agent_in_two_rotations()
    before = fragments(agent, Plan(0, (0, 1, 2, 3), (1.0,) * 4, rotation=0))
    after = fragments(agent, Plan(1, (2, 3, 4, 5), (1.0,) * 4, rotation=1))
    assert after[1].segment == before[0].segment + 1
    assert after[1].continues
    assert (after[1].wanted, after[1].label, after[1].rotation) == (2, 2, 1)


def test_what_was_foreseen_for_a_number_in_another_rotation_does_not_stand():
    agent = agent_in_two_rotations()
    before = fragments(agent, Plan(0, (0, 1, 2, 3), (1.0,) * 4, rotation=0))
    after = fragments(agent, Plan(1, (1, 2, 3, 4), (1.0,) * 4, rotation=1))
    assert before[1].label == after[1].label == 1
    assert MELODY[before[1].segment % 64] == 1
    assert MELODY[after[1].segment % 64] == 0


def test_a_restarted_agent_keeps_what_it_had_placed_in_a_rotation():
    plans_said = [Plan(0, (0, 1, 2, 3), (1.0,) * 4, rotation=1)]
    agent = agent_in_two_rotations()
    said = fragments(agent, *plans_said)
    again = agent_in_two_rotations()
    again.restore(list(said.values()))
    follow = Plan(1, (1, 2, 3, 4), (1.0,) * 4, rotation=1)
    assert {w: f.segment for w, f in fragments(again, follow).items()} == {
        w: f.segment for w, f in fragments(agent, follow).items()
    } | {1: said[1].segment}


def test_of_the_segments_of_a_label_the_one_as_lively_as_planned_is_played():
    labels, onsets = [0, 5, 0, 4, 0, 3, 0, 2] * 3, [0.1, 0, 0.2, 0, 0.3, 0, 0.4, 0] * 3
    for onset in (0.1, 0.2, 0.3, 0.4):
        agent = agent_of(labels)
        track = replace(agent._memory._tracks[0], onset=np.float32(onsets))
        agent._memory = Memory([track], GRID)
        agent._navigator.walk(agent._navigator._passages, agent._memory.manner)
        lively = Plan(0, (0,), (1.0,), activity=(Activity(-20.0, onset),))
        assert onsets[fragments(agent, lively)[0].segment] == onset


def test_a_window_planned_louder_than_usual_gets_a_louder_segment():
    labels = [0, 5, 0, 4, 0, 3, 0, 2] * 3
    agent = agent_of(labels, level_evenness=0.0)
    energy_db = np.float32([-30, -20, -20, -20, -20, -20, -10, -20] * 3)
    agent._memory = Memory([replace(agent._memory._tracks[0], energy_db=energy_db)], GRID)
    agent._navigator.walk(agent._navigator._passages, agent._memory.manner)
    for window in range(10):
        step(agent, Plan(window, (SILENCE,), (1.0,), activity=(Activity(-40.0, 0.0),)))
    for window, (level_db, segment_db) in enumerate(((-55.0, -30), (-39.0, -20), (-25.0, -10)), 10):
        activity = (Activity(-40.0, 0.0), Activity(level_db, 0.0))
        fragments(agent, Plan(window, (SILENCE, 0), (1.0, 1.0), activity=activity))
        assert energy_db[agent._placed[window + 1].choice.segment] == segment_db


def struck_agent(strikes, labels):
    """Attacks, in five parts, of each segment of a memory."""
    memory = memory_of(labels)
    attacks = 0.5 * np.float32(strikes)
    track = replace(memory._tracks[0], attacks=attacks)
    memory = Memory([track], GRID)
    distances = np.abs(np.subtract.outer(np.arange(N_LABELS), np.arange(N_LABELS))).astype(float)
    passages = Passages(memory.labels[0], memory.starts, distances)
    navigator = Navigator([passages], ActionConfig(), seed=3, now=lambda: 0.0, manner=memory.manner)
    return ActionAgent(memory, navigator, ActionConfig(taboo=0))


def foreseeing(window, labels, *odds):
    return replace(plan(window, *labels), attack_log_odds=odds)


NOT, SURE = (-3.0,) * 5, (-3.0, -3.0, 3.0, -3.0, -3.0)
STILL = [[0] * 5] * 8


def test_where_an_attack_is_foreseen_a_segment_enters_and_what_sounds_goes_on_until_then():
    agent = struck_agent(STILL, [0, 5, 4, 4, 1, 2, 3, 3])
    first = fragments(agent, foreseeing(5, [0], NOT))[5]

    found = fragments(agent, foreseeing(6, [1, 2], SURE, NOT))[6]

    assert (first.segment, found.segment, found.after) == (0, 4, 0)
    assert found.entry_samples == 800
    lead, entry = found.lead_samples, found.lead_samples + 800
    goes_on = agent._memory.cut(1, lead, 0) * 10 ** (gain_db(agent, first) / 20)
    np.testing.assert_allclose(found.samples[: entry - 80], goes_on[: entry - 80], atol=1e-6)
    enters = agent._memory.cut(4, lead, 960)
    gains = found.samples[entry:] / enters[entry:]
    np.testing.assert_allclose(gains, gains[0, 0], rtol=1e-4)


def test_where_no_attack_is_foreseen_what_sounds_goes_on_though_another_label_is_wanted():
    agent = struck_agent(STILL, [0, 1, 4, 4, 1, 2, 3, 3])
    agent.config = agent._navigator.config = ActionConfig(taboo=0, attack_weight=9.0)
    fragments(agent, foreseeing(5, [0], NOT))

    found = fragments(agent, foreseeing(6, [2], (-3.0,) * 5))[6]

    assert (found.segment, found.continues, found.label, found.wanted) == (1, True, 1, 2)
    assert found.reason == "hold"


def test_after_a_rest_a_segment_enters_out_of_silence():
    agent = struck_agent(STILL, [0, 5, 4, 4, 1, 2, 3, 3])
    fragments(agent, foreseeing(5, [SILENCE], NOT))

    found = fragments(agent, foreseeing(6, [1], SURE))[6]

    assert (found.segment, found.entry_samples, found.after) == (4, 800, SILENCE)
    entry = found.lead_samples + 800
    assert not found.samples[: entry - 80].any()
    assert found.samples[entry - 40 : entry].any()


def test_odds_of_another_number_of_parts_change_nothing():
    plain, other = (struck_agent(STILL, [0, 5, 4, 4, 1, 2, 3, 3]) for _ in range(2))
    for window, label in ((5, 0), (6, 1), (7, 3)):
        expected = fragments(plain, plan(window, label))
        assert summary(fragments(other, foreseeing(window, [label], (3.0,) * 4))) == summary(
            expected
        )


def test_odds_are_told_apart_by_time_and_not_by_their_level():
    low, high = (struck_agent(STILL, [0, 5, 4, 4, 1, 2, 3, 3]) for _ in range(2))
    for window, label in ((5, 0), (6, 1), (7, 3)):
        odds = (-3.0, -3.0, -1.0, -3.0, -3.0)
        ours = fragments(low, foreseeing(window, [label], odds))[window]
        theirs = fragments(high, foreseeing(window, [label], tuple(o + 2 for o in odds)))[window]
        assert ours.samples.tobytes() == theirs.samples.tobytes()


ODDS = st.lists(st.floats(-5, 5), min_size=5, max_size=5).map(tuple)


@given(
    st.lists(
        st.tuples(st.lists(st.integers(SILENCE, 4), min_size=2, max_size=2), ODDS),
        min_size=1,
        max_size=8,
    )
)
@settings(deadline=None, max_examples=30)
def test_a_restored_agent_enters_like_the_one_that_died(told):
    strikes = np.random.default_rng(0).integers(0, 2, (len(MELODY), 5))
    agent, history = struck_agent(strikes, MELODY), []
    for window, (labels, odds) in enumerate(told):
        history += [heard(window, -20.0), foreseeing(window, labels, odds, odds)]
        history += step(agent, *history[-2:])
    reborn = struck_agent(strikes, MELODY)

    reborn.restore(history)

    for window in range(len(told), len(told) + 1):
        ours, theirs = agent._placed[window], reborn._placed[window]
        assert ours.choice.segment == theirs.choice.segment
        assert ours.choice.entry == pytest.approx(theirs.choice.entry)
        assert ours.gain_db == theirs.gain_db or ours.gain_db == pytest.approx(
            theirs.gain_db, abs=1e-3
        )
