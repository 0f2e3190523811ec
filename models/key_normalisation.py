"""Labels that mean the same in every key: both tracks turned by the running key of the guide.

The guide A is heard in window t under the key known after window t. The answer B of window t is
written under the key known when it is decided, that is after window t − 1 of the guide. Before any
key is known nothing is turned. Rotations bring the key to C major or A minor (`rotation_of`).
"""

import numpy as np
from numpy.typing import NDArray

from models.alphabet import SILENCE
from models.descriptors import N_CHROMA, rotate_features
from models.key import KeyConfig, RunningKey, rotation_of
from models.vector_quantizer import Codebook

__all__ = ["answered_under", "guide_rotations", "turn", "write_labels"]

Features = NDArray[np.float32]
Rotations = NDArray[np.int64]


def guide_rotations(
    features: Features, silent: NDArray[np.bool_], config: KeyConfig, window_seconds: float
) -> Rotations:
    """Semitones by which each window of a guide is turned, from its past alone, (W,), 0..11.

    Args:
        features: (W, D) of the `descriptors` encoder: 12 chroma first.
        silent: (W,).
        config: how the running key follows.
        window_seconds: length of a window, seconds, > 0.
    """
    keys = RunningKey(config, window_seconds).follow(features[:, :N_CHROMA], silent)
    return np.array([0 if key < 0 else rotation_of(int(key)) for key in keys], dtype=np.int64)


def answered_under(rotations: Rotations) -> Rotations:
    """Rotations of the answers: those known one window before, 0 for the first, (W,)."""
    return np.concatenate([[0], rotations[:-1]]).astype(np.int64)


def turn(features: Features, rotations: Rotations) -> Features:
    """Each window's features (W, D), turned by its own rotation (W,)."""
    turned = features.copy()
    for rotation in np.unique(rotations):
        chosen = rotations == rotation
        turned[chosen] = rotate_features(features[chosen], int(rotation))
    return turned


def write_labels(
    features: Features, silent: NDArray[np.bool_], rotations: Rotations, codebook: Codebook
) -> NDArray[np.int64]:
    """Labels of a track under given rotations, (W,): class ids, or SILENCE."""
    labels = codebook.assign(turn(features, rotations))[0]
    return np.where(silent, SILENCE, labels)
