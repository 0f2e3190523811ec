"""Windows that follow the beat: imported, learned in, labelled, played and replayed."""

import json
import shutil
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from actors.parts import PARTS
from actors.stage_config import TempoConfig
from corpus.beat_grid import BeatGrid
from corpus.manifest import MANIFEST_FILE, load_annotations, load_manifest
from corpus.segmentation import WindowGrid
from launch import preparation, replay_pairs
from launch.corpus_material import hear_corpora, label_pairs
from launch.label_stability import main as label_stability
from launch.paired_tracks_table import main as table
from launch.reconstruction import reconstruct
from launch.replay import main as replay
from launch.song_hearing import on_the_beat
from launch.train import main as train
from launch.train_settings import SettingsError, TrainSettings
from models.bundle import BeatSegments, Bundle
from models.ear import EarConfig, build_ear
from models.fine_windows import FINE_SECONDS
from models.key import KeyConfig

RATE, BPM = 8000, {0: 120, 1: 100, 2: 125, 3: 75, 4: 96}
SMALL = {
    "alphabet": 8, "n_layers": 1, "n_heads": 2, "width": 16, "horizon": 4, "context_seconds": 3,
    "sequence_seconds": 6, "max_steps": 20, "batch_size": 8, "learning_rate": 0.01,
}  # fmt: skip


def steady(source, seconds):
    """The beats of song 0, 1, …, each at a tempo of its own, the last three from later on."""
    number = int(source.name.split()[-1])
    first = 0.0 if number < 2 else 0.37
    return tuple(np.round(np.arange(first, seconds, 60 / BPM[number]), 4).tolist())


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, make_corpus_song, import_songs):
    """Five songs with known beats, heard in fine windows and in windows of 0.25 s."""
    root = tmp_path_factory.mktemp("beats")
    for i in range(5):
        make_corpus_song(root / "songs" / f"song {i}", i, key=(5 * i) % 12)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("corpus.importer.find_beats", steady)
        return import_songs(root / "songs", "--window", "0.05", "--keep", "both")


@pytest.fixture(scope="module")
def bundle(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "small.yaml").write_text(yaml.safe_dump(SMALL))
    arguments = ["--corpus", str(corpus), "--config", str(folder / "small.yaml")]
    assert train([*arguments, "--out", str(folder / "out"), "--windows-per-beat", "2"]) == 0
    return folder / "out"


def heard(corpus, per_beat=2):
    return hear_corpora([corpus], 0.25, KeyConfig(), EarConfig(), per_beat=per_beat)


def without_beats(corpus, to, *songs):
    """A copy of a corpus that knows no beats of some songs."""
    to.mkdir()
    (to / "songs").symlink_to(corpus / "songs")
    content = json.loads((corpus / MANIFEST_FILE).read_text())
    for one in content["songs"]:
        if one["name"] in songs:
            one["annotations"] = None
    (to / MANIFEST_FILE).write_text(json.dumps(content))
    return to


def test_the_bundle_says_how_its_windows_follow_the_beat(bundle):
    card = Bundle.load(bundle).card
    assert card.beats.windows_per_beat == 2
    assert 75 <= card.beats.lowest_bpm <= card.beats.highest_bpm <= 125
    assert 0.24 <= card.window_seconds <= 0.4
    written = yaml.safe_load((bundle / "bundle.yaml").read_text())
    assert written["beats"] == card.beats.model_dump()
    assert "1/2 beat, usually" in " ".join((bundle / "training.html").read_text().split())


def test_the_context_of_the_network_is_counted_in_windows_of_the_beat(bundle):
    card = Bundle.load(bundle).card
    assert card.transformer.context == round(3 / card.window_seconds)


def test_labels_of_training_are_those_heard_live(corpus, bundle):
    """Song 0 and 1 begin with a beat, as the stage does."""
    songs, learned = heard(corpus), Bundle.load(bundle)
    split = label_pairs(songs, learned.codebook)
    blocks = {b.song: b for b in (*split.test, *split.validation, *split.train)[::-1]}
    records = {record.name: record for record in load_manifest(corpus).used}
    for number in (0, 1):
        song = next(one for one in songs.songs if one.name.endswith(f"song {number}"))
        record, guide = records[f"song {number}"], song.pairs[0][0]
        audio = next(part.audio for part in record.parts if part.name == guide)
        samples, _ = soundfile.read(corpus / audio, dtype="float32")
        grid = BeatGrid(RATE, load_annotations(corpus, record).beats, 2)
        trained = grid.boundaries(len(song.parts[guide].silent))
        played = WindowGrid(RATE, TempoConfig(bpm=BPM[number]).window(2)).boundaries(
            len(trained) - 1
        )
        np.testing.assert_array_equal(trained, played)
        labeller = learned.labeller(RATE, 30 / BPM[number])
        labels = [labeller.push(samples[a:b]) for a, b in pairwise(played)]
        assert [one.label for one in labels] == blocks[song.name].heard.tolist()
        assert [one.rotation for one in labels] == song.parts[guide].rotations.tolist()
        levels = [(one.energy_db, one.onset) for one in labels]
        np.testing.assert_allclose(levels, blocks[song.name].fields, atol=1e-4)
        assert len({one.label for one in labels}) > 3


def test_songs_without_beats_are_left_out_and_said(corpus, tmp_path, capsys):
    trained = load_manifest(corpus).with_role("train")[0].name
    songs = heard(without_beats(corpus, tmp_path / "some", trained))
    assert len(songs.songs) == 4
    assert f"{trained} is left out: its beats give no windows" in " ".join(songs.notices)
    none = without_beats(corpus, tmp_path / "none", *(f"song {i}" for i in range(5)))
    out = str(tmp_path / "out")
    assert train(["--corpus", str(none), "--out", out, "--windows-per-beat", "2"]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "need a training song whose beats are known" in told
    assert "--window 0.05" in told


def test_a_corpus_without_fine_windows_says_how_to_import_it(corpora, tmp_path, capsys):
    for corpus in corpora:
        content = json.loads((corpus / MANIFEST_FILE).read_text())
        assert content["settings"]["window_seconds"] == [0.25]
    again = without_beats(corpora[0], tmp_path / "again")
    content = json.loads((again / MANIFEST_FILE).read_text())
    for one in content["songs"]:
        one["annotations"] = "songs/beats.json"
    (again / MANIFEST_FILE).write_text(json.dumps(content))
    (again / "songs").unlink()
    shutil.copytree(corpora[0] / "songs", again / "songs")
    (again / "songs/beats.json").write_text(json.dumps({"beats": [0.0, 0.5, 1.0]}))
    out = str(tmp_path / "out")
    assert train(["--corpus", str(again), "--out", out, "--windows-per-beat", "2"]) == 2
    assert "import it again with --window 0.05" in " ".join(capsys.readouterr().err.split())


def test_windows_per_beat_that_cannot_be_are_refused(songs_of_two, tmp_path, capsys):
    words = ["--pairs", *songs_of_two, "--out", str(tmp_path / "out"), "--windows-per-beat", "2"]
    assert train(words) == 2
    assert (
        "bring the tracks into a corpus by antiphon import-corpus with --window 0.05"
        in " ".join(capsys.readouterr().err.split())
    )
    with pytest.raises(SystemExit):
        train([*words, "--window", "0.5"])
    assert "not allowed with" in capsys.readouterr().err
    with pytest.raises(ValueError, match="descriptors or learned, condenser mean"):
        TrainSettings(windows_per_beat=2, ear={"condenser": "max"})
    (tmp_path / "wrong.yaml").write_text("{windows_per_beat: 2, ear: {condenser: max}}")
    assert train([*words, "--config", str(tmp_path / "wrong.yaml")]) == 2
    assert "error: the settings: windows_per_beat needs an ear" in capsys.readouterr().err


@pytest.fixture
def songs_of_two(make_stem, tmp_path):
    for name in ("a", "b"):
        make_stem(tmp_path / f"{name}.wav", 60 + np.arange(80) % 12)
    return [str(tmp_path / f"{name}.wav") for name in ("a", "b")]


def test_the_stage_plays_in_windows_of_its_tempo(bundle, command, tmp_path, report):
    code, told = command("--bundle", bundle, "--set", "tempo.bpm=110")
    assert code == 0
    assert "far from what the bundle learned at" not in told
    said = report(tmp_path / "run")
    assert said["window_seconds"] == pytest.approx(3 / 11)
    assert said["windows"] == int(2 / (3 / 11))
    settings = said.get("settings") or {}
    assert settings.get("windows_per_beat", 2) == 2


def test_boundaries_of_the_stage_are_exact_at_any_tempo(bundle, command, tmp_path, monkeypatch):
    bands = []
    monkeypatch.setattr("launch.stage.FastBand", lambda band: bands.append(band) or Silent())
    command("--bundle", bundle, "--set", "tempo.bpm=110")
    grid = bands[0].grid
    assert grid.window_seconds == Fraction(3, 11)
    assert grid.boundary(11 * 1200) == 3 * 1200 * grid.sample_rate  # no drift in an hour
    again = type(bands[0]).model_validate_json(bands[0].model_dump_json())
    assert again.grid == grid  # as every process of the band builds it


def test_phrases_last_as_many_seconds_at_any_tempo(bundle, command, monkeypatch):
    bands, built = [], []
    monkeypatch.setattr("launch.stage.FastBand", lambda band: bands.append(band) or Silent())
    command("--bundle", bundle, "--set", "tempo.bpm=60")
    monkeypatch.setattr("agents.decision.agent.build", lambda *given: built.append(given[1]))
    PARTS["decision"].build(bands[0])
    assert built[0].card.window_seconds == bands[0].window == 0.5


class Silent:
    """A band that plays nothing."""

    def run(self, stop):
        pass


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--window", "0.25"], "window must be 0.2727 s, 1/2 of a beat at 110 bpm as the bundle"),
        (["--set", "windows_per_beat=4"], "windows_per_beat must be the bundle's, 2, got 4"),
        (["--set", "tempo.bpm=29"], "tempo.bpm must be 30 to 240 with a bundle of 2 windows per"),
        (["--set", "tempo.bpm=300"], "tempo.bpm must be 30 to 240 with a bundle of 2 windows per"),
    ],
)
def test_a_stage_that_contradicts_its_bundle_is_refused(
    bundle, command, refusal, tmp_path, words, sentence
):
    told = refusal(*command("--bundle", bundle, "--set", "tempo.bpm=110", *words))
    assert sentence in told
    assert not (tmp_path / "run").exists()


def test_a_bundle_of_uniform_windows_takes_no_windows_per_beat(command, refusal):
    told = refusal(*command("--set", "windows_per_beat=2"))
    assert "windows_per_beat must be the bundle's, none, got 2" in told


def test_a_window_written_as_a_decimal_agrees_and_a_far_tempo_is_told(bundle, command, tmp_path):
    code, told = command("--bundle", bundle, "--window", "0.273", "--set", "tempo.bpm=110")
    assert code == 0
    code, told = command("--bundle", bundle, "--set", "tempo.bpm=190", out=tmp_path / "fast")
    assert code == 0
    assert "a tempo of 190 bpm is far from what the bundle learned at" in " ".join(told.split())


def test_a_memory_labelled_for_uniform_windows_is_not_taken_for_the_beats(
    bundle, command, tmp_path
):
    """At 120 bpm both have windows of 0.25 s; what is heard in them differs."""
    uniform = Bundle.load(bundle)
    card = uniform.card.model_copy(update={"beats": None})
    Bundle(card, uniform.codebook, uniform.counts, uniform.decision).save(tmp_path / "uniform")
    cache = ("--set", f"cache={tmp_path / 'memories'}")
    labelled = []
    for folder in (tmp_path / "uniform", bundle, bundle):
        assert command("--bundle", folder, *cache, out=tmp_path / f"run {len(labelled)}")[0] == 0
        labelled.append(len(list((tmp_path / "memories").glob("*.npz"))))
    assert labelled == [labelled[0], 2 * labelled[0], 2 * labelled[0]]


def test_a_replay_counts_from_the_first_beat_at_the_tempo_of_each_song(
    bundle, corpus, tmp_path, monkeypatch
):
    manifest = json.loads((corpus / MANIFEST_FILE).read_text())
    for one in manifest["songs"]:
        one["role"] = "test" if one["name"] in ("song 3", "song 4") else "train"
    tried = without_beats(corpus, tmp_path / "tried")
    (tried / MANIFEST_FILE).write_text(json.dumps(manifest))
    played = []

    def prepared(config, *rest):
        guide, _ = soundfile.read(config.replay, dtype="float32")
        played.append((config.tempo.bpm, len(guide)))
        return preparation.prepare(config, *rest)

    monkeypatch.setattr(replay_pairs, "prepare", prepared)
    monkeypatch.setattr(replay_pairs, "LONGEST_SECONDS", 6.0)
    words = ["--pairs", str(tried), "--bundle", str(bundle), "--out", str(tmp_path / "out")]
    assert replay([*words, "--set", f"cache={tmp_path / 'memories'}"]) == 0
    assert {bpm for bpm, _ in played} == {75.0, 96.0}
    assert {n for _, n in played} == {20 * RATE - round(0.37 * RATE)}


def test_a_folder_whose_beats_nobody_knows_is_replayed_at_the_stages_tempo(
    bundle, make_corpus_song, tmp_path, monkeypatch
):
    for i in range(2):
        make_corpus_song(tmp_path / "songs" / f"song {i}", i)
    tempi = []

    def prepared(config, *rest):
        tempi.append(config.tempo.bpm)
        return preparation.prepare(config, *rest)

    monkeypatch.setattr(replay_pairs, "prepare", prepared)
    monkeypatch.setattr(replay_pairs, "LONGEST_SECONDS", 5.0)
    words = ["--pairs", str(tmp_path / "songs"), "--bundle", str(bundle), "--limit", "1"]
    words += ["--out", str(tmp_path / "out"), "--set", f"cache={tmp_path / 'memories'}"]
    assert replay([*words, "--set", "tempo.bpm=100"]) == 0
    assert set(tempi) == {100.0}
    told = json.loads((tmp_path / "out/replay.json").read_text())["notices"]
    assert "played at the stage's tempo.bpm" in told[-1]


def test_stability_is_judged_with_the_ear_of_the_beat(bundle, songs_of_two, tmp_path, monkeypatch):
    lengths = []

    def heard_in(config, rate, seconds):
        lengths.append(seconds)
        return build_ear(config, rate, seconds)

    monkeypatch.setattr("models.fine_windows.build_ear", heard_in)
    figures = tmp_path / "figures.json"
    assert label_stability([songs_of_two[0], "--bundle", str(bundle), "--json", str(figures)]) == 0
    assert json.loads(figures.read_text())[0]["kept"] == 1.0
    assert len(lengths) > 4
    assert set(lengths) == {FINE_SECONDS}


def test_a_pair_does_not_tune_a_bundle_of_the_beat(bundle, songs_of_two, tmp_path):
    asked = replay_pairs.Replay(tmp_path / "out/bundle", tmp_path, (), tmp_path / "out", 0)
    with pytest.raises(SettingsError, match="must have uniform windows"):
        reconstruct(*map(Path, songs_of_two), asked, Bundle.load(bundle), lambda _: None)


def test_a_row_of_the_table_follows_the_beat_and_becomes_a_bundle(corpus, tmp_path):
    (tmp_path / "small.yaml").write_text(yaml.safe_dump({**SMALL, "horizon": 2}))
    asked = ["--corpus", str(corpus), "--config", str(tmp_path / "small.yaml"), "--seeds", "1"]
    asked += ["--alphabet", "4", "--windows-per-beat", "2", "--judged-windows", "400"]
    to = ["--out", str(tmp_path / "table"), "--bundle", "beat2_A4", str(tmp_path / "bundle")]
    assert table([*asked, *to]) == 0
    row = json.loads((tmp_path / "table/table.json").read_text())["rows"]["beat2_A4"]
    window, usual = on_the_beat([corpus], 2)
    assert row["window_seconds"] == window
    card = Bundle.load(tmp_path / "bundle").card
    assert (card.beats, card.window_seconds) == (usual, window)
    assert card.transformer.context == round(3 / window)
    assert card.trained["settings"]["windows_per_beat"] == 2


def test_tempi_are_those_of_the_training_songs(corpus):
    window, usual = on_the_beat([corpus], 1)
    trained = [BPM[int(r.name.split()[-1])] for r in load_manifest(corpus).with_role("train")]
    low, high = np.percentile(trained, (5, 95))
    assert usual == BeatSegments(
        windows_per_beat=1, lowest_bpm=round(low, 1), highest_bpm=round(high, 1)
    )
    assert 60 / max(trained) <= window <= 60 / min(trained)
