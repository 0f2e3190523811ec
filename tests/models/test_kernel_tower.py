"""The tower with landmarks, alone and at the start of a training."""

import numpy as np
import pytest
import torch

from models import taste_start
from models.kernel_tower import KernelTower, layer_distances, learn_layer_weights
from models.taste import AlignerV2, TasteConfig
from models.taste_checkpoint import load_aligner, save_aligner
from models.taste_start import settle
from models.taste_training import TasteData, fit, refining, start

MARKED = TasteConfig(user_dim=8, hidden_dim=32, shared_dim=16, n_landmarks=30)


@pytest.fixture(scope="module")
def data():
    """Songs with two hidden qualities, users who like what is near a point of their own."""
    rng = np.random.default_rng(0)
    quality = rng.uniform(-1, 1, size=(120, 2))
    layers = np.stack([quality @ rng.normal(size=(2, 6)), rng.normal(size=(120, 6))], axis=1)
    ideal = rng.uniform(-1, 1, size=(24, 1, 2))
    liked = ((quality - ideal) ** 2).sum(axis=2) < 0.6
    train, validation = np.arange(90), np.arange(90, 120)
    users, songs = np.nonzero(liked[:, train])
    return TasteData(
        layers.astype(np.float32), 24, users, songs, np.ones(len(users)),
        validation, liked[:, validation],
    )  # fmt: skip


@pytest.fixture(scope="module")
def begun(data):
    return start(MARKED, refining(2, seed=0), data)


def test_distances_are_mean_squares_layer_by_layer():
    rng = np.random.default_rng(0)
    one, other = (torch.from_numpy(rng.normal(size=(n, 2, 5))) for n in (3, 4))
    by_hand = (one[:, None] - other).square().mean(dim=3)
    torch.testing.assert_close(layer_distances(one, other), by_hand)


def test_the_gate_opens_for_the_layer_that_taste_hangs_on():
    rng = np.random.default_rng(1)
    songs = torch.from_numpy(rng.normal(size=(80, 3, 4)).astype(np.float32))
    tastes = rng.normal(size=(40, 4))
    listened = torch.from_numpy(tastes @ songs[:, 1].numpy().T > 0.5)
    weights = learn_layer_weights(songs, listened)
    assert weights.argmax() == 1
    assert weights[1] > 3 * weights[[0, 2]].max()


def test_it_begins_with_what_ridge_regression_knows(begun):
    assert begun.history[0].epoch == 0
    assert begun.history[0].validation_auc > 0.85
    assert np.isfinite(begun.history[0].loss)


def test_the_fewest_directions_that_rank_as_well_are_kept(monkeypatch):
    rng = np.random.default_rng(0)
    strengths = np.array([3.0] * 8 + [0.3] * 8)  # eight that count, eight that hardly do
    known, asked = rng.normal(size=(400, 16)), rng.normal(size=(200, 16))
    people = rng.normal(size=(60, 16)) * strengths
    as_shipped = taste_start._AS_GOOD

    def rank(as_good):
        monkeypatch.setattr(taste_start, "_AS_GOOD", as_good)
        listens = (known @ people.T > 0).astype(float)
        places, axes = taste_start._places(known, listens, asked, people @ asked.T > 0, 32)
        assert places.shape == (16, axes.shape[1])
        return axes.shape[1]

    assert rank(0.0) >= 16
    assert rank(as_shipped) == 8
    assert rank(1.0) == 4


def test_training_keeps_the_start_unless_it_finds_better(data):
    state = start(MARKED, refining(4, seed=0), data)
    first = state.history[0].validation_auc
    fit(state, refining(4, seed=0), data)
    assert state.best_epoch.validation_auc >= first
    assert len(state.history) > 1


def test_validation_songs_teach_nothing(data, begun):
    """They choose the ridge; their features and verdicts never enter the projection itself."""
    tower = begun.network.songs
    assert isinstance(tower, KernelTower)
    train = set(map(bytes, tower.standard(torch.from_numpy(data.layers[data.train_songs])).numpy()))
    assert all(bytes(one) in train for one in tower.landmarks.numpy())


def test_one_song_is_where_it_is_in_a_crowd_and_after_loading(data, begun, tmp_path):
    layers = torch.from_numpy(data.layers)
    all_songs = begun.network.embed_songs(layers)
    torch.testing.assert_close(all_songs.norm(dim=1), torch.ones(len(layers)))
    torch.testing.assert_close(begun.network.embed_songs(layers[3:4]), all_songs[3:4])
    save_aligner(tmp_path / "taste.safetensors", begun.network, {})
    again, _ = load_aligner(tmp_path / "taste.safetensors")
    assert torch.equal(again.embed_songs(layers), all_songs)


def test_nobody_has_an_opinion_of_what_is_like_no_song(data, begun):
    """Far from all that was heard there is nothing to be won: evolution cannot cheat there."""
    strange = torch.from_numpy(data.layers[:4]).clone()
    strange[:, :, ::2], strange[:, :, 1::2] = 1e3, -1e3
    known = begun.network.scores(torch.from_numpy(data.layers)).abs().mean()
    assert begun.network.scores(strange).abs().mean() < 0.5 * known


def test_fewer_songs_than_landmarks_are_all_landmarks(data):
    many = MARKED.model_copy(update={"n_landmarks": 500})
    state = start(many, refining(1, seed=0), data)
    assert state.network.config.n_landmarks == len(data.train_songs)


def test_a_feed_forward_tower_cannot_be_settled(data):
    network = AlignerV2(TasteConfig(), 3, 2, 6)
    nothing = np.zeros((3, 120), bool)
    with pytest.raises(TypeError, match="set n_landmarks above 0"):
        settle(network, data.layers, nothing, np.arange(45), np.arange(0), nothing[:, :0], 0)
