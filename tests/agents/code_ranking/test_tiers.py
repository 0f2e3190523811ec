"""The tiers that run programs, on the installed Sonic Pi."""

import numpy as np
import pytest

from agents.code_ranking.cascade import Cascade
from agents.code_ranking.prediction import stored_predictor
from agents.code_ranking.tiers import EventsTier, HeardTier, StaticTier, hurried
from corpus.sonic_pi.pool import RendererPool

HIDDEN = "eval('play 72')\nplay 60"
SPINNING = "while true do\n  1 + 1\nend"


@pytest.fixture(scope="module")
def predictor():
    return stored_predictor()


@pytest.fixture(scope="module")
def pool(needs_sonic_pi):
    with RendererPool(1, hurried(30.0)) as made:
        yield made


def apart(one, other):
    return float(np.linalg.norm(one.point - other.point))


def test_a_silent_run_shows_what_the_code_hides(predictor, pool):
    tier = EventsTier(predictor, pool)
    static, ran = StaticTier(predictor).estimate(HIDDEN), tier.estimate(HIDDEN)
    plain = tier.estimate("play 72\nplay 60")
    assert not static.is_trusted
    assert (ran.tier, ran.is_trusted, ran.coverage) == ("events", True, 1.0)
    assert apart(ran, plain) < 0.01 < apart(static, plain)


def test_what_begins_late_is_heard_all_the_same(predictor, pool):
    tier = HeardTier(predictor, pool, seconds=1.0)
    late = tier.estimate("sleep 3\nplay 60, release: 4")
    assert not late.is_silent
    assert tier.estimate("sleep 3").is_silent


def test_errors_are_told_and_what_was_played_before_them_counts(predictor, pool):
    found = HeardTier(predictor, pool, seconds=1.0).estimate("play 60\nno_such_thing")
    assert not found.is_silent
    assert "no_such_thing" in found.faults[0]
    assert "\n" not in found.faults[0]
    assert HeardTier(predictor, pool, seconds=1.0).estimate("play 60,,").is_broken


@pytest.mark.usefixtures("needs_sonic_pi")
def test_a_program_without_an_end_is_given_up_and_keeps_its_estimate(predictor):
    pool = RendererPool(1, hurried(1.0))
    with pool:
        tier = EventsTier(predictor, pool)
        assert tier.estimate(SPINNING) is None
        with Cascade(predictor, events=tier) as cascade:
            ranking = cascade.rank("", [SPINNING, "play 60"])
    assert ranking.chosen == (1,)
    assert "within its limits" in ranking.answers[0].faults[-1]


def test_lengths_out_of_range_are_refused(predictor, pool):
    with pytest.raises(ValueError, match="seconds must be in"):
        HeardTier(predictor, pool, seconds=11.0)
