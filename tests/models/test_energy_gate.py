import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from models.energy_gate import EnergyGate, EnergyGateConfig, level_db

WINDOW = 0.25


def gate(**changes: float) -> EnergyGate:
    return EnergyGate(EnergyGateConfig(**changes), WINDOW)


def test_playing_is_heard_and_what_lies_under_the_floor_is_not():
    ear = gate()
    assert [ear.is_silent(db) for db in (-20.0, -61.0, -120.0, -59.0)] == [
        False,
        True,
        True,
        False,
    ]


def test_digital_silence_never_opens_the_gate_however_long_it_lasts():
    ear = gate()
    assert all(ear.is_silent(-120.0) for _ in range(10_000))
    assert ear.reference_db == -60.0


def test_a_murmur_after_a_fortissimo_is_silent_first_and_heard_once_the_reference_has_sunk():
    ear = gate(release_db_per_second=4.0)
    ear.is_silent(-5.0)
    silent = [ear.is_silent(-55.0) for _ in range(10)]
    assert silent == [True] * 4 + [False] * 6  # 5 dB too much, 1 dB a window


def test_the_reference_follows_a_louder_window_at_once():
    ear = gate()
    ear.is_silent(-50.0)
    ear.is_silent(-3.0)
    assert ear.reference_db == -3.0


def test_the_reference_never_sinks_below_what_is_playing():
    ear = gate()
    for _ in range(10_000):
        ear.is_silent(-40.0)
    assert ear.reference_db == -40.0


def test_nan_is_silent_and_leaves_the_reference_alone():
    ear = gate()
    before = ear.reference_db
    assert ear.is_silent(math.nan)
    assert ear.reference_db == before


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=50))
def test_the_reference_stays_in_its_bounds_whatever_comes(levels):
    ear = gate()
    for level in levels:
        ear.is_silent(level)
        assert -60.0 <= ear.reference_db <= 0.0


@given(st.lists(st.floats(-120, 6), max_size=30), st.lists(st.floats(-120, 6), max_size=30))
def test_a_restored_gate_goes_on_as_the_old_one_would(before, after):
    old, new = gate(), gate()
    for level in before:
        old.is_silent(level)
    new.restore(old.reference_db)
    assert [old.is_silent(x) for x in after] == [new.is_silent(x) for x in after]


def test_skipped_windows_release_the_reference_like_silent_ones():
    skipped, heard = gate(), gate()
    skipped.skip(7)
    for _ in range(7):
        heard.is_silent(-120.0)
    assert skipped.reference_db == pytest.approx(heard.reference_db)


def test_reset_returns_to_the_stated_start():
    ear = gate(initial_reference_db=-35.0)
    ear.is_silent(-1.0)
    ear.reset()
    assert ear.reference_db == -35.0


def test_restoring_nonsense_is_refused():
    with pytest.raises(ValueError, match="reference_db must be finite, got nan"):
        gate().restore(math.nan)


@pytest.mark.parametrize("wrong", [{"threshold_db": 0}, {"floor_db": 3.0}, {"treshold_db": 40}])
def test_a_wrong_configuration_is_refused(wrong):
    with pytest.raises(ValidationError):
        EnergyGateConfig(**wrong)


def test_levels_are_decibels_relative_to_full_scale():
    square = np.tile(np.array([1.0, -1.0], np.float32), 100)
    assert level_db(square) == 0.0
    assert level_db(square * np.float32(0.1)) == pytest.approx(-20.0, abs=1e-4)
    assert level_db(np.zeros(10, np.float32)) == level_db(np.zeros(0, np.float32)) == -120.0
    assert math.isnan(level_db(np.array([0.1, np.nan], np.float32)))
