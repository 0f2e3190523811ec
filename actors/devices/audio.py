"""What every audio device can do, and how it is configured.

A device is the master of the sample clock: it hands out blocks of input in order, without gaps,
and plays output block n while it captures input block n. Who fills its output late loses that
block (an underrun, faded, never a click); what comes after stays on the clock.
"""

from typing import Literal, Protocol

from pydantic import BaseModel, Field

from agents.messages import Audio

Pace = Literal["real", "fast"]

HEARTBEAT_SECONDS = 0.5
"""A device whose last callback is older than this is taken for dead."""


class DeviceError(OSError):
    """A device cannot be opened, or is gone; the message is one sentence for the performer."""


class PacingClock(Protocol):
    """The part of a clock that a device needs; seconds are monotonic."""

    def now(self) -> float:
        """Seconds now."""
        ...

    def wait_until(self, seconds: float) -> None:
        """Return at `seconds`, or at once if that is past."""
        ...


class AudioDeviceConfig(BaseModel, frozen=True, extra="forbid"):
    """The audio device and its blocks."""

    sample_rate: int = Field(default=44_100, ge=8_000, le=192_000)  # Hz
    block_frames: int = Field(default=256, ge=16, le=8_192)  # frames per block
    channels: int = Field(default=2, ge=1, le=8)  # of input and output alike
    lead_blocks: int = Field(default=4, ge=1, le=64)  # output prepared ahead of input, blocks
    input: str = ""  # name or index of the device listened to; empty: the system's default
    output: str | None = ""  # name or index of the device played on; empty: default; null: none
    buffer_seconds: float = Field(default=1.0, gt=0.05, le=30)  # bound of both rings, seconds
    stop_seconds: float = Field(default=2.0, gt=0, le=30)  # how long closing may take, seconds

    @property
    def block_seconds(self) -> float:
        """How long a block lasts, seconds."""
        return self.block_frames / self.sample_rate


class AudioDevice(Protocol):
    """A duplex device; one thread of the host calls it."""

    @property
    def underruns(self) -> int:
        """Blocks that had no sound ready when they were due."""
        ...

    @property
    def overruns(self) -> int:
        """Input blocks lost because nobody read them; they are given as silence."""
        ...

    @property
    def block_time(self) -> float:
        """Monotonic seconds at which the block last read had been captured."""
        ...

    def start(self) -> None:
        """Begin to capture and play; the first `lead_blocks` output blocks must be written."""
        ...

    def read(self, timeout: float) -> Audio | None:
        """The next input block, shape (block_frames, channels); None at the end.

        Raises:
            DeviceError: no block came within `timeout` seconds, or the device is gone.
        """
        ...

    def write(self, block: Audio) -> None:
        """Append the next output block, shape (block_frames, channels)."""
        ...

    def mute(self, *, muted: bool) -> None:
        """Silence the output within one block, what is written already included; or end that."""
        ...

    def alive(self, now: float) -> bool:
        """True while callbacks come (the last one at most `HEARTBEAT_SECONDS` ago)."""
        ...

    def stop(self) -> bool:
        """Close within `stop_seconds`; False if the driver hung and was left behind."""
        ...
