import numpy as np
import pytest
import soundfile

from corpus.song_features import SAMPLE_RATE, SongDescriptors, cached_layers, encode_folder

ENCODER = SongDescriptors()
TIMBRE, HARMONY, RHYTHM, DYNAMICS, REGISTER, CHARACTER = range(6)


def pulses(tempo_bpm, seconds=8.0, hz=440.0, level=0.3, chord=(0, 4, 7)):
    """A chord struck on every beat."""
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    beat = t % (60 / tempo_bpm)
    tones = sum(
        np.sin(2 * np.pi * hz * 2 ** (k / 12) * h * t) / h for k in chord for h in (1, 2, 3)
    )
    return (level * np.minimum(1, beat / 0.005) * np.exp(-6 * beat) * tones / 5).astype(np.float32)


def changed(one, other):
    """How far each layer moves, relative to its own length."""
    a, b = ENCODER.encode(one), ENCODER.encode(other)
    return np.linalg.norm(a - b, axis=1) / np.linalg.norm(a, axis=1)


def test_all_layers_of_one_shape_whatever_the_length():
    for seconds in (0.5, 3.0, 20.0):
        layers = ENCODER.encode(pulses(120, seconds))
        assert layers.shape == ENCODER.encode(pulses(90)).shape
        assert len(layers) == len(ENCODER.layer_names) == 10
        assert np.isfinite(layers).all()


def test_silence_and_noise_have_finite_layers():
    noise = np.random.default_rng(0).normal(0, 0.1, 2 * SAMPLE_RATE).astype(np.float32)
    for song in (np.zeros(2 * SAMPLE_RATE, np.float32), noise):
        assert np.isfinite(ENCODER.encode(song)).all()


def test_the_tempogram_peaks_at_the_tempo():
    from corpus.song_features import _TEMPI

    for tempo in (80, 100, 130):
        layer = ENCODER.encode(pulses(tempo))[RHYTHM]
        within = np.abs(np.log2(_TEMPI / tempo)) < 0.45
        peak = _TEMPI[within][layer[: len(_TEMPI)][within].argmax()]
        assert peak == pytest.approx(tempo, rel=0.03)


def test_each_quality_moves_its_own_layer_most():
    plain = pulses(100)
    by_tempo, by_level = changed(plain, pulses(140)), changed(plain, pulses(100, level=0.03))
    assert by_tempo[RHYTHM] > by_tempo[HARMONY]
    assert by_level[DYNAMICS] > 3 * max(by_level[HARMONY], by_level[REGISTER])


def test_a_key_is_heard_the_same_in_any_transposition_but_major_is_not_minor():
    major = pulses(100)
    transposed = changed(major, pulses(100, hz=440 * 2 ** (3 / 12)))[HARMONY]
    minor = changed(major, pulses(100, chord=(0, 3, 7)))[HARMONY]
    assert minor > 1.5 * transposed


def test_the_character_tells_the_tempo_within_its_octave():
    for tempo in (75, 80, 100, 130, 140):
        place = ENCODER.encode(pulses(tempo))[CHARACTER][0]
        assert 72 * 2 ** ((place + 1) / 2) == pytest.approx(tempo, rel=0.02)
    assert ENCODER.encode(pulses(160))[CHARACTER][0] == pytest.approx(
        ENCODER.encode(pulses(80))[CHARACTER][0], abs=0.05
    )


def scale(steps, tonic_hz, seconds=8.0):
    """A scale up and down in even notes."""
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    order = [*steps, 12, *reversed(steps)]
    degree = np.array(order)[(t / 0.25).astype(int) % len(order)]
    return (0.3 * np.sin(2 * np.pi * tonic_hz * 2 ** (degree / 12) * t)).astype(np.float32)


def test_the_character_tells_major_from_minor_in_any_key():
    for tonic in (262.0, 330.0, 392.0):
        major = ENCODER.encode(scale((0, 2, 4, 5, 7, 9, 11), tonic))[CHARACTER]
        minor = ENCODER.encode(scale((0, 2, 3, 5, 7, 8, 11), tonic))[CHARACTER]
        assert (major[[11, 14, 17, 20]] < -0.5).all()
        assert (minor[[11, 14, 17, 20]] > 0.5).all()


def test_higher_music_moves_the_register():
    assert changed(pulses(100), pulses(100, hz=880))[REGISTER] > 0.2


@pytest.mark.parametrize(
    ("song", "message"),
    [
        (np.zeros((SAMPLE_RATE, 2), np.float32), "must be mono"),
        (np.zeros(100, np.float32), "at least 0.5 s"),
        (np.full(SAMPLE_RATE, np.inf, np.float32), "must be finite"),
    ],
)
def test_a_song_that_is_none_is_refused(song, message):
    with pytest.raises(ValueError, match=message):
        ENCODER.encode(song)


def test_a_folder_is_heard_in_order_of_name_and_once_only(tmp_path):
    audio, cache = tmp_path / "audio", tmp_path / "cache"
    (audio / "b").mkdir(parents=True)
    soundfile.write(audio / "b" / "two.wav", pulses(90, 1.0), SAMPLE_RATE)
    soundfile.write(audio / "one.flac", pulses(120, 1.0), SAMPLE_RATE)
    names, layers = encode_folder(audio, ENCODER, cache=cache)
    assert names == ["b/two", "one"]

    class Deaf(SongDescriptors):
        def encode(self, samples):
            raise AssertionError(f"heard {len(samples)} samples again")

    again, same = encode_folder(audio, Deaf(), cache=cache)
    assert again == names
    np.testing.assert_array_equal(layers, same)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must hold audio files"):
        encode_folder(tmp_path, ENCODER)


def test_a_broken_cache_is_made_again(tmp_path):
    made = cached_layers(tmp_path, "song", lambda: np.ones((2, 3), np.float32))
    [file] = tmp_path.iterdir()
    file.write_bytes(b"broken")
    np.testing.assert_array_equal(
        cached_layers(tmp_path, "song", lambda: np.ones((2, 3), np.float32)), made
    )
