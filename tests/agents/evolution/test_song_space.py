import numpy as np
import pytest
import torch

from agents.evolution.song_space import PieceSpace
from models.taste import AlignerV2, TasteConfig

KNOWN = np.random.default_rng(3).normal(size=(60, 3, 5)).astype(np.float32)
SONGS = np.random.default_rng(4).normal(size=(7, 3, 5)).astype(np.float32)


@pytest.fixture(params=["feed-forward", "landmarks"])
def aligner(request):
    shape = {"user_dim": 4, "hidden_dim": 16, "shared_dim": 8, "n_blocks": 1}
    if request.param == "feed-forward":
        return AlignerV2(TasteConfig(**shape), 6, 3, 5, seed=1)
    made = AlignerV2(TasteConfig(**shape, n_landmarks=20), 6, 3, 5, seed=1)
    made.songs.settle(torch.from_numpy(KNOWN[:20]), torch.tensor([0.5, 0.3, 0.2]))
    return made


def by_hand(aligner, layers, others):
    """Squared distances, layer by layer, weighed as the gate of `others` says."""
    if hasattr(aligner.songs, "layer_weights"):
        weights = aligner.songs.layer_weights.numpy()
    else:
        weights = aligner.songs.gates(torch.from_numpy(others)).detach().numpy().mean(axis=0)
    return (((layers[:, None] - others) ** 2).mean(axis=3) * weights).sum(axis=2)


def test_nearness_to_a_piece_is_half_taste_and_half_sound(aligner):
    space = PieceSpace(aligner, SONGS[0], KNOWN)
    scores = space.embed_songs(torch.from_numpy(SONGS)).numpy() @ space.target()
    vectors = aligner.embed_songs(torch.from_numpy(SONGS)).numpy()
    typical = by_hand(aligner, KNOWN, SONGS[:1]).mean()
    by_ear = 1 - by_hand(aligner, SONGS, SONGS[:1])[:, 0] / typical
    np.testing.assert_allclose(scores, (vectors @ vectors[0] + by_ear) / 2, atol=1e-4)


def test_no_song_is_nearer_to_a_piece_than_itself(aligner):
    space = PieceSpace(aligner, SONGS[2], KNOWN)
    scores = space.embed_songs(torch.from_numpy(np.concatenate([SONGS, KNOWN]))) @ torch.from_numpy(
        space.target()
    )
    assert int(scores.argmax()) == 2
    assert float(scores[2]) == pytest.approx(1.0, abs=1e-5)


def test_songs_in_general_are_as_far_as_can_be_said_of_them(aligner):
    space = PieceSpace(aligner, SONGS[2], KNOWN)
    by_ear = space.embed_songs(torch.from_numpy(KNOWN))[:, -1]
    assert float(by_ear.mean()) == pytest.approx(0.0, abs=1e-4)
