"""A real sound card through PortAudio: one duplex stream, or a loudspeaker for a replayed guide.

PortAudio is imported when a card is opened, never before. Its callback only moves blocks through
`Duplex`. After the death of an audio server PortAudio may hang for ever in stop and close (on JACK
it does, and never says that the stream has ended): so closing happens on a daemon thread with a
deadline, death is noticed by the heartbeat, and a process whose card hung should be replaced.
"""

import atexit
import threading
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from actors.devices.audio import AudioDeviceConfig, DeviceError, PacingClock
from actors.devices.duplex import Duplex
from actors.devices.replay import Guide
from agents.messages import Audio


@dataclass(frozen=True)
class CardDescription:
    """One device of the system as PortAudio sees it.

    Args:
        index: number by which it can be chosen.
        name: name by which it can be chosen (a unique part is enough).
        host_api: the system's interface behind it.
        inputs: input channels, ≥ 0.
        outputs: output channels, ≥ 0.
        sample_rate: its default rate, Hz.
    """

    index: int
    name: str
    host_api: str
    inputs: int
    outputs: int
    sample_rate: float


def _portaudio() -> ModuleType:
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        raise DeviceError(
            f"live audio needs PortAudio and its Python module, got: {error}; install "
            "libportaudio2 and sounddevice, or replay a file with --replay"
        ) from error
    module: ModuleType = sounddevice
    return module


def list_devices() -> list[CardDescription]:
    """The devices that can be named as input or output.

    Raises:
        DeviceError: PortAudio is missing.
    """
    sounddevice = _portaudio()
    host_apis = [api["name"] for api in sounddevice.query_hostapis()]
    return [
        CardDescription(
            index=int(card["index"]),
            name=str(card["name"]),
            host_api=str(host_apis[card["hostapi"]]),
            inputs=int(card["max_input_channels"]),
            outputs=int(card["max_output_channels"]),
            sample_rate=float(card["default_samplerate"]),
        )
        for card in sounddevice.query_devices()
    ]


def choose(name: str, kind: str, n_channels: int) -> tuple[int | None, int]:
    """The PortAudio index (None: default) and channel count for a configured name.

    Args:
        name: index, name or part of it; empty for the default.
        kind: "input" or "output".
        n_channels: channels wanted; a mono input will do for any number.

    Raises:
        DeviceError: no such device, or too few channels.
    """
    sounddevice = _portaudio()
    index: int | str | None = int(name) if name.isdigit() else name or None
    try:
        card = sounddevice.query_devices(index, kind)
    except (ValueError, sounddevice.PortAudioError) as error:
        raise DeviceError(
            f"the {kind} must be an audio device of this machine, got {name or 'the default'!r} "
            f"({str(error).splitlines()[0]}); choose one from --list-devices"
        ) from error
    available = int(card[f"max_{kind}_channels"])
    if kind == "input" and 1 <= available < n_channels:
        available = 1
    elif available < n_channels:
        raise DeviceError(
            f"the {kind} must have {n_channels} channels, {card['name']!r} has {available}; "
            "choose another device or set audio.channels"
        )
    return (None if index is None else int(card["index"])), min(available, n_channels)


class SoundCard:
    """A PortAudio stream behind the interface of `AudioDevice`.

    Args:
        config: rate, block size, channels, devices.
        clock: stamps callbacks.
        guide: listened to instead of the input; only the output is opened then.
        seconds: length of the guide; None is its own.

    Raises:
        DeviceError: PortAudio or a device is missing, or lacks channels.
        ValueError: an unusable guide.
    """

    def __init__(
        self,
        config: AudioDeviceConfig,
        clock: PacingClock,
        *,
        guide: Audio | None = None,
        seconds: float | None = None,
    ) -> None:
        self.config = config
        self._clock = clock
        self._portaudio = _portaudio()
        self._guide = None if guide is None else Guide(guide, config, seconds)
        self._duplex = Duplex(config)
        self._captured = np.zeros((config.block_frames, config.channels), dtype=np.float32)
        self._discarded = np.zeros_like(self._captured)
        self._number = 0
        self._input = choose(config.input, "input", config.channels) if guide is None else None
        if config.output is None:
            self._output = None
        else:
            self._output = choose(config.output, "output", config.channels)
        if self._input is None and self._output is None:
            raise DeviceError(
                "a sound card must have an input or an output, got neither; replay without a card"
            )
        self._stream: Any = None

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
        """Monotonic seconds at which the block last read had been captured."""
        return self._duplex.block_time

    def start(self) -> None:
        """Open the stream and begin.

        Raises:
            DeviceError: the device refuses the rate, the block size, or to start at all.
        """
        config = self.config
        common = {
            "samplerate": config.sample_rate,
            "blocksize": config.block_frames,
            "dtype": "float32",
            "latency": "low",
        }
        try:
            if self._input is None:
                index, channels = self._output or (None, 0)
                self._stream = self._portaudio.OutputStream(
                    device=index, channels=channels, callback=self._on_output, **common
                )
            elif self._output is None:
                index, channels = self._input
                self._stream = self._portaudio.InputStream(
                    device=index, channels=channels, callback=self._on_input, **common
                )
            else:
                (index_in, channels_in), (index_out, channels_out) = self._input, self._output
                self._stream = self._portaudio.Stream(
                    device=(index_in, index_out),
                    channels=(channels_in, channels_out),
                    callback=self._on_duplex,
                    **common,
                )
            self._stream.start()
        except (self._portaudio.PortAudioError, ValueError) as error:
            raise DeviceError(
                f"the sound card must run at {config.sample_rate} Hz in blocks of "
                f"{config.block_frames}, got: {str(error).splitlines()[0]}; set audio.sample_rate "
                "to the card's rate or choose another device from --list-devices"
            ) from error

    def _on_duplex(
        self,
        captured: Audio,
        playing: Audio,
        frames: int,  # noqa: ARG002 - fixed by blocksize
        time: object,  # noqa: ARG002 - PortAudio's signature
        status: object,  # noqa: ARG002 - PortAudio's signature
    ) -> None:
        """PortAudio's thread: no lock, no waiting, no allocation of ours."""
        self._captured[:] = captured  # spreads a mono input over all channels
        self._duplex.exchange(self._captured, playing, self._clock.now())

    def _on_output(self, playing: Audio, frames: int, time: object, status: object) -> None:
        guide = self._guide
        if guide is None or self._number >= guide.n_blocks:
            playing.fill(0.0)
            self._duplex.finish()
            return
        guide.block_into(self._number, self._captured)
        self._number += 1
        self._on_duplex(self._captured, playing, frames, time, status)

    def _on_input(self, captured: Audio, frames: int, time: object, status: object) -> None:
        self._on_duplex(captured, self._discarded, frames, time, status)

    def read(self, timeout: float) -> Audio | None:
        """The next block captured; None at the end of a guide.

        Raises:
            DeviceError: no block came within `timeout` seconds: the card or its server is gone.
        """
        return self._duplex.read(timeout)

    def write(self, block: Audio) -> None:
        """Append the next output block.

        Raises:
            ValueError: another shape than (block_frames, channels).
            DeviceError: the card takes nothing any more.
        """
        self._duplex.write(block)

    def mute(self, *, muted: bool) -> None:
        """Silence the output within one block, or end that."""
        self._duplex.mute(muted=muted)

    def alive(self, now: float) -> bool:
        """True while callbacks come."""
        return self._duplex.alive(now)

    def stop(self) -> bool:
        """Close within `stop_seconds`; False if PortAudio hung: this process cannot use it again.

        After a hang PortAudio is not asked to clean up when the process ends either.
        """
        if self._stream is None:
            return True
        closing = threading.Thread(target=self._close, name="sound-card-closing", daemon=True)
        closing.start()
        closing.join(self.config.stop_seconds)
        if closing.is_alive():
            atexit.unregister(self._portaudio._exit_handler)
            return False
        self._stream = None
        return True

    def _close(self) -> None:
        self._stream.abort(ignore_errors=True)
        self._stream.close(ignore_errors=True)
