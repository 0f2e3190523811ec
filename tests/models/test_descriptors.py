import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.descriptors import Descriptors, fast_length, frame_indices, rotate_features

RATE = 22050
C_MAJOR = [60, 64, 67]


def last_window(samples, sample_rate=RATE, window_seconds=0.25):
    encoder = Descriptors(sample_rate, window_seconds)
    return encoder.encode(samples[-encoder.history_samples :]).mean(axis=0)


@pytest.mark.parametrize("sample_rate", [8000, 22050, 44100, 48000, 192000])
def test_a_c_major_chord_peaks_on_c_e_and_g_at_any_rate(play, sample_rate):
    features = last_window(play([C_MAJOR], 0.6, sample_rate), sample_rate)
    assert set(np.argsort(features[:12])[-3:].tolist()) == {0, 4, 7}
    assert features[[0, 4, 7]].sum() > 0.7 * features[:12].sum()


@pytest.mark.parametrize(("timbre", "lowest"), [("organ", 43), ("flute", 43), ("reed", 51)])
def test_a_single_note_of_any_timbre_is_its_own_pitch_class(play, timbres, timbre, lowest):
    for pitch in range(lowest, 96):
        chroma = last_window(play([[pitch]], 0.6, RATE, timbres[timbre]))[:12]
        assert chroma.argmax() == pitch % 12


@pytest.mark.parametrize("sample_rate", [8000, 44100, 48000, 192000])
def test_features_hardly_depend_on_the_sample_rate(play, sample_rate):
    here, there = (last_window(play([C_MAJOR], 0.6, r), r) for r in (RATE, sample_rate))
    assert np.linalg.norm(here - there) < 0.1


@pytest.mark.parametrize("semitones", [1, 5, 11])
def test_transposed_music_gives_rotated_features(play, semitones):
    low = last_window(play([C_MAJOR], 0.6, RATE))
    high = last_window(play([[pitch + semitones for pitch in C_MAJOR]], 0.6, RATE))
    assert np.linalg.norm(rotate_features(low, semitones) - high) < 0.3
    assert np.linalg.norm(low - high) > 1.5


@given(st.integers(-24, 24), st.integers(0, 1000))
def test_rotating_there_and_back_changes_nothing(semitones, seed):
    features = np.random.default_rng(seed).normal(size=(5, 18)).astype(np.float32)
    back = rotate_features(rotate_features(features, semitones), -semitones)
    np.testing.assert_allclose(back, features, atol=1e-5)


def test_twelve_semitones_are_a_full_turn():
    features = np.random.default_rng(0).normal(size=(5, 18)).astype(np.float32)
    np.testing.assert_allclose(rotate_features(features, 12), features, atol=1e-5)


def test_loudness_does_not_enter_the_features(play):
    loud, quiet = (last_window(play([C_MAJOR], 0.6, RATE, level=g)) for g in (0.9, 0.009))
    np.testing.assert_allclose(loud, quiet, atol=1e-3)


def test_silence_gives_finite_zeros():
    encoder = Descriptors(44100, 0.25)
    assert not encoder.encode(np.zeros(encoder.history_samples, np.float32)).any()


@given(st.floats(1e-30, 10.0), st.integers(0, 100))
def test_any_finite_sound_gives_finite_float32(gain, seed):
    encoder = Descriptors(8000, 0.125)
    noise = gain * np.random.default_rng(seed).normal(size=encoder.history_samples)
    features = encoder.encode(noise.astype(np.float32))
    assert features.dtype == np.float32
    assert np.isfinite(features).all()


def test_only_samples_up_to_the_windows_end_count_and_all_frames_end_inside():
    indices = frame_indices(4096, 0.05, RATE, 0.25)
    ends = indices[:, -1]
    assert indices.shape == (5, 4096)
    assert ends[-1] == -1
    assert ends.min() >= -int(0.25 * RATE)


@given(st.integers(1, 40000))
def test_a_fast_length_is_at_least_as_long_and_has_small_factors_only(n):
    rest = length = fast_length(n)
    for factor in (2, 3, 5):
        while rest % factor == 0:
            rest //= factor
    assert rest == 1
    assert n <= length < 2 * n + 1


@pytest.mark.filterwarnings("ignore:n_fft=:UserWarning")
def test_the_chroma_agrees_with_a_constant_q_transform_and_is_sparser(play):
    librosa = pytest.importorskip("librosa")
    sound = play([[48, 55, 64, 71]], 1.0, RATE)
    oracle = librosa.feature.chroma_cqt(y=sound, sr=RATE, norm=2).mean(axis=1)
    ours = last_window(sound)[:12]
    played = [0, 4, 7, 11]
    assert sorted(np.argsort(ours)[-4:].tolist()) == played
    assert np.dot(ours, oracle) / np.linalg.norm(ours) / np.linalg.norm(oracle) > 0.8
    assert ours[played].sum() / ours.sum() > oracle[played].sum() / oracle.sum()


@pytest.mark.parametrize(
    ("sample_rate", "window_seconds", "message"),
    [(1000, 0.25, "sample_rate must be in"), (44100, 0.0, "window_seconds must be above 0")],
)
def test_rates_and_windows_out_of_range_are_refused(sample_rate, window_seconds, message):
    with pytest.raises(ValueError, match=message):
        Descriptors(sample_rate, window_seconds)
