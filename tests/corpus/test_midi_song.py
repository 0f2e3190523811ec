import contextlib

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.midi_song import PITCH_BEND, MidiFileError, MidiNote, read_midi_song


def test_each_track_with_notes_is_a_part_with_its_program(tmp_path, write_midi, line):
    path = write_midi(
        tmp_path / "a.mid", ("Flute", 0, 73, line([72, 74])), ("Bass", 1, 32, line([40]))
    )
    song = read_midi_song(path)
    assert [(part.name, part.program, len(part.notes)) for part in song.parts] == [
        ("Flute", 73, 2),
        ("Bass", 32, 1),
    ]
    assert song.parts[0].notes[1] == MidiNote(0.5, 1.0, 74, 90)
    assert song.seconds == 1.0


def test_one_track_with_many_channels_gives_a_part_for_each(tmp_path):
    track = mido.MidiTrack()
    for channel, pitch in ((0, 60), (1, 64), (9, 36)):
        track.append(mido.Message("note_on", channel=channel, note=pitch, velocity=80))
    for channel, pitch in ((0, 60), (1, 64), (9, 36)):
        time = 480 if channel == 0 else 0
        track.append(mido.Message("note_off", channel=channel, note=pitch, time=time))
    file = mido.MidiFile(type=0)
    file.tracks.append(track)
    file.save(tmp_path / "a.mid")
    parts = read_midi_song(tmp_path / "a.mid").parts
    assert [part.is_drums for part in parts] == [False, False, True]
    assert len({part.name for part in parts}) == 3


def test_a_change_of_tempo_moves_what_follows(tmp_path, write_midi, line):
    slower = mido.MetaMessage("set_tempo", tempo=1_000_000, time=480)
    path = write_midi(tmp_path / "a.mid", ("A", 0, 0, line([60, 62])), extra=[slower])
    song = read_midi_song(path)
    assert [(note.onset, note.end) for note in song.parts[0].notes] == [(0.0, 0.5), (0.5, 1.5)]
    assert song.beats == (0.0, 0.5, 1.5)


def test_a_note_struck_again_ends_first_and_a_held_one_ends_with_the_file(tmp_path):
    on = {"type": "note_on", "note": 60, "velocity": 80}
    track = mido.MidiTrack(
        [mido.Message(**on), mido.Message(**on, time=480), mido.MetaMessage("text", time=480)]
    )
    file = mido.MidiFile()
    file.tracks.append(track)
    file.save(tmp_path / "a.mid")
    notes = read_midi_song(tmp_path / "a.mid").parts[0].notes
    assert [(note.onset, note.end) for note in notes] == [(0.0, 0.5), (0.5, 1.0)]


def test_bends_and_volume_are_kept_but_not_banks_and_effects(tmp_path, write_midi, line):
    path = write_midi(tmp_path / "a.mid", ("A", 0, 0, line([60])))
    file = mido.MidiFile(path)
    for control in (0, 7, 91):
        file.tracks[1].insert(0, mido.Message("control_change", control=control, value=5))
    file.tracks[1].insert(0, mido.Message("pitchwheel", pitch=-100))
    file.save(path)
    shaping = read_midi_song(path).parts[0].shaping
    assert {(one.number, one.value) for one in shaping} == {(PITCH_BEND, -100), (7, 5)}


def test_names_are_unique_and_safe_for_files(tmp_path, write_midi, line):
    path = write_midi(
        tmp_path / "a.mid",
        ("Gtr/L: (dist)", 0, 30, line([60])),
        ("gtr L dist", 1, 30, line([60])),
        ("", 2, 30, line([60])),
    )
    names = [part.name for part in read_midi_song(path).parts]
    assert names == ["Gtr L dist", "gtr L dist 2", "track 3 channel 3"]


@pytest.mark.parametrize("length", [0, 3, 13, 40])
def test_a_file_cut_short_is_refused_in_one_sentence(tmp_path, write_midi, line, length):
    path = write_midi(tmp_path / "a.mid", ("A", 0, 0, line(range(60, 72))))
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(MidiFileError, match="must be a whole standard MIDI file"):
        read_midi_song(path)


@given(st.binary(max_size=200))
def test_any_bytes_after_a_header_are_read_or_refused(tmp_path_factory, noise):
    path = tmp_path_factory.mktemp("noise") / "a.mid"
    head = b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x01\xe0MTrk"
    path.write_bytes(head + len(noise).to_bytes(4, "big") + noise)
    with contextlib.suppress(MidiFileError):
        assert read_midi_song(path).parts


def test_a_file_without_notes_or_of_type_2_is_refused(tmp_path, write_midi):
    with pytest.raises(MidiFileError, match="must hold notes"):
        read_midi_song(write_midi(tmp_path / "a.mid", ("A", 0, 0, [])))
    mido.MidiFile(type=2).save(tmp_path / "b.mid")
    with pytest.raises(MidiFileError, match="type 0 or 1"):
        read_midi_song(tmp_path / "b.mid")


def test_a_missing_file_and_an_endless_one_are_refused(tmp_path, write_midi):
    with pytest.raises(MidiFileError, match="must exist"):
        read_midi_song(tmp_path / "none.mid")
    path = write_midi(tmp_path / "a.mid", ("A", 0, 0, [(30_000, 1, 60)]))
    with pytest.raises(MidiFileError, match="at most 3 hours"):
        read_midi_song(path)
