"""Rendering a data set with Ray: one actor per worker, each with a renderer of its own.

Work is handed out a few programs at a time and results come back as they are ready, so the order
is not that of the jobs; what comes back is the same as without Ray.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

import ray

from corpus.sonic_pi.dataset import CheckConfig, Job, Pair, checked_pair
from corpus.sonic_pi.renderer import Renderer, RendererConfig

__all__ = ["RenderWorker", "render_jobs"]

JOBS_PER_CALL: Final = 4


class RenderWorker:
    """Renders and checks jobs; owns a language server for as long as it lives."""

    def __init__(self, renderer: RendererConfig, check: CheckConfig) -> None:
        self._renderer, self._check = Renderer(renderer), check

    def render(self, jobs: list[Job]) -> list[Pair]:
        """The pairs of some jobs, in order."""
        return [
            checked_pair(job, self._renderer.render(job.code, job.seconds), self._check)
            for job in jobs
        ]

    def close(self) -> None:
        """Ends the language server."""
        self._renderer.close()


def render_jobs(
    jobs: Iterable[Job],
    n_workers: int,
    renderer: RendererConfig | None = None,
    check: CheckConfig | None = None,
) -> Iterator[Pair]:
    """Pairs of all jobs, as they are ready. Ray must be initialised.

    Args:
        jobs: taken as they are needed.
        n_workers: actors of one processor each, ≥ 1.
        renderer: config of each renderer.
        check: what makes a render unusable.

    Raises:
        ValueError: if `n_workers` is below 1.
    """
    if n_workers < 1:
        raise ValueError(f"n_workers must be at least 1, got {n_workers}")
    actor: Any = ray.remote(num_cpus=1)(RenderWorker)
    settings = (renderer or RendererConfig(), check or CheckConfig())
    workers = [actor.remote(*settings) for _ in range(n_workers)]
    remaining = iter(jobs)
    busy: dict[Any, Any] = {}
    try:
        for worker in workers:
            _hand_out(worker, remaining, busy)
        while busy:
            ready, _ = ray.wait(list(busy), num_returns=1)
            worker = busy.pop(ready[0])
            _hand_out(worker, remaining, busy)
            yield from ray.get(ready[0])
    finally:
        for worker in workers:
            ray.kill(worker)


def _hand_out(worker: Any, remaining: Iterator[Job], busy: dict[Any, Any]) -> None:  # noqa: ANN401
    batch = list(islice(remaining, JOBS_PER_CALL))
    if batch:
        busy[worker.render.remote(batch)] = worker
