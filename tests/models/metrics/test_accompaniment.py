"""Figures of an accompaniment, on made-up tracks and on sound."""

import numpy as np
import pytest

from models.metrics.accompaniment import (
    MEASURES,
    HeardTrack,
    activity,
    evaluate,
    harmony,
    hear,
    plays_with,
    rhythm,
)

RATE = 22_050
C_MAJOR, F_SHARP = [0, 4, 7], [6, 10, 1]


def track(chords, onsets=(), sounding=None):
    chroma = np.zeros((len(chords), 12), dtype=np.float32)
    for window, chord in enumerate(chords):
        chroma[window, chord] = 1.0
    plays = np.ones(len(chords), bool) if sounding is None else np.array(sounding, bool)
    return HeardTrack(chroma, plays, np.array(onsets, dtype=float))


def test_the_same_chords_agree_and_far_ones_do_not():
    guide = track([C_MAJOR] * 4)
    assert harmony(guide, track([C_MAJOR] * 4)) == pytest.approx(1.0)
    assert harmony(guide, track([F_SHARP] * 4)) == pytest.approx(-1 / 3)
    assert harmony(guide, track([C_MAJOR, F_SHARP] * 2)) == pytest.approx(1 / 3)


def test_harmony_counts_only_where_both_sound():
    guide = track([C_MAJOR] * 4, sounding=[1, 1, 1, 0])
    answer = track([C_MAJOR, F_SHARP, C_MAJOR, F_SHARP], sounding=[1, 0, 1, 1])
    assert harmony(guide, answer) == pytest.approx(1.0)
    assert harmony(guide, track([C_MAJOR] * 4, sounding=[0, 0, 0, 1])) == 0.0
    assert harmony(guide, track([[]] * 4)) == 0.0


def test_rhythm_is_the_f_measure_of_onsets_within_fifty_milliseconds():
    guide = track([C_MAJOR] * 4, onsets=[0.0, 0.5, 1.0, 1.5])
    assert rhythm(guide, guide) == pytest.approx(1.0)
    assert rhythm(guide, track([C_MAJOR] * 4, onsets=[0.04, 0.62])) == pytest.approx(1 / 3)
    assert rhythm(guide, track([C_MAJOR] * 4)) == 0.0


def test_activity_is_agreement_beyond_chance():
    guide = track([C_MAJOR] * 4, sounding=[1, 1, 0, 0])
    assert activity(guide, guide) == pytest.approx(1.0)
    assert activity(guide, track([C_MAJOR] * 4, sounding=[0, 0, 1, 1])) == pytest.approx(-1.0)
    assert activity(guide, track([C_MAJOR] * 4, sounding=[1, 0, 1, 0])) == pytest.approx(0.0)
    assert activity(guide, track([C_MAJOR] * 4)) == 0.0  # always there tells nothing
    assert activity(track([]), track([])) == 0.0


def test_the_partner_scores_one_where_it_is_compared_with_itself():
    guide = track([C_MAJOR] * 4, onsets=[0.0], sounding=[1, 1, 0, 0])
    partner = track([C_MAJOR] * 4, onsets=[0.5, 1.0], sounding=[0, 1, 1, 1])
    figures = evaluate(guide, partner, partner)
    assert tuple(figures) == MEASURES
    assert figures["rhythm as partner"] == figures["activity as partner"] == 1.0
    assert (
        evaluate(guide, partner, guide)["activity as partner"] == plays_with(partner, guide) == 0.25
    )


@pytest.mark.parametrize("measure", [harmony, activity, plays_with])
def test_tracks_of_different_length_are_refused(measure):
    with pytest.raises(ValueError, match="got 4 and 3; cut both to the shorter"):
        measure(track([C_MAJOR] * 4), track([C_MAJOR] * 3))


def test_sound_is_heard_as_chroma_activity_and_onsets():
    t = np.arange(RATE // 2) / RATE
    note = (0.3 * np.sin(2 * np.pi * 440 * t) * np.exp(-6 * t)).astype(np.float32)
    rest = np.zeros(RATE // 2, dtype=np.float32)
    heard = hear(np.concatenate([note, note, rest, rest, note, rest[:100]]), RATE)
    assert heard.sounding.tolist() == [True, True, False, False, True]
    assert heard.chroma[0].argmax() == heard.chroma[4].argmax() == 9
    for onset in (0.5, 2.0):
        assert np.abs(heard.onsets - onset).min() < 0.05


def test_silence_and_less_than_a_window_are_heard():
    silent = hear(np.zeros(RATE, dtype=np.float32), RATE)
    assert not silent.sounding.any()
    assert len(silent.onsets) == 0
    assert len(hear(np.zeros(100, dtype=np.float32), RATE).sounding) == 0
