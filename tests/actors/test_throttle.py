import numpy as np
import pytest
from pydantic import ValidationError

from actors.throttle import Throttle, ThrottleConfig
from agents.messages import Played

CONFIG = ThrottleConfig(learn_windows=10, look_windows=8, hold_windows=6)


def played(milliseconds, reason="jump", underruns=0):
    seconds = None if milliseconds is None else milliseconds / 1000
    return Played(0, 0, 0, 0, reason, 0, seconds, True, underruns)


def feed(throttle, milliseconds, n, n_busy=None):
    for _ in range(n):
        throttle.hear(played(milliseconds), throttle.allowed if n_busy is None else n_busy)
    return throttle.allowed


def working(n_workers=4):
    """A throttle that has learned 10 ms and lets all work."""
    throttle = Throttle(n_workers, CONFIG)
    feed(throttle, 10, 10)
    while throttle.allowed < n_workers:
        feed(throttle, 10, 1)
    return throttle


def test_nobody_works_before_the_stages_own_pace_is_known():
    throttle = Throttle(2, CONFIG)
    assert feed(throttle, 10, 9) == 0
    assert not throttle.knows_the_stage
    assert feed(throttle, 10, 1) == 1


def test_one_after_the_other_may_work_while_all_is_calm():
    throttle = Throttle(2, CONFIG)
    feed(throttle, 10, 10)
    assert feed(throttle, 10, 5) == 1
    assert feed(throttle, 10, 1) == 2
    assert feed(throttle, 10, 50) == 2


def test_half_give_way_when_answers_grow_slower_and_then_the_next_half():
    throttle = working(4)
    assert feed(throttle, 20, 8) == 2
    assert feed(throttle, 20, 8) == 1
    assert feed(throttle, 20, 8) == 0
    assert throttle.n_throttled == 3


def test_a_missed_window_stops_all():
    throttle = working(4)
    throttle.hear(played(None, "missed"), 4)
    assert throttle.allowed == 0


def test_an_underrun_is_no_less_a_reason():
    throttle = working(4)
    throttle.hear(played(10, underruns=1), 4)
    assert throttle.allowed == 2


def test_after_calm_one_may_try_again_and_waits_longer_each_time():
    throttle = working(1)
    waits = []
    for _ in range(4):
        while throttle.allowed:
            feed(throttle, 30, 1)
        calm = 0
        while not throttle.allowed:
            feed(throttle, 10, 1)
            calm += 1
        waits.append(calm)
    assert waits == [12, 24, 48, 96]


def test_small_growth_of_a_fast_stage_is_no_reason():
    throttle = Throttle(1, CONFIG)
    feed(throttle, 2, 10)
    assert feed(throttle, 5, 40) == 1


def test_a_slow_stage_is_its_own_measure():
    throttle = Throttle(1, CONFIG)
    feed(throttle, 50, 10)
    assert feed(throttle, 60, 40) == 1
    assert feed(throttle, 80, 8) == 0


def test_noise_around_the_stages_own_pace_is_no_reason():
    throttle, rng = Throttle(2, CONFIG), np.random.default_rng(0)
    for _ in range(400):
        throttle.hear(played(10 + 2 * rng.random()), throttle.allowed)
    assert throttle.allowed == 2
    assert throttle.n_throttled == 0


def test_what_happens_while_nobody_works_is_not_our_doing():
    throttle = working(1)
    while throttle.allowed:
        feed(throttle, 30, 1)
    before = throttle.n_throttled
    throttle.hear(played(None, "missed"), 0)
    assert throttle.n_throttled == before


def test_a_ratio_of_one_is_refused():
    with pytest.raises(ValidationError, match="greater than 1"):
        ThrottleConfig(most_ratio=1.0)
