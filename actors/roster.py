"""The roster: which roles there are, what each hears, how it is built and whether it comes back.

Builders run inside the role's own process, from the config alone; heavy imports happen there.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from actors.clock import SystemClock
from actors.stage_config import StageConfig
from agents.agent import Agent
from agents.messages import (
    AudioIn,
    AudioOut,
    Control,
    Feedback,
    Fragment,
    HeardLabel,
    Plan,
    Played,
    Tick,
)

CONNECT_SECONDS = 20.0
"""How long a role looks for the broker before it gives up."""


class Player(Protocol):
    """A prepared role: it plays until told to stop."""

    def run(self, stop: threading.Event) -> None:
        """Play in the calling thread until `stop` is set or there is no more to do."""
        ...


@dataclass(frozen=True)
class Part:
    """An agent's part: what it hears, what restores it, how it is made.

    Args:
        hears: topics that wake it.
        recalls: topics whose recent past it takes up after a restart.
        recall_windows: how far back, windows.
        build: makes the agent from the stage's config.
    """

    hears: tuple[str, ...]
    recalls: tuple[str, ...]
    recall_windows: int
    build: Callable[[StageConfig], Agent]


@dataclass(frozen=True)
class Role:
    """A process of the band.

    Args:
        prepare: builds what plays, given the config and whether this is a second life.
        rank: roles of a lower rank must be ready before those of a higher one start.
        cpu_share: what Ray reserves for it; small, so that two cores hold the band.
        restarts: it is started anew when it dies.
        waits_for_the_band: it plays only after the supervisor said so.
    """

    prepare: Callable[[StageConfig, bool], Player]
    rank: int
    cpu_share: float = 0.1
    restarts: bool = True
    waits_for_the_band: bool = False


def build_perception(config: StageConfig) -> Agent:
    """The ear of the bundle, at the stage's rate."""
    from agents.perception.agent import PerceptionAgent
    from models.bundle import Bundle

    labeller = Bundle.load(config.bundle).labeller(config.audio.sample_rate, config.window)
    return PerceptionAgent(labeller)


def build_decision(config: StageConfig) -> Agent:
    """The bundle's decision model, held to the labels that the memory can play."""
    from agents.decision.agent import build

    return build(config.decision, config.bundle, frozenset(config.playable))


def build_action(config: StageConfig) -> Agent:
    """The memory, labelled (from the cache if it was before), and its navigator."""
    from agents.action.agent import build

    return build(
        config.action,
        config.bundle,
        config.memory,
        config.grid,
        config.audio.channels,
        config.cache,
        config.seed,
    )


PARTS: Mapping[str, Part] = MappingProxyType(
    {
        "perception": Part((AudioIn.TOPIC,), (HeardLabel.TOPIC,), 4, build_perception),
        "decision": Part(
            (HeardLabel.TOPIC, Control.TOPIC),
            (HeardLabel.TOPIC, Plan.TOPIC),
            128,
            build_decision,
        ),
        "action": Part(
            (Plan.TOPIC, HeardLabel.TOPIC, Control.TOPIC),
            (HeardLabel.TOPIC, Fragment.TOPIC, Played.TOPIC),
            128,
            build_action,
        ),
    }
)
"""The agents, in the order of the beat."""

JOURNALLED = (
    Tick.TOPIC,
    HeardLabel.TOPIC,
    Plan.TOPIC,
    Fragment.TOPIC,
    Played.TOPIC,
    Feedback.TOPIC,
    Control.TOPIC,
    "heartbeat",
    "metric",
    "fault",
)
"""Everything but raw audio."""


def hears_of(part: Part) -> tuple[str, ...]:
    """The topics that a host subscribes to for `part`: its own, and the time."""
    return (Tick.TOPIC, *part.hears)


__all__ = ["AudioOut", "SystemClock"]
