"""The compiled loops of the sketch against the formulas they stand for, written with numpy."""

import numpy as np
import pytest

from corpus.sonic_pi.atlas import stored_atlas
from corpus.sonic_pi.mel import (
    FRAME_SECONDS,
    N_BANDS,
    band_hertz,
    band_widths,
    high_pass,
    low_pass,
    shifted_bands,
)
from corpus.sonic_pi.sketch_kernels import courses, lasting, repeated, spectra
from corpus.sonic_pi.sketch_tables import tables_of

PLAIN = (0, 1, 0, 1, 0, 0, 0, 0, 4, 1, 0, 0, 0, 2, 2, 1, 1, 1, 0, 1e6)
"""A sound of part 0 for four seconds; see `SoundKind.numbers`."""


def kind(**changes):
    numbers = list(map(float, PLAIN))
    places = {"shift": 2, "gain": 3, "cutoff": 4, "was": 5, "resonance": 6, "high": 7}
    places |= {"attack": 11, "sustain": 13, "release": 14, "start": 18, "stop": 19}
    for name, value in changes.items():
        numbers[places[name]] = value
    return np.array([numbers])


def spectrum(values, own=None):
    shapes = np.zeros((0, N_BANDS), np.float32) if own is None else own[None]
    which = np.array([-1 if own is None else 0])
    atlas = tables_of(stored_atlas()).spectra
    starts = np.array([0, 1])
    return spectra(values, starts, atlas, shapes, which, band_hertz(), band_widths())[0]


def source():
    return tables_of(stored_atlas()).spectra[0]


@pytest.mark.parametrize("semitones", [-13.0, -0.3, 0.0, 5.0, 31.7])
def test_a_spectrum_moves_as_bands_are_shifted(semitones):
    expected = shifted_bands(source()[None], [semitones])[0] if semitones else source()
    np.testing.assert_allclose(spectrum(kind(shift=semitones)), expected, rtol=1e-4, atol=1e-9)


def test_filters_and_gain_scale_the_bands():
    made = spectrum(kind(cutoff=70, resonance=0.4, high=50, gain=3))
    expected = source() * low_pass(70, 0.4) * high_pass(50) * 9
    np.testing.assert_allclose(made, expected, rtol=1e-4)


def test_a_filter_of_the_atlas_is_taken_off_and_its_level_brought_back():
    own = np.full(N_BANDS, 1 / N_BANDS, np.float32)
    ratio = np.minimum(low_pass(60, 0.2) / np.maximum(low_pass(100, 0.2), 1e-4), 100)
    muffled = spectrum(kind(cutoff=60, was=-100, resonance=0.2), own)
    np.testing.assert_allclose(muffled, own * ratio, rtol=1e-4)
    assert muffled.sum() < 0.9
    levelled = spectrum(kind(cutoff=60, was=100, resonance=0.2), own)
    assert levelled.sum() == pytest.approx(1, rel=1e-4)


def test_a_shape_of_its_own_stands_in_for_that_of_the_atlas():
    own = np.random.default_rng(0).random(N_BANDS, np.float32)
    np.testing.assert_allclose(spectrum(kind(gain=2), own), 4 * own, rtol=1e-5)


def course(values, onsets=(0.0,), gains=(1.0,), n_frames=60):
    activity = np.ones(4, np.float32)  # a zero, two frames, what follows
    tables = activity, np.array([0]), np.array([2])
    which = np.zeros(len(onsets), np.int64)
    places = np.array([0, 1]), which, np.array(onsets), np.array(gains)
    return courses(values, *places, n_frames, *tables)[0]


def test_an_envelope_rises_holds_and_falls():
    level = course(kind(attack=0.5, sustain=1, release=0.5))
    time = (np.arange(60) + np.array([[1 / 6], [1 / 2], [5 / 6]])) * FRAME_SECONDS
    line = np.clip(time / 0.5, 0, 1) * np.clip(1 - (time - 1.5) / 0.5, 0, 1)
    np.testing.assert_allclose(level, (line**2).mean(axis=0), rtol=1e-4, atol=1e-7)


def test_sounds_add_their_powers_where_they_are_heard():
    both = course(kind(), onsets=(0.1, 1.0), gains=(1.0, 3.0))
    one, other = course(kind(), (0.1,)), course(kind(), (1.0,), (3.0,))
    np.testing.assert_allclose(both, one + other, rtol=1e-5)
    np.testing.assert_allclose(other, 9 * course(kind(), (1.0,)), rtol=1e-5)


def test_only_the_stretch_of_a_sound_is_heard():
    level = course(kind(start=20 * FRAME_SECONDS, stop=30 * FRAME_SECONDS))
    assert np.flatnonzero(level).tolist() == list(range(20, 30))


@pytest.mark.parametrize("onset", [-50.0, 2.79, 1e6])
def test_sounds_outside_of_the_sketch_leave_no_trace(onset):
    assert not course(kind(), (onset,)).any()


def test_what_lasts_falls_by_the_same_share_in_every_frame():
    power = np.zeros((N_BANDS, 5), np.float32)
    power[3, 1] = 2.0
    made = lasting(power, 0.5, 3.0)
    np.testing.assert_allclose(made[3], [0, 3, 1.5, 0.75, 0.375])
    assert not np.delete(made, 3, axis=0).any()


def test_repeats_add_up_and_end_with_the_sketch():
    power = np.tile(np.array([1, 0, 0, 2], np.float32), (N_BANDS, 1))
    made = repeated(power, np.array([0, 1, 3]), np.array([1, 0.5, 0.25], np.float32))
    np.testing.assert_allclose(made[0], [1, 0.5, 0, 2.25])
