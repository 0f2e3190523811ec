"""Any program made into a template."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.sonic_pi.auto_template import find_parameters, template_from_program


def found(program):
    return [(parameter.kind, parameter.text) for parameter in find_parameters(program)]


@pytest.mark.parametrize(
    ("program", "parameters"),
    [
        ("use_bpm 120\nsleep 0.5", [("bpm", "120"), ("sleep", "0.5")]),
        ("sleep(0.5)", [("sleep", "0.5")]),
        ("play 60, amp: 0.5, release: 1", [("note", "60"), ("amp", "0.5"), ("release", "1")]),
        ("play :eb3, pan: -1", [("note", "eb3"), ("pan", "-1")]),
        ("sample :bd_haus, rate: 0.5", [("sample", "bd_haus"), ("rate", "0.5")]),
        ("synth :fm, note: :c4", [("synth", "fm"), ("note", "c4")]),
        ("use_synth :tb303", [("synth", "tb303")]),
        ("use_synth_defaults cutoff: 80", [("cutoff", "80")]),
        ("with_fx :reverb, room: 0.5 do\nend", [("fx", "reverb"), ("room", "0.5")]),
        ("play chord(:e3, :m7)", [("note", "e3"), ("chord", "m7")]),
        ("play (scale :e3, :dorian).choose", [("note", "e3"), ("scale", "dorian")]),
        ("play [60, 62].choose", [("note", "60"), ("note", "62")]),
        ("play 60, cutoff: rrand(60, 90)", [("note", "60"), ("cutoff", "60"), ("cutoff", "90")]),
        ("sleep (ring 0.25, 0.5).tick", [("sleep", "0.25"), ("sleep", "0.5")]),
        ("play_pattern_timed [:c4], [0.5, 1]", [("note", "c4"), ("sleep", "0.5"), ("sleep", "1")]),
        ("tune = [:c4, :e4]", [("note", "c4"), ("note", "e4")]),
        ("play (knit :c4, 3, :e4, 1).tick", [("note", "c4"), ("note", "e4")]),
        ("loop do\n  live_loop :a do\n    wait 2\n  end\nend", [("sleep", "2")]),
    ],
)
def test_a_literal_means_what_its_place_says(program, parameters):
    assert found(program) == parameters


@pytest.mark.parametrize(
    "program",
    [
        "# sleep 0.5",
        'puts "sleep 0.5, amp: 1"',
        "4.times do\nend",
        "sleep 0.5 * 2",
        "x = 60 if y > 3",
        "spread(3, 8)",
        "sleep x",
        "live_loop :sleep do\nend",
        "play n, mod_range: 12",
        "cue :go",
        "define :c do\nend",
    ],
)
def test_what_only_looks_like_a_parameter_is_left_alone(program):
    assert found(program) == []


def test_a_parameter_knows_its_line_and_bytes():
    (parameter,) = find_parameters("# é\n\nsleep 0.25")
    assert (parameter.line, parameter.start, parameter.end) == (3, 12, 16)


def test_equal_literals_stay_equal_unless_told_otherwise():
    program = "sleep 0.5\nsleep 0.5\n"
    tied = [template_from_program("p", program).fill(i).code.split() for i in range(20)]
    free = [
        template_from_program("p", program, tie_equal=False).fill(i).code.split() for i in range(20)
    ]
    assert all(code[1] == code[3] for code in tied)
    assert any(code[1] != code[3] for code in free)
    assert len({code[1] for code in tied}) > 2


def test_jinja_marks_and_line_ends_of_the_program_survive():
    program = 'puts "{{ amp() }} {% if %} {# x #}"\r\nplay 60, amp: 1\r\n# {{'
    assert template_from_program("p", program).original() == program
    assert template_from_program("p", program).fill(0).code.startswith(program[:38])


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="abs :{}%#'\"[](),.0159\n\r\tdoend_é+-=", max_size=60))
def test_any_text_comes_back_as_it_was(program):
    assert template_from_program("p", program).original() == program


def test_a_program_that_does_not_parse_keeps_what_is_readable():
    program = "sleep 0.5\nlive_loop :a do\n  play 60,,,\n"
    template = template_from_program("p", program)
    assert ("sleep", "0.5") in found(program)
    assert template.original() == program


def test_a_lone_surrogate_is_refused_with_the_reason():
    with pytest.raises(ValueError, match="UTF-8"):
        template_from_program("p", "play \ud800")


def test_every_installed_example_becomes_a_template_of_itself(installed_sonic_pi):
    files = sorted(installed_sonic_pi.example_folder.rglob("*.rb"))
    if not files:
        pytest.skip("needs the examples that come with Sonic Pi: apt-get install sonic-pi")
    for file in files:
        program = file.read_bytes().decode()
        template = template_from_program(file.stem, program)
        assert template.original() == program
        assert template.fill(0).code != program
