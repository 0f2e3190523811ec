"""What was worked out for one call and is used for the next changes no event."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.sonic_pi.templating import own_templates
from corpus.sonic_pi.unroller import Unroller
from corpus.sonic_pi.unroller_threads import VirtualThread

PROGRAMS = sorted((Path(__file__).parent / "sonic_pi_programs").glob("*.rb"))
TEMPLATES = {template.name: template for template in own_templates()}
NUMBERS = st.one_of(st.integers(-20, 140), st.floats(-20, 140).map(lambda x: round(x, 3)))

SETTINGS = (
    "", "use_bpm 90", "use_transpose 7", "use_octave -1", "use_cent_tuning 20", "use_synth :fm",
    "use_synth_defaults pitch: 2, amp: 0.5", "use_sample_defaults rate: 0.5, amp: 2",
    "use_arg_checks true", "use_arg_bpm_scaling false", "use_tuning :just, :c",
)  # fmt: skip


def unrolled(code):
    unrolling = Unroller().unroll(code, 6.0)
    events = [(e.time, e.kind, e.name, dict(e.arguments), e.node) for e in unrolling.events]
    return events, unrolling.errors, unrolling.coverage


def without_memory(code):
    """The same where every call finds an empty memory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(VirtualThread, "find_voice", lambda _thread: {})
        return unrolled(code)


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_templates_play_the_same_without_memory(name):
    for seed in range(3):
        code = TEMPLATES[name].fill(seed, seed).code
        assert unrolled(code) == without_memory(code)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_programs_play_the_same_without_memory(path):
    code = path.read_text(encoding="utf-8")
    assert unrolled(code) == without_memory(code)


@given(
    st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=2, max_size=4),
    st.sampled_from(
        [
            "play a, cutoff: b, release: c",
            "play a, attack: b, sustain: 1, pan: c",
            "synth :tb303, note: a, attack: b, cutoff: c",
            "synth :saw, note: a, phase: b, amp: c",
            "sample :bd_haus, rate: a, amp: b, attack: c",
            "sample :loop_amen, beat_stretch: a, rate: b, cutoff: c",
            "sample :loop_amen, start: a, finish: b, lpf: c",
            "play a, duration: b, release: c",
            "play a, pitch: b, amp: c",
            "play a, note_slide: b, amp: c",
            "play [a, b], amp: c",
        ]
    ),
    st.sampled_from(SETTINGS),
)
def test_calls_with_other_numbers_come_to_what_they_come_to_alone(rows, call, setting):
    code = f"use_bpm 120\n[{', '.join(f'[{a}, {b}, {c}]' for a, b, c in rows)}].each do |a, b, c|\n"
    code += f"  {call}\n  {setting}\n  {call}\n  sleep 0.5\nend"
    assert unrolled(code) == without_memory(code)


def test_a_number_that_is_missing_once_is_missing_that_once_alone():
    events, _, _ = unrolled("[1, nil, 2].each do |x|\n  play 60, cutoff: x\n  sleep 1\nend")
    assert [event[3].get("cutoff") for event in events] == [1, None, 2]


@pytest.mark.parametrize(
    ("setting", "key", "values"),
    [
        ("use_transpose 5", "note", [60, 65]),
        ("use_bpm 30", "release", [1, 2]),
        ("use_synth_defaults release: 3", "release", [1, 3]),
        ("use_octave 1", "note", [60, 72]),
    ],
)
def test_a_change_of_settings_is_heard_in_the_next_call(setting, key, values):
    events, _, _ = unrolled(f"define(:go) {{ play 60 }}\ngo\n{setting}\ngo")
    assert [event[3][key] for event in events] == values


def test_the_way_out_of_a_block_of_effects_is_the_one_before():
    code = "define(:go) { play 60 }\ngo\nwith_fx(:echo) { go }\ngo"
    sounds = [event for event in unrolled(code)[0] if event[1] == "synth"]
    assert [event[3]["out_bus"] for event in sounds] == [0, 1, 0]
