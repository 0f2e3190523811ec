"""The throttle: how many may work in the background, seen from how fast the stage answers.

Evolution is the first to give way (DESIGN, 6). The stage's own pace is learned while nobody works;
when its answers grow slower than that by a ratio, or a window is missed, half of the workers stop,
then the next half; after a while of calm one more may try.
"""

from collections import deque

from pydantic import BaseModel, Field

from agents.messages import Played


class ThrottleConfig(BaseModel, frozen=True, extra="forbid"):
    """When evolution gives way."""

    learn_windows: int = Field(
        default=40, ge=4, description="Answers without workers that show the stage's own pace."
    )
    look_windows: int = Field(default=20, ge=4, description="Answers that are looked at.")
    quantile: float = Field(default=0.9, gt=0, lt=1, description="Of the answers' times.")
    most_ratio: float = Field(default=1.3, gt=1, description="To the stage's own pace.")
    least_seconds: float = Field(
        default=0.004, ge=0, description="A growth of less than this is no reason to give way."
    )
    hold_windows: int = Field(
        default=40, ge=1, description="Calm windows before one more may work; doubled each time."
    )
    most_hold_windows: int = Field(default=640, ge=1, description="So long at most.")


class Throttle:
    """Told each window played; says how many may work.

    Args:
        n_workers: there are, ≥ 1.
        config: when to give way.
    """

    def __init__(self, n_workers: int, config: ThrottleConfig | None = None) -> None:
        self.config = config or ThrottleConfig()
        self._n_workers = n_workers
        self._own: deque[float] = deque(maxlen=4 * self.config.learn_windows)
        self._recent: deque[float] = deque(maxlen=self.config.look_windows)
        self._hold, self._calm = self.config.hold_windows, 0
        self.allowed = 0
        self.n_throttled = 0

    @property
    def knows_the_stage(self) -> bool:
        """Whether the stage's own pace has been seen."""
        return len(self._own) >= self.config.learn_windows

    def hear(self, played: Played, n_busy: int) -> bool:
        """Take in a window; whether `allowed` has changed.

        Args:
            played: the account of the window.
            n_busy: how many worked in it.
        """
        before = self.allowed
        if played.reason == "start":
            return False
        if played.reaction_seconds is not None:
            (self._own if not n_busy else self._recent).append(played.reaction_seconds)
        if not self.knows_the_stage:
            return False
        missed = played.reason == "missed" or played.underruns > 0
        if n_busy and (missed or self._has_grown()):
            self._give_way(all_of_it=played.reason == "missed")
        else:
            self._calm += 1
            if self._calm >= self._hold or (before == 0 and self.n_throttled == 0):
                self._calm = 0
                self.allowed = min(self.allowed + 1, self._n_workers)
        return self.allowed != before

    def _give_way(self, *, all_of_it: bool) -> None:
        if self.allowed == 0:
            return  # those who work now end with what they do
        self.allowed = 0 if all_of_it else self.allowed // 2
        self.n_throttled += 1
        self._hold = min(2 * self._hold, self.config.most_hold_windows)
        self._calm = 0
        self._recent.clear()

    def _has_grown(self) -> bool:
        if len(self._recent) < self.config.look_windows:
            return False
        own, now = self._at(self._own), self._at(self._recent)
        return now > own * self.config.most_ratio and now > own + self.config.least_seconds

    def _at(self, seconds: deque[float]) -> float:
        return sorted(seconds)[min(int(self.config.quantile * len(seconds)), len(seconds) - 1)]
