"""The audio process without its process: input blocks in, output blocks and messages out.

No thread, socket, clock or device: whoever drives it reads a block, hands it over with its time,
writes the block that comes back and publishes the messages. The output runs ahead of the input by
the device's lead, so that what a listener hears lies on the same grid as what was captured:
after input block n has been taken, output block n + lead is given.

    for block in engine.prime():
        device.write(block)
    device.start()
    while (block := device.read(timeout)) is not None:
        for fragment in arrived():
            engine.accept(fragment, clock.now())
        device.write(engine.process(block, device.block_time, device.underruns))
        publish(engine.messages())
"""

from collections.abc import Iterator
from math import isfinite

import numpy as np
from pydantic import BaseModel, Field

from actors.answer_book import AnswerBook
from actors.devices.audio import AudioDeviceConfig
from actors.scheduler import Due, Scheduler
from agents.action.concatenation import Concatenator, ConcatenatorConfig, Outcome
from agents.action.limiter import Limiter, LimiterConfig
from agents.messages import Audio, AudioIn, AudioOut, Fragment, Message, Metric
from agents.musical_time import TempoMap
from corpus.segmentation import WindowGrid

IN_TIME = (Outcome.SCHEDULED, Outcome.JOINED, Outcome.CONFIRMED)


class AudioEngineConfig(BaseModel, frozen=True, extra="forbid"):
    """What stands between the fragments and the loudspeaker."""

    concatenator: ConcatenatorConfig = ConcatenatorConfig()
    limiter: LimiterConfig = LimiterConfig()
    deadline_share: float = Field(default=0.25, gt=0, le=1)  # of Δ: when answers are due
    publish_output: bool = False  # also send AudioOut, the sound of every window played


class AudioEngine:
    """Cuts the input into windows, renders the answers on the grid, and accounts for each window.

    Args:
        grid: the windows, at the device's rate.
        tempo: beats on the sample clock.
        device: block size, channels, lead.
        config: joins, limiter, deadline.

    Raises:
        ValueError: grid and device differ in sample rate, or the lead is over half a window.
    """

    def __init__(
        self,
        grid: WindowGrid,
        tempo: TempoMap,
        device: AudioDeviceConfig,
        config: AudioEngineConfig | None = None,
    ) -> None:
        if grid.sample_rate != device.sample_rate:
            raise ValueError(
                f"grid and device must have one sample rate, got {grid.sample_rate} and "
                f"{device.sample_rate} Hz"
            )
        lead_samples = device.lead_blocks * device.block_frames
        if lead_samples > grid.boundary(1) // 2:
            raise ValueError(
                f"the output's lead must be at most half a window, got {lead_samples} samples for "
                f"a window of {grid.boundary(1)}; lower lead_blocks or block_frames"
            )
        self.config = config or AudioEngineConfig()
        self.concatenator = Concatenator(grid, device.channels, self.config.concatenator)
        self.limiter = Limiter(grid.sample_rate, device.channels, self.config.limiter)
        self.input_sanitised = 0
        self.grid = grid
        self._scheduler = Scheduler(grid, tempo, deadline_share=self.config.deadline_share)
        self._device = device
        self._book = AnswerBook()
        self._heard = WindowCutter(grid, device.channels)
        self._played = WindowCutter(grid, device.channels)
        self._outbox: list[Message] = []
        self._underruns = 0
        # the limiter's look-ahead is rendered in advance, so that its output stays on the grid
        self.limiter.process(self.concatenator.render(0, self.limiter.latency_samples))

    def prime(self) -> list[Audio]:
        """The first `lead_blocks` output blocks, to be written before the device starts."""
        return [self._render() for _ in range(self._device.lead_blocks)]

    def accept(self, fragment: Fragment, received: float) -> Outcome:
        """Take an answer that arrived at `received` (monotonic seconds, as in `process`)."""
        outcome = self.concatenator.schedule(fragment)
        if outcome in IN_TIME:
            self._book.answer(fragment, received)
        return outcome

    def process(self, block: Audio, now: float, underruns: int = 0) -> Audio:
        """Take the next input block; give the output block that lies `lead_blocks` after it.

        Does not block.

        Args:
            block: (block_frames, channels); NaN and infinities become silence, counted.
            now: monotonic seconds at which the block's last sample was captured.
            underruns: the device's count so far.

        Raises:
            ValueError: another shape than (block_frames, channels).
        """
        shape = (self._device.block_frames, self._device.channels)
        if block.shape != shape:
            raise ValueError(f"an input block must have shape {shape}, got {block.shape}")
        heard = list(self._heard.feed(self._sanitise(block)))
        dues = self._scheduler.advance(self._heard.position, now)
        for (window, samples), due in zip(heard, dues, strict=True):
            self._close(window, samples, due, underruns)
        return self._render()

    def messages(self) -> list[Message]:
        """What is to be published since the last call, in order; they are handed out once."""
        outbox, self._outbox = self._outbox, []
        return outbox

    def panic(self) -> None:
        """Silence everything that is rendered from now on, within one block; until `resume`.

        What is on its way to the loudspeaker already is the device's to `mute`.
        """
        self.concatenator.panic()

    def resume(self) -> None:
        """Sound again after `panic`."""
        self.concatenator.resume()

    def _sanitise(self, block: Audio) -> Audio:
        with np.errstate(over="ignore", invalid="ignore"):
            total = float(block.sum())  # one pass; a sum that overflows only costs another
        if isfinite(total):
            return block
        finite = np.isfinite(block)
        self.input_sanitised += int(block.size - np.count_nonzero(finite))
        return np.where(finite, block, np.float32(0.0))

    def _render(self) -> Audio:
        start, n = self.concatenator.position, self._device.block_frames
        out = self.limiter.process(self.concatenator.render(start, n))
        if self.config.publish_output:
            for window, samples in self._played.feed(out):
                self._outbox.append(AudioOut(window, samples))
        return out

    def _close(self, window: int, samples: Audio, due: Due, underruns: int) -> None:
        """`window` has been heard and played; the next one starts."""
        standing = self.concatenator.sounded(due.tick.window)
        self._book.reach(due.tick.window, due.started, standing.segment if standing else None)
        sounded = self.concatenator.sounded(window)
        levels = self.limiter.take_levels()
        self._outbox += [
            AudioIn(window, samples),
            due.tick,
            self._book.close(window, sounded, underruns - self._underruns),
            Metric(window, "audio.peak", levels.peak),
            Metric(window, "audio.limiter_db", levels.reduction_db),
        ]
        self._underruns = underruns


class WindowCutter:
    """Cuts a stream of blocks into the windows of a grid, sample by sample exact.

    Args:
        grid: the windows.
        channels: channels of the stream.
    """

    def __init__(self, grid: WindowGrid, channels: int) -> None:
        self.position = 0
        self.grid = grid
        self._window = 0
        self._filled = 0
        self._samples: Audio = np.zeros((grid.longest_window_samples, channels), dtype=np.float32)

    def feed(self, block: Audio) -> Iterator[tuple[int, Audio]]:
        """Take `block` (frames, channels); give each window that it completes, as a copy.

        Must be run to its end. While it runs, `position` is already the end of the block.
        """
        self.position += len(block)
        done = 0
        while done < len(block):
            begin, end = self.grid.boundary(self._window), self.grid.boundary(self._window + 1)
            n = min(end - begin - self._filled, len(block) - done)
            self._samples[self._filled : self._filled + n] = block[done : done + n]
            self._filled += n
            done += n
            if self._filled == end - begin:
                window, self._window = self._window, self._window + 1
                self._filled = 0
                yield window, self._samples[: end - begin].copy()
