import numpy as np
import pytest

from models.hidden_layers import HiddenLayers


@pytest.fixture(scope="module")
def folder(save_audio_model, tmp_path_factory):
    """A tiny random model of MERT's architecture and at MERT's rate."""
    path = tmp_path_factory.mktemp("mert")
    return save_audio_model(path, "hubert", rate=24_000, num_hidden_layers=3)


@pytest.fixture(scope="module")
def encoder(folder):
    return HiddenLayers(folder)


def noise(seconds, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, round(24_000 * seconds)).astype(np.float32)


def test_all_hidden_layers_come_out_whatever_the_length(encoder):
    assert encoder.sample_rate == 24_000
    assert encoder.layer_names == ("layer 0", "layer 1", "layer 2", "layer 3")
    for seconds in (0.5, 1.0, 13.0):
        layers = encoder.encode(noise(seconds))
        assert layers.shape == (4, 16)
        assert layers.dtype == np.float32
        assert np.isfinite(layers).all()


def test_the_layers_differ_from_each_other_and_from_song_to_song(encoder):
    one, two = encoder.encode(noise(1)), encoder.encode(noise(1, seed=1))
    assert not np.allclose(one[0], one[3])
    assert not np.allclose(one, two)


def test_the_same_folder_gives_the_same_numbers_and_the_same_name(encoder, folder):
    again = HiddenLayers(folder)
    np.testing.assert_array_equal(encoder.encode(noise(1)), again.encode(noise(1)))
    assert again.name == encoder.name


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must be a folder with an audio model"):
        HiddenLayers(tmp_path)


def test_a_song_that_is_none_is_refused(encoder):
    with pytest.raises(ValueError, match=r"at least 0\.5 s"):
        encoder.encode(noise(0.1))
    with pytest.raises(ValueError, match="finite"):
        encoder.encode(np.full(24_000, np.nan, np.float32))
