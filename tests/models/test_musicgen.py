import os

import numpy as np
import pytest
import torch

from models.musicgen import MusicGenGenerator

RATE = 32_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Tiny random weights in the published format, with a tokenizer of its own."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        EncodecConfig,
        MusicgenConfig,
        MusicgenDecoderConfig,
        MusicgenForConditionalGeneration,
        PreTrainedTokenizerFast,
        T5Config,
    )

    torch.manual_seed(0)
    text = T5Config(vocab_size=256, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4)
    codec = EncodecConfig(
        sampling_rate=RATE,
        audio_channels=1,
        normalize=False,
        num_filters=4,
        num_lstm_layers=1,
        upsampling_ratios=[8, 5, 4, 4],
        codebook_size=64,
        codebook_dim=16,
        hidden_size=16,
        target_bandwidths=[1.2],
    )
    decoder = MusicgenDecoderConfig(
        vocab_size=64,
        num_hidden_layers=2,
        ffn_dim=64,
        num_attention_heads=4,
        hidden_size=32,
        num_codebooks=4,
        pad_token_id=64,
        bos_token_id=64,
    )
    model = MusicgenForConditionalGeneration(
        MusicgenConfig(text_encoder=text, audio_encoder=codec, decoder=decoder)
    ).eval()
    with torch.no_grad():
        for layer in model.audio_encoder.quantizer.layers:
            layer.codebook.embed.normal_()  # all zero otherwise: everything would sound the same
    for name in ("decoder_start_token_id", "pad_token_id", "bos_token_id"):
        setattr(model.generation_config, name, 64)
    made = tmp_path_factory.mktemp("musicgen")
    model.save_pretrained(made)
    words = ["<pad>", "</s>", "<unk>", "calm", "piano", "fast", "drums", "and"]
    core = Tokenizer(models.WordLevel({w: k for k, w in enumerate(words)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(made)
    assert any(name.endswith(".safetensors") for name in os.listdir(made))
    return str(made)


@pytest.fixture(scope="module")
def generator(folder):
    return MusicGenGenerator(folder)


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


def test_an_audio_prompt_is_gone_on_from_and_not_part_of_the_clip(folder):
    prompt = (0.1 * np.sin(np.arange(RATE // 2) / 20)).astype(np.float32)
    prompted = MusicGenGenerator(folder, prompt)
    [clip] = prompted.generate(["calm piano"], 0.5, [1])
    [plain] = MusicGenGenerator(folder).generate(["calm piano"], 0.5, [1])
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
