"""Several workers train one network: as one would, and as if none had died."""

import functools
import operator
import os
import signal

import numpy as np
import psutil
import pytest
import torch

from actors.training_workers import TrainingWorkersError, train_together
from models.checkpoint import CheckpointError
from models.heard_history import codes_of
from models.paired_labels import Block
from models.training import TrainingConfig
from models.training_job import TrainingJob
from models.training_team import Team
from models.transformer_config import TransformerConfig

K = 8
NETWORK = TransformerConfig(
    n_layers=1, n_heads=2, width=16, dropout=0.0, context=12,
    shift_input=True, counted=True, history_windows=(4.0,), activity=True,
)  # fmt: skip
TRAINING = TrainingConfig(max_steps=400, batch_size=7, sequence_windows=24, evaluate_every=20)


def block(name, n_windows, seed):
    rng = np.random.default_rng(seed)
    heard = rng.integers(0, K, n_windows)
    fields, answer_fields = rng.normal(size=(2, n_windows, 2)).astype(np.float32)
    answer = np.where(rng.random(n_windows) < 0.2, -1, np.roll(heard, 1))
    return Block(name, 0, 0, heard, fields, answer, answer_fields)


def job(checkpoint=None, training=TRAINING):
    codes = codes_of(np.random.default_rng(0).normal(size=(K, 18)))
    train = [block(f"song {n}", 150, n) for n in range(3)]
    validation = [block("other", 80, 9), block("third", 60, 10)]
    return TrainingJob(NETWORK, training, K, 2, train, validation, codes, checkpoint)


def alone(what, **how):
    return what.carry_on(what.begin(torch.device("cpu")), **how)


def nothing(*_):
    """Is told how it goes."""


def training_processes():
    """The workers of Ray Train that descend from this process."""
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            if "RayTrainWorker" in " ".join(child.cmdline()) or "RayTrainWorker" in child.name():
                found.append(child.pid)
        except psutil.Error:
            continue
    return set(found)


@pytest.mark.slow
@pytest.mark.ray
def test_two_workers_train_what_one_would_and_a_killed_one_changes_nothing(tmp_path):
    seen = []

    def kill_one_once(*_):
        seen.append(training_processes())
        if len(seen) == 1:
            os.kill(min(seen[0]), signal.SIGKILL)

    whole = alone(job())
    state = train_together(job(tmp_path / "half"), 2, 600.0, kill_one_once)
    assert len(seen[0]) == 2
    assert seen[0] != seen[-1]  # others went on
    assert (state.step, state.stopped) == (whole.step, whole.stopped)
    assert [p.step for p in state.history] == [p.step for p in whole.history]
    losses = [[p.validation_loss for p in one.history] for one in (state, whole)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert whole.lowest_loss < whole.history[0].validation_loss - 0.1  # something was learned
    for name, weights in whole.best.items():
        assert state.best[name] == pytest.approx(weights, abs=1e-3), name
    assert sorted(path.name for path in tmp_path.iterdir()) == ["half"]


def test_a_job_goes_on_from_its_checkpoint_to_the_same_weights(tmp_path):
    short = TRAINING.model_copy(update={"max_steps": 40})
    whole = alone(job(training=short))
    half = job(tmp_path / "half", short)
    stopped = alone(half, should_stop=lambda: True)
    assert (stopped.step, stopped.stopped) == (1, "stopped")
    resumed = alone(half)
    assert resumed.step == 40
    for name, weights in whole.network.arrays().items():
        assert resumed.network.arrays()[name] == pytest.approx(weights, abs=1e-5), name


def test_mixed_precision_learns_what_full_precision_does():
    mixed = TRAINING.model_copy(update={"bfloat16": True, "max_steps": 60})
    full = mixed.model_copy(update={"bfloat16": False})
    losses = [alone(job(training=one)).lowest_loss for one in (mixed, full)]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.03)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_trains_what_the_processor_does(tmp_path):
    short = TRAINING.model_copy(update={"max_steps": 60})
    half = job(tmp_path / "half", short)
    state = half.carry_on(half.begin(torch.device("cuda")))
    assert state.network.device.type == "cuda"
    assert state.lowest_loss == pytest.approx(alone(job(training=short)).lowest_loss, rel=1e-3)
    assert alone(half).step == state.step  # its checkpoint is read without a GPU


@pytest.mark.parametrize(("n", "size"), [(7, 1), (7, 2), (3, 5), (0, 2)])
def test_a_team_shares_everything_once(n, size):
    shared = [list(range(n))[Team(rank, size).share(n)] for rank in range(size)]
    assert sorted(functools.reduce(operator.iadd, shared, [])) == list(range(n))
    assert Team().total(2.5) == 2.5


@pytest.mark.parametrize("n_workers", [-1, 0, 8])
def test_workers_that_do_not_fit_the_batch_are_refused(n_workers):
    with pytest.raises(TrainingWorkersError, match=rf"1 to 7.*got {n_workers}"):
        train_together(job(), n_workers, 60.0, nothing)


def test_a_checkpoint_of_another_training_is_refused_before_workers_start(tmp_path):
    other = TRAINING.model_copy(update={"max_steps": 1})
    alone(job(tmp_path / "half", other))
    mine = job(tmp_path / "half")
    with pytest.raises(CheckpointError, match="must belong to this training"):
        train_together(mine, 2, 60.0, nothing)
