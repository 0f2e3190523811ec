"""The studio without its workers: who is next, what is offered, what is kept."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from actors.evolution_studio import Studio
from agents.evolution.checkpoint import CheckpointError, pack
from agents.evolution.evaluation import failed
from corpus.feedback_store import FeedbackStore

ROOT = Path(__file__).resolve().parents[2]
RATE = 22_050


class Tunes:
    """A generator whose clips hang on nothing but the seed."""

    name, sample_rate, licence, allows_paid_shows = "tunes", RATE, "ours", True

    def generate(self, conditions, seconds, seeds):
        return [self._tune(seed, seconds) for _, seed in zip(conditions, seeds, strict=True)]

    def _tune(self, seed, seconds):
        rng, t = np.random.default_rng(seed), np.arange(round(seconds * RATE)) / RATE
        hz = rng.uniform(200, 800)
        body = sum(0.5**k * np.sin(2 * np.pi * hz * (k + 1) * t) for k in range(4))
        return (0.2 * body * np.exp(-3 * (t % 0.25))).astype(np.float32)

    def close(self):
        pass


class Bench:
    """A studio, and its evaluator beside it."""

    def __init__(self, world, tmp_path, **options):
        self.folder = tmp_path / "evolution"
        self.folder.mkdir()
        self.store = tmp_path / "f.sqlite"
        self.config = world.config(self.folder, **options)
        self.folder.joinpath("heard").symlink_to(world.heard)
        self.sources = {"own": world.songs / "03.wav"}
        self.start()

    def start(self):
        self.studio = Studio(self.config, self.store, self.sources, 3, Tunes)
        self.evaluator = self.studio.build_evaluator()

    def generation(self):
        """Ids of a generation, evaluated to its end."""
        ids = []
        while (child := self.studio.next_child()) is not None:
            ids.append(child.id)
            answer, clip = self.evaluator.evaluate(child)
            self.studio.take(answer, clip, RATE)
        self.studio.evolution.close_generation()
        return ids

    def say(self, gesture, song, who="ann"):
        with FeedbackStore(self.store) as store:
            return store.add(who, song, gesture, 0.0)


@pytest.fixture
def bench(world, tmp_path):
    return Bench(world, tmp_path)


def test_the_best_of_a_generation_is_offered_once_as_the_sound_that_was_judged(bench):
    bench.generation()
    name, path, fitness = bench.studio.offer()
    best = bench.studio.evolution.best
    assert name == best.judgement.clip
    assert fitness == best.fitness
    samples, rate = soundfile.read(path, dtype="float32")
    expected = Tunes().generate([""], 1.0, [best.seed])[0]
    assert rate == RATE
    assert np.abs(samples - expected).max() < 1e-6
    assert bench.studio.offer() is None


def test_what_is_not_fit_enough_is_not_offered(world, tmp_path):
    bench = Bench(world, tmp_path, accept=5.0)
    bench.generation()
    assert bench.studio.offer() is None
    assert not (bench.folder / "clips").exists()


def test_a_like_of_a_clip_makes_the_room_another_and_judges_all_anew(bench):
    bench.generation()
    living = bench.studio.evolution.population
    worst = living[-1].judgement.clip
    assert not bench.studio.heed()
    before = {one.judgement.clip: one.fitness for one in living}
    bench.say("like", worst)
    assert bench.studio.heed()
    after = {one.judgement.clip: one.fitness for one in bench.studio.evolution.population}
    assert after[worst] > before[worst]
    assert bench.studio.room.n_heard == 1
    assert not bench.studio.heed()


def test_the_performers_own_files_can_be_liked_too(bench):
    fixed = bench.studio._fixed

    def tastes():
        return {name: float(bench.studio.room.vector() @ x) for name, x in fixed.items()}

    before = tastes()
    assert max(before.values()) > before["own"] + 0.2
    bench.say("like", "own")
    assert bench.studio.heed()
    after = tastes()
    assert after["own"] > before["own"] + 0.3
    assert after["own"] == pytest.approx(sorted(after.values())[-2])  # song 03 is the same sound


def test_contradictory_verdicts_count_as_the_newest(bench):
    bench.say("like", "own")
    bench.studio.heed()
    liked = bench.studio.room.vector()
    bench.say("dislike", "own")
    assert bench.studio.heed()
    assert bench.studio.room.vector() @ bench.studio._fixed["own"] < 0.5
    bench.say("approve", "own")
    bench.studio.heed()
    np.testing.assert_allclose(bench.studio.room.vector(), liked, atol=1e-6)


def test_verdicts_on_what_it_does_not_know_are_counted_and_change_nothing(bench):
    bench.say("like", "a clip of another evolution")
    assert not bench.studio.heed()
    assert bench.studio.room.n_foreign == 1


def test_a_checkpoint_is_gone_on_from_as_if_nothing_had_happened(world, tmp_path):
    bench = Bench(world, tmp_path)
    bench.generation()
    first = bench.studio.offer()[0]
    bench.say("like", first)
    bench.studio.heed()
    bench.studio.save()
    told = [bench.studio.evolution.generation, bench.studio.evolution.n_evaluated]
    expected = bench.generation()
    genomes = [one.genome.key for one in bench.studio.evolution.population]
    bench.start()
    assert [bench.studio.evolution.generation, bench.studio.evolution.n_evaluated] == told
    bench.studio.heed()
    assert bench.studio.room.n_heard == 1
    assert bench.generation() == expected
    assert [one.genome.key for one in bench.studio.evolution.population] == genomes
    offered = bench.studio.offer()
    assert offered is None or offered[0] != first


def test_children_in_flight_are_all_that_a_crash_loses(bench):
    bench.generation()
    handed_out = [bench.studio.next_child() for _ in range(3)]
    bench.studio.save()
    bench.start()
    again = [bench.studio.next_child() for _ in range(3)]
    assert [one.genome.key for one in again] == [one.genome.key for one in handed_out]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"format": "antiphon-evolution", "version": 99, "state": {}}, "got version 99; resume"),
        ({"format": "antiphon-evolution", "version": 1, "state": {}}, "it lacks 'taste'"),
        ([1], "must be a checkpoint of an evolution, got something else"),
    ],
)
def test_a_checkpoint_that_cannot_be_used_is_one_sentence_and_stays(bench, data, said):
    bench.studio.checkpoint.write_bytes(pack(data))
    with pytest.raises(ValueError, match=said):
        bench.start()
    assert bench.studio.checkpoint.read_bytes() == pack(data)


def test_a_taste_model_trained_anew_is_not_gone_on_with(world, tmp_path):
    """Where the clips lie in the old one says nothing about where they lie in the new."""
    world.train(tmp_path / "taste.safetensors", seed=1)
    bench = Bench(world, tmp_path, taste=tmp_path / "taste.safetensors")
    bench.generation()
    bench.studio.save()
    bench.start()
    world.train(tmp_path / "taste.safetensors", seed=2)
    with pytest.raises(ValueError, match="must be of the taste model that evolution"):
        bench.start()


def test_a_taste_model_of_another_encoder_is_refused(world, tmp_path):
    world.train(tmp_path / "taste.safetensors", seed=1, encoder="hidden-layers")
    with pytest.raises(ValueError, match=r"must know songs by descriptors-3.*by hidden-layers"):
        Bench(world, tmp_path, taste=tmp_path / "taste.safetensors")


def test_a_place_that_cannot_be_written_loses_nothing(bench):
    bench.generation()
    (bench.folder / "clips").mkdir()
    bench.folder.joinpath("clips").chmod(0o500)
    (bench.folder / f".{bench.studio.checkpoint.name}.partial").mkdir()
    with pytest.raises((CheckpointError, OSError)):
        bench.studio.save()


def test_children_that_fail_are_counted_and_the_generation_goes_on(bench):
    while (child := bench.studio.next_child()) is not None:
        bench.studio.take(failed(child, "it failed"), np.zeros(0, np.float32), 1)
    bench.studio.evolution.close_generation()
    assert bench.studio.n_failed >= 4
    assert bench.studio.offer() is None
    assert bench.studio.next_child() is not None


def test_old_clips_go_from_the_disk(world, tmp_path):
    bench = Bench(world, tmp_path, most_files=1)
    for _ in range(2):
        bench.generation()
        bench.studio.offer()
    assert len(list((bench.folder / "clips").glob("*.wav"))) == 1


def test_musicgen_is_given_prompts_and_carried_on_as_such(world, tmp_path):
    bench = Bench(world, tmp_path, generator="musicgen", model="folder")
    bench.generation()
    bench.generation()
    living = bench.studio.evolution.population
    assert {one.genome.kind for one in living} == {"prompt"}
    assert all(" " in one.genome.condition for one in living)
    bench.studio.save()
    bench.config = bench.config.model_copy(update={"generator": "sonic-pi"})
    with pytest.raises(ValueError, match="must be of searcher"):
        bench.start()


def test_without_a_taste_there_is_no_evolution(world, tmp_path):
    with pytest.raises(ValueError, match=r"evolution\.taste, a model of `antiphon taste`"):
        Bench(world, tmp_path, taste=None)


def test_a_setting_out_of_its_range_is_one_sentence(world, tmp_path):
    with pytest.raises(ValueError, match=r"evolution\.genetic\.crossed: .*got 7"):
        Bench(world, tmp_path, genetic={"crossed": 7.0})


def test_a_stage_without_an_evolution_loads_nothing_heavy():
    code = "import sys, actors.stage_config, actors.roster; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == "False\n"
