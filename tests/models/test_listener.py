import numpy as np
import pytest
import torch

from models.listener import Listener, ListenerConfig, room_weights
from models.metrics.ranking import centred_cosine, cosine
from models.taste import AlignerV2, TasteConfig

TINY = TasteConfig(user_dim=6, hidden_dim=24, shared_dim=12, n_song_blocks=1, temperature=0.1)


@pytest.fixture(scope="module")
def aligner():
    return AlignerV2(TINY, n_users=40, n_layers=2, layer_dim=5, seed=3)


@pytest.fixture(scope="module")
def songs(aligner):
    layers = np.random.default_rng(4).normal(size=(200, 2, 5)).astype(np.float32)
    return aligner.embed_songs(torch.from_numpy(layers)).numpy()


@pytest.fixture
def new(aligner, songs):
    def make(**config):
        return Listener(aligner, songs[100:], ListenerConfig(**config))

    return make


def verdicts_of(aligner, songs, user):
    """The ratings that a user of the table would give: above or below what they usually feel."""
    scores = songs @ aligner.embed_users(torch.tensor([user]))[0].numpy()
    return scores, np.where(scores > np.median(scores), 1, -1)


def test_a_hundred_ratings_and_ten_epochs_find_the_scores_of_a_listener(aligner, songs, new):
    found = []
    for user in range(10):
        scores, ratings = verdicts_of(aligner, songs, user)
        listener = new()
        listener.hear(songs[:100], ratings[:100])
        listener.fit(10)
        found.append(centred_cosine(listener.scores(songs[100:]), scores[100:]))
    assert np.mean(found) > 0.8  # untrained towers bend more than trained ones


def test_a_like_raises_and_a_dislike_lowers_and_unrated_changes_nothing(songs, new):
    """Defect 1: likes were not counted as positive, and unrated songs were."""
    liked, disliked, unrated = new(), new(), new()
    before = liked.scores(songs[:1])[0]
    liked.hear(songs[:1], [1])
    disliked.hear(songs[:1], [-1])
    unrated.hear(songs[:1], [0])
    assert unrated.fit() == []
    liked.fit()
    disliked.fit()
    assert liked.scores(songs[:1])[0] > before + 0.01
    assert disliked.scores(songs[:1])[0] < before - 0.01
    assert unrated.scores(songs[:1])[0] == before


def test_unrated_songs_among_rated_ones_leave_the_fit_as_it_is(songs, new):
    with_unrated, without = new(), new()
    with_unrated.hear(songs[:6], [1, 0, -1, 0, 1, 0])
    without.hear(songs[[0, 2, 4]], [1, -1, 1])
    assert with_unrated.fit() == without.fit()
    np.testing.assert_array_equal(with_unrated.embedding(), without.embedding())


def test_a_single_like_is_fitted_as_long_as_many_ratings_are(songs, new):
    once, often, long = new(), new(), new()
    for listener in (once, often, long):
        listener.hear(songs[:1], [1])
    assert len(once.fit(10)) == 10
    assert len(often.fit()) == 100
    long.fit(400)
    before = new().scores(songs[:1])[0]
    gains = [float(one.scores(songs[:1])[0] - before) for one in (once, often, long)]
    assert gains[0] < gains[1]
    assert gains[1] > 0.9 * gains[2]


@pytest.mark.parametrize("fitting", ["classic", "minibatch"])
@pytest.mark.parametrize("verdict", [1, -1])
def test_feedback_of_one_kind_alone_still_teaches(songs, new, verdict, fitting):
    """Defect 2: likes alone gave no gradient at all, dislikes only pushed every score down."""
    listener = new(fitting=fitting)
    start = listener.scores(songs)
    alike = np.argsort(-songs[:100] @ songs[0])[:5]
    listener.hear(songs[alike], [verdict] * 5)
    losses = listener.fit(10)
    moved = listener.scores(songs) - start
    assert losses[-1] < losses[0]
    assert verdict * (moved[alike].mean() - moved[100:].mean()) > 0.1


@pytest.mark.parametrize("initialisation", ["mean", "random", "mean with noise"])
def test_every_start_is_repeatable_and_finds_the_taste(aligner, songs, new, initialisation):
    scores, ratings = verdicts_of(aligner, songs, 7)
    ends = []
    for _ in range(2):
        listener = new(initialisation=initialisation, seed=5)
        listener.hear(songs[:60], ratings[:60])
        listener.fit()
        ends.append(listener.embedding())
    np.testing.assert_array_equal(*ends)
    assert cosine(songs[100:] @ ends[0], scores[100:]) > 0.8


def test_starts_differ_as_they_should(new):
    mean, noisy, random = (
        new(initialisation=kind).place() for kind in ("mean", "mean with noise", "random")
    )
    assert not mean.any()
    assert 0 < np.linalg.norm(noisy) < np.linalg.norm(random)


def test_the_memory_is_circular_and_classic_keeps_only_the_newest_feedback(songs, new):
    circular, classic = new(memory_length=4), new(fitting="classic")
    for listener in (circular, classic):
        listener.hear(songs[:3], [1, 1, 1])
        listener.hear(songs[3:5], [-1, 1])
    assert circular.n_remembered == 4
    assert classic.n_remembered == 2


def test_playlists_of_any_size_are_learned_from(songs, new):
    """Defect 11: the size of the playlist had to stay fixed."""
    listener = new()
    for n in (3, 1, 7, 2):
        listener.hear(songs[:n], [1] * n)
        assert len(listener.fit(1)) == 1


def test_fitting_leaves_the_table_of_others_untouched(aligner, songs, new):
    """Defect 9, from the listener's side."""
    before = {k: v.clone() for k, v in aligner.state_dict().items()}
    listener = new()
    listener.hear(songs[:20], [1, -1] * 10)
    listener.fit()
    assert all(torch.equal(before[k], v) for k, v in aligner.state_dict().items())


def test_one_flooding_phone_does_not_outvote_the_room(aligner, songs, new):
    scores, wanted = verdicts_of(aligner, songs, 3)
    devices = [f"phone {k % 8}" for k in range(40)] + ["troll"] * 120
    rated = np.concatenate([songs[:40], songs[np.arange(120) % 40]])
    ratings = np.concatenate([wanted[:40], -wanted[np.arange(120) % 40]])
    room, mob = new(memory_length=200), new(memory_length=200)
    room.hear(rated, ratings, room_weights(devices))
    mob.hear(rated, ratings)
    room.fit()
    mob.fit()
    assert centred_cosine(room.scores(songs[100:]), scores[100:]) > 0.6
    assert centred_cosine(mob.scores(songs[100:]), scores[100:]) < 0


def test_every_device_weighs_the_same_and_weights_have_mean_one():
    weights = room_weights(["a", "a", "a", "b"])
    assert weights[:3].sum() == pytest.approx(weights[3])
    assert weights.mean() == pytest.approx(1.0)


def test_a_listener_can_be_kept_and_returned_to(songs, new):
    listener, other = new(), new()
    listener.hear(songs[:10], [1, -1] * 5)
    listener.fit()
    other.return_to(listener.place())
    np.testing.assert_array_equal(listener.embedding(), other.embedding())
    with pytest.raises(ValueError, match="place must be finite"):
        other.return_to(np.zeros(2, np.float32))


def test_malformed_feedback_is_refused(songs, new, aligner):
    with pytest.raises(ValueError, match="songs must be"):
        new().hear(songs[:2], [1])
    with pytest.raises(ValueError, match="finite"):
        new().hear(songs[:1], [np.nan])
    with pytest.raises(ValueError, match="background must be"):
        Listener(aligner, songs[:0])
