import logging
from pathlib import Path

import numpy as np
import pytest
import soundfile

from corpus.audio_file import AudioFileError
from corpus.pairs import Song, find_songs, load_song, pair_song

RATE = 8000


def stem(path: Path, seconds: float = 1.0, level: float = 0.3) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    t = np.arange(int(seconds * RATE)) / RATE
    soundfile.write(path, level * np.sin(2 * np.pi * 440 * t), RATE)
    return path


def test_two_files_are_a_song_of_two_stems(tmp_path):
    song = pair_song(stem(tmp_path / "guide.wav"), stem(tmp_path / "answer.flac"))
    assert song.name == "guide+answer"
    assert list(song.stems) == ["guide", "answer"]


def test_two_files_of_one_name_are_told_apart_by_their_folders(tmp_path):
    song = pair_song(stem(tmp_path / "a/take.wav"), stem(tmp_path / "b/take.wav"))
    assert list(song.stems) == ["a/take", "b/take"]


def test_a_file_is_no_pair_with_itself(tmp_path):
    path = stem(tmp_path / "a.wav")
    with pytest.raises(AudioFileError, match="two different files"):
        pair_song(path, tmp_path / "." / "a.wav")


def test_every_subfolder_is_a_song_and_its_files_are_the_stems(tmp_path):
    for name in ("one/bass.wav", "one/voice.ogg", "two/stems/piano.flac", "two/stems/flute.WAV"):
        stem(tmp_path / name)
    (tmp_path / "one/notes.txt").write_text("not a stem")
    songs = find_songs(tmp_path)
    assert [song.name for song in songs] == ["one", "two"]
    assert list(songs[0].stems) == ["bass", "voice"]
    assert list(songs[1].stems) == ["stems/flute", "stems/piano"]


@pytest.mark.parametrize(
    "name", ["Drums", "perc_2", "01-Hi hat", "guitar FX", "mixture", "Song_MIX", "kick"]
)
def test_drums_effects_and_mixes_are_left_out_with_a_notice(tmp_path, caplog, name):
    for one in ("bass", "voice", name):
        stem(tmp_path / f"song/{one}.wav")
    with caplog.at_level(logging.INFO):
        (song,) = find_songs(tmp_path)
    assert list(song.stems) == ["bass", "voice"]
    assert f"{name}.wav is left out" in caplog.text


@pytest.mark.parametrize("folder", ["drums", "percussion", "06 FX/more"])
def test_stems_in_a_folder_of_drums_or_effects_are_left_out(tmp_path, folder):
    for one in ("bass/0b", "guitar/0c", f"{folder}/0a-1"):
        stem(tmp_path / f"Drums and wires/{one}.wav")
    assert list(find_songs(tmp_path)[0].stems) == ["bass/0b", "guitar/0c"]


def test_stems_in_a_folder_called_mix_are_kept(tmp_path):
    for one in ("a", "b", "mixdown"):
        stem(tmp_path / f"song/mix/{one}.wav")
    assert list(find_songs(tmp_path)[0].stems) == ["mix/a", "mix/b"]


@pytest.mark.parametrize(
    "names",
    [
        ["stems/one/bass", "stems/one/harp", "stems/two/bass", "stems/two/harp"],
        ["mixes/one", "mixes/two", "stems/one/bass", "stems/one/harp", "stems/two/oboe"],
    ],
)
def test_songs_that_lie_a_folder_deeper_are_refused(tmp_path, names):
    for name in names:
        stem(tmp_path / f"{name}.wav")
    with pytest.raises(AudioFileError, match="its folders look like songs of their own"):
        find_songs(tmp_path)


def test_one_song_named_like_several_is_told_of(tmp_path, caplog):
    for name in ("song0_guitar", "song0_piano", "song1_guitar", "song1_piano"):
        stem(tmp_path / f"in/{name}.wav")
    assert len(find_songs(tmp_path / "in")) == 1
    assert "names begin alike (song0, song1)" in caplog.text
    caplog.clear()
    stem(tmp_path / "in/bass.wav")
    find_songs(tmp_path / "in")
    assert not caplog.text


@pytest.mark.parametrize("name", ["drummond", "Mixolydian solo", "effectively", "hatch"])
def test_words_that_only_begin_like_drums_are_stems(tmp_path, name):
    for one in ("bass", name):
        stem(tmp_path / f"song/{one}.wav")
    assert name in find_songs(tmp_path)[0].stems


def test_stems_of_one_name_in_two_formats_are_both_kept(tmp_path):
    stem(tmp_path / "song/a.flac")
    stem(tmp_path / "song/a.wav")
    assert list(find_songs(tmp_path)[0].stems) == ["a", "a.wav"]


def test_a_folder_of_stems_alone_is_one_song(tmp_path):
    stem(tmp_path / "song/a.wav")
    stem(tmp_path / "song/b.wav")
    assert [song.name for song in find_songs(tmp_path / "song")] == ["song"]


def test_hidden_files_are_passed_over(tmp_path):
    for name in ("a.wav", "b.wav", "._a.wav", ".cache/c.wav"):
        stem(tmp_path / "song" / name)
    assert list(find_songs(tmp_path)[0].stems) == ["a", "b"]


def test_a_song_with_one_stem_is_refused(tmp_path):
    stem(tmp_path / "song/voice.wav")
    stem(tmp_path / "song/drums.wav")
    with pytest.raises(AudioFileError, match=r"at least two stems with pitch, got 1 \(of 2"):
        find_songs(tmp_path)


def test_a_folder_without_audio_is_refused(tmp_path):
    (tmp_path / "song").mkdir()
    with pytest.raises(AudioFileError, match="got no WAV, FLAC or OGG file"):
        find_songs(tmp_path)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(AudioFileError, match="there is no such folder"):
        find_songs(tmp_path / "none")


def test_stems_are_mono_and_cut_to_the_shortest_without_a_word_if_nearly_equal(tmp_path, caplog):
    song = pair_song(stem(tmp_path / "a.wav", 2.0), stem(tmp_path / "b.wav", 2.5))
    stems = load_song(song, 16000)
    assert {name: samples.shape for name, samples in stems.items()} == {
        "a": (32000,),
        "b": (32000,),
    }
    assert caplog.text == ""


def test_stems_of_very_different_length_are_cut_with_a_notice(tmp_path, caplog):
    song = pair_song(stem(tmp_path / "a.wav", 1.0), stem(tmp_path / "b.wav", 4.0))
    assert {len(samples) for samples in load_song(song, RATE).values()} == {RATE}
    assert "got 1.0 to 4.0 s; all are cut to the shortest" in caplog.text


def test_a_silent_stem_is_dropped_with_a_notice(tmp_path, caplog):
    paths = {name: stem(tmp_path / f"{name}.wav") for name in ("a", "b")}
    paths["mute"] = stem(tmp_path / "mute.wav", level=0.0)
    assert list(load_song(Song("song", paths), RATE)) == ["a", "b"]
    assert "the stem mute is silent and left out" in caplog.text


def test_a_pair_with_a_silent_stem_is_refused(tmp_path):
    song = pair_song(stem(tmp_path / "a.wav"), stem(tmp_path / "b.wav", level=0.0))
    with pytest.raises(AudioFileError, match="at least two stems that sound, got 1 of 2"):
        load_song(song, RATE)


def test_a_stem_that_cannot_be_read_is_refused_by_its_name(tmp_path):
    (tmp_path / "b.wav").write_text("no audio")
    song = pair_song(stem(tmp_path / "a.wav"), tmp_path / "b.wav")
    with pytest.raises(AudioFileError, match=r"b\.wav must be a WAV"):
        load_song(song, RATE)
