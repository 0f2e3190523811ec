"""The cascade: the quick tier for all at once, the sure ones for as many as time allows.

The code alone places every candidate within milliseconds. Programs that it does not wholly
understand are run without sound; then those that would be shown are rendered for a few seconds and
heard, and what was heard replaces what was foreseen. Whenever time is over, the best ranking so far
is the answer; what was under way goes on and is kept for the next question.

>>> with open_cascade() as cascade:                                          # doctest: +SKIP
...     ranking = cascade.rank(context, candidates, keep=3, seconds=2.0)
...     [candidates[index] for index in ranking.chosen]
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

from pydantic import BaseModel, Field

from agents.code_ranking.estimate import Estimate, FloatArray, Tier, TierName
from agents.code_ranking.estimate_cache import EstimateCache, cache_key
from agents.code_ranking.prediction import FORESEEN_SECONDS, SoundPredictor, stored_predictor
from agents.code_ranking.programs import framed
from agents.code_ranking.ranking import CONTEXT, Ranking, Wish, arrange
from agents.code_ranking.tiers import HEARD_SECONDS, EventsTier, HeardTier, StaticTier, hurried
from corpus.sonic_pi.install import InstallConfig, SonicPiMissingError
from corpus.sonic_pi.pool import RendererPool
from corpus.sonic_pi.sandbox import SandboxMissingError
from models.audio_embedding import AxisWeights

__all__ = ["Cascade", "CascadeConfig", "Inquiry", "open_cascade"]

_DONE: Final[dict[TierName, str]] = {"static": "read", "events": "run", "heard": "rendered"}
_READ_AT_ONCE: Final = 16
"""Programs; they hold a few hundred kilobytes each while they are looked at."""


class CascadeConfig(BaseModel, frozen=True, extra="forbid"):
    """How far a cascade may go to find out how programs sound."""

    runs_programs: bool = Field(True, description="else the code alone decides")
    heard_seconds: float = Field(
        HEARD_SECONDS, gt=0, le=FORESEEN_SECONDS, description="of each program that is heard"
    )
    program_seconds: float = Field(
        3.0, gt=0, le=60, description="real time after which a program is given up"
    )
    n_workers: int = Field(1, ge=1, le=64, description="programs run side by side")
    cache: Path | None = Field(None, description="SQLite file of estimates; none: memory only")
    cache_size: int = Field(20_000, ge=1, description="estimates kept")
    install: InstallConfig = Field(InstallConfig(), description="where Sonic Pi is")


class Cascade:
    """Ranks programs by how they will sound; a context manager that owns what it was given.

    Not safe for several threads at once.

    Args:
        predictor: the code alone, and the audio space.
        events, heard: what runs programs; none where it cannot be had.
        cache: of estimates; none: a new one in memory.
        n_workers: programs run side by side, ≥ 1.
        notices: what every ranking has to tell, such as what is not installed.
        now: monotonic seconds.
    """

    def __init__(
        self,
        predictor: SoundPredictor,
        *,
        events: Tier | None = None,
        heard: Tier | None = None,
        cache: EstimateCache | None = None,
        n_workers: int = 1,
        notices: Sequence[str] = (),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.predictor = predictor
        self.static = StaticTier(predictor)
        self.tiers: dict[TierName, Tier] = {"static": self.static}
        for tier in (events, heard):
            if tier is not None:
                self.tiers[tier.name] = tier
        self.cache = EstimateCache() if cache is None else cache
        self.n_workers = n_workers
        self.notices = list(notices)
        self.now = now
        self.running: dict[str, Future[Estimate | None]] = {}
        self._threads = ThreadPoolExecutor(n_workers, thread_name_prefix="ranking")
        self._owned = ExitStack()
        self._owned.callback(self.cache.close)

    def __enter__(self) -> "Cascade":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def owns(self, close: Callable[[], None]) -> None:
        """Has something closed with the cascade."""
        self._owned.callback(close)

    def close(self) -> None:
        """Waits for programs under way, which takes no longer than they may, and ends all."""
        self._threads.shutdown(cancel_futures=True)
        self._owned.close()

    def rank(
        self,
        context: str,
        candidates: Sequence[str],
        keep: int = 3,
        *,
        near: FloatArray | None = None,
        trade: float = 1.0,
        weights: AxisWeights | None = None,
        seed: int = 0,
        seconds: float | None = None,
        most_heard: int | None = None,
    ) -> Ranking:
        """The best ranking that can be found in a time.

        Args:
            context: the program that is there already; may be empty.
            candidates: programs; each may be anything.
            keep: how many to choose, ≥ 1.
            near: a point to be near to (`point_of_sound`); none: the most distinct are wanted.
            trade: with `near`: 1 asks for nearness alone, less for difference as well, [0, 1].
            weights: how much each axis counts; none: all the same.
            seed: breaks ties.
            seconds: real time to answer in, ≥ 0; none: until all is found out. Every program is
                looked at by its code, which takes milliseconds, even if that takes longer.
            most_heard: candidates that are heard, ≥ 0; none: as many as time allows.

        Raises:
            ValueError: an argument out of range.
        """
        if seconds is not None and not seconds >= 0:
            raise ValueError(f"seconds must be at least 0, got {seconds}")
        wish = Wish(keep, near, trade, weights or AxisWeights(), seed)
        inquiry = self.begin(context, candidates, wish, most_heard=most_heard)
        end = float("inf") if seconds is None else self.now() + seconds
        while inquiry.step(max(0.0, end - self.now())) and (inquiry._unseen or self.now() < end):
            pass
        return inquiry.ranking()

    def begin(
        self,
        context: str,
        candidates: Sequence[str],
        wish: Wish | None = None,
        *,
        most_heard: int | None = None,
    ) -> "Inquiry":
        """A question to be answered step by step; arguments and errors as for `rank`."""
        if most_heard is not None and most_heard < 0:
            raise ValueError(f"most_heard must be at least 0, got {most_heard}")
        return Inquiry(self, context, candidates, wish or Wish(), most_heard)

    def point_of_sound(self, samples: FloatArray, sample_rate: int) -> FloatArray:
        """Where a sound lies, for `near`; as `SoundPredictor.point_of_sound`."""
        return self.predictor.point_of_sound(samples, sample_rate)

    def drop(self, tier: TierName, why: str) -> None:
        """Goes on without a tier that does not work."""
        if self.tiers.pop(tier, None) is not None:
            self.notices.append(why)

    def ask(self, tier: Tier, key: str, code: str) -> Future[Estimate | None]:
        """Has a tier look at a program in the background; its answer is kept, whoever waits."""
        known = self.running.get(key)
        if known is not None:
            return known
        future = self._threads.submit(tier.estimate, code)
        self.running[key] = future

        def keep(done: Future[Estimate | None]) -> None:
            self.running.pop(key, None)
            if done.cancelled() or done.exception() is not None:
                return
            estimate = done.result()
            if estimate is not None:
                self.cache.put(key, estimate)

        future.add_done_callback(keep)
        return future


class Inquiry:
    """One question on its way: every step finds out a little more.

    Args:
        cascade: what finds out.
        context, candidates: programs; a candidate is ranked within its context's frame.
        wish: what is asked.
        most_heard: candidates that are heard; none: all.
    """

    def __init__(
        self,
        cascade: Cascade,
        context: str,
        candidates: Sequence[str],
        wish: Wish,
        most_heard: int | None,
    ) -> None:
        self._cascade, self._wish = cascade, wish
        self._framed = [framed(context, candidate) for candidate in candidates]
        self._codes = {CONTEXT: context} | {i: own.code for i, own in enumerate(self._framed)}
        self._began = cascade.now()
        self._found: dict[int, Estimate] = {}
        self._foreseen: dict[int, FloatArray] = {}
        self._tried: set[tuple[int, TierName]] = set()
        self._under_way: dict[Future[Estimate | None], tuple[int, TierName]] = {}
        self._most_heard = most_heard
        self._unseen = sorted(range(len(candidates)), key=lambda place: -len(candidates[place]))
        if wish.near is None and context.strip():
            self._unseen.append(CONTEXT)  # looked at from the end: the shortest first
        self._ranking: Ranking | None = None

    def step(self, seconds: float = 0.0) -> bool:
        """Finds out one thing more, or waits for it for so long; False when nothing is left.

        With 0 seconds it never waits: at most one program is looked at by its code; else sixteen.
        """
        if self._unseen:
            count = min(len(self._unseen), _READ_AT_ONCE if seconds > 0 else 1)
            self._look([self._unseen.pop() for _ in range(count)])
            return True
        while len(self._under_way) < self._cascade.n_workers:
            job = self._next()
            if job is None:
                break
            self._start(*job)
        if not self._under_way:
            return False
        limit = None if seconds == float("inf") else seconds
        for future in wait(self._under_way, limit, FIRST_COMPLETED).done:
            self._take(future)
        return True

    def ranking(self) -> Ranking:
        """The best ranking so far."""
        arranged = self._arranged()
        is_final = not self._unseen and not self._under_way and self._next() is None
        answers = (
            replace(answer, faults=tuple(own.in_own_lines(fault) for fault in answer.faults))
            for answer, own in zip(arranged.answers, self._framed, strict=True)
        )
        return replace(
            arranged,
            answers=tuple(answers),
            is_final=is_final,
            seconds=self._cascade.now() - self._began,
            notices=tuple(self._cascade.notices),
        )

    def _arranged(self) -> Ranking:
        if self._ranking is None:
            places = range(len(self._codes) - 1)
            self._ranking = arrange(
                [self._codes[place] for place in places],
                [self._found.get(place) for place in places],
                (self._codes[CONTEXT], self._found.get(CONTEXT)),
                self._wish,
                self._cascade.predictor.space,
                self._foreseen,
            )
        return self._ranking

    def _look(self, places: Sequence[int]) -> None:
        """The surest estimates that are kept already, else what the code tells."""
        tier, new = self._cascade.static, dict[str, list[int]]()
        for place in places:
            is_kept = self._most_heard is None and self._recall(place, "heard")
            if not is_kept and not self._recall(place, "static"):
                new.setdefault(self._codes[place], []).append(place)
        for code, estimate in zip(new, tier.estimate_all(list(new)), strict=True):
            self._cascade.cache.put(cache_key(tier, code), estimate)
            for place in new[code]:
                self._note(place, estimate)

    def _recall(self, place: int, name: TierName) -> bool:
        tier = self._cascade.tiers.get(name)
        if tier is None:
            return False
        kept = self._cascade.cache.get(cache_key(tier, self._codes[place]))
        if kept is not None:
            self._tried.add((place, name))
            self._note(place, kept)
        return kept is not None

    def _next(self) -> tuple[int, TierName] | None:
        """The program most worth looking into, and how."""
        busy = {place for place, _ in self._under_way.values()}
        for place, tier in self._wanted():
            if place not in busy and (place, tier) not in self._tried:
                return place, tier
        return None

    def _wanted(self) -> Iterator[tuple[int, TierName]]:
        """The context, what is not understood, what would be shown; last what looks broken."""
        heard = "heard" in self._cascade.tiers and self._most_heard != 0
        if CONTEXT in self._found and heard:
            yield CONTEXT, "heard"
        yield from self._doubtful(is_broken=False)
        if heard:
            n_left = len(self._codes) if self._most_heard is None else self._most_heard
            n_left -= sum(tier == "heard" and place != CONTEXT for place, tier in self._tried)
            ranking = self._arranged()
            for place in ranking.order if n_left > 0 else ():
                if not ranking.answers[place].set_aside:
                    yield place, "heard"
        yield from self._doubtful(is_broken=True)

    def _doubtful(self, *, is_broken: bool) -> Iterator[tuple[int, TierName]]:
        """What is not wholly understood, the least understood first."""
        if "events" not in self._cascade.tiers:
            return
        doubtful = [
            place
            for place, known in self._found.items()
            if known.tier == "static" and not known.is_trusted and known.is_broken == is_broken
        ]
        for place in sorted(doubtful, key=lambda place: self._found[place].coverage):
            yield place, "events"

    def _start(self, place: int, name: TierName) -> None:
        self._tried.add((place, name))
        tier, code = self._cascade.tiers[name], self._codes[place]
        key = cache_key(tier, code)
        kept = self._cascade.cache.get(key)
        if kept is not None:
            self._note(place, kept)
        else:
            self._under_way[self._cascade.ask(tier, key, code)] = (place, name)

    def _take(self, future: Future[Estimate | None]) -> None:
        place, name = self._under_way.pop(future)
        try:
            estimate = future.result()
        except (OSError, RuntimeError) as error:
            self._cascade.drop(name, f"programs are not {_DONE[name]} any more: {error}")
            return
        if estimate is not None:
            self._note(place, estimate)
        elif place in self._found:
            known = self._found[place]
            fault = f"it could not be {_DONE[name]} within its limits"
            self._note(place, replace(known, faults=(*known.faults, fault)))

    def _note(self, place: int, estimate: Estimate) -> None:
        self._found[place] = estimate
        if estimate.tier != "heard":
            self._foreseen[place] = estimate.point
        self._ranking = None


def open_cascade(
    config: CascadeConfig | None = None, predictor: SoundPredictor | None = None
) -> Cascade:
    """A cascade with all that this machine has; what it lacks is told in `Cascade.notices`.

    Args:
        config: how far to go.
        predictor: none: the one that comes with the project.

    Raises:
        OSError: the cache or the predictor cannot be read.
    """
    config, predictor = config or CascadeConfig(), predictor or stored_predictor()
    cache = EstimateCache(config.cache, config.cache_size)
    if not config.runs_programs:
        return Cascade(predictor, cache=cache)
    renderer = hurried(config.program_seconds).model_copy(update={"install": config.install})
    try:
        pool = RendererPool(config.n_workers, renderer)
    except (SonicPiMissingError, SandboxMissingError) as error:
        return Cascade(predictor, cache=cache, notices=[f"nothing is heard: {error}"])
    cascade = Cascade(
        predictor,
        events=EventsTier(predictor, pool),
        heard=HeardTier(predictor, pool, config.heard_seconds),
        cache=cache,
        n_workers=config.n_workers,
    )
    cascade.owns(pool.close)
    return cascade
