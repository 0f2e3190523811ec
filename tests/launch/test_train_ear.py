import numpy as np
import pytest
import soundfile

from corpus.manifest import load_features, load_manifest
from launch.hear_corpus import main as hear_corpus
from launch.import_corpus import main as import_corpus
from launch.train_ear import main as train_ear
from models.ear import EarConfig, build_ear
from models.encoder_config import LearnedConfig
from models.learned_ear import EarWeights

RATE = 8000
SIZE = ["--steps", "12"]


def import_songs(folder, keep):
    """Three songs of two stems: a tune, and the same tune a sixth lower."""
    for index in range(3):
        pitches = np.random.default_rng(index).integers(60, 72, 20)
        for name, shift in (("high", 12), ("low", 3)):
            hertz = (440 * 2 ** ((pitches + shift - 69) / 12)).repeat(RATE // 2)
            phase = np.cumsum(2 * np.pi * hertz / RATE)
            path = folder / f"in/{index}/{name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, 0.2 * (np.sin(phase) + 0.4 * np.sin(2 * phase)), RATE)
    arguments = ["--sample-rate", str(RATE), "--window", "0.5", "--split", "seed", "--keep", keep]
    assert import_corpus([str(folder / "in"), "--out", str(folder / keep), *arguments]) == 0
    return folder / keep


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return import_songs(tmp_path_factory.mktemp("corpus"), "both")


def test_one_training_song_is_too_few_for_an_ear(corpus, tmp_path, capsys):
    out = tmp_path / "ear.safetensors"
    assert train_ear([str(corpus), "--out", str(out), "--cache", str(tmp_path)]) == 2
    assert "at least two training songs with two parts, got 1" in capsys.readouterr().err
    assert not out.exists()


def test_a_corpus_without_audio_is_refused(tmp_path, capsys):
    bare = import_songs(tmp_path, "features")
    assert train_ear([str(bare), "--out", str(tmp_path / "e"), "--cache", str(tmp_path)]) == 2
    assert "must keep audio, got features alone" in capsys.readouterr().err
    assert hear_corpus([str(bare), "--out", str(tmp_path / "h"), "--ear", "descriptors"]) == 2
    assert "must keep audio, got features alone" in capsys.readouterr().err


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    """An ear trained on all three songs, and the folder it lies in."""
    folder = tmp_path_factory.mktemp("ear")
    manifest = load_manifest(corpus)
    songs = [song.model_copy(update={"role": "train"}) for song in manifest.songs]
    whole = manifest.model_copy(update={"songs": tuple(songs)})
    (corpus / "manifest.json").write_text(whole.model_dump_json())
    arguments = [str(corpus), "--cache", str(folder / "cache"), *SIZE]
    assert train_ear([*arguments, "--out", str(folder / "ear.safetensors")]) == 0
    return folder


def test_an_ear_is_trained_and_its_cache_used_again(corpus, trained):
    ear = EarWeights.load(trained / "ear.safetensors")
    assert ear.card["songs"] == 3
    assert ear.card["training"]["steps"] == 12
    assert not (trained / "ear.checkpoint").exists()
    assert (trained / "ear.safetensors").stat().st_size < 1_000_000
    before = {path: path.stat().st_mtime_ns for path in (trained / "cache").iterdir()}
    assert len(before) == 3
    again = [str(corpus), "--cache", str(trained / "cache"), *SIZE]
    again += ["--out", str(trained / "again.safetensors")]
    assert train_ear([*again, "--until", "5"]) == 0
    assert EarWeights.load(trained / "again.safetensors").card["steps"] == 5
    assert train_ear(again) == 0
    assert {path: path.stat().st_mtime_ns for path in (trained / "cache").iterdir()} == before
    assert EarWeights.load(trained / "again.safetensors").digest == ear.digest


def test_a_corpus_heard_anew_holds_what_the_ear_hears_and_is_not_heard_twice(corpus, trained):
    weights = str(trained / "ear.safetensors")
    arguments = [str(corpus), "--out", str(trained / "heard"), "--ear", weights]
    assert hear_corpus(arguments) == 0
    old, new = load_manifest(corpus), load_manifest(trained / "heard")
    assert [song.name for song in new.used] == [song.name for song in old.used]
    assert new.settings.ear.startswith("learned ")
    song = new.used[0]
    heard = load_features(trained / "heard", song, 0.5)["high"]["features"]
    assert heard.shape == (20, 24)
    ear = build_ear(EarConfig(encoder="learned", learned=LearnedConfig(weights=weights)), RATE, 0.5)
    samples = soundfile.read(corpus / "songs" / song.name / "0 high.flac", dtype="float32")[0]
    want = [one.features for one in ear.listen_track(samples, np.arange(21) * RATE // 2)]
    np.testing.assert_array_equal(heard, np.array(want))
    path = trained / "heard" / f"songs/{song.name}.npz"
    written = path.stat().st_mtime_ns
    assert hear_corpus(arguments) == 0
    assert path.stat().st_mtime_ns == written


def test_the_corpus_itself_is_not_overwritten_and_a_missing_ear_is_refused(
    corpus, tmp_path, capsys
):
    assert hear_corpus([str(corpus), "--out", str(corpus), "--ear", "descriptors"]) == 2
    assert "must be another folder than the corpus" in capsys.readouterr().err
    assert hear_corpus([str(corpus), "--out", str(tmp_path / "h"), "--ear", "nobody"]) == 2
    assert "nobody.safetensors must be a learned ear" in capsys.readouterr().err
