import errno
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from corpus.importer import (
    SongImporter,
    check_apart,
    finished_record,
    import_one_by_one,
    settings_hash,
)
from corpus.manifest import ImportSettings, ManifestError, load_annotations, load_features
from corpus.song_sources import SourceError, find_sources
from corpus.voices import VoiceConfig

RATE = 8000
LOW, HIGH = [48, 52, 55, 53] * 6, [72, 71, 69, 67, 65, 64] * 4


def hear(samples, lengths):
    """A tiny ear: the level of every window."""
    found = {}
    for length in lengths:
        n = round(length * RATE)
        blocks = samples[: len(samples) // n * n].reshape(-1, n)
        power = np.square(blocks).mean(axis=1, dtype=np.float64)
        found[f"{length:g}/features"] = power[:, None].astype(np.float32)
        found[f"{length:g}/silent"] = power < 1e-6
    return found


def settings(**changes):
    return ImportSettings(sample_rate=RATE, fewest_notes=5, **changes)


def run(folder, out, ear=hear, **changes):
    return list(import_one_by_one(find_sources([folder]), out, settings(**changes), ear))


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def reasons(record):
    return {one.part: one.reason for one in record.dropped}


def test_stems_are_kept_with_features_and_drums_and_mixes_are_dropped_with_a_reason(
    tmp_path, write_stem
):
    for name, pitches in (("bass", LOW), ("flute", HIGH), ("drums", HIGH), ("Song_mix", LOW)):
        write_stem(tmp_path / f"in/song/{name}.wav", pitches)
    (record,) = run(tmp_path / "in", tmp_path / "out", window_seconds=(0.5,))
    assert [part.name for part in record.parts] == ["bass", "flute"]
    assert record.pairs == [("bass", "flute")]
    assert reasons(record) == {"Song_mix": "its name says mix", "drums": "its name says drums"}
    assert record.seconds == 12.0
    found = load_features(tmp_path / "out", record, 0.5)
    assert found["flute"]["features"].shape == (24, 1)
    with pytest.raises(ManifestError, match=r"import it again with --window 0\.25"):
        load_features(tmp_path / "out", record, 0.25)


def test_drums_in_a_folder_of_their_own_are_dropped(tmp_path, write_stem):
    for name, pitches in (("bass/0b", LOW), ("flute/0c", HIGH), ("drums/0a-1", LOW)):
        write_stem(tmp_path / f"in/song/{name}.wav", pitches)
    (record,) = run(tmp_path / "in", tmp_path / "out")
    assert reasons(record) == {"drums/0a-1": "its name says drums"}


def test_unequal_rates_and_lengths_are_brought_together_with_a_notice(tmp_path, write_stem):
    write_stem(tmp_path / "in/song/a.wav", LOW, rate=16_000)
    write_stem(tmp_path / "in/song/b.wav", HIGH[:20])
    (record,) = run(tmp_path / "in", tmp_path / "out", keep="both")
    assert record.seconds == 10.0
    assert "8000 Hz and 16000 Hz" in record.notices[0]
    assert "cut to the shortest" in record.notices[1]
    files = [soundfile.info(tmp_path / "out" / part.audio) for part in record.parts]
    assert [(file.frames, file.samplerate) for file in files] == [(80_000, RATE)] * 2


def test_silent_near_empty_and_broken_stems_are_dropped_with_a_reason(tmp_path, write_stem):
    for name, pitches in (("a", LOW), ("b", HIGH)):
        write_stem(tmp_path / f"in/song/{name}.wav", pitches)
    write_stem(tmp_path / "in/song/c.wav", LOW, level=0.0)
    blip = np.zeros(12 * RATE)
    blip[:800] = 0.3
    soundfile.write(tmp_path / "in/song/d.wav", blip, RATE)
    (tmp_path / "in/song/e.wav").write_bytes(b"RIFF")
    (record,) = run(tmp_path / "in", tmp_path / "out", least_sounding=0.05)
    assert [part.name for part in record.parts] == ["a", "b"]
    told = reasons(record)
    assert told["c"] == "it is silent"
    assert told["d"].startswith("near-empty: it sounds for 0.8%")
    assert "must be a WAV, FLAC or OGG file" in told["e"]


def test_a_mix_with_one_stem_is_refused_and_the_import_goes_on(tmp_path, write_stem):
    for name in ("bad/mix", "bad/bass"):
        write_stem(tmp_path / f"in/{name}.wav", LOW)
    write_stem(tmp_path / "in/good/a.wav", LOW)
    write_stem(tmp_path / "in/good/b.wav", HIGH)
    bad, good = run(tmp_path / "in", tmp_path / "out")
    assert "must have two parts with pitch that differ, got 1" in bad.refused
    assert not good.refused


def test_a_copied_stem_is_doubled_and_alone_makes_no_song(tmp_path, write_stem):
    for name, pitches in (("a", LOW), ("b", HIGH), ("copy", LOW)):
        write_stem(tmp_path / f"in/one/{name}.wav", pitches)
    for name in ("a", "b"):
        write_stem(tmp_path / f"in/two/{name}.wav", LOW, level=0.3 if name == "a" else 0.1)
    one, two = run(tmp_path / "in", tmp_path / "out")
    assert one.doubled == (("a", "copy"),)
    assert one.pairs == [("a", "b"), ("b", "copy")]
    assert "all double each other" in two.refused


def test_a_record_without_fingerprints_is_made_again(tmp_path, write_stem):
    for name, pitches in (("a", LOW), ("b", HIGH)):
        write_stem(tmp_path / f"in/song/{name}.wav", pitches)
    (first,) = run(tmp_path / "in", tmp_path / "out")
    assert all(len(part.fingerprint) == 72 for part in first.parts)
    place = tmp_path / "out/songs/song.json"
    place.write_text(place.read_text().replace(f'"{first.parts[0].fingerprint}"', "null"))
    assert run(tmp_path / "in", tmp_path / "out") == [first]


def test_features_need_an_ear():
    with pytest.raises(ValueError, match="needs an ear"):
        SongImporter("anywhere", settings(), None)


@pytest.fixture
def midi_folder(tmp_path, write_midi, line):
    folder = tmp_path / "in"
    drums = ("Kit", 9, 0, line([36] * 24))
    tracks = [
        ("Lead", 0, 73, line(HIGH)),
        ("Echo", 1, 80, line([p - 12 for p in HIGH], start=0.25)),
    ]
    tracks += [("Bass", 2, 32, line(LOW)), drums, ("Hit", 3, 73, line([60] * 3))]
    write_midi(folder / "001/001.mid", *tracks)
    (folder / "001/key_audio.txt").write_text("0\t10\tC:maj\n")
    write_midi(folder / "002/002.mid", ("A", 0, 0, line(LOW)), ("B", 1, 0, line(HIGH)))
    (folder / "003").mkdir()
    (folder / "003/003.mid").write_bytes(b"MThd broken")
    return folder


@pytest.mark.usefixtures("needs_synthesizer")
def test_midi_parts_are_rendered_and_everything_left_out_has_a_reason(midi_folder, tmp_path):
    one, two, three = run(midi_folder, tmp_path / "out", twins=True)
    assert [part.name for part in one.parts if part.twin_of is None] == ["Lead", "Echo", "Bass"]
    assert reasons(one) == {"Kit": "drums (channel 10)", "Hit": "near-empty: 3 notes"}
    assert one.doubled == (("Lead", "Echo"),)
    assert one.pairs == [("Lead", "Bass"), ("Echo", "Bass")]
    twin = one.parts[1]
    assert (twin.twin_of, twin.content) == ("Lead", one.parts[0].content)
    assert twin.voice.program != one.parts[0].voice.program
    assert load_annotations(tmp_path / "out", one).keys[0].name == "C:maj"
    assert load_annotations(tmp_path / "out", two).beats[:3] == (0.0, 0.5, 1.0)
    assert "must be a whole standard MIDI file" in three.refused


@pytest.mark.usefixtures("needs_synthesizer")
def test_a_midi_pad_called_fx_is_kept_and_a_part_called_drums_is_not(tmp_path, write_midi, line):
    tracks = [
        ("Crystal FX", 0, 98, line(HIGH)),
        ("A", 1, 0, line(LOW)),
        ("My drums", 2, 0, line(LOW)),
    ]
    write_midi(tmp_path / "in/a.mid", *tracks)
    (record,) = run(tmp_path / "in", tmp_path / "out")
    assert [part.name for part in record.parts] == ["Crystal FX", "A"]
    assert reasons(record) == {"My drums": "its name says drums"}


@pytest.mark.usefixtures("needs_synthesizer")
def test_further_windows_are_heard_in_the_audio_that_was_kept(midi_folder, tmp_path, monkeypatch):
    whole = run(midi_folder, tmp_path / "whole", keep="both", window_seconds=(0.5, 0.25))
    run(midi_folder, tmp_path / "out", keep="both", window_seconds=(0.5,))
    asked = []

    def hear_and_tell(samples, lengths):
        asked.append(tuple(lengths))
        return hear(samples, lengths)

    def must_not_render(*_):
        raise AssertionError("rendered again")

    monkeypatch.setattr("corpus.importer.MidiStems.samples", must_not_render)
    wider = {"keep": "both", "window_seconds": (0.5, 0.25)}
    assert run(midi_folder, tmp_path / "out", hear_and_tell, **wider) == whole
    assert set(asked) == {(0.25,)}
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


@pytest.mark.parametrize("lost", ["features", "damaged", "audio", "part.audio"])
def test_what_was_not_kept_whole_is_imported_again(tmp_path, write_stem, lost):
    for name, pitches in (("a", LOW), ("b", HIGH)):
        write_stem(tmp_path / f"in/song/{name}.wav", pitches)
    kept = "features" if lost == "audio" else "both"
    (record,) = run(tmp_path / "in", tmp_path / "out", keep=kept, window_seconds=(0.5,))
    if lost == "features":
        (tmp_path / "out" / record.features).unlink()
    if lost == "damaged":
        (tmp_path / "out" / record.features).write_bytes(b"PK\x03\x04 and no more")
    if lost == "part.audio":
        (tmp_path / "out" / record.parts[1].audio).unlink()
    (again,) = run(tmp_path / "in", tmp_path / "out", keep=kept, window_seconds=(0.5, 0.25))
    assert load_features(tmp_path / "out", again, 0.25)["b"]["features"].shape == (48, 1)
    assert len(tree(tmp_path / "out")) == (4 if kept == "both" else 2)


def test_beats_of_audio_are_looked_for_when_fine_windows_are(tmp_path):
    """Two stems without beats to speak of, and the drums that have them."""
    t = np.arange(20 * RATE) / RATE
    for name, sound in (
        ("pad", 0.1 * np.sin(2 * np.pi * 220 * t)),
        ("bass", 0.1 * np.sin(2 * np.pi * 100 * (1 + (t // 5)) * t)),
        ("drums", np.exp(-60 * (t % 0.6)) * np.sin(2 * np.pi * 900 * t)),
    ):
        (tmp_path / "in/song").mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / f"in/song/{name}.wav", sound, RATE)
    (before,) = run(tmp_path / "in", tmp_path / "out", keep="both", window_seconds=(0.5,))
    assert before.annotations is None
    for out in ("out", "fresh"):
        (record,) = run(tmp_path / "in", tmp_path / out, keep="both", window_seconds=(0.5, 0.05))
        beats = np.array(load_annotations(tmp_path / out, record).beats)
        assert np.median(np.diff(beats)) == pytest.approx(0.6, abs=0.02)
        assert np.abs((beats + 0.3) % 0.6 - 0.3).max() < 0.08
        assert record.notices == ("its beats were found in its sound, about 100 per minute",)
    assert tree(tmp_path / "out") == tree(tmp_path / "fresh")


def test_a_song_without_beats_says_so(tmp_path):
    t = np.arange(12 * RATE) / RATE
    for name, hertz in (("a", 220), ("b", 330)):
        (tmp_path / "in/song").mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / f"in/song/{name}.wav", 0.3 * np.sin(hertz * 6.28 * t), RATE)
    (record,) = run(tmp_path / "in", tmp_path / "out", window_seconds=(0.05,))
    assert load_annotations(tmp_path / "out", record).beats == ()
    assert record.notices == ("no beats are annotated, and none were found in its sound",)


@pytest.mark.usefixtures("needs_synthesizer")
def test_an_import_killed_in_the_middle_goes_on_and_ends_with_the_same_bytes(midi_folder, tmp_path):
    def fails_at_the_second_song(samples, lengths):
        if (tmp_path / "cut/songs/001.json").exists():
            raise KeyboardInterrupt
        return hear(samples, lengths)

    whole = run(midi_folder, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(midi_folder, tmp_path / "cut", fails_at_the_second_song)
    assert not (tmp_path / "cut/songs/002.json").exists()
    assert run(midi_folder, tmp_path / "cut") == whole
    assert tree(tmp_path / "cut") == tree(tmp_path / "whole")


@pytest.mark.usefixtures("needs_synthesizer")
def test_a_finished_song_is_not_heard_again_until_its_file_or_the_settings_change(
    midi_folder, tmp_path, write_midi, line
):
    out = tmp_path / "out"
    first = run(midi_folder, out)

    def must_not_hear(*_):
        raise AssertionError("heard again")

    assert run(midi_folder, out, must_not_hear) == first
    write_midi(midi_folder / "003/003.mid", ("A", 0, 0, line(LOW)), ("B", 1, 0, line(HIGH)))
    assert not run(midi_folder, out)[2].refused
    (source, *_) = find_sources([midi_folder])
    assert finished_record(out, source, settings()) == first[0]
    assert finished_record(out, source, settings(voices=VoiceConfig(seed=1))) is None


def test_a_full_disk_ends_the_import_with_its_reason_and_nothing_half_written(
    tmp_path, write_stem, monkeypatch
):
    for name, pitches in (("bass", LOW), ("flute", HIGH)):
        write_stem(tmp_path / f"in/song/{name}.wav", pitches)

    def write_some(path, content):
        path.open("wb").write(content[:9])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", write_some)
    with pytest.raises(OSError, match="No space left on device"):
        run(tmp_path / "in", tmp_path / "out", keep="audio")
    assert tree(tmp_path / "out") == {}


def test_a_link_to_itself_lies_apart(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    check_apart([tmp_path / "loop"], tmp_path / "out")


def test_settings_are_named_by_their_content():
    assert settings_hash(settings()) == settings_hash(settings())
    assert settings_hash(settings()) != settings_hash(settings(ear="other"))


def test_a_refused_song_takes_nothing_with_it_that_the_import_did_not_write(tmp_path, write_stem):
    for name in ("piano", "mix"):
        write_stem(tmp_path / f"songs/s/{name}.wav", LOW)
    (record,) = run(tmp_path / "songs", tmp_path)
    assert record.refused
    assert sorted(path.name for path in (tmp_path / "songs/s").iterdir()) == [
        "mix.wav",
        "piano.wav",
    ]


def test_a_song_refused_after_a_change_leaves_nothing_of_its_earlier_import(tmp_path, write_stem):
    for name, pitches in (("a", LOW), ("b", HIGH)):
        write_stem(tmp_path / f"in/song/{name}.wav", pitches)
    (record,) = run(tmp_path / "in", tmp_path / "out", keep="both")
    assert len(tree(tmp_path / "out")) == 4
    (tmp_path / "in/song/b.wav").unlink()
    (record,) = run(tmp_path / "in", tmp_path / "out", keep="both")
    assert record.refused
    assert list(tree(tmp_path / "out")) == ["songs/song.json"]
    assert not (tmp_path / "out/songs/song").exists()


@pytest.mark.parametrize(
    ("place", "out"),
    [("mine", "mine"), ("mine/songs", "mine"), ("mine/songs/s", "mine"), ("mine", "mine/corpus")],
)
def test_a_corpus_among_its_sources_is_refused(tmp_path, place, out):
    with pytest.raises(SourceError, match="must lie apart from what is imported"):
        check_apart([tmp_path / place], tmp_path / out)
    check_apart([tmp_path / "mine/raw", tmp_path / "songs"], tmp_path / "mine")
