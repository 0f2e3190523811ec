"""The exchange between a device's callback and its host: two rings and a wake-up.

The callback side (`exchange`) neither blocks, locks nor allocates: it moves one block each way and
stamps the time. The host side (`read`, `write`) may wait. Blocks are numbered from 0 by the
callback; both sides keep to these numbers, so neither a slow host nor a full ring shifts the clock.
"""

import threading

import numpy as np

from actors.devices.audio import HEARTBEAT_SECONDS, AudioDeviceConfig, DeviceError
from actors.devices.ring_buffer import RingBuffer
from agents.messages import Audio


class Duplex:
    """Blocks in and out between one callback thread and one host thread.

    Args:
        config: block size, channels, bound of the rings.
    """

    def __init__(self, config: AudioDeviceConfig) -> None:
        frames, channels = config.block_frames, config.channels
        n_blocks = max(
            round(config.buffer_seconds / config.block_seconds), 2 * config.lead_blocks, 4
        )
        self.underruns = 0
        self.overruns = 0
        self.block_time = 0.0
        self.last_exchange: float | None = None
        self._frames = frames
        self._channels = channels
        self._input = RingBuffer(n_blocks * frames, channels)
        self._stamps = RingBuffer(n_blocks, 2, dtype=np.float64)
        self._output = RingBuffer(n_blocks * frames, channels)
        self._numbers = RingBuffer(n_blocks, 1, dtype=np.int64)
        self._stamp = np.zeros((1, 2))
        self._fall = np.linspace(1.0, 0.0, frames, dtype=np.float32)[:, None]
        self._rise = np.ascontiguousarray(self._fall[::-1])
        self._last = np.zeros((1, channels), dtype=np.float32)
        self._silent = True
        self._muted = False
        self._was_muted = False
        self._exchanged = 0
        self._due = -1  # number of the block at the head of the output ring, -1 if not known
        self._number = np.zeros((1, 1), dtype=np.int64)
        self._written = 0
        self._read = 0
        self._pending: Audio | None = None
        self._pending_number = 0
        self._pulled_stamp = np.zeros((1, 2))
        self._finished = False
        self._wake = threading.Lock()
        self._wake.acquire()

    def exchange(self, captured: Audio, playing: Audio, now: float) -> None:
        """One callback: take the block captured, fill the block to be played.

        Callback thread only. Does not block, lock or allocate (beyond views).

        Args:
            captured: (block_frames, channels), read.
            playing: (block_frames, channels), overwritten.
            now: monotonic seconds.
        """
        number = self._exchanged
        if self._input.free >= self._frames and self._stamps.free >= 1:
            self._input.push(captured)
            self._stamp[0, 0] = number
            self._stamp[0, 1] = now
            self._stamps.push(self._stamp)
        else:
            self.overruns += 1
        self._play(number, playing)
        self.last_exchange = now
        self._exchanged = number + 1
        if self._wake.locked():
            self._wake.release()

    def _play(self, number: int, playing: Audio) -> None:
        while self._due < number and self._numbers.available:
            if self._due >= 0:
                self._output.skip(self._frames)  # its moment has passed
            self._numbers.pull_into(self._number)
            self._due = int(self._number[0, 0])
        if self._due == number:
            self._output.pull_into(playing)
            self._due = -1
            if self._silent:
                np.multiply(playing, self._rise, out=playing)
                self._silent = False
            self._apply_mute(playing)
            self._last[0] = playing[-1]
        else:
            self.underruns += 1
            np.multiply(self._fall, self._last, out=playing)
            self._last.fill(0.0)
            self._silent = True

    def _apply_mute(self, playing: Audio) -> None:
        muted = self._muted
        if muted and self._was_muted:
            playing.fill(0.0)
        elif muted:
            np.multiply(playing, self._fall, out=playing)
        elif self._was_muted:
            np.multiply(playing, self._rise, out=playing)
        self._was_muted = muted

    def mute(self, *, muted: bool) -> None:
        """Fade what plays to silence within the next block, or back; any thread."""
        self._muted = muted

    def finish(self) -> None:
        """Say that no block will follow; the host reads what is left, then None."""
        self._finished = True
        if self._wake.locked():
            self._wake.release()

    def read(self, timeout: float) -> Audio | None:
        """The next block captured; silence for blocks that were lost; None after the last.

        Host thread only.

        Raises:
            DeviceError: no block came within `timeout` seconds.
        """
        while self._pending is None:
            finished = self._finished
            if self._stamps.available:
                self._take_pending()
            elif finished:
                return None
            elif not self._wake.acquire(timeout=timeout):
                raise DeviceError(
                    f"the audio device must deliver a block within {timeout:g} s, got none; "
                    "it is gone or stuck: open it again"
                )
        self._read += 1
        if self._pending_number >= self._read:
            return np.zeros((self._frames, self._channels), dtype=np.float32)
        block, self._pending = self._pending, None
        return block

    def _take_pending(self) -> None:
        block = np.empty((self._frames, self._channels), dtype=np.float32)
        self._stamps.pull_into(self._pulled_stamp)
        self._input.pull_into(block)
        self._pending = block
        self._pending_number = int(self._pulled_stamp[0, 0])
        self.block_time = float(self._pulled_stamp[0, 1])

    def write(self, block: Audio) -> None:
        """Append the next block to be played; one whose moment has passed is dropped.

        Host thread only. The callback has counted the dropped block as an underrun.

        Raises:
            ValueError: another shape than (block_frames, channels).
            DeviceError: the ring is full: the device no longer plays.
        """
        if block.shape != (self._frames, self._channels):
            raise ValueError(
                f"a block must have shape ({self._frames}, {self._channels}), got {block.shape}"
            )
        number = self._written
        self._written += 1
        if number < self._exchanged:
            return
        if self._output.free < self._frames or not self._numbers.free:
            raise DeviceError(
                "the audio device must take what is written, but its buffer is full; "
                "it no longer plays: open it again"
            )
        self._output.push(block)
        self._numbers.push(np.array([[number]]))

    def alive(self, now: float) -> bool:
        """True if the last exchange is at most `HEARTBEAT_SECONDS` ago."""
        last = self.last_exchange
        return last is not None and now - last <= HEARTBEAT_SECONDS
