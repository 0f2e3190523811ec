"""The three tiers: the code alone, a silent run of it, and the sound of its first seconds.

The first needs nothing. The others run programs in the installed Sonic Pi inside a sandbox, by a
pool of renderers; where either is missing, there is no pool, and the code alone decides.
"""

from collections.abc import Sequence
from typing import Final

from agents.code_ranking.estimate import Estimate, FloatArray, TierName
from agents.code_ranking.prediction import FORESEEN_SECONDS, Foreseen, SoundPredictor
from corpus.sonic_pi.events import Event, ProgramError
from corpus.sonic_pi.fork_server import ProgramLimits
from corpus.sonic_pi.pool import RendererPool
from corpus.sonic_pi.renderer import EventList, RendererConfig
from corpus.sonic_pi.synthesis import SynthesisLimits

__all__ = ["HEARD_SECONDS", "EventsTier", "HeardTier", "StaticTier", "hurried"]

HEARD_SECONDS: Final = 4.0
"""Enough to rank by: the order of distances agrees at 0.98 with that of ten seconds."""
_SILENT_BELOW: Final = 1e-3
_MOST_FAULTS: Final = 5
_UNFINISHED: Final = ("limit", "ended")


class StaticTier:
    """From the code alone, in milliseconds; runs nothing.

    Args:
        predictor: from code to points.
    """

    name: TierName = "static"

    def __init__(self, predictor: SoundPredictor) -> None:
        self.key = predictor.key
        self._predictor = predictor

    def estimate(self, code: str) -> Estimate:
        """Where the sound of a program should lie."""
        return self.estimate_all([code])[0]

    def estimate_all(self, codes: Sequence[str]) -> list[Estimate]:
        """The same for several programs, quicker than one by one."""
        return [self._estimate(foreseen) for foreseen in self._predictor.foresee_all(codes)]

    def _estimate(self, foreseen: Foreseen) -> Estimate:
        coverage = foreseen.coverage
        faults = [_one_line(error) for error in foreseen.errors]
        faults += [f"not understood: {what}" for what, _ in coverage.missed]
        if coverage.uses_chance and not coverage.chance_is_known:
            faults.append("random choices differ from Sonic Pi's, whose stream is not installed")
        return Estimate(
            tier="static",
            point=foreseen.point,
            coverage=coverage.share,
            is_trusted=coverage.is_trusted,
            is_silent=foreseen.n_events == 0,
            is_broken=any(error.kind == "syntax" for error in foreseen.errors),
            faults=tuple(faults[:_MOST_FAULTS]),
        )


class EventsTier:
    """From the exact events of a silent run.

    Args:
        predictor: from events to points.
        pool: runs programs.
    """

    name: TierName = "events"

    def __init__(self, predictor: SoundPredictor, pool: RendererPool) -> None:
        self.key = predictor.key
        self._predictor, self._pool = predictor, pool

    def estimate(self, code: str) -> Estimate | None:
        """Where the sound of what a program plays should lie; None if it did not end in time."""
        played = next(self._pool.events((code,), FORESEEN_SECONDS))
        if not played.events and _is_unfinished(played.errors):
            return None
        point = self._predictor.point_of_events(played.events)
        return _ran("events", point, played, is_silent=not any(map(_sounds, played.events)))


class HeardTier:
    """From the sound of the first seconds; of ten if these are silent and something comes later.

    Args:
        predictor: from sound to points.
        pool: renders programs.
        seconds: how much is heard, in (0, 10].

    Raises:
        ValueError: if `seconds` is out of range.
    """

    name: TierName = "heard"

    def __init__(
        self, predictor: SoundPredictor, pool: RendererPool, seconds: float = HEARD_SECONDS
    ) -> None:
        if not 0 < seconds <= FORESEEN_SECONDS:
            raise ValueError(f"seconds must be in (0, {FORESEEN_SECONDS:g}], got {seconds}")
        self.key = f"{predictor.key} {seconds:g}"
        self._predictor, self._pool, self._seconds = predictor, pool, seconds

    def estimate(self, code: str) -> Estimate | None:
        """Where the sound of a program lies; None if it could not be rendered in time."""
        rendering = next(self._pool.render((code,), self._seconds))
        if rendering.peak < _SILENT_BELOW and self._seconds < FORESEEN_SECONDS:
            rendering = next(self._pool.render((code,), FORESEEN_SECONDS))
        is_silent = rendering.peak < _SILENT_BELOW
        if is_silent and any(e.kind in (*_UNFINISHED, "sound") for e in rendering.errors):
            return None
        point = self._predictor.point_of_sound(rendering.audio, rendering.sample_rate)
        return _ran("heard", point, rendering, is_silent=is_silent)


def hurried(seconds: float) -> RendererConfig:
    """A renderer that gives no program more than about so many seconds of real time, > 0."""
    whole = max(1, round(seconds))
    return RendererConfig(
        program=ProgramLimits(cpu_seconds=whole, wall_seconds=seconds),
        synthesis=SynthesisLimits(cpu_seconds=whole, wall_seconds=seconds),
    )


def _is_unfinished(errors: tuple[ProgramError, ...]) -> bool:
    return any(error.kind in _UNFINISHED for error in errors)


def _sounds(event: Event) -> bool:
    return event.kind in ("synth", "sample")


def _ran(tier: TierName, point: FloatArray, played: EventList, *, is_silent: bool) -> Estimate:
    return Estimate(
        tier=tier,
        point=point,
        coverage=1.0,
        is_trusted=not _is_unfinished(played.errors),
        is_silent=is_silent,
        is_broken=any(error.kind in ("syntax", "encoding") for error in played.errors),
        faults=tuple(map(_one_line, played.errors[:_MOST_FAULTS])),
    )


def _one_line(error: ProgramError) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else error.kind
