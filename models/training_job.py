"""A training as one thing to be done: by one process, or by each worker of a team."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.checkpoint import fingerprint, load_checkpoint, save_checkpoint
from models.heard_history import with_history
from models.paired_labels import Block
from models.training import TrainingConfig, TrainingState, fit, start
from models.training_team import ALONE, Team
from models.transformer_config import TransformerConfig

__all__ = ["TrainingJob"]


@dataclass(frozen=True, eq=False)
class TrainingJob:
    """What is trained, and on what.

    Args:
        transformer: size of the network.
        training: how it is trained.
        n_labels: K, ≥ 1.
        horizon: H, ≥ 1.
        train: stretches to learn from and to count, with plain fields.
        validation: blocks that the count tables are tuned on, with plain fields.
        codes: of the codebook, (K, D), as `models.heard_history.codes_of` gives them.
        checkpoint: file to go on from if it is there, and to save to after every validation; for
            workers on several machines in a folder that all of them see. None keeps nothing.
        astray: more stretches to learn from, not counted.
        judged: blocks to stop by; none: those of the validation.
    """

    transformer: TransformerConfig
    training: TrainingConfig
    n_labels: int
    horizon: int
    train: Sequence[Block]
    validation: Sequence[Block]
    codes: NDArray[np.float32]
    checkpoint: Path | None
    astray: Sequence[Block] = ()
    judged: Sequence[Block] = ()

    @property
    def fingerprint(self) -> str:
        """Names the training: its checkpoints belong to no other."""
        return fingerprint(self.transformer, self.training, self.train)

    def begin(self, device: torch.device) -> TrainingState:
        """A fresh training on a device, or where its checkpoint stands.

        Raises:
            CheckpointError: the checkpoint is of another training, or none.
        """
        state = start(
            self.transformer,
            self.training,
            self.n_labels,
            self.horizon,
            self.train,
            self.validation,
            self.codes,
        )
        state.network.to(device)
        if self.checkpoint is not None and self.checkpoint.exists():
            load_checkpoint(self.checkpoint, state, self.fingerprint)
        return state

    def carry_on(
        self,
        state: TrainingState,
        *,
        on_step: Callable[[int], None] | None = None,
        on_validation: Callable[[TrainingState], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        team: Team = ALONE,
    ) -> TrainingState:
        """Train to the end, as `models.training.fit`; the first of a team keeps the checkpoint.

        Raises:
            CheckpointError: the checkpoint cannot be written.
        """

        def validated(state: TrainingState) -> None:
            if self.checkpoint is not None and team.rank == 0:
                save_checkpoint(self.checkpoint, state, self.fingerprint)
            if on_validation is not None:
                on_validation(state)

        return fit(
            state,
            self.training,
            with_history([*self.train, *self.astray], self.codes, self.transformer),
            with_history(self.judged or self.validation, self.codes, self.transformer),
            on_step=on_step,
            on_validation=validated,
            should_stop=should_stop,
            team=team,
        )
