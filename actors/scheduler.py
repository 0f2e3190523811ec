"""The scheduler: the advance of a sample clock becomes ticks on the window grid.

The device's sample counter is the master; the wall enters only as the moment at which a sample
was seen, so that lateness is data. Late policy: an answer for a window that is still sounding is
laid in late (`Concatenator.schedule`); one for a window that is over is dropped and counted.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from agents.messages import Tick
from agents.musical_time import TempoMap
from corpus.segmentation import WindowGrid


@dataclass(frozen=True)
class Due:
    """A tick, and the moment at which its window started by the wall.

    Args:
        tick: what to tell the band.
        started: monotonic seconds of T_k: when it was seen, less the samples that came after it.
    """

    tick: Tick
    started: float


class Scheduler:
    """Gives one tick per window, none skipped, none doubled, however the clock steps.

    Window 0 starts with the device, before anything was heard, and has no tick.

    Args:
        grid: the window grid of the stage.
        tempo: beats per minute and per bar.
        deadline_share: the share of a window within which its answer is due, in (0, 1].

    Raises:
        ValueError: a share out of range.
    """

    def __init__(self, grid: WindowGrid, tempo: TempoMap, *, deadline_share: float = 0.25) -> None:
        if not 0 < deadline_share <= 1:
            raise ValueError(f"deadline_share must be in (0, 1], got {deadline_share}")
        self._grid = grid
        self._tempo = tempo
        self._deadline_seconds = float(grid.window_seconds) * deadline_share
        self._next = 1

    def advance(self, sample: int, now: float) -> Iterator[Due]:
        """The windows that have started when the clock stands at `sample`, oldest first.

        Args:
            sample: samples that the clock has counted; never goes back.
            now: monotonic seconds at which the last of them was captured.
        """
        while (start := self._grid.boundary(self._next)) <= sample:
            window, self._next = self._next, self._next + 1
            moment = self._tempo.moment(window, float(window * self._grid.window_seconds))
            lag = (sample - start) / self._grid.sample_rate
            yield Due(Tick(window, moment, self._deadline_seconds), now - lag)
