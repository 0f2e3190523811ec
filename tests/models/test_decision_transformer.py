"""The decision transformer: causality, cache, readings, storage."""

import numpy as np
import pytest
import torch

from models.alphabet import SILENCE
from models.decision_model import HIDDEN
from models.decision_transformer import DecisionTransformer, drop
from models.live_transformer import LiveTransformer
from models.transformer_config import TransformerConfig, weight_shapes

TINY = TransformerConfig(n_layers=2, n_heads=2, width=16, dropout=0.2, context=6)
K, H = 5, 3


@pytest.fixture(params=["plain", "told"])
def network(request):
    config = TINY
    if request.param == "told":  # the shift, what counting expects; and activity foreseen
        more = {"shift_input": True, "counted": True, "activity": True}
        config = TINY.model_copy(update=more)
    net = DecisionTransformer(config, K, H)
    net.initialise(torch.Generator().manual_seed(0))
    with torch.no_grad():
        for weight in net.parameters():  # far from the flat start, so that differences show
            weight.mul_(8.0 if weight.ndim == 2 else 1.0)
        if config.counted:
            net.heard_table.normal_(generator=torch.Generator().manual_seed(1))
            net.own_table[:-1].normal_(generator=torch.Generator().manual_seed(2))
    return net.requires_grad_(False)


def live_reading(net):
    return LiveTransformer(net.config, K, H, net.arrays())


def performance(windows, seed=0):
    rng = np.random.default_rng(seed)
    heard = torch.from_numpy(rng.integers(-1, K, windows))
    own = torch.from_numpy(rng.integers(-2, K, windows))
    fields = torch.from_numpy(rng.normal([-40, 0], [20, 1], (windows, 2)).astype(np.float32))
    return heard, own, fields


@pytest.mark.parametrize("windows", [1, 5, 6, 7, 40])
def test_cached_reading_equals_the_uncached_one_also_beyond_the_context(network, windows):
    heard, own, fields = performance(windows)
    live = live_reading(network)
    for t in range(windows):
        live.observe(int(heard[t]), int(own[t]), *fields[t].tolist())
        for weight, past in ((1.0, own), (0.0, torch.full_like(own, HIDDEN))):
            labels, silence, activity, _ = network(heard[None], past[None], fields[None])
            prediction = live.predict(weight)
            if activity is not None:
                expected = activity[0, t] * network.answer_scale + network.answer_mean
                np.testing.assert_allclose(prediction.activity, expected, rtol=1e-4)
            np.testing.assert_allclose(
                prediction.log_probabilities, labels[0, t].log_softmax(-1), atol=1e-5
            )
            np.testing.assert_allclose(prediction.silence, silence[0, t].sigmoid(), atol=1e-5)
        np.testing.assert_allclose(prediction.silence_heard, silence[0, t].sigmoid(), atol=1e-5)


def test_nothing_later_changes_an_earlier_prediction(network):
    heard, own, fields = performance(12)
    before, *_ = network(heard[None], own[None], fields[None])
    heard[8], own[8], fields[8] = (heard[8] + 1) % K, 0, 3.0
    after, *_ = network(heard[None], own[None], fields[None])
    torch.testing.assert_close(before[:, :8], after[:, :8])
    assert not torch.allclose(before[:, 8:], after[:, 8:])


def test_one_layer_sees_exactly_its_context():
    net = DecisionTransformer(TINY.model_copy(update={"n_layers": 1}), K, H)
    net.initialise(torch.Generator().manual_seed(1))
    heard, own, fields = performance(12)
    before, *_ = net(heard[None], own[None], fields[None])
    heard[2] = (heard[2] + 1) % K
    after, *_ = net(heard[None], own[None], fields[None])
    changed = (before != after).flatten(2).any(-1)[0]
    assert changed.tolist() == [False] * 2 + [True] * 6 + [False] * 4


def test_prediction_does_not_depend_on_when_the_performance_began(network):
    heard, own, fields = performance(60)
    long, short = live_reading(network), live_reading(network)
    reach = TINY.n_layers * TINY.context
    for t in range(60):
        for live in (long, short) if t >= 60 - reach else (long,):
            live.observe(int(heard[t]), int(own[t]), *fields[t].tolist())
    np.testing.assert_allclose(
        long.predict().log_probabilities, short.predict().log_probabilities, atol=1e-5
    )


def test_weight_mixes_the_two_readings_geometrically(network):
    live = live_reading(network)
    live.observe(1, 2, -20.0, 1.0)
    own, hidden = live.predict(1.0).log_probabilities, live.predict(0.0).log_probabilities
    mixed = 0.7 * own + 0.3 * hidden
    mixed -= np.log(np.exp(mixed).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(live.predict(0.7).log_probabilities, mixed, atol=1e-5)
    assert not np.allclose(own, hidden)


def test_silence_and_hidden_are_different_pasts(network):
    predictions = []
    for own in (SILENCE, HIDDEN, 0):
        live = live_reading(network)
        live.observe(1, own, -20.0, 1.0)
        predictions.append(live.predict(1.0).log_probabilities)
    assert not np.allclose(predictions[0], predictions[1])
    assert not np.allclose(predictions[0], predictions[2])


def test_unmeasurable_fields_give_finite_predictions(network):
    live = live_reading(network)
    live.observe(SILENCE, HIDDEN, -np.inf, np.nan)
    assert live.predict().is_finite


def test_prediction_before_anything_was_heard_is_finite_and_leaves_no_trace(network):
    live = live_reading(network)
    first = live.predict()
    assert first.is_finite
    assert first.log_probabilities.shape == (H, K)
    live.observe(1, 2, -20.0, 1.0)
    fresh = live_reading(network)
    fresh.observe(1, 2, -20.0, 1.0)
    np.testing.assert_array_equal(
        live.predict().log_probabilities, fresh.predict().log_probabilities
    )


def test_reset_forgets_the_performance(network):
    live, fresh = live_reading(network), live_reading(network)
    for label in (0, 1, 2, 3):
        live.observe(label, label, -20.0, 0.0)
    live.reset()
    live.observe(4, 4, -20.0, 0.0)
    fresh.observe(4, 4, -20.0, 0.0)
    np.testing.assert_array_equal(
        live.predict().log_probabilities, fresh.predict().log_probabilities
    )


def test_stored_weights_give_the_same_predictions(network):
    again = DecisionTransformer(network.config, K, H)
    again.load_arrays(network.arrays())
    heard, own, fields = performance(9)
    for a, b in zip(
        network(heard[None], own[None], fields[None]),
        again(heard[None], own[None], fields[None]),
        strict=True,
    ):
        assert a is b is None or torch.equal(a, b)


def test_listed_weight_shapes_are_those_of_the_network(network):
    shapes = {name: tuple(w.shape) for name, w in network.state_dict().items()}
    assert weight_shapes(network.config, K, H) == shapes


def test_weights_of_another_network_are_refused(network):
    with pytest.raises(ValueError, match="weights must fit the network of the config"):
        DecisionTransformer(network.config, K + 1, H).load_arrays(network.arrays())
    with pytest.raises(ValueError, match=r"'heard_embedding.weight' must have shape \(7, 16\)"):
        LiveTransformer(network.config, K + 1, H, network.arrays())


def test_missing_foreign_and_broken_weights_are_named(network):
    arrays = network.arrays()
    foreign = arrays | {"extra": np.zeros(1, np.float32)}
    broken = arrays | {"field_mean": np.array([np.nan, 0.0], np.float32)}
    missing = {name: a for name, a in arrays.items() if name != "final_norm.weight"}
    for changed, message in (
        (foreign, "'extra', which this network does not have"),
        (broken, "'field_mean' must be finite"),
        (missing, "'final_norm.weight', which is missing"),
    ):
        with pytest.raises(ValueError, match=message):
            LiveTransformer(network.config, K, H, changed)


def test_initial_weights_follow_from_the_seed_alone():
    networks = [DecisionTransformer(TINY, K, H) for _ in range(2)]
    for net in networks:
        net.initialise(torch.Generator().manual_seed(3))
    first, second = (net.arrays() for net in networks)
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_dropout_keeps_the_mean_and_needs_a_generator():
    ones = torch.ones(100_000)
    assert drop(ones, 0.2, torch.Generator().manual_seed(0)).mean() == pytest.approx(1, abs=0.01)
    assert torch.equal(drop(ones, 0.2, None), ones)


def test_width_that_the_heads_cannot_share_is_refused():
    with pytest.raises(ValueError, match="width must be a multiple of twice n_heads"):
        TransformerConfig(width=20, n_heads=4)


@pytest.mark.parametrize("bias", [-40.0, 40.0])
def test_the_gate_leads_from_the_network_alone_to_counting_alone(bias):
    config = TINY.model_copy(update={"counted": True})
    net = DecisionTransformer(config, K, H)
    net.initialise(torch.Generator().manual_seed(0))
    net.requires_grad_(False)
    net.heard_table.normal_(generator=torch.Generator().manual_seed(1))
    net.gate_heads.weight.zero_()
    net.gate_heads.bias.fill_(bias)
    net.label_heads.bias.normal_(generator=torch.Generator().manual_seed(2))
    heard, own, fields = (one[None] for one in performance(8))
    told = net(heard, torch.full_like(own, HIDDEN), fields)[0].exp()
    counting = net.counted(heard, torch.full_like(own, HIDDEN)).softmax(-1)
    assert torch.allclose(told, counting, atol=1e-4) == (bias > 0)
