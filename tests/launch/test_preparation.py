import numpy as np
import pytest
import soundfile

from actors.evolution_config import StageEvolutionConfig
from launch.config import PROJECT_ROOT, ConfigError
from launch.preparation import check_terms

DEMO = PROJECT_ROOT / "corpus" / "demo" / "audio"


class Listener:
    """Keeps what a person is told."""

    def __init__(self):
        self.notes = []

    def begin(self, step):
        pass

    def tell(self, detail):
        pass

    def note(self, sentence):
        self.notes.append(sentence)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "evolution plays sonic-pi: your own programs"),
        ({"show": "paid"}, "evolution plays sonic-pi: your own programs"),
        ({"generator": "musicgen", "model": "folder"}, "CC-BY-NC 4.0: not for paid shows"),
    ],
)
def test_terms_are_said_before_the_show(settings, said):
    told = Listener()
    check_terms(StageEvolutionConfig(**settings), told)
    assert said in told.notes[0]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"generator": "musicgen", "model": "folder", "show": "paid"}, "must not play"),
        ({"generator": "musicgen"}, "must have evolution.model"),
    ],
)
def test_what_terms_forbid_is_refused_in_a_sentence(settings, said):
    with pytest.raises(ConfigError, match=said):
        check_terms(StageEvolutionConfig(**settings), Listener())


def test_a_stage_refuses_a_taste_model_of_another_encoder(world, demo_stage, tmp_path):
    world.train(tmp_path / "taste.safetensors", seed=1, encoder="hidden-layers")
    evolution = {
        "evolution.enabled": True,
        "evolution.taste": str(tmp_path / "taste.safetensors"),
        "evolution.songs": str(world.songs),
    }
    with pytest.raises(ValueError, match="must know songs by descriptors-3"):
        demo_stage(tmp_path / "run", **evolution)
    assert not (tmp_path / "run").exists()


def test_how_often_the_memory_rests_is_told_of_its_files_alone(demo_stage, tmp_path):
    samples, rate = soundfile.read(DEMO / "call_and_answer/piano.ogg")
    half = np.concatenate([samples[: 8 * rate], np.zeros_like(samples[: 8 * rate])])
    soundfile.write(tmp_path / "half.wav", half, rate)
    band = demo_stage(tmp_path / "run", memory=[tmp_path / "half.wav"], transpose=2)
    assert len(band.track_names) > 1  # transpositions count for nothing
    assert band.memory_windows == 64
    assert band.rest_share == pytest.approx(0.5, abs=0.1)
