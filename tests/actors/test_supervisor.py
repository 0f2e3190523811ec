"""The supervisor's watch: who died, who hangs, and what is written about it.

Ray is played by a table of answers here; the real one is in tests/test_survival.py.
"""

import json
import signal
import sys

import pytest

from actors import supervisor as module
from actors.clock import ManualClock
from actors.evolution_config import StageEvolutionConfig
from actors.roster import HUNG_SECONDS, ROSTER, roster_of
from actors.supervisor import LATECOMER_SILENT_SECONDS, LOOK_SECONDS, SILENT_SECONDS, Supervisor
from agents.messages import Heartbeat

ROLES = ("broker", "perception", "decision")


class Question:
    """A process asked for its id."""

    def __init__(self, actor):
        self.actor = actor

    @property
    def is_answered(self):
        return self.actor.answer is not None


class Call:
    """A call of a process that leaves a question behind."""

    def __init__(self, ask):
        self.remote = ask


class Life:
    """It is known to be over when the process is dead."""

    def __init__(self, actor):
        self.actor = actor

    @property
    def is_answered(self):
        return self.actor.is_dead


class Actor:
    """A process: `answer` is its id, or None while it does not answer."""

    def __init__(self, process_id):
        self.answer, self.is_dead, self.roles = process_id, False, []
        self.process_id = Call(lambda: Question(self))
        self.live = Call(lambda: Life(self))
        self.play = Call(lambda role, is_successor: self.roles.append((role, is_successor)))
        self.stand_by = Call(lambda: None)


@pytest.fixture
def watch(demo_stage, tmp_path, monkeypatch):
    return Watch(demo_stage(tmp_path / "run"), monkeypatch)


class Watch:
    """A supervisor whose band has started, and whose kills are written down instead."""

    def __init__(self, config, monkeypatch):
        import ray

        self.clock, self.killed = ManualClock(), []
        self.supervisor = Supervisor(config, self.clock, lambda _: None)
        self.actors = {role: Actor(100 + k) for k, role in enumerate(ROLES)}
        self.understudies = [Actor(200)]
        monkeypatch.setattr(self.supervisor, "_engage", self._engage)
        self.supervisor._call_an_understudy()
        for role, actor in self.actors.items():
            self.supervisor._cast(role, actor)
        self.supervisor._process_ids = {role: a.answer for role, a in self.actors.items()}
        monkeypatch.setattr(
            ray, "wait", lambda asked, **_: ([q for q in asked if q.is_answered], [])
        )
        monkeypatch.setattr(ray, "get", lambda q: q.actor.answer)
        monkeypatch.setattr(module.os, "kill", lambda *order: self.killed.append(order))
        self.out = config.out

    def _engage(self):
        self.understudies.append(Actor(self.understudies[-1].answer + 1))
        return self.understudies[-2]

    def kill(self, role):
        """The process that has the role dies."""
        actor = self.supervisor._actors[role]
        actor.answer, actor.is_dead = None, True

    def look(self, seconds, hearts=()):
        for _ in range(round(seconds / LOOK_SECONDS)):
            self.clock.advance(LOOK_SECONDS)
            for role in hearts:
                self.supervisor.hear(Heartbeat(0, role, self.actors[role].answer or 101, 0, 0))
            self.supervisor.look()


def test_a_band_that_lives_is_left_alone(watch):
    watch.look(60, hearts=("perception", "decision"))
    assert (watch.killed, watch.supervisor.faults, watch.supervisor.restarts) == ([], [], {})


def test_who_stands_by_takes_over_at_once_and_it_is_counted_once_and_told(watch):
    watch.look(2)
    watch.kill("decision")
    watch.supervisor.look()
    assert watch.understudies[0].roles == [("decision", True)]
    watch.look(5)
    assert watch.supervisor.restarts == {"decision": 1}
    [(role, event, sentence)] = watch.supervisor.faults
    assert (role, event) == ("decision", "restart")
    assert "died and was restarted" in sentence


def test_a_successor_that_dies_is_succeeded_too(watch):
    for _ in range(3):
        watch.kill("decision")
        watch.look(1)
    assert [each.roles for each in watch.understudies[:3]] == [[("decision", True)]] * 3
    assert watch.supervisor.restarts == {"decision": 3}


def test_two_who_die_together_have_two_successors(watch):
    watch.kill("decision")
    watch.kill("broker")
    watch.look(1)
    assert sorted(each.roles[0][0] for each in watch.understudies[:2]) == ["broker", "decision"]


def test_who_lives_where_is_written_for_people(watch):
    watch.kill("broker")
    watch.look(2)
    written = json.loads((watch.out / module.PROCESSES_NAME).read_text("utf-8"))
    assert written == {"broker": 200, "perception": 101, "decision": 102}


def test_a_process_that_does_not_answer_is_killed(watch):
    watch.actors["perception"].answer = None
    watch.look(HUNG_SECONDS + 2)
    assert watch.killed == [(101, signal.SIGKILL)]
    assert watch.supervisor.faults[0][:2] == ("perception", "crash")


def test_who_gives_way_to_everybody_may_be_slow_to_answer(demo_stage, tmp_path, monkeypatch):
    evolving = StageEvolutionConfig(enabled=True)
    config = demo_stage(tmp_path / "run").model_copy(update={"evolution": evolving})
    watch = Watch(config, monkeypatch)
    watch.supervisor._actors["evolution"] = Actor(None)
    watch.look(30 * HUNG_SECONDS)
    assert watch.killed == []


def test_a_stage_without_an_evolution_has_no_role_for_it(demo_stage, tmp_path):
    assert "evolution" not in roster_of(demo_stage(tmp_path / "run"))


def test_a_process_that_answers_but_whose_heart_stands_still_is_killed_once(watch):
    watch.look(3, hearts=("perception", "decision"))
    watch.look(SILENT_SECONDS + 3, hearts=("decision",))
    assert watch.killed == [(101, signal.SIGKILL)]


def test_when_all_hearts_are_silent_it_is_the_broker_and_nobody_is_killed(watch):
    watch.look(3, hearts=("perception", "decision"))
    watch.look(60)
    assert watch.killed == []


def test_who_is_heard_last_after_an_outage_of_the_broker_is_not_killed(watch):
    watch.look(3, hearts=("perception", "decision"))
    watch.look(10)
    watch.look(2, hearts=("decision",))
    watch.look(5, hearts=("perception", "decision"))
    assert watch.killed == []


def test_a_successor_that_is_still_loading_is_not_killed(watch):
    watch.look(3, hearts=("perception", "decision"))
    watch.kill("perception")  # the heart of the next one has not been heard yet
    watch.look(30, hearts=("decision",))
    assert watch.killed == []
    assert watch.supervisor.restarts == {"perception": 1}


class Latecomer:
    """A role nobody waits for: what it answers when asked whether it is ready, and who it is."""

    def __init__(self, watch, process_id=500):
        self.readiness = Actor(None)
        watch.supervisor._roster["code_ranking"] = ROSTER["code_ranking"]
        watch.actors["code_ranking"] = Actor(process_id)
        watch.supervisor._cast("code_ranking", watch.actors["code_ranking"])
        watch.supervisor._entering["code_ranking"] = Question(self.readiness)


def test_who_joins_late_is_left_alone_until_ready_and_its_first_process_is_no_restart(watch):
    late = Latecomer(watch, process_id=None)  # it answers nothing while it loads
    watch.look(10 * HUNG_SECONDS)
    assert "code_ranking" not in watch.supervisor._process_ids
    late.readiness.answer, watch.actors["code_ranking"].answer = "", 500
    watch.look(3)
    assert (watch.killed, watch.supervisor.faults, watch.supervisor.restarts) == ([], [], {})
    written = json.loads((watch.out / module.PROCESSES_NAME).read_text("utf-8"))
    assert written["code_ranking"] == 500
    watch.kill("code_ranking")
    watch.look(3)
    assert watch.supervisor.restarts == {"code_ranking": 1}


def test_who_joins_late_and_cannot_play_is_told_and_the_music_goes_on(watch):
    late = Latecomer(watch)
    late.readiness.answer = "code_ranking cannot play: its files are gone"
    watch.look(3)
    assert ("code_ranking", "alarm", late.readiness.answer) in watch.supervisor.faults


def test_who_stands_back_may_be_silent_longer_before_it_is_killed(watch):
    Latecomer(watch).readiness.answer = ""
    watch.look(3, hearts=("perception", "decision", "code_ranking"))
    watch.look(3 * SILENT_SECONDS, hearts=("perception", "decision"))
    assert watch.killed == []
    watch.look(LATECOMER_SILENT_SECONDS, hearts=("perception", "decision"))
    assert watch.killed == [(500, signal.SIGKILL)]


def test_a_band_stopped_while_ray_is_loaded_closes_without_it(demo_stage, tmp_path, monkeypatch):
    supervisor = Supervisor(demo_stage(tmp_path / "run"), ManualClock(), lambda _: None)
    monkeypatch.setitem(sys.modules, "ray", None)  # as good as half of it
    with pytest.raises(ImportError):
        supervisor.start()
    supervisor.close()
