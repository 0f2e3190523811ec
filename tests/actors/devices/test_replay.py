"""The replayed guide: a sound card that never drifts."""

import threading

import numpy as np
import pytest

from actors.devices.audio import AudioDeviceConfig, DeviceError
from actors.devices.opening import open_device
from actors.devices.replay import ReplayDevice

CONFIG = AudioDeviceConfig(
    sample_rate=8000, block_frames=100, channels=1, lead_blocks=2, output=None
)


class SteppedClock:
    """A clock that a test moves; whoever waits is let go when the time is there."""

    def __init__(self):
        self.waits = []
        self._now = 100.0
        self._moved = threading.Condition()

    def now(self):
        return self._now

    def wait_until(self, seconds):
        with self._moved:
            self.waits.append(seconds)
            self._moved.notify_all()
            self._moved.wait_for(lambda: self._now >= seconds, timeout=10)

    def move_to(self, seconds):
        """Let everything due by `seconds` happen; returns when someone waits for later."""
        with self._moved:
            self._now = seconds
            self._moved.notify_all()

    def wait_for_waiter(self, after):
        with self._moved:
            return self._moved.wait_for(
                lambda: bool(self.waits) and self.waits[-1] > after, timeout=10
            )


def ramp(n):
    return np.arange(n, dtype=np.float32)[:, None] / 1000


def read_all(device):
    blocks = []
    while (block := device.read(1.0)) is not None:
        blocks.append(block)
    return np.concatenate(blocks)[:, 0]


def fast(samples, **options):
    device = ReplayDevice(samples, CONFIG, SteppedClock(), pace="fast", **options)
    device.start()
    return device


def test_a_fast_replay_gives_the_guide_and_pads_the_last_block():
    out = read_all(fast(ramp(250)))
    np.testing.assert_array_equal(out[:250], ramp(250)[:, 0])
    assert len(out) == 300
    assert not out[250:].any()


def test_a_longer_replay_loops_the_guide():
    out = read_all(fast(ramp(130), seconds=0.05))
    np.testing.assert_array_equal(
        out, np.concatenate([ramp(130), ramp(130), ramp(130), ramp(10)])[:, 0]
    )


def test_a_shorter_replay_ends_early():
    out = read_all(fast(ramp(1000), seconds=0.02))
    np.testing.assert_array_equal(out[:160], ramp(160)[:, 0])
    assert not out[160:].any()


def test_a_fast_replay_waits_for_nothing_and_tells_seconds_of_audio():
    device = fast(ramp(300))
    device.read(0.0)
    device.read(0.0)
    assert device.block_time == pytest.approx(200 / 8000)
    assert device._clock.waits == []


def test_a_fast_replay_hears_blocks_where_they_belong():
    device = fast(ramp(300), keep_heard=True)
    for level in (1, 2, 3, 4, 5):
        device.write(np.full((100, 1), level, dtype=np.float32))
    np.testing.assert_array_equal(device.heard[::100, 0], [1, 2, 3])


def test_a_mono_guide_is_heard_on_every_channel():
    config = CONFIG.model_copy(update={"channels": 2})
    device = ReplayDevice(ramp(100), config, SteppedClock(), pace="fast")
    device.start()
    block = device.read(0.0)
    np.testing.assert_array_equal(block[:, 0], block[:, 1])


def test_blocks_come_on_an_absolute_schedule_at_real_pace():
    clock = SteppedClock()
    device = ReplayDevice(ramp(1000), CONFIG, clock)
    device.start()
    for number in range(10):
        due = 100.0 + (number + 1) * 100 / 8000
        assert clock.wait_for_waiter(due - 1e-9)
        clock.move_to(due + 0.003)  # always late: it must not add up
        block = device.read(5.0)
        assert device.block_time == pytest.approx(due + 0.003)
        np.testing.assert_array_equal(block, ramp(1000)[number * 100 : number * 100 + 100])
    assert device.read(5.0) is None
    np.testing.assert_allclose(
        clock.waits, 100.0 + np.arange(1, 11) * 100 / 8000, rtol=0, atol=1e-9
    )
    assert device.stop()


def test_an_empty_output_ring_is_an_underrun_at_real_pace():
    clock = SteppedClock()
    device = ReplayDevice(ramp(500), CONFIG, clock, keep_heard=True)
    for _ in range(2):
        device.write(np.full((100, 1), 0.5, dtype=np.float32))
    device.start()
    clock.move_to(200.0)
    read_all(device)
    assert device.underruns == 3
    assert (device.heard[100:200] == 0.5).all()
    assert not device.heard[300:].any()
    assert device.stop()


def test_a_stopped_replay_ends_the_input():
    clock = SteppedClock()
    device = ReplayDevice(ramp(100_000), CONFIG, clock)
    device.start()
    assert clock.wait_for_waiter(100.0)
    device._stopping.set()
    clock.move_to(100.5)
    assert device.stop()
    assert device.read(1.0) is None


def test_a_replay_whose_clock_stands_still_is_a_device_error():
    device = ReplayDevice(ramp(500), CONFIG, SteppedClock())
    device.start()
    with pytest.raises(DeviceError, match="must deliver a block"):
        device.read(0.01)
    assert not device.alive(100.0)


def test_reading_before_the_start_is_refused():
    with pytest.raises(RuntimeError, match="call start"):
        ReplayDevice(ramp(500), CONFIG, SteppedClock()).read(0.1)


def test_starting_twice_is_refused():
    device = fast(ramp(500))
    with pytest.raises(RuntimeError, match="started once"):
        device.start()


@pytest.mark.parametrize("shape", [(0, 1), (10,), (10, 6)])
def test_an_unusable_guide_is_refused(shape):
    with pytest.raises(ValueError, match="a guide must have"):
        ReplayDevice(np.zeros(shape, dtype=np.float32), CONFIG, SteppedClock())


def test_a_replay_of_no_length_is_refused():
    with pytest.raises(ValueError, match="seconds must be above 0, got 0"):
        ReplayDevice(ramp(10), CONFIG, SteppedClock(), seconds=0)


def test_a_guide_without_a_loudspeaker_opens_a_replay():
    device = open_device(CONFIG, SteppedClock(), guide=ramp(100))
    assert isinstance(device, ReplayDevice)


def test_fast_pace_without_a_guide_is_refused():
    with pytest.raises(ValueError, match="fast pace needs a guide"):
        open_device(CONFIG, SteppedClock(), pace="fast")
