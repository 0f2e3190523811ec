"""A recording that behaves like a sound card: fixed blocks on an absolute schedule.

At real pace a pacing thread plays the callback's part: block n is exchanged when the last of its
samples would have been captured, at start + (n + 1)·block/rate, so nothing drifts. At fast pace
there is no thread and no waiting: the next block is there when asked for.
"""

import threading

import numpy as np

from actors.devices.audio import AudioDeviceConfig, Pace, PacingClock
from actors.devices.duplex import Duplex
from agents.messages import Audio


class ReplayDevice:
    """Plays `samples` to the band as if they were captured, and hears what the band plays.

    Args:
        samples: the guide, (frames, 1 or channels), at the device's rate.
        config: blocks, channels, lead.
        clock: waits, at real pace.
        pace: "real" or "fast".
        seconds: length of the input; None is the guide's own; a longer one loops the guide.
        keep_heard: keep what a listener would have heard, underruns included, in `heard`.

    Raises:
        ValueError: an empty guide, or channels that do not fit.
    """

    def __init__(
        self,
        samples: Audio,
        config: AudioDeviceConfig,
        clock: PacingClock,
        *,
        pace: Pace = "real",
        seconds: float | None = None,
        keep_heard: bool = False,
    ) -> None:
        self.config = config
        self._guide = Guide(samples, config, seconds)
        self._clock = clock
        self._pace = pace
        self._duplex = Duplex(config)
        self._started: float | None = None
        self._position = 0  # blocks read at fast pace
        self._written = 0
        self._block_time = 0.0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        n_heard = self._guide.n_blocks * config.block_frames if keep_heard else 0
        self.heard: Audio = np.zeros((n_heard, config.channels), dtype=np.float32)

    @property
    def n_blocks(self) -> int:
        """Blocks that it will give."""
        return self._guide.n_blocks

    @property
    def underruns(self) -> int:
        """Blocks that had no sound ready when they were due."""
        return self._duplex.underruns

    @property
    def overruns(self) -> int:
        """Input blocks lost because nobody read them in time."""
        return self._duplex.overruns

    @property
    def block_time(self) -> float:
        """When the block last read had been captured; at fast pace, seconds of audio."""
        return self._block_time if self._pace == "fast" else self._duplex.block_time

    def start(self) -> None:
        """Begin; at real pace, start the pacing thread.

        Raises:
            RuntimeError: it was started before.
        """
        if self._started is not None:
            raise RuntimeError("a replay is started once; make a new device to play again")
        self._started = 0.0
        if self._pace == "real":
            self._started = self._clock.now()
            self._thread = threading.Thread(target=self._run, name="replay-pacing", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        """The callback's part: exchange blocks when they are due. Pacing thread."""
        start, block_seconds = self._started or 0.0, self.config.block_seconds
        captured = np.zeros((self.config.block_frames, self.config.channels), dtype=np.float32)
        playing = np.zeros_like(captured)
        for number in range(self.n_blocks):
            self._clock.wait_until(start + (number + 1) * block_seconds)
            if self._stopping.is_set():
                break
            self._guide.block_into(number, captured)
            self._duplex.exchange(captured, playing, self._clock.now())
            self._hear(number, playing)
        self._duplex.finish()

    def _hear(self, number: int, block: Audio) -> None:
        at = number * self.config.block_frames
        if at < len(self.heard):
            self.heard[at : at + len(block)] = block

    def read(self, timeout: float) -> Audio | None:
        """The next block of the guide; None at its end.

        Raises:
            DeviceError: no block came within `timeout` seconds.
            RuntimeError: it was not started.
        """
        if self._started is None:
            raise RuntimeError("a device must be started before it is read; call start()")
        if self._pace == "real":
            return self._duplex.read(timeout)
        if self._position >= self.n_blocks or self._stopping.is_set():
            return None
        block = np.empty((self.config.block_frames, self.config.channels), dtype=np.float32)
        self._guide.block_into(self._position, block)
        self._position += 1
        self._block_time = self._position * self.config.block_seconds
        return block

    def write(self, block: Audio) -> None:
        """Append the next output block.

        Raises:
            ValueError: another shape than (block_frames, channels).
            DeviceError: at real pace, nobody plays any more.
        """
        if self._pace == "real":
            self._duplex.write(block)
        else:
            self._hear(self._written, block)
            self._written += 1

    def mute(self, *, muted: bool) -> None:
        """Silence the output within one block; without effect at fast pace: nothing waits there."""
        self._duplex.mute(muted=muted)

    def alive(self, now: float) -> bool:
        """True while blocks are exchanged; at fast pace until the end."""
        if self._pace == "fast":
            return self._position < self.n_blocks
        return self._duplex.alive(now)

    def stop(self) -> bool:
        """End the replay; False if the pacing thread did not end in `stop_seconds`."""
        self._stopping.set()
        if self._thread is None:
            return True
        self._thread.join(self.config.stop_seconds)
        return not self._thread.is_alive()


class Guide:
    """A recording cut into numbered blocks, looped if it is to last longer than it is.

    Args:
        samples: (frames, 1 or channels).
        config: rate, block size, channels.
        seconds: how long it is to last; None for its own length.

    Raises:
        ValueError: an empty recording, or channels that do not fit.
    """

    def __init__(self, samples: Audio, config: AudioDeviceConfig, seconds: float | None) -> None:
        if samples.ndim != 2 or len(samples) == 0:
            raise ValueError(
                f"a guide must have shape (frames, channels) with at least one frame, "
                f"got {samples.shape}"
            )
        if samples.shape[1] not in (1, config.channels):
            raise ValueError(
                f"a guide must have 1 or {config.channels} channels, got {samples.shape[1]}; "
                "mix it down first"
            )
        if seconds is not None and seconds <= 0:
            raise ValueError(f"seconds must be above 0, got {seconds}")
        self._samples = np.ascontiguousarray(
            np.broadcast_to(samples, (len(samples), config.channels)), dtype=np.float32
        )
        length = len(samples) if seconds is None else round(seconds * config.sample_rate)
        self._n_frames = max(length, 1)
        self._block_frames = config.block_frames
        self.n_blocks = -(-self._n_frames // config.block_frames)

    def block_into(self, number: int, out: Audio) -> None:
        """Copy block `number` into `out` (block_frames, channels); silence after the end.

        Does not block, does not allocate.
        """
        position = number * self._block_frames
        wanted = min(max(self._n_frames - position, 0), self._block_frames)
        done = 0
        while done < wanted:
            at = (position + done) % len(self._samples)
            n = min(wanted - done, len(self._samples) - at)
            out[done : done + n] = self._samples[at : at + n]
            done += n
        out[wanted:] = 0.0
