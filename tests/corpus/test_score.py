from fractions import Fraction

import pytest

from corpus.notation import parse_line
from corpus.score import HUMAN_SPREAD, ScoreSheet, load_score, read_score


def sheet(phrase, *, harmony="C", form=("A",), **part):
    written = {"instrument": "piano", "form": list(form), "phrases": {"A": phrase}, **part}
    return ScoreSheet(title="T", tempo_bpm=120, harmony=harmony, parts={"piano": written})


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
        ({"phrase": "C4:4", "form": ["A", -1]}, "must rest for at least 1 bar, got -1"),
        ({"phrase": "C4:4", "harmony": "Cq"}, "a chord must be a root"),
    ],
)
def test_a_score_that_does_not_fit_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        read_score(sheet(**change))


@pytest.mark.parametrize(
    ("text", "place"),
    [("title: only", "tempo_bpm: Field required"), ("a: [", ""), ("[1, 2]", "the whole file")],
)
def test_a_file_that_is_no_score_is_refused_by_name_and_place(tmp_path, text, place):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"bad\.yaml must be a score: {place}"):
        load_score(path)
