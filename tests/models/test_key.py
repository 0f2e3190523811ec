import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.descriptors import Descriptors
from models.key import (
    NO_KEY,
    KeyConfig,
    KeyState,
    RunningKey,
    rotation_of,
)

C_MAJOR = np.array([1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0], np.float32)
SCALE = np.array([3, 0, 1, 0, 2, 1, 0, 2, 0, 1, 0, 1], np.float32)
F_SHARP = np.roll(SCALE, 6)


def key(**changes):
    return RunningKey(KeyConfig(**changes), 0.5)


def hear(running, chroma, n):
    return [running.hear(chroma) for _ in range(n)]


@given(tonic=st.integers(0, 11))
def test_a_scale_with_a_stressed_tonic_is_its_key(tonic):
    assert hear(key(), np.roll(SCALE, tonic), 8)[-1] == tonic


def test_a_minor_scale_with_a_stressed_tonic_is_minor():
    harmonic = np.zeros(12, np.float32)
    harmonic[[0, 2, 3, 5, 7, 8, 11]] = [3, 1, 2, 1, 2, 1, 1]
    assert hear(key(), harmonic, 8)[-1] == 12


@given(st.integers(0, 1000), st.floats(0.01, 100))
def test_how_loud_the_chroma_is_does_not_matter(seed, factor):
    chroma = np.random.default_rng(seed).random((6, 12)).astype(np.float32)
    one, other = key(), key()
    for window in chroma:
        one.hear(window)
        other.hear((factor * window).astype(np.float32))
    np.testing.assert_allclose(one.state.beliefs, other.state.beliefs, atol=1e-4)


def test_beliefs_are_those_of_the_forward_pass_worked_by_hand():
    profile = (1.0,) + (0.0,) * 11
    running = key(major=profile, minor=(0.0,) * 12, changes_per_minute=12)
    only_c = np.eye(12, dtype=np.float32)[0]
    running.hear(only_c)  # C major is e^0.5 times as likely as each of the 23 others
    first = np.exp(0.5) / (np.exp(0.5) + 23)
    assert running.state.beliefs[0] == pytest.approx(np.log(first))
    running.hear(only_c)  # a tenth of all music has changed its key since
    before = 0.9 * first + 0.1 / 24
    second = before * np.exp(0.5) / (before * np.exp(0.5) + 1 - before)
    assert running.state.beliefs[0] == pytest.approx(np.log(second))


def test_there_is_no_key_before_something_was_heard():
    running = key()
    assert running.key is None
    assert running.hear(np.zeros(12, np.float32)) is None
    assert running.hear(SCALE, silent=True) is None
    assert running.hear(SCALE) == 0


def test_a_borrowed_chord_changes_nothing():
    running = key()
    hear(running, SCALE, 60)
    assert hear(running, np.roll(C_MAJOR, 8), 4) == [0] * 4


def test_a_modulation_is_followed_late_but_surely():
    running = key()
    hear(running, SCALE, 60)
    followed = hear(running, F_SHARP, 60)
    assert followed[0] == 0
    assert followed[-1] == 6


def test_a_larger_margin_holds_a_key_longer():
    def first_change(margin):
        running = key(margin=margin)
        hear(running, SCALE, 40)
        return hear(running, F_SHARP, 60).index(6)

    assert first_change(5.0) > first_change(0.0)


def test_where_keys_change_often_a_change_is_believed_sooner():
    def first_change(per_minute):
        running = key(changes_per_minute=per_minute)
        hear(running, SCALE, 60)
        return hear(running, F_SHARP, 60).index(6)

    assert first_change(6.0) < first_change(0.01)


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
    whole, second = key(changes_per_minute=6), key(changes_per_minute=6)
    keys = whole.follow(chroma, np.zeros(100, bool)).tolist()
    assert len(set(keys)) > 1
    for cut in (0, 1, 45, 50):
        first = key(changes_per_minute=6)
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
        ({"beliefs": (-1.0,) * 23}, "24 finite logarithms"),
        ({"beliefs": (float("nan"),) * 24}, "24 finite logarithms"),
        ({"beliefs": (0.5,) * 24}, "24 finite logarithms"),
        ({"key": 24}, r"key must be in 0\.\.23"),
    ],
)
def test_a_state_that_no_key_could_have_is_refused(state, rule):
    with pytest.raises(ValueError, match=rule):
        KeyState(**state)
