"""The protocol that every agent keeps; the machinery knows agents by nothing else."""

from collections.abc import Sequence
from typing import Protocol

from agents.messages import Message
from agents.musical_time import Moment


class Agent(Protocol):
    """A musician as a plain class: told the time, given messages, it returns messages.

    It owns no thread, socket, clock or device, and draws randomness only from its seed, the
    window index and its inbox: the same messages give the same answers at any pace.
    """

    def step(self, moment: Moment, inbox: Sequence[Message]) -> list[Message]:
        """Answer the messages that have come since the last step, oldest first.

        Args:
            moment: the newest moment known to the host.
            inbox: at least one message of the topics that the roster gives this agent. More than
                one of a topic means the agent is late: it must take in all, and answer the newest.
        """
        ...

    def restore(self, history: Sequence[Message]) -> None:
        """Take up again after a restart: what was said on the agent's topics, its own included.

        Args:
            history: messages of the last windows, oldest first; may be empty or have gaps.
        """
        ...
