import numpy as np
import pytest

from models.musicgen import MusicGenGenerator

RATE = 32_000


@pytest.fixture(scope="module")
def generator(tiny_musicgen):
    return MusicGenGenerator(tiny_musicgen)


def test_a_prompt_becomes_a_clip_of_the_length_asked_for(generator):
    [clip] = generator.generate(["calm piano"], 0.5, [1])
    assert clip.shape == (RATE // 2,)
    assert clip.dtype == np.float32
    assert np.isfinite(clip).all()
    assert clip.std() > 0


def test_the_same_seed_gives_the_same_clip_whatever_stands_beside_it(generator):
    [alone] = generator.generate(["calm piano"], 0.3, [1])
    _, beside = generator.generate(["fast drums", "calm piano"], 0.3, [5, 1])
    [other] = generator.generate(["calm piano"], 0.3, [2])
    np.testing.assert_array_equal(alone, beside)
    assert np.abs(alone - other).max() > 0


def test_embeddings_of_a_prompt_sound_like_the_prompt(generator):
    ids = [3, 4]  # calm piano
    [text] = generator.generate(["calm piano"], 0.3, [3])
    [vectors] = generator.generate([generator.embeddings()[ids]], 0.3, [3])
    np.testing.assert_allclose(vectors, text, atol=1e-6)


def test_other_embeddings_sound_otherwise(generator):
    table = generator.embeddings()
    one, other = generator.generate([table[[3, 4]], table[[5, 6]]], 0.3, [3, 3])
    assert np.abs(one - other).max() > 0


def test_an_audio_prompt_is_gone_on_from_and_not_part_of_the_clip(tiny_musicgen):
    prompt = (0.1 * np.sin(np.arange(RATE // 2) / 20)).astype(np.float32)
    prompted = MusicGenGenerator(tiny_musicgen, prompt)
    [clip] = prompted.generate(["calm piano"], 0.5, [1])
    [plain] = MusicGenGenerator(tiny_musicgen).generate(["calm piano"], 0.5, [1])
    assert clip.shape == plain.shape == (RATE // 2,)
    assert np.abs(clip - plain).max() > 0
    assert "from" in prompted.name


def test_its_licence_forbids_paid_shows(generator):
    assert not generator.allows_paid_shows
    assert "not for paid shows" in generator.licence


@pytest.mark.parametrize("shape", [(2, 5), (64,)])
def test_embeddings_of_another_width_are_refused(generator, shape):
    with pytest.raises(ValueError, match="embeddings must be"):
        generator.generate([np.zeros(shape, np.float32)], 0.3, [0])


def test_a_folder_without_weights_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(ValueError, match="must hold MusicGen's weights and tokenizer"):
        MusicGenGenerator(str(tmp_path))
