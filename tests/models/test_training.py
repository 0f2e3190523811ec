"""Training, checkpoints and evaluation on a known relation, and on none."""

import dataclasses

import numpy as np
import pytest
import torch

from models.checkpoint import CheckpointError, fingerprint, load_checkpoint, save_checkpoint
from models.count_model import CountModel
from models.decision_model import HIDDEN
from models.evaluation import evaluate_decision, foresee, repeat_share
from models.live_transformer import LiveTransformer
from models.paired_labels import split_songs
from models.training import TrainingConfig, draw_crops, fit, start, take_step, validation_loss
from models.transformer_config import TransformerConfig

TINY = TransformerConfig(n_layers=2, n_heads=2, width=16, dropout=0.1, context=12)
QUICK = TrainingConfig(
    max_steps=150, batch_size=8, sequence_windows=32, learning_rate=1e-2, evaluate_every=15
)
K, H = 8, 2


def trained(song, config=QUICK):
    split = split_songs([song], TINY.context, 0, both_directions=False)
    state = fit(start(TINY, config, K, H, split.train), config, split.train, split.validation)
    return split, state


def measured(song):
    split, state = trained(song)
    counts = CountModel.fit(
        [(b.heard, b.answer) for b in split.train],
        [(b.heard, b.answer) for b in split.validation],
        K,
        H,
    )
    live = LiveTransformer(TINY, K, H, state.best)
    return evaluate_decision(live, counts, split.train, split.test, seed=0)


def test_a_relation_is_learned_by_counting_and_by_the_transformer(make_song):
    figures = measured(make_song())
    for system in ("heard", "counts"):
        assert figures.gains[f"bits saved by {system} over unigram"].low > 0.5
        assert figures.greedy[system]["tpp"] > 60
    for name in ("majority", "copy"):
        assert figures.gains[f"TPP of greedy heard over {name}"].is_above_zero
    assert figures.teacher_forced["repeat the true last label"] < 30
    assert figures.sampled["transformer"]["tpp"] > figures.sampled["unigram"]["tpp"] + 20
    assert figures.horizon_bits[0] < figures.horizon_bits[1] - 0.5  # the relation spans one window


@pytest.mark.parametrize(("alone_weight", "learns"), [(1.0, True), (0.0, False)])
def test_a_gate_that_leaves_all_to_counting_does_not_end_learning(make_song, alone_weight, learns):
    config = QUICK.model_copy(update={"alone_weight": alone_weight})
    split = split_songs([make_song()], TINY.context, 0)
    counted = TINY.model_copy(update={"counted": True})
    state = start(counted, config, K, H, split.train)
    with torch.no_grad():
        state.network.gate_heads.bias.fill_(20.0)
    take_step(state, config, split.train)
    assert (float(state.network.label_heads.weight.grad.norm()) > 1e-3) == learns


def test_nothing_is_learned_from_noise(make_song):
    figures = measured(make_song(related=False))
    for system in ("heard", "counts"):
        assert not figures.gains[f"bits saved by {system} over unigram"].is_above_zero


def test_the_same_seed_gives_the_same_weights(make_song):
    config = QUICK.model_copy(update={"max_steps": 15})
    first, again = (trained(make_song(), config)[1].best for _ in range(2))
    assert all(np.array_equal(first[name], again[name]) for name in first)


def test_resumed_training_takes_the_same_steps(make_song, tmp_path):
    split = split_songs([make_song()], TINY.context, 0)
    path, of = tmp_path / "checkpoint", fingerprint(TINY, QUICK, split.train)
    config = QUICK.model_copy(update={"max_steps": 30})
    whole = fit(start(TINY, config, K, H, split.train), config, split.train, split.validation)
    half = start(TINY, config, K, H, split.train)
    fit(
        half,
        config,
        split.train,
        split.validation,
        on_validation=lambda state: save_checkpoint(path, state, of),
        should_stop=lambda: half.step >= 15,
    )
    resumed = start(TINY, config, K, H, split.train)
    load_checkpoint(path, resumed, of)
    assert resumed.step == 15
    fit(resumed, config, split.train, split.validation)
    assert [p.step for p in resumed.history] == [p.step for p in whole.history]
    for name, array in whole.best.items():
        np.testing.assert_array_equal(resumed.best[name], array)


def test_a_training_killed_after_its_last_step_takes_no_further_one(make_song, tmp_path):
    split = split_songs([make_song(n_windows=200)], TINY.context, 0)
    config = QUICK.model_copy(update={"max_steps": 5})
    whole = start(TINY, config, K, H, split.train)
    path = tmp_path / "c"
    fit(whole, config, split.train, split.validation,
        on_validation=lambda state: save_checkpoint(path, state, "x"))  # fmt: skip
    resumed = start(TINY, config, K, H, split.train)
    load_checkpoint(path, resumed, "x")
    fit(resumed, config, split.train, split.validation)
    assert (resumed.step, resumed.stopped) == (5, "steps")
    for name, array in whole.best.items():
        np.testing.assert_array_equal(resumed.best[name], array)


def test_checkpoint_of_another_training_is_refused(make_song, tmp_path):
    split, state = trained(make_song(n_windows=100), QUICK.model_copy(update={"max_steps": 1}))
    save_checkpoint(tmp_path / "c", state, "one training")
    with pytest.raises(CheckpointError, match="must belong to this training"):
        load_checkpoint(tmp_path / "c", start(TINY, QUICK, K, H, split.train), "another")


def test_file_that_is_no_checkpoint_is_refused(tmp_path):
    (tmp_path / "c").write_bytes(b"something else")
    with pytest.raises(CheckpointError, match="must be a checkpoint of a training, and is not"):
        load_checkpoint(tmp_path / "c", start(TINY, QUICK, K, H, ()), "x")


def test_interrupted_training_keeps_the_best_so_far(make_song):
    split = split_songs([make_song(n_windows=200)], TINY.context, 0)
    state = start(TINY, QUICK, K, H, split.train)

    def interrupt(step):
        if step == 20:
            raise KeyboardInterrupt

    fit(state, QUICK, split.train, split.validation, on_step=interrupt)
    assert state.stopped == "interrupted"
    assert [p.step for p in state.history] == [0, 15]
    LiveTransformer(TINY, K, H, state.best)


def test_training_interrupted_before_any_gain_keeps_nothing(make_song):
    split = split_songs([make_song(n_windows=200)], TINY.context, 0)

    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(start(TINY, QUICK, K, H, split.train), QUICK, split.train, (), on_step=interrupt)


def test_training_stops_when_validation_stops_gaining(make_song):
    config = QUICK.model_copy(update={"patience": 1, "max_steps": 2000})
    _, state = trained(make_song(n_windows=200, related=False), config)
    assert state.stopped == "patience"
    assert state.step < 2000
    assert state.best_index == len(state.history) - 2


def test_the_weights_of_the_best_validation_are_kept_not_those_of_the_last(make_song, monkeypatch):
    """Defect 6 of the public code: every epoch was saved as best."""
    losses = iter([3.0, 1.0, 2.0, 1.5])
    monkeypatch.setattr("models.training.validation_loss", lambda *_: next(losses))
    split = split_songs([make_song(n_windows=100)], TINY.context, 0)
    config = QUICK.model_copy(update={"max_steps": 3, "evaluate_every": 1})
    state, weights = start(TINY, config, K, H, split.train), []
    fit(
        state,
        config,
        split.train,
        split.validation,
        on_validation=lambda state: weights.append(state.network.arrays()),
    )
    assert len(weights) == 4
    for name, array in state.best.items():
        np.testing.assert_array_equal(array, weights[1][name])
    assert any((weights[1][name] != weights[3][name]).any() for name in state.best)


def test_nothing_is_dropped_out_in_validation(make_song):
    """Defect 5 of the public code: it validated as it trained."""
    split = split_songs([make_song(n_windows=200)], TINY.context, 0)
    losses = []
    for dropout in (0.0, 0.9):
        network = start(
            TINY.model_copy(update={"dropout": dropout}), QUICK, K, H, split.train
        ).network
        losses.append(validation_loss(network, split.validation))
    assert losses[0] == losses[1]


def test_without_validation_the_last_weights_are_kept(make_song):
    split = split_songs([make_song(n_windows=100)], TINY.context, 0)
    config = QUICK.model_copy(update={"max_steps": 2})
    state = fit(start(TINY, config, K, H, split.train), config, split.train, [])
    last = state.network.arrays()
    assert all(np.array_equal(state.best[name], last[name]) for name in last)


def test_the_last_weights_are_kept_if_asked_however_the_validation_went(make_song):
    config = QUICK.model_copy(update={"keep_last": True, "patience": 1, "learning_rate": 0.1})
    _, state = trained(make_song(n_windows=100, related=False), config)
    assert (state.step, state.stopped) == (config.max_steps, "steps")
    losses = [progress.validation_loss for progress in state.history]
    assert state.best_index == len(losses) - 1 > np.argmin(losses)
    for name, array in state.network.arrays().items():
        np.testing.assert_array_equal(state.best[name], array)


def test_nothing_to_train_on_is_refused():
    with pytest.raises(ValueError, match="training needs a stretch of at least 2 windows"):
        fit(start(TINY, QUICK, K, H, ()), QUICK, (), ())


def test_crops_overlap_and_hide_own_past_at_all_rates(make_song):
    split = split_songs([make_song()], TINY.context, 0)
    config = QUICK.model_copy(update={"batch_size": 400})
    crops = draw_crops(split.train, config, np.random.default_rng(0), shifts=False)
    hidden = (crops.own == HIDDEN).float().mean(dim=1).numpy()
    assert 0.4 < (hidden == 1).mean() < 0.65
    assert hidden.min() < 0.1
    assert (crops.shift == 1).all()
    assert ((crops.own == HIDDEN) | (crops.own == crops.answer)).all()


def test_own_past_is_that_of_the_window_before_the_predicted_one(make_song):
    split = split_songs([make_song()], TINY.context, 0)
    config = QUICK.model_copy(update={"batch_size": 400, "online_share": 0.4})
    crops = draw_crops(split.train, config, np.random.default_rng(0), shifts=True)
    for shift, share in ((0, 0.3), (1, 0.4), (2, 0.3)):
        chosen = crops.shift == shift
        assert chosen.float().mean() == pytest.approx(share, abs=0.1)
        own, answer = crops.own[chosen], crops.answer[chosen]
        read = own[:, 1:-1] != HIDDEN
        assert (own[:, 1:-1] == answer[:, shift : shift + own.shape[1] - 2])[read].all()
        assert read.any()


def test_crops_longer_than_the_song_are_padded_and_padding_is_not_learned(make_song):
    split = split_songs([make_song(n_windows=30)], TINY.context, 0)
    crops = draw_crops(split.train, QUICK, np.random.default_rng(0), shifts=False)
    length = len(split.train[0].heard)
    assert crops.heard.shape == (8, 32)
    assert (crops.answer[:, length:] == -100).all()
    assert (crops.answer[:, :length] != -100).all()


def test_fields_are_normalised_to_the_material(make_song):
    split = split_songs([make_song()], TINY.context, 0)
    state = start(TINY, QUICK, K, H, split.train)
    assert state.network.field_mean[0] == pytest.approx(-20, abs=1)
    take_step(state, QUICK, split.train)
    assert state.step == 1


def test_warm_up_is_heard_but_not_scored(make_song):
    split = split_songs([make_song(n_windows=200)], TINY.context, 0)
    network = start(TINY, QUICK, K, H, split.train).network
    block = split.test[0]
    before = validation_loss(network, [block])
    scored = int(np.flatnonzero(block.scored_active)[0])
    block.answer[scored] = (block.answer[scored] + 1) % K
    assert validation_loss(network, [block]) != before
    assert np.isnan(validation_loss(network, []))
    empty = dataclasses.replace(block, warm_up=len(block.heard))
    assert np.isnan(validation_loss(network, [empty]))


def test_foresight_about_a_window_never_used_that_window(make_song):
    split, state = trained(make_song(n_windows=200), QUICK.model_copy(update={"max_steps": 2}))
    live = LiveTransformer(TINY, K, H, state.best)
    block = split.test[0]
    before = foresee(live, block, 1.0).labels
    block.heard[10], block.answer[10] = (block.heard[10] + 1) % K, 0
    after = foresee(live, block, 1.0).labels
    np.testing.assert_array_equal(before[:11], after[:11])
    assert not np.array_equal(before[11], after[11])


def test_bits_of_a_foreseen_window_come_from_the_row_that_foresaw_it(make_song):
    split, state = trained(make_song(n_windows=200), QUICK.model_copy(update={"max_steps": 2}))
    block = split.test[0]
    seen = foresee(LiveTransformer(TINY, K, H, state.best), block, 0.0)
    t = int(np.flatnonzero(block.answer[1:] >= 0)[0]) + 1
    expected = -seen.labels[t - 1, 1, block.answer[t]] / np.log(2)
    assert seen.bits(block.answer, 1)[t] == pytest.approx(expected)
    assert np.isnan(seen.bits(block.answer, 1)[0])


def test_nothing_is_measured_where_the_answer_never_plays(make_song):
    split, state = trained(make_song(n_windows=100), QUICK.model_copy(update={"max_steps": 1}))
    for block in split.test:
        block.answer[:] = -1
    live = LiveTransformer(TINY, K, H, state.best)
    counts = CountModel.fit([], [], K, H)
    assert evaluate_decision(live, counts, split.train, split.test, seed=0) is None


def test_repeat_share_counts_labels_followed_by_themselves(make_song):
    split = split_songs([make_song(n_windows=100)], TINY.context, 0)
    split.train[0].answer[:] = 3
    assert repeat_share(split.train[:1]) > 0.95


@pytest.mark.parametrize(("n_songs", "n_groups"), [(2, 2 * 3), (8, 8)])
def test_few_songs_are_resampled_by_stretches_and_many_as_wholes(
    make_song, monkeypatch, n_songs, n_groups
):
    songs = [make_song(f"song {i}", 200, seed=i) for i in range(n_songs)]
    blocks = [b for s in songs for b in split_songs([s], TINY.context, 0).test]
    seen = []
    monkeypatch.setattr(
        "models.evaluation.paired_bootstrap",
        lambda differences, groups, seed: seen.append(len(np.unique(groups))),  # noqa: ARG005
    )
    state = start(TINY, QUICK, K, H, ())
    live = LiveTransformer(TINY, K, H, state.network.arrays())
    evaluate_decision(live, CountModel.fit([], [], K, H), blocks, blocks, seed=0)
    assert set(seen) == {n_groups}


def test_checkpoint_that_cannot_be_written_is_one_sentence(tmp_path):
    with pytest.raises(CheckpointError, match="must be a file that can be written"):
        save_checkpoint(tmp_path / "none" / "c", start(TINY, QUICK, K, H, ()), "x")
