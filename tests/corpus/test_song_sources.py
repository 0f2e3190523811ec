import pytest

from corpus.song_sources import SourceError, find_sources

TUNE = [60, 64]


def test_midi_files_at_any_depth_are_songs(tmp_path, write_midi, line):
    for name in ("001/001.mid", "002/002.mid", "more/x.MID", ".hidden/y.mid"):
        write_midi(tmp_path / name, ("A", 0, 0, line(TUNE)))
    found = find_sources([tmp_path])
    assert [source.name for source in found] == ["001", "002", "more/x"]
    assert {source.layout for source in found} == {"midi"}
    assert found[2].paths["midi"] == tmp_path / "more/x.MID"


def test_folders_with_audio_are_songs_of_stems(tmp_path, write_stem):
    for name in ("one/bass.wav", "one/voice.wav", "two/stems/flute.wav"):
        write_stem(tmp_path / name, TUNE)
    found = find_sources([tmp_path])
    assert [(source.name, list(source.files)) for source in found] == [
        ("one", ["bass", "voice"]),
        ("two", ["stems/flute"]),
    ]


def test_two_folders_with_equal_names_are_paired(tmp_path, write_stem):
    for name in ("a/1.wav", "b/1.wav", "a/2.wav", "b/3.wav"):
        write_stem(tmp_path / name, TUNE)
    (source,) = find_sources([tmp_path / "a", tmp_path / "b"])
    assert (source.layout, source.name, list(source.files)) == ("paired", "1", ["a", "b"])
    assert all(path.is_file() for path in source.paths.values())


def test_two_files_are_a_pair(tmp_path, write_stem):
    paths = [write_stem(tmp_path / name, TUNE) for name in ("guide.wav", "answer.wav")]
    (source,) = find_sources(paths)
    assert (source.layout, source.name) == ("pair", "guide+answer")


def test_songs_of_several_folders_are_named_after_them(tmp_path, write_midi, line):
    for name in ("pop/1.mid", "jazz/1.mid"):
        write_midi(tmp_path / name, ("A", 0, 0, line(TUNE)))
    found = find_sources([tmp_path / "pop", tmp_path / "jazz"])
    assert [(source.name, source.collection) for source in found] == [
        ("jazz/1", "jazz"),
        ("pop/1", "pop"),
    ]


def test_what_cannot_be_songs_is_refused_in_one_sentence(tmp_path, write_stem):
    one = write_stem(tmp_path / "a.wav", TUNE)
    (tmp_path / "empty").mkdir()
    for places, layout, message in (
        ([tmp_path / "none"], None, "no such place"),
        ([tmp_path / "empty"], None, "got neither"),
        ([tmp_path / "empty"], "midi", "must hold MIDI files"),
        ([one, one], None, "two different files"),
        ([tmp_path / "empty", tmp_path], "paired", "none in common"),
        ([one], "pair", "two places"),
        ([one], None, "put the stems of a song into a folder"),
        ([one, one, one], None, "got 3"),
        ([], None, "got none"),
    ):
        with pytest.raises(SourceError, match=message):
            find_sources(places, layout)


def test_two_files_of_one_name_and_other_suffixes_are_refused(tmp_path, write_midi, line):
    for name in ("a.mid", "a.midi"):
        write_midi(tmp_path / name, ("A", 0, 0, line(TUNE)))
    with pytest.raises(SourceError, match="name of its own, got a twice"):
        find_sources([tmp_path])


def test_midi_beside_audio_must_be_told_apart(tmp_path, write_midi, write_stem, line):
    write_midi(tmp_path / "t/all.mid", ("A", 0, 0, line(TUNE)))
    for name in ("S00", "S01"):
        write_stem(tmp_path / f"t/stems/{name}.wav", TUNE)
    with pytest.raises(SourceError, match="MIDI files beside audio files; say which"):
        find_sources([tmp_path])
    assert [one.layout for one in find_sources([tmp_path], "midi")] == ["midi"]
    (song,) = find_sources([tmp_path], "stems")
    assert list(song.files) == ["stems/S00", "stems/S01"]


def test_songs_that_lie_a_folder_deeper_are_refused(tmp_path, write_stem):
    for name in ("mixes/one", "mixes/two", "stems/one/bass", "stems/one/harp", "stems/two/oboe"):
        write_stem(tmp_path / f"{name}.wav", TUNE)
    with pytest.raises(SourceError, match="give the folder that the songs lie in"):
        find_sources([tmp_path])
