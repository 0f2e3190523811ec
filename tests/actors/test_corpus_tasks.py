import numpy as np
import pytest
import soundfile

from actors.corpus_tasks import build_hear, ear_fingerprint, import_songs
from corpus.manifest import ImportSettings, load_features
from corpus.song_sources import find_sources
from models.ear import EarConfig, build_ear

RATE = 8000


@pytest.fixture
def stems(tmp_path):
    """Two songs of two stems."""
    rng = np.random.default_rng(0)
    for name in ("a/one", "a/two", "b/one", "b/two"):
        path = tmp_path / f"in/{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        pitches = rng.uniform(200, 800, 8).repeat(RATE // 2)
        soundfile.write(path, 0.3 * np.sin(np.cumsum(2 * np.pi * pitches / RATE)), RATE)
    return tmp_path / "in"


def settings():
    return ImportSettings(sample_rate=RATE, window_seconds=(0.5, 0.35))


def run(folder, out, n_workers):
    sources = find_sources([folder])
    return sorted(import_songs(sources, out, settings(), EarConfig(), n_workers), key=str)


def test_features_are_those_that_the_ear_hears_window_by_window(stems, tmp_path):
    (record, _) = run(stems, tmp_path / "out", 0)
    samples = soundfile.read(stems / "a/one.wav", dtype="float32")[0]
    ear = build_ear(EarConfig(), RATE, 0.5)
    live = [ear.listen(window) for window in samples.reshape(8, RATE // 2)]
    stored = load_features(tmp_path / "out", record, 0.5)["one"]
    assert np.array_equal(stored["features"], [one.features for one in live])
    assert np.array_equal(stored["silent"], [one.silent for one in live])
    assert len(load_features(tmp_path / "out", record, 0.35)["one"]["onset"]) == 11


def test_a_stem_shorter_than_a_window_has_no_features_and_no_error():
    found = build_hear(EarConfig(), RATE, (0.5,))(np.zeros(10, np.float32), (0.5,))
    assert found["0.5/features"].shape == (0, 18)


def test_the_fingerprint_names_the_ear_and_not_the_moment():
    assert ear_fingerprint(EarConfig(), RATE) == ear_fingerprint(EarConfig(), RATE)
    other = EarConfig(condenser="max")
    assert ear_fingerprint(EarConfig(), RATE) != ear_fingerprint(other, RATE)


@pytest.mark.ray
def test_two_workers_make_the_same_corpus_as_none(stems, tmp_path):
    assert run(stems, tmp_path / "many", 2) == run(stems, tmp_path / "alone", 0)
    files = [path for path in (tmp_path / "many").rglob("*") if path.is_file()]
    assert len(files) == 4
    for path in files:
        other = tmp_path / "alone" / path.relative_to(tmp_path / "many")
        assert path.read_bytes() == other.read_bytes()
