import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.sonic_pi.breeding import Breeder, BreedingConfig
from corpus.sonic_pi.genes import genes_of, program_of, transplant
from corpus.sonic_pi.parameter_space import ParameterSpace
from corpus.sonic_pi.syntax import parse
from corpus.sonic_pi.templating import own_templates

MELODY = """# a tune
use_bpm 90
use_synth :tb303
line = (ring :c4, :e4)
set :root, :c3

live_loop :tune do
  play line.tick, release: 0.2
  play get[:root], amp: 0.5
  sleep 0.5
end
"""
DRUMS = """use_bpm 140
line = 3

live_loop :kick do
  sample :bd_haus
  sleep 1
end

live_loop :tune, sync: :kick do
  sample :elec_tick
  sleep 0.25
end
"""


@pytest.fixture(scope="module")
def breeder():
    return Breeder(own_templates(), 3.0)


def kinds(program):
    return [gene.kind for gene in genes_of(program)]


def test_a_program_falls_into_settings_definitions_and_loops():
    assert kinds(MELODY) == ["setting", "setting", "definition", "setting", "loop"]
    assert genes_of(MELODY)[-1].loops == ("tune",)
    assert kinds("play 60\nsleep 1\nplay 64") == ["passage"]


@pytest.mark.parametrize("template", own_templates(), ids=lambda one: one.name)
def test_own_templates_survive_being_taken_apart(template, breeder):
    code = template.fill(3).code
    again = program_of(genes_of(code))
    foreseen = [breeder._unroller.unroll(one, 3.0) for one in (code, again)]
    assert foreseen[0].events == foreseen[1].events


def test_a_loop_takes_along_what_it_needs_under_names_that_are_free():
    donor = genes_of(MELODY)
    child = program_of(transplant(genes_of(DRUMS), donor, 4))
    assert "line_2 = (ring :c4, :e4)" in child
    assert "play line_2.tick" in child
    assert "live_loop :tune_2 do" in child
    assert "set :root, :c3" in child
    assert "use_synth :tb303" in child
    assert "use_bpm 90" not in child
    assert not parse(child).faults


def test_what_waited_for_a_loop_that_is_gone_waits_for_another():
    drums, melody = genes_of(DRUMS), genes_of(MELODY)
    child = program_of(transplant(melody, drums, 3, place=4))
    assert "sync:" not in child
    both = program_of(transplant(drums, melody, 4, place=2))
    assert "live_loop :tune, sync: :tune_2 do" in both


def test_only_what_plays_can_move():
    with pytest.raises(ValueError, match="a gene that plays is needed, gene 0 is a setting"):
        transplant(genes_of(DRUMS), genes_of(MELODY), 0)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_children_parse_and_play(seed):
    breeder, rng = Breeder(own_templates(), 3.0), np.random.default_rng(seed)
    one, other = breeder.novel(rng), breeder.novel(rng)
    child = breeder.crossed(one, other, rng)
    grandchild = breeder.reduced(breeder.mutated(child, rng), rng)
    for made in (child, grandchild):
        assert not parse(made).faults
        assert breeder.plays(made)
    assert child not in (one, other)


def test_the_same_chance_gives_the_same_child(breeder):
    made = []
    for _ in range(2):
        rng = np.random.default_rng(7)
        made.append(breeder.crossed(breeder.novel(rng), breeder.novel(rng), rng))
    assert made[0] == made[1]


def test_a_program_does_not_outgrow_its_limits():
    small = Breeder(own_templates(), 3.0, BreedingConfig(most_loops=2, most_characters=2000))
    rng = np.random.default_rng(0)
    program = small.novel(rng)
    for _ in range(30):
        program = small.crossed(program, small.novel(rng), rng)
    assert len(program) <= 2000


@pytest.mark.parametrize("bad", ["play (", "", "raise 'no'", "sleep 1"])
def test_what_does_not_play_is_no_child(bad, breeder):
    assert not breeder.plays(bad)


def test_the_origin_of_a_parameter_space_is_nearly_its_program():
    code = "use_bpm 120\nlive_loop :a do\n  play :c4, amp: 0.5, release: 0.3\n  sleep 0.5\nend\n"
    space = ParameterSpace(code)
    assert space.dim == 5
    assert space.program_at(space.origin) == code


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 26), st.integers(0, 2**31))
def test_every_vector_is_a_program_that_parses(template, seed):
    space = ParameterSpace(own_templates()[template].fill(0).code)
    vector = np.random.default_rng(seed).normal(0.5, 1.0, space.dim).astype(np.float32)
    assert not parse(space.program_at(vector)).faults


def test_a_program_without_parameters_has_no_space():
    with pytest.raises(ValueError, match="must have parameters"):
        ParameterSpace("puts 1 + 1")
