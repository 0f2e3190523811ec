import re

import numpy as np
import pytest
import soundfile
import torch

from actors.parts import build_labeller, ear_fingerprint
from actors.stage_config import StageConfig
from launch import live_hearing
from launch.config import ConfigError
from models import pretrained_probe
from models.bundle import Bundle, BundleCard
from models.count_model import CountModel
from models.decision_transformer import DecisionTransformer
from models.ear import EarConfig, build_ear
from models.encoder_config import LiveHearing, PretrainedConfig
from models.transformer_config import TransformerConfig
from models.vector_quantizer import Codebook

RATE = 16_000
K = 3
SIZE = TransformerConfig(n_layers=1, n_heads=1, width=8, context=4)


class Heard:
    """Keeps what was told."""

    def __init__(self):
        self.notes = []

    def begin(self, step):
        self.notes.append(step)

    def tell(self, detail):
        self.notes.append(detail)

    def note(self, sentence):
        self.notes.append(sentence)


@pytest.fixture(scope="module")
def stage_of(tiny_wav2vec2, tmp_path_factory):
    """A stage whose bundle hears with a tiny random wav2vec 2.0, with so much context."""
    folder = tmp_path_factory.mktemp("stage")
    rng = np.random.default_rng(0)
    hertz = rng.choice([220.0, 330.0, 440.0, 1000.0], 24).repeat(RATE // 4)
    sound = 0.3 * np.sin(2 * np.pi * np.cumsum(hertz) / RATE) + 0.01 * rng.normal(size=len(hertz))
    soundfile.write(folder / "guide.wav", sound, RATE)

    ear = EarConfig(
        encoder="pretrained",
        pretrained=PretrainedConfig(model=tiny_wav2vec2, context_seconds=1.0),
    )
    bounds = np.arange(0, len(sound) + 1, 8000)
    heard = list(build_ear(ear, RATE, 0.5).listen_track(sound.astype(np.float32), bounds))
    features = np.array([window.features for window in heard])
    card = BundleCard(
        ear=ear, window_seconds=0.5, sample_rate=RATE, n_labels=K, horizon=4, transformer=SIZE,
        trained={}, measured={},
    )  # fmt: skip
    network = DecisionTransformer(SIZE, K, 4)
    network.initialise(torch.Generator().manual_seed(0))
    labels = rng.integers(0, K, 50)
    counts = CountModel.fit([(labels, np.roll(labels, 1))], (), K, 4)
    Bundle(card, Codebook.fit(features, K, 0), counts, network.arrays()).save(folder / "bundle")

    def make(pace="real", **perception):
        return StageConfig.model_validate(
            {
                "replay": folder / "guide.wav",
                "memory": [folder / "guide.wav"],
                "bundle": folder / "bundle",
                "window": 0.5,
                "pace": pace,
                "perception": perception,
            }
        )

    return make


def test_the_stage_hears_as_in_training_where_that_is_fast_enough(stage_of, monkeypatch):
    monkeypatch.setattr(live_hearing, "SHARE_OF_WINDOW", 100.0)
    told = Heard()
    fitted = live_hearing.fit_for_live(stage_of(), told)
    assert fitted.perception.live == LiveHearing(context_seconds=1.0)
    assert told.notes[0] == "measuring the encoder"
    assert told.notes[1].startswith("the encoder hears with float32, 1 thread, 1 s of context: ")
    assert len(told.notes) == 2


def test_a_stage_whose_encoder_is_too_slow_does_not_start_and_says_by_how_much(
    stage_of, monkeypatch
):
    monkeypatch.setattr(live_hearing, "SHARE_OF_WINDOW", 1e-7)
    with pytest.raises(ConfigError, match=r"must answer within half a window .* fastest way here"):
        live_hearing.fit_for_live(stage_of(), Heard())


def test_fast_pace_and_a_way_of_hearing_that_was_given_are_not_measured(stage_of):
    told = Heard()
    fast = stage_of("fast")
    given = stage_of(live={"context_seconds": 0.5, "precision": "bfloat16"})
    assert live_hearing.fit_for_live(fast, told) is fast
    assert live_hearing.fit_for_live(given, told) is given
    assert told.notes == []


def test_another_way_of_hearing_is_compared_with_that_of_the_training(stage_of, monkeypatch):
    monkeypatch.setattr(live_hearing, "SHARE_OF_WINDOW", 100.0)
    slow = {"float32": 9e9, "bfloat16": 1.0, "int8": 1.0}
    monkeypatch.setattr(
        pretrained_probe, "seconds_to_answer", lambda config, *_: slow[config.precision]
    )
    told = Heard()
    fitted = live_hearing.fit_for_live(stage_of(), told)
    assert fitted.perception.live == LiveHearing(context_seconds=1.0, precision="bfloat16")
    share = int(re.match(r"hearing so, (\d+)% of 12 windows of guide.wav", told.notes[-1])[1])
    assert 50 <= share <= 100


def test_the_whole_band_hears_in_the_way_decided(stage_of):
    trained, live = stage_of(), stage_of(live={"context_seconds": 0.5})
    assert build_labeller(live).ear.feature_dim == build_labeller(trained).ear.feature_dim
    assert ear_fingerprint(live) != ear_fingerprint(trained)
    assert '"context_seconds":0.5' in ear_fingerprint(live)
