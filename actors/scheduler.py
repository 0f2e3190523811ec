"""The scheduler: the sample clock becomes ticks, and answers become lateness.

The device's sample counter is the master; the wall enters only as the moment at which a sample
was seen, so that lateness is data. Late policy: an answer for a window that is still sounding is
laid in late; one for a window that is over is dropped and counted.
"""

from dataclasses import dataclass

from agents.messages import Tick
from agents.musical_time import TempoMap
from corpus.segmentation import WindowGrid


@dataclass(frozen=True)
class Due:
    """A tick with the sample it belongs to and the moment it was really seen."""

    tick: Tick
    sample: int
    seen_at: float


class Scheduler:
    """Turns the advance of a sample clock into one tick a window, none skipped, none doubled.

    Args:
        grid: the window grid of the stage.
        tempo: beats per minute and per bar.
        deadline_share: the share of a window within which its answer is due, in (0, 1].
    """

    def __init__(self, grid: WindowGrid, tempo: TempoMap, *, deadline_share: float = 0.25) -> None:
        if not 0 < deadline_share <= 1:
            raise ValueError(f"deadline_share must be in (0, 1], got {deadline_share}")
        self.grid = grid
        self.tempo = tempo
        self.deadline_seconds = float(grid.window_seconds) * deadline_share
        self._next = 0
        self._started_at: dict[int, float] = {}

    @property
    def window(self) -> int:
        """The window that sounds now; -1 before the first."""
        return self._next - 1

    def advance(self, sample: int, now: float) -> list[Due]:
        """The windows that have started when the clock stands at `sample`, oldest first.

        Args:
            sample: samples that the clock has counted; never goes back.
            now: the moment at which it was read.
        """
        due = []
        while (start := self.grid.boundary(self._next)) <= sample:
            seconds = start / self.grid.sample_rate
            moment = self.tempo.moment(self._next, seconds)
            due.append(Due(Tick(self._next, moment, self.deadline_seconds), start, now))
            self._started_at[self._next] = now
            self._started_at.pop(self._next - 64, None)  # lateness is asked of recent windows only
            self._next += 1
        return due

    def reaction(self, window: int, received_at: float) -> float | None:
        """Seconds from the start of `window` to `received_at`; None if it has not started."""
        started = self._started_at.get(window)
        return None if started is None else received_at - started
