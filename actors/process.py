"""A process of the band: it stands by with everything loaded until it is given a role, then plays.

A role plays in a thread of its own; sockets and models are made inside that thread. Ray calls
carry the life cycle only, never the beat.
"""

import faulthandler
import gc
import logging
import os
import threading
import traceback

import ray

from actors.parts import PARTS
from actors.priority import FAR_BEHIND, ask_for_real_time, step_back
from actors.roster import ROSTER
from actors.stage_config import BandConfig

log = logging.getLogger(__name__)


class RoleProcess:
    """A process that will have one role of the roster, or has it.

    Args:
        config_json: the stage's config; what is built is built here, from it.
    """

    def __init__(self, config_json: str) -> None:
        faulthandler.enable()
        self.role = ""
        self._config = BandConfig.model_validate_json(config_json)
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._begin = threading.Event()
        self._finished = threading.Event()
        self._failure = ""
        self._is_successor = False

    def stand_by(self) -> None:
        """Load all that an agent of this band needs, so that a successor need not."""
        for name, part in PARTS.items():
            if ROSTER[name].is_awaited:
                part.build(self._config)

    def play(self, role: str, is_successor: bool = False) -> None:
        """Take a role, a key of the roster; returns at once.

        Args:
            role: whose.
            is_successor: the one who had it died; the band plays already.
        """
        self.role, self._is_successor = role, is_successor
        if is_successor:
            self._begin.set()
        threading.Thread(target=self._play, name=role, daemon=True).start()

    def live(self) -> None:
        """Never return: the call fails when the process dies, which tells it at once."""
        threading.Event().wait()

    def ready(self) -> str:
        """Wait until the role can play; empty if it can, else one sentence."""
        self._ready.wait()
        return self._failure

    def begin(self) -> None:
        """The band is complete: the roles that wait for it start."""
        self._begin.set()

    def stop(self) -> None:
        """Ask the role to end; `finished` says when it has."""
        self._stop.set()
        self._begin.set()

    def finished(self) -> str:
        """Wait until the role has ended; empty if all went well, else one sentence."""
        self._finished.wait()
        return self._failure

    def process_id(self) -> int:
        """Which process this is; asked often, it also tells that the process still answers."""
        return os.getpid()

    def _play(self) -> None:
        priority = ROSTER[self.role].priority
        if priority is not None:
            ask_for_real_time(priority)
        try:
            player = ROSTER[self.role].prepare(self._config, self._is_successor)
            # Ray has all its processes search their whole memory for garbage now and then, twice a
            # minute while actors are waiting to start: 200 ms in which nothing else here can run.
            gc.freeze()
            self._ready.set()
            if priority is None:
                step_back(FAR_BEHIND)  # only now: on a busy machine it would never get ready
            if ROSTER[self.role].waits_for_the_band:
                self._begin.wait()
            player.run(self._stop)
        except Exception as error:  # noqa: BLE001 the thread's last frame: told to the supervisor
            traceback.print_exc()
            self._failure = f"{self.role} cannot play: {error}"
            if ROSTER[self.role].restarts and (self._is_successor or self._ready.is_set()):
                os._exit(1)  # a process without its role would look alive; the next one may play
        finally:
            self._ready.set()
            self._finished.set()


ActorClass = ray.remote(RoleProcess)
