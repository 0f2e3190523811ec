"""The decision agent: what it observes, what it plans, how it degrades and restarts."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from agents.decision.agent import DecisionAgent, DecisionConfig
from agents.messages import SILENCE, Control, HeardLabel, Metric, Plan
from agents.musical_time import TempoMap
from models.attack_cues import AttackCues
from models.attack_model import AttackModel
from models.count_model import CountModel, LiveCounts
from models.decision_model import HIDDEN, Prediction
from models.decision_transformer import DecisionTransformer
from models.live_transformer import LiveTransformer
from models.transformer_config import TransformerConfig

K, H = 6, 3
CONFIG = DecisionConfig(horizon=H)
ALL = frozenset(range(K))


class Scripted:
    """Predicts what it is told, and writes down what it observes."""

    def __init__(self, labels=(0, 1, 2), silence=0.0, sharpness=1000.0):
        self.n_labels, self.horizon = K, H
        self.labels, self.silence, self.sharpness = labels, silence, sharpness
        self.observed, self.weights, self.resets = [], [], 0
        self.error = None

    def reset(self):
        self.resets += 1

    def observe(self, heard, own, energy_db, onset):  # noqa: ARG002
        if self.error:
            raise self.error
        self.observed.append((heard, own))

    def predict(self, own_past_weight=0.7):
        self.weights.append(own_past_weight)
        logits = np.zeros((H, K), dtype=np.float32)
        logits[np.arange(H), list(self.labels)] = self.sharpness
        logits -= logits.max(1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(1, keepdims=True))
        return Prediction(logits, np.full(H, self.silence, dtype=np.float32))


def agent_of(model=None, config=CONFIG, playable=ALL, fallback=None, attacks=None):
    return DecisionAgent(
        model or Scripted(),
        config,
        [playable],
        fallback or Scripted((3, 3, 3)),
        attacks=attacks,
    )


def heard(window, label=0):
    return HeardLabel(window, label, 0.1, -20.0, 0.5, -20.0)


def moment(window):
    return TempoMap().moment(window, window * 0.25)


def step(agent, *messages, window=0):
    return agent.step(moment(window), messages)


def plans(messages):
    return [m for m in messages if isinstance(m, Plan)]


def metrics(messages):
    return {m.name: m.value for m in messages if isinstance(m, Metric)}


def test_plan_starts_with_the_window_after_the_one_heard():
    (plan,) = step(agent_of(), heard(4))
    assert plan == Plan(5, (0, 1, 2), (1.0, 1.0, 1.0))


def test_late_agent_observes_everything_and_plans_once():
    model = Scripted()
    (plan,) = step(agent_of(model), heard(0, 2), heard(1, 3), heard(2, SILENCE))
    assert plan.window == 3
    assert [label for label, _ in model.observed] == [2, 3, SILENCE]


def test_nothing_heard_gives_no_plan():
    assert step(agent_of(), Control(0, "decision.top_p", 0.5)) == []


def test_own_past_is_what_the_newest_plan_said_about_the_window():
    model = Scripted((0, 1, 2))
    agent = agent_of(model)
    step(agent, heard(0))
    model.labels = (4, 5, 5)
    step(agent, heard(1))
    step(agent, heard(2))
    assert model.observed == [(0, HIDDEN), (0, 0), (0, 4)]


def test_own_past_of_windows_that_were_not_planned_anew_comes_from_the_older_plan():
    model = Scripted((0, 1, 2))
    agent = agent_of(model)
    step(agent, heard(0))
    step(agent, heard(1), heard(2), heard(3), heard(4))
    assert model.observed[1:] == [(0, 0), (0, 1), (0, 2), (0, HIDDEN)]


def test_windows_never_heard_are_observed_as_silence():
    model = Scripted()
    agent = agent_of(model)
    step(agent, heard(0))
    answer = step(agent, heard(3, 5))
    assert [label for label, _ in model.observed] == [0, SILENCE, SILENCE, 5]
    assert metrics(answer)["decision.windows_never_heard"] == 2.0


def test_after_a_long_pause_the_model_starts_afresh():
    model = Scripted()
    agent = agent_of(model)
    step(agent, heard(0))
    resets = model.resets
    (plan,) = step(agent, heard(1000))
    assert plan.window == 1001
    assert model.resets == resets + 1
    assert len(model.observed) == 2


def test_window_already_known_is_passed_over():
    model = Scripted()
    agent = agent_of(model)
    step(agent, heard(3))
    assert step(agent, heard(3), heard(2)) == []
    assert len(model.observed) == 1


def test_label_of_another_codebook_is_taken_for_silence_and_reported():
    model = Scripted()
    answer = step(agent_of(model), heard(0, 99))
    assert model.observed == [(SILENCE, HIDDEN)]
    assert metrics(answer)["decision.foreign_label"] == 99.0


def test_only_playable_labels_are_planned():
    model = Scripted(sharpness=0.5)
    agent = agent_of(model, playable=frozenset({1, 4}))
    chosen = {label for k in range(60) for label in plans(step(agent, heard(k)))[0].labels}
    assert chosen == {1, 4}


def test_memory_that_can_play_nothing_gives_silence_and_says_so():
    answer = step(agent_of(playable=frozenset()), heard(0))
    assert plans(answer)[0].labels == (SILENCE,) * H
    assert metrics(answer) == {"decision.nothing_playable": 1.0}


def test_foreseen_label_stands_while_the_prediction_stands():
    model = Scripted((1, 1, 1), sharpness=1.0, silence=0.3)
    agent = agent_of(model)
    history = [plans(step(agent, heard(k)))[0] for k in range(100)]
    for before, after in itertools.pairwise(history):
        assert before.labels[1:] == after.labels[:-1]
    assert len({plan.labels[0] for plan in history}) > 3


def test_plans_do_not_depend_on_how_messages_are_grouped():
    together, alone = agent_of(Scripted(sharpness=1.0)), agent_of(Scripted(sharpness=1.0))
    (late,) = step(together, heard(0), heard(1), heard(2))
    for k in range(3):
        (plan,) = step(alone, heard(k))
    assert late == plan


@pytest.mark.parametrize(("silence", "expected"), [(0.59, 0), (0.61, SILENCE)])
def test_threshold_decides_silence_without_chance(silence, expected):
    config = CONFIG.model_copy(update={"silence_threshold": 0.6})
    agent = agent_of(Scripted((0, 0, 0), silence=silence), config)
    for k in range(30):
        assert plans(step(agent, heard(k)))[0].labels == (expected,) * H


def test_probability_is_that_of_playing_and_of_the_label():
    agent = agent_of(Scripted(silence=0.2), CONFIG.model_copy(update={"silence_threshold": 0.5}))
    (plan,) = step(agent, heard(0))
    assert plan.probabilities == pytest.approx((0.8, 0.8, 0.8))


def test_controls_change_weight_and_nucleus_mass():
    model = Scripted(sharpness=1.0)
    agent = agent_of(model)
    controls = (Control(0, "decision.own_past_weight", 0.1), Control(0, "decision.top_p", 1e-6))
    for k in range(50):
        (plan,) = step(agent, *controls, heard(k))
        assert plan.labels == (0, 1, 2)
    assert set(model.weights) == {0.1}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("decision.own_past_weight", 1.5),
        ("decision.own_past_weight", True),
        ("decision.own_past_weight", float("nan")),
        ("decision.top_p", 0),
        ("decision.top_p", "much"),
        ("decision.unknown", 0.5),
    ],
)
def test_control_out_of_range_is_refused_and_reported(name, value):
    model = Scripted()
    agent = agent_of(model)
    answer = step(agent, Control(0, name, value), heard(0))
    assert metrics(answer) == {"decision.control_refused": 1.0}
    assert model.weights == [CONFIG.own_past_weight]


def test_control_of_another_section_is_none_of_ours():
    assert step(agent_of(), Control(0, "action.gain_db", 99)) == []


def test_failing_model_is_covered_by_the_fallback_until_it_works_again():
    model = Scripted()
    agent = agent_of(model)
    model.error = RuntimeError("broken")
    answer = step(agent, heard(0))
    assert plans(answer)[0].labels == (3, 3, 3)
    assert metrics(answer) == {"decision.fallback": 1.0}
    model.error = None
    (plan,) = step(agent, heard(1))
    assert plan.labels == (0, 1, 2)


def test_prediction_that_is_no_number_is_covered_by_the_fallback():
    answer = step(agent_of(Scripted(silence=float("nan"))), heard(0))
    assert plans(answer)[0].labels == (3, 3, 3)
    assert metrics(answer) == {"decision.fallback": 1.0}


def real_agent(seed=0):
    config = TransformerConfig(n_layers=2, n_heads=2, width=16, context=8)
    network = DecisionTransformer(config, K, H)
    network.initialise(torch.Generator().manual_seed(0))
    arrays = {n: a * (10 if a.ndim == 2 else 1) for n, a in network.arrays().items()}
    counts = LiveCounts(CountModel.fit([], [], K, H))
    model = LiveTransformer(config, K, H, arrays)
    return DecisionAgent(model, DecisionConfig(horizon=H, seed=seed), [ALL], counts)


def played_through(agent, windows, labels):
    return [m for k in windows for m in (heard(k, labels[k]), *step(agent, heard(k, labels[k])))]


def test_restored_agent_plans_as_if_it_had_never_stopped():
    labels = np.random.default_rng(0).integers(-1, K, 80).tolist()
    unbroken, restarted = real_agent(), real_agent()
    history = played_through(unbroken, range(60), labels)
    restarted.restore(history)
    expected = played_through(unbroken, range(60, 80), labels)
    assert played_through(restarted, range(60, 80), labels) == expected


def test_restoring_from_the_last_windows_is_enough():
    labels = np.random.default_rng(0).integers(-1, K, 80).tolist()
    unbroken, restarted = real_agent(), real_agent()
    history = played_through(unbroken, range(60), labels)
    restarted.restore([m for m in history if m.window >= 30])  # 2 layers reach back 16 windows
    expected = plans(played_through(unbroken, range(60, 80), labels))
    again = plans(played_through(restarted, range(60, 80), labels))
    assert [p.labels for p in again] == [p.labels for p in expected]


def test_restoring_from_nothing_is_a_fresh_start():
    agent, fresh = real_agent(), real_agent()
    step(agent, heard(0, 3))
    agent.restore([])
    assert step(agent, heard(7, 1)) == step(fresh, heard(7, 1))


def test_another_seed_plans_otherwise():
    labels = [0] * 30
    first = plans(played_through(real_agent(0), range(30), labels))
    second = plans(played_through(real_agent(1), range(30), labels))
    assert [p.labels for p in first] != [p.labels for p in second]


def test_horizon_beyond_the_model_is_refused():
    with pytest.raises(ValueError, match=r"decision\.horizon must be at most 3"):
        agent_of(config=DecisionConfig(horizon=4))


def test_fallback_of_another_alphabet_is_refused():
    fallback = Scripted()
    fallback.n_labels = K + 1
    with pytest.raises(ValueError, match="must share an alphabet"):
        agent_of(fallback=fallback)


def test_unknown_key_of_the_config_is_refused():
    with pytest.raises(ValueError, match="Extra inputs are not permitted"):
        DecisionConfig(nucleus=0.8)


def in_rotation(window, rotation, label=0):
    return HeardLabel(window, label, 0.1, -20.0, 0.5, -20.0, rotation)


def rotating_agent(playable):
    return DecisionAgent(Scripted(sharpness=0.0), CONFIG, playable, Scripted((3, 3, 3)))


def test_a_plan_is_meant_in_the_rotation_of_the_newest_label():
    agent = rotating_agent([ALL] * 12)
    (plan,) = plans(step(agent, in_rotation(0, 3), in_rotation(1, 7)))
    assert plan.rotation == 7


def test_what_is_playable_follows_the_rotation():
    agent = rotating_agent([{rotation % K} for rotation in range(12)])
    for window in range(24):
        (plan,) = plans(step(agent, in_rotation(window, window % 12)))
        assert plan.labels == (window % 12 % K,) * H


def test_a_rotation_in_which_nothing_is_playable_is_silent_and_says_so():
    agent = rotating_agent([ALL, frozenset()])
    answer = step(agent, in_rotation(0, 1))
    assert plans(answer)[0].labels == (SILENCE,) * H
    assert metrics(answer) == {"decision.nothing_playable": 1.0}
    assert SILENCE not in plans(step(agent, in_rotation(1, 0)))[0].labels


def test_a_rotation_that_the_memory_was_not_labelled_in_counts_as_foreign():
    agent = rotating_agent([ALL])
    answer = step(agent, in_rotation(0, 5))
    assert metrics(answer) == {"decision.foreign_label": 0.0}
    assert plans(answer)[0].rotation == 0


def test_a_restarted_agent_plans_in_the_rotation_it_was_in():
    agent = rotating_agent([ALL] * 12)
    agent.restore([in_rotation(4, 9)])
    (plan,) = plans(step(agent, in_rotation(5, 9)))
    assert plan.rotation == 9


def test_a_memory_without_rotations_is_refused():
    with pytest.raises(ValueError, match="at least one rotation, got none"):
        rotating_agent([])


def test_a_plan_says_when_attacks_are_expected():
    agent = agent_of()
    for window in range(20):
        attacks = (0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        message = HeardLabel(window, 0, 0.1, -20.0, 0.5, -20.0, attacks=attacks)
        (plan,) = plans(step(agent, message))
    assert plan.attacks == (attacks,) * H
    again = agent_of()
    again.restore([replace(message, window=w) for w in range(20)])
    (plan,) = plans(step(again, replace(message, window=20)))
    assert plan.attacks == (attacks,) * H


class Lively(Scripted):
    """Foresees activity as well."""

    activity = np.float32([[-20, 0.1], [-18, 0.2], [-30, 0.0]])

    def predict(self, own_past_weight=0.7):
        return replace(super().predict(own_past_weight), activity=self.activity)


def test_a_plan_says_how_lively_its_windows_are_expected_to_be():
    (plan,) = plans(step(agent_of(Lively(), DecisionConfig(horizon=2)), heard(0)))
    assert [(a.level_db, round(a.onset, 6)) for a in plan.activity] == [(-20.0, 0.1), (-18.0, 0.2)]
    (plan,) = plans(step(agent_of(), heard(0)))
    assert plan.activity == ()
    broken = Lively()
    broken.activity = np.full((H, 2), np.nan, np.float32)
    (plan,) = plans(step(agent_of(broken), heard(0)))
    assert plan.activity == ()


class RisingForecast(AttackModel):
    """Says how much was heard, for each of two parts of H windows."""

    def __init__(self):
        self.n_windows, self.n_parts, self.cues = H, 2, AttackCues(0.05, 2 * H)

    def log_odds(self, past):
        return np.full((1, 2 * H), past.sum())


def test_a_plan_tells_what_a_learned_forecast_says_of_attacks():
    agent = agent_of(attacks=RisingForecast())
    for window in range(3):
        message = HeardLabel(window, 0, 0.1, -20.0, 0.5, -20.0, attacks=(0.5, 0.25))
        (plan,) = plans(step(agent, message))
        assert plan.attack_log_odds == ((0.75 * (window + 1),) * 2,) * H
    again = agent_of(attacks=RisingForecast())
    again.restore([replace(message, window=w) for w in range(2)])
    (restored,) = plans(step(again, message))
    assert restored.attack_log_odds == plan.attack_log_odds
    (after_a_gap,) = plans(step(agent, replace(message, window=200)))
    assert after_a_gap.attack_log_odds == ((0.75, 0.75),) * H


def test_without_a_learned_forecast_a_plan_tells_no_odds():
    message = HeardLabel(0, 0, 0.1, -20.0, 0.5, -20.0, attacks=(0.5, 0.25))
    assert plans(step(agent_of(), message))[0].attack_log_odds == ()
