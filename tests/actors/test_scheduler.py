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


def test_first_tick_comes_with_sample_zero():
    (due,) = scheduler().advance(0, now=7.0)
    assert (due.tick.window, due.sample, due.seen_at) == (0, 0, 7.0)


def test_tick_carries_beats_and_deadline():
    ticks = scheduler().advance(44100, now=0.0)
    assert [d.tick.moment.beats for d in ticks] == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert ticks[0].tick.deadline_seconds == 0.0625


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
        ticks += s.advance(sample, now=0.0)
    assert [d.tick.window for d in ticks] == list(range(grid.window_of(sample) + 1))
    assert all(d.sample == grid.boundary(d.tick.window) for d in ticks)


def test_reaction_counts_from_the_start_of_the_window():
    s = scheduler()
    s.advance(11025, now=3.0)
    assert s.reaction(1, 3.02) == pytest.approx(0.02)
    assert s.reaction(2, 3.02) is None


def test_deadline_share_outside_its_range_is_refused():
    with pytest.raises(ValueError, match="deadline_share must be in"):
        Scheduler(WindowGrid(44100, Fraction(1, 4)), TEMPO, deadline_share=0)
