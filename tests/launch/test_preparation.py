import pytest

from actors.evolution_config import StageEvolutionConfig
from launch.config import ConfigError
from launch.preparation import check_terms


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
    with pytest.raises(ValueError, match="must know songs by descriptors-2"):
        demo_stage(tmp_path / "run", **evolution)
    assert not (tmp_path / "run").exists()
