"""Bundles: whole on disk or not there, checked when read."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml

from models.attack_cues import N_CUES
from models.bundle import ATTACKS_FILE, CARD_FILE, TENSOR_FILES, Bundle, BundleCard, BundleError
from models.count_model import CountModel
from models.decision_transformer import DecisionTransformer
from models.ear import EarConfig, build_ear
from models.key import KeyConfig
from models.transformer_config import TransformerConfig
from models.vector_quantizer import Codebook

K, H = 4, 2
TINY = TransformerConfig(n_layers=1, n_heads=1, width=8, context=4)


def make_bundle(seed=0):
    rng = np.random.default_rng(seed)
    network = DecisionTransformer(TINY, K, H)
    network.initialise(torch.Generator().manual_seed(seed))
    heard = rng.integers(0, K, 50)
    card = BundleCard(
        ear=EarConfig(),
        window_seconds=0.25,
        sample_rate=22050,
        n_labels=K,
        horizon=H,
        transformer=TINY,
        trained={"seed": seed},
        measured={},
    )
    dim = build_ear(EarConfig(), 22050, 0.25).feature_dim
    counts = CountModel.fit([(heard, np.roll(heard, 1))], (), K, H)
    return Bundle(card, Codebook(rng.normal(size=(K, dim))), counts, network.arrays())


@pytest.fixture
def folder(tmp_path):
    make_bundle().save(tmp_path / "bundles" / "small")
    return tmp_path / "bundles" / "small"


def change_card(folder, **changes):
    card = yaml.safe_load((folder / CARD_FILE).read_text())
    (folder / CARD_FILE).write_text(yaml.safe_dump(card | changes))


@pytest.mark.parametrize("kind", ["transformer", "counts"])
def test_loaded_bundle_predicts_as_the_saved_one(folder, kind):
    models = [bundle.decision_model(kind) for bundle in (make_bundle(), Bundle.load(folder))]
    for label in (0, 3, -1, 2):
        for model in models:
            model.observe(label, label, -20.0, 0.3)
    first, second = (model.predict() for model in models)
    np.testing.assert_array_equal(first.log_probabilities, second.log_probabilities)
    np.testing.assert_array_equal(first.silence, second.silence)


def test_loaded_bundle_labels_as_the_saved_one_at_the_stages_own_rate(folder):
    samples = np.random.default_rng(0).normal(0, 0.1, 48000 // 4).astype(np.float32)
    labels = [b.labeller(48000, 0.25).push(samples) for b in (make_bundle(), Bundle.load(folder))]
    assert labels[0] == labels[1]
    assert 0 <= labels[0].label < K


def test_models_of_one_bundle_follow_performances_of_their_own(folder):
    bundle = Bundle.load(folder)
    first, second = bundle.decision_model("transformer"), bundle.decision_model("transformer")
    before = second.predict().log_probabilities
    first.observe(1, 1, 0.0, 1.0)
    np.testing.assert_array_equal(second.predict().log_probabilities, before)


def test_the_same_bundle_gives_the_same_bytes(folder, tmp_path):
    make_bundle().save(tmp_path / "again")
    for name in (CARD_FILE, *TENSOR_FILES):
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_saving_replaces_a_bundle_and_leaves_nothing_behind(folder):
    make_bundle(seed=1).save(folder, {"training.html": b"report"})
    assert Bundle.load(folder).card.trained == {"seed": 1}
    assert (folder / "training.html").read_bytes() == b"report"
    assert [path.name for path in folder.parent.iterdir()] == ["small"]


def test_failed_save_leaves_the_old_bundle_whole(folder, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("models.bundle.os.rename", full)
    with pytest.raises(BundleError, match="No space left on device"):
        make_bundle(seed=1).save(folder)
    assert Bundle.load(folder).card.trained == {"seed": 0}
    assert [path.name for path in folder.parent.iterdir()] == ["small"]


def test_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError, match="must lie in a folder that can be written"):
        make_bundle().save(tmp_path / "file" / "bundle")


def test_a_bundle_with_a_file_of_somebody_else_beside_it_is_not_replaced(folder):
    before = (folder / CARD_FILE).read_bytes()
    (folder / "my notes.txt").write_text("chorus: softer")
    with pytest.raises(BundleError, match=r"must hold nothing else, got 'my notes\.txt'"):
        make_bundle(seed=1).save(folder)
    assert (folder / "my notes.txt").read_text() == "chorus: softer"
    assert (folder / CARD_FILE).read_bytes() == before


def test_a_folder_that_is_no_bundle_is_never_replaced(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "work.txt").write_text("mine")
    with pytest.raises(BundleError, match="is neither; choose another place"):
        make_bundle().save(tmp_path / "precious")
    assert [path.name for path in tmp_path.rglob("*")] == ["precious", "work.txt"]
    (tmp_path / "precious" / "work.txt").unlink()
    make_bundle().save(tmp_path / "precious")
    assert Bundle.load(tmp_path / "precious").card.n_labels == K


@pytest.mark.parametrize("place", ["nowhere", "empty"])
def test_folder_without_a_card_is_refused(tmp_path, place):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleError, match=r"must be a bundle with a bundle.yaml, and has none"):
        Bundle.load(tmp_path / place)


@pytest.mark.parametrize("name", TENSOR_FILES)
def test_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"must hold {name}, which cannot be read"):
        Bundle.load(folder)


@pytest.mark.parametrize("name", TENSOR_FILES)
def test_file_of_another_bundle_is_refused(folder, tmp_path, name):
    make_bundle(seed=1).save(tmp_path / "other")
    (folder / name).write_bytes((tmp_path / "other" / name).read_bytes())
    with pytest.raises(BundleError, match="foreign or damaged"):
        Bundle.load(folder)


def test_damaged_file_is_refused(folder):
    path = folder / "decision.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(BundleError, match="foreign or damaged"):
        Bundle.load(folder)


def test_another_format_version_is_refused(folder):
    change_card(folder, format_version=2)
    with pytest.raises(BundleError, match="must have format_version 1, got 2"):
        Bundle.load(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window_seconds": -1}, "window_seconds: Input should be greater than 0"),
        ({"surprise": 1}, "surprise: Extra inputs are not permitted"),
        ({"shift": 0}, "shift: Input should be 1"),
        ({"files": {}}, "must list the hash of codebook.safetensors"),
        ({"n_labels": 5}, "the codebook must have 5 centres, got 4"),
        ({"horizon": 3}, "which is missing"),
        ({"transformer": TINY.model_dump() | {"n_layers": 2}}, "which is missing"),
        ({"transformer": TINY.model_dump() | {"width": 16}}, "must have shape"),
    ],
)
def test_card_that_does_not_fit_is_refused(folder, changes, message):
    change_card(folder, **changes)
    with pytest.raises(BundleError, match=message):
        Bundle.load(folder)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"{", b"just words", b""])
def test_card_that_is_no_card_is_refused(folder, content):
    (folder / CARD_FILE).write_bytes(content)
    with pytest.raises(BundleError, match="must"):
        Bundle.load(folder)


def test_key_handling_survives_the_disk(tmp_path):
    bundle = make_bundle()
    assert not bundle.card.key_normalised
    card = bundle.card.model_copy(update={"key_normalised": True, "key": KeyConfig(margin=0.5)})
    replace(bundle, card=card).save(tmp_path / "turned")
    read = Bundle.load(tmp_path / "turned").card
    assert read.key_normalised
    assert read.key == KeyConfig(margin=0.5)


def test_a_card_from_before_keys_is_not_normalised(folder):
    content = yaml.safe_load((folder / CARD_FILE).read_text())
    del content["key_normalised"], content["key"]
    (folder / CARD_FILE).write_text(yaml.safe_dump(content))
    assert not Bundle.load(folder).card.key_normalised


def test_a_bundle_that_is_not_normalised_hears_without_a_key(folder):
    assert Bundle.load(folder).labeller(22050, 0.25).n_rotations == 1


def test_a_key_normalised_bundle_follows_the_key_as_its_card_says(folder):
    change_card(folder, key_normalised=True, key={"changes_per_minute": 7.0})
    assert Bundle.load(folder).labeller(22050, 0.25).n_rotations == 12


def test_a_card_with_a_key_that_cannot_be_is_refused(folder):
    change_card(folder, key={"changes_per_minute": -1})
    with pytest.raises(BundleError, match=r"key\.changes_per_minute"):
        Bundle.load(folder)


def with_attacks(n_ahead=5 * H):
    shapes = {"cues": (N_CUES, 3), "ahead": (n_ahead, 3), "hidden": (3, 3), "hidden_bias": (3,)}
    shapes |= {"out": (3,), "out_bias": (1,), "cue_mean": (N_CUES,), "cue_scale": (N_CUES,)}
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(1, 0.1, shape).astype("f4") for name, shape in shapes.items()}
    return replace(make_bundle(), attacks=arrays)


def test_a_bundle_with_a_forecast_of_attacks_keeps_it(tmp_path):
    with_attacks().save(tmp_path / "b")
    ours, theirs = with_attacks().attack_model(), Bundle.load(tmp_path / "b").attack_model()
    past = np.random.default_rng(1).exponential(0.1, (1, ours.cues.n_past)).astype(np.float32)
    np.testing.assert_array_equal(ours.log_odds(past), theirs.log_odds(past))


def test_a_bundle_without_a_forecast_of_attacks_has_none_even_where_one_was_before(tmp_path):
    with_attacks().save(tmp_path / "b")
    make_bundle().save(tmp_path / "b")
    assert Bundle.load(tmp_path / "b").attack_model() is None
    assert not (tmp_path / "b" / ATTACKS_FILE).exists()


def test_a_forecast_of_attacks_for_another_horizon_is_refused(tmp_path):
    with_attacks(n_ahead=5).save(tmp_path / "b")
    with pytest.raises(BundleError, match="as many parts for each of 2 windows, got 5"):
        Bundle.load(tmp_path / "b")
