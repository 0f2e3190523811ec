"""Whatever a program holds, reading it ends soon, raises nothing and gives a finite point."""

import numpy as np
import pytest

from agents.code_ranking.cascade import Cascade
from agents.code_ranking.prediction import stored_predictor

LOOPS = "".join(f"live_loop :l{i} do\n  sample :bd_haus\n  sleep 0.25\nend\n" for i in range(2500))
SLIDES = "s = play 60, sustain: 9, cutoff_slide: 1\n" + "control s, cutoff: 90\nsleep 0.01\n" * 500
PROGRAMS = {
    "ten thousand lines": "play 60\nsleep 0.001\n" * 5000,
    "ten thousand lines of loops": LOOPS,
    "ten thousand lines without a sound": "x = 1 + 2 * 3\n" * 10_000,
    "no end": "loop do\n  x = 1\nend\nplay 60",
    "no end of threads": "loop do\n  in_thread do\n    play 60\n  end\n  sleep 0.001\nend",
    "a million rounds": "1000.times do\n  1000.times do\n    x = rand\n  end\nend\nplay 60",
    "nested lists": "[" * 5000 + "]" * 5000,
    "nested threads": "in_thread do\n" * 3000 + "play 60\n" + "end\n" * 3000,
    "too long": "x" * 1_000_001,
    "slides": SLIDES,
    "not a number": "play 0.0/0.0",
    "infinite": "play 60, amp: 1e308, release: 1e308",
    "far too low": "play -1e300, cutoff: 1e300",
    "hardly moving": "sample :loop_amen, rate: 1e-300",
    "long ago": "time_warp -1e300 do\n  play 60\nend",
    "huge numbers": "play 10**400",
    "a NUL": "play 60\0",
    "half a character": "play 60 # \udcff",
}


@pytest.fixture(scope="module")
def cascade():
    with Cascade(stored_predictor()) as made:
        yield made


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_strange_program_gets_a_finite_point_or_is_set_aside(cascade, name):
    ranking = cascade.rank("play 50", [PROGRAMS[name], "play 62"], keep=1)
    assert sorted(ranking.order) == [0, 1]
    assert len(ranking.chosen) == 1
    assert np.isfinite(ranking.points).all()


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        ("play 60,,", "syntax error", "line 1"),
        ("[" * 500 + "]" * 500, "syntax error", "nested deeper"),
        ("synth :no_such_synth", "silent", "no synth no_such_synth"),
        ("with_fx :no_such_effect do\n  play 60\nend", "silent", "no effect no_such_effect"),
        ("", "empty", ""),
        ("# only words\n\n", "empty", ""),
        ("sleep 1", "silent", ""),
        ("play :r", "silent", ""),
        ("  play 50 \n\n", "equal to the context", ""),
        ("play 50, amp: 0.5", "sounds like the context", ""),
        ("play 62\n# again", "equal to candidate 1", ""),
        ("play 62, amp: 0.3", "sounds like candidate 1", ""),
    ],
)
def test_what_cannot_be_chosen_says_why(cascade, code, reason, words):
    ranking = cascade.rank("play 50", ["play 62", code], keep=2)
    assert ranking.chosen == (0,)
    assert ranking.answers[1].set_aside == reason
    assert ranking.answers[1].twin == (0 if "candidate" in reason else None)
    assert words in " ".join(ranking.answers[1].faults)


def test_an_unknown_sound_is_not_taken_for_another(cascade):
    codes = ["play 62\nsomething_new", "play 62\nsomething_else"]
    assert len(cascade.rank("", codes).chosen) == 2


def test_a_giant_does_not_keep_small_programs_from_being_read(cascade):
    inquiry = cascade.begin("", [LOOPS, "play 62", "play 64"])
    assert inquiry.step()
    assert inquiry.step()
    assert [answer.tier for answer in inquiry.ranking().answers] == [None, "static", "static"]
