from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.scheduler import Scheduler
from agents.musical_time import TempoMap
from corpus.segmentation import WindowGrid

TEMPO = TempoMap(120.0)


def scheduler(rate=44100, window=Fraction(1, 4)):
    return Scheduler(WindowGrid(rate, window), TEMPO)


def test_nothing_is_due_before_the_first_window_is_over():
    assert list(scheduler().advance(11024, now=1.0)) == []


def test_tick_carries_beats_and_deadline():
    ticks = [due.tick for due in scheduler().advance(44100, now=0.0)]
    assert [tick.moment.beats for tick in ticks] == [0.5, 1.0, 1.5, 2.0]
    assert ticks[0].deadline_seconds == 0.0625


def test_a_window_started_as_long_ago_as_samples_came_after_it():
    (due,) = scheduler().advance(11025 + 441, now=3.0)
    assert due.started == pytest.approx(2.99)


@given(
    st.sampled_from([8000, 22050, 44100, 48000]),
    st.sampled_from(["0.125", "0.25", "0.35", "1/3"]),
    st.lists(st.integers(0, 5000), min_size=1, max_size=60),
)
def test_every_window_ticks_once_in_order_however_the_clock_steps(rate, window, steps):
    grid = WindowGrid(rate, Fraction(window))
    s = Scheduler(grid, TEMPO)
    sample, ticks = 0, []
    for step in steps:
        sample += step
        ticks += [due.tick.window for due in s.advance(sample, now=0.0)]
    assert ticks == list(range(1, grid.window_of(sample) + 1))


def test_deadline_share_outside_its_range_is_refused():
    with pytest.raises(ValueError, match="deadline_share must be in"):
        Scheduler(WindowGrid(44100, Fraction(1, 4)), TEMPO, deadline_share=0)
