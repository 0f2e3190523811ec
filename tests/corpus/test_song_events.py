"""Onsets, strokes, pitches and decay of sounds made to have them."""

import numpy as np
import pytest

from corpus.song_events import event_views

RATE = 22_050


def tone(hz: float, seconds: float, fall: float = 0.0) -> np.ndarray:
    """Eight harmonics that fade with 1/n, falling by `fall` dB a second."""
    t = np.arange(round(seconds * RATE)) / RATE
    waves = sum(np.sin(2 * np.pi * hz * n * t) / n for n in range(1, 9))
    return (0.1 * waves * 10 ** (-fall * t / 20)).astype(np.float32)


def struck(times: list[float], sound: np.ndarray, seconds: float = 3.0) -> np.ndarray:
    """`sound` beginning at each of `times`."""
    out = np.zeros(round((seconds + 5) * RATE), np.float32)
    for at in times:
        first = round(at * RATE)
        out[first : first + len(sound)] += sound
    return out[: round(seconds * RATE)]


def drum(seconds: float = 0.1) -> np.ndarray:
    """A burst of noise."""
    noise = np.random.default_rng(0).normal(0, 0.2, round(seconds * RATE))
    return (noise * np.exp(-np.arange(len(noise)) / (0.02 * RATE))).astype(np.float32)


@pytest.mark.parametrize("seconds", [0.5, 3.0])
@pytest.mark.parametrize("level", [0.0, 1e-7, 0.5])
def test_views_keep_their_shapes_and_are_finite(seconds, level):
    noise = np.random.default_rng(1).normal(0, 1, round(seconds * RATE)).astype(np.float32)
    views = event_views(level * noise, RATE)
    assert [len(view) for view in views] == [34, 34, 40, 37]
    assert all(np.isfinite(view).all() for view in views)


@pytest.mark.parametrize("n", [4, 8, 16, 30])
def test_onsets_are_counted(n):
    onsets = event_views(struck(list(np.arange(n) * 2.7 / n + 0.1), drum()), RATE)[0]
    assert 2 ** onsets[3] - 1 == pytest.approx(n)  # bar of 3 dB
    assert 2 ** onsets[24] - 1 == pytest.approx(n)  # distinct over bands


def test_a_drum_is_struck_and_an_organ_is_held():
    times = [0.1, 0.6, 1.1, 1.6, 2.1]
    drums = event_views(struck(times, drum()), RATE)[1]
    organ = event_views(struck([0.1], tone(220, 2.8)), RATE)[1]
    assert drums[0] < 0.3
    assert organ[0] > 0.9


@pytest.mark.parametrize("midi", [40, 52, 69, 84])
def test_the_pitch_that_sounds_is_picked_and_not_its_octaves(midi):
    sound = tone(440 * 2 ** ((midi - 69) / 12), 2.8)
    pitches = event_views(struck([0.1], sound), RATE)[2]
    assert pitches[5] * 14 + 60 == pytest.approx(midi, abs=0.5)  # median of the strongest


def test_two_voices_lie_further_apart_than_one():
    one = event_views(tone(220, 3.0), RATE)[2]
    two = event_views(tone(220, 3.0) + tone(220 * 2 ** (7 / 12), 3.0), RATE)[2]
    assert two[3] > one[3] + 0.2  # deviation of all that is picked
    assert two[12] > one[12] + 0.2  # share of frames with another voice


def test_what_is_plucked_falls_sooner_than_what_rings():
    times = [0.1, 1.1, 2.1]
    plucked = event_views(struck(times, tone(440, 0.9, fall=120)), RATE)[3]
    ringing = event_views(struck(times, tone(440, 0.9, fall=12)), RATE)[3]
    group = 3 * 3 + 1  # median of the bands around 1 kHz
    assert plucked[group] < ringing[group] - 0.3


def test_level_moves_no_count_of_onsets():
    song = struck(list(np.arange(0.1, 2.8, 0.25)), drum())
    assert event_views(song, RATE)[0][3] == event_views(song / 4, RATE)[0][3]
