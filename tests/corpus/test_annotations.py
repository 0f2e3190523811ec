import numpy as np
import pytest

from corpus.annotations import (
    NO_CLASS,
    Annotations,
    Span,
    chord_classes,
    key_of,
    keys_at,
    read_annotations,
)


def test_the_text_files_of_a_song_are_read(tmp_path):
    (tmp_path / "beat_midi.txt").write_text("0.5 1.0 1.0\n1.0 0.0 0.0\n")
    (tmp_path / "chord_midi.txt").write_text("0.0\t0.5\tN\n0.5\t2.0\tBb:min7\n")
    (tmp_path / "key_audio.txt").write_text("0.1\t2.0\tGb:maj\n")
    found = read_annotations(tmp_path)
    assert found.beats == (0.5, 1.0)
    assert found.chords[1] == Span(start=0.5, end=2.0, name="Bb:min7")
    assert key_of(found.keys[0].name) == 6


def test_missing_files_and_unreadable_lines_are_passed_over(tmp_path):
    assert read_annotations(tmp_path) == Annotations()
    (tmp_path / "chord_midi.txt").write_text(
        "no times here\n1.0\t0.5\tC:maj\nnan\t1\tC\n0\t1\tC:maj\n"
    )
    (tmp_path / "beat_midi.txt").write_bytes(b"\xff\xfe\x00")
    assert read_annotations(tmp_path) == Annotations(chords=(Span(start=0, end=1, name="C:maj"),))


@pytest.mark.parametrize(
    ("name", "root", "family"),
    [
        ("C:maj", 0, 0),
        ("C#:7/b7", 1, 0),
        ("Bb:min7", 10, 1),
        ("B:hdim7", 11, 2),
        ("A:sus4(b7)", 9, 4),
        ("F", 5, 0),
        ("E:aug", 4, 3),
    ],
)
def test_a_chord_is_its_root_and_its_family(name, root, family):
    chords = (Span(start=1, end=2, name=name),)
    classes = chord_classes(chords, np.array([0.5, 1.5, 2.0]))
    assert classes.tolist() == [NO_CLASS, root * 5 + family, NO_CLASS]


def test_no_chord_is_no_class():
    assert chord_classes((Span(start=0, end=1, name="N"),), np.array([0.5])) == [NO_CLASS]


@pytest.mark.parametrize(
    ("name", "key"), [("C:maj", 0), ("Db:min", 13), ("Cb:maj", 11), ("x", None)]
)
def test_a_key_is_its_tonic_and_twelve_more_for_minor(name, key):
    assert key_of(name) == key


def test_keys_hold_from_their_start_to_their_end():
    keys = (Span(start=1, end=2, name="G:maj"), Span(start=2, end=3, name="A:min"))
    found = keys_at(keys, np.array([0.5, 1.0, 2.0, 3.0]))
    assert found.tolist() == [NO_CLASS, 7, 21, NO_CLASS]
