from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.notation import (
    ACCENT,
    DOWNBEAT,
    DYNAMICS,
    chord_pitch_classes,
    parse_line,
    pitch_number,
)


def onsets_and_lengths(line):
    return [(n.onset_beats, n.length_beats, n.pitch) for n in parse_line(line)[0]]


def test_a_line_carries_lengths_to_the_end_of_the_bar():
    assert onsets_and_lengths("C4 D4:1/2 E4 r:2 | F4 r:3") == [
        (0, 1, 60),
        (1, Fraction(1, 2), 62),
        (Fraction(3, 2), Fraction(1, 2), 64),
        (4, 1, 65),
    ]


def test_a_chord_sounds_all_its_pitches_at_once():
    assert onsets_and_lengths("C4+Eb4+G4:4") == [(0, 4, 60), (0, 4, 63), (0, 4, 67)]


def test_a_tie_makes_one_note_across_the_bar_line():
    assert onsets_and_lengths("r:2 A4:2~ | A4:1 r:3") == [(2, 3, 69)]


def test_a_tie_into_a_chord_holds_one_pitch_and_starts_the_others():
    assert onsets_and_lengths("C4:2~ C4+E4:2") == [(0, 4, 60), (2, 2, 64)]


def test_staccato_halves_the_sound_and_keeps_the_beat():
    assert onsets_and_lengths("C4' D4:3") == [(0, Fraction(1, 2), 60), (1, 3, 62)]


def test_a_percent_sign_repeats_the_bar_before_it():
    notes, n_bars = parse_line("C4:4 | % | %")
    assert n_bars == 3
    assert [n.onset_beats for n in notes] == [0, 4, 8]


def test_dynamics_accents_and_downbeats_set_the_velocity():
    notes, _ = parse_line("p C4 D4 ff E4! F4")
    soft, loud = DYNAMICS["p"], DYNAMICS["ff"]
    assert [n.velocity for n in notes] == [soft + DOWNBEAT, soft, loud + ACCENT, loud]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("C4:3", "bar 1 must hold 4 beats, got 3"),
        ("C4:4 | D4:5", "bar 2 must hold 4 beats, got 5"),
        ("H4:4", "a pitch must read like C4"),
        ("C4:0 D4:4", "longer than 0 beats"),
        ("C4:1/0", "a token must read like"),
        ("C4:2~ D4:2", "a tie must lead to its own pitch"),
        ("C4:4~", "a tie must end inside its phrase"),
        ("% | C4:4", "bar 1 must hold music"),
        ("C4:4 | | C4:4", "bar 2 must hold music"),
    ],
)
def test_unreadable_music_is_refused_with_its_place(line, message):
    with pytest.raises(ValueError, match=message):
        parse_line(line)


@given(st.lists(st.integers(1, 12), min_size=1, max_size=12))
def test_every_full_bar_of_any_rhythm_is_read_to_its_end(twelfths):
    total = sum(twelfths)
    line = " ".join(f"C4:{n}/12" for n in twelfths) + f" r:{4 * 12 * 12 - total}/12"
    notes, n_bars = parse_line(line, beats_per_bar=48)
    assert n_bars == 1
    assert sum(n.length_beats for n in notes) == Fraction(total, 12)


@given(st.integers(12, 119))
def test_pitch_names_count_semitones_from_middle_c(pitch):
    name = ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"][pitch % 12]
    assert pitch_number(f"{name}{pitch // 12 - 1}") == pitch


def test_chord_symbols_name_their_pitch_classes():
    assert chord_pitch_classes("Dm7") == {2, 5, 9, 0}
    assert chord_pitch_classes("Bb") == {10, 2, 5}
    with pytest.raises(ValueError, match="a chord must be a root"):
        chord_pitch_classes("Cx")
