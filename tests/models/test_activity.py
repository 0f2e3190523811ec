import numpy as np
import pytest

from models.activity import OnsetStrength


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
