import dataclasses

import numpy as np
import pytest
import torch

from models.taste import TasteConfig
from models.taste_checkpoint import (
    TasteFileError,
    fingerprint,
    load_aligner,
    load_training,
    save_aligner,
    save_training,
)
from models.taste_training import TasteData, TasteTrainingConfig, fit, start, take_step

TINY = TasteConfig(user_dim=8, hidden_dim=32, shared_dim=16, n_blocks=1, dropout=0.1)
SHORT = TasteTrainingConfig(max_epochs=12, batch_size=64, n_negatives=32, patience=12)


def make_data(n_users=24, n_songs=60, seed=0):
    """Songs with two hidden qualities, users who like one end of one of them."""
    rng = np.random.default_rng(seed)
    quality = rng.normal(size=(n_songs, 2))
    layers = np.stack([quality @ rng.normal(size=(2, 6)), rng.normal(size=(n_songs, 6))], axis=1)
    taste = rng.normal(size=(n_users, 2))
    taste /= np.linalg.norm(taste, axis=1, keepdims=True)
    liked = taste @ quality.T > 0.5
    train, validation = np.arange(45), np.arange(45, n_songs)
    users, songs = np.nonzero(liked[:, train])
    return TasteData(
        layers.astype(np.float32), n_users, users, songs, np.ones(len(users)),
        validation, liked[:, validation],
    )  # fmt: skip


@pytest.fixture(scope="module")
def data():
    return make_data()


def test_taste_is_learned_from_listens_and_holds_for_songs_never_trained_on(data):
    state = fit(start(TINY, SHORT, data), SHORT, data)
    assert state.best_epoch.validation_auc > 0.85
    assert state.history[0].loss > state.best_epoch.loss


def test_rows_of_users_who_are_not_in_the_batch_do_not_move_at_all(data):
    """Defect 9: weight decay drifted the rows of other users, step by step."""
    here = data.users < 12
    some = dataclasses.replace(
        data, users=data.users[here], songs=data.songs[here], plays=data.plays[here]
    )
    state = start(TINY, SHORT, some)
    before = state.network.users.weight.detach().clone()
    for step in range(5):
        take_step(state, SHORT, some, step)
    after = state.network.users.weight.detach()
    assert torch.equal(before[12:], after[12:])
    assert not torch.equal(before[:12], after[:12])


def test_a_song_in_train_and_validation_is_refused(data):
    """Defect 10: the published test figure was read from the train partition."""
    with pytest.raises(ValueError, match="one partition only"):
        dataclasses.replace(data, validation_songs=np.arange(40, 55))


def test_standardisation_looks_at_train_songs_only(data):
    strange = data.layers.copy()
    strange[data.validation_songs] += 100.0
    other = start(TINY, SHORT, dataclasses.replace(data, layers=strange)).network.songs.mean
    assert torch.equal(start(TINY, SHORT, data).network.songs.mean, other)


def test_the_same_seed_trains_to_the_same_bytes(data):
    brief = SHORT.model_copy(update={"max_epochs": 2})
    one, two = (fit(start(TINY, brief, data), brief, data).network for _ in range(2))
    for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_a_resumed_training_ends_where_an_uninterrupted_one_ends(data, tmp_path):
    four = SHORT.model_copy(update={"max_epochs": 4})
    whole = fit(start(TINY, four, data), four, data)
    halfway = start(TINY, four, data)
    fit(halfway, four, data, should_stop=lambda: halfway.epoch == 2,
        on_epoch=lambda s: save_training(tmp_path / "t.safetensors", s, "mine"))  # fmt: skip
    resumed = start(TINY, four, data)
    load_training(tmp_path / "t.safetensors", resumed, "mine")
    assert resumed.epoch == 2
    fit(resumed, four, data)
    assert resumed.history == whole.history
    for a, b in zip(
        resumed.network.state_dict().values(), whole.network.state_dict().values(), strict=True
    ):
        assert torch.equal(a, b)


def test_a_checkpoint_of_another_training_is_refused(data, tmp_path):
    state = start(TINY, SHORT, data)
    save_training(tmp_path / "t.safetensors", state, "mine")
    with pytest.raises(ValueError, match="another training"):
        load_training(tmp_path / "t.safetensors", state, "yours")
    (tmp_path / "t.safetensors").write_bytes(b"broken")
    with pytest.raises(ValueError, match="must be a checkpoint"):
        load_training(tmp_path / "t.safetensors", state, "mine")


def test_a_saved_aligner_scores_the_same_when_loaded(data, tmp_path):
    """Defect 12: save and load were not implemented."""
    network = start(TINY, SHORT, data).network
    save_aligner(tmp_path / "taste.safetensors", network, {"songs": "45"})
    again, card = load_aligner(tmp_path / "taste.safetensors")
    layers = torch.from_numpy(data.layers)
    assert torch.equal(network.scores(layers), again.scores(layers))
    assert card == {"songs": "45"}


def test_an_aligner_that_cannot_be_written_is_one_sentence(data, tmp_path):
    path = tmp_path / "taste.safetensors"
    (tmp_path / ".taste.safetensors.partial").mkdir()
    with pytest.raises(
        TasteFileError, match=r"taste\.safetensors must be written, but that failed"
    ):
        save_aligner(path, start(TINY, SHORT, data).network, {})


def test_a_fingerprint_tells_aligners_apart(data, tmp_path):
    one = start(TINY, SHORT, data).network
    save_aligner(tmp_path / "taste.safetensors", one, {})
    assert fingerprint(load_aligner(tmp_path / "taste.safetensors")[0]) == fingerprint(one)
    with torch.no_grad():
        one.users.weight[0, 0] += 1e-3
    assert fingerprint(load_aligner(tmp_path / "taste.safetensors")[0]) != fingerprint(one)


def test_training_stops_when_validation_stops_gaining(data):
    impatient = SHORT.model_copy(update={"max_epochs": 100, "patience": 2, "learning_rate": 0.2})
    state = fit(start(TINY, impatient, data), impatient, data)
    assert state.stopped == "patience"
    assert state.epoch < 100


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"users": np.zeros(0, int)}, "at least one listen"),
        ({"plays": np.ones(3)}, "one entry per listen"),
        ({"validation_listened": np.zeros((2, 2), bool)}, "validation_listened must be"),
    ],
)
def test_data_that_do_not_fit_are_refused(data, change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(data, **change)
