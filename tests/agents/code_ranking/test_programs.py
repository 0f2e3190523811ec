"""A candidate within its context."""

from agents.code_ranking.programs import frame_of, framed, whole_program

CONTEXT = """use_bpm 100
notes = [:e4,
  :g4]
define :hit do |n|
  play n
end
live_loop :drums do
  use_synth :fm
  sample :bd_haus
  sleep 1
end
use_synth :prophet
play 60"""


def test_the_frame_is_what_shapes_the_sound_of_what_is_added():
    assert frame_of(CONTEXT).splitlines() == [
        "use_bpm 100",
        "notes = [:e4,",
        "  :g4]",
        "define :hit do |n|",
        "  play n",
        "end",
        "use_synth :prophet",
    ]


def test_statements_on_one_line_are_kept_once():
    assert frame_of("use_bpm 90; use_synth :fm\nplay 60") == "use_bpm 90; use_synth :fm"


def test_a_context_that_cannot_be_read_frames_nothing():
    assert frame_of("use_bpm 100\nlive_loop :x do (") == ""
    assert frame_of("") == ""


def test_a_candidate_is_framed_unless_it_repeats_its_context_or_is_empty():
    assert framed("use_bpm 100", CONTEXT, "play 60") == "use_bpm 100\n\nplay 60"
    assert framed("use_bpm 100", CONTEXT, CONTEXT + "\n") == CONTEXT + "\n"
    assert framed("use_bpm 100", CONTEXT, " \n") == " \n"


def test_what_is_played_is_the_context_with_the_candidate_below():
    assert whole_program("play 60\n", "\nplay 64\n") == "play 60\n\nplay 64"
    assert whole_program("", "play 64") == "play 64"
