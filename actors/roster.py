"""The roster: which processes the band has, in which order they start, and which come back."""

import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from actors.clock import SystemClock
from actors.parts import PARTS, ranks_code
from actors.stage_config import BandConfig
from actors.streams.streams import ZmqStreams

CONNECT_SECONDS = 20.0
"""How long a role looks for the broker before it gives up."""
RECALL_SECONDS = 1.0
"""How long a restarted agent waits for the journal to tell it its past."""
HUNG_SECONDS = 10.0
"""A process that does not answer for this long is killed, and another takes its role."""
JOURNAL_SECONDS = 0.05
"""How often the journal takes in what was said: not with every message, while others must play."""


class Player(Protocol):
    """A prepared role."""

    def run(self, stop: threading.Event) -> None:
        """Play in the calling thread until `stop` is set or there is no more to do."""
        ...


@dataclass(frozen=True)
class Role:
    """A process of the band.

    Args:
        prepare: builds what plays, in the thread that will play it, given the config and whether
            this is a second life.
        rank: roles of a lower rank are ready before those of a higher one start.
        restarts: another process takes it over when its own dies.
        waits_for_the_band: it plays only after the supervisor said so.
        priority: real-time priority to ask for, 1 to 99; None: it steps back behind all others.
        plays: whether the band has this role at all.
        is_awaited: the music waits for it at the start, and it is soon missed when it is silent;
            else it joins when it is ready.
        hung_seconds: one that does not answer for so long is ended and started anew.
    """

    prepare: Callable[[BandConfig, bool], Player]
    rank: int
    restarts: bool = True
    waits_for_the_band: bool = False
    priority: int | None = 10
    plays: Callable[[BandConfig], bool] = lambda _: True
    is_awaited: bool = True
    hung_seconds: float = HUNG_SECONDS


def connect(config: BandConfig, name: str, topics: tuple[str, ...]) -> ZmqStreams:
    """Streams of the calling thread; nothing said from now on, on `topics`, is missed.

    Raises:
        TimeoutError: the broker does not answer.
    """
    streams = ZmqStreams(config.streams, name, topics, now=SystemClock().now)
    streams.wait_until_ready(CONNECT_SECONDS)
    return streams


def _prepare_broker(config: BandConfig, restarted: bool) -> Player:  # noqa: ARG001
    from actors.streams.broker import Broker

    return _BrokerPlayer(Broker(config.streams))


def _prepare_journal(config: BandConfig, restarted: bool) -> Player:  # noqa: ARG001
    from actors.journal import Journal
    from actors.journal_recorder import JOURNAL_TOPICS, JournalRecorder

    streams = connect(config, "journal", tuple(JOURNAL_TOPICS))
    journal = Journal(config.out / "journal.sqlite", config.metadata())
    return _JournalPlayer(JournalRecorder(streams, journal))


def _prepare_agent(name: str) -> Callable[[BandConfig, bool], Player]:
    def prepare(config: BandConfig, restarted: bool) -> Player:
        from actors.host import Host
        from actors.journal_recorder import recall

        part = PARTS[name]
        agent = part.build(config)
        if "torch" in sys.modules:  # loading it takes seconds: only where a network plays
            import torch

            torch.set_num_threads(1)  # two threads on two busy cores spin at each other's barriers
        streams = connect(config, name, part.topics)
        if restarted:
            past = recall(streams, part.recalls, part.recall_windows, RECALL_SECONDS)
            agent.restore([envelope.message for envelope in past])  # type: ignore[misc]
        return Host(name, agent, streams, SystemClock())

    return prepare


def _prepare_code_ranking(config: BandConfig, restarted: bool) -> Player:
    from actors.code_process import prepare_code_ranking

    return prepare_code_ranking(config, connect, RECALL_SECONDS if restarted else None)


def _prepare_audio(config: BandConfig, restarted: bool) -> Player:  # noqa: ARG001
    from actors.audio_process import prepare_audio

    return prepare_audio(config, connect)


def _prepare_evolution(config: BandConfig, restarted: bool) -> Player:  # noqa: ARG001
    from actors.evolution_player import HEARS, EvolutionPlayer
    from actors.parts import clip_labeller

    streams = connect(config, "evolution", HEARS)
    return EvolutionPlayer(config, streams, SystemClock(), clip_labeller(config))


ROSTER: Mapping[str, Role] = MappingProxyType(
    {
        "broker": Role(_prepare_broker, rank=0, priority=15),
        "journal": Role(_prepare_journal, rank=1, priority=1),
        **{name: Role(_prepare_agent(name), rank=1) for name in PARTS if name != "code_ranking"},
        "code_ranking": Role(
            _prepare_code_ranking, rank=1, priority=None, plays=ranks_code, is_awaited=False
        ),
        "audio": Role(_prepare_audio, rank=1, restarts=False, waits_for_the_band=True, priority=20),
        "evolution": Role(
            _prepare_evolution,
            rank=2,
            waits_for_the_band=True,
            priority=None,
            plays=lambda config: config.evolution.enabled,
            is_awaited=False,
            hung_seconds=600.0,  # who gives way to everybody may be slow to answer
        ),
    }
)


def roster_of(config: BandConfig) -> dict[str, Role]:
    """The roles of this band, in the roster's order."""
    return {name: role for name, role in ROSTER.items() if role.plays(config)}


class _BrokerPlayer:
    def __init__(self, broker: "Broker") -> None:  # type: ignore[name-defined]  # noqa: F821
        self._broker = broker

    def run(self, stop: threading.Event) -> None:
        threading.Thread(target=self._end_on, args=(stop,), daemon=True).start()
        self._broker.run()

    def _end_on(self, stop: threading.Event) -> None:
        stop.wait()
        self._broker.stop()


class _JournalPlayer:
    def __init__(self, recorder: "JournalRecorder") -> None:  # type: ignore[name-defined]  # noqa: F821
        self._recorder = recorder

    def run(self, stop: threading.Event) -> None:
        clock = SystemClock()
        while not stop.is_set():
            clock.wait_until(clock.now() + JOURNAL_SECONDS)
            self._recorder.step(0.0)
        self._recorder.close()
