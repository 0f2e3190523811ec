"""The published decision model: causal, resumable, with the published figures as defaults."""

import numpy as np
import pytest
import torch

from models.alphabet import SILENCE
from models.paired_labels import Block
from models.paper_training import (
    PaperTraining,
    load_paper,
    read_sequences,
    save_paper,
    with_silence,
)
from models.paper_transformer import PaperConfig, PaperTransformer

K = 5
TINY = PaperConfig(
    n_layers=1, n_heads=2, width=16, feed_forward=32, batch_size=6, learning_rate=3e-3,
    sequence_seconds=3, overlap_seconds=1,
)  # fmt: skip


def song(n=60, seed=0, name="s"):
    rng = np.random.default_rng(seed)
    heard = rng.integers(0, K, n)
    answer = np.where(rng.random(n) < 0.1, SILENCE, (np.roll(heard, 1) + 1) % K)
    return Block(name, 0, 0, heard, np.zeros((n, 2), np.float32), answer)


def test_defaults_are_the_published_figures():
    config = PaperConfig()
    assert (config.n_layers, config.n_heads, config.width, config.feed_forward) == (
        6,
        12,
        768,
        2048,
    )
    assert (config.dropout, config.learning_rate, config.batch_size) == (0.1, 1e-6, 24)
    assert (config.weight_decay, config.sequence_seconds, config.overlap_seconds) == (1e-5, 15, 5)


@pytest.mark.parametrize("shift", [0, 1, 2])
def test_an_answer_rests_on_what_its_shift_allows(shift):
    torch.manual_seed(0)
    network = PaperTransformer(TINY, K, shift).eval()
    heard, before = torch.randint(0, K, (1, 12)), torch.randint(0, K, (1, 12))
    first = network(heard, before)
    heard[0, 5] = (heard[0, 5] + 1) % K
    changed = (network(heard, before) != first).any(-1)[0]
    assert changed.nonzero()[0].item() == 5 + shift


def test_the_relation_is_learned_when_the_rate_allows_it():
    training = PaperTraining.start(TINY, K, 0.25)
    losses = [training.take_step([song(seed=s, name=str(s)) for s in range(4)]) for _ in range(150)]
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:10])
    assert training.epochs([song()]) > 1


def test_what_pads_a_song_shorter_than_a_sequence_is_not_learned():
    """Defect 8 of the public code: padding was learned as a label."""
    config = TINY.model_copy(update={"dropout": 0.0})
    training, one = PaperTraining.start(config, K, 0.25), song(5)
    with torch.no_grad():
        heard = torch.from_numpy(with_silence(one.heard, K))[None]
        answer = torch.from_numpy(with_silence(one.answer, K))
        before = torch.cat([torch.tensor([K + 1]), answer[:-1]])[None]
        expected = torch.nn.functional.cross_entropy(training.network(heard, before)[0], answer)
    assert training.sequence == 12
    assert training.take_step([one]) == pytest.approx(float(expected), rel=1e-4)


def test_a_sequence_of_short_windows_has_a_position_for_each():
    """Defect 10 of the public code: more than 100 positions broke."""
    config = TINY.model_copy(update={"sequence_seconds": 15, "overlap_seconds": 5})
    training, one = PaperTraining.start(config, K, 0.1), song(170)
    assert (training.sequence, training.hop) == (150, 100)
    assert np.isfinite(training.take_step([one]))
    same = torch.zeros((1, 150), dtype=torch.int64)
    with torch.no_grad():
        logits = training.network(same, same)[0]
    assert len(torch.unique(logits, dim=0)) == 150


def test_songs_are_not_padded_to_whole_sequences():
    """Defect 13 of the public code: files were padded to multiples of 15 s."""
    config = TINY.model_copy(update={"sequence_seconds": 15, "overlap_seconds": 5})
    training, one = PaperTraining.start(config, K, 0.5), song(36)  # 18 s: a sequence and a rest
    training.take_step([one])
    assert training.epochs([one]) == config.batch_size
    ((reading, answer),) = read_sequences(training, [one], top_p=0.8, seed=0)
    assert answer.shape == (36,)
    assert reading.labels.shape == (36, K)
    np.testing.assert_allclose(np.exp(reading.labels).sum(axis=1), 1, atol=1e-4)


def test_scheduled_sampling_decays_and_steps_follow_from_the_seed():
    """Defect 3 of the public code: scheduled sampling failed on two-dimensional input."""
    config = TINY.model_copy(update={"sampling_decay": 0.5})
    runs = []
    for _ in range(2):
        training = PaperTraining.start(config, K, 0.25)
        runs.append([training.take_step([song()]) for _ in range(8)])
    assert runs[0] == runs[1]
    truthful = PaperTraining.start(TINY.model_copy(update={"sampling_decay": 1.0}), K, 0.25)
    assert [truthful.take_step([song()]) for _ in range(8)] != runs[0]


def test_a_killed_training_goes_on_to_the_same_weights(tmp_path):
    whole = PaperTraining.start(TINY, K, 0.25)
    half = PaperTraining.start(TINY, K, 0.25)
    for step in range(6):
        whole.take_step([song()])
        if step < 3:
            half.take_step([song()])
    save_paper(tmp_path / "half", half, 1.5, [2.0])
    resumed = PaperTraining.start(TINY, K, 0.25)
    assert load_paper(tmp_path / "half", resumed) == (1.5, [2.0])
    for _ in range(3):
        resumed.take_step([song()])
    for name, array in whole.network.arrays().items():
        np.testing.assert_array_equal(resumed.network.arrays()[name], array)


def test_mixed_precision_learns_the_same_up_to_rounding():
    losses = []
    for bfloat16 in (False, True):
        training = PaperTraining.start(TINY.model_copy(update={"bfloat16": bfloat16}), K, 0.25)
        losses.append([training.take_step([song()]) for _ in range(8)])
        assert {w.dtype for w in training.network.parameters()} == {torch.float32}
    assert losses[0] != losses[1]
    np.testing.assert_allclose(losses[0], losses[1], rtol=0.02)


def test_free_answers_cover_the_song_and_rest_on_the_past():
    """Defects 8 and 14 of the public code: no label is outside the alphabet, no row shifts."""
    training = PaperTraining.start(TINY, K, 0.25)
    blocks = [song(50), song(31, seed=1)]
    found = read_sequences(training, blocks, top_p=0.8, seed=0)
    for one, (reading, answer) in zip(blocks, found, strict=True):
        assert ((answer == SILENCE) == (one.answer == SILENCE)).all()
        assert answer.max() < K
        np.testing.assert_allclose(np.exp(reading.labels).sum(axis=1), 1, atol=1e-4)
    blocks[0].heard[40] = (blocks[0].heard[40] + 1) % K
    again = read_sequences(training, blocks, top_p=0.8, seed=0)
    np.testing.assert_array_equal(found[0][0].labels[:41], again[0][0].labels[:41])
