"""A run on disk while it plays: input.wav, accompaniment.wav and mix.wav, all of one length.

Blocks go through a bounded queue to a thread that writes; the header is made right at every flush,
so a crashed run is readable up to its last window. A disk that is full or read-only raises an
alarm and ends the recording; the music goes on.
"""

import queue
import threading
import wave
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
from pydantic import BaseModel, Field

from actors.devices.audio import AudioDeviceConfig
from agents.action.limiter import Limiter, LimiterConfig
from agents.messages import Audio

LONGEST_FILE_BYTES = 2**32 - 2**16
"""A WAV file counts its bytes in 32 bits."""


class RecorderConfig(BaseModel, frozen=True, extra="forbid"):
    """How a run is recorded."""

    flush_seconds: float = Field(default=0.25, gt=0, le=60)  # at most this much is lost, seconds
    queue_seconds: float = Field(default=10.0, ge=0.1, le=600)  # bound of the queue, seconds
    lossless: bool = False  # wait for the disk when the queue is full (fast pace) or drop blocks


class WavFile:
    """A 16-bit PCM file that is whole after every `write`.

    Args:
        path: the file, overwritten.
        channels: channels of the blocks.
        sample_rate: Hz.

    Raises:
        OSError: it cannot be created.
    """

    def __init__(self, path: Path, channels: int, sample_rate: int) -> None:
        self._file: BinaryIO = path.open("wb")
        self._wave = wave.Wave_write(self._file)
        self._wave.setnchannels(channels)
        self._wave.setsampwidth(2)
        self._wave.setframerate(sample_rate)
        self._path = path

    def write(self, samples: Audio) -> None:
        """Append `samples` (frames, channels), full scale ±1.

        Raises:
            OSError: the disk does not take them, or the file would pass 4 GB.
        """
        pcm = np.rint(np.clip(samples, -1.0, 1.0) * 32_767.0).astype("<i2").tobytes()
        if self._file.tell() + len(pcm) > LONGEST_FILE_BYTES:
            raise OSError(f"a WAV file must stay below 4 GB, {self._path.name} is full")
        self._wave.writeframes(pcm)
        self._file.flush()

    def close(self) -> None:
        """Close the file.

        Raises:
            OSError: the disk does not take the rest.
        """
        try:
            self._wave.close()
        finally:
            self._file.close()


class Recorder:
    """Records what comes in, what goes out, and both together through the same limiter.

    Args:
        folder: where the files go; made if missing.
        device: rate, channels and block size.
        alarm: told once, in one sentence, when recording has stopped or lost something; called on
            the recorder's thread or, from `start`, on the caller's.
        limiter: the ceiling of the mix.
        config: flush, queue.
    """

    def __init__(
        self,
        folder: Path,
        device: AudioDeviceConfig,
        alarm: Callable[[str], None],
        *,
        limiter: LimiterConfig | None = None,
        config: RecorderConfig | None = None,
    ) -> None:
        self.config = config or RecorderConfig()
        self.dropped = 0
        self.failed = False
        self._folder = folder
        self._device = device
        self._alarm = alarm
        self._limiter = Limiter(device.sample_rate, device.channels, limiter)
        n_blocks = max(round(self.config.queue_seconds / device.block_seconds), 8)
        self._queue: queue.Queue[tuple[bool, int, Audio] | None] = queue.Queue(n_blocks)
        self._n_inputs = 0
        self._n_outputs = 0
        self._files: list[WavFile] = []
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Create the files and begin; a folder that cannot be written raises the alarm."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for name in ("input.wav", "accompaniment.wav", "mix.wav"):
                path = self._folder / name
                self._files.append(WavFile(path, self._device.channels, self._device.sample_rate))
        except OSError as error:
            self._fail(error)
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def record_input(self, block: Audio) -> None:
        """Take the next input block; it must not be changed afterwards."""
        self._put(True, self._n_inputs, block)
        self._n_inputs += 1

    def record_output(self, block: Audio) -> None:
        """Take the next output block, those written ahead of the first input included."""
        self._put(False, self._n_outputs, block)
        self._n_outputs += 1

    def _put(self, is_input: bool, number: int, block: Audio) -> None:
        if self.failed or self._thread is None:
            return
        try:
            self._queue.put((is_input, number, block), block=self.config.lossless)
        except queue.Full:
            self.dropped += 1
            if self.dropped == 1:
                self._alarm("the disk is too slow: parts of the recording are lost, music goes on")

    def close(self, seconds: float = 10.0) -> bool:
        """Write what is left and close the files; False if that takes longer than `seconds`."""
        if self._thread is None:
            return True
        try:
            self._queue.put(None, timeout=seconds)
        except queue.Full:
            return False
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        """The recorder's thread: pair blocks by number, write them in pieces."""
        pairs = _Pairs(self._device.block_frames, self._device.channels)
        flush_frames = round(self.config.flush_seconds * self._device.sample_rate)
        skip = self._limiter.latency_samples
        while (item := self._queue.get()) is not None:
            if self.failed:
                continue
            pairs.add(*item)
            if pairs.n_frames >= flush_frames:
                skip = self._write(*pairs.take(), skip)
        if not self.failed:
            heard, played = pairs.take()
            self._write(heard, played, skip, last=True)
        self._close_files()

    def _write(self, heard: Audio, played: Audio, skip: int, *, last: bool = False) -> int:
        """Append one piece to the files; returns how many frames of the mix are still to skip."""
        both = heard + played
        if last:  # the mix lags by the limiter's look-ahead: push its end out
            rest = np.zeros((self._limiter.latency_samples, both.shape[1]), dtype=np.float32)
            both = np.concatenate([both, rest])
        step = self._device.block_frames  # small pieces: no long hold of the interpreter
        pieces = [self._limiter.process(both[at : at + step]) for at in range(0, len(both), step)]
        mix = np.concatenate([both[:0], *pieces])
        try:
            for file, samples in zip(self._files, (heard, played, mix[skip:]), strict=True):
                file.write(samples)
        except OSError as error:
            self._fail(error)
        return max(skip - len(mix), 0)

    def _fail(self, error: OSError) -> None:
        self.failed = True
        self._alarm(f"recording has stopped ({error}); free the disk or choose another --out")

    def _close_files(self) -> None:
        for file in self._files:
            try:
                file.close()
            except OSError as error:
                if not self.failed:
                    self._fail(error)


class _Pairs:
    """Input and output blocks put together by number; silence for what was lost."""

    def __init__(self, block_frames: int, channels: int) -> None:
        self._silence: Audio = np.zeros((block_frames, channels), dtype=np.float32)
        self._waiting: dict[int, Audio] = {}
        self._heard: list[Audio] = []
        self._played: list[Audio] = []
        self._next = 0

    @property
    def n_frames(self) -> int:
        return len(self._heard) * len(self._silence)

    def add(self, is_input: bool, number: int, block: Audio) -> None:
        if not is_input:
            if number >= self._next:
                self._waiting[number] = block
            return
        while self._next <= number:
            self._heard.append(block if self._next == number else self._silence)
            self._played.append(self._waiting.pop(self._next, self._silence))
            self._next += 1

    def take(self) -> tuple[Audio, Audio]:
        heard = np.concatenate([self._silence[:0], *self._heard])
        played = np.concatenate([self._silence[:0], *self._played])
        self._heard, self._played = [], []
        return heard, played
