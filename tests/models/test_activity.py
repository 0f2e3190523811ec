import numpy as np
import pytest

from models.activity import OnsetStrength, attack_events


def onset(samples, sample_rate, window_seconds=0.25):
    strength = OnsetStrength(sample_rate, window_seconds)
    return strength.measure(samples[-strength.history_samples :])


@pytest.mark.parametrize("sample_rate", [8000, 44100, 192000])
def test_an_attack_is_far_stronger_than_the_note_that_goes_on(play, sample_rate):
    note = play([[60, 64, 67]], 1.0, sample_rate, decay_per_second=0.2)
    attack = np.concatenate([np.zeros(sample_rate, np.float32), note[: sample_rate // 5]])
    assert onset(attack, sample_rate) > 0.1
    assert onset(attack, sample_rate) > 5 * onset(note, sample_rate)


def test_silence_has_no_onset():
    assert onset(np.zeros(44100, np.float32), 44100) == 0.0


def test_a_note_that_stops_is_not_an_onset(play):
    note = play([[60]], 1.0, 44100)
    stopped = np.concatenate([note, np.zeros(4410, np.float32)])
    assert onset(stopped, 44100, 0.1) < 0.02


def test_attacks_are_parts_that_stand_out_from_their_neighbours_and_from_the_track():
    strengths = np.float32([[0.3, 0.1, 0.02, 0.5], [0.4, 0.1, 0.06, 0.02]])
    found = attack_events(strengths)
    np.testing.assert_array_equal(found, [[1, 0, 0, 1], [0, 0, 0, 0]])


def test_a_track_without_attacks_has_none():
    assert not attack_events(np.zeros((3, 5), np.float32)).any()
    assert not attack_events(np.full((3, 5), 0.04, np.float32)).any()
    assert attack_events(np.zeros((0, 5), np.float32)).shape == (0, 5)
