"""The scenarios that come with the project, and what makes a file no scenario."""

import pytest

from corpus.sonic_pi.scenarios import own_scenarios, scenario_from_file
from corpus.sonic_pi.templating import own_templates
from corpus.sonic_pi.unroller import Unroller

SECONDS = 5.0
SCENARIOS = own_scenarios()
GOOD = (
    "role: bass\nkind: mixed\nprompt: p\ncontext: play 60\ncandidates: [play 1, play 2, play 3]\n"
)


def test_there_are_the_papers_three_and_at_least_forty_more():
    names = {scenario.name for scenario in SCENARIOS}
    assert {f"{name}-{n}" for name in ("s1-mel", "s2-drum", "s3-bass") for n in (3, 10)} <= names
    assert sum(len(scenario.candidates) == 10 for scenario in SCENARIOS) >= 43
    assert {scenario.role for scenario in SCENARIOS} == {
        "melody", "drums", "bass", "pads", "texture", "effects"
    }  # fmt: skip


def test_every_candidate_is_understood_and_adds_something_to_its_context():
    unroller = Unroller()
    for scenario in SCENARIOS:
        alone = len(unroller.unroll(scenario.context, SECONDS).events)
        for program in scenario.programs:
            unrolling = unroller.unroll(program, SECONDS)
            assert unrolling.coverage.share == 1.0, (scenario.name, unrolling.coverage.missed)
            assert len(unrolling.events) > alone > 0, scenario.name


def test_no_candidate_occurs_twice_and_none_is_a_filled_training_template():
    candidates = [text for scenario in SCENARIOS for text in scenario.candidates]
    assert len(set(candidates)) == len(candidates)
    trained_on = {
        line.strip()
        for template in own_templates()
        for line in template.text.splitlines()
        if line.startswith("#")
    }
    assert not [line for text in candidates for line in text.splitlines() if line in trained_on]


def test_numeric_scenarios_differ_in_numbers_and_notes_only():
    for scenario in SCENARIOS:
        if scenario.kind == "numeric":
            names = {_instruments(text) for text in scenario.candidates}
            assert len(names) == 1, (scenario.name, names)


def _instruments(text: str) -> tuple[str, ...]:
    """Synths, samples and effects in the order of the program."""
    words = ("use_synth", "with_synth", "sample", "with_fx")
    found = [line.split()[1] for line in text.splitlines() if line.strip().startswith(words)]
    return tuple(name.rstrip(",") for name in found)


def test_a_program_is_the_context_and_then_the_candidate():
    scenario = SCENARIOS[0]
    assert scenario.programs[0] == f"{scenario.context}\n{scenario.candidates[0]}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- a list", "must hold exactly"),
        (GOOD.replace("bass", "kazoo"), "role must be one of"),
        (GOOD.replace("play 3", "play 2"), "2 different of 3"),
        (GOOD.replace("play 3", "3"), "must be text"),
        (GOOD.replace("[play 1, play 2, play 3]", "play 1"), "must be text"),
        ("role: [", "YAML"),
    ],
)
def test_what_is_no_scenario_is_refused_saying_why(tmp_path, text, says):
    (tmp_path / "one.yaml").write_text(text)
    with pytest.raises(ValueError, match=says):
        scenario_from_file(tmp_path / "one.yaml")


def test_a_good_file_is_read(tmp_path):
    (tmp_path / "one.yaml").write_text(GOOD)
    assert scenario_from_file(tmp_path / "one.yaml").candidates == ("play 1", "play 2", "play 3")
