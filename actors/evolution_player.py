"""Evolution in the background of a stage: a role that listens, hands out work, and gives way.

It never touches the path from ear to loudspeaker and nothing waits for it. Whatever stops it (no
taste model, a full disk, another evolution in its folder) is said in one sentence; the music goes
on without it.
"""

import contextlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median
from typing import TYPE_CHECKING, Final

import ray

from actors.clock import Clock
from actors.evolution_workers import Workforce, WorkforceError
from actors.feedback_desk import source_names
from actors.stage_config import BandConfig
from actors.streams.machinery_messages import Fault
from actors.streams.streams import Streams
from actors.throttle import Throttle
from agents.messages import Clip, Control, EvolutionState, Feedback, Metric, Played, Tick

if TYPE_CHECKING:  # heavy imports wait until the music plays
    from actors.evolution_studio import Studio
    from agents.evolution.generators.generator import Generator

_log = logging.getLogger(__name__)

CONTROL: Final = "evolution.workers"
"""The control that says how many may work at most; 0 is a pause."""

HEARS: Final = (Tick.TOPIC, Played.TOPIC, Feedback.TOPIC, Control.TOPIC)
"""Topics of the role."""
ROUND_SECONDS: Final = 0.2
"""How long a round waits for news."""
COLLECT_SECONDS: Final = 0.05
"""How long it then waits for a worker."""
HEED_SECONDS: Final = 2.0
"""How often the store is looked into while verdicts come in."""
REFUSALS: Final = (ValueError, OSError, RuntimeError, ray.exceptions.RayError)
"""What ends an evolution with a sentence."""


class EvolutionPlayer:
    """Runs generations until it is stopped; answers the control "evolution.workers".

    Args:
        config: the stage; its `evolution` is enabled.
        streams: subscribed to HEARS.
        clock: paces the looks into the store.
        prelabel: labels a clip's file ahead, so that the memory finds it labelled.
        make: another generator than the config's.
    """

    def __init__(
        self,
        config: BandConfig,
        streams: Streams,
        clock: Clock,
        prelabel: Callable[[Path], object] = lambda _: None,
        make: "Callable[[], Generator] | None" = None,
    ) -> None:
        self._config, self._streams, self._clock = config, streams, clock
        self._prelabel, self._make = prelabel, make
        self._throttle = Throttle(config.evolution.workers, config.evolution.throttle)
        self._most = config.evolution.workers
        self._window = self._n_refused = 0
        self._n_busy = 0
        self._verdicts = False
        self._heed_due = 0.0
        self._alarmed: set[str] = set()

    def run(self, stop: threading.Event) -> None:
        """Evolve in the calling thread until `stop` is set; closes the streams at the end."""
        try:
            try:
                self._evolve(stop)
            except REFUSALS as error:
                self._alarm(f"evolution has stopped, the music goes on: {_sentence(error)}")
            while not stop.is_set():
                self._listen()
        finally:
            self._streams.close()

    def _evolve(self, stop: threading.Event) -> None:
        from agents.evolution.checkpoint import RunLock

        settings = self._config.evolution
        settings.folder.mkdir(parents=True, exist_ok=True)
        with RunLock(settings.folder):
            while not (stop.is_set() or self._throttle.knows_the_stage):
                self._listen()
            if stop.is_set():
                return
            import torch

            from actors.evolution_studio import Studio

            torch.set_num_threads(1)
            files = self._config.memory
            sources = dict(zip(source_names(files), files, strict=True))
            store, seed = self._config.feedback_store, self._config.seed
            studio = Studio(settings, store, sources, seed, self._make)
            workforce = Workforce(
                studio.build_evaluator, settings.workers, settings.resources, settings.priority
            )
            studio.heed()
            self._tell(studio)
            try:
                while not stop.is_set():
                    self._round(studio, workforce)
            finally:
                workforce.close()
                self._keep(studio)

    def _round(self, studio: "Studio", workforce: Workforce) -> None:
        if self._listen():
            self._tell(studio)
        self._employ(studio, workforce)
        before = workforce.n_lost
        for done in workforce.collect(COLLECT_SECONDS):
            studio.take(done.answer, done.clip, done.sample_rate)
        if workforce.n_lost > before:
            self._tell(studio, "a worker died; its child is handed out again")
        self._n_busy = workforce.n_busy
        if studio.evolution.is_complete:
            studio.evolution.close_generation()
            self._turn(studio)
        elif self._verdicts and self._clock.now() >= self._heed_due:
            self._heed(studio)

    def _employ(self, studio: "Studio", workforce: Workforce) -> None:
        while workforce.n_busy < self._allowed:
            if workforce.n_waiting:
                workforce.hand_out()
            elif (child := studio.next_child()) is not None:
                workforce.hand_out(child)
            else:
                break
        self._n_busy = workforce.n_busy

    @property
    def _allowed(self) -> int:
        return min(self._throttle.allowed, self._most)

    def _turn(self, studio: "Studio") -> None:
        """A generation is over: heed, offer, keep, tell."""
        self._heed(studio)
        try:
            offered = studio.offer()
        except (ValueError, OSError) as error:
            self._alarm(_sentence(error))
            offered = None
        if offered is not None:
            name, path, fitness = offered
            with contextlib.suppress(ValueError, OSError):  # whoever keeps the memory says why
                self._prelabel(path)
            self._streams.publish(Clip(self._window, name, str(path), fitness))
        self._keep(studio)
        self._tell(studio)

    def _heed(self, studio: "Studio") -> None:
        self._verdicts, self._heed_due = False, self._clock.now() + HEED_SECONDS
        try:
            studio.heed()
        except (ValueError, OSError) as error:
            self._alarm(_sentence(error))

    def _keep(self, studio: "Studio") -> None:
        try:
            studio.save()
        except ValueError as error:
            self._alarm(_sentence(error))

    def _listen(self) -> bool:
        """Take in what was said; whether another number of workers may work now."""
        changed = False
        for envelope in self._streams.receive(ROUND_SECONDS):
            match envelope.message:
                case Tick(window):
                    self._window = window
                case Played() as played:
                    changed |= self._throttle.hear(played, self._n_busy)
                case Feedback():
                    self._verdicts = True
                case Control(name=name, value=value) if name == CONTROL:
                    changed |= self._set_most(value)
                case _:
                    pass
        return changed

    def _set_most(self, value: float | int | str | bool) -> bool:
        """Take over the control, or count that it is refused."""
        if type(value) is not int or not 0 <= value <= self._config.evolution.workers:
            self._n_refused += 1
            refused = float(self._n_refused)
            self._streams.publish(Metric(self._window, "evolution.refused", refused))
            return False
        self._most = value
        return True

    def _tell(self, studio: "Studio", detail: str = "") -> None:
        living = [one.fitness for one in studio.evolution.population if one.judgement]
        foreign = studio.room.n_foreign
        if foreign and not detail:
            detail = f"{foreign} verdicts are about clips that this evolution does not know"
        state = EvolutionState(
            window=self._window,
            generation=studio.evolution.generation,
            best=max(living, default=None),
            mean=mean(living) if living else None,
            median=median(living) if living else None,
            n_evaluated=studio.evolution.n_evaluated,
            n_failed=studio.n_failed,
            n_ratings=studio.room.n_heard,
            workers=self._allowed,
            detail=detail,
        )
        self._streams.publish(state)

    def _alarm(self, sentence: str) -> None:
        """Say it once."""
        _log.warning("%s", sentence)
        if sentence not in self._alarmed:
            self._alarmed.add(sentence)
            self._streams.publish(Fault(self._window, "evolution", "alarm", sentence[:500]))


def _sentence(error: BaseException) -> str:
    if isinstance(error, WorkforceError | ValueError):
        return " ".join(str(error).split())
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__
