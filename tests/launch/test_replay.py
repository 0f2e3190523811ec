"""Replays of guides, with small songs of our own and the demo's bundle."""

import json
import sys

import numpy as np
import pytest
import soundfile

from corpus.audio_file import AudioFileError
from corpus.manifest import load_manifest
from launch import reconstruction, replay_pairs
from launch.config import PROJECT_ROOT
from launch.replay import DEFAULT_CONFIG, main
from launch.replay_material import find_duos
from models.bundle import Bundle
from models.metrics.accompaniment import MEASURES

RATE, SECONDS = 44_100, 6
BUNDLE = str(PROJECT_ROOT / "models" / "bundles" / "default")


def play(pitches, seconds=SECONDS, rate=RATE):
    """One note every half a second, over and over."""
    t = np.arange(rate // 2) / rate
    notes = [
        0.3 * np.sin(2 * np.pi * 440 * 2 ** ((p - 69) / 12) * t) * np.exp(-3 * t) for p in pitches
    ]
    samples = np.concatenate(notes * seconds)[: seconds * rate]
    return samples.astype(np.float32)


def make_songs(folder, n=3):
    for index in range(n):
        place = folder / f"song{index}"
        place.mkdir(parents=True)
        soundfile.write(place / "flute.wav", play([60, 64, 67 - index, 72]), RATE)
        soundfile.write(place / "piano.wav", play([48, 55, 52 + index, 48], SECONDS + 1), RATE)
    return folder


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    return make_songs(tmp_path_factory.mktemp("songs"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def command(cache, capsys):
    def run(place, out, *words):
        words = [*words, "--set", f"cache={cache}", "--set", "decision.kind=counts"]
        code = main(["--pairs", str(place), "--bundle", BUNDLE, "--out", str(out), *words])
        return code, " ".join(capsys.readouterr().err.split())

    return run


@pytest.fixture(scope="module")
def replayed(songs, cache, tmp_path_factory):
    out = tmp_path_factory.mktemp("replay")
    words = ["--pairs", str(songs), "--bundle", BUNDLE, "--out", str(out), "--limit", "1"]
    assert main([*words, "--set", f"cache={cache}", "--set", "decision.kind=counts"]) == 0
    return out


def test_every_measure_stands_beside_its_yardsticks(replayed):
    report = json.loads((replayed / "replay.json").read_text())
    assert (report["n_songs"], report["n_duos"]) == (1, 2)
    assert set(report["measures"]) == set(MEASURES)
    harmony = report["measures"]["harmony"]
    assert set(harmony) == {"answer", "partner", "stranger", "copy", "way"}
    assert harmony["answer"]["low"] <= harmony["answer"]["mean"] <= harmony["answer"]["high"]
    for duo in report["duos"]:
        assert duo["figures"]["partner"]["activity as partner"] == 1.0
        assert duo["plays"]["answer"] > 0
    assert report["duos"][0]["figures"]["answer"] != report["duos"][0]["figures"]["copy"]


def test_the_page_shows_pictures_and_the_mix_can_be_listened_to(replayed):
    page = (replayed / "replay.html").read_text()
    assert page.count("data:image/png;base64,") == 3  # overview, and two duos
    assert "song" in page
    mixes = list((replayed / "mixes").glob("*.wav"))
    assert len(mixes) == 2
    assert abs(soundfile.info(mixes[0]).duration - SECONDS) < 0.6
    assert not [path for path in (replayed / "duos").iterdir() if path.is_dir()]


def test_what_was_played_is_not_played_again(replayed, songs, command, monkeypatch):
    def refuse(*_):
        raise AssertionError("played again")

    before = (replayed / "replay.json").read_bytes()
    monkeypatch.setattr(replay_pairs, "FastBand", refuse)
    assert command(songs, replayed, "--limit", "1")[0] == 0
    assert (replayed / "replay.json").read_bytes() == before
    with pytest.raises(AssertionError, match="played again"):
        command(songs, replayed, "--limit", "1", "--seed", "1")


def test_a_file_that_has_changed_under_its_name_is_played_again(tmp_path, monkeypatch):
    (duo, *_), _ = find_duos(make_songs(tmp_path / "mine"), 1, 0)
    replay = replay_pairs.Replay(PROJECT_ROOT / BUNDLE, DEFAULT_CONFIG, (), tmp_path / "out", 0)
    played = []
    monkeypatch.setattr(replay_pairs, "_measure", lambda *_: played.append(1) or {"figures": {}})
    for _ in range(2):
        replay_pairs.replay_duo(duo, replay)
    assert len(played) == 1
    for n, file in enumerate((duo.guide_file, duo.partner_file, duo.memory[0], duo.stranger)):
        soundfile.write(file, play([61, 65, 68 + n]), RATE)
        replay_pairs.replay_duo(duo, replay)
        assert len(played) == n + 2


def test_no_songs_at_most_is_refused(songs, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["--pairs", str(songs), "--out", str(tmp_path), "--bundle", BUNDLE, "--limit", "0"])
    assert "must be at least 1, got 0" in capsys.readouterr().err


def test_a_duo_has_strangers_of_the_partners_kind(songs):
    duos, _ = find_duos(songs, None, 0)
    assert len(duos) == 6
    for duo in duos:
        assert {path.stem for path in duo.memory} == {duo.partner} == {duo.stranger.stem}
        assert duo.song not in {path.parent.name for path in duo.memory}
        assert duo.song != duo.stranger.parent.name
    assert find_duos(songs, None, 0)[0] == duos


def test_choices_are_made_on_validation_songs(tmp_path, make_corpus_song, import_songs):
    for index in range(16):
        make_corpus_song(tmp_path / "pop" / f"song {index:02}", index, n_windows=44)
    corpus = import_songs(tmp_path / "pop", "--keep", "both")
    manifest = load_manifest(corpus)
    for role in ("validation", "test"):
        duos, _ = find_duos(corpus, None, 0, role=role)
        assert {duo.song for duo in duos} == {song.name for song in manifest.with_role(role)}


def test_a_given_memory_answers_every_guide(songs, tmp_path):
    duos, _ = find_duos(songs, 1, 0, [tmp_path / "mine.wav"])
    assert {duo.memory for duo in duos} == {(tmp_path / "mine.wav",)}


def test_songs_without_a_stem_of_that_name_lend_what_they_have(tmp_path):
    place = make_songs(tmp_path / "other", 2)
    (place / "song1" / "piano.wav").rename(place / "song1" / "harp.wav")
    duos, _ = find_duos(place, None, 0)
    duo = next(duo for duo in duos if duo.partner == "piano")
    assert {path.stem for path in duo.memory} <= {"flute", "harp"}


def test_stems_that_double_each_other_are_no_duo(tmp_path):
    place = make_songs(tmp_path / "songs", 2)
    for index in range(2):
        soundfile.write(
            place / f"song{index}" / "copy.wav", -0.5 * play([60, 64, 67 - index, 72]), RATE
        )
    duos, notices = find_duos(place, None, 0)
    assert not any({duo.guide, duo.partner} == {"copy", "flute"} for duo in duos)
    assert any({duo.guide, duo.partner} == {"copy", "piano"} for duo in duos)
    assert "song0: copy and flute are one and the same music and no duo." in notices
    for index in range(2):
        (place / f"song{index}" / "piano.wav").unlink()
    with pytest.raises(AudioFileError, match="two stems that differ, got none"):
        find_duos(place, None, 0)


def test_a_silent_guide_is_left_out_and_said(tmp_path, command):
    place = make_songs(tmp_path / "songs", 2)
    for index in range(2):
        soundfile.write(place / f"song{index}" / "flute.wav", np.zeros(RATE * SECONDS), RATE)
    code, said = command(place, tmp_path / "out", "--limit", "1")
    assert code == 2
    assert "must hold at least one duo that can be played" in said
    assert "must sound, got silence" in said


def test_a_guide_shorter_than_two_windows_is_left_out(tmp_path, command):
    place = make_songs(tmp_path / "songs", 2)
    for stem, pitch in (("flute", 60), ("piano", 65)):
        soundfile.write(place / "song0" / f"{stem}.wav", play([pitch])[: RATE // 3], RATE)
        soundfile.write(place / "song1" / f"{stem}.wav", play([pitch])[: RATE // 3], 22_050)
    code, said = command(place, tmp_path / "out", "--limit", "1")
    assert code == 2
    assert "at least two windows" in said


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_songs_are_refused(tmp_path, command, n):
    (tmp_path / "songs").mkdir()
    make_songs(tmp_path / "songs", n)
    code, said = command(tmp_path / "songs", tmp_path / "out")
    assert code == 2
    assert ("at least two songs" if n else "must hold one subfolder of stems per song") in said


def test_a_bundle_that_is_none_is_refused(songs, tmp_path, capsys):
    words = ["--pairs", str(songs), "--bundle", str(songs), "--out", str(tmp_path)]
    assert main(words) == 2
    assert "must be a bundle" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("within", [".", "replay"])
def test_results_are_not_put_among_the_songs(songs, command, within):
    before = sorted(songs.rglob("*"))
    code, said = command(songs, songs / within)
    assert code == 2
    assert "--out must lie apart from the songs" in said
    assert sorted(songs.rglob("*")) == before


def test_a_table_that_is_not_there_is_refused(capsys):
    assert main(["--table", "chess"]) == 2
    assert "--table must name a table, got 'chess'" in capsys.readouterr().err


def test_a_table_takes_the_rest_of_the_command_line(monkeypatch, tmp_path):
    (tmp_path / "a_table_for_tests.py").write_text(
        "def main(argv):\n    return 7 if argv == ['--out', 'x'] else 1\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules["launch.replay"].TABLES, "test", "a_table_for_tests")
    assert main(["--table", "test", "--out", "x"]) == 7


def test_a_pair_is_learned_and_its_end_rebuilt(tmp_path, cache, capsys, monkeypatch):
    monkeypatch.setattr(reconstruction, "MOST_STEPS", 10)
    rng = np.random.default_rng(0)
    chords = rng.integers(0, 4, 90)  # one every half a second
    soundfile.write(
        tmp_path / "a.wav", play(60 + np.array([0, 5, 7, 9])[chords], 45, 22_050), 22_050
    )
    soundfile.write(
        tmp_path / "b.wav", play(48 + np.array([0, 5, 7, 9])[chords], 45, 22_050), 22_050
    )
    words = ["--reconstruct", str(tmp_path / "a.wav"), str(tmp_path / "b.wav")]
    assert main([*words, "--out", str(tmp_path / "out"), "--set", f"cache={cache}"]) == 0
    report = json.loads((tmp_path / "out" / "replay.json").read_text())
    assert report["plays"]["answer"] > 0.9  # the second stem never rests
    assert set(report["figures"]) == {"answer", "partner", "stranger", "copy"}
    memory = soundfile.info(tmp_path / "out" / "stems" / "memory.wav")
    assert memory.duration == pytest.approx(0.8 * 45, abs=0.5)  # nothing of what is rebuilt
    bundle = tmp_path / "out" / "bundle"
    assert Bundle.load(bundle).card.key_normalised
    assert set(report["labels"]["greedy"]) >= {"majority", "copy"}
    assert (tmp_path / "out" / "replay.html").is_file()
    assert "antiphon stage --bundle" in " ".join(capsys.readouterr().err.split())


def test_a_pair_too_short_to_learn_is_refused(tmp_path, capsys):
    for name in "ab":
        soundfile.write(tmp_path / f"{name}.wav", play([60, 64], 5), RATE)
    words = ["--reconstruct", str(tmp_path / "a.wav"), str(tmp_path / "b.wav")]
    assert main([*words, "--out", str(tmp_path / "out")]) == 2
    assert "a pair must last at least 40 s" in " ".join(capsys.readouterr().err.split())


def test_pairs_without_a_bundle_are_refused(songs, tmp_path, capsys):
    assert main(["--pairs", str(songs), "--out", str(tmp_path)]) == 2
    assert "--pairs needs a --bundle" in " ".join(capsys.readouterr().err.split())


def result(song, **harmony):
    figures = {track: dict.fromkeys(MEASURES, value) for track, value in harmony.items()}
    return {"song": song, "figures": figures}


def test_the_way_goes_from_the_stranger_to_the_partner():
    results = [
        result("a", answer=0.2, partner=0.4, stranger=0.0, copy=0.9),
        result("b", answer=0.4, partner=0.4, stranger=0.0, copy=0.9),
    ]
    harmony = replay_pairs.summarise(results, 0)["measures"]["harmony"]
    assert harmony["way"]["mean"] == pytest.approx(0.75)
    assert (harmony["way"]["low"], harmony["way"]["high"]) == (0.5, 1.0)
    assert harmony["partner"]["mean"] == pytest.approx(0.4)


def test_there_is_no_way_where_the_yardsticks_agree():
    results = [result("a", answer=0.9, partner=0.41, stranger=0.4, copy=0.9)]
    assert replay_pairs.summarise(results, 0)["measures"]["rhythm"]["way"]["mean"] is None
