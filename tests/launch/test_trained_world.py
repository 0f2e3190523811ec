"""Evolution towards people who give feedback: a room, its changes of mind, clips by name."""

import re
from pathlib import Path

import pytest

from agents.evolution.population import Evolution, EvolutionConfig
from agents.evolution.searchers.llm_evolve import LlmEvolve
from agents.evolution.text_prompts import TextPrompts
from corpus.audio_file import read_audio
from corpus.feedback_store import FeedbackConfig, FeedbackStore
from launch import feedback
from launch.evolve import main
from launch.evolve_settings import EvolveConfig
from launch.trained_world import TrainedWorld

ROOT = Path(__file__).parents[2]
RATE = 22_050


class Room:
    """A world of people, the store they speak into, and an evolution towards them."""

    def __init__(self, world, folder):
        self.store = folder / "f.sqlite"
        taste = {"model": world.taste, "songs": world.songs, "feedback": self.store}
        self.config = EvolveConfig(taste=taste, cache=world.heard)
        FeedbackStore(self.store).close()
        self.start()

    def start(self):
        self.world = TrainedWorld(self.config)
        searcher = LlmEvolve(TextPrompts())
        self.evolution = Evolution(searcher, EvolutionConfig(population=4))

    def say(self, gesture, song, who="ann"):
        with FeedbackStore(self.store, FeedbackConfig(most_per_span=1000)) as store:
            store.add(who, song, gesture, 0.0)

    def taste_for(self, song):
        self.world.heed(self.evolution)
        return float(self.world.fitness.target.vector() @ self.world._fixed[song])


@pytest.fixture
def room(world, tmp_path):
    return Room(world, tmp_path)


def test_a_change_of_mind_is_heard(room):
    nobody = room.taste_for("03")
    room.say("like", "03")
    liked = room.taste_for("03")
    room.say("dislike", "03")
    disliked = room.taste_for("03")
    assert disliked < nobody < liked


def test_the_piece_to_come_near_to_is_as_near_as_can_be(world):
    pieces = sorted(world.songs.rglob("*.wav"))[:2]
    taste = {"model": world.taste, "songs": world.songs, "piece": pieces[0]}
    fitness = TrainedWorld(EvolveConfig(mode="music", taste=taste, cache=world.heard)).fitness
    clips = [read_audio(path, RATE, 1)[:, 0] for path in pieces]
    itself, another = fitness.judge(clips, RATE)
    assert itself.taste == pytest.approx(1.0, abs=1e-4)
    assert another.taste < itself.taste - 1e-3


def test_the_only_verdict_taken_back_leaves_people_in_general(room):
    nobody = room.taste_for("03")
    room.say("like", "03")
    room.taste_for("03")
    room.say("unrate", "03")
    assert room.taste_for("03") == nobody


def test_one_phone_that_floods_counts_less_than_as_many_people(world, tmp_path):
    heard = []
    for name, who in (("phone", "flood"), ("people", "phone {}")):
        (tmp_path / name).mkdir()
        room = Room(world, tmp_path / name)
        room.say("like", "03", "ben")
        for k in range(4, 20):
            room.say("like", f"{k:02}", who.format(k))
        heard.append(room.taste_for("03"))
    assert heard[0] > heard[1] + 0.01


def test_what_was_said_is_there_again_after_a_restart(room):
    room.say("like", "03")
    heard = room.taste_for("03")
    state = room.world.state()
    room.start()
    room.world.restore(state)
    assert room.taste_for("03") == heard


def test_a_clip_of_the_page_can_be_rated_by_its_name(world, tmp_path, capsys):
    store, out = tmp_path / "f.sqlite", tmp_path / "run"
    assert feedback.main(["like", "--store", str(store), "--clip", "03"]) == 0
    arguments = ["--config", str(ROOT / "configs/evolution.yaml"), "--out", str(out)]
    for setting in (
        "seconds=0.6", "evolution.population=4", "workers=0", "surrogate=false",
        f"cache={tmp_path / 'cache'}", f"taste.model={world.taste}", f"taste.songs={world.songs}",
        f"taste.feedback={store}",
    ):  # fmt: skip
        arguments += ["--set", setting]
    assert main([*arguments, "--set", "generations=1"]) == 0
    page = (out / "index.html").read_text()
    [name, *_] = re.findall(r"<code>(\w{32})</code>", page)
    assert (out / "clips" / f"{name}.flac").exists()
    assert feedback.main(["dislike", "--store", str(store), "--clip", name]) == 0
    assert feedback.main(["like", "--store", str(store), "--clip", "12"]) == 0
    assert feedback.main(["like", "--store", str(store), "--clip", "12.flac"]) == 0
    capsys.readouterr()
    assert main([*arguments, "--set", "generations=2"]) == 0
    said = capsys.readouterr().err
    assert f"3 verdicts of {store} count, 1 are about neither a song of taste.songs" in said
