"""Work beside the beat: jobs done one at a time elsewhere, the newest first, the older dropped."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")
MOST_RESULTS = 64
"""Results that wait to be taken; the oldest are dropped."""


class Worker(Protocol[Job, Result]):
    """Somebody who takes jobs and has results later."""

    def submit(self, job: Job) -> Job | None:
        """Hand over `job`; does not block. The job that waited for it in vain, if one did."""
        ...

    def finished(self) -> list[Result]:
        """The results since the last call, oldest first; does not block."""
        ...

    def close(self) -> None:
        """Take no more jobs; any number of times."""
        ...


class ThreadWorker(Generic[Job, Result]):
    """Works on a thread of its own, which an endless job cannot keep alive at the end.

    Args:
        name: of the thread.
        work: does a job; must not raise.
        last: called on the thread when there will be no more jobs.
    """

    def __init__(
        self, name: str, work: Callable[[Job], Result], last: Callable[[], None] = lambda: None
    ) -> None:
        self._work = work
        self._last = last
        self._waiting: Job | None = None
        self._results: deque[Result] = deque(maxlen=MOST_RESULTS)
        self._change = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def is_pressed(self) -> bool:
        """Whether the job under way had better end soon: a newer one waits, or it is the end."""
        return self._closed or self._waiting is not None

    def submit(self, job: Job) -> Job | None:
        """See `Worker.submit`."""
        with self._change:
            dropped, self._waiting = self._waiting, job
            self._change.notify()
        return dropped

    def finished(self) -> list[Result]:
        """See `Worker.finished`."""
        results = []
        while self._results:
            results.append(self._results.popleft())
        return results

    def close(self, patience_seconds: float = 1.0) -> None:
        """See `Worker.close`; waits a moment for the job under way."""
        with self._change:
            self._closed, self._waiting = True, None
            self._change.notify()
        self._thread.join(patience_seconds)

    def _run(self) -> None:
        try:
            while (job := self._next()) is not None:
                self._results.append(self._work(job))
        finally:
            self._last()

    def _next(self) -> Job | None:
        with self._change:
            self._change.wait_for(lambda: self._closed or self._waiting is not None)
            job, self._waiting = self._waiting, None
            return None if self._closed else job


class InlineWorker(Generic[Job, Result]):
    """The twin: does each job at once, in the thread that hands it over.

    Args:
        work: does a job; must not raise.
        last: called at the end.
    """

    def __init__(
        self, work: Callable[[Job], Result], last: Callable[[], None] = lambda: None
    ) -> None:
        self._work = work
        self._last = last
        self._results: list[Result] = []

    def submit(self, job: Job) -> Job | None:
        """See `Worker.submit`; nothing ever waits."""
        self._results.append(self._work(job))
        return None

    def finished(self) -> list[Result]:
        """See `Worker.finished`."""
        results, self._results = self._results, []
        return results

    def close(self) -> None:
        """See `Worker.close`."""
        self._last()
        self._last = lambda: None
