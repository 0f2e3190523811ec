from dataclasses import replace

import numpy as np
import pytest
import torch

from models.ear_checkpoint import load_ear_checkpoint, save_ear_checkpoint
from models.ear_training import (
    EarMaterial,
    EarTraining,
    EarTrainingConfig,
    Variation,
    batch_loss,
    decibels_to_bytes,
    draw_batch,
    views_of,
)
from models.learned_ear import EarError, EarShape, outline
from models.log_spectrum import LOWEST_PITCH, N_PITCHES

CONFIG = EarTrainingConfig(
    shape=EarShape(first=3, second=4, hidden=6), steps=24, songs=6, windows=4, learning_rate=1e-2
)


def song(name, seed):
    """One note per window in two parts, a third apart, each with a bright and a dull instrument."""
    rng = np.random.default_rng(seed)
    notes = rng.integers(20, 40, 24)
    views, silent = {}, {}
    for part, shift in (("high", 4), ("low", 0)):
        versions = []
        for second_partial in (0.8, 0.05):
            frames = np.full((24, 2, N_PITCHES), 1e-4, np.float32)
            frames[np.arange(24), :, notes + shift] = 0.5
            frames[np.arange(24), :, notes + shift + 12] = 0.5 * second_partial
            spectrum = decibels_to_bytes(frames.repeat(5, axis=0))
            versions.append(views_of(spectrum, Variation(n_views=2), rng))
        views[part], silent[part] = versions, [np.zeros(24, bool)] * 2
    chords = (notes + LOWEST_PITCH) % 12 * 5 + notes % 2  # of two families
    return EarMaterial(name, views, silent, [("high", "low")], chords)


@pytest.fixture
def songs():
    return [song(str(seed), seed) for seed in range(8)]


def test_training_brings_what_belongs_together_nearer(songs):
    training = EarTraining(CONFIG.model_copy(update={"steps": 60}), songs)
    batch = draw_batch(songs, CONFIG, np.random.default_rng(99))
    before = float(batch_loss(training.network, batch, CONFIG).detach())
    training.run(60)
    after = float(batch_loss(training.network, batch, CONFIG).detach())
    assert after < before - 0.5


def test_an_ear_that_is_asked_for_chords_tells_them_in_a_song_it_never_heard(songs):
    told = []
    for weight in (0.0, 1.0):
        config = CONFIG.model_copy(update={"steps": 120, "chord_weight": weight})
        training = EarTraining(config, songs)
        training.run(120)
        other = song("other", 77)
        points = training.network(torch.from_numpy(other.views["high"][0][0].astype(np.float32)))
        named = training.network.chords(points).argmax(1).numpy()
        told.append(float((named == other.chords).mean()))
    assert told[0] < 0.3
    assert told[1] > 0.6


def test_chords_follow_the_music_up_and_down(songs):
    network = EarTraining(CONFIG, songs).network
    points = torch.randn(5, 2, 12)
    logits = network.chords(points.flatten(1)).reshape(5, 12, 5)
    higher = network.chords(points.roll(3, -1).flatten(1)).reshape(5, 12, 5)
    torch.testing.assert_close(higher, logits.roll(3, 1))


def test_chords_that_are_not_known_are_not_asked_for(songs):
    unknown = [replace(one, chords=np.full(24, -1)) for one in songs]
    losses = []
    for weight in (0.0, 1.0):
        config = CONFIG.model_copy(update={"chord_weight": weight})
        batch = draw_batch(unknown, config, np.random.default_rng(0))
        loss = batch_loss(EarTraining(config, unknown).network, batch, config)
        losses.append(float(loss.detach()))
    assert losses[0] == losses[1]


def test_a_training_stopped_half_way_ends_with_the_same_ear(songs, tmp_path):
    whole = EarTraining(CONFIG, songs)
    whole.run(24)
    half = EarTraining(CONFIG, songs)
    half.run(10)
    save_ear_checkpoint(tmp_path / "c", half)
    again = EarTraining(CONFIG, songs)
    load_ear_checkpoint(tmp_path / "c", again)
    assert again.step == 10
    again.run(100)
    assert again.losses == whole.losses
    for name, array in whole.network.arrays().items():
        assert array.tobytes() == again.network.arrays()[name].tobytes()


def test_a_checkpoint_of_another_training_is_refused(songs, tmp_path):
    save_ear_checkpoint(tmp_path / "c", EarTraining(CONFIG, songs))
    with pytest.raises(EarError, match="must be of this training, and is of another"):
        load_ear_checkpoint(tmp_path / "c", EarTraining(CONFIG, songs[:4]))
    (tmp_path / "c").write_bytes(b"torn")
    with pytest.raises(EarError, match="is damaged"):
        load_ear_checkpoint(tmp_path / "c", EarTraining(CONFIG, songs))


def test_silent_windows_and_parts_without_a_twin_do_not_count(songs):
    mute = {part: [np.ones(24, bool)] * 2 for part in ("high", "low")}
    quiet = [replace(one, silent=mute) for one in songs]
    batch = draw_batch(quiet, CONFIG, np.random.default_rng(0))
    assert float(batch_loss(EarTraining(CONFIG, quiet).network, batch, CONFIG).detach()) == 0.0
    single = [
        replace(
            one,
            views={part: [versions[0][:1]] for part, versions in one.views.items()},
            silent={part: versions[:1] for part, versions in one.silent.items()},
        )
        for one in songs
    ]
    batch = draw_batch(single, CONFIG, np.random.default_rng(0))
    assert not batch.sounding[1].any()
    assert torch.isfinite(batch_loss(EarTraining(CONFIG, single).network, batch, CONFIG))


def test_a_song_shorter_than_a_batch_wants_gives_its_windows_again():
    whole = song("short", 1)
    short = replace(
        whole,
        views={part: [views[0][:, :3]] for part, views in whole.views.items()},
        silent={part: [np.zeros(3, bool)] for part in whole.silent},
    )
    batch = draw_batch([short, short], CONFIG, np.random.default_rng(0))
    assert batch.sounding.all()
    assert set(batch.moment.tolist()) <= {0, 1, 2}


def test_the_first_view_is_what_the_live_ear_sees_and_the_others_are_not():
    rng = np.random.default_rng(3)
    spectrum = rng.integers(100, 240, (20, 2, N_PITCHES)).astype(np.uint8)
    views = views_of(spectrum, Variation(n_views=3), rng)
    amplitudes = (10.0 ** ((spectrum[:15] / 2.0 - 120.0) / 20)).astype(np.float32)
    np.testing.assert_allclose(views[0, 2], outline(amplitudes, 10), atol=2e-3)
    assert views.shape == (3, 4, 4, N_PITCHES)
    assert np.abs(views[1] - views[0]).mean() > 0.01


def test_amplitudes_become_half_decibels():
    assert decibels_to_bytes(np.array([1.0, 0.0, 10 ** (-60 / 20)], np.float32)).tolist() == [
        240,
        0,
        120,
    ]
