"""The recorder: three files of one length, whole at every flush, never in the music's way."""

import threading
import wave
from pathlib import Path

import numpy as np
import pytest

from actors.devices.audio import AudioDeviceConfig
from actors.devices.recorder import Recorder, RecorderConfig, WavFile

DEVICE = AudioDeviceConfig(sample_rate=8000, block_frames=100, channels=2, lead_blocks=2)
LOSSLESS = RecorderConfig(lossless=True, flush_seconds=0.05)


def load(path):
    with wave.open(str(path), "rb") as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 2, 2)
        pcm = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    return pcm.reshape(-1, 2) / 32767


def block(level):
    return np.full((100, 2), level, dtype=np.float32)


def record(recorder, n_blocks):
    """A run: the output is two blocks ahead; input n is 0.001·n, output n is 0.1 + 0.001·n."""
    for number in range(2):
        recorder.record_output(block(0.1 + 0.001 * number))
    for number in range(n_blocks):
        recorder.record_input(block(0.001 * number))
        recorder.record_output(block(0.1 + 0.001 * (number + 2)))


def test_input_and_accompaniment_lie_on_one_clock(tmp_path):
    recorder = Recorder(tmp_path, DEVICE, pytest.fail, config=LOSSLESS)
    recorder.start()
    record(recorder, 50)
    assert recorder.close()
    numbers = np.repeat(np.arange(50), 100)
    heard, played, mix = (
        load(tmp_path / f"{n}.wav")[:, 1] for n in ("input", "accompaniment", "mix")
    )
    np.testing.assert_allclose(heard, 0.001 * numbers, atol=2e-5)
    np.testing.assert_allclose(played, 0.1 + 0.001 * numbers, atol=2e-5)
    np.testing.assert_allclose(mix, 0.1 + 0.002 * numbers, atol=2e-5)


def test_the_mix_stays_below_the_ceiling(tmp_path):
    recorder = Recorder(tmp_path, DEVICE, pytest.fail, config=LOSSLESS)
    recorder.start()
    for _ in range(20):
        recorder.record_output(block(0.85))
        recorder.record_input(block(0.85))
    recorder.close()
    mix = load(tmp_path / "mix.wav")
    assert len(mix) == 2000
    assert 0.8 < np.abs(mix).max() <= 10 ** (-1 / 20)


def test_a_crashed_run_is_readable_up_to_its_last_flush(tmp_path):
    file = WavFile(tmp_path / "input.wav", 2, 8000)
    file.write(block(0.25))
    file.write(block(0.5))  # and no close
    found = load(tmp_path / "input.wav")
    assert len(found) == 200
    assert found[-1, 0] == pytest.approx(0.5, abs=1e-4)


def test_two_recordings_of_one_run_have_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        recorder = Recorder(tmp_path / name, DEVICE, pytest.fail, config=LOSSLESS)
        recorder.start()
        record(recorder, 30)
        recorder.close()
    for name in ("input.wav", "accompaniment.wav", "mix.wav"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_folder_that_cannot_be_made_raises_the_alarm_and_the_music_goes_on(tmp_path):
    (tmp_path / "file").write_text("in the way")
    alarms = []
    recorder = Recorder(tmp_path / "file" / "run", DEVICE, alarms.append)
    recorder.start()
    record(recorder, 50)
    assert recorder.close()
    assert len(alarms) == 1
    assert "recording has stopped" in alarms[0]
    assert recorder.failed


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk always full")
def test_a_full_disk_raises_the_alarm_once_and_the_music_goes_on(tmp_path):
    (tmp_path / "mix.wav").symlink_to("/dev/full")
    alarms = []
    recorder = Recorder(tmp_path, DEVICE, alarms.append, config=LOSSLESS)
    recorder.start()
    record(recorder, 500)
    assert recorder.close()
    assert len(alarms) == 1
    assert "No space left" in alarms[0]


def test_a_slow_disk_loses_blocks_but_not_the_clock(tmp_path, monkeypatch):
    gate, writing, alarms = threading.Event(), threading.Event(), []
    write = WavFile.write

    def slow(self, samples):
        writing.set()
        gate.wait(10)
        write(self, samples)

    monkeypatch.setattr(WavFile, "write", slow)
    config = RecorderConfig(flush_seconds=0.0125, queue_seconds=0.1)  # one block; eight blocks
    recorder = Recorder(tmp_path, DEVICE, alarms.append, config=config)
    recorder.start()
    recorder.record_output(block(0.1))
    recorder.record_input(block(0.1))
    assert writing.wait(10)
    for _ in range(10):
        recorder.record_output(block(0.2))
        recorder.record_input(block(0.2))
    gate.set()
    while not recorder._queue.empty():
        pass
    recorder.record_output(block(0.3))
    recorder.record_input(block(0.3))
    assert recorder.close()
    heard = load(tmp_path / "input.wav")[::100, 0]
    np.testing.assert_allclose(heard, [0.1] + 4 * [0.2] + 6 * [0.0] + [0.3], atol=2e-5)
    assert recorder.dropped == 12
    assert len(alarms) == 1


def test_a_file_ends_before_four_gigabytes(tmp_path, monkeypatch):
    monkeypatch.setattr("actors.devices.recorder.LONGEST_FILE_BYTES", 500)
    file = WavFile(tmp_path / "input.wav", 2, 8000)
    file.write(block(0.1))
    with pytest.raises(OSError, match="below 4 GB"):
        file.write(block(0.1))
    file.close()
    assert len(load(tmp_path / "input.wav")) == 100
