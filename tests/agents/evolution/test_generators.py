import threading

import numpy as np
import pytest

from agents.evolution.fitness import WORST
from agents.evolution.generators.sonic_pi import SonicPiGenerator
from agents.evolution.generators.watched import WatchedGenerator
from agents.evolution.population import Evolution, EvolutionConfig
from agents.evolution.searchers.cma_es import CmaEs
from agents.evolution.searchers.snes import Snes
from agents.evolution.searchers.vector_genetic import VectorGenetic
from agents.evolution.searchers.vectors import embedding_space
from models.musicgen import MusicGenGenerator

RATE = 8000


class Moody:
    """A generator with every fault; what it does is what it is asked for."""

    name, sample_rate, licence, allows_paid_shows = "moody", RATE, "none", True
    made = 0

    def __init__(self):
        type(self).made += 1
        self.calls = 0

    def generate(self, conditions, seconds, seeds):
        self.calls += 1
        clips = []
        for condition, seed in zip(conditions, seeds, strict=True):
            clip = np.full(round(seconds * RATE), 0.1 * (seed + 1), np.float32)
            if condition == "raise":
                raise RuntimeError("out of memory\nand a long trace")
            if condition == "hang":
                threading.Event().wait(60)
            clips.append(
                {"nan": clip * np.nan, "silence": 0 * clip, "short": clip[:5]}.get(condition, clip)
            )
        return clips[:-1] if "nothing" in conditions else clips

    def close(self):
        pass


@pytest.fixture
def watched():
    Moody.made = 0
    made = WatchedGenerator(Moody, patience_seconds=0.3)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("raise", "it failed: out of memory"),
        ("nan", "a clip must be finite, it gave NaN or infinity"),
        ("silence", "a clip must sound, it gave digital silence"),
        ("short", "a clip must be mono and last 0.5 s"),
        ("nothing", "it gave nothing"),
    ],
)
def test_each_fault_costs_only_its_own_clip_and_is_counted_by_a_sentence(watched, fault, said):
    good, bad, other = watched.generate(["good", fault, "other"], 0.5, [0, 1, 2])
    assert (len(good), len(bad), len(other)) == (RATE // 2, 0, RATE // 2)
    [(reason, count)] = watched.failures.items()
    assert reason.startswith(said)
    assert count == 1
    assert "\n" not in reason


def test_a_generator_that_hangs_is_left_behind_and_made_anew(watched):
    bad, good = watched.generate(["hang", "good"], 0.5, [0, 1])
    assert (len(bad), len(good)) == (0, RATE // 2)
    assert "it gave no answer within 0.3 s" in next(iter(watched.failures))
    assert Moody.made >= 2


def test_a_clip_is_generated_once(watched):
    [one] = watched.generate(["good"], 0.5, [4])
    again, other = watched.generate(["good", "good"], 0.5, [4, 5])
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0
    assert watched.n_generated == 2


def test_the_cache_lets_go_of_the_oldest():
    small = WatchedGenerator(Moody, cache_megabytes=2 * RATE * 4 / 2**20)
    for seed in (0, 1, 2, 0):
        small.generate(["good"], 1.0, [seed])
    assert small.n_generated == 4
    small.close()


def test_all_conditions_reach_the_generator_in_one_call(watched):
    """Checklist A3, defect 7: a batch was generated one by one."""
    clips = watched.generate(["one", "other", "third"], 0.5, [0, 1, 2])
    assert [len(clip) for clip in clips] == [RATE // 2] * 3
    assert watched._inner.calls == 1


@pytest.fixture(scope="module")
def musicgen(tiny_musicgen):
    made = WatchedGenerator(lambda: MusicGenGenerator(tiny_musicgen))
    yield made
    made.close()


@pytest.mark.parametrize(
    "searcher",
    [lambda s: CmaEs(s, seed=1, batch=4), lambda s: Snes(s, seed=1), lambda s: VectorGenetic(s)],
    ids=["cma-es", "snes", "genetic"],
)
def test_embeddings_are_searched_through_musicgen(musicgen, searcher, answers_of):
    """Checklist A3, section V-B: token embeddings in, clips out, what they are worth back in."""
    table = musicgen.embeddings()
    space = embedding_space(table, 2)
    evolution, loudness = Evolution(searcher(space), EvolutionConfig(population=8)), {}
    for _ in range(3):
        children = evolution.ask()
        clips = musicgen.generate(
            [one.genome.condition for one in children], 0.1, [one.seed for one in children]
        )
        for one, clip in zip(children, clips, strict=True):
            loudness[one.genome.key] = float(np.abs(clip).mean())
        evolution.tell(answers_of(children, lambda genome: loudness[genome.key]))
        evolution.close_generation()
    assert not musicgen.failures
    assert len({one.genome.key for one in evolution.population}) == 8
    assert {one.genome.vector.shape for one in evolution.population} == {(2, table.shape[1])}
    assert len({one.fitness for one in evolution.population}) > 1
    assert evolution.n_evaluated == 8 + 7 + 7


def test_an_empty_clip_is_the_worst_there_is():
    from agents.evolution.fitness import _unjudged

    assert _unjudged(np.zeros(0, np.float32), "nothing").fitness == WORST


@pytest.fixture(scope="module")
def sonic_pi():
    seen = []
    made = SonicPiGenerator(2, on_rendering=lambda code, got: seen.append((code, got)))
    yield made, seen
    made.close()


def test_programs_become_clips_in_order(sonic_pi):
    made, seen = sonic_pi
    programs = ["play 60", "sleep 1", "play (", "sample :bd_haus"]
    clips = made.generate(programs, 0.5, [0, 0, 0, 0])
    assert [clip.shape for clip in clips] == [(22_050,)] * 4
    assert [bool(np.abs(clip).max() > 0) for clip in clips] == [True, False, False, True]
    assert [code for code, _ in seen] == programs


@pytest.mark.parametrize(
    ("conditions", "seeds", "message"),
    [(["play 60"], [], "as many seeds"), ([np.zeros((2, 2))], [0], "needs programs")],
)
def test_what_is_no_program_is_refused(sonic_pi, conditions, seeds, message):
    with pytest.raises(ValueError, match=message):
        sonic_pi[0].generate(conditions, 0.5, seeds)
