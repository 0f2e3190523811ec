from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.score import (
    ACCENT,
    DOWNBEAT,
    DYNAMICS,
    HUMAN_SPREAD,
    Note,
    ScoreSheet,
    chord_pitch_classes,
    load_score,
    parse_line,
    pitch_number,
    read_score,
)
from corpus.sound_font import SynthesizerMissingError, find_sound_font, render_notes


def sheet(phrase, *, harmony="C", form=("A",), **part):
    written = {"instrument": "piano", "form": list(form), "phrases": {"A": phrase}, **part}
    return ScoreSheet(title="T", tempo_bpm=120, harmony=harmony, parts={"piano": written})


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


def test_a_part_plays_its_form_with_bars_of_rest():
    score = read_score(sheet("C4:4", harmony="C | % | F | %", form=["A", 2, "A"]))
    assert [n.onset_beats for n in score.parts["piano"].notes] == [0, 12]
    assert score.seconds == 8


def test_lines_of_a_phrase_sound_together_in_order_of_onset():
    score = read_score(sheet(["r:1 E4:3", "C3:4"]))
    assert [(n.onset_beats, n.pitch) for n in score.parts["piano"].notes] == [(0, 48), (1, 64)]


def test_the_pedal_lets_notes_ring_until_it_is_lifted():
    score = read_score(sheet("C4 E4 G4 C5", pedal_beats=2))
    assert [n.end_beats for n in score.parts["piano"].notes] == [2, 2, 4, 4]


def test_a_pitch_struck_again_under_the_pedal_ends_its_note_before():
    score = read_score(sheet("C4 E4 C4 r", pedal_beats=4))
    assert [n.end_beats for n in score.parts["piano"].notes] == [2, 4, 4]


def test_the_chord_in_force_follows_the_bar_shares():
    score = read_score(sheet("C4:4 | D4:4", harmony="C | F G"))
    assert [score.chord_at(Fraction(beat)) for beat in (0, 3, 4, 5, 6, 7)] == [*"CCFFGG"]


def test_velocities_stray_a_little_and_alike_for_one_seed():
    plain, _ = parse_line("C4 D4 E4 F4")
    one, two = (read_score(sheet("C4 D4 E4 F4")).parts["piano"].notes for _ in range(2))
    assert one == two
    strays = [a.velocity - b.velocity for a, b in zip(one, plain, strict=True)]
    assert 0 < max(map(abs, strays)) <= HUMAN_SPREAD


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"phrase": "C4:4 | D4:4"}, "as many bars as the harmony, 1; got 2"),
        ({"phrase": "C4:3"}, r"phrase piano\.A: bar 1"),
        ({"phrase": ["C4:4", "D4:4 | %"]}, "its lines must be equally long"),
        ({"phrase": "C4:4", "form": ["B"]}, "the form of piano must name its phrases, got 'B'"),
        ({"phrase": "C4:4", "harmony": "Cq"}, "a chord must be a root"),
    ],
)
def test_a_score_that_does_not_fit_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        read_score(sheet(**change))


@pytest.mark.parametrize("text", ["title: only", "a: [", "[1, 2]"])
def test_a_file_that_is_no_score_is_refused_by_name(tmp_path, text):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"bad\.yaml must be a score"):
        load_score(path)


def test_an_unknown_instrument_is_refused():
    with pytest.raises(ValueError, match="instrument must be one of piano"):
        render_notes([], "kazoo", 120, 10)


def test_a_missing_sound_font_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr("corpus.sound_font.SOUND_FONTS", ())
    with pytest.raises(SynthesizerMissingError, match="apt-get install fluidsynth"):
        find_sound_font()


@pytest.fixture
def fluidsynth():
    """Skips where nothing can be rendered."""
    try:
        render_notes([], "piano", 120, 1)
    except SynthesizerMissingError as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("fluidsynth")
def test_a_note_sounds_from_its_onset_for_an_exact_number_of_samples():
    note = Note(Fraction(1), Fraction(1), 60, 90)
    sound = render_notes([note], "piano", 120, 44_100)
    assert sound.shape == (44_100,)
    assert sound.dtype == np.float32
    before, after = sound[:22_050], sound[22_050:]
    assert np.abs(before).max() < 1e-4
    assert np.abs(after[: 44_100 // 50]).max() > 0.005  # speaks within 20 ms
    assert np.abs(sound).max() < 1


@pytest.mark.usefixtures("fluidsynth")
def test_rendering_twice_gives_the_same_samples():
    notes, _ = parse_line("C4+E4+G4 A4:1/2 B4 C5:2")
    one, two = (render_notes(notes, "piano", 120, 88_200) for _ in range(2))
    assert one.tobytes() == two.tobytes()


@pytest.mark.usefixtures("fluidsynth")
def test_a_low_sample_rate_keeps_the_grid():
    sound = render_notes(
        [Note(Fraction(2), Fraction(1), 69, 90)], "piano", 120, 32_000, sample_rate=16_000
    )
    assert np.abs(sound[:16_000]).max() < 1e-4
    assert np.abs(sound[16_000:16_800]).max() > 0.005
