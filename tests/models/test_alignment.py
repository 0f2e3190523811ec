"""The paper's dual MLP, its losses, and the regression, on pairs whose relation is known."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from models.alignment import (
    Alignment,
    AlignmentConfig,
    info_nce,
    soft_contrastive,
    symmetric_info_nce,
)
from models.alignment_training import PAPER_GRID, hold_out_renders, run_grid, train
from models.metrics import retrieval
from models.ridge import Ridge, choose_strength, leave_programs_out

TINY = AlignmentConfig(hidden_dim=16, output_dim=8, n_hidden_layers=2, epochs=15, batch_size=32)


def pairs(n=160, seed=0):
    """Two noisy linear views of one hidden thing."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, 4))
    code = hidden @ rng.normal(size=(4, 10)) + 0.05 * rng.normal(size=(n, 10))
    audio = hidden @ rng.normal(size=(4, 6)) + 0.05 * rng.normal(size=(n, 6))
    names = np.array([f"program{i % 8}" for i in range(n)])
    return code.astype(np.float32), audio.astype(np.float32), names


@pytest.mark.parametrize("n_layers", [0, 1, 5])
def test_each_mlp_is_linear_batch_norm_gelu_and_ends_linear(n_layers):
    config = AlignmentConfig(hidden_dim=16, output_dim=8, n_hidden_layers=n_layers)
    model = Alignment(config, 10, 6, seed=0)
    for mlp, width in ((model.code, 10), (model.audio, 6)):
        kinds = [type(layer) for layer in mlp]
        assert kinds == [nn.Linear, nn.BatchNorm1d, nn.GELU] * n_layers + [nn.Linear]
        linear = [layer for layer in mlp if isinstance(layer, nn.Linear)]
        assert linear[0].in_features == width
        assert linear[-1].out_features == 8
        assert all(layer.out_features == 16 for layer in linear[:-1])


def test_the_grid_is_table_a2():
    assert len(PAPER_GRID) == len({config.model_dump_json() for config in PAPER_GRID}) == 24
    best_cka, best_cca = PAPER_GRID[20], PAPER_GRID[23]
    assert (best_cka.hidden_dim, best_cka.output_dim) == (256, 128)
    assert (best_cka.n_hidden_layers, best_cka.learning_rate) == (1, 1e-4)
    assert (best_cca.n_hidden_layers, best_cca.learning_rate) == (5, 1e-3)
    assert (PAPER_GRID[12].hidden_dim, PAPER_GRID[12].n_hidden_layers) == (128, 5)


def test_info_nce_by_hand_on_two_pairs():
    code, audio = torch.tensor([[2.0, 0], [0, 3]]), torch.tensor([[1.0, 0], [5, 0]])
    # cosines: first row (1, 1), second row (0, 0): −log 1/2 each
    assert float(info_nce(code, audio, 0.5)) == pytest.approx(math.log(2))
    audio = torch.eye(2)
    expected = -math.log(math.exp(2) / (math.exp(2) + 1))
    assert float(info_nce(code, audio, 0.5)) == pytest.approx(expected)


def test_info_nce_has_one_direction_and_the_symmetric_loss_has_both():
    code = torch.tensor([[1.0, 0], [1.0, 0.1]])
    audio = torch.tensor([[1.0, 0], [0.0, 1]])
    there, back = info_nce(code, audio, 0.1), info_nce(audio, code, 0.1)
    assert abs(float(there) - float(back)) > 0.1
    assert float(symmetric_info_nce(code, audio, 0.1)) == pytest.approx(float(there + back) / 2)


def test_soft_targets_prefer_a_near_sound_as_neighbour_to_a_far_one():
    sounds = torch.tensor([[0.0], [0.1], [9.0], [9.1]])
    right = torch.tensor([[1.0, 0], [1, 0.1], [0, 1], [0.1, 1]])
    wrong = right[[0, 2, 1, 3]]
    hard = [float(symmetric_info_nce(p, p, 0.2)) for p in (right, wrong)]
    soft = [float(soft_contrastive(p, p, sounds, 0.2, 0.5)) for p in (right, wrong)]
    assert hard[0] == pytest.approx(hard[1], abs=1e-6)
    assert soft[0] < soft[1] - 0.5


def test_one_pair_alone_gives_what_it_gives_among_ten():
    code, audio, _ = pairs()
    model = train(code, audio, TINY, seed=0)
    among = model.embed(code[:10], audio[:10])
    alone = model.embed(code[:1], audio[:1])
    for together, single in zip(among, alone, strict=True):
        np.testing.assert_allclose(single[0], together[0], atol=1e-6)


@pytest.mark.parametrize("loss", ["info_nce", "symmetric", "soft"])
def test_training_learns_to_find_partners_among_pairs_never_seen(loss):
    code, audio, _ = pairs()
    config = TINY.model_copy(update={"loss": loss, "learning_rate": 1e-2})
    losses = []
    model = train(code[:120], audio[:120], config, 0, lambda _, loss: losses.append(loss))
    before = Alignment(config, 10, 6, seed=0)
    before.standardise_by(code[:120], audio[:120])
    after = retrieval.evaluate(*model.embed(code[120:], audio[120:]))["code_to_audio_median_rank"]
    start = retrieval.evaluate(*before.embed(code[120:], audio[120:]))["code_to_audio_median_rank"]
    assert losses[-1] < losses[0]
    assert after <= 4 < start


def test_the_same_seed_gives_the_same_weights_and_another_does_not():
    code, audio, _ = pairs(64)
    points = [train(code, audio, TINY, seed).embed(code, audio)[0] for seed in (1, 1, 2)]
    np.testing.assert_array_equal(points[0], points[1])
    assert np.abs(points[0] - points[2]).max() > 0.01


def test_training_leaves_the_global_generator_alone():
    code, audio, _ = pairs(64)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    train(code, audio, TINY.model_copy(update={"epochs": 1}), seed=0)
    assert torch.equal(torch.rand(1), expected)


def test_a_stopped_grid_goes_on_and_ends_as_if_it_had_not_stopped(tmp_path):
    code, audio, names = pairs(80)
    held = hold_out_renders(80, 0.3, seed=0)
    grid = [TINY.model_copy(update={"n_hidden_layers": n, "epochs": 2}) for n in (1, 2)]

    def run(file, **options):
        return run_grid(code, audio, names, held, tmp_path / file, n_runs=2, grid=grid, **options)

    class StopError(Exception):
        pass

    def stop_after_two(row):
        if row["configuration"] == 1:
            raise StopError

    whole = run("whole.jsonl")
    with pytest.raises(StopError):
        run("stopped.jsonl", on_row=stop_after_two)
    with (tmp_path / "stopped.jsonl").open("a") as file:
        file.write('{"of": "cut o')
    fresh = []
    resumed = run("stopped.jsonl", on_row=fresh.append)
    assert [(r["configuration"], r["run"]) for r in whole] == [
        (0, 0),
        (1, 0),
        (2, 0),
        (1, 1),
        (2, 1),
    ]
    assert len(fresh) == 3
    assert resumed == whole
    assert {"cka", "cka_floor", "cca", "cca_floor", "audio_to_code_r10"} <= set(whole[1])


def test_results_of_other_pairs_are_not_mixed(tmp_path):
    code, audio, names = pairs(40)
    held = hold_out_renders(40, 0.5, seed=0)
    grid = [TINY.model_copy(update={"epochs": 1})]
    run_grid(code, audio, names, held, tmp_path / "r.jsonl", n_runs=1, grid=grid)
    with pytest.raises(ValueError, match="other pairs, another split"):
        run_grid(code + 1, audio, names, held, tmp_path / "r.jsonl", n_runs=1, grid=grid)


def test_ridge_of_strength_near_zero_solves_the_equations():
    rng = np.random.default_rng(0)
    inputs = rng.uniform(-1, 1, size=(50, 3)).astype(np.float32)
    targets = inputs @ np.array([[1.0], [-2], [0.5]], np.float32) + 3
    np.testing.assert_allclose(Ridge.fit(inputs, targets, 1e-6).predict(inputs), targets, atol=1e-4)


def test_ridge_shrinks_to_the_mean_as_strength_grows():
    code, audio, _ = pairs()
    predicted = Ridge.fit(code, audio, 1e9).predict(code)
    np.testing.assert_allclose(predicted, np.tile(audio.mean(axis=0), (len(audio), 1)), atol=1e-3)


def test_ridge_agrees_with_the_normal_equations():
    code, audio, _ = pairs()
    ridge = Ridge.fit(code, audio, 30.0)
    x = ridge.standardiser.apply(code).astype(np.float64)
    y = audio - audio.mean(axis=0)
    weights = np.linalg.solve(x.T @ x + 30.0 * np.eye(10), x.T @ y)
    np.testing.assert_allclose(ridge.weights, weights, atol=1e-4)


def test_strength_is_weak_for_clear_relations_and_strong_for_noise():
    code, audio, names = pairs()
    noise = np.random.default_rng(1).normal(size=audio.shape).astype(np.float32)
    assert choose_strength(code, audio, names) <= 10
    assert choose_strength(code, noise, names) >= 1000


def test_every_program_is_held_out_once_and_whole():
    _, _, names = pairs()
    folds = leave_programs_out(names, 3, seed=0)
    assert np.sum(folds, axis=0).tolist() == [1] * len(names)
    for held in folds:
        assert not set(names[held]) & set(names[~held])


def test_a_ridge_is_read_back_as_it_was_written(tmp_path):
    code, audio, _ = pairs()
    ridge = Ridge.fit(code, audio, 10.0)
    ridge.save(tmp_path / "r.safetensors")
    loaded = Ridge.load(tmp_path / "r.safetensors")
    np.testing.assert_array_equal(loaded.predict(code), ridge.predict(code))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c, a, _: Ridge.fit(c, a, 0.0), "strength must be above 0"),
        (lambda c, a, _: Ridge.fit(c, a[:3], 1.0), "one target per input"),
        (lambda _, __, n: leave_programs_out(n, 9, 0), r"n_folds must be in 2\.\.8"),
        (lambda c, a, _: train(c, a[:5], TINY, 0), "one sound per program"),
        (lambda _, __, ___: hold_out_renders(9, 1.0, 0), r"share must be in \(0, 1\)"),
    ],
)
def test_malformed_input_is_refused_with_the_reason(call, message):
    with pytest.raises(ValueError, match=message):
        call(*pairs())
