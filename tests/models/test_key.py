import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.descriptors import Descriptors
from models.key import (
    N_KEYS,
    NO_KEY,
    KeyConfig,
    KeyState,
    RunningKey,
    key_scores,
    rotation_of,
)

C_MAJOR = np.array([1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0], np.float32)
SCALE = np.array([3, 0, 1, 0, 2, 1, 0, 2, 0, 1, 0, 1], np.float32)
F_SHARP = np.roll(SCALE, 6)


def key(**changes):
    return RunningKey(KeyConfig(**changes), 0.5)


def hear(running, chroma, n):
    return [running.hear(chroma) for _ in range(n)]


@pytest.mark.parametrize("profiles", ["temperley", "krumhansl"])
@given(tonic=st.integers(0, 11))
def test_a_scale_with_a_stressed_tonic_is_its_key(profiles, tonic):
    assert int(key_scores(np.roll(SCALE, tonic), profiles).argmax()) == tonic


def test_a_minor_scale_with_a_stressed_tonic_is_minor():
    harmonic = np.zeros(12)
    harmonic[[0, 2, 3, 5, 7, 8, 11]] = [3, 1, 2, 1, 2, 1, 1]
    assert int(key_scores(harmonic).argmax()) == 12


@given(st.integers(0, 1000), st.floats(0.01, 100))
def test_scores_are_correlations_whatever_the_scale(seed, factor):
    chroma = np.random.default_rng(seed).random(12)
    scores = key_scores(chroma)
    assert scores.shape == (N_KEYS,)
    assert np.abs(scores).max() <= 1 + 1e-9
    np.testing.assert_allclose(key_scores(factor * chroma), scores, atol=1e-9)


def test_there_is_no_key_before_something_was_heard():
    running = key()
    assert running.key is None
    assert running.hear(np.zeros(12, np.float32)) is None
    assert running.hear(SCALE, silent=True) is None
    assert running.hear(SCALE) == 0
    assert not key_scores(np.ones(12)).any()


def test_a_borrowed_chord_changes_nothing():
    running = key()
    hear(running, SCALE, 60)
    assert hear(running, np.roll(C_MAJOR, 8), 4) == [0] * 4


def test_a_modulation_is_followed_late_but_surely():
    running = key(memory_seconds=10)
    hear(running, SCALE, 60)
    followed = hear(running, F_SHARP, 60)
    assert followed[0] == 0
    assert followed[-1] == 6


def test_another_key_must_lead_for_as_long_as_patience_says():
    def first_change(patience):
        running = key(memory_seconds=5, patience_seconds=patience)
        hear(running, SCALE, 40)
        return hear(running, F_SHARP, 60).index(6)

    assert first_change(5.0) == first_change(1.0) + 8


def test_a_larger_margin_holds_a_key_longer():
    def first_change(margin):
        running = key(memory_seconds=5, margin=margin)
        hear(running, SCALE, 40)
        return hear(running, F_SHARP, 60).index(6)

    assert first_change(0.5) > first_change(0.0)


@given(st.integers(0, 200), st.integers(1, 39))
def test_the_estimate_knows_only_the_past(seed, cut):
    chroma = np.random.default_rng(seed).random((40, 12)).astype(np.float32)
    silent = np.zeros(40, bool)
    whole = key().follow(chroma, silent)
    assert np.array_equal(key().follow(chroma[:cut], silent[:cut]), whole[:cut])


@given(st.integers(0, 200), st.integers(0, 11))
def test_transposed_music_has_a_transposed_key(seed, semitones):
    chroma = np.random.default_rng(seed).random((20, 12)).astype(np.float32)
    silent = np.zeros(20, bool)
    here = key().follow(chroma, silent)
    there = key().follow(np.roll(chroma, semitones, axis=1), silent)
    assert np.array_equal((here % 12 + semitones) % 12, there % 12)
    assert np.array_equal(here // 12, there // 12)


def test_a_rotation_brings_a_key_and_its_relative_to_no_accidentals():
    assert [rotation_of(k) for k in (0, 21, 7, 16, 11)] == [0, 0, 5, 5, 1]
    for tonic in range(12):
        assert rotation_of(tonic) == rotation_of(12 + (tonic + 9) % 12)
        assert (tonic + rotation_of(tonic)) % 12 == 0


def test_a_cadence_heard_by_the_descriptors_is_in_its_key(play):
    cadence = [[60, 64, 67], [65, 69, 72], [67, 71, 74], [60, 64, 67]]
    encoder = Descriptors(22050, 0.5)
    running = key()
    for chord in cadence:
        sound = play([chord], 1.0, 22050)
        running.hear(encoder.encode(sound[-encoder.history_samples :]).mean(axis=0)[:12])
    assert running.key == 0


def test_wrong_shapes_and_lengths_are_refused():
    with pytest.raises(ValueError, match=r"shape \(12,\)"):
        key().hear(np.zeros(18, np.float32))
    with pytest.raises(ValueError, match="above 0"):
        RunningKey(KeyConfig(), 0.0)


def test_a_key_taken_up_again_goes_on_as_if_it_had_never_stopped():
    rng = np.random.default_rng(0)
    chroma = np.concatenate([rng.random((40, 12)) + SCALE, rng.random((60, 12)) + F_SHARP])
    whole, second = key(memory_seconds=10), key(memory_seconds=10)
    keys = whole.follow(chroma, np.zeros(100, bool)).tolist()
    assert len(set(keys)) > 1
    for cut in (0, 1, 45, 50):
        first = key(memory_seconds=10)
        first.follow(chroma[:cut], np.zeros(cut, bool))
        second.restore(first.state)
        assert [second.hear(one) for one in chroma[cut:]] == keys[cut:]


def test_the_rotation_is_that_of_the_key_and_nothing_before_there_is_one():
    running = key()
    assert (running.rotation, running.state) == (0, NO_KEY)
    hear(running, F_SHARP, 4)
    assert running.rotation == rotation_of(6) == 6


@pytest.mark.parametrize(
    ("state", "rule"),
    [
        ({"chroma": (1.0,) * 11}, "12 finite numbers"),
        ({"chroma": (float("nan"),) * 12}, "12 finite numbers"),
        ({"chroma": (-1.0,) * 12}, "12 finite numbers"),
        ({"key": 24}, r"key must be in 0\.\.23"),
        ({"led": -1}, "led at least 0"),
    ],
)
def test_a_state_that_no_key_could_have_is_refused(state, rule):
    with pytest.raises(ValueError, match=rule):
        KeyState(**state)
