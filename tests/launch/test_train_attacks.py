"""Learning the forecast of attacks from imported songs, into a bundle."""

import shutil

import numpy as np
import pytest
import yaml

from corpus.manifest import load_manifest
from launch.config import PROJECT_ROOT
from launch.train_attacks import main, song_pairs
from models.activity import attack_events
from models.bundle import CARD_FILE, Bundle


@pytest.fixture(scope="module")
def sounding(tmp_path_factory, make_corpus_song, import_songs):
    """Five songs with their audio."""
    root = tmp_path_factory.mktemp("attacks")
    for index in range(5):
        make_corpus_song(root / "pop" / f"song {index}", index, n_windows=60)
    return import_songs(root / "pop", "--keep", "both")


@pytest.fixture
def bundle(tmp_path):
    return shutil.copytree(PROJECT_ROOT / "models" / "bundles" / "default", tmp_path / "bundle")


def test_a_bundle_gets_a_forecast_and_keeps_all_else(sounding, bundle, capsys):
    before = Bundle.load(bundle)

    assert main([str(sounding), "--bundle", str(bundle), "--epochs", "1", "--seed", "3"]) == 0

    after = Bundle.load(bundle)
    assert after.card.trained["attacks"]["seed"] == 3
    told = after.card.measured["attacks"]
    assert told["songs"] == len(load_manifest(sounding).with_role("validation"))
    assert told["learned"]["mean"] == pytest.approx(
        told["periodic"]["mean"] + told["learned over periodic"]["mean"]
    )
    assert after.attack_model().n_windows == before.card.horizon
    np.testing.assert_array_equal(after.codebook.centres, before.codebook.centres)
    assert all(np.array_equal(after.decision[n], before.decision[n]) for n in before.decision)
    assert (bundle / "training.html").is_file()
    assert "learned over periodic" in capsys.readouterr().err


def test_pairs_hear_the_attacks_of_both_parts(sounding):
    song = load_manifest(sounding).used[0]
    pairs = song_pairs(sounding, song, 0.25, 8000)
    assert [pair.guide for pair in pairs] == ["bass", "melody"]
    for pair in pairs:  # a note in every window
        assert attack_events(pair.heard).any(axis=1).mean() > 0.8
        assert pair.plays.all()
    assert pairs[0].heard is not pairs[1].heard
    np.testing.assert_array_equal(pairs[0].heard, pairs[1].answered)


def test_a_corpus_without_audio_is_refused(corpora, bundle, refusal, capsys):
    code = main([str(corpora[0]), "--bundle", str(bundle)])
    assert "must keep audio, got features alone" in refusal(code, capsys.readouterr().err)


def test_a_bundle_whose_windows_follow_the_beat_is_refused(sounding, bundle, refusal, capsys):
    card = yaml.safe_load((bundle / CARD_FILE).read_text("utf-8"))
    card["beats"] = {"windows_per_beat": 2, "lowest_bpm": 60.0, "highest_bpm": 160.0}
    (bundle / CARD_FILE).write_text(yaml.safe_dump(card), "utf-8")
    code = main([str(sounding), "--bundle", str(bundle)])
    assert "must count windows in seconds" in refusal(code, capsys.readouterr().err)
