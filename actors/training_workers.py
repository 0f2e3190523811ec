"""Training by several workers through Ray Train: each has the network and reads a part of a step.

Gradients are added up by gloo between processors and by NCCL between GPUs. A worker that dies takes
the others down with it; all begin again at the last checkpoint, and end as if nothing had been.
"""

import contextlib
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch

from actors.ray_session import StartError, ray_session
from models.training import TrainingState
from models.training_job import TrainingJob
from models.training_team import Team

__all__ = ["TrainingWorkersError", "train_together"]

MOST_FAILURES: Final = 3
"""So often all workers begin again at the checkpoint; then the training ends with an error."""


class TrainingWorkersError(RuntimeError):
    """Workers cannot train; the message says why and what to do."""


@dataclass(frozen=True)
class _News:
    """What the first worker tells after a validation and at the end, and Ray Train after it."""

    step: int = 0
    loss: float = float("nan")
    stopped: str = ""
    error: str = ""
    over: bool = False


def train_together(
    job: TrainingJob,
    n_workers: int,
    seconds: float,
    on_validation: Callable[[int, float], None],
) -> TrainingState:
    """Train with several processes, on this machine or on those of RAY_ADDRESS.

    Each worker has a GPU if this machine has one, else a core. If the job has no checkpoint, one
    is kept in the temporary folder meanwhile.

    Args:
        job: what to train.
        n_workers: processes, from 1 to the crops in a step.
        seconds: of training at most, from when the workers are ready.
        on_validation: told the step and the lowest loss on validation so far, nats per window.

    Returns:
        As one process would: where the training ended, on the processor. An interrupt (Ctrl-C)
        ends training and keeps what the checkpoint has.

    Raises:
        TrainingWorkersError: Ray Train is missing or cannot start, the workers do not fit the
            batch, or they failed again and again.
        CheckpointError: a checkpoint of another training, or none.
        KeyboardInterrupt: interrupted before there was a checkpoint.
    """
    if not 1 <= n_workers <= job.training.batch_size:
        raise TrainingWorkersError(
            f"workers must be 1 to {job.training.batch_size}, the crops in a step, got "
            f"{n_workers}; take fewer or a larger batch_size"
        )
    processor = torch.device("cpu")
    with _kept(job) as kept:
        if kept.checkpoint is not None and kept.checkpoint.exists():
            kept.begin(processor)  # a checkpoint of another training is refused at once
        stopped = _train(kept, n_workers, seconds, on_validation)
        state: TrainingState = kept.begin(processor)
    state.stopped = stopped
    return state


@contextlib.contextmanager
def _kept(job: TrainingJob) -> Iterator[TrainingJob]:
    """The job with a checkpoint, which is taken away again if it had none."""
    if job.checkpoint is not None:
        yield replace(job, checkpoint=job.checkpoint.absolute())
        return
    with tempfile.TemporaryDirectory(prefix="antiphon-training-") as folder:
        yield replace(job, checkpoint=Path(folder) / "half")


def _train(
    job: TrainingJob, n_workers: int, seconds: float, on_validation: Callable[[int, float], None]
) -> str:
    """Why training ended, in a word."""
    checkpoint = job.checkpoint
    assert checkpoint is not None
    logs = checkpoint.with_name(f".{checkpoint.name}.ray")
    try:
        with ray_session(n_workers, niceness=0):  # somebody waits for it
            return _follow(job, n_workers, seconds, logs, on_validation)
    except StartError as error:
        raise TrainingWorkersError(f"{error}; or train without --workers") from None
    except KeyboardInterrupt:
        if not checkpoint.exists():
            raise
        return "interrupted"
    finally:
        shutil.rmtree(logs, ignore_errors=True)


def _follow(
    job: TrainingJob,
    n_workers: int,
    seconds: float,
    logs: Path,
    on_validation: Callable[[int, float], None],
) -> str:
    """Start the workers and listen to the first of them until they have ended."""
    import ray
    from ray.util.queue import Queue

    news = Queue(actor_options={"num_cpus": 0})
    told = {"job": ray.put(job), "news": news, "seconds": seconds}
    threading.Thread(target=_run, args=(told, n_workers, logs, news), daemon=True).start()
    stopped = ""
    while True:
        latest: _News = news.get()
        if latest.error:
            raise TrainingWorkersError(latest.error)
        if latest.over:
            return stopped
        if latest.stopped:
            stopped = latest.stopped
        else:
            on_validation(latest.step, latest.loss)


def _run(told: dict[str, Any], n_workers: int, logs: Path, news: Any) -> None:  # noqa: ANN401
    """Ray Train's part of the driver: returns when the workers have ended, and says why not."""
    try:
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchTrainer
    except ImportError as error:
        reason = " ".join(str(error).split())
        news.put(_News(error=f"--workers needs Ray Train: pip install 'ray[train]' ({reason})"))
        return
    trainer = TorchTrainer(
        _work,
        train_loop_config=told,
        scaling_config=ScalingConfig(num_workers=n_workers, use_gpu=torch.cuda.is_available()),
        run_config=RunConfig(
            name="workers",
            storage_path=str(logs),
            failure_config=FailureConfig(max_failures=MOST_FAILURES),
        ),
    )
    try:
        trainer.fit()
        news.put(_News(over=True))
    except SystemExit:  # an interrupt has shut Ray down
        return
    except Exception as error:  # noqa: BLE001 Ray raises whatever its parts raise
        last = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        with contextlib.suppress(Exception):  # Ray may be gone: then nobody listens
            news.put(
                _News(
                    error=f"the workers must stay alive, but failed {MOST_FAILURES + 1} times "
                    f"({last}); see their memory, or train without --workers",
                )
            )


def _work(told: dict[str, Any]) -> None:
    """One worker, from the checkpoint on; the first one tells how it goes."""
    import ray
    import ray.train.torch

    torch.set_num_threads(1)
    context = ray.train.get_context()
    team = Team(context.get_world_rank(), context.get_world_size())
    job: TrainingJob = ray.get(told["job"])
    state = job.begin(ray.train.torch.get_device())
    deadline = time.monotonic() + told["seconds"]

    def validated(state: TrainingState) -> None:
        if team.rank == 0:
            told["news"].put(_News(state.step, state.lowest_loss))

    job.carry_on(
        state,
        on_validation=validated,
        should_stop=lambda: time.monotonic() > deadline,
        team=team,
    )
    if team.rank == 0:
        told["news"].put(_News(state.step, stopped=state.stopped))
