"""When the agent rests: by the phrase, as often as its memory does, and not on entering."""

import numpy as np
import pytest

from agents.decision.agent import DecisionAgent, DecisionConfig
from agents.decision.rests import Rests, odds_of_resting
from agents.messages import SILENCE, HeardLabel
from agents.musical_time import TempoMap
from models.decision_model import Prediction

K, H, N_ENTRY = 6, 3, 16


class Resting:
    """Plays label 0, and rests with the probabilities that it is given."""

    n_labels, horizon = K, H

    def __init__(self, silence, silence_heard=None):
        self.silence, self.silence_heard = silence, silence_heard

    def reset(self): ...

    def observe(self, heard, own, energy_db, onset): ...

    def predict(self, own_past_weight=0.7):  # noqa: ARG002
        labels = np.log(np.eye(K, dtype=np.float32)[[0] * H] + 1e-6)
        heard = None if self.silence_heard is None else np.full(H, self.silence_heard, np.float32)
        return Prediction(labels, np.full(H, self.silence, np.float32), None, heard)


def agent_of(model, **settings):
    config = DecisionConfig(horizon=H, **settings)
    return DecisionAgent(model, config, [range(K)], Resting(0.0))


def heard(window, label=0):
    return HeardLabel(window, label, 0.1, -20.0, 0.5, -20.0)


def rests_of(agent, windows, label=0):
    """Whether the first window of each plan rests."""
    answers = [agent.step(TempoMap().moment(k, k * 0.25), [heard(k, label)]) for k in windows]
    return np.array([plan.labels[0] == SILENCE for plan, *_ in answers])


def test_a_surely_resting_model_rests_but_plays_when_the_guide_enters():
    agent = agent_of(Resting(1.0))
    assert rests_of(agent, range(10), SILENCE).all()
    rests = rests_of(agent, range(10, 60))
    assert not rests[:N_ENTRY].any()
    assert rests[N_ENTRY:].all()


def test_without_an_entry_the_first_windows_are_drawn_as_well():
    assert rests_of(agent_of(Resting(1.0), entry_seconds=0), range(4)).all()


def test_a_restarted_agent_does_not_enter_again():
    agent = agent_of(Resting(1.0))
    agent.restore([heard(k) for k in range(40, 60)])
    assert rests_of(agent, range(60, 80)).all()


def test_an_agent_restarted_on_entering_plays_on():
    agent = agent_of(Resting(1.0))
    agent.restore([heard(k) for k in range(6)])
    assert rests_of(agent, range(6, 30)).tolist() == [False] * 10 + [True] * 14


def test_after_a_long_pause_one_enters_again():
    agent = agent_of(Resting(1.0))
    rests_of(agent, range(30))
    assert not rests_of(agent, range(200, 200 + N_ENTRY)).any()


@pytest.mark.parametrize(("sharpness", "share"), [(1.0, 0.25), (2.0, 0.1)])
def test_rests_are_drawn_with_their_probability_the_odds_sharpened(sharpness, share):
    rests = Rests(1, 0, sharpness, 1.0, seed=0)
    drawn = [rests.silent(window, rests.probability(0.25)) for window in range(4000)]
    assert np.mean(drawn) == pytest.approx(share, abs=0.02)


def test_silence_is_drawn_once_for_a_phrase():
    rests = Rests(8, 0, 1.0, 1.0, seed=0)
    phrases = np.array([rests.silent(window, 0.5) for window in range(800)]).reshape(-1, 8)
    assert all(len(set(phrase)) == 1 for phrase in phrases)
    assert 0.3 < phrases.mean() < 0.7


def test_a_phrase_lasts_as_long_whatever_the_window():
    config = DecisionConfig(horizon=H, entry_seconds=0, rest_sharpness=1.0)
    changes = {}
    for seconds in (0.25, 0.5):
        agent = DecisionAgent(
            Resting(0.5), config, [range(K)], Resting(0.0), window_seconds=seconds
        )
        rests = rests_of(agent, range(round(1600 / seconds)))
        changes[seconds] = (np.flatnonzero(np.diff(rests)) + 2) * seconds
    np.testing.assert_array_equal(changes[0.25], changes[0.5])


@pytest.mark.parametrize(("follows", "rests"), [(False, 0.1), (True, 1.0)])
def test_rests_are_drawn_from_what_is_heard_unless_they_shall_follow_the_own_past(follows, rests):
    agent = agent_of(
        Resting(1.0, silence_heard=0.1),
        phrase_seconds=0.25,
        entry_seconds=0,
        rest_sharpness=1.0,
        rests_follow_own_past=follows,
    )
    assert rests_of(agent, range(1000)).mean() == pytest.approx(rests, abs=0.03)


def test_a_memory_that_rests_as_what_was_learned_from_changes_nothing():
    assert odds_of_resting(0.3, 0.3, 1000, 0.25) == pytest.approx(1.0)
    assert odds_of_resting(0.3, 0.0, 0, 0.25) == pytest.approx(1.0)  # nothing is known of it


def test_a_minute_of_memory_that_never_rests_halves_the_share():
    odds = odds_of_resting(0.2, 0.0, 240, 0.25)
    rests = Rests(1, 0, 1.0, odds, seed=0)
    assert rests.probability(0.2) == pytest.approx(0.1)
    assert [rests.probability(p) for p in (0.0, 1.0)] == pytest.approx([0.0, 1.0])


@pytest.mark.parametrize("learned", [0.0, 1.0])
def test_training_that_never_or_always_rests_tells_no_odds(learned):
    assert odds_of_resting(learned, 0.5, 100, 0.25) == 1.0
