"""From samples to labels: the one path used on stage, for the memory and for training.

A track is labelled by the very pushes that happen live, so live labels equal offline labels.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.alphabet import SILENCE
from models.descriptors import N_CHROMA, rotate_features
from models.ear import Ear, Heard
from models.key import N_ROTATIONS, NO_KEY, KeyState, RunningKey
from models.vector_quantizer import Codebook

__all__ = [
    "Labeller",
    "RotatedLabels",
    "TrackLabels",
    "WindowLabel",
]


@dataclass(frozen=True)
class WindowLabel:
    """The class of one window, and what is known beside it.

    Args:
        label: class id, or SILENCE if the gate is closed.
        distance: to the centre of the class, ≥ 0; 0 for silence.
        energy_db: RMS level, dBFS, ≥ -120.
        onset: onset strength, ≥ 0.
        reference_db: the gate's reference after this window, dBFS.
        rotation: semitones by which the features were turned before they were labelled, 0..11.
        key: of the track up to the end of this window.
        attacks: strongest onset in each of equal parts of the window.
    """

    label: int
    distance: float
    energy_db: float
    onset: float
    reference_db: float
    rotation: int = 0
    key: KeyState = NO_KEY
    attacks: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class TrackLabels:
    """The windows of a track, W of them.

    Args:
        labels: class ids or SILENCE, (W,) int64.
        distances: to the centres, (W,) float32; 0 for silence.
        energy_db: RMS levels, dBFS, (W,) float32.
        onset: onset strengths, (W,) float32.
        features: condensed features, also of silent windows, (W, D) float32.
        rotations: semitones by which features were turned before they were labelled, (W,) int64.
    """

    labels: NDArray[np.int64]
    distances: NDArray[np.float32]
    energy_db: NDArray[np.float32]
    onset: NDArray[np.float32]
    features: NDArray[np.float32]
    rotations: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RotatedLabels:
    """The windows of a track, W of them, labelled in each of R rotations.

    Args:
        labels: class ids or SILENCE, (R, W) int64.
        distances: to the centres, (R, W) float32; 0 for silence.
        energy_db: RMS levels, dBFS, (W,) float32.
        onset: onset strengths, (W,) float32.
        attacks: strongest onset in each of P equal parts of the windows, (W, P) float32.
    """

    labels: NDArray[np.int64]
    distances: NDArray[np.float32]
    energy_db: NDArray[np.float32]
    onset: NDArray[np.float32]
    attacks: NDArray[np.float32]


class Labeller:
    """An ear with a codebook: windows in, labels out.

    With a key, features are turned so that the key of all that was heard up to the end of the
    window comes to C major or A minor, and then labelled. Music without a key, and what comes
    before the first pitch, is not turned.

    Args:
        ear: hears the windows; the labeller's own from now on.
        codebook: made from the features of an equal ear.
        key: follows the track, fresh; the labeller's own. None labels features as they are.

    Raises:
        ValueError: the codebook belongs to features of another length.
    """

    def __init__(self, ear: Ear, codebook: Codebook, key: RunningKey | None = None) -> None:
        if codebook.feature_dim != ear.feature_dim:
            raise ValueError(
                f"the codebook must have {ear.feature_dim} features like the ear, got "
                f"{codebook.feature_dim}; use the codebook trained with this encoder"
            )
        self.ear = ear
        self.codebook = codebook
        self._key = key

    @property
    def n_rotations(self) -> int:
        """In how many rotations its labels may be: 12 with a key, else 1."""
        return 1 if self._key is None else N_ROTATIONS

    def push(self, window_samples: NDArray[np.float32]) -> WindowLabel:
        """The label of the next window; does not block.

        Args:
            window_samples: mono, finite, shape (n,), following the window before without a gap.

        Raises:
            ValueError: a window of another shape or length than the ear's.
        """
        return self._label(self.ear.listen(window_samples))

    def label_track(
        self, samples: NDArray[np.float32], boundaries: NDArray[np.int64]
    ) -> TrackLabels:
        """Start afresh and label a whole track by the same pushes.

        Args:
            samples: mono, finite, shape (n,).
            boundaries: first sample of each window and the end of the last, shape (W + 1,).

        Raises:
            ValueError: boundaries outside the track or not on the ear's grid.
        """
        self.reset()
        heard = list(self.ear.listen_track(samples, boundaries))
        windows = [self._label(one) for one in heard]
        features = np.array([one.features for one in heard], dtype=np.float32)
        return TrackLabels(
            labels=np.array([one.label for one in windows], dtype=np.int64),
            distances=np.array([one.distance for one in windows], dtype=np.float32),
            energy_db=np.array([one.energy_db for one in windows], dtype=np.float32),
            onset=np.array([one.onset for one in windows], dtype=np.float32),
            features=features.reshape(len(heard), self.ear.feature_dim),
            rotations=np.array([one.rotation for one in windows], dtype=np.int64),
        )

    def label_in_all_rotations(
        self, samples: NDArray[np.float32], boundaries: NDArray[np.int64]
    ) -> RotatedLabels:
        """Start afresh and label a whole track in every rotation that may come into use.

        In rotation r it has the labels that the same music would have r semitones higher. The
        track's own key plays no part.

        Args:
            samples: mono, finite, shape (n,).
            boundaries: first sample of each window and the end of the last, shape (W + 1,).

        Raises:
            ValueError: boundaries outside the track or not on the ear's grid.
        """
        heard = list(self.ear.listen_track(samples, boundaries))
        silent = np.array([one.silent for one in heard], dtype=bool)
        features = np.array([one.features for one in heard], dtype=np.float32)
        features = features.reshape(len(heard), self.ear.feature_dim)
        shape = (self.n_rotations, len(heard))
        labels, distances = np.empty(shape, np.int64), np.empty(shape, np.float32)
        for rotation in range(self.n_rotations):
            turned = rotate_features(features, rotation) if rotation else features
            labels[rotation], distances[rotation] = self.codebook.assign(turned)
        return RotatedLabels(
            labels=np.where(silent, SILENCE, labels),
            distances=np.where(silent, np.float32(0.0), distances),
            energy_db=np.array([one.energy_db for one in heard], dtype=np.float32),
            onset=np.array([one.onset for one in heard], dtype=np.float32),
            attacks=np.array([one.attacks for one in heard], dtype=np.float32).reshape(
                len(heard), self.ear.n_parts
            ),
        )

    def skip(self, n_windows: int) -> None:
        """Let `n_windows` ≥ 0 windows pass that were never heard: they count as zeros."""
        self.ear.skip(n_windows)

    def reset(self) -> None:
        """Forget everything heard, the key too."""
        self.ear.reset()
        if self._key is not None:
            self._key.reset()

    def restore(self, reference_db: float, key: KeyState = NO_KEY, n_heard: int = 0) -> None:
        """Start afresh, as an earlier life was after `n_heard` windows.

        Args:
            reference_db: of the gate, dBFS.
            key: followed so far.
            n_heard: windows since the first, ≥ 0.
        """
        self.ear.restore(reference_db, n_heard)
        if self._key is not None:
            self._key.restore(key)

    def _label(self, heard: Heard) -> WindowLabel:
        features, rotation, key = heard.features, 0, NO_KEY
        if self._key is not None:
            self._key.hear(features[:N_CHROMA], silent=heard.silent)
            rotation, key = self._key.rotation, self._key.state
            features = rotate_features(features, rotation) if rotation else features
        label, distance = SILENCE, 0.0
        if not heard.silent:
            labels, distances = self.codebook.assign(features[None, :])
            label, distance = int(labels[0]), float(distances[0])
        return WindowLabel(
            label,
            distance,
            heard.energy_db,
            heard.onset,
            heard.reference_db,
            rotation,
            key,
            heard.attacks,
        )
