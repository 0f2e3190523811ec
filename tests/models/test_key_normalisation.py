"""Labels that mean the same in every key, from the past of the guide alone."""

import numpy as np
import pytest

from models.alphabet import SILENCE
from models.descriptors import FEATURE_DIM, N_CHROMA, rotate_features
from models.key import KeyConfig
from models.key_normalisation import answered_under, guide_rotations, turn, write_labels
from models.vector_quantizer import Codebook

SCALE = np.array([0, 2, 4, 5, 7, 9, 11])


@pytest.fixture
def music():
    """Notes of C major with plain features, (W, D), and which windows are silent."""
    rng = np.random.default_rng(0)
    notes = SCALE[rng.choice(7, 200, p=(0.25, 0.1, 0.2, 0.1, 0.2, 0.1, 0.05))]
    features = rng.uniform(0, 0.05, (200, FEATURE_DIM)).astype(np.float32)
    features[np.arange(200), notes] = 1.0
    return features, rng.random(200) < 0.1


def rotations_of(features, silent):
    return guide_rotations(features, silent, KeyConfig(), 0.5)


@pytest.mark.parametrize("semitones", [1, 5, 7, 11])
def test_transposed_music_has_the_same_labels_once_the_key_is_known(music, semitones):
    features, silent = music
    codebook = Codebook(features[:16])
    moved = rotate_features(features, semitones)
    here, there = rotations_of(features, silent), rotations_of(moved, silent)
    labels = write_labels(features, silent, here, codebook)
    again = write_labels(moved, silent, there, codebook)
    assert (here[50:] == 0).all()
    assert (there[50:] == (12 - semitones) % 12).all()
    np.testing.assert_array_equal(labels[50:], again[50:])
    assert (labels[silent] == SILENCE).all()
    plain = write_labels(moved, silent, np.zeros(200, np.int64), codebook)
    assert (plain[50:] != labels[50:]).mean() > 0.5


def test_a_rotation_rests_on_the_past_alone(music):
    features, silent = music
    before = rotations_of(features, silent)
    changed = features.copy()
    changed[120:, :N_CHROMA] = np.roll(changed[120:, :N_CHROMA], 6, axis=1)
    np.testing.assert_array_equal(rotations_of(changed, silent)[:120], before[:120])


def test_answers_are_written_under_the_key_known_before_them():
    np.testing.assert_array_equal(answered_under(np.array([3, 4, 5])), [0, 3, 4])


def test_nothing_is_turned_before_a_key_is_known(music):
    features, _ = music
    assert (rotations_of(features, np.ones(200, dtype=bool)) == 0).all()


def test_every_window_is_turned_by_its_own_rotation(music):
    features, _ = music
    rotations = np.arange(200) % 12
    turned = turn(features, rotations)
    for t in (0, 5, 11, 150):
        np.testing.assert_array_equal(turned[t], rotate_features(features[t], int(rotations[t])))
