"""What a language model is asked, and what of its answer is believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.code_ranking.proposals import LONGEST_PROPOSAL, asked_for, fault_of, read_answer

CONTEXT = "use_bpm 100\nlive_loop :drums do\n  sample :bd_haus\n  sleep 1\nend"
BASS = "live_loop :bass do\n  synth :fm, note: :e2\n  sleep 0.5\nend"
LEAD = "live_loop :lead do\n  play scale(:e4, :minor).tick\n  sleep 0.25\nend"


def fenced(*codes):
    return "\n".join(f"```ruby\n{code}\n```" for code in codes)


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        ("melody", "Propose 10 melodies to accompany this code"),
        ("drums", "Propose 10 drum patterns to accompany this code"),
        ("bass", "Propose 10 bass lines to accompany this code"),
    ],
)
def test_the_question_is_the_one_of_the_paper_with_the_code_below(part, sentence):
    instructions, question = asked_for(CONTEXT, part, 10)
    assert question.startswith(sentence)
    assert CONTEXT in question
    assert "10 fenced code blocks" in instructions


def test_fenced_blocks_are_proposals_and_the_prose_around_them_is_not():
    answer = f"Here you go!\n{fenced(BASS, LEAD)}\nEnjoy."
    read = read_answer(answer, CONTEXT)
    assert (read.candidates, read.malformed) == ((BASS, LEAD), 0)


def test_an_answer_without_fences_is_one_proposal():
    assert read_answer(LEAD, CONTEXT).candidates == (LEAD,)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "I am sorry, but I cannot help with that.",
        "Sure, here is a lovely melody for you to play",
        "```\n```",
        "```ruby\nlive_loop :x do\n  play 60\n```",
        "```ruby\nplay 60\nsleep 1",
        "```python\nprint('hello')\n```",
        "```ruby\nputs 'hello'\n```",
        "```ruby\n# only a comment\n```",
        f"```ruby\n{CONTEXT}\n```",
        f"```ruby\n{'play 60;' * LONGEST_PROPOSAL}\n```",
    ],
)
def test_what_is_no_sonic_pi_code_is_dropped_and_counted(answer):
    read = read_answer(answer, CONTEXT)
    assert (read.candidates, read.malformed) == ((), 1)


def test_a_proposal_that_repeats_the_context_is_cut_down_to_what_is_new():
    assert read_answer(fenced(f"{CONTEXT}\n\n{BASS}"), CONTEXT).candidates == (BASS,)


def test_the_same_proposal_again_counts_neither_as_new_nor_as_malformed():
    read = read_answer(fenced(BASS, BASS, LEAD), CONTEXT, known=(LEAD,))
    assert (read.candidates, read.malformed) == ((BASS,), 0)


def test_why_it_is_none_is_one_sentence():
    assert "line 2" in fault_of("play 60\nend end (")
    assert "play" in fault_of("sleep 1")


@given(st.text(max_size=300))
def test_no_answer_can_raise(answer):
    read = read_answer(answer, CONTEXT)
    assert all(not fault_of(code) for code in read.candidates)
