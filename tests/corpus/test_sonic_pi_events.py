"""Events out of recorded messages, by hand-made recordings."""

from corpus.sonic_pi.events import ProgramError, events_of, printable

DEFAULTS = {
    "sonic-pi-beep": {"note": 52.0, "amp": 1.0},
    "sonic-pi-fx_echo": {"mix": 1.0},
    "sonic-pi-basic_stereo_player": {"rate": 1.0},
}
HALF = 500_000_000


def test_a_note_has_all_its_arguments_and_the_time_it_was_meant_for():
    note = [HALF + 250_000_000, "/s_new", "sonic-pi-beep", 10, 1, 8, "note", 60.0]

    (event,) = events_of([note], DEFAULTS, 1.0)

    assert (event.time, event.kind, event.name, event.node) == (0.25, "synth", "beep", 10)
    assert event.arguments == {"note": 60.0, "amp": 1.0}


def test_a_sample_is_named_after_its_file():
    messages = [
        [0, "/b_allocRead", 3, "/sounds/bd_haus.flac", 0, 0],
        [HALF, "/s_new", "sonic-pi-basic_stereo_player", 11, 1, 8, "buf", 3.0],
    ]
    (event,) = events_of(messages, DEFAULTS, 1.0)

    assert (event.kind, event.name, event.arguments["rate"]) == ("sample", "bd_haus", 1.0)


def test_an_effect_and_its_change_share_a_node():
    messages = [
        [HALF, "/s_new", "sonic-pi-fx_echo", 12, 0, 4, "in_bus", 40.0],
        [HALF + 1_000_000, "/n_set", 12, "mix", 0.5],
    ]
    effect, change = events_of(messages, DEFAULTS, 1.0)

    assert (effect.kind, effect.name, change.kind, change.name) == ("fx", "echo", "control", "echo")
    assert effect.node == change.node
    assert change.arguments == {"mix": 0.5}


def test_mixers_and_their_changes_are_no_events():
    messages = [
        [0, "/s_new", "sonic-pi-mixer", 6, 0, 2, "in_bus", 34.0],
        [HALF, "/n_set", 6, "pre_amp", 0.5],
    ]
    assert events_of(messages, DEFAULTS, 1.0) == ()


def test_what_begins_at_the_end_is_left_out():
    note = [HALF + 10**9, "/s_new", "sonic-pi-beep", 10, 1, 8]

    assert events_of([note], DEFAULTS, 1.0) == ()


def test_an_error_reads_as_one_line():
    error = ProgramError("runtime", "Unknown synth :x", line=3, thread="drums")

    assert str(error) == "line 3: runtime error (in drums): Unknown synth :x"


def test_an_error_has_no_power_over_the_terminal_and_keeps_its_lines():
    error = ProgramError("runtime", "\x1b[2Jboo\x9b\n\tplay", 1, "live_loop_\x07")
    assert str(error) == (
        "line 1: runtime error (in live_loop_\\x07): \\x1b[2Jboo\\x9b\n        play"
    )


def test_words_of_any_language_are_printed_as_they_are():
    assert printable("größer ♯ 音 \udcff\n") == "größer ♯ 音 \\udcff\\n"
