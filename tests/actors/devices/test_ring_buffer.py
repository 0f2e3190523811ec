"""The ring and the exchange built on it: order, bounds, no allocation on the callback's side."""

import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.devices.audio import AudioDeviceConfig, DeviceError
from actors.devices.duplex import Duplex
from actors.devices.ring_buffer import RingBuffer

CONFIG = AudioDeviceConfig(sample_rate=8000, block_frames=16, channels=1, buffer_seconds=0.06)


def numbered(n, first=0):
    return np.arange(first, first + n, dtype=np.float32)[:, None]


@given(st.integers(1, 20), st.lists(st.tuples(st.booleans(), st.integers(0, 25)), max_size=40))
def test_frames_come_out_in_the_order_they_went_in(capacity, operations):
    ring = RingBuffer(capacity, 1)
    pushed = pulled = 0
    for push, n in operations:
        if push:
            pushed += ring.push(numbered(n, pushed))
        else:
            out = np.full((n, 1), -1, dtype=np.float32)
            given_frames = ring.pull_into(out)
            np.testing.assert_array_equal(out[:given_frames], numbered(given_frames, pulled))
            assert (out[given_frames:] == -1).all()
            pulled += given_frames
        assert ring.available == pushed - pulled
        assert ring.free == capacity - ring.available


def test_a_full_ring_takes_only_what_fits():
    ring = RingBuffer(10, 1)
    assert ring.push(numbered(7)) == 7
    assert ring.push(numbered(7)) == 3
    assert ring.push(numbered(1)) == 0


def test_skipping_drops_the_oldest():
    ring = RingBuffer(10, 1)
    ring.push(numbered(8))
    assert ring.skip(5) == 5
    out = np.empty((2, 1), dtype=np.float32)
    ring.pull_into(out)
    np.testing.assert_array_equal(out, numbered(2, 5))
    assert ring.skip(9) == 1


def test_a_ring_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one frame"):
        RingBuffer(0, 2)


def test_two_threads_pass_everything_on_in_order():
    ring, total = RingBuffer(64, 1), 5_000
    got = np.empty((total, 1), dtype=np.float32)

    def consume():
        at = 0
        while at < total:
            at += ring.pull_into(got[at : at + 7])

    consumer = threading.Thread(target=consume)
    consumer.start()
    sent, source = 0, numbered(total)
    while sent < total:
        sent += ring.push(source[sent : sent + 5])
    consumer.join(30)
    np.testing.assert_array_equal(got, source)


def exchange(duplex, n=1, first=0):
    """`n` callbacks capturing blocks of the value of their number; what they played."""
    played = []
    for number in range(first, first + n):
        playing = np.full((16, 1), np.nan, dtype=np.float32)
        duplex.exchange(np.full((16, 1), number, dtype=np.float32), playing, number * 0.002)
        played.append(playing)
    return np.concatenate(played)[:, 0]


def ones():
    return np.ones((16, 1), dtype=np.float32)


def test_block_n_is_played_while_block_n_is_captured():
    duplex = Duplex(CONFIG)
    for level in (1.0, 2.0, 3.0):
        duplex.write(ones() * level)
    played = exchange(duplex, 3)
    assert (played[16:32] == 2).all()
    assert (played[32:] == 3).all()
    assert duplex.underruns == 0


def test_a_late_block_is_lost_and_the_next_is_on_time():
    duplex = Duplex(CONFIG)
    duplex.write(ones())
    exchange(duplex, 2)
    duplex.write(ones() * 0.2)  # was due in callback 1
    duplex.write(ones() * 0.3)
    played = exchange(duplex, 1, first=2)
    assert played[-1] == pytest.approx(0.3)
    assert duplex.underruns == 1


def test_blocks_that_become_late_in_the_ring_are_skipped():
    duplex = Duplex(CONFIG)
    exchange(duplex, 1)
    duplex._exchanged = 0  # the host looks just before the callback counts
    for level in (0.1, 0.2, 0.3):
        duplex.write(ones() * level)
    duplex._exchanged = 1
    assert exchange(duplex, 1, first=1)[-1] == pytest.approx(0.2)


def test_an_underrun_fades_instead_of_clicking():
    duplex = Duplex(CONFIG)
    duplex.write(ones())
    head = exchange(duplex, 3)
    duplex.write(ones())
    duplex.write(ones())
    duplex.write(ones())
    duplex.write(ones())
    tail = exchange(duplex, 2, first=3)
    assert np.abs(np.diff(np.concatenate([head[16:], tail]))).max() < 1.2 / 15
    assert duplex.underruns == 2


def test_mute_silences_what_is_written_already_within_a_block_without_a_click():
    duplex = Duplex(CONFIG)
    for _ in range(6):
        duplex.write(ones())
    played = [exchange(duplex, 2)]
    duplex.mute(muted=True)
    played.append(exchange(duplex, 2, first=2))
    duplex.mute(muted=False)
    played.append(exchange(duplex, 2, first=4))
    whole = np.concatenate(played)
    assert not whole[47:64].any()
    assert (whole[80:] == 1).all()
    assert np.abs(np.diff(whole[16:])).max() < 1.2 / 15


def test_a_slow_reader_gets_silence_for_what_was_lost_and_stays_on_the_clock():
    duplex = Duplex(CONFIG)  # bounded to 30 blocks
    exchange(duplex, 33)
    values = [float(duplex.read(0.1)[0, 0]) for _ in range(30)]
    exchange(duplex, 1, first=33)
    values += [float(duplex.read(0.1)[0, 0]) for _ in range(4)]
    assert values == [*map(float, range(30)), 0.0, 0.0, 0.0, 33.0]
    assert duplex.overruns == 3
    assert duplex.block_time == pytest.approx(33 * 0.002)


def test_after_a_long_stall_of_the_host_output_is_on_the_clock_again():
    duplex = Duplex(CONFIG)
    duplex.write(ones() * 0)
    exchange(duplex, 200)
    for number in range(1, 202):  # the host catches up, block by block
        duplex.write(ones() * number)
    assert exchange(duplex, 2, first=200)[-1] == 201


def test_nothing_captured_in_time_is_a_device_error():
    with pytest.raises(DeviceError, match=r"must deliver a block within 0\.01 s"):
        Duplex(CONFIG).read(0.01)


def test_the_end_is_none_after_the_last_block():
    duplex = Duplex(CONFIG)
    exchange(duplex, 1)
    duplex.finish()
    assert duplex.read(0.1) is not None
    assert duplex.read(0.1) is None


def test_a_device_that_takes_nothing_is_noticed():
    duplex = Duplex(CONFIG)
    for _ in range(30):
        duplex.write(ones())
    with pytest.raises(DeviceError, match="no longer plays"):
        duplex.write(ones())


def test_a_block_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"must have shape \(16, 1\), got \(15, 1\)"):
        Duplex(CONFIG).write(ones()[:15])


def test_the_heartbeat_is_the_last_exchange():
    duplex = Duplex(CONFIG)
    assert not duplex.alive(0.0)
    exchange(duplex, 1)
    assert duplex.alive(0.4)
    assert not duplex.alive(0.6)


def test_the_callback_leaves_no_allocation_behind():
    duplex = Duplex(CONFIG)
    captured, playing = ones(), ones()

    def callbacks(n):
        for _ in range(n):  # blocks are taken, then lost: both branches of each direction
            duplex.exchange(captured, playing, 0.5)

    for _ in range(20):
        duplex.write(captured)
    callbacks(300)
    before = sys.getallocatedblocks()
    callbacks(5000)
    assert sys.getallocatedblocks() - before < 10
