"""Several renderers side by side, for data sets: results in the order of the programs.

Plain threads, each with a language server and synthesis processes of its own; the work is done in
those processes. Sound is a function of the program alone, so the number of workers changes nothing.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Protocol, TypeVar

from corpus.sonic_pi.renderer import EventList, Renderer, RendererConfig, Rendering

__all__ = ["RendererPool"]

_AHEAD_PER_WORKER = 2

Result = TypeVar("Result", bound=EventList, covariant=True)


class _Method(Protocol[Result]):
    def __call__(self, renderer: Renderer, code: str, seconds: float, /) -> Result: ...


class RendererPool:
    """A fixed number of renderers; a context manager.

    Args:
        n_workers: ≥ 1; one per free processor core.
        config: for each renderer.

    Raises:
        ValueError: if `n_workers` is below 1.
        SonicPiMissingError, SandboxMissingError: as `Renderer`.
    """

    def __init__(self, n_workers: int, config: RendererConfig | None = None) -> None:
        if n_workers < 1:
            raise ValueError(f"n_workers must be at least 1, got {n_workers}")
        self._n_workers = n_workers
        self._renderers = [Renderer(config) for _ in range(n_workers)]
        self._idle: SimpleQueue[Renderer] = SimpleQueue()
        for renderer in self._renderers:
            self._idle.put(renderer)
        self._threads = ThreadPoolExecutor(n_workers)

    def __enter__(self) -> "RendererPool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Waits for programs under way, drops those not begun and ends the servers."""
        self._threads.shutdown(cancel_futures=True)
        for renderer in self._renderers:
            renderer.close()

    def render(self, programs: Iterable[str], seconds: float) -> Iterator[Rendering]:
        """`Renderer.render` of each program; takes programs as it needs them."""
        return self._map(Renderer.render, programs, seconds)

    def events(self, programs: Iterable[str], seconds: float) -> Iterator[EventList]:
        """`Renderer.events` of each program; takes programs as it needs them."""
        return self._map(Renderer.events, programs, seconds)

    def _map(
        self, method: _Method[Result], programs: Iterable[str], seconds: float
    ) -> Iterator[Result]:
        pending: deque[Future[Result]] = deque()
        for program in programs:
            pending.append(self._threads.submit(self._with_idle, method, program, seconds))
            if len(pending) >= _AHEAD_PER_WORKER * self._n_workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()

    def _with_idle(self, method: _Method[Result], program: str, seconds: float) -> Result:
        renderer = self._idle.get()
        try:
            return method(renderer, program, seconds)
        finally:
            self._idle.put(renderer)
