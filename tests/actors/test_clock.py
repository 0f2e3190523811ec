import pytest

from actors.clock import ManualClock, SystemClock


def test_manual_clock_jumps_to_what_is_waited_for_and_never_back():
    clock = ManualClock(2.0)
    clock.wait_until(5.0)
    clock.wait_until(3.0)
    assert clock.now() == 5.0


def test_manual_clock_refuses_to_go_back():
    with pytest.raises(ValueError, match="forward only"):
        ManualClock().advance(-0.1)


def test_system_clock_returns_at_once_for_the_past_and_not_before_the_future():
    clock = SystemClock()
    start = clock.now()
    clock.wait_until(start - 1)
    clock.wait_until(start + 0.01)
    assert clock.now() >= start + 0.01
