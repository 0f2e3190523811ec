"""Outlines of sound files, whole, ragged, poisoned and broken."""

import numpy as np
import pytest
import soundfile

from actors.report.waveform import read_envelope


def test_columns_hold_the_lowest_and_highest_sample_of_all_channels(tmp_path):
    left = [0.0, 0.5, -0.25, 0.0, 0.125]
    right = [0.25, 0.0, 0.0, -0.5, 0.125]
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], 1), 4, subtype="FLOAT")
    sound = read_envelope(tmp_path / "a.wav", 0.5)
    assert sound.lows.tolist() == [0.0, -0.5, 0.125]
    assert sound.highs.tolist() == [0.5, 0.0, 0.125]
    assert (sound.column_seconds, sound.seconds, sound.peak) == (0.5, 1.25, 0.5)


def test_between_gives_the_columns_that_start_in_the_span(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.arange(10) / 16, 10, subtype="FLOAT")
    times, lows, _ = read_envelope(tmp_path / "a.wav", 0.1).between(0.2, 0.5)
    assert times == pytest.approx([0.2, 0.3, 0.4])
    assert lows == pytest.approx([2 / 16, 3 / 16, 4 / 16])


def test_a_span_after_the_end_is_empty(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(10), 10)
    times, lows, highs = read_envelope(tmp_path / "a.wav", 0.1).between(5.0, 6.0)
    assert len(times) == len(lows) == len(highs) == 0


def test_blocks_of_reading_do_not_show_in_the_columns(tmp_path):
    samples = np.random.default_rng(1).uniform(-1, 1, 10_007)
    soundfile.write(tmp_path / "a.wav", samples, 1000, subtype="FLOAT")
    sound = read_envelope(tmp_path / "a.wav", 0.003)
    expected = np.array([samples[i : i + 3].max() for i in range(0, 10_007, 3)])
    assert sound.highs == pytest.approx(expected, abs=1e-6)


def test_samples_that_are_not_finite_count_as_silence(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.array([np.nan, np.inf, 0.5]), 3, subtype="FLOAT")
    assert read_envelope(tmp_path / "a.wav", 1.0).peak == 0.5


def test_a_sound_without_samples_has_no_column_and_no_peak(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 8000)
    sound = read_envelope(tmp_path / "a.wav", 0.1)
    assert (len(sound.highs), sound.peak, sound.seconds) == (0, 0.0, 0.0)


def test_missing_and_broken_files_have_no_envelope(tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    assert read_envelope(tmp_path / "broken.wav", 0.1) is None
    assert read_envelope(tmp_path / "missing.wav", 0.1) is None


def test_columns_of_no_length_are_refused(tmp_path):
    with pytest.raises(ValueError, match="column_seconds must be above 0"):
        read_envelope(tmp_path / "a.wav", 0.0)
