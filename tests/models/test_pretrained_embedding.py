"""Pretrained audio models as an embedding: a tiny random wav2vec 2.0, saved in the real format."""

import numpy as np
import pytest

from models.pretrained_embedding import PretrainedDescriber, PretrainedSpace

RATE = 16_000


@pytest.fixture(scope="module")
def describer(tiny_wav2vec2):
    return PretrainedDescriber(tiny_wav2vec2)


def tone(hertz, rate=RATE, seconds=1.0):
    times = np.arange(round(rate * seconds)) / rate
    return (0.3 * np.sin(2 * np.pi * hertz * times)).astype(np.float32)


def test_a_sound_is_one_finite_vector_as_wide_as_the_model(describer):
    found = describer.describe(tone(440), RATE)
    assert found.shape == (16,)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found, describer.describe(tone(440), RATE))


def test_rate_and_channels_do_not_matter_much_but_the_sound_does(describer):
    one = describer.describe(tone(440), RATE)
    stereo = describer.describe(np.stack([tone(440, 22_050)] * 2, axis=1), 22_050)
    other = describer.describe(np.random.default_rng(0).normal(0, 0.2, RATE), RATE)
    assert np.linalg.norm(one - stereo) < 0.2 * np.linalg.norm(one - other)


def test_the_space_balances_every_number(describer):
    described = np.stack([describer.describe(tone(hz), RATE) for hz in (110, 220, 440, 880, 1760)])
    points = PretrainedSpace.fit(described).embed(described)
    assert points.shape == described.shape
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-5)
    assert (np.linalg.norm(points, axis=1) > 0).all()


@pytest.mark.parametrize(
    ("samples", "rate", "says"),
    [
        (tone(440, seconds=0.1), RATE, "at least 0.5 s"),
        (np.full(RATE, np.nan, dtype=np.float32), RATE, "finite"),
        (tone(440), 0, "above 0"),
    ],
)
def test_what_is_no_sound_is_refused(describer, samples, rate, says):
    with pytest.raises(ValueError, match=says):
        describer.describe(samples, rate)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must be a folder with an audio model"):
        PretrainedDescriber(tmp_path)
