"""Templates and the parameters they draw."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.sonic_pi.parameters import (
    FX,
    NAMES,
    NUMBERS,
    SAMPLES,
    SYNTHS,
    draw_name_like,
    draw_note,
    draw_note_like,
    draw_number,
    draw_number_like,
    note_number,
)
from corpus.sonic_pi.templating import Template, own_templates

TEMPLATES = own_templates()
LANGUAGE = (
    "live_loop", "sleep", "play", "synth", "sample", "with_fx", "use_bpm", "tick", "look", "ring",
    "choose", "chord", "scale", "rrand", "define", "use_synth_defaults", "in_thread", "stop",
    "sync",
    "use_random_seed", "play_pattern_timed", "one_in", "control", "spread", "cue", "play_chord",
    "get", "set", "density", "range", "knit", "line", "ramp", "at", "with_octave", "use_transpose",
    "time_warp", "with_bpm", "bools", "chord_degree", "slice", "beat_stretch", "cutoff_slide",
    "note_slide", "loop", "octs", "case", "rdist", "with_synth", "shuffle", "mirror",
)  # fmt: skip


def rng(seed=0):
    return np.random.default_rng(seed)


def test_there_are_twenty_seven_templates_with_different_names():
    assert len({template.name for template in TEMPLATES}) == 27


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)
def test_a_template_fills_to_a_program_without_leftovers_that_varies_and_repeats(template):
    first, second = template.fill(0), template.fill(1)
    assert first.code != second.code
    assert template.fill(0) == first
    assert template.fill(0, seed=1).code != first.code
    assert not re.search(r"[{}]{2}|%\}", first.code)
    assert len(first.values) >= 5
    assert all(value in first.code for _, value in first.values)


def test_the_templates_together_use_the_language_as_people_do():
    everything = "\n".join(template.fill(i).code for template in TEMPLATES for i in range(12))
    assert [word for word in LANGUAGE if not re.search(rf"\b{word}\b", everything)] == []


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(NUMBERS)), st.integers(0, 2**32 - 1))
def test_a_drawn_number_lies_in_the_range_of_its_kind(kind, seed):
    drawn = float(draw_number(rng(seed), kind))
    assert NUMBERS[kind].low * 0.999 - 1e-3 <= drawn <= NUMBERS[kind].high * 1.001
    assert not NUMBERS[kind].whole or drawn.is_integer()


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["amp", "release", "sleep"]), st.floats(0.06, 2.5), st.integers(0, 999))
def test_a_number_like_another_is_within_a_third_and_three_times_of_it(kind, value, seed):
    like = f"{value:.3f}"
    drawn = float(draw_number_like(rng(seed), kind, like))
    assert float(like) / 3.02 <= drawn <= float(like) * 3.02


def test_a_number_outside_its_range_may_stay_where_it_is_but_goes_no_farther():
    assert all(float(draw_number_like(rng(i), "amp", "8")) <= 8 for i in range(50))


def test_zero_stays_zero():
    assert draw_number_like(rng(), "attack", "0") == "0"


def test_whole_numbers_stay_whole_and_other_spellings_are_kept():
    assert all("." not in draw_number_like(rng(i), "cutoff", "100") for i in range(20))
    assert draw_note_like(rng(3), "60").isdigit()
    assert draw_note_like(rng(3), "eb3")[0] in "cdefgab"


@pytest.mark.parametrize(("name", "number"), [("c4", 60), ("Eb3", 51), ("fs5", 78), ("a", 69)])
def test_note_names_mean_what_sonic_pi_means(name, number):
    assert note_number(name) == number


def test_notes_cover_the_range_of_the_paper():
    drawn = {note_number(draw_note(rng(i))) for i in range(800)}
    assert min(drawn) == note_number("c2")
    assert max(drawn) == note_number("c6")


def test_a_sample_is_replaced_by_one_of_its_family_and_a_foreign_one_stays():
    drawn = {draw_name_like(rng(i), "sample", "bd_haus") for i in range(100)}
    assert len(drawn) > 3
    assert drawn <= {*SAMPLES["kick"], *SAMPLES["drum"]}
    assert draw_name_like(rng(), "sample", "my_own_sound") == "my_own_sound"


def test_a_slot_gives_one_value_wherever_it_stands():
    text = "{{ sleep(like='1', slot=1) }} {{ sleep(like='1', slot=1) }} {{ amp(like='1', slot=1) }}"
    codes = [Template("t", text).fill(i).code.split() for i in range(20)]
    assert all(first == second for first, second, _ in codes)
    assert any(first != third for first, _, third in codes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ sleep( }}", "template bad must be valid Jinja, line 1"),
        ("{{ loudness() }}", "'loudness' is undefined"),
        ("{{ amp(2, 1) }}", "low ≤ high, got 2 and 1"),
        ("{{ sleep(5, 6) }}", "no value between 5 and 6"),
        ("{{ sample('horns') }}", "sample group must be one of"),
        ("{{ note('h2', 'c4') }}", "a note must be"),
        ("{{ ''.__class__.__mro__ }}", "cannot be filled"),
    ],
)
def test_a_template_that_cannot_be_filled_says_why(text, message):
    with pytest.raises(ValueError, match=message):
        Template("bad", text).fill(0)


def test_a_template_without_originals_has_no_original():
    with pytest.raises(ValueError, match="sleep has no original"):
        Template("t", "sleep {{ sleep() }}").original()


def test_every_name_that_can_be_drawn_is_installed(installed_sonic_pi):
    synths = {path.stem for path in installed_sonic_pi.synthdef_folder.glob("*.scsyndef")}
    samples = {path.stem for path in installed_sonic_pi.sample_folder.glob("*.flac")}
    assert {f"sonic-pi-{name}" for group in SYNTHS.values() for name in group} <= synths
    assert {f"sonic-pi-fx_{name}" for name in FX} <= synths
    assert {name for group in SAMPLES.values() for name in group} <= samples
    assert set(NAMES) == {"synth", "sample", "fx", "scale", "chord"}
