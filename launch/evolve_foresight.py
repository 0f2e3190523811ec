"""What the surrogate sees of a program before it is rendered: the views of code ranking.

Its static sketch, in milliseconds, or the exact events of a silent run in the sandbox; either way
through the alignment of code and sound that comes with the project, or one of your own.
"""

from contextlib import ExitStack, closing

import numpy as np
from numpy.typing import NDArray

from agents.code_ranking.prediction import STORED, SoundPredictor
from corpus.sonic_pi.pool import RendererPool
from launch.evolve_settings import ForesightSettings

__all__ = ["CodeForesight"]

FloatArray = NDArray[np.float32]


class CodeForesight:
    """Code to the point where its sound should lie.

    Args:
        settings: which view, through which alignment.
        seconds: of a program, as long as its clip will be.

    Raises:
        ValueError, OSError: the alignment cannot be used.
        SonicPiMissingError, SandboxMissingError: view events, as `Renderer`.
    """

    def __init__(self, settings: ForesightSettings, seconds: float) -> None:
        self.settings, self.seconds = settings, seconds
        self._predictor = SoundPredictor.load(settings.alignment or STORED, seconds)
        self._opened = ExitStack()
        self._pool: RendererPool | None = None
        if settings.view == "events":
            self._pool = self._opened.enter_context(closing(RendererPool(1)))

    def __call__(self, code: str) -> FloatArray | None:
        """Where its sound should lie, (dim,); None if it will not play."""
        if self._pool is None:
            foreseen = self._predictor.foresee(code)
            return foreseen.point if foreseen.n_events else None
        events = next(self._pool.events((code,), self.seconds)).events
        if not any(event.kind in ("synth", "sample") for event in events):
            return None
        return self._predictor.point_of_events(events)

    def close(self) -> None:
        """End the sandbox."""
        self._opened.close()
