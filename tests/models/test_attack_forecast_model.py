"""The learned forecast of attacks: cues of the past, the network, and learning it from pairs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.activity import attack_events
from models.attack_cues import N_CUES, AttackCues
from models.attack_model import MOST_LOG_ODDS, AttackModel, LiveAttacks
from models.attack_training import AttackPair, examples_of, train_attacks

PART, N_PARTS, H = 0.05, 5, 2
A = N_PARTS * H
CUES = AttackCues(PART, A)
ON_BEAT = 5  # index of the first cue that stands on the beat


def pulse(period, n, first=0, level=0.5):
    """Attacks every `period` parts, the first at `first`."""
    strengths = np.full(n, 0.01, np.float32)
    strengths[np.round(np.arange(first, n - 0.5, period)).astype(int)] = level
    return strengths


@pytest.mark.parametrize("period", [7, 9.5, 10.4, 13])
def test_what_repeats_is_expected_where_it_repeats(period):
    heard = pulse(period, CUES.n_past + A, (CUES.n_past + 4) % period)  # an attack after 4 parts
    cues = CUES.of(heard[None, : CUES.n_past])[0]
    coming = heard[CUES.n_past :] > 0.1
    for cue in range(5):
        assert cues[coming, cue].min() > cues[~coming, cue].max()


@pytest.mark.parametrize("period", [7, 9.5, 10.4, 13])
def test_the_beat_is_found_to_a_fraction_of_a_part(period):
    cues = CUES.of(pulse(period, CUES.n_past)[None])[0, 0]
    found = cues[ON_BEAT + 7] / PART
    assert min(abs(found / n - period) for n in (1, 2)) < 0.1 or abs(found * 2 - period) < 0.1


def test_level_does_not_count():
    heard = np.random.default_rng(0).uniform(0.1, 1.0, (3, CUES.n_past)).astype(np.float32)
    np.testing.assert_allclose(CUES.of(heard), CUES.of(7 * heard), atol=1e-5)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**31), st.sampled_from([0.0, 0.01, 1.0]))
def test_cues_are_finite_and_each_past_has_its_own(seed, level):
    heard = level * np.random.default_rng(seed).exponential(0.1, (3, CUES.n_past))
    together = CUES.of(heard.astype(np.float32))
    assert together.shape == (3, A, N_CUES)
    assert np.isfinite(together).all()
    alone = CUES.of(heard[1:2].astype(np.float32))
    np.testing.assert_allclose(together[1:2], alone, atol=1e-4)


def off_beat_pairs(n_songs, seed):
    """Partners that attack half a beat after each attack of the guide, at any tempo."""
    rng = np.random.default_rng(seed)
    for number in range(n_songs):
        period, first = rng.uniform(7, 15), rng.uniform(0, 7)
        heard = pulse(period, 600, first, rng.uniform(0.2, 1.0)).reshape(-1, N_PARTS)
        answered = pulse(period, 600, first + period / 2).reshape(-1, N_PARTS)
        plays = np.ones(len(heard), bool)
        yield AttackPair(f"song {number}", "guide", heard, answered, plays)


@pytest.fixture(scope="module")
def off_beat():
    learned_from = examples_of(list(off_beat_pairs(60, 0)), 0.25, H, 3, 0)
    return train_attacks(learned_from, 0.25, H, epochs=8)


def bits(log_odds, attacks):
    signed = np.where(attacks, log_odds, -log_odds)
    return float(-np.logaddexp(0, -signed).mean() / np.log(2))


def test_a_partner_that_plays_off_the_beat_is_learned(off_beat):
    held_out = list(off_beat_pairs(10, 1))
    judged = examples_of(held_out, 0.25, H, 5, 0)
    rows = []
    for index, pair in enumerate(held_out):
        past = np.append(np.zeros(off_beat.cues.n_past, np.float32), pair.heard.ravel())
        for window in judged.windows[judged.pairs == index] * N_PARTS:
            rows.append(off_beat.log_odds(past[None, window : window + off_beat.cues.n_past])[0])
    share = judged.attacks.mean()
    usual = bits(np.full(judged.attacks.shape, np.log(share / (1 - share))), judged.attacks)
    assert bits(np.array(rows), judged.attacks) > 0.8 * usual  # bits are below zero


def test_training_is_repeatable_and_its_seed_counts():
    learned_from = examples_of(list(off_beat_pairs(3, 0)), 0.25, H, 3, 0)
    one, same, other = (
        train_attacks(learned_from, 0.25, H, epochs=1, seed=seed).arrays for seed in (0, 0, 1)
    )
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not np.array_equal(one["cues"], other["cues"])


def test_examples_are_the_moments_at_which_the_partner_plays():
    (pair,) = off_beat_pairs(1, 0)
    plays = np.zeros(len(pair.plays), bool)
    plays[40:50] = True
    found = examples_of([replace(pair, plays=plays)], 0.25, H, 1, 0)
    assert found.windows.tolist() == list(range(40, 50))
    events = attack_events(pair.answered).ravel()
    np.testing.assert_array_equal(found.attacks[3], events[43 * N_PARTS : 43 * N_PARTS + A])


def test_partners_that_never_play_teach_nothing():
    (pair,) = off_beat_pairs(1, 0)
    with pytest.raises(ValueError, match="in which the second plays, got none"):
        examples_of([replace(pair, plays=np.zeros(len(pair.plays), bool))], 0.25, H, 1, 0)


def test_live_it_says_what_it_says_of_the_same_past(off_beat):
    live = LiveAttacks(off_beat)
    (pair,) = off_beat_pairs(1, 5)
    for row in pair.heard[:70].tolist():
        live.hear(tuple(row))
    past = pair.heard[:70].ravel()[-off_beat.cues.n_past :]
    expected = off_beat.log_odds(past[None]).reshape(H, N_PARTS)
    np.testing.assert_allclose(live.expect(H), expected, atol=1e-6)
    np.testing.assert_allclose(live.expect(1), expected[:1], atol=1e-6)
    live.reset()
    fresh = LiveAttacks(off_beat)
    assert live.expect(H) == fresh.expect(H)


def test_windows_in_another_number_of_parts_are_not_foreseen(off_beat):
    live = LiveAttacks(off_beat)
    live.hear((0.1,) * (N_PARTS + 1))
    assert live.expect(H) == ()


def test_no_forecast_is_surer_than_its_bound(off_beat):
    wild = off_beat.arrays | {"out": off_beat.arrays["out"] * 1e6}
    found = AttackModel(wild, H, 0.25).log_odds(pulse(9, CUES.n_past)[None])
    assert np.abs(found).max() <= MOST_LOG_ODDS


@pytest.mark.parametrize(
    ("name", "array"),
    [("out", None), ("cues", np.zeros((3, 48))), ("out_bias", np.array([np.nan]))],
)
def test_foreign_weights_are_refused(off_beat, name, array):
    arrays = dict(off_beat.arrays)
    if array is None:
        del arrays[name]
    else:
        arrays[name] = array
    with pytest.raises(ValueError, match=f"finite '{name}' of shape"):
        AttackModel(arrays, H, 0.25)


def test_parts_that_fit_no_windows_are_refused(off_beat):
    with pytest.raises(ValueError, match="as many parts for each of 3 windows, got 10"):
        AttackModel(off_beat.arrays, 3, 0.25)


def test_the_network_is_the_same_in_both_libraries(off_beat):
    from models.attack_training import _forward

    cues = CUES.of(np.random.default_rng(0).exponential(0.1, (4, CUES.n_past)).astype(np.float32))
    arrays = off_beat.arrays
    standard = torch.from_numpy((cues - arrays["cue_mean"]) / arrays["cue_scale"])
    weights = {name: torch.from_numpy(array) for name, array in arrays.items()}
    past = np.random.default_rng(0).exponential(0.1, (4, CUES.n_past)).astype(np.float32)
    np.testing.assert_allclose(off_beat.log_odds(past), _forward(weights, standard), atol=1e-4)
