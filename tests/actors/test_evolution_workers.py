"""Workers on a real Ray: broken generators and killed processes cost children in flight only."""

import os
import signal
import sys
from functools import partial

import numpy as np
import pytest
import ray
import soundfile

from actors.clock import SystemClock
from actors.evolution_player import HEARS, EvolutionPlayer
from actors.evolution_studio import CHECKPOINT_NAME
from actors.evolution_workers import Workforce, WorkforceError
from actors.ray_session import start_ray
from actors.streams.in_process_streams import InProcessHub
from actors.streams.machinery_messages import Fault
from agents.evolution.checkpoint import RunLock, load_checkpoint, pack
from agents.evolution.evaluation import Evaluator
from agents.evolution.fitness import WORST, Judgement
from agents.evolution.genome import Genome, Individual
from agents.messages import Clip, EvolutionState, Feedback, Played, Tick
from agents.musical_time import TempoMap
from corpus.feedback_store import FeedbackStore

pytestmark = pytest.mark.ray
RATE = 22_050
ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="module", autouse=True)
def ray_here():
    start_ray(2, niceness=0)
    yield
    ray.shutdown()


class Obedient:
    """A generator that does what the program says; "play" is a tone."""

    name, sample_rate, licence, allows_paid_shows = "obedient", RATE, "ours", True

    def generate(self, conditions, seconds, seeds):
        return [
            self._one(condition.strip(), seconds, s)
            for condition, s in zip(conditions, seeds, strict=True)
        ]

    def _one(self, order, seconds, seed):
        if order == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if order == "raise":
            raise ValueError("no such voice")
        if order == "nan":
            return np.full(round(seconds * RATE), np.nan, np.float32)
        if order == "nothing":
            return np.zeros(0, np.float32)
        if order == "silence":
            return np.zeros(round(seconds * RATE), np.float32)
        t = np.arange(round(seconds * RATE)) / RATE
        hz = 200 + seed % 600
        # many silent harmonics: long enough at work to be seen there on any machine
        body = sum(0.5**k * np.sin(2 * np.pi * hz * (k + 1) * t) for k in range(400))
        return (0.2 * body * np.exp(-3 * (t % 0.25))).astype(np.float32)

    def close(self):
        pass


class Loudness:
    """A fitness that needs no model: how loud a clip is."""

    def judge(self, clips, _):
        return [self._judge(clip) for clip in clips]

    def _judge(self, clip):
        good = len(clip) > 0 and bool(np.isfinite(clip).all()) and bool(np.any(clip))
        fitness = float(np.abs(clip).mean()) if good else WORST
        return Judgement("", fitness, 0.0, 0.0, None, None, None, "" if good else "not a clip")


def build():
    return Evaluator(Obedient(), Loudness(), 1.0)


def child(number, order="play"):
    return Individual(number, Genome("program", order), 0)


@pytest.fixture(scope="module")
def workforce():
    made = Workforce(build, 1, priority="normal")
    yield made
    made.close()


def all_answers(workforce, children, seconds=300):
    """Answers by id; the children are handed out as there is room."""
    clock, children, answers = SystemClock(), list(children), {}
    until = clock.now() + seconds
    while children or workforce.n_waiting or workforce.n_busy:
        assert clock.now() < until, f"only {sorted(answers)} were answered"
        if workforce.n_busy == 0:
            workforce.hand_out(None if workforce.n_waiting else children.pop(0))
        for done in workforce.collect(1.0):
            answers[done.answer.id] = done
    return answers


def test_whatever_a_generator_does_every_child_is_answered(workforce):
    orders = ["play", "raise", "nan", "nothing", "silence", "play"]
    answers = all_answers(workforce, [child(k, order) for k, order in enumerate(orders)])
    fitness = [answers[k].answer.judgement.fitness for k in range(6)]
    assert [one > WORST for one in fitness] == [True, False, False, False, False, True]
    assert len(answers[0].clip) == answers[0].sample_rate == RATE


def test_who_asks_for_nothing_works_at_ordinary_priority(workforce):
    [process_id] = workforce.process_ids()
    assert os.getpriority(os.PRIO_PROCESS, process_id) == os.getpriority(os.PRIO_PROCESS, 0)


def test_a_worker_that_is_killed_costs_nothing_but_time(workforce):
    [process_id] = workforce.process_ids()
    workforce.hand_out(child(10))
    os.kill(process_id, signal.SIGKILL)
    answers = all_answers(workforce, [child(11)])
    assert sorted(answers) == [10, 11]
    assert all(one.answer.judgement.fitness > WORST for one in answers.values())


def test_a_child_that_kills_its_workers_has_failed_and_the_next_lives(workforce):
    before, children = workforce.n_lost, workforce.n_children_lost
    answers = all_answers(workforce, [child(21, "die"), child(22)])
    assert answers[21].answer.judgement.reason == "its workers died"
    assert answers[22].answer.judgement.fitness > WORST
    assert workforce.n_lost == before + 2
    assert workforce.n_children_lost == children + 1


def cannot_build():
    raise ValueError("the generator needs a voice; install one")


def test_workers_that_cannot_begin_end_it_with_a_sentence():
    workforce = Workforce(cannot_build, 1, priority="normal")
    with pytest.raises(WorkforceError, match="the generator needs a voice; install one"):
        all_answers(workforce, [child(0)])
    workforce.close()


class Stage:
    """A player in a world of its own, and a stage that plays to it, window by window."""

    def __init__(self, demo_stage, world, tmp_path, **options):
        self.folder = tmp_path / "evolution"
        self.folder.mkdir(exist_ok=True)
        if not (self.folder / "heard").exists():
            (self.folder / "heard").symlink_to(world.heard)
        throttle = {"learn_windows": 4, "look_windows": 4, "hold_windows": 2}
        settings = world.config(
            self.folder, **{"throttle": throttle, "priority": "normal", **options}
        )
        run = tmp_path / f"run{len(list(tmp_path.glob('run*')))}"
        self.config = demo_stage(run, memory=[world.songs / "03.wav"]).model_copy(
            update={"evolution": settings}
        )
        self.hub = InProcessHub(queue_messages=4096)
        self.listener = self.hub.join("listener", {m.TOPIC for m in (Clip, EvolutionState, Fault)})
        self.stage = self.hub.join("stage", ())
        streams = self.hub.join("evolution", HEARS)
        self.player = EvolutionPlayer(self.config, streams, SystemClock(), make=Obedient)
        self.window, self.heard = 0, []

    def is_set(self):
        """The player's stop event: each look at it is a window of the stage, until it is enough."""
        self.window += 1
        moment = TempoMap().moment(self.window, 0.0)
        self.stage.publish(Tick(self.window, moment, 0.1))
        self.stage.publish(Played(self.window, 0, 0, 0, "jump", 0, self.reaction(), True, 0))
        self.heard += [envelope.message for envelope in self.listener.receive(0.0)]
        return self.enough(self) or SystemClock().now() > self.until

    def play(self, enough, reaction=0.01, seconds=120.0):
        """Evolve until `enough`; what was said by then."""
        self.enough, self.until = enough, SystemClock().now() + seconds
        self.reaction = reaction if callable(reaction) else lambda: reaction
        self.player.run(self)
        self.heard += [envelope.message for envelope in self.listener.receive(0.0)]
        assert SystemClock().now() < self.until, self.heard[-5:]
        return self.heard

    def of(self, kind):
        return [message for message in self.heard if isinstance(message, kind)]


@pytest.fixture
def stage(demo_stage, world, tmp_path):
    return partial(Stage, demo_stage, world, tmp_path)


def clips(n):
    return lambda stage: len(stage.of(Clip)) >= n


def faults(stage):
    return bool(stage.of(Fault))


class Evening:
    """Two clips, a like, a stage that answers more slowly, and a second evening after it."""

    def __init__(self, stage):
        self.first = stage()
        self.n_clips = self.liked = 0
        self.first.play(self.enough, self.reaction, seconds=300)
        self.second = stage()
        self.second.play(lambda stage: bool(stage.of(EvolutionState)))

    def enough(self, stage):
        self.n_clips = len(stage.of(Clip))
        if self.n_clips and not self.liked:
            with FeedbackStore(stage.config.feedback_store) as store:
                store.add("ann", stage.of(Clip)[0].name, "like", 0.0)
                store.add("ann", "a clip that is gone", "like", 1.0)
            stage.stage.publish(Feedback(stage.window, "like", "osc", "", ""))
            self.liked = True
        rated = any(state.n_ratings == 1 for state in stage.of(EvolutionState))
        return self.n_clips >= 2 and rated and stage.player._throttle.n_throttled > 0

    def reaction(self):
        busy = self.n_clips >= 2 and self.first.player._n_busy
        return 0.05 if busy else 0.01


@pytest.fixture(scope="module")
def evening(demo_stage, world, tmp_path_factory):
    return Evening(partial(Stage, demo_stage, world, tmp_path_factory.mktemp("evening")))


def test_generations_offer_clips_that_are_there(evening):
    [one, other] = evening.first.of(Clip)[:2]
    assert one.name != other.name
    assert one.fitness > WORST
    assert soundfile.info(one.path).duration == pytest.approx(1.0)


def test_feedback_is_taken_in_while_it_evolves(evening):
    heard = [state for state in evening.first.of(EvolutionState) if state.n_ratings == 1]
    assert "1 verdicts are about clips that this" in heard[0].detail


def test_it_gives_way_when_the_stage_answers_more_slowly(evening):
    workers = [state.workers for state in evening.first.of(EvolutionState)]
    assert workers[-1] == 0 or 0 in workers[1:]


def test_the_next_evening_goes_on_from_the_checkpoint(evening):
    last, first = evening.first.of(EvolutionState)[-1], evening.second.of(EvolutionState)[0]
    assert first.generation >= last.generation >= 2
    assert first.n_evaluated >= last.n_evaluated
    saved = load_checkpoint(evening.first.folder / CHECKPOINT_NAME)
    assert saved["evolution"]["generation"] == first.generation


def test_two_evolutions_on_one_folder_are_told_apart(stage):
    second = stage()
    with RunLock(second.folder):
        second.play(faults)
    [fault] = second.of(Fault)
    assert "one evolution at a time, and another is using it" in fault.detail
    assert "the music goes on" in fault.detail


def test_what_cannot_be_evolved_is_one_sentence(stage):
    playing = stage(genetic={"crossed": 7.0})
    playing.play(faults)
    [fault] = playing.of(Fault)
    assert fault.event == "alarm"
    assert "evolution.genetic.crossed" in fault.detail


def test_a_checkpoint_of_another_version_is_left_alone(stage):
    playing = stage()
    path = playing.folder / CHECKPOINT_NAME
    data = pack({"format": "antiphon-evolution", "version": 99, "state": {}})
    path.write_bytes(data)
    playing.play(faults)
    assert "got version 99; resume it with" in playing.of(Fault)[0].detail
    assert path.read_bytes() == data


def test_a_checkpoint_that_cannot_be_written_is_said_and_the_music_goes_on(stage):
    playing = stage()
    (playing.folder / f".{CHECKPOINT_NAME}.partial").mkdir()  # no checkpoint can be written
    playing.play(lambda stage: bool(stage.of(EvolutionState)))
    assert len([fault for fault in playing.of(Fault) if "checkpoint" in fault.detail]) == 1
