"""From samples to labels: the one path used on stage, for the memory and for training.

A track is labelled by the very pushes that happen live, so live labels equal offline labels.
What comes before the first sample is silence (zeros).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from models.activity import OnsetStrength
from models.alphabet import SILENCE
from models.condenser import CondenserName, condense
from models.descriptors import N_CHROMA, rotate_features
from models.encoder import Encoder, EncoderName, build_encoder
from models.energy_gate import EnergyGate, EnergyGateConfig, level_db
from models.key import N_ROTATIONS, NO_KEY, KeyState, RunningKey
from models.vector_quantizer import Codebook

__all__ = [
    "Ear",
    "EarConfig",
    "Heard",
    "Labeller",
    "RotatedLabels",
    "TrackLabels",
    "WindowLabel",
    "build_ear",
]


class EarConfig(BaseModel, frozen=True, extra="forbid"):
    """How a window becomes a vector and when it counts as silent."""

    encoder: EncoderName = "descriptors"
    """Which encoder hears; "descriptors" needs no download."""
    condenser: CondenserName = "mean"
    """How the frames of a window become one vector: "mean" or "max"."""
    gate: EnergyGateConfig = Field(default_factory=EnergyGateConfig)
    """When a window is silent."""


@dataclass(frozen=True, eq=False)
class Heard:
    """What an ear makes of one window.

    Args:
        features: condensed, shape (D,), float32; also for silent windows.
        energy_db: RMS level, dBFS, ≥ -120.
        onset: onset strength, ≥ 0.
        silent: the energy gate is closed.
        reference_db: the gate's reference after this window, dBFS.
        attacks: strongest onset in each of equal parts of the window.
    """

    features: NDArray[np.float32]
    energy_db: float
    onset: float
    silent: bool
    reference_db: float
    attacks: tuple[float, ...]


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


class Ear:
    """Encoder, condenser and energy gate over a stream of windows; knows no codebook.

    Args:
        encoder: describes the frames of a window; made for this rate and window length.
        condenser: how frames become one vector.
        gate_config: when a window is silent.
        sample_rate: samples per second.
        window_seconds: length of a window, seconds; lengths in samples may alternate by one.
    """

    def __init__(
        self,
        encoder: Encoder,
        condenser: CondenserName,
        gate_config: EnergyGateConfig,
        sample_rate: int,
        window_seconds: float,
    ) -> None:
        self.sample_rate = sample_rate
        self.window_seconds = float(window_seconds)
        self._encoder = encoder
        self._condenser = condenser
        self._onset = OnsetStrength(sample_rate, self.window_seconds)
        self._gate = EnergyGate(gate_config, self.window_seconds)
        self._history = np.zeros(
            max(encoder.history_samples, self._onset.history_samples), dtype=np.float32
        )

    @property
    def n_parts(self) -> int:
        """Parts of a window in which attacks are told."""
        return self._onset.n_parts

    @property
    def feature_dim(self) -> int:
        """Length D of the feature vector of a window."""
        return self._encoder.feature_dim

    def listen(self, window: NDArray[np.float32]) -> Heard:
        """Hear the next window, which follows the one before without a gap.

        Args:
            window: mono, finite, full scale ±1, shape (n,), n within one sample of the window
                length.

        Raises:
            ValueError: a window of another shape or length.
        """
        if window.ndim != 1 or abs(len(window) - self.window_seconds * self.sample_rate) >= 1:
            raise ValueError(
                f"a window must be mono and {self.window_seconds} s at {self.sample_rate} Hz, "
                f"got shape {window.shape}; cut the audio on the window grid"
            )
        self._remember(window)
        energy_db = level_db(window)
        silent = self._gate.is_silent(energy_db)
        onset, attacks = self._onset.measure_parts(self._history)
        return Heard(
            features=condense(self._encoder.encode(self._history), self._condenser),
            energy_db=energy_db,
            onset=onset,
            silent=silent,
            reference_db=self._gate.reference_db,
            attacks=attacks,
        )

    def listen_track(
        self, samples: NDArray[np.float32], boundaries: NDArray[np.int64]
    ) -> Iterator[Heard]:
        """Start afresh and hear a whole track, window by window.

        Args:
            samples: mono, shape (n,).
            boundaries: first sample of each window and the end of the last, shape (W + 1,).

        Raises:
            ValueError: boundaries that do not lie inside the track.
        """
        if len(boundaries) and not (boundaries[0] >= 0 and boundaries[-1] <= len(samples)):
            raise ValueError(
                f"boundaries must lie in 0..{len(samples)}, got {boundaries[0]}..{boundaries[-1]}; "
                "count only the whole windows of the track"
            )
        self.reset()
        for start, end in pairwise(boundaries):
            yield self.listen(samples[start:end])

    def skip(self, n_windows: int) -> None:
        """Let `n_windows` ≥ 0 windows pass that were never heard: they count as zeros."""
        n_samples = round(n_windows * self.window_seconds * self.sample_rate)
        self._remember(np.zeros(min(n_samples, len(self._history)), dtype=np.float32))
        self._gate.skip(n_windows)

    def reset(self) -> None:
        """Forget everything heard."""
        self._history[:] = 0.0
        self._gate.reset()

    def restore(self, reference_db: float) -> None:
        """Start afresh, with the gate's reference of an earlier life, dBFS."""
        self.reset()
        self._gate.restore(reference_db)

    def use_gate(self, gate_config: EnergyGateConfig) -> None:
        """Judge silence by another configuration from now on; forgets the reference."""
        self._gate = EnergyGate(gate_config, self.window_seconds)

    def _remember(self, window: NDArray[np.float32]) -> None:
        newest = window[-len(self._history) :]
        kept = len(self._history) - len(newest)
        self._history[:kept] = self._history[len(newest) :]
        self._history[kept:] = newest


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

    def restore(self, reference_db: float, key: KeyState = NO_KEY) -> None:
        """Start afresh, with the gate's reference (dBFS) and the key of an earlier life."""
        self.ear.restore(reference_db)
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


def build_ear(config: EarConfig, sample_rate: int, window_seconds: float) -> Ear:
    """The ear that `config` describes.

    Args:
        config: encoder, condenser and gate.
        sample_rate: samples per second of everything that it will hear.
        window_seconds: length of a window, seconds, > 0.

    Raises:
        ValueError: a rate or window length out of range.
    """
    encoder = build_encoder(config.encoder, sample_rate, float(window_seconds))
    return Ear(encoder, config.condenser, config.gate, sample_rate, window_seconds)
