"""What stands in the audio process: device, engine, recorder, listener, put together."""

import threading
from collections import deque
from collections.abc import Callable

from actors.audio_engine import AudioEngine
from actors.audio_host import HEARS, AudioHost, Listener
from actors.clock import Clock, SystemClock
from actors.devices.audio import AudioDevice
from actors.devices.opening import open_device
from actors.devices.recorder import Recorder, RecorderConfig
from actors.stage_config import BandConfig, StageConfig
from actors.streams.streams import Streams
from corpus.audio_file import read_audio


class AudioPlayer:
    """An audio host with its listener; closes both at the end.

    Args:
        host: plays.
        listener: started.
        streams: the host's.
    """

    def __init__(self, host: AudioHost, listener: Listener, streams: Streams) -> None:
        self._host = host
        self._listener = listener
        self._streams = streams

    def run(self, stop: threading.Event) -> None:
        """Play until the device ends or `stop` is set."""
        try:
            self._host.run(stop)
        finally:
            self._listener.close()
            self._streams.close()


def prepare_audio(
    config: BandConfig, connect: Callable[[BandConfig, str, tuple[str, ...]], Streams]
) -> AudioPlayer:
    """Everything opened and connected, nothing started.

    Raises:
        DeviceError: the device cannot be opened.
        ValueError: the guide cannot be used.
        TimeoutError: the broker does not answer.
    """
    streams = connect(config, "audio", ())
    device = open_stage_device(config, SystemClock())
    listener = Listener(lambda: connect(config, "audio.listener", HEARS))
    listener.start()
    alarms: deque[str] = deque()
    recorder = build_recorder(config, alarms)
    host = AudioHost(
        build_engine(config),
        device,
        recorder,
        streams,
        listener.take,
        n_windows=config.n_windows,
        alarms=alarms,
    )
    return AudioPlayer(host, listener, streams)


def build_engine(config: StageConfig) -> AudioEngine:
    """The engine of the stage's grid, tempo and device."""
    return AudioEngine(config.grid, config.tempo_map, config.audio, config.engine)


def build_recorder(config: BandConfig, alarms: deque[str]) -> Recorder:
    """A started recorder into the run's folder.

    At fast pace it waits for the disk, at real pace it never does.

    Args:
        config: the run.
        alarms: where it leaves its alarms, one sentence each, from whatever thread.
    """
    recorder = Recorder(
        config.out,
        config.audio,
        alarms.append,
        limiter=config.engine.limiter,
        config=RecorderConfig(lossless=config.pace == "fast"),
    )
    recorder.start()
    return recorder


def open_stage_device(config: StageConfig, clock: Clock) -> AudioDevice:
    """The device that the stage asks for, opened, not started.

    Raises:
        DeviceError: it cannot be opened.
        AudioFileError: the guide cannot be used.
    """
    guide = None
    if config.replay is not None:
        guide = read_audio(config.replay, config.audio.sample_rate, config.n_channels)
    return open_device(config.audio, clock, guide=guide, pace=config.pace, seconds=config.seconds)
