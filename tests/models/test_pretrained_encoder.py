import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from transformers import HubertModel, Wav2Vec2FeatureExtractor, Wav2Vec2Model

from corpus.segmentation import WindowGrid, exact_seconds
from models.ear import EarConfig, build_ear
from models.encoder_config import PretrainedConfig
from models.labeller import Labeller
from models.pretrained_encoder import PretrainedEncoder
from models.pretrained_probe import probe
from models.vector_quantizer import Codebook

RATE = 16_000
HOP = 320


@pytest.fixture(scope="module")
def folder(save_audio_model, tmp_path_factory):
    return save_audio_model(tmp_path_factory.mktemp("wav2vec2"), num_hidden_layers=3)


def noise(n, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, n).astype(np.float32)


@pytest.mark.parametrize("seconds", [0.25, 0.35, 0.5])
def test_the_frames_are_those_that_end_inside_the_window(folder, seconds):
    encoder = PretrainedEncoder(PretrainedConfig(model=folder, context_seconds=1.0), RATE, seconds)
    frames = encoder.encode(noise(encoder.history_samples))
    ends = np.arange(50) * HOP + 320
    assert frames.shape == (int((ends > RATE - round(seconds * RATE)).sum()), 16)
    assert encoder.feature_dim == 16


@pytest.mark.parametrize("kind", ["wav2vec2", "hubert"])
def test_a_layer_is_what_transformers_itself_computes(save_audio_model, tmp_path, kind):
    path = save_audio_model(tmp_path, kind, num_hidden_layers=3)
    samples = noise(RATE)
    encoder = PretrainedEncoder(
        PretrainedConfig(model=path, layer=2, context_seconds=1.0), RATE, 0.5
    )
    model = {"wav2vec2": Wav2Vec2Model, "hubert": HubertModel}[kind].from_pretrained(path).eval()
    inputs = Wav2Vec2FeatureExtractor.from_pretrained(path)(
        samples, sampling_rate=RATE, return_tensors="pt"
    )
    with torch.no_grad():
        hidden = model(inputs["input_values"], output_hidden_states=True).hidden_states
    np.testing.assert_allclose(encoder.encode(samples), hidden[2][0, 25:].numpy(), atol=1e-4)
    mean = PretrainedEncoder(PretrainedConfig(model=path, context_seconds=1.0), RATE, 0.5)
    want = torch.stack(hidden)[:, 0, 25:].mean(dim=0).numpy()
    np.testing.assert_allclose(mean.encode(samples), want, atol=1e-4)


def test_a_model_that_ends_with_a_norm_keeps_all_its_layers(save_audio_model, tmp_path):
    path = save_audio_model(
        tmp_path, num_hidden_layers=3, do_stable_layer_norm=True, feat_extract_norm="layer"
    )
    samples = noise(RATE)
    encoder = PretrainedEncoder(
        PretrainedConfig(model=path, layer=1, context_seconds=1.0), RATE, 0.5
    )
    inputs = Wav2Vec2FeatureExtractor.from_pretrained(path)(
        samples, sampling_rate=RATE, return_tensors="pt"
    )
    with torch.no_grad():
        model = Wav2Vec2Model.from_pretrained(path).eval()
        hidden = model(inputs["input_values"], output_hidden_states=True).hidden_states
    np.testing.assert_allclose(encoder.encode(samples), hidden[1][0, 25:].numpy(), atol=1e-4)


def test_another_sample_rate_is_resampled_to_the_models(folder):
    t = np.arange(2 * 44_100) / 44_100
    config = PretrainedConfig(model=folder, context_seconds=1.0)
    frames = []
    for rate in (RATE, 44_100):
        encoder = PretrainedEncoder(config, rate, 0.5)
        t = np.arange(encoder.history_samples) / rate
        tone = np.sin(2 * np.pi * 440 * t) * np.hanning(len(t))
        frames.append(encoder.encode((0.3 * tone).astype(np.float32)))
    assert frames[0].shape == frames[1].shape
    np.testing.assert_allclose(frames[0], frames[1], atol=0.05)


@pytest.mark.parametrize(("precision", "tolerance"), [("bfloat16", 0.1), ("int8", 0.2)])
def test_smaller_precisions_stay_near_the_exact_one(folder, precision, tolerance):
    exact = PretrainedConfig(model=folder, context_seconds=1.0)
    rough = exact.model_copy(update={"precision": precision})
    one, other = (PretrainedEncoder(c, RATE, 0.5).encode(noise(RATE)) for c in (exact, rough))
    assert other.dtype == np.float32
    assert np.abs(one - other).mean() < tolerance * np.abs(one).mean()


def test_live_labels_equal_offline_labels_with_one_context_and_precision(folder):
    config = EarConfig(
        encoder="pretrained", pretrained=PretrainedConfig(model=folder, context_seconds=1.0)
    )
    rate = 22050
    sound = np.concatenate([noise(rate, 1), np.sin(np.arange(2 * rate) / 20).astype(np.float32)])
    grid = WindowGrid(rate, exact_seconds(0.25))
    bounds = grid.boundaries(grid.n_whole_windows(len(sound)))
    ear = build_ear(config, rate, 0.25)
    features = np.array([heard.features for heard in ear.listen_track(sound, bounds)])
    labeller = Labeller(ear, Codebook.fit(features, 3, 0))
    offline = labeller.label_track(sound, bounds).labels.tolist()
    labeller.reset()
    assert [labeller.push(sound[a:b]).label for a, b in pairwise(bounds)] == offline
    assert len(set(offline)) == 3


def test_a_folder_without_weights_is_refused(folder, tmp_path):
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_text(open(f"{folder}/{name}").read())  # noqa: SIM115
    with pytest.raises(ValueError, match="must hold weights as safetensors, got none; save"):
        PretrainedEncoder(PretrainedConfig(model=str(tmp_path)), RATE, 0.5)
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickled")
    with pytest.raises(ValueError, match="pickled weights are not read"):
        PretrainedEncoder(PretrainedConfig(model=str(tmp_path)), RATE, 0.5)


def test_a_model_with_code_of_its_own_is_refused_unless_it_is_trusted(save_audio_model, tmp_path):
    path = save_audio_model(tmp_path, num_hidden_layers=3)
    config = json.loads((tmp_path / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "modeling.Model"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="brings Python code of its own, which is not run unasked"):
        PretrainedEncoder(PretrainedConfig(model=path), RATE, 0.5)


def test_weights_of_another_model_are_refused(save_audio_model, tmp_path):
    path = save_audio_model(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["num_hidden_layers"] = 3
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="must hold all weights of its wav2vec2 model, but 16 are"):
        PretrainedEncoder(PretrainedConfig(model=path), RATE, 0.5)


def test_a_folder_that_is_none_a_layer_that_is_none_and_no_model_at_all_are_refused(
    folder, tmp_path
):
    with pytest.raises(ValueError, match="must be an audio model of transformers"):
        PretrainedEncoder(PretrainedConfig(model=str(tmp_path / "absent")), RATE, 0.5)
    with pytest.raises(ValueError, match=r'layer must be 0 to 3 for .*, or "mean", got 4'):
        PretrainedEncoder(PretrainedConfig(model=folder, layer=4), RATE, 0.5)
    with pytest.raises(ValueError, match=r"at most the context of 0\.25 s, got 0.5 s"):
        PretrainedEncoder(PretrainedConfig(model=folder, context_seconds=0.25), RATE, 0.5)
    with pytest.raises(ValueError, match="'pretrained' must have a model, got none"):
        build_ear(EarConfig(encoder="pretrained"), RATE, 0.5)


def slow_machine(config, *_):
    """Seconds as of a machine on which bfloat16 takes half as long, and two threads two thirds."""
    factor = {"float32": 1.0, "bfloat16": 0.5, "int8": 0.4}[config.precision]
    return 0.16 * config.context_seconds * factor * (1.0 if config.threads == 1 else 0.66)


@pytest.mark.parametrize(
    ("budget", "want"),
    [
        (0.5, (2.0, "float32", 1)),
        (0.25, (2.0, "float32", 2)),
        (0.17, (2.0, "bfloat16", 1)),
        (0.07, (1.0, "bfloat16", 2)),
        (0.03, (0.5, "bfloat16", 2)),
    ],
)
def test_the_probe_keeps_context_first_then_precision_then_threads(budget, want):
    found = probe(PretrainedConfig(model="any"), RATE, 0.5, budget, (1, 2), slow_machine)
    assert found.fits
    assert (found.config.context_seconds, found.config.precision, found.config.threads) == want


def test_a_probe_that_finds_nothing_tells_the_fastest_way_and_its_figure():
    found = probe(PretrainedConfig(model="any"), RATE, 0.5, 0.01, (1, 2), slow_machine)
    assert not found.fits
    assert found.told == "int8, 2 threads, 0.5 s of context: 21 ms a window, of 10 allowed"
    assert len(found.tried) == 18


def test_a_tiny_model_is_measured_for_real(folder):
    found = probe(PretrainedConfig(model=folder, context_seconds=1.0), RATE, 0.5, 60.0)
    assert found.fits
    assert found.config.context_seconds == 1.0
    assert 0 < found.seconds < 60
