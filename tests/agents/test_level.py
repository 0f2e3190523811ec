import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.action.level import InputLevel, LevelConfig, match_level

LEVELS = st.floats(-120, 0)
CONFIG = LevelConfig(level_db=-3, level_evenness=0.5)


def gain(config=CONFIG, *, segment=-20.0, typical=-20.0, heard=-20.0, before=None, follows=False):
    return match_level(
        config,
        segment_db=segment,
        typical_db=typical,
        input_db=heard,
        before_db=before,
        continues=follows,
    )


def test_the_typical_segment_sits_at_the_ratio_to_the_input():
    assert gain(typical=-20, segment=-20, heard=-12) == pytest.approx(5)


def test_half_of_the_dynamics_of_the_memory_is_kept():
    assert gain(segment=-30, heard=-17) == pytest.approx(5)
    assert gain(segment=-10, heard=-17) == pytest.approx(-5)


def test_before_anything_is_heard_the_memory_is_as_loud_as_it_is():
    assert gain(heard=None) == 0


def test_noise_is_never_raised():
    assert gain(segment=-55, typical=-55, heard=-10) == 0


def test_gain_moves_in_small_steps_and_smaller_inside_a_passage():
    assert gain(heard=-5, before=0.0) == CONFIG.seam_step_db
    assert gain(heard=-5, before=0.0, follows=True) == CONFIG.continued_step_db


@given(LEVELS, LEVELS, st.none() | LEVELS, st.none() | st.floats(-24, 12), st.booleans())
def test_gain_stays_in_its_bounds(segment, typical, heard, before, follows):
    found = gain(segment=segment, typical=typical, heard=heard, before=before, follows=follows)

    assert CONFIG.min_gain_db <= found <= CONFIG.max_gain_db


def test_the_first_windows_set_the_level_and_later_ones_move_it_slowly():
    level = InputLevel(0.25)
    for window in range(40):
        level.hear(window, -20.0, time_constant=6.0)
    level.hear(40, 0.0, time_constant=6.0)

    assert level.before(40) == pytest.approx(-20)
    assert level.before(41) == pytest.approx(-19.2, abs=0.05)


def test_the_level_of_a_window_does_not_count_what_came_after():
    level = InputLevel(0.25)
    level.hear(3, -30.0, time_constant=6.0)
    level.hear(4, -10.0, time_constant=6.0)

    assert level.before(3) is None
    assert level.before(4) == -30


def test_a_window_heard_twice_counts_once():
    level = InputLevel(0.25)
    level.hear(1, -30.0, time_constant=6.0)
    level.hear(1, -10.0, time_constant=6.0)

    assert level.before(2) == -30
