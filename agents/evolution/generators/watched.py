"""A generator that may fail, watched: what it does wrong is counted and stops nobody.

Raising, hanging, NaN, silence or the wrong length give an empty clip, which no fitness can love; a
generator that hangs is left behind and made anew. Clips are kept by content, so that the same
condition and seed are never generated twice.
"""

import queue
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from agents.evolution.generators.generator import Clip, Generator
from agents.evolution.genome import Condition, Genome

__all__ = ["EMPTY", "WatchedGenerator"]

EMPTY: Final = np.zeros(0, np.float32)
"""Stands for a clip that could not be generated."""


class WatchedGenerator:
    """Keeps the interface of `generators.generator.Generator` around one that may fail.

    Args:
        make: builds the generator; called again after it hung.
        patience_seconds: longest time for one clip, > 0.
        cache_megabytes: of clips kept in memory; the oldest unused go first.
    """

    def __init__(
        self,
        make: Callable[[], Generator],
        patience_seconds: float = 120.0,
        cache_megabytes: float = 64.0,
    ) -> None:
        self._make, self._patience = make, patience_seconds
        self._inner = make()
        self._worker = _Worker()
        self._room = int(cache_megabytes * 2**20)
        self._kept: OrderedDict[tuple[str, float, int], Clip] = OrderedDict()
        self.failures: Counter[str] = Counter()
        self.n_generated = 0

    @property
    def name(self) -> str:
        """As the inner generator's."""
        return self._inner.name

    @property
    def sample_rate(self) -> int:
        """As the inner generator's."""
        return self._inner.sample_rate

    @property
    def licence(self) -> str:
        """As the inner generator's."""
        return self._inner.licence

    @property
    def allows_paid_shows(self) -> bool:
        """As the inner generator's."""
        return self._inner.allows_paid_shows

    def embeddings(self) -> Clip | None:
        """The inner generator's token embeddings, (vocabulary, dim); None if it takes none."""
        table: Callable[[], Clip] | None = getattr(self._inner, "embeddings", None)
        return None if table is None else table()

    def generate(
        self, conditions: Sequence[Condition], seconds: float, seeds: Sequence[int]
    ) -> list[Clip]:
        """One clip per condition; EMPTY for each that failed, which `failures` counts by reason."""
        keys = [
            (_key(condition), seconds, seed)
            for condition, seed in zip(conditions, seeds, strict=True)
        ]
        missing = [k for k, key in enumerate(keys) if key not in self._kept]
        made = self._attempt([conditions[k] for k in missing], seconds, [seeds[k] for k in missing])
        fresh = dict(zip((keys[k] for k in missing), made, strict=True))
        clips = [fresh[key] if key in fresh else self._kept[key] for key in keys]
        for key, clip in zip(keys, clips, strict=True):
            if len(clip):
                self._keep(key, clip)
        return clips

    def _attempt(
        self, conditions: Sequence[Condition], seconds: float, seeds: Sequence[int]
    ) -> list[Clip]:
        """All at once; one by one if that failed, so that one bad condition costs only itself."""
        if not conditions:
            return []
        self.n_generated += len(conditions)
        inner = self._inner
        answer = self._worker.call(
            lambda: inner.generate(conditions, seconds, seeds), self._patience * len(conditions)
        )
        if isinstance(answer, list) and len(answer) == len(conditions):
            return [self._sound(clip, seconds) for clip in answer]
        if answer is None:
            self._replace()
        if len(conditions) > 1:
            pairs = zip(conditions, seeds, strict=True)
            self.n_generated -= len(conditions)
            return [self._attempt([one], seconds, [seed])[0] for one, seed in pairs]
        if answer is None:
            reason = f"it gave no answer within {self._patience:g} s and was started anew"
        elif isinstance(answer, Exception):
            reason = f"it failed: {_first_line(answer)}"
        else:
            reason = "it gave nothing"
        self.failures[reason] += 1
        return [EMPTY]

    def _sound(self, clip: Clip, seconds: float) -> Clip:
        expected = round(seconds * self.sample_rate)
        reason = ""
        if getattr(clip, "ndim", 0) != 1 or abs(len(clip) - expected) > 0.1 * expected:
            reason = f"a clip must be mono and last {seconds:g} s, it gave another shape"
        elif not np.isfinite(clip).all():
            reason = "a clip must be finite, it gave NaN or infinity"
        elif not np.abs(clip).max(initial=0.0) > 0:
            reason = "a clip must sound, it gave digital silence"
        if reason:
            self.failures[reason] += 1
            return EMPTY
        return np.ascontiguousarray(clip, np.float32)

    def _replace(self) -> None:
        self._worker.abandon()
        self._worker = _Worker()
        self._inner = self._make()

    def _keep(self, key: tuple[str, float, int], clip: Clip) -> None:
        self._kept[key] = clip
        self._kept.move_to_end(key)
        while sum(one.nbytes for one in self._kept.values()) > self._room and len(self._kept) > 1:
            self._kept.popitem(last=False)

    def close(self) -> None:
        """Close the inner generator."""
        self._worker.abandon()
        self._inner.close()


class _Worker:
    """A thread that runs one call at a time; one that hangs is left behind, it dies with us."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[Callable[[], list[Clip]] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[list[Clip] | Exception] = queue.SimpleQueue()
        threading.Thread(target=self._run, daemon=True, name="generator").start()

    def call(self, work: Callable[[], list[Clip]], seconds: float) -> list[Clip] | Exception | None:
        """What the work gave or raised; None if it took too long."""
        self._work.put(work)
        try:
            return self._done.get(timeout=seconds)
        except queue.Empty:
            return None

    def abandon(self) -> None:
        """End the thread after what it does now."""
        self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                self._done.put(work())
            except Exception as error:  # noqa: BLE001 - a foreign generator may raise anything
                self._done.put(error)


def _key(condition: Condition) -> str:
    if isinstance(condition, str):
        return Genome("prompt", condition or " x").key
    return Genome("vector", vector=np.nan_to_num(condition)).key


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
