"""The ear: samples in, windows of features with energy, onsets and silence out.

What comes before the first sample is silence (zeros).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from models.activity import OnsetStrength
from models.condenser import CondenserName, condense
from models.encoder import Encoder, build_encoder
from models.encoder_config import EncoderName, LearnedConfig, LiveHearing, PretrainedConfig
from models.energy_gate import EnergyGate, EnergyGateConfig, level_db

__all__ = ["Ear", "EarConfig", "Heard", "build_ear"]


class EarConfig(BaseModel, frozen=True, extra="forbid"):
    """How a window becomes a vector and when it counts as silent."""

    encoder: EncoderName = "descriptors"
    """Which encoder hears; "descriptors" needs no download."""
    learned: LearnedConfig | None = None
    """Which learned ear, if the encoder is "learned"."""
    pretrained: PretrainedConfig | None = None
    """Which model, if the encoder is "pretrained"."""
    condenser: CondenserName = "mean"
    """How the frames of a window become one vector: "mean" or "max"."""
    gate: EnergyGateConfig = Field(default_factory=EnergyGateConfig)
    """When a window is silent."""

    @property
    def tells_key(self) -> bool:
        """Its features begin with chroma, so that a running key can be told from them.

        Raises:
            EarError: a learned ear that cannot be used.
        """
        if self.encoder != "learned":
            return self.encoder == "descriptors"
        from models.learned_ear import EarWeights

        learned = self.learned or LearnedConfig()
        return EarWeights.load(learned.path, learned.digest).shape.chroma > 0

    def heard_live(self, live: LiveHearing | None) -> "EarConfig":
        """This ear as it hears on a machine; only a pretrained model hears otherwise there."""
        if live is None or self.pretrained is None:
            return self
        return self.model_copy(
            update={"pretrained": self.pretrained.model_copy(update=live.model_dump())}
        )


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
        self._check(window)
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

    def restore(self, reference_db: float, n_heard: int = 0) -> None:  # noqa: ARG002 - a fine ear's
        """Start afresh, with the gate's reference (dBFS) of a life that heard `n_heard` windows."""
        self.reset()
        self._gate.restore(reference_db)

    def use_gate(self, gate_config: EnergyGateConfig) -> None:
        """Judge silence by another configuration from now on; forgets the reference."""
        self._gate = EnergyGate(gate_config, self.window_seconds)

    def _check(self, window: NDArray[np.float32]) -> None:
        """Refuse a window of another shape or length."""
        if window.ndim != 1 or abs(len(window) - self.window_seconds * self.sample_rate) >= 1:
            raise ValueError(
                f"a window must be mono and {self.window_seconds} s at {self.sample_rate} Hz, "
                f"got shape {window.shape}; cut the audio on the window grid"
            )

    def _remember(self, window: NDArray[np.float32]) -> None:
        newest = window[-len(self._history) :]
        kept = len(self._history) - len(newest)
        self._history[:kept] = self._history[len(newest) :]
        self._history[kept:] = newest


def build_ear(config: EarConfig, sample_rate: int, window_seconds: float) -> Ear:
    """The ear that `config` describes.

    Args:
        config: encoder, condenser and gate.
        sample_rate: samples per second of everything that it will hear.
        window_seconds: length of a window, seconds, > 0.

    Raises:
        ValueError: a rate or window length out of range.
    """
    encoder = build_encoder(
        config.encoder, sample_rate, float(window_seconds), config.learned, config.pretrained
    )
    return Ear(encoder, config.condenser, config.gate, sample_rate, window_seconds)
