import numpy as np
import pytest
import torch

from models.dropout import drop
from models.taste import AlignerV2, TasteConfig, info_nce

TINY = TasteConfig(user_dim=4, hidden_dim=16, shared_dim=8, n_blocks=1)


@pytest.fixture
def aligner():
    return AlignerV2(TINY, n_users=5, n_layers=3, layer_dim=6, seed=1)


@pytest.fixture
def layers():
    return torch.from_numpy(np.random.default_rng(2).normal(size=(7, 3, 6)).astype(np.float32))


def test_scores_are_cosines_of_unit_vectors(aligner, layers):
    songs, users = aligner.embed_songs(layers), aligner.embed_users()
    torch.testing.assert_close(songs.norm(dim=1), torch.ones(7))
    torch.testing.assert_close(users.norm(dim=1), torch.ones(5))
    torch.testing.assert_close(aligner.scores(layers), users @ songs.T)


def test_the_same_seed_gives_the_same_network_and_another_another(layers):
    one, two, three = (AlignerV2(TINY, 5, 3, 6, seed=seed).scores(layers) for seed in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.allclose(one, three)


def test_gates_weigh_the_layers_of_each_song_and_sum_to_one(aligner, layers):
    gates = aligner.songs.gates(layers)
    assert gates.shape == (7, 3)
    torch.testing.assert_close(gates.sum(dim=1), torch.ones(7))


def test_a_gate_that_is_shut_hides_its_layer(aligner, layers):
    with torch.no_grad():
        aligner.songs.layer_gate[1] = -50.0
    other = layers.clone()
    other[:, 1] += 3.0
    torch.testing.assert_close(aligner.embed_songs(layers), aligner.embed_songs(other))


def test_a_batch_of_one_song_scores_as_in_a_crowd(aligner, layers):
    torch.testing.assert_close(aligner.scores(layers)[:, :1], aligner.scores(layers[:1]))


def test_dropout_keeps_what_it_should_keep_and_its_result_is_used():
    """Defect 3 of the public code: the mask was inverted and kept about 20 %."""
    dropped = drop(torch.ones(20_000), 0.2, torch.Generator().manual_seed(0))
    assert (dropped != 0).float().mean().item() == pytest.approx(0.8, abs=0.02)
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.02)
    assert torch.equal(drop(torch.ones(9), 0.2, None), torch.ones(9))


def test_training_drops_and_judging_does_not(aligner, layers):
    trained = aligner.songs(layers, torch.Generator().manual_seed(0))
    assert not torch.allclose(trained, aligner.embed_songs(layers))
    assert torch.equal(aligner.embed_songs(layers), aligner.embed_songs(layers))


def test_info_nce_by_hand():
    listeners, candidates = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    everything = torch.ones(1, 2, dtype=torch.bool)
    loss = info_nce(listeners, candidates, torch.tensor([0]), everything, torch.tensor(1.0))
    assert loss.item() == pytest.approx(np.log(1 + np.exp(-1)))


def test_other_songs_of_the_same_user_do_not_push_each_other_away():
    listeners, candidates = torch.eye(2)[:1], torch.eye(2)
    mine = torch.tensor([[True, False]])
    loss = info_nce(listeners, candidates, torch.tensor([0]), mine, torch.tensor(1.0))
    assert loss.item() == pytest.approx(0.0, abs=1e-6)


def test_the_temperature_is_learned_and_stays_in_its_range(aligner):
    assert aligner.temperature.item() == pytest.approx(TINY.temperature)
    with torch.no_grad():
        aligner.log_temperature.fill_(-20.0)
    assert aligner.temperature.item() == pytest.approx(0.02)
    assert aligner.log_temperature.requires_grad


def test_a_table_without_users_is_refused():
    with pytest.raises(ValueError, match="n_users must be at least 1"):
        AlignerV2(TINY, 0, 3, 6)
