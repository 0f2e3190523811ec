"""Work beside the beat: a thread of its own on stage, on the spot in the deterministic twin."""

import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

_log = logging.getLogger(__name__)
Result = TypeVar("Result")


class OnTheSpot(Generic[Result]):
    """Does each job when it is given: same messages, same moment."""

    def __init__(self) -> None:
        self._results: list[Result] = []

    def do(self, job: Callable[[], Result]) -> None:
        """Do `job` now."""
        self._results.append(job())

    def done(self) -> list[Result]:
        """Results since the last call."""
        results, self._results = self._results, []
        return results


class SideThread(Generic[Result]):
    """Does jobs one after the other in a daemon thread; a job that fails is logged and left out."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], Result]] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[Result] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def do(self, job: Callable[[], Result]) -> None:
        """Take `job`; returns at once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="side work", daemon=True)
            self._thread.start()
        self._jobs.put(job)

    def done(self) -> list[Result]:
        """Results since the last call; does not block."""
        results = []
        with contextlib.suppress(queue.Empty):
            while True:
                results.append(self._results.get_nowait())
        return results

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            try:
                self._results.put(job())
            except Exception:  # noqa: BLE001 the thread must not die with a job
                _log.exception("work beside the beat has failed")
