"""The supervisor: starts the band on Ray, watches it, counts restarts, ends it.

Ray restarts a process that dies. The supervisor notices (another process id), and ends a process
that lives but no longer answers, so that Ray restarts that one too. Nothing here is on the path
from ear to loudspeaker.
"""

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from actors.clock import Clock
from actors.roster import ROSTER
from actors.stage_config import BandConfig

log = logging.getLogger(__name__)

READY_SECONDS = 120.0
"""How long a role may take to load; a large memory is labelled before the band starts."""
LOOK_SECONDS = 0.5
"""How often the processes are asked whether they live."""
HUNG_SECONDS = 10.0
"""A process that does not answer for this long is ended, so that Ray starts it anew."""


class StartError(RuntimeError):
    """The band cannot start; the message is one sentence for the user."""


class Supervisor:
    """Owns Ray and the band's processes.

    Args:
        config: the stage; every role builds itself from it.
        clock: for the watch; real pace only.
        tell: called with one short line per step of the start.
    """

    def __init__(self, config: BandConfig, clock: Clock, tell: Callable[[str], None]) -> None:
        self._config = config
        self._clock = clock
        self._tell = tell
        self._actors: dict[str, Any] = {}
        self._process_ids: dict[str, int] = {}
        self._questions: dict[str, tuple[Any, float]] = {}
        self._look_due = 0.0
        self._done: Any = None
        self.restarts: dict[str, int] = {}
        self.faults: list[tuple[str, str, str]] = []

    def start(self) -> None:
        """Bring up Ray and every role, in the roster's order, until the band is complete.

        Raises:
            StartError: Ray or a role cannot start.
        """
        self._tell("starting Ray")
        start_ray()
        config_json = self._config.model_dump_json()
        for stage in sorted({role.rank for role in ROSTER.values()}):
            names = [name for name, role in ROSTER.items() if role.rank == stage]
            self._tell("starting " + ", ".join(names))
            self._start_roles(names, config_json)
        self._done = self._actors["audio"].finished.remote()

    def begin(self) -> None:
        """Let the music start."""
        import ray

        ray.get([self._actors[n].begin.remote() for n in ROSTER if ROSTER[n].waits_for_the_band])

    def look(self) -> None:
        """Notice restarts and hung processes; returns at once, call it often."""
        now = self._clock.now()
        if now < self._look_due:
            return
        self._look_due = now + LOOK_SECONDS
        for name, actor in self._actors.items():
            if ROSTER[name].restarts:
                self._look_at(name, actor, now)

    def finished(self) -> bool:
        """Whether the audio process has ended (the guide is over, or it was stopped)."""
        import ray

        done, _ = ray.wait([self._done], timeout=0)
        return bool(done)

    def result(self) -> str:
        """What the audio process said at its end; empty if all went well."""
        import ray

        try:
            return str(ray.get(self._done, timeout=1.0))
        except ray.exceptions.GetTimeoutError:
            return "the audio process did not end in time"
        except ray.exceptions.RayActorError:
            return "the audio process died; the run is kept up to its last window"

    def stop_music(self) -> None:
        """Ask the audio process to fade out and end."""
        with contextlib.suppress(Exception):
            self._actors["audio"].stop.remote()

    def close(self, patience_seconds: float = 5.0) -> None:
        """End every role, the journal last but the broker, then Ray."""
        import ray

        for name in reversed(list(ROSTER)):
            actor = self._actors.get(name)
            if actor is None:
                continue
            try:
                actor.stop.remote()
                ray.get(actor.finished.remote(), timeout=patience_seconds)
            except ray.exceptions.RayError as error:
                log.info("%s did not end by itself: %s", name, error)
            with contextlib.suppress(ray.exceptions.RayError):
                ray.kill(actor)
        ray.shutdown()

    def process_ids(self) -> dict[str, int]:
        """Role → process id, as last seen."""
        return dict(self._process_ids)

    def _start_roles(self, names: Sequence[str], config_json: str) -> None:
        import ray

        from actors.process import ActorClass

        for name in names:
            role = ROSTER[name]
            self._actors[name] = ActorClass.options(
                name=f"antiphon-{name}-{os.getpid()}",
                num_cpus=role.cpu_share,
                max_restarts=-1 if role.restarts else 0,
                max_task_retries=-1 if role.restarts else 0,
                max_concurrency=8,
            ).remote(name, config_json)
        for name in names:
            try:
                failure = ray.get(self._actors[name].ready.remote(), timeout=READY_SECONDS)
                self._process_ids[name] = ray.get(self._actors[name].process_id.remote())
            except ray.exceptions.RayError as error:
                reason = str(error).strip().splitlines()[0]
                raise StartError(f"{name} must start, but its process failed: {reason}") from None
            if failure:
                raise StartError(failure)

    def _look_at(self, name: str, actor: Any, now: float) -> None:  # noqa: ANN401 a Ray handle
        import ray

        question, asked_at = self._questions.get(name, (None, 0.0))
        if question is None:
            self._questions[name] = (actor.process_id.remote(), now)
            return
        answered, _ = ray.wait([question], timeout=0)
        if not answered:
            if now - asked_at > HUNG_SECONDS:
                sentence = f"{name} did not answer for {HUNG_SECONDS:.0f} s and was ended"
                self.faults.append((name, "crash", sentence))
                ray.kill(actor, no_restart=False)
                self._questions[name] = (actor.process_id.remote(), now)
            return
        del self._questions[name]
        try:
            process_id = ray.get(question)
        except ray.exceptions.RayError:
            return  # it died between question and answer; the next look asks its successor
        if process_id != self._process_ids[name]:
            self._process_ids[name] = process_id
            self.restarts[name] = self.restarts.get(name, 0) + 1
            self.faults.append((name, "restart", f"{name} died and was restarted"))


def start_ray() -> None:
    """Start Ray on this machine alone, quietly, and let its workers find this project.

    Raises:
        StartError: Ray cannot start; nothing is left running.
    """
    root = str(Path(__file__).resolve().parent.parent)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # loopback only; a cluster sets its own
    paths = os.environ.get("PYTHONPATH", "")
    if root not in paths.split(os.pathsep):
        os.environ["PYTHONPATH"] = os.pathsep.join(p for p in (root, paths) if p)
    import ray

    try:
        ray.init(
            num_cpus=max(2, os.cpu_count() or 2),
            include_dashboard=False,
            log_to_driver=False,
            configure_logging=False,
            object_store_memory=100 * 2**20,
            _node_ip_address="127.0.0.1",
        )
    except Exception as error:  # noqa: BLE001 Ray raises whatever its parts raise
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise StartError(
            f"Ray must start on this machine, but it said: {first}; see that memory, the temporary "
            f"folder and ports are free, or play with --pace fast ({sys.executable})"
        ) from None
