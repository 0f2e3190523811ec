import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.segmentation import WindowGrid, exact_seconds
from models.alphabet import SILENCE
from models.descriptors import rotate_features
from models.ear import EarConfig, build_ear
from models.energy_gate import EnergyGateConfig
from models.key import KeyConfig, RunningKey, rotation_of
from models.labeller import Labeller
from models.vector_quantizer import Codebook

RATE = 22050
WINDOW = 0.25


def features_of(sound, sample_rate=RATE, window_seconds=WINDOW):
    grid = WindowGrid(sample_rate, exact_seconds(window_seconds))
    boundaries = grid.boundaries(grid.n_whole_windows(len(sound)))
    ear = build_ear(EarConfig(), sample_rate, window_seconds)
    return np.array([heard.features for heard in ear.listen_track(sound, boundaries)]), boundaries


def labeller_for(sound, n_classes=16, sample_rate=RATE, window_seconds=WINDOW):
    features, boundaries = features_of(sound, sample_rate, window_seconds)
    codebook = Codebook.fit(features, n_classes, seed=0)
    ear = build_ear(EarConfig(), sample_rate, window_seconds)
    return Labeller(ear, codebook), boundaries


@pytest.fixture
def tune(play, chords):
    sound = play(chords(24, 1), 0.43, RATE)
    sound[RATE : 2 * RATE] = 0.0
    return sound


def test_live_labels_equal_offline_labels_on_every_window_to_the_last_bit(tune):
    labeller, boundaries = labeller_for(tune)
    offline = labeller.label_track(tune, boundaries)
    labeller.reset()
    live = [labeller.push(tune[a:b]) for a, b in pairwise(boundaries)]
    assert [one.label for one in live] == offline.labels.tolist()
    for name, array in (("distance", offline.distances), ("onset", offline.onset)):
        assert np.array([getattr(one, name) for one in live], np.float32).tobytes() == (
            array.tobytes()
        )
    assert len(set(offline.labels.tolist())) > 8


@settings(max_examples=20, deadline=None)
@given(
    sample_rate=st.integers(8000, 48000),
    window_seconds=st.sampled_from([0.125, 0.25, 0.35, 0.5]),
    cuts=st.lists(st.integers(1, 5000), min_size=1, max_size=20),
)
def test_live_equals_offline_for_any_rate_and_any_size_of_device_block(
    sample_rate, window_seconds, cuts
):
    rng = np.random.default_rng(sample_rate)
    sound = rng.normal(size=3 * sample_rate).astype(np.float32) * np.float32(0.1)
    grid = WindowGrid(sample_rate, exact_seconds(window_seconds))
    boundaries = grid.boundaries(grid.n_whole_windows(len(sound)))
    ear = build_ear(EarConfig(), sample_rate, window_seconds)
    labeller = Labeller(ear, Codebook(rng.normal(size=(8, 18))))
    offline = labeller.label_track(sound, boundaries)
    labeller.reset()
    arrived, live, position = np.zeros(0, np.float32), [], 0
    while len(live) < len(boundaries) - 1:
        block = cuts[position % len(cuts)]
        arrived = np.concatenate([arrived, sound[len(arrived) : len(arrived) + block]])
        position += 1
        while len(live) < len(boundaries) - 1 and boundaries[len(live) + 1] <= len(arrived):
            a, b = boundaries[len(live) : len(live) + 2]
            live.append(labeller.push(arrived[a:b]).label)
    assert live == offline.labels.tolist()


def test_a_label_uses_nothing_after_its_window(tune):
    labeller, boundaries = labeller_for(tune)
    whole = labeller.label_track(tune, boundaries)
    other_future = tune.copy()
    other_future[boundaries[20] :] = 0.5
    again = labeller.label_track(other_future, boundaries)
    assert again.labels[:20].tolist() == whole.labels[:20].tolist()
    assert again.features[:20].tobytes() == whole.features[:20].tobytes()


def test_window_lengths_that_alternate_by_one_sample_are_heard(play, chords):
    sound = play(chords(8, 2), 0.5, 44100)
    labeller, boundaries = labeller_for(sound, 4, 44100, 0.125)
    assert set(np.diff(boundaries).tolist()) == {5512, 5513}
    assert len(labeller.label_track(sound, boundaries).labels) == 32


@pytest.mark.parametrize("sample_rate", [8000, 48000, 192000])
def test_a_codebook_made_at_one_rate_labels_the_same_music_at_another(play, chords, sample_rate):
    tune = chords(16, 3)
    labeller, boundaries = labeller_for(play(tune, 0.5, RATE), 8)
    here = labeller.label_track(play(tune, 0.5, RATE), boundaries)
    grid = WindowGrid(sample_rate, exact_seconds(WINDOW))
    elsewhere = Labeller(build_ear(EarConfig(), sample_rate, WINDOW), labeller.codebook)
    there = elsewhere.label_track(play(tune, 0.5, sample_rate), grid.boundaries(32))
    assert np.mean(here.labels == there.labels) >= 0.9


@pytest.mark.parametrize("other", ["flute", "reed"])
def test_the_same_notes_on_another_instrument_get_the_same_labels_far_above_chance(
    play, chords, timbres, other
):
    tune = chords(60, 4)
    one = play(tune, 0.5, RATE, timbres["organ"])
    two = play(tune, 0.5, RATE, timbres[other], decay_per_second=4.0)
    labeller, boundaries = labeller_for(np.concatenate([one, two]))
    boundaries = boundaries[: len(boundaries) // 2 + 1]
    first = labeller.label_track(one, boundaries).labels
    second = labeller.label_track(two, boundaries).labels
    chance = np.mean(first[:, None] == second[None, :])
    assert chance < 0.15
    assert np.mean(first == second) > 0.7


def test_timbre_is_not_in_the_label(play, chords, timbres):
    sounds = [
        play(chords(60, seed), 0.5, RATE, timbres[name])
        for seed, name in ((5, "organ"), (5, "flute"))
    ]
    labeller, boundaries = labeller_for(np.concatenate(sounds))
    boundaries = boundaries[: len(boundaries) // 2 + 1]
    counts = np.array(
        [
            np.bincount(labeller.label_track(sound, boundaries).labels, minlength=16)
            for sound in sounds
        ]
    )
    guess_from_label = counts.max(axis=0).sum() / counts.sum()
    assert guess_from_label < 0.65  # 0.5 is knowing nothing, 1 is knowing the instrument


def test_silence_is_labelled_silence_but_its_features_are_kept(tune):
    labeller, boundaries = labeller_for(tune)
    heard = labeller.label_track(tune, boundaries)
    assert heard.labels[5] == SILENCE
    assert heard.distances[5] == 0.0
    assert heard.energy_db[5] == -120.0
    assert heard.features.shape == (len(heard.labels), 18)
    assert heard.labels[2] != SILENCE


def test_an_all_silent_track_is_finite_and_silent_throughout(tune):
    labeller, boundaries = labeller_for(tune)
    heard = labeller.label_track(np.zeros_like(tune), boundaries)
    assert set(heard.labels.tolist()) == {SILENCE}
    assert np.isfinite(heard.features).all()


def test_a_track_without_a_whole_window_has_no_labels(tune):
    labeller, _ = labeller_for(tune)
    heard = labeller.label_track(tune[:100], np.zeros(1, np.int64))
    assert heard.labels.shape == (0,)
    assert heard.features.shape == (0, 18)


def test_a_restart_with_the_old_reference_agrees_once_the_context_has_passed(tune):
    labeller, boundaries = labeller_for(tune)
    offline = labeller.label_track(tune, boundaries)
    labeller.reset()
    for a, b in pairwise(boundaries[:11]):
        reference_db = labeller.push(tune[a:b]).reference_db
    labeller.restore(reference_db)
    live = [labeller.push(tune[a:b]).label for a, b in pairwise(boundaries[10:])]
    assert live[1:] == offline.labels[11:].tolist()


def test_skipped_windows_count_as_digital_silence(tune):
    labeller, boundaries = labeller_for(tune)
    muted = tune.copy()
    muted[boundaries[12] : boundaries[15]] = 0.0
    want = labeller.label_track(muted, boundaries)
    labeller.reset()
    for a, b in pairwise(boundaries[:13]):
        labeller.push(muted[a:b])
    labeller.skip(3)
    got = labeller.push(muted[boundaries[15] : boundaries[16]])
    assert got.label == want.labels[15]
    assert np.float32(got.distance) == want.distances[15]


def test_the_gate_can_be_set_for_a_noisy_room(tune):
    labeller, boundaries = labeller_for(tune)
    labeller.ear.use_gate(EnergyGateConfig(floor_db=-1.0))
    assert set(labeller.label_track(tune, boundaries).labels.tolist()) == {SILENCE}


@pytest.mark.parametrize("shape", [(100,), (5514,), (5512, 2), (0,)])
def test_a_window_that_is_not_on_the_grid_is_refused(tune, shape):
    labeller, _ = labeller_for(tune)
    with pytest.raises(ValueError, match=r"a window must be mono and 0.25 s at 22050 Hz"):
        labeller.push(np.zeros(shape, np.float32))


def test_boundaries_outside_the_track_are_refused(tune):
    labeller, boundaries = labeller_for(tune)
    with pytest.raises(ValueError, match="boundaries must lie in"):
        labeller.label_track(tune[:-RATE], boundaries)


def test_a_codebook_of_another_encoder_is_refused():
    ear = build_ear(EarConfig(), RATE, WINDOW)
    with pytest.raises(ValueError, match="must have 18 features like the ear, got 3"):
        Labeller(ear, Codebook(np.zeros((1, 3))))


def test_an_encoder_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="descriptors"):
        EarConfig(encoder="wav2vec")


def test_labelling_waits_for_none_of_the_heavy_libraries():
    code = "import sys, models.labeller; print(*sys.modules)"
    root = Path(__file__).parents[2]
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, check=True, text=True
    )
    heavy = {"librosa", "numba", "sklearn", "torch", "scipy"}
    assert not heavy & set(loaded.stdout.split())


def keyed(labeller, **config):
    ear = build_ear(EarConfig(), RATE, WINDOW)
    return Labeller(ear, labeller.codebook, RunningKey(KeyConfig(**config), WINDOW))


def transposed(chords, semitones):
    return [[pitch + semitones for pitch in chord] for chord in chords]


def test_live_labels_equal_offline_labels_with_the_key_too(play, chords):
    tune = chords(30, 6)
    sound = play([*tune, *transposed(tune, 5)], 0.43, RATE)
    plain, boundaries = labeller_for(sound)
    labeller = keyed(plain, changes_per_minute=6)
    offline = labeller.label_track(sound, boundaries)
    labeller.reset()
    live = [labeller.push(sound[a:b]) for a, b in pairwise(boundaries)]
    assert [one.label for one in live] == offline.labels.tolist()
    assert [one.rotation for one in live] == offline.rotations.tolist()
    assert len(set(offline.rotations.tolist())) > 1


def test_labels_are_those_of_features_turned_by_the_key_up_to_the_window(play, chords):
    sound = play(transposed(chords(30, 6), 3), 0.43, RATE)
    plain, boundaries = labeller_for(sound)
    got = keyed(plain).label_track(sound, boundaries)
    silent = np.zeros(len(got.labels), bool)
    keys = RunningKey(KeyConfig(), WINDOW).follow(got.features[:, :12], silent)
    turned = [rotate_features(f, rotation_of(k)) for f, k in zip(got.features, keys, strict=True)]
    assert got.labels.tolist() == plain.codebook.assign(np.array(turned))[0].tolist()
    assert got.rotations[-1] == rotation_of(3)


def test_the_same_music_in_another_key_gets_the_same_labels(play, chords):
    tune = chords(60, 7)
    plain, boundaries = labeller_for(play(tune, 0.5, RATE))
    sounds = [play(transposed(tune, n), 0.5, RATE) for n in (0, 2, -3)]
    here, up, down = [keyed(plain).label_track(s, boundaries).labels[40:] for s in sounds]
    other = plain.label_track(sounds[1], boundaries).labels[40:]
    assert np.mean(here == up) > 0.75
    assert np.mean(here == down) > 0.75
    assert np.mean(here == other) < 0.4  # without the key


def test_a_memory_is_labelled_in_twelve_rotations_as_its_transpositions_would_be(play, chords):
    tune = chords(40, 8)
    sound = play(tune, 0.5, RATE)
    plain, boundaries = labeller_for(sound)
    got = keyed(plain).label_in_all_rotations(sound, boundaries)
    assert got.labels.shape == got.distances.shape == (12, len(boundaries) - 1)
    assert got.labels[0].tolist() == plain.label_track(sound, boundaries).labels.tolist()
    higher = plain.label_track(play(transposed(tune, 2), 0.5, RATE), boundaries)
    assert np.mean(got.labels[2] == higher.labels) > 0.75
    assert np.mean(got.labels[0] == higher.labels) < 0.4


def test_without_a_key_a_memory_is_labelled_once(tune):
    labeller, boundaries = labeller_for(tune)
    got, want = (
        labeller.label_in_all_rotations(tune, boundaries),
        labeller.label_track(tune, boundaries),
    )
    assert got.labels.tolist() == [want.labels.tolist()]
    assert got.distances.tobytes() == want.distances.tobytes()
    assert not want.rotations.any()


def test_what_has_no_key_is_not_turned():
    rng = np.random.default_rng(0)
    grid = WindowGrid(RATE, exact_seconds(WINDOW))
    labeller = Labeller(
        build_ear(EarConfig(), RATE, WINDOW),
        Codebook(rng.normal(size=(8, 18))),
        RunningKey(KeyConfig(margin=0.5), WINDOW),
    )
    drums = np.zeros(4 * RATE, np.float32)
    assert not labeller.label_track(drums, grid.boundaries(16)).rotations.any()
    drums[:: RATE // 4] = 0.5  # clicks: whatever key they seem to be in, it stays
    rotations = labeller.label_track(drums, grid.boundaries(16)).rotations
    assert len(set(rotations.tolist())) == 1
