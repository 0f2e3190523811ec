import argparse
from pathlib import Path

import numpy as np
import pytest
import soundfile

from corpus.manifest import load_features, load_manifest
from corpus.song_sources import SongSource
from launch.import_corpus import chosen, main

RATE = 8000


@pytest.fixture
def stems(tmp_path):
    """Three songs of two stems; the third has the music of the first."""
    for song, first in (("a", 200), ("b", 300), ("c", 200)):
        for name, factor in (("high", 2.1), ("low", 1.0)):
            path = tmp_path / f"in/{song}/{name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            pitches = (factor * first * np.array([1.0, 1.2, 1.5, 1.3])).repeat(RATE // 2)
            soundfile.write(path, 0.3 * np.sin(np.cumsum(2 * np.pi * pitches / RATE)), RATE)
    return tmp_path / "in"


def test_a_folder_becomes_a_corpus_with_a_manifest(stems, tmp_path, capsys):
    out = tmp_path / "out"
    assert main([str(stems), "--out", str(out), "--sample-rate", "8000"]) == 0
    manifest = load_manifest(out)
    assert [song.name for song in manifest.used] == ["a", "b"]
    told = capsys.readouterr().err
    assert "2 songs" in told
    assert "left out c: it holds the same music as a" in told
    before = (out / "manifest.json").read_bytes()
    assert main([str(stems), "--out", str(out), "--sample-rate", "8000"]) == 0
    assert (out / "manifest.json").read_bytes() == before


def test_a_song_at_another_level_and_from_another_codec_is_the_same_music(tmp_path, capsys):
    for song, seed, level, suffix in (
        ("a", 0, 0.3, "wav"),
        ("b", 0, 0.27, "ogg"),
        ("c", 1, 0.3, "wav"),
    ):
        for name, octave in (("high", 2), ("low", 1)):
            rng = np.random.default_rng([seed, octave])
            pitches = octave * 200 * 2 ** (rng.integers(0, 12, 24) / 12).repeat(RATE // 2)
            path = tmp_path / f"in/{song}/{name}.{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, level * np.sin(np.cumsum(2 * np.pi * pitches / RATE)), RATE)
    out = tmp_path / "out"
    assert main([str(tmp_path / "in"), "--out", str(out), "--sample-rate", "8000"]) == 0
    assert [song.name for song in load_manifest(out).used] == ["a", "c"]
    assert "left out b: it holds the same music as a" in capsys.readouterr().err


def test_the_same_command_with_other_windows_adds_them(stems, tmp_path):
    arguments = [str(stems), "--out", str(tmp_path / "out"), "--sample-rate", "8000"]
    for more in (["--window", "0.5"], ["--window", "0.25"], ["--window", "0.5"]):
        assert main([*arguments, *more]) == 0
    manifest = load_manifest(tmp_path / "out")
    assert manifest.settings.window_seconds == (0.5, 0.25)
    for length, n_windows in ((0.5, 4), (0.25, 8)):
        found = load_features(tmp_path / "out", manifest.used[0], length)
        assert found["high"]["features"].shape[0] == n_windows
    assert main([*arguments, "--window", "0.25", "--longest", "1.5"]) == 0  # another import
    assert load_manifest(tmp_path / "out").settings.window_seconds == (0.25,)


def test_only_and_limit_choose_songs(stems, tmp_path):
    arguments = [str(stems), "--out", str(tmp_path / "out"), "--sample-rate", "8000"]
    main([*arguments, "--only", "[bc]"])
    assert [song.name for song in load_manifest(tmp_path / "out").songs] == ["b", "c"]
    main([*arguments, "--limit", "2"])
    assert len(load_manifest(tmp_path / "out").songs) == 2


def test_a_limit_leaves_no_side_of_a_suggested_split_empty():
    sources = [
        SongSource(name=f"{i:03d}", collection="POP909", layout="midi", root=Path(), files={})
        for i in range(1, 910)
    ]
    for seed in range(3):
        asked = argparse.Namespace(limit=20, only=None, split="suggested", split_seed=seed)
        numbers = [int(source.name) for source in chosen(sources, asked)]
        assert len(numbers) == 20 == len(set(numbers))
        assert numbers == sorted(numbers)
        sides = [n <= 320 for n in numbers], [320 < n <= 360 for n in numbers]
        assert all(any(side) for side in sides)
        assert sum(n > 360 for n in numbers) > 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{stems}", "--out", "in"], "must lie apart"),
        (["nowhere", "--out", "x"], "no such place"),
        (["{stems}", "--out", "x", "--only", "z"], "--only must match"),
        (["{stems}", "--out", "x", "--sample-rate", "10"], "sample_rate"),
        (["{stems}", "--out", "x", "--window", "-1"], "window_seconds"),
        (["{stems}", "--out", "x", "--window", "0.00001"], "window_seconds"),
        (["{stems}", "--out", "x", "--window", "0.04"], "greater than or equal to 0.05"),
        (["{stems}/a/high.wav", "--out", "x"], "got 1; put the stems of a song into a folder"),
    ],
)
def test_what_cannot_be_imported_is_one_sentence_and_no_corpus(
    stems, tmp_path, monkeypatch, capsys, arguments, message
):
    monkeypatch.chdir(tmp_path)
    assert main([one.replace("{stems}", str(stems)) for one in arguments]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert message in told
    assert "Traceback" not in told
    assert not (tmp_path / "x").exists()


def test_a_limit_of_no_songs_is_refused(stems, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main([str(stems), "--out", str(tmp_path / "x"), "--limit", "0"])
    assert "must be at least 1, got 0" in capsys.readouterr().err
