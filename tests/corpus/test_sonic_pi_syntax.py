import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.sonic_pi.syntax import MAX_CHARACTERS, Node, parse


def kinds(code):
    return [node.kind for node in parse(code).root.walk()]


def test_a_program_becomes_nodes_with_fields_and_lines():
    program = parse("use_bpm 120\nplay 60 if one_in(3)\n")
    assert program.faults == ()
    choice = program.root.children[1]
    assert (choice.kind, choice.line) == ("if_modifier", 2)
    assert choice.fields["condition"].fields["method"].text == "one_in"


def test_operators_keep_their_text():
    assert parse("x ||= 3").root.children[0].fields["operator"].text == "||="


def test_bracketed_ring_is_read_as_a_call_of_ring():
    program = parse("sleep(ring 1, 2).tick")
    call = program.root.children[0]
    assert call.fields["method"].text == "sleep"
    assert call.fields["arguments"].children[0].fields["method"].text == "tick"


def test_comments_are_left_out():
    assert "comment" not in kinds("play 60 # loud\n# nothing")


@pytest.mark.parametrize(
    ("code", "line"),
    [("play 60\nlive_loop :a do\n play 3\n", 2), ("play(", 1), ("x = = 3", 1), ("end", 1)],
)
def test_syntax_errors_are_faults_with_a_line(code, line):
    faults = parse(code).faults
    assert faults
    assert faults[0].line == line
    assert faults[0].message


def test_deep_nesting_is_a_fault_and_no_exception():
    code = "[" * 3000 + "]" * 3000
    assert any("nested deeper" in fault.message for fault in parse(code).faults)


def test_an_endless_text_is_refused_without_parsing_it():
    assert "at most" in parse("a" * (MAX_CHARACTERS + 1)).faults[0].message


def test_an_empty_program_is_a_program():
    assert parse("").faults == ()
    assert isinstance(parse("").root, Node)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80))
def test_no_text_makes_the_parser_raise(code):
    parse(code)
