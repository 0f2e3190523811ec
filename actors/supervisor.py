"""The supervisor: starts the band on Ray, watches it, counts restarts, ends it.

One process more than there are roles stands by with everything loaded. When a process dies, Ray
says so at once, and that one takes the role over: the plan of the one that died is hardly over
by then. A process that lives but no longer answers, or whose heart no longer beats, is killed,
which comes to the same. Nothing here is on the path from ear to loudspeaker.
"""

import contextlib
import json
import logging
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from actors.clock import Clock
from actors.ray_session import StartError, start_ray
from actors.roster import roster_of
from actors.stage_config import BandConfig
from agents.messages import Heartbeat
from corpus.whole_file import write_atomically

log = logging.getLogger(__name__)

CPU_SHARE = 0.1
"""What Ray reserves for a process; small, so that two cores hold the band."""
READY_SECONDS = 120.0
"""How long a role may take to load; a large memory is labelled before the band starts."""
LOOK_SECONDS = 0.5
"""How often the processes are asked whether they live."""
SILENT_SECONDS = 4.0
"""So is one whose heart was heard, and then is not for this long in which another's is."""
LATECOMER_SILENT_SECONDS = 120.0
"""How long one may be silent whom nobody waits for: on a busy machine it may not get to speak, and
a new process would cost more than it."""
FRESH_SECONDS = 1.5
"""A heart heard within this time beats."""
PROCESSES_NAME = "processes.json"
"""File in the run's folder while the band plays: role → process id."""


class Supervisor:
    """Owns Ray and the band's processes.

    Args:
        config: the stage; every role builds itself from it.
        clock: for the watch; real pace only.
        tell: called with one short line per step of the start.
    """

    def __init__(self, config: BandConfig, clock: Clock, tell: Callable[[str], None]) -> None:
        self._config = config
        self._roster = roster_of(config)
        self._clock = clock
        self._tell = tell
        self._actors: dict[str, Any] = {}
        self._lives: dict[str, Any] = {}
        self._understudy: Any = None
        self._process_ids: dict[str, int] = {}
        self._questions: dict[str, tuple[Any, float]] = {}
        self._heartbeats: dict[str, tuple[int, float]] = {}
        self._silences: dict[str, float] = {}
        self._entering: dict[str, Any] = {}
        self._look_due = 0.0
        self._done: Any = None
        self._has_ray = False
        self.restarts: dict[str, int] = {}
        self.faults: list[tuple[str, str, str]] = []

    def start(self) -> None:
        """Bring up Ray and every role, in the roster's order, until the band is complete.

        Raises:
            StartError: Ray or a role cannot start.
        """
        import ray

        self._has_ray = True
        self._tell("starting Ray")
        start_ray(address=self._config.evolution.address, niceness=0)
        ready = self._call_an_understudy()
        for stage in sorted({role.rank for role in self._roster.values()}):
            names = [name for name, role in self._roster.items() if role.rank == stage]
            self._tell("starting " + ", ".join(names))
            self._start_roles(names)
        self._write_processes()
        with contextlib.suppress(ray.exceptions.RayError):  # the music does not wait for it
            ray.get(ready, timeout=READY_SECONDS)  # but would rather not be disturbed by its start
        self._done = self._actors["audio"].finished.remote()

    def begin(self) -> None:
        """Let the music start."""
        import ray

        waiting = {n: role for n, role in self._roster.items() if role.waits_for_the_band}
        asked = {name: self._actors[name].begin.remote() for name in waiting}
        ray.get([asked[name] for name, role in waiting.items() if role.is_awaited])

    def look(self) -> None:
        """Notice who died and who hangs; returns at once, call it often."""
        now = self._clock.now()
        self._replace_the_dead()
        if now < self._look_due:
            return
        self._look_due = now + LOOK_SECONDS
        self._let_in()
        for name, actor in self._actors.items():
            if self._roster[name].restarts and name not in self._entering:
                self._look_at(name, actor, now)
        self._listen_to_hearts(now)

    def hear(self, heartbeat: Heartbeat) -> None:
        """A role says that it is alive."""
        self._heartbeats[heartbeat.role] = (heartbeat.process_id, self._clock.now())
        self._silences[heartbeat.role] = 0.0

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
        import ray

        with contextlib.suppress(ray.exceptions.RayError):
            self._actors["audio"].stop.remote()

    def close(self, patience_seconds: float = 8.0) -> None:
        """End every role, the journal last but the broker, then Ray; any number of times.

        Args:
            patience_seconds: how long all of them together may take to end by themselves.
        """
        if not self._has_ray:  # Ctrl-C while it was loaded: half of it is no module
            return
        import ray

        until = self._clock.now() + patience_seconds
        for name in reversed(list(self._roster)):
            actor = self._actors.pop(name, None)
            self._lives.pop(name, None)
            if actor is None:
                continue
            left = max(0.1, until - self._clock.now())
            try:
                actor.stop.remote()
                ray.get(actor.finished.remote(), timeout=left)
            except ray.exceptions.RayError as error:
                log.info("%s did not end by itself: %s", name, error)
            with contextlib.suppress(ray.exceptions.RayError):
                ray.kill(actor)
        ray.shutdown()
        self._processes_path.unlink(missing_ok=True)

    @property
    def _processes_path(self) -> Path:
        return self._config.out / PROCESSES_NAME

    def _write_processes(self) -> None:
        """Tell people and tools which process is whose; whole or not at all."""
        with contextlib.suppress(OSError):  # a full disk does not end the music
            write_atomically(self._processes_path, json.dumps(self._process_ids, indent=1))

    def _start_roles(self, names: Sequence[str]) -> None:
        import ray

        for name in names:
            actor = self._engage()
            actor.play.remote(name)
            self._cast(name, actor)
        for name in names:
            if not self._roster[name].is_awaited:
                self._entering[name] = self._actors[name].ready.remote()
                continue
            try:
                failure = ray.get(self._actors[name].ready.remote(), timeout=READY_SECONDS)
                self._process_ids[name] = ray.get(self._actors[name].process_id.remote())
            except ray.exceptions.RayError as error:
                reason = str(error).strip().splitlines()[0]
                raise StartError(f"{name} must start, but its process failed: {reason}") from None
            if failure:
                raise StartError(failure)

    def _engage(self) -> Any:  # noqa: ANN401 a Ray handle
        """A new process of the band, on this machine: others may have joined."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        from actors.process import ActorClass

        node = ray.get_runtime_context().get_node_id()
        return ActorClass.options(
            num_cpus=CPU_SHARE,
            max_concurrency=8,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node_id=node, soft=False),
        ).remote(self._config.model_dump_json())

    def _cast(self, name: str, actor: Any) -> None:  # noqa: ANN401 a Ray handle
        """From now on `actor` has the role; it will be told when it dies."""
        self._actors[name] = actor
        if self._roster[name].restarts:
            self._lives[name] = actor.live.remote()

    def _call_an_understudy(self) -> Any:  # noqa: ANN401 a Ray reference
        """Have a process for the next role whose process dies; what is ready when it is."""
        self._understudy = self._engage()
        return self._understudy.stand_by.remote()

    def _replace_the_dead(self) -> None:
        import ray

        names = {life: name for name, life in self._lives.items()}
        dead, _ = ray.wait(list(names), num_returns=len(names), timeout=0) if names else ([], [])
        for name in [names[life] for life in dead]:
            successor = self._understudy
            successor.play.remote(name, is_successor=True)
            self._cast(name, successor)
            self._entering.pop(name, None)
            self._questions[name] = (successor.process_id.remote(), self._clock.now())
            self._call_an_understudy()
            self.restarts[name] = self.restarts.get(name, 0) + 1
            self.faults.append((name, "restart", f"{name} died and was restarted"))

    def _let_in(self) -> None:
        """Notice who has become ready, or never will, of those nobody waits for."""
        import ray

        for name, question in list(self._entering.items()):
            answered, _ = ray.wait([question], timeout=0)
            if not answered:
                continue
            del self._entering[name]
            try:
                failure = ray.get(question)
            except ray.exceptions.RayError as error:
                failure = f"{name} cannot play: {str(error).strip().splitlines()[0]}"
            if failure:
                self.faults.append((name, "alarm", failure))

    def _look_at(self, name: str, actor: Any, now: float) -> None:  # noqa: ANN401 a Ray handle
        import ray

        question, asked_at = self._questions.get(name, (None, 0.0))
        if question is None:
            self._questions[name] = (actor.process_id.remote(), now)
            return
        answered, _ = ray.wait([question], timeout=0)
        if not answered:
            hung_seconds = self._roster[name].hung_seconds
            if now - asked_at > hung_seconds:
                self._kill(name, f"{name} did not answer for {hung_seconds:.0f} s")
                self._questions[name] = (question, now)
            return
        del self._questions[name]
        try:
            process_id = ray.get(question)
        except ray.exceptions.RayError:
            return  # it died between question and answer; the next look asks its successor
        if process_id != self._process_ids.get(name):
            self._process_ids[name] = process_id
            self._write_processes()

    def _listen_to_hearts(self, now: float) -> None:
        """Kill who is silent while others are heard: if nobody is, it is the broker that is gone.

        Only time in which another heart is heard counts as silence, so that an outage of the
        broker is held against nobody. A process counts from its first beat on, so that a
        successor has time to load.
        """
        if not any(now - heard <= FRESH_SECONDS for _, heard in self._heartbeats.values()):
            return
        for name, (process_id, heard) in list(self._heartbeats.items()):
            if now - heard > FRESH_SECONDS:
                self._silences[name] += LOOK_SECONDS
            awaited = self._roster[name].is_awaited
            patience = SILENT_SECONDS if awaited else LATECOMER_SILENT_SECONDS
            if self._silences[name] > patience - FRESH_SECONDS:
                del self._heartbeats[name], self._silences[name]
                if process_id == self._process_ids.get(name):
                    self._kill(name, f"{name} was silent for {patience:.0f} s")

    def _kill(self, name: str, why: str) -> None:
        """End a process of this machine for good, stopped ones too, which Ray cannot."""
        self.faults.append((name, "crash", f"{why} and was ended"))
        with contextlib.suppress(ProcessLookupError, KeyError):
            os.kill(self._process_ids[name], signal.SIGKILL)
