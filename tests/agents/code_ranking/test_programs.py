"""A candidate within its context."""

from agents.code_ranking import programs
from agents.code_ranking.programs import frame_of, framed, whole_program
from corpus.sonic_pi.syntax import parse

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
    assert framed("use_bpm 100\nplay 50", "play 60").code == "use_bpm 100\n\nplay 60"
    assert framed(CONTEXT, CONTEXT + "\n").code == CONTEXT + "\n"
    assert framed(CONTEXT, " \n").code == " \n"


def test_faults_are_told_in_the_lines_of_the_candidate():
    program = framed("use_bpm 100\nuse_synth :fm\nplay 50", "\nplay 60\nriff")
    assert program.code.split("\n")[5] == "riff"
    assert program.in_own_lines("line 6: riff?") == "line 3: riff?"
    assert program.in_own_lines("line 2: no synth") == "in its context, line 2: no synth"
    assert program.in_own_lines("not understood: riff") == "not understood: riff"


def test_a_candidate_that_waits_for_a_loop_of_its_context_has_it_muted():
    frame = frame_of(CONTEXT, "live_loop :bass, sync: :drums do\n  play 40\nend")
    assert "with_fx :level, amp: 0 do\nlive_loop :drums do" in frame
    assert frame.splitlines()[-1] == "use_synth :prophet"
    assert "live_loop" not in frame_of(CONTEXT, "live_loop :bass do\n  play 40\nend")


def test_a_loop_that_the_candidate_plays_anew_is_not_muted():
    anew = "live_loop :drums do\n  sync :tick\n  sample :sn_dolf\nend"
    assert "live_loop" not in frame_of(CONTEXT, anew)


def test_what_is_played_is_the_context_with_the_candidate_below():
    assert whole_program("play 60\n", "\nplay 64\n") == "play 60\n\nplay 64"
    assert whole_program("", "play 64") == "play 64"


def test_a_context_is_read_once_for_all_candidates(monkeypatch):
    read = []
    monkeypatch.setattr(programs, "parse", lambda code: read.append(code) or parse(code))
    context = f"{CONTEXT}\n# read once"
    for note in range(60, 64):
        assert "use_bpm 100" in framed(context, f"play {note}").code
    assert read == [context]
