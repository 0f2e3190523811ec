import numpy as np
import pytest
import torch

from agents.evolution.song_space import NeighbourlySpace, PieceSpace
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


def test_neighbours_vouch_for_half_of_a_song(aligner):
    nearest = np.argsort(by_hand(aligner, SONGS, KNOWN), axis=1)[:, :3]
    known = aligner.embed_songs(torch.from_numpy(KNOWN)).numpy()
    own = aligner.embed_songs(torch.from_numpy(SONGS)).numpy()
    placed = NeighbourlySpace(aligner, KNOWN, neighbours=3).embed_songs(torch.from_numpy(SONGS))
    expected = own / 2 + known[nearest].mean(axis=1) / 2
    np.testing.assert_allclose(placed.numpy(), expected, atol=1e-5)


def test_with_fewer_known_songs_than_neighbours_all_vouch(aligner):
    few = NeighbourlySpace(aligner, KNOWN[:4], neighbours=20)
    everybody = NeighbourlySpace(aligner, KNOWN[:4], neighbours=4)
    songs = torch.from_numpy(SONGS)
    assert torch.equal(few.embed_songs(songs), everybody.embed_songs(songs))


def test_somebody_must_be_known(aligner):
    with pytest.raises(ValueError, match="at least one known song, got none"):
        NeighbourlySpace(aligner, KNOWN[:0])


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
