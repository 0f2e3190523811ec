"""The band in one thread: the same engine, hosts, agents and codec, and nobody waits.

This is offline replay and the end-to-end test: same config, same seed, same bytes. Time on the
streams is the device's own, so that a reaction is 0 s by construction; step times are real.
"""

import threading
from collections import deque
from collections.abc import Mapping

from actors.audio_host import HEARS, AudioHost
from actors.audio_process import build_engine, build_recorder, open_stage_device
from actors.clock import SystemClock
from actors.code_desk import HEARS as DESK_HEARS
from actors.code_process import build_twin_desk
from actors.host import Host
from actors.journal import Journal
from actors.journal_recorder import JOURNAL_TOPICS, JournalRecorder
from actors.parts import parts_of
from actors.stage_config import BandConfig
from actors.streams.in_process_streams import InProcessHub, InProcessStreams
from agents.agent import Agent


class FastBand:
    """Plays a whole run as fast as it can.

    Args:
        config: a stage at fast pace, with a guide.
        agents: by role, built already; none builds them from the config.

    Raises:
        DeviceError, ValueError: something that the config names cannot be used.
    """

    def __init__(self, config: BandConfig, agents: Mapping[str, Agent] | None = None) -> None:
        device = open_stage_device(config, SystemClock())
        clock = SystemClock()
        now = clock.now if config.pace == "real" else lambda: device.block_time
        hub = InProcessHub(now=now)
        parts = parts_of(config)
        made = agents or {name: part.build(config) for name, part in parts.items()}
        self._hosts = [
            Host(name, agent, hub.join(name, parts[name].topics), SystemClock())
            for name, agent in made.items()
        ]
        self._desk = None
        if "code_ranking" in made:
            desk_streams = hub.join("code_desk", DESK_HEARS)
            self._desk = build_twin_desk(config, desk_streams, lambda: device.block_time)
        journal_streams = hub.join("journal", JOURNAL_TOPICS)
        journal = Journal(config.out / "journal.sqlite", config.metadata())
        self._journal = JournalRecorder(journal_streams, journal)
        self._audio_streams: InProcessStreams = hub.join("audio", HEARS)
        alarms: deque[str] = deque()
        self._audio = AudioHost(
            build_engine(config),
            device,
            build_recorder(config, alarms),
            self._audio_streams,
            take=lambda: self._audio_streams.receive(0.0),
            after_window=self._play_band,
            n_windows=config.n_windows,
            alarms=alarms,
        )

    def run(self, stop: threading.Event) -> None:
        """Play until the guide ends or `stop` is set; leaves a whole run on disk."""
        try:
            self._audio.run(stop)
        finally:
            if self._desk is not None:
                self._desk.close()
            self._journal.close()

    def _play_band(self) -> None:
        if self._desk is not None:
            self._desk.step(0.0)
        while any([host.play_round(0.0) for host in self._hosts]):
            pass
        self._journal.step(0.0)
