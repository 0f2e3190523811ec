import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.audio_file import AudioFileError, content_hash, is_silent, read_audio, write_wav


def sine(seconds: float, sample_rate: int, hz: float = 440.0) -> np.ndarray:
    t = np.arange(round(seconds * sample_rate)) / sample_rate
    return (0.5 * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def saved(path: Path, samples: np.ndarray, sample_rate: int, subtype: str | None = None) -> Path:
    soundfile.write(path, samples, sample_rate, subtype=subtype)
    return path


def cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
def test_every_format_comes_back_as_float32_frames_by_channels(tmp_path, suffix):
    path = saved(tmp_path / f"a.{suffix}", sine(1, 44100), 44100)
    samples = read_audio(path, 44100)
    assert samples.shape == (44100, 1)
    assert samples.dtype == np.float32
    assert np.abs(samples[:, 0] - sine(1, 44100)).max() < 0.02


@pytest.mark.parametrize("sample_rate", [8000, 22050, 44100, 48000, 96000, 192000])
def test_any_rate_is_resampled_in_time_and_in_tune(tmp_path, sample_rate):
    path = saved(tmp_path / "a.wav", sine(2, sample_rate), sample_rate, "FLOAT")
    samples = read_audio(path, 44100)[:, 0]
    assert len(samples) == 88200
    middle = slice(4000, -4000)
    assert np.abs(samples[middle] - sine(2, 44100)[middle]).max() < 1e-3


@settings(max_examples=20, deadline=None)
@given(st.integers(8000, 192000), st.integers(1, 3000), st.sampled_from([8000, 44100, 48000]))
def test_the_length_is_the_duration_at_the_new_rate(tmp_path_factory, rate, n_frames, wanted):
    path = tmp_path_factory.mktemp("lengths") / "a.wav"
    saved(path, np.zeros(n_frames, np.float32), rate)
    assert abs(len(read_audio(path, wanted)) - n_frames * wanted / rate) <= 1


def test_reading_in_chunks_equals_resampling_in_one_piece(tmp_path):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (200_001, 2)).astype(np.float32)
    path = saved(tmp_path / "a.wav", noise, 48000, "FLOAT")
    whole = soxr.resample(noise, 48000, 44100, quality="HQ")
    np.testing.assert_allclose(read_audio(path, 44100), whole, atol=1e-5)


def test_stereo_to_mono_is_the_mean_and_mono_to_stereo_is_twice_the_same(tmp_path):
    stereo = np.stack([sine(0.1, 8000), np.zeros(800, np.float32)], axis=1)
    path = saved(tmp_path / "s.wav", stereo, 8000, "FLOAT")
    np.testing.assert_allclose(read_audio(path, 8000, 1), stereo.mean(axis=1, keepdims=True))
    path = saved(tmp_path / "m.wav", sine(0.1, 8000), 8000, "FLOAT")
    both = read_audio(path, 8000, 2)
    assert both.shape == (800, 2)
    assert (both[:, 0] == both[:, 1]).all()


def test_six_channels_become_two_without_losing_one_and_without_clipping(tmp_path):
    six = np.eye(6, dtype=np.float32).repeat(100, axis=0)
    path = saved(tmp_path / "six.wav", six, 48000, "FLOAT")
    stereo = read_audio(path, 48000, 2)[::100]
    scale = 1 + 4 / np.sqrt(2)
    np.testing.assert_allclose(stereo[0], [1 / scale, 0], atol=1e-6)
    np.testing.assert_allclose(stereo[1], [0, 1 / scale], atol=1e-6)
    np.testing.assert_allclose(stereo[2:], np.sqrt(0.5) / scale, atol=1e-6)
    loud = saved(tmp_path / "loud.wav", np.ones((10, 6), np.float32), 48000, "FLOAT")
    np.testing.assert_allclose(read_audio(loud, 48000, 2), 1.0, atol=1e-6)
    np.testing.assert_allclose(read_audio(loud, 48000, 1), 1.0, atol=1e-6)
    assert read_audio(path, 48000).shape == (600, 6)


def test_a_missing_file_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(AudioFileError, match=r"no\.wav must exist, but there is no such file"):
        read_audio(tmp_path / "no.wav", 44100)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(AudioFileError, match="must be an audio file, got a folder"):
        read_audio(tmp_path, 44100)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_without_permission_is_refused(tmp_path):
    path = saved(tmp_path / "a.wav", sine(0.1, 8000), 8000)
    path.chmod(0)
    with pytest.raises(AudioFileError, match="check its permissions"):
        read_audio(path, 8000)


def test_a_file_that_is_no_audio_is_refused(tmp_path):
    path = tmp_path / "notes.wav"
    path.write_text("do re mi " * 100)
    with pytest.raises(AudioFileError, match="must be a WAV, FLAC or OGG file"):
        read_audio(path, 44100)


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "a.wav").touch()
    with pytest.raises(AudioFileError, match="must hold sound, got an empty file"):
        read_audio(tmp_path / "a.wav", 44100)


def test_a_header_without_samples_is_refused(tmp_path):
    path = saved(tmp_path / "a.wav", np.zeros((0, 1)), 44100)
    with pytest.raises(AudioFileError, match="must hold sound, got no samples"):
        read_audio(path, 44100)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_a_truncated_file_is_refused_whatever_can_still_be_decoded(tmp_path, suffix, share):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 100_000)
    path = cut(saved(tmp_path / f"a.{suffix}", noise, 44100), share)
    with pytest.raises(AudioFileError, match=r"truncated|decoded to its end"):
        read_audio(path, 44100)


def test_a_wav_streamed_with_its_length_unknown_is_not_truncated(tmp_path):
    path = saved(tmp_path / "a.wav", sine(1, 8000), 8000, "PCM_16")
    data = path.read_bytes()
    at = data.index(b"data") + 4
    path.write_bytes(data[:at] + struct.pack("<I", 0xFFFFFFFF) + data[at + 4 :])
    assert read_audio(path, 8000).shape == (8000, 1)


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_refused_and_located(tmp_path, poison):
    samples = sine(20, 8000)
    samples[100_000] = poison
    path = saved(tmp_path / "a.wav", samples, 8000, "FLOAT")
    with pytest.raises(AudioFileError, match=r"finite samples.*got NaN or infinity near second 8"):
        read_audio(path, 44100)


def test_floats_on_the_scale_of_integers_are_refused(tmp_path):
    path = saved(tmp_path / "a.wav", sine(0.1, 8000) * 32768, 8000, "FLOAT")
    with pytest.raises(AudioFileError, match=r"full scale ±1, got a peak of 16384"):
        read_audio(path, 44100)


@pytest.mark.parametrize("sample_rate", [100, 7999, 500_000])
def test_a_file_of_an_absurd_rate_is_refused(tmp_path, sample_rate):
    path = saved(tmp_path / "a.wav", sine(0.1, 8000), sample_rate)
    with pytest.raises(
        AudioFileError, match=rf"sample rate of 8000\.\.384000 Hz, got {sample_rate}"
    ):
        read_audio(path, 44100)


def test_wrong_arguments_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"sample_rate must be in 8000\.\.384000 Hz, got 0"):
        read_audio(tmp_path / "a.wav", 0)
    with pytest.raises(ValueError, match="channels must be 1, 2 or None, got 3"):
        read_audio(tmp_path / "a.wav", 44100, 3)


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([b"", b"RIFF", b"OggS", b"fLaC"]))
def test_no_bytes_whatever_raise_anything_but_one_sentence(tmp_path_factory, data, magic):
    path = tmp_path_factory.mktemp("bytes") / "a.wav"
    path.write_bytes(magic + data)
    with pytest.raises(AudioFileError):
        read_audio(path, 44100)


def test_silence_is_told_by_its_peak():
    assert is_silent(np.zeros((100, 2), np.float32))
    assert is_silent(np.zeros(0, np.float32))
    assert is_silent(np.full(10, -0.0009, np.float32))
    assert not is_silent(np.full(10, -0.0011, np.float32))
    assert not is_silent(np.array([0.5], np.float32))


def test_what_is_written_is_read_back(tmp_path):
    stereo = np.stack([sine(1, 8000), -sine(1, 8000)], axis=1)
    write_wav(tmp_path / "a.wav", stereo, 8000)
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav", 8000), stereo, atol=2**-22)
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


@pytest.mark.parametrize("shape", [(0,), (0, 2)])
def test_a_recording_of_no_length_is_a_whole_wav_of_no_samples(tmp_path, shape):
    write_wav(tmp_path / "a.wav", np.zeros(shape, np.float32), 8000)
    assert soundfile.info(tmp_path / "a.wav").frames == 0


def test_the_same_samples_give_the_same_bytes(tmp_path):
    for name in ("a.wav", "b.wav"):
        write_wav(tmp_path / name, sine(1, 8000), 8000)
    assert content_hash(tmp_path / "a.wav") == content_hash(tmp_path / "b.wav")


def test_what_exceeds_full_scale_is_clipped_and_does_not_wrap(tmp_path):
    write_wav(tmp_path / "a.wav", np.array([2.0, -2.0], np.float32), 8000)
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav", 8000)[:, 0], [1, -1], atol=1e-6)


def test_samples_that_are_not_finite_are_not_written(tmp_path):
    with pytest.raises(AudioFileError, match="must be finite"):
        write_wav(tmp_path / "a.wav", np.array([np.nan], np.float32), 8000)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_cannot_be_written_to(tmp_path):
    with pytest.raises(AudioFileError, match=r"must be in a folder that can be written.*No such"):
        write_wav(tmp_path / "none" / "a.wav", sine(0.1, 8000), 8000)


def test_a_write_that_fails_at_the_last_step_leaves_the_old_file_alone(tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    path.write_bytes(b"old")

    def refuse(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(AudioFileError, match="No space left on device"):
        write_wav(path, sine(0.1, 8000), 8000)
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["a.wav"]


def test_more_than_a_wav_can_hold_is_refused(tmp_path):
    endless = np.broadcast_to(np.zeros(1, np.float32), (0x60000000,))
    with pytest.raises(AudioFileError, match="at most 4 GiB"):
        write_wav(tmp_path / "a.wav", endless, 8000)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_device_is_one_sentence(tmp_path):
    (tmp_path / ".a.wav.part").symlink_to("/dev/full")
    with pytest.raises(AudioFileError, match=r"writing failed \(No space left on device\)"):
        write_wav(tmp_path / "a.wav", sine(5, 44100), 44100)
    assert list(tmp_path.iterdir()) == []


def test_the_hash_names_the_content_and_not_the_path(tmp_path):
    for name, data in (("a", b"one"), ("b", b"one"), ("c", b"two")):
        (tmp_path / name).write_bytes(data)
    assert content_hash(tmp_path / "a") == content_hash(tmp_path / "b")
    assert content_hash(tmp_path / "a") != content_hash(tmp_path / "c")
    assert len(content_hash(tmp_path / "a")) == 32


def test_the_hash_of_nothing_is_refused(tmp_path):
    with pytest.raises(AudioFileError, match="there is no such file"):
        content_hash(tmp_path / "a")
