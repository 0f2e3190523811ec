"""What is computed once or played before must never show: programs may change everything around."""

import pytest

from corpus.sonic_pi.unroller import Unroller

UNROLLER = Unroller()


def arguments(code, *names, seconds=8.0):
    """The values of some arguments of all sounds, in order."""
    events = UNROLLER.unroll(code, seconds).events
    sounds = [event for event in events if event.kind in ("synth", "sample")]
    found = [tuple(event.arguments.get(name) for name in names) for event in sounds]
    return [values[0] if len(values) == 1 else values for values in found]


def test_a_list_written_in_a_loop_is_new_every_round():
    code = "live_loop :a do\n  x = [60, 62]\n  x.push(x.last + 2)\n  play x.last\n  sleep 1\nend"
    assert arguments(code, "note", seconds=3.0) == [64, 64, 64]


def test_a_ring_of_lists_gives_lists_that_may_be_changed():
    code = (
        "3.times do\n  x = (ring [60], [70])[0]\n  x.push 1\n  play 50 + x.length\n  sleep 1\nend"
    )
    assert arguments(code, "note") == [52, 52, 52]


def test_a_function_of_the_program_takes_the_place_of_a_known_one():
    code = (
        "define :scale do |n, kind|\n  ring(n)\nend\n2.times do\n  play scale(90, :major).tick\nend"
    )
    assert arguments(code, "note") == [90, 90]


def test_what_depends_on_chance_is_drawn_anew_every_round():
    found = arguments("10.times { play (ring 50, 60, 70).choose }", "note")
    assert len(found) == 10
    assert len(set(found)) > 1


@pytest.mark.parametrize(
    ("setting", "name", "values"),
    [
        ("use_transpose 12", "note", [60, 72]),
        ("use_octave 1", "note", [60, 72]),
        ("use_cent_tuning 50", "note", [60, 60.5]),
        ("use_bpm 120", "release", [1.0, 0.5]),
        ("use_synth_defaults amp: 0.5", "amp", [1.0, 0.5]),
        ("use_tuning :just, :d", "note", [60, pytest.approx(60.176, abs=0.001)]),
    ],
)
def test_the_same_words_in_another_state_are_another_sound(setting, name, values):
    assert arguments(f"play 60\nsleep 1\n{setting}\nplay 60", name) == values


def test_the_same_words_with_another_synth_are_another_sound():
    events = UNROLLER.unroll("play 60\nuse_synth :saw\nplay 60", 1.0).events
    assert [event.name for event in events] == ["beep", "saw"]


def test_the_same_words_inside_an_effect_go_elsewhere():
    code = "2.times do\n  sample :bd_haus\n  with_fx :echo do\n    sample :bd_haus\n  end\nend"
    buses = arguments(code, "out_bus")
    assert buses[0] == buses[2] == 0
    assert len(set(buses)) == 3


def test_a_chord_asked_for_again_in_the_same_words_is_the_same_notes():
    code = "2.times do\n  play_chord chord_degree(:i, :c4, :major, 3), amp: 0.6\n  sleep 1\nend"
    each = [(60, pytest.approx(0.2)), (64, pytest.approx(0.2)), (67, pytest.approx(0.2))]
    assert arguments(code, "note", "amp") == each * 2


def test_what_is_not_understood_counts_every_time_it_is_met():
    missed = UNROLLER.unroll(
        "4.times do\n  play $unknown_thing + vt_unknown\nend", 1.0
    ).coverage.missed
    assert max(count for _, count in missed) == 4


def test_next_leaves_a_block_that_sleeps_before_the_sleep():
    code = "3.times do |i|\n  next if i == 1\n  play 60 + i\n  sleep 1\nend\nplay 50"
    assert arguments(code, "note") == [60, 62, 50]


@pytest.mark.parametrize("beats", ["nil", ":one", "'1'"])
def test_sleep_wants_a_number(beats):
    errors = UNROLLER.unroll(f"play 60\nsleep {beats}\nplay 70", 1.0).errors
    assert "sleep needs a number of beats" in errors[0].message


def test_a_sleep_that_takes_no_number_of_its_own_gives_way_to_others():
    code = "live_loop(:a) { play 60; sleep [1, 2].tick }\nlive_loop(:b) { play 70; sleep 1 }"
    assert arguments(code, "note", seconds=3.0) == [60, 70, 60, 70, 70]
