import numpy as np
import pytest

from models.metrics.key import evaluate


def test_key_signature_and_fifth_by_hand():
    c_major, a_minor, g_major, f_sharp = 0, 21, 7, 6
    reference = np.full(5, c_major)
    estimate = np.array([c_major, a_minor, g_major, f_sharp, -1])
    found = evaluate(reference, estimate)
    assert (found.right, found.signature, found.within_fifth) == (0.25, 0.5, 0.75)
    assert found.n_windows == 4


def test_relatives_of_every_key_have_its_signature():
    for tonic in range(12):
        relative = np.array([12 + (tonic + 9) % 12])
        assert evaluate(np.array([tonic]), relative).signature == 1


def test_windows_without_a_key_do_not_count():
    nothing = np.full(3, -1)
    assert evaluate(nothing, np.zeros(3, np.int64)).n_windows == 0
    assert evaluate(np.zeros(3, np.int64), nothing).right == 0


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="equal length"):
        evaluate(np.zeros(2, np.int64), np.zeros(3, np.int64))
    with pytest.raises(ValueError, match="below 24"):
        evaluate(np.array([24]), np.array([0]))
