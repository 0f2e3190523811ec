"""Those who make and judge clips: Ray actors on any node, out of everybody's way.

A worker that dies, with its node or alone, is replaced, and the child that it had is handed out
again: no more than the children in flight is lost. A child that takes two workers with it has
failed, and workers that die before they ever answer are not replaced for ever.
"""

import os
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import ray

from actors.priority import stay_in_the_background

if TYPE_CHECKING:
    from agents.evolution.evaluation import Evaluator
    from agents.evolution.generators.generator import Clip
    from agents.evolution.genome import Answer, Individual

MOST_LOSSES: Final = 2
MOST_STILLBORN: Final = 3
_STILLBORN: Final = "creation task"
"""What Ray says of an actor whose constructor has failed."""
CPU_SHARE: Final = 0.5
"""What Ray reserves for a worker: beside a band, two find room on two cores."""


class WorkforceError(RuntimeError):
    """Nobody can work; one sentence for the user."""


class EvolutionWorker:
    """Evaluates children, one at a time, when nobody else wants the processor.

    Args:
        build: what makes the evaluator, here, as Ray sends functions: taken apart only when the
            worker is out of the way, for it imports what is heavy.
        priority: how it gives way.
    """

    def __init__(self, build: bytes, priority: Literal["idle", "low", "normal"]) -> None:
        stay_in_the_background(priority)
        unpacked: Callable[[], Evaluator] = ray.cloudpickle.loads(build)
        self._evaluator = unpacked()

    def evaluate(self, child: "Individual") -> "tuple[Answer, Clip, int]":
        """What became of a child, its clip, mono (samples,), and the clip's rate."""
        answer, clip = self._evaluator.evaluate(child)
        return answer, clip, self._evaluator.generator.sample_rate

    def process_id(self) -> int:
        """The process it lives in."""
        return os.getpid()

    def close(self) -> None:
        """End what the generator has started."""
        self._evaluator.close()


@dataclass(frozen=True, eq=False)
class Evaluated:
    """A child that was answered for.

    Args:
        answer: for `Evolution.tell`.
        clip: mono (samples,), may be empty.
        sample_rate: of the clip.
    """

    answer: "Answer"
    clip: "Clip"
    sample_rate: int


class Workforce:
    """Hands out children, takes in answers. Ray must be there.

    Args:
        build: makes an evaluator, in each worker.
        n_workers: ≥ 1.
        resources: what a worker's node must have.
        priority: how workers give way.
    """

    def __init__(
        self,
        build: "Callable[[], Evaluator]",
        n_workers: int,
        resources: Mapping[str, float] | None = None,
        priority: Literal["idle", "low", "normal"] = "idle",
    ) -> None:
        packed: bytes = ray.cloudpickle.dumps(build)  # type: ignore[no-untyped-call]
        self._arguments = (ray.put(packed), priority)
        self._make: Any = ray.remote(EvolutionWorker).options(
            num_cpus=CPU_SHARE, resources=dict(resources or {}), scheduling_strategy="SPREAD"
        )
        self._idle: list[Any] = [self._make.remote(*self._arguments) for _ in range(n_workers)]
        self._busy: dict[Any, tuple[Any, Individual]] = {}
        self._again: deque[Individual] = deque()
        self._losses: Counter[int] = Counter()
        self._n_stillborn = 0
        self.n_lost = 0
        """Times that a child lost its worker, so far."""

    @property
    def n_children_lost(self) -> int:
        """Different children that have lost a worker, so far."""
        return len(self._losses)

    @property
    def n_busy(self) -> int:
        """How many work now."""
        return len(self._busy)

    @property
    def n_waiting(self) -> int:
        """Children that lost their worker and wait for another."""
        return len(self._again)

    def hand_out(self, child: "Individual | None" = None) -> None:
        """Give an idle worker a child, or, without one, the one that has lost its worker.

        Raises:
            RuntimeError: nobody is idle, or nothing waits.
        """
        if child is None:
            child = self._again.popleft()
        worker = self._idle.pop(0)
        self._busy[worker.evaluate.remote(child)] = (worker, child)

    def collect(self, seconds: float) -> list[Evaluated]:
        """What is finished; waits so long for a first one.

        Raises:
            WorkforceError: workers cannot begin.
        """
        if not self._busy:
            return []
        ready, _ = ray.wait(list(self._busy), num_returns=1, timeout=seconds)
        if ready:
            more, _ = ray.wait(list(self._busy), num_returns=len(self._busy), timeout=0)
            ready = more or ready
        found = []
        for reference in ready:
            worker, child = self._busy.pop(reference)
            found += self._answered(reference, worker, child)
        return found

    def _answered(self, reference: Any, worker: Any, child: "Individual") -> list[Evaluated]:  # noqa: ANN401
        import numpy as np

        from agents.evolution.evaluation import failed

        try:
            answer, clip, rate = ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            self._idle.append(worker)
            said = failed(child, f"its worker failed: {error.cause}")
            return [Evaluated(said, np.zeros(0, np.float32), 1)]
        except ray.exceptions.RayError as error:
            return self._replace(worker, child, error)
        self._idle.append(worker)
        self._n_stillborn = 0
        return [Evaluated(answer, np.array(clip), rate)]

    def _replace(self, worker: Any, child: "Individual", error: Exception) -> list[Evaluated]:  # noqa: ANN401
        import numpy as np

        from agents.evolution.evaluation import failed

        ray.kill(worker)
        self._idle.append(self._make.remote(*self._arguments))
        if _STILLBORN in str(error):  # the child has done nothing
            self._n_stillborn += 1
            if self._n_stillborn >= MOST_STILLBORN:
                raise WorkforceError(
                    f"workers must be able to begin, but {self._n_stillborn} could not: "
                    f"{_last_line(error)}"
                )
            self._again.append(child)
            return []
        self._losses[child.id] += 1
        self.n_lost += 1
        if self._losses[child.id] < MOST_LOSSES:
            self._again.append(child)
            return []
        return [Evaluated(failed(child, "its workers died"), np.zeros(0, np.float32), 1)]

    def process_ids(self) -> list[int]:
        """The processes of all workers; waits for them."""
        workers = [*self._idle, *(worker for worker, _ in self._busy.values())]
        return list(ray.get([worker.process_id.remote() for worker in workers]))

    def close(self) -> None:
        """End all workers and what they do."""
        for worker in [*self._idle, *(worker for worker, _ in self._busy.values())]:
            ray.kill(worker)
        self._idle, self._busy = [], {}


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
