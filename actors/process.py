"""A role in a process of its own: what Ray starts, watches and restarts.

Ray re-runs `__init__` after a crash, so the worker thread is started there; sockets and models
are made inside that thread. Ray calls carry the life cycle only, never the beat.
"""

import faulthandler
import logging
import os
import threading
import traceback

import ray

from actors.priority import ask_for_real_time
from actors.roster import ROSTER
from actors.stage_config import BandConfig

log = logging.getLogger(__name__)


class RoleProcess:
    """One role of the roster, playing in a thread of this process.

    Args:
        role: a key of the roster.
        config_json: the stage's config; what is built is built here, from it.
    """

    def __init__(self, role: str, config_json: str) -> None:
        faulthandler.enable()
        self.role = role
        self._config = BandConfig.model_validate_json(config_json)
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._begin = threading.Event()
        self._finished = threading.Event()
        self._failure = ""
        context = ray.get_runtime_context()
        self._restarted = bool(context.was_current_actor_reconstructed)
        if self._restarted:
            self._begin.set()
        threading.Thread(target=self._play, name=role, daemon=True).start()

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
        """The process the role lives in now; another one after a restart."""
        return os.getpid()

    def _play(self) -> None:
        if ROSTER[self.role].priority:
            ask_for_real_time(ROSTER[self.role].priority)
        try:
            player = ROSTER[self.role].prepare(self._config, self._restarted)
            self._ready.set()
            if ROSTER[self.role].waits_for_the_band:
                self._begin.wait()
            player.run(self._stop)
        except Exception as error:  # noqa: BLE001 the thread's last frame: told to the supervisor
            traceback.print_exc()
            self._failure = f"{self.role} cannot play: {error}"
            if ROSTER[self.role].restarts and (self._restarted or self._ready.is_set()):
                os._exit(1)  # a process without its role would look alive; the next one may play
        finally:
            self._ready.set()
            self._finished.set()


ActorClass = ray.remote(RoleProcess)
