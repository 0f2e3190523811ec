import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.musical_time import TempoMap


@given(st.floats(20, 300), st.floats(0, 1e5))
def test_beats_and_seconds_are_inverse(tempo, seconds):
    tempo_map = TempoMap(tempo)
    back = tempo_map.beats_to_seconds(tempo_map.seconds_to_beats(seconds))
    assert back == pytest.approx(seconds, rel=1e-12, abs=1e-12)


def test_phase_starts_again_with_every_beat_and_bar():
    moment = TempoMap(120.0).moment(window=13, seconds=3.25)
    assert (moment.beats, moment.beat_phase, moment.bar_phase) == (6.5, 0.5, 0.625)


@pytest.mark.parametrize("tempo", [0.0, -1.0, float("nan")])
def test_a_tempo_that_is_not_positive_is_refused(tempo):
    with pytest.raises(ValueError, match="tempo_bpm must be above 0"):
        TempoMap(tempo)
