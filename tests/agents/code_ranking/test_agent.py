"""The code-ranking agent: an answer at once, a surer one later, and nothing it cannot refuse."""

import threading

import numpy as np
import pytest

from agents.code_ranking.agent import CodeRankingAgent, CodeRankingConfig, build
from agents.code_ranking.cascade import Cascade
from agents.code_ranking.estimate import Estimate
from agents.code_ranking.prediction import stored_predictor
from agents.code_ranking.recent_sound import RecentSound
from agents.code_ranking.stage_load import StageLoad
from agents.messages import AudioIn, CodeRanked, CodeRequest, Metric, Played
from agents.musical_time import Moment
from corpus.sonic_pi.install import InstallConfig

RATE, WINDOW = 8000, 0.25
MOMENT = Moment(12, 3.0, 6.0, 120.0)
CONTEXT = "use_bpm 100\nlive_loop :drums do\n  sample :bd_haus\n  sleep 1\nend"
CODES = (
    "live_loop :mel do\n  synth :prophet, note: :c3\n  sleep 0.25\nend",
    "live_loop :pad do\n  synth :hollow, note: :e3, sustain: 2\n  sleep 4\nend",
    "live_loop :hats do\n  sample :drum_cymbal_closed\n  sleep 0.25\nend",
)


class Listener:
    """A tier that hears what it is told to hear, when it is let go."""

    key, name = "listener", "heard"

    def __init__(self):
        self.go = threading.Event()

    def estimate(self, code):
        self.go.wait(10)
        point = np.zeros(stored_predictor().space.dim, dtype=np.float32)
        point[0] = len(code)
        return Estimate("heard", point, 1.0, True, False, False)


class Stage:
    """An agent with its inbox; seconds move when told."""

    def __init__(self, heard=None, *, is_patient=False, **config):
        self.seconds = 0.0
        self.cascade = Cascade(stored_predictor(), heard=heard, now=lambda: self.seconds)
        self.agent = CodeRankingAgent(
            self.cascade,
            RecentSound(RATE, WINDOW, 2.0),
            StageLoad(WINDOW),
            CodeRankingConfig(**config),
            is_patient=is_patient,
        )

    def say(self, *messages):
        return self.agent.step(MOMENT, messages)

    def wait_for_last(self):
        """The last answer: windows go by, and what runs in the background gets its time."""
        while True:
            for future in list(self.cascade.running.values()):
                future.result(10)
            answers = self.say(played())
            if answers:
                [answer] = answers
                assert answer.final
                return answer


@pytest.fixture
def stage():
    made = []

    def begin(heard=None, **options):
        made.append(Stage(heard, **options))
        return made[-1]

    yield begin
    for one in made:
        one.agent.close()


def request(name="r1", context=CONTEXT, candidates=CODES, mode="diversity", keep=2, **more):
    return CodeRequest(11, name, context, tuple(candidates), mode, keep, **more)


def played(reaction=0.01, reason="jump", underruns=0):
    return Played(11, 0, 0, 0, reason, 0, reaction, True, underruns)


def heard(window, amplitude=0.1):
    rng = np.random.default_rng(window)
    sound = amplitude * rng.standard_normal((int(RATE * WINDOW), 2))
    return AudioIn(window, sound.astype(np.float32))


def test_without_a_renderer_the_first_answer_is_the_last_and_rests_on_the_code_alone(stage):
    [answer] = stage().say(request())
    assert (answer.request, answer.window, answer.final) == ("r1", 12, True)
    assert sorted(answer.order) == [0, 1, 2]
    assert answer.order[:2] == answer.chosen
    assert answer.tiers == ("static",) * 3
    assert all(np.isfinite(answer.scores))
    assert (answer.candidates, answer.context) == (CODES, CONTEXT)


def test_an_early_answer_is_followed_by_one_that_was_heard(stage):
    listener = Listener()
    begun = stage(listener)
    [early] = begun.say(request())
    assert (early.final, early.tiers) == (False, ("static",) * 3)
    assert begun.say(played()) == []  # nothing new yet
    listener.go.set()
    last = begun.wait_for_last()
    assert last.tiers == ("heard",) * 3
    assert begun.say(played()) == []  # said once


def test_when_time_is_over_what_was_found_is_the_last_answer(stage):
    listener = Listener()
    begun = stage(listener, seconds=5)
    begun.say(request())
    begun.seconds = 5.0
    [answer] = begun.say(played())
    assert (answer.final, answer.tiers) == (True, ("static",) * 3)
    listener.go.set()


def test_the_newest_of_several_requests_wins_and_the_others_are_told(stage):
    answers = stage().say(request("a"), request("b"), request("c"))
    dropped = [m for m in answers if isinstance(m, CodeRanked) and not m.order]
    assert [m.request for m in dropped] == ["a", "b"]
    assert all("newer" in m.errors[0] and m.candidates == () for m in dropped)
    assert Metric(12, "code_ranking.dropped", 2.0) in answers
    assert answers[-1].request == "c"


def test_a_newer_request_ends_the_one_under_way_with_what_was_found(stage):
    listener = Listener()
    begun = stage(listener)
    begun.say(request("a"))
    first, second = begun.say(request("b"))
    assert (first.request, first.final, len(first.order)) == ("a", True, 3)
    assert (second.request, second.final) == ("b", False)
    listener.go.set()


def test_a_strained_stage_has_nothing_rendered(stage):
    listener = Listener()
    listener.go.set()
    begun = stage(listener)
    begun.say(played(reaction=0.06), played(underruns=1))
    [answer] = begun.say(request())
    assert answer.tiers == ("static",) * 3
    assert not begun.cascade.running


def test_rendering_stops_while_the_stage_is_strained_and_goes_on_afterwards(stage):
    listener = Listener()
    begun = stage(listener)
    begun.say(request())
    listener.go.set()
    for future in list(begun.cascade.running.values()):
        future.result(10)
    for _ in range(5):
        assert begun.say(played(reaction=None), played(reason="missed")) == []
        assert not begun.cascade.running
    begun.say(*[played() for _ in range(16)])
    assert begun.wait_for_last().tiers == ("heard",) * 3


def test_nearest_means_near_to_what_was_heard_lately(stage):
    begun = stage()
    noise = "live_loop :n do\n  synth :noise, sustain: 0.25, release: 0\n  sleep 0.25\nend"
    begun.say(*[heard(k) for k in range(8)])
    [answer] = begun.say(request(candidates=(*CODES[:2], noise), mode="nearest", keep=1))
    assert (answer.mode, answer.chosen) == ("nearest", (2,))
    assert answer.scores == tuple(sorted(answer.scores))


@pytest.mark.parametrize("windows", [[], [heard(0)], [heard(k, 0.0) for k in range(8)]])
def test_nearest_to_nothing_is_answered_by_diversity_and_said(stage, windows):
    begun = stage()
    begun.say(*windows)
    [answer] = begun.say(request(mode="nearest"))
    assert "nothing is heard" in answer.errors[0]
    assert len(answer.chosen) == 2


def test_a_context_that_cannot_be_read_is_told(stage):
    [answer] = stage().say(request(context="use_bpm 100\nplay ("))
    assert any("context" in error and "line 2" in error for error in answer.errors)


def test_a_candidate_is_ranked_with_the_settings_of_its_context(stage):
    fast, slow = "use_bpm 240\n", "use_bpm 40\n"
    answers = [
        stage().say(request(context=tempo, candidates=(CODES[0], CODES[2])))[0]
        for tempo in (fast, slow)
    ]
    assert answers[0].scores != answers[1].scores


def test_bad_candidates_are_left_out_with_a_sentence_each_and_the_rest_is_ranked(stage):
    bad = ("", "live_loop :x do\n  play (", CONTEXT, "# only a comment", "play :c4 if")
    [answer] = stage().say(request(candidates=(*CODES, *bad)))
    assert sorted(answer.order) == [0, 1, 2]
    said = " | ".join(answer.errors)
    for words in ("4 is left out: empty", "5 is left out: syntax error (line", "6 is left out: "
                  "equal to the context", "7 is left out", "8 is left out"):  # fmt: skip
        assert words in said


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (request(candidates=()), "got none"),
        (request(candidates=CODES * 20), "at most 32 candidates"),
        (request(candidates=("x" * 20_001,)), "at most 20000 characters"),
        (request(context="x" * 20_001), "at most 20000 characters"),
        (request(mode="loudest"), "mode must be one of"),
        (request(keep=0), "keep must be in"),
        (request(keep=10**9), "keep must be in"),
    ],
)
def test_a_request_that_cannot_be_answered_is_refused_with_a_sentence(stage, bad, why):
    [answer] = stage().say(bad)
    assert (answer.order, answer.final) == ((), True)
    assert why in answer.errors[0]


def test_without_sonic_pi_the_code_alone_decides_and_it_is_said_what_to_install(tmp_path):
    config = CodeRankingConfig(install=InstallConfig(root=tmp_path))
    agent = build(config, RATE, WINDOW, is_patient=False)
    answer = answered(agent, request())
    assert (answer.final, set(answer.tiers)) == (True, {"static"})
    assert "apt-get install" in answer.errors[-1]


def answered(agent, asked):
    """The last answer of an agent, whose first look a busy machine may cut short."""
    answers = agent.step(MOMENT, [asked])
    while not answers or not answers[-1].final:
        answers = agent.step(MOMENT, [played()])
    agent.close()
    return answers[-1]


def test_what_was_found_out_is_kept_in_a_file_and_one_that_cannot_be_used_is_done_without(tmp_path):
    config = CodeRankingConfig(runs_programs=False)
    good, bad = tmp_path / "cache" / "programs.sqlite", tmp_path / "bad.sqlite"
    bad.write_text("no cache of estimates " * 100)
    agents = [
        build(config, RATE, WINDOW, is_patient=False, cache=path) for path in (good, good, bad)
    ]
    first, second, third = [answered(agent, request()) for agent in agents]
    assert good.stat().st_size > 0
    assert first == second
    assert (third.order, third.scores) == (first.order, first.scores)
    assert "bad.sqlite" in third.errors[-1]


def test_fewer_candidates_than_asked_for_and_one_alone_are_ranked(stage):
    [answer] = stage().say(request(candidates=CODES[:1], context="", keep=3))
    assert (answer.chosen, answer.scores) == ((0,), (0.0,))


def test_a_question_for_a_language_model_is_not_for_the_agent(stage):
    assert stage().say(request(candidates=(), propose=3)) == []


def test_the_patient_twin_answers_once_wholly_and_always_the_same(stage):
    def answer():
        listener = Listener()
        listener.go.set()
        [only] = stage(listener, is_patient=True).say(request())
        return only

    assert answer() == answer()
    assert answer().final
    assert answer().tiers == ("heard",) * 3
