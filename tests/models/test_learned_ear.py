from itertools import pairwise

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from corpus.segmentation import WindowGrid, exact_seconds
from models.descriptors import rotate_features
from models.ear import EarConfig, build_ear
from models.ear_training import EarNetwork
from models.encoder_config import LearnedConfig
from models.labeller import Labeller
from models.learned_ear import CONTEXT_FRAMES, EarError, EarShape, EarWeights, LearnedEar, outline
from models.log_spectrum import LogSpectrum
from models.vector_quantizer import Codebook

RATE = 22050
SMALL = EarShape(first=3, second=4, hidden=6)


def weights_of(seed=0, shape=SMALL):
    return EarWeights(shape, EarNetwork(shape, seed).arrays(), {"songs": 2})


@pytest.fixture
def saved(tmp_path):
    weights_of().save(tmp_path / "ear.safetensors")
    return tmp_path / "ear.safetensors"


def test_the_live_ear_computes_what_the_trained_network_computes(play, chords):
    spectrum = LogSpectrum(RATE, 0.5, CONTEXT_FRAMES)
    history = play(chords(8, 1), 0.3, RATE)[-spectrum.history_samples :]
    ear = LearnedEar(weights_of(), RATE, 0.5)
    seen = torch.from_numpy(outline(spectrum.amplitudes(history), CONTEXT_FRAMES)[None])
    with torch.no_grad():
        want = EarNetwork(SMALL, 0)(seen)[0].numpy()
    np.testing.assert_allclose(ear.encode(history)[0], want, atol=1e-5)


@pytest.mark.parametrize("semitones", [1, 5, -3])
def test_music_played_higher_gives_rotated_features(play, semitones):
    ear = LearnedEar(weights_of(), RATE, 0.5)
    tune = [[60, 64, 67], [65, 69, 72], [62]]
    low = play(tune, 0.7, RATE)
    high = play([[pitch + semitones for pitch in chord] for chord in tune], 0.7, RATE)
    first, second = (ear.encode(one[-ear.history_samples :])[0] for one in (low, high))
    assert rotate_features(first, semitones) @ second > 0.99
    assert first @ second < rotate_features(first, semitones) @ second


def test_level_does_not_reach_the_features(play, chords):
    ear = LearnedEar(weights_of(), RATE, 0.25)
    sound = play(chords(8, 2), 0.3, RATE)[-ear.history_samples :]
    np.testing.assert_allclose(ear.encode(sound), ear.encode(sound * np.float32(0.05)), atol=1e-4)


@pytest.mark.parametrize("rate", [32_000, 44_100, 48_000, 96_000])
def test_the_same_music_gives_nearly_the_same_features_at_another_rate(play, chords, rate):
    tune = chords(8, 4)
    here, there = LearnedEar(weights_of(), RATE, 0.5), LearnedEar(weights_of(), rate, 0.5)
    one = here.encode(play(tune, 0.4, RATE)[-here.history_samples :])[0]
    other = there.encode(play(tune, 0.4, rate)[-there.history_samples :])[0]
    assert one @ other > 0.98


def test_digital_silence_gives_finite_features():
    ear = LearnedEar(weights_of(), RATE, 0.25)
    assert np.isfinite(ear.encode(np.zeros(ear.history_samples, np.float32))).all()


def test_live_labels_equal_offline_labels_to_the_last_bit(saved, play, chords):
    config = EarConfig(encoder="learned", learned=LearnedConfig(weights=str(saved)))
    sound = play(chords(20, 3), 0.43, RATE)
    grid = WindowGrid(RATE, exact_seconds(0.25))
    bounds = grid.boundaries(grid.n_whole_windows(len(sound)))
    ear = build_ear(config, RATE, 0.25)
    features = np.array([heard.features for heard in ear.listen_track(sound, bounds)])
    labeller = Labeller(ear, Codebook.fit(features, 8, 0))
    offline = labeller.label_track(sound, bounds)
    labeller.reset()
    live = [labeller.push(sound[a:b]) for a, b in pairwise(bounds)]
    assert [one.label for one in live] == offline.labels.tolist()
    distances = np.array([one.distance for one in live], np.float32)
    assert distances.tobytes() == offline.distances.tobytes()


def test_an_ear_saved_is_the_ear_loaded(saved):
    loaded = EarWeights.load(saved, weights_of().digest)
    assert loaded.card == {"songs": 2}
    assert loaded.shape == SMALL
    for name, array in weights_of().arrays.items():
        assert array.tobytes() == loaded.arrays[name].tobytes()


def test_another_ear_than_the_bundle_names_is_refused(saved):
    with pytest.raises(EarError, match="must hold the ear 0123, got"):
        EarWeights.load(saved, "0123")


def test_a_missing_ear_is_refused_by_name():
    with pytest.raises(EarError, match=r"absent.safetensors must be a learned ear, and cannot"):
        build_ear(EarConfig(encoder="learned", learned=LearnedConfig(weights="absent")), RATE, 0.5)


def test_a_damaged_ear_is_refused(saved):
    saved.write_bytes(saved.read_bytes()[:-40])
    with pytest.raises(EarError, match="must be a learned ear, and cannot be read"):
        EarWeights.load(saved)


def test_a_foreign_file_is_refused(tmp_path):
    save_file({"centres": np.zeros((2, 3), np.float32)}, tmp_path / "codebook.safetensors")
    with pytest.raises(EarError, match="must be a learned ear: its format must be 1, got None"):
        EarWeights.load(tmp_path / "codebook.safetensors")


def test_weights_of_a_wrong_shape_or_not_finite_are_refused(tmp_path):
    path = tmp_path / "ear.safetensors"
    arrays = weights_of().arrays
    EarWeights(SMALL, {**arrays, "out.bias": np.zeros(5, np.float32)}, {}).save(path)
    with pytest.raises(EarError, match=r"out.bias must be of shape \(2,\), got \(5,\)"):
        EarWeights.load(path)
    EarWeights(SMALL, {**arrays, "out.bias": np.full(2, np.nan, np.float32)}, {}).save(path)
    with pytest.raises(EarError, match=r"out.bias must be finite"):
        EarWeights.load(path)


@pytest.mark.parametrize(("rate", "seconds"), [(1000, 0.5), (22050, 0.0)])
def test_a_rate_or_window_out_of_range_is_refused(rate, seconds):
    with pytest.raises(ValueError, match=r"sample_rate must|window_seconds must"):
        LearnedEar(weights_of(), rate, seconds)


def with_chroma():
    """The small ear, with plain chroma before what it learned."""
    shape = SMALL.model_copy(update={"chroma": 0.5})
    return LearnedEar(weights_of(shape=shape), RATE, 0.5)


@pytest.mark.parametrize("chord", [[60, 64, 67], [57, 60, 64], [50, 57, 65]])
def test_plain_chroma_before_what_was_learned_names_the_notes_and_changes_nothing_else(play, chord):
    plain, ear = LearnedEar(weights_of(), RATE, 0.5), with_chroma()
    history = play([chord] * 3, 1.0, RATE)[-ear.history_samples :]
    features = ear.encode(history)[0]
    assert features.shape == (ear.feature_dim,) == (36,)
    np.testing.assert_array_equal(features[12:], plain.encode(history)[0])
    assert np.linalg.norm(features[:12]) == pytest.approx(0.5, abs=1e-5)
    assert set(np.argsort(features[:12])[-3:].tolist()) == {pitch % 12 for pitch in chord}


def test_plain_chroma_is_rotated_with_the_rest_and_silence_has_none(play):
    ear = with_chroma()
    low, high = (play([[60 + k, 64 + k, 67 + k]] * 3, 1.0, RATE) for k in (0, 3))
    first, second = (ear.encode(one[-ear.history_samples :])[0] for one in (low, high))
    assert rotate_features(first, 3)[:12] @ second[:12] > 0.99 * 0.25
    mute = ear.encode(np.zeros(ear.history_samples, np.float32))[0]
    assert np.isfinite(mute).all()
    assert np.abs(mute[:12]).max() < 0.5
