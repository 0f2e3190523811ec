import numpy as np
import pytest

from corpus.doubling import are_doubled_notes, are_doubled_samples, doubled_share
from corpus.midi_song import MidiNote

TUNE = [60, 62, 64, 65, 67, 65, 64, 62, 60, 67, 71, 72]


def line(pitches=TUNE, lag=0.0, step=0.5):
    return [MidiNote(lag + i * step, lag + i * step + 0.4, p, 80) for i, p in enumerate(pitches)]


@pytest.mark.parametrize("lag", [0.0, 0.01, 0.125, 0.5])
@pytest.mark.parametrize("octave", [-12, 0, 24])
def test_the_same_line_a_fraction_apart_or_in_octaves_is_doubled(lag, octave):
    assert are_doubled_notes(line(), line([pitch + octave for pitch in TUNE], lag))


@pytest.mark.parametrize("interval", [3, 4, 7])
def test_parallel_thirds_and_fifths_are_two_parts(interval):
    assert not are_doubled_notes(line(), line([pitch + interval for pitch in TUNE]))


def test_a_line_inside_chords_is_not_doubled_as_the_chords_hold_more():
    chords = sorted(n for k in (0, 3, 7) for n in line([pitch + k for pitch in TUNE]))
    assert doubled_share(line(), chords) == pytest.approx(1 / 3, abs=0.1)
    assert not are_doubled_notes(line(), chords)


def test_doubling_is_symmetric_and_needs_notes():
    a, b = line(), line(TUNE[:6] + [61] * 6)
    assert doubled_share(a, b) == doubled_share(b, a)
    assert doubled_share([], a) == 0


def test_a_copy_delayed_inverted_and_quieter_is_one_recording():
    rng = np.random.default_rng(0)
    one = np.convolve(rng.normal(size=16_000), np.ones(8) / 8, "same").astype(np.float32)
    copy = -0.3 * np.roll(one, 1234)
    other = np.convolve(rng.normal(size=16_000), np.ones(8) / 8, "same").astype(np.float32)
    assert are_doubled_samples(one, copy.astype(np.float32), 8000)
    assert not are_doubled_samples(one, other, 8000)
    assert not are_doubled_samples(one, np.zeros_like(one), 8000)
