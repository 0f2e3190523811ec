import numpy as np
import pytest

from corpus.transposition import transpose

RATE = 22_050


def plucked(pitches, seconds=0.5):
    t = np.arange(round(seconds * RATE)) / RATE
    notes = [
        sum(np.sin(2 * np.pi * 440.0 * 2 ** ((p - 69) / 12) * k * t) / k for k in (1, 2, 3))
        * np.exp(-6 * t)
        for p in pitches
    ]
    return (0.2 * np.concatenate(notes)).astype(np.float32)[:, None]


def strongest_hz(samples):
    spectrum = np.abs(np.fft.rfft(samples[:, 0] * np.hanning(len(samples))))
    return spectrum.argmax() * RATE / len(samples)


@pytest.mark.parametrize("semitones", [-6, -1, 2, 6])
def test_a_note_comes_out_as_many_semitones_higher(semitones):
    note = np.repeat(plucked([57], 2.0), 2, axis=1)

    shifted = transpose(note, RATE, semitones)

    assert shifted.shape == note.shape
    assert shifted.dtype == np.float32
    assert strongest_hz(shifted) == pytest.approx(220.0 * 2 ** (semitones / 12), rel=0.01)


def test_attacks_stay_where_they_are():
    melody = plucked([60, 64, 67, 72])

    shifted = transpose(melody, RATE, 3)

    for note in range(1, 4):
        at = round(0.5 * note * RATE)
        before, after = np.abs(shifted[at - 660 : at - 220]), np.abs(shifted[at + 220 : at + 660])
        assert after.mean() > 4 * before.mean()


def test_transposing_twice_gives_the_same_samples():
    melody = plucked([60, 64])

    assert np.array_equal(transpose(melody, RATE, 2), transpose(melody, RATE, 2))


def test_no_semitones_is_a_copy_and_nothing_stays_nothing():
    melody = plucked([60])

    copy = transpose(melody, RATE, 0)

    assert np.array_equal(copy, melody)
    assert copy is not melody
    assert transpose(melody[:0], RATE, 2).shape == (0, 1)


def test_too_far_is_refused():
    with pytest.raises(ValueError, match=r"semitones must be in -6\.\.6, got 7"):
        transpose(plucked([60]), RATE, 7)
