"""Perception: every window heard becomes one label message, in order."""

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel

from agents.messages import AudioIn, HeardLabel, Message
from agents.musical_time import Moment
from models.encoder_config import LiveHearing
from models.energy_gate import EnergyGateConfig
from models.labeller import Labeller

__all__ = ["PerceptionAgent", "PerceptionConfig", "build"]


class PerceptionConfig(BaseModel, frozen=True, extra="forbid"):
    """How the band listens; what it listens *with* comes with the bundle."""

    gate: EnergyGateConfig | None = None
    """Judge silence by these figures, for a noisy room; None keeps those of the bundle."""
    live: LiveHearing | None = None
    """How a pretrained model hears here; None lets the start-up measure what is fast enough."""


class PerceptionAgent:
    """Hears `AudioIn`, says `HeardLabel`: one per window, each window once, oldest first.

    A window that never came counts as digital silence before the next one and gets no label; one
    that comes twice or late is passed over. A window with samples that are not finite is heard as
    silence, as one such sample would spoil every frame that it is in.

    Args:
        labeller: made for the session's sample rate and window length; the agent's own from now.
    """

    def __init__(self, labeller: Labeller) -> None:
        self._labeller = labeller
        self._newest: int | None = None

    def step(self, moment: Moment, inbox: Sequence[Message]) -> list[Message]:  # noqa: ARG002 - the windows carry their own time
        """The labels of the windows that came, oldest first.

        Args:
            moment: not used: a window carries its own index.
            inbox: messages since the last step; all but `AudioIn` are passed over.

        Raises:
            ValueError: a window that is not on the session's grid.
        """
        windows = sorted(
            (message for message in inbox if isinstance(message, AudioIn)),
            key=lambda message: message.window,
        )
        return [label for window in windows if (label := self._hear(window)) is not None]

    def restore(self, history: Sequence[Message]) -> None:
        """Take up the gate's reference, the key and the place on the grid from the newest label.

        What was heard before is gone, so the first label afterwards may differ in the frames that
        reach back (186 ms); from then on all is as without the restart.

        Args:
            history: messages of the last windows; all but `HeardLabel` are passed over.
        """
        labels = [message for message in history if isinstance(message, HeardLabel)]
        if not labels:
            self._labeller.reset()
            self._newest = None
            return
        newest = max(labels, key=lambda message: message.window)
        self._labeller.restore(newest.reference_db, newest.key, newest.window + 1)
        self._newest = newest.window

    def _hear(self, message: AudioIn) -> HeardLabel | None:
        if self._newest is not None:
            if message.window <= self._newest:
                return None
            self._labeller.skip(message.window - self._newest - 1)
        self._newest = message.window
        mono = message.samples.mean(axis=1, dtype=np.float32)
        if not np.isfinite(mono).all():
            mono = np.zeros_like(mono)
        heard = self._labeller.push(mono)
        return HeardLabel(
            window=message.window,
            label=heard.label,
            distance=heard.distance,
            energy_db=heard.energy_db,
            onset=heard.onset,
            reference_db=heard.reference_db,
            rotation=heard.rotation,
            key=heard.key,
            attacks=heard.attacks,
        )


def build(config: PerceptionConfig, labeller: Labeller) -> PerceptionAgent:
    """The perception agent, with the bundle's labeller and the performer's gate.

    Args:
        config: how the band listens.
        labeller: from the bundle, made for the session's sample rate and window length.
    """
    if config.gate is not None:
        labeller.ear.use_gate(config.gate)
    return PerceptionAgent(labeller)
