"""The cascade: what it asks of which tier, and what it answers when time is over."""

import threading

import numpy as np
import pytest

from agents.code_ranking.cascade import Cascade, CascadeConfig, open_cascade
from agents.code_ranking.estimate import Estimate
from agents.code_ranking.estimate_cache import EstimateCache
from agents.code_ranking.prediction import stored_predictor
from agents.code_ranking.ranking import Wish
from corpus.sonic_pi.install import InstallConfig

BEAT = "live_loop :beat do\n  sample :bd_haus\n  sleep {sleep}\nend\n"
PAD = "live_loop :pad do\n  synth :hollow, note: :{note}, sustain: 2\n  sleep 4\nend\n"
BELLS = (
    "live_loop :bells do\n  synth :pretty_bell, note: scale(:c6, :major).tick\n  sleep 0.25\nend"
)
CODES = [BEAT.format(sleep=0.5), BEAT.format(sleep=0.52), PAD.format(note="e3"), BELLS]
STRANGE = "some_thing_unheard_of\nplay 60"


@pytest.fixture(scope="module")
def predictor():
    return stored_predictor()


class Oracle:
    """A tier that knows where programs lie because it is told, and what it was asked."""

    key = "oracle"

    def __init__(self, predictor, name="heard", points=None, gate=None, fails=None):
        self.name, self.asked = name, []
        self._dim, self._points, self._gate, self._fails = (
            predictor.space.dim, points or {}, gate, fails
        )  # fmt: skip

    def estimate(self, code):
        self.asked.append(code)
        if self._gate is not None:
            self._gate.wait(10)
        if self._fails is not None:
            raise self._fails
        place = self._points.get(code)
        if place is None:
            return None
        point = np.zeros(self._dim, dtype=np.float32)
        point[: np.size(place)] = place
        return Estimate(self.name, point, 1.0, True, False, False)


def places(*values):
    return dict(zip(CODES, values, strict=True))


def test_the_code_alone_ranks_the_most_distinct(predictor):
    with Cascade(predictor) as cascade:
        ranking = cascade.rank("", CODES, keep=3)
    assert {index // 2 if index < 2 else index for index in ranking.chosen} == {0, 2, 3}
    assert sorted(ranking.order) == [0, 1, 2, 3]
    assert {answer.tier for answer in ranking.answers} == {"static"}
    assert ranking.is_final


def test_what_is_like_the_context_is_not_chosen(predictor):
    with Cascade(predictor) as cascade:
        ranking = cascade.rank(BEAT.format(sleep=0.51), CODES, keep=2)
    assert set(ranking.chosen) == {2, 3}


def test_what_is_heard_replaces_what_was_foreseen(predictor):
    heard = Oracle(predictor, points=places(0.0, 9.0, 0.1, 0.2))
    with Cascade(predictor, heard=heard) as cascade:
        ranking = cascade.rank("", CODES, keep=2)
    assert set(ranking.chosen) == {0, 1}
    assert {answer.tier for answer in ranking.answers} == {"heard"}
    assert len(heard.asked) == len(CODES)


def test_those_that_would_be_shown_are_heard_first(predictor):
    with Cascade(predictor) as cascade:
        chosen = cascade.rank("", CODES, keep=2).chosen
    points = {code: predictor.foresee(code).point for code in CODES}
    heard = Oracle(predictor, points=points)
    with Cascade(predictor, heard=heard) as cascade:
        ranking = cascade.rank("", CODES, keep=2, most_heard=2)
    assert heard.asked == [CODES[place] for place in chosen]
    assert set(ranking.chosen) == set(chosen)  # what was heard is what was foreseen


def test_an_error_that_all_share_does_not_set_the_unheard_back(predictor):
    shift = np.full(predictor.space.dim, 5.0, dtype=np.float32)
    points = {code: predictor.foresee(code).point + shift for code in CODES}
    with Cascade(predictor) as cascade:
        chosen = cascade.rank("", CODES, keep=3).chosen
    for most_heard in range(len(CODES) + 1):
        with Cascade(predictor, heard=Oracle(predictor, points=points)) as cascade:
            ranking = cascade.rank("", CODES, keep=3, most_heard=most_heard)
        kinds = [{max(place, 1) for place in found} for found in (ranking.chosen, chosen)]
        assert kinds[0] == kinds[1]  # the first two are nearly the same beat


def test_the_context_is_heard_before_any_candidate(predictor):
    heard = Oracle(predictor, points={**places(1.0, 2.0, 3.0, 4.0), "play 50": 0.0})
    with Cascade(predictor, heard=heard) as cascade:
        ranking = cascade.rank("play 50", CODES, keep=1)
    assert heard.asked[0] == "play 50"
    assert ranking.context == "heard"
    assert ranking.chosen == (3,)


def test_only_what_is_not_understood_is_run_without_sound(predictor):
    events = Oracle(predictor, "events", points={STRANGE: 1.0})
    with Cascade(predictor, events=events) as cascade:
        ranking = cascade.rank("", [*CODES, STRANGE])
    assert events.asked == [STRANGE]
    assert [answer.tier for answer in ranking.answers] == ["static"] * 4 + ["events"]


def test_when_time_is_over_the_best_so_far_is_the_answer(predictor):
    gate = threading.Event()
    heard = Oracle(predictor, points=places(1.0, 2.0, 3.0, 4.0), gate=gate)
    with Cascade(predictor, heard=heard) as cascade:
        cascade.rank("", CODES, keep=2, most_heard=0)  # the code is read
        ranking = cascade.rank("", CODES, keep=2, seconds=0.05)
        gate.set()
    assert {answer.tier for answer in ranking.answers} == {"static"}
    assert len(ranking.chosen) == 2
    assert not ranking.is_final


def test_every_program_is_looked_at_by_its_code_however_little_time_there_is(predictor):
    heard = Oracle(predictor, points=places(1.0, 2.0, 3.0, 4.0))
    with Cascade(predictor, heard=heard) as cascade:
        ranking = cascade.rank("play 50", CODES, keep=2, seconds=0.0)
    assert heard.asked == []
    assert {answer.tier for answer in ranking.answers} == {"static"}
    assert ranking.context == "static"
    assert len(ranking.chosen) == 2
    assert not ranking.is_final


@pytest.mark.parametrize(
    ("context", "notice"),
    [
        ("play 50", ""),
        ("sleep 1", ""),
        ("play 50,,", "nothing is compared with the context: line 1: syntax error: cannot read"),
        ("synth :nosuch", "nothing is compared with the context: runtime error: there is no synth"),
        ("play 50\nsynth :nosuch", "in the context: runtime error: there is no synth nosuch"),
        (f"{BELLS}\n{STRANGE}", "in the context: not understood: some_thing_unheard_of"),
    ],
)
def test_what_is_wrong_with_the_context_is_told(predictor, context, notice):
    with Cascade(predictor) as cascade:
        cascade.notices.append("one more")
        ranking = cascade.rank(context, CODES)
    assert ranking.context_notice.startswith(notice)
    assert bool(ranking.context_notice) == bool(notice)
    assert ranking.all_notices == (*filter(None, [ranking.context_notice]), "one more")


def test_what_was_under_way_is_kept_for_the_next_question(predictor):
    gate = threading.Event()
    heard = Oracle(predictor, points=places(1.0, 2.0, 3.0, 4.0), gate=gate)
    with Cascade(predictor, heard=heard) as cascade:
        cascade.rank("", CODES, keep=2, seconds=0.05)
        gate.set()
        cascade.rank("", CODES, keep=2)
        cascade.rank("", CODES, keep=2)
    assert sorted(heard.asked) == sorted(CODES)


def test_a_step_without_time_does_not_wait(predictor):
    gate = threading.Event()
    heard = Oracle(predictor, points=places(1.0, 2.0, 3.0, 4.0), gate=gate)
    with Cascade(predictor, heard=heard) as cascade:
        inquiry = cascade.begin("", CODES, Wish(keep=2))
        assert all(inquiry.step(0.0) for _ in range(20))
        assert not inquiry.ranking().is_final
        gate.set()
        while inquiry.step(10.0):
            pass
        assert inquiry.ranking().is_final


def test_without_time_one_program_is_read_at_a_step_else_all(predictor):
    codes = [*CODES, CODES[0]]
    for seconds, n_steps in ((0.0, len(codes)), (1.0, 1)):
        with Cascade(predictor) as cascade:
            inquiry = cascade.begin("", codes, Wish(keep=2))
            assert [inquiry.step(seconds) for _ in range(n_steps)] == [True] * n_steps
            assert not inquiry.step(seconds)
            assert inquiry.ranking().answers[4].twin == 0


def test_a_program_that_cannot_be_heard_in_time_keeps_its_estimate(predictor):
    heard = Oracle(predictor, points={CODES[2]: 1.0})
    with Cascade(predictor, heard=heard) as cascade:
        ranking = cascade.rank("", CODES, keep=2)
    assert [answer.tier for answer in ranking.answers] == ["static", "static", "heard", "static"]
    assert "within its limits" in ranking.answers[0].faults[-1]


def test_a_tier_that_breaks_is_left_out_and_told(predictor):
    heard = Oracle(predictor, fails=RuntimeError("the language could not be loaded"))
    with Cascade(predictor, heard=heard) as cascade:
        ranking = cascade.rank("", CODES, keep=2)
        again = cascade.rank("", CODES, keep=2)
    assert len(heard.asked) == 1
    assert len(ranking.chosen) == 2
    assert "could not be loaded" in ranking.notices[0]
    assert again.notices == ranking.notices


def test_nearest_puts_first_what_is_nearest_to_a_sound(predictor):
    target = predictor.foresee(PAD.format(note="f3")).point
    with Cascade(predictor) as cascade:
        ranking = cascade.rank(CODES[0], CODES, keep=2, near=target)
    assert ranking.mode == "nearest"
    assert ranking.order[0] == 2
    assert ranking.answers[0].set_aside == "equal to the context"
    distances = [ranking.answers[index].distance for index in ranking.order[:3]]
    assert distances == sorted(distances)


def test_near_and_unlike_each_other_can_be_traded(predictor):
    codes = [PAD.format(note=note) for note in ("e3", "f3", "eb3")] + [BELLS]
    target = predictor.foresee(PAD.format(note="e3")).point
    with Cascade(predictor) as cascade:
        near = cascade.rank("", codes, keep=2, near=target)
        both = cascade.rank("", codes, keep=2, near=target, trade=0.1)
    assert 3 not in near.chosen
    assert both.chosen == (0, 3)


def test_one_candidate_is_ranked_as_among_many(predictor):
    with Cascade(predictor) as cascade:
        alone = cascade.rank("play 50", CODES[:1])
        among = cascade.rank("play 50", CODES)
    assert alone.chosen == (0,)
    np.testing.assert_array_equal(alone.points[0], among.points[0])


def test_no_candidates_give_an_empty_ranking(predictor):
    with Cascade(predictor) as cascade:
        assert cascade.rank("play 50", []).order == ()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"keep": 0}, "keep must be at least 1, got 0"),
        ({"trade": 2.0}, "trade must be in"),
        ({"seconds": -1.0}, "seconds must be at least 0"),
        ({"seconds": float("nan")}, "seconds must be at least 0"),
        ({"most_heard": -1}, "most_heard must be at least 0"),
        ({"near": np.zeros(3, dtype=np.float32)}, "near must be a point of"),
    ],
)
def test_arguments_out_of_range_are_refused(predictor, arguments, words):
    with Cascade(predictor) as cascade, pytest.raises(ValueError, match=words):
        cascade.rank("", CODES, **arguments)


def test_a_file_keeps_estimates_from_one_run_to_the_next(predictor, tmp_path):
    points = places(1.0, 2.0, 3.0, 4.0)
    first, second = Oracle(predictor, points=points), Oracle(predictor, points=points)
    rankings = []
    for oracle in (first, second):
        cache = EstimateCache(tmp_path / "estimates.sqlite")
        with Cascade(predictor, heard=oracle, cache=cache) as cascade:
            rankings.append(cascade.rank("", CODES, keep=2))
    assert second.asked == []
    assert rankings[0].order == rankings[1].order
    np.testing.assert_array_equal(rankings[0].points, rankings[1].points)


def test_without_sonic_pi_the_code_alone_decides_and_that_is_told(tmp_path):
    config = CascadeConfig(install=InstallConfig(root=tmp_path))
    with open_cascade(config) as cascade:
        ranking = cascade.rank("", CODES)
    assert len(ranking.chosen) == 3
    assert "apt-get install" in ranking.notices[0]


def test_a_candidate_plays_with_the_functions_and_at_the_tempo_of_its_context(predictor):
    context = "use_bpm 240\nuse_synth :prophet\ndefine :riff do\n  play 60\nend\nriff"
    candidate = "live_loop :a do\n  riff\n  sleep 1\nend"
    with Cascade(predictor) as cascade:
        within = cascade.rank(context, [candidate, BELLS], keep=1)
        whole = cascade.rank("", [context.removesuffix("\nriff") + "\n\n" + candidate], keep=1)
    assert within.answers[0].faults == ()
    assert within.answers[0].set_aside == ""
    np.testing.assert_allclose(within.points[0], whole.points[0], atol=1e-5)


def test_a_candidate_that_waits_for_a_loop_of_its_context_sounds_as_if_it_heard_it(predictor):
    context = "live_loop :drums do\n  sample :bd_haus\n  sleep 1\nend"
    waiting = "live_loop :bass, sync: :drums do\n  use_synth :fm\n  play 40\n  sleep 0.5\nend"
    with Cascade(predictor) as cascade:
        ranking = cascade.rank(context, [waiting, PAD.format(note="e3"), BELLS], keep=3)
        next_beat = "sleep 1\n" + waiting.replace(", sync: :drums", "")
        free = cascade.rank("", [next_beat], keep=1)
    assert ranking.answers[0].set_aside == ""
    others = np.linalg.norm(ranking.points[1:] - ranking.points[0], axis=1)
    assert np.linalg.norm(free.points[0] - ranking.points[0]) < 0.25 * others.min()


def test_faults_are_told_in_the_lines_of_the_candidate(predictor):
    with Cascade(predictor) as cascade:
        ranking = cascade.rank("use_bpm 90\nuse_synth :fm\nplay 50", ["play 60\nplay (", BELLS])
    assert ranking.answers[0].set_aside == "syntax error"
    assert ranking.answers[0].faults[0].startswith("line 2")
