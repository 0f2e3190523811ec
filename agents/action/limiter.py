"""The last thing before the loudspeaker: a peak limiter with a soft knee and a hard ceiling.

Below the threshold nothing is touched, bit by bit. Above it the gain follows a knee that bends
towards the ceiling and never reaches it; it goes down ahead of a peak (look-ahead) and comes back
exponentially. Everything is computed by absolute sample position from tables, with products and
maxima only: blocks of any size, on any machine, give the same samples.
"""

from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, model_validator

from agents.messages import Audio

Reduction = NDArray[np.float64]

CHUNK_SAMPLES = 1024
"""The release is a running maximum, restarted at every multiple of this position."""

NEGLIGIBLE = 1e-5
"""A reduction below this (0.0001 dB) counts as none, so that the limiter comes to rest."""


class LimiterConfig(BaseModel, frozen=True, extra="forbid"):
    """Where the limiter sets in and how fast it is."""

    threshold_db: float = Field(default=-3.0, ge=-40, lt=0)  # bit-exact up to here, dBFS
    ceiling_db: float = Field(default=-1.0, ge=-40, le=0)  # never exceeded, dBFS
    lookahead_seconds: float = Field(default=0.0015, ge=0, le=0.02)  # attack, and latency, seconds
    release_seconds: float = Field(default=0.12, gt=0, le=2)  # time constant of recovery, seconds

    @model_validator(mode="after")
    def _ordered(self) -> "LimiterConfig":
        if self.threshold_db >= self.ceiling_db:
            raise ValueError(
                f"threshold_db must lie below ceiling_db ({self.ceiling_db}), "
                f"got {self.threshold_db}"
            )
        return self


@dataclass(frozen=True)
class Levels:
    """What passed since levels were last taken.

    Args:
        peak: largest magnitude put out, in [0, 1).
        reduction_db: largest gain reduction, dB, ≥ 0.
    """

    peak: float
    reduction_db: float


class Limiter:
    """A stateful limiter; output is the input delayed by `latency_samples`.

    Args:
        sample_rate: samples per second, ≥ 1.
        channels: channels, ≥ 1; one gain for all, so that the image stays.
        config: threshold, ceiling, times.
    """

    def __init__(
        self, sample_rate: int, channels: int, config: LimiterConfig | None = None
    ) -> None:
        config = config or LimiterConfig()
        self.latency_samples = round(config.lookahead_seconds * sample_rate)
        self.sanitised = 0
        self._threshold = 10.0 ** (config.threshold_db / 20.0)
        ceiling = np.float32(10.0 ** (config.ceiling_db / 20.0))
        self._ceiling = np.nextafter(ceiling, np.float32(0.0))
        self._room = float(self._ceiling) - self._threshold
        ahead = self.latency_samples
        self._attack: Reduction = 1.0 - np.arange(ahead + 1) / (ahead + 1.0)
        steps = np.arange(CHUNK_SAMPLES + 1) / (config.release_seconds * sample_rate)
        self._fall: Reduction = np.exp(-steps)
        self._rise: Reduction = np.exp(steps)
        self._held = 0.0
        self._position = 0
        self._waiting: Audio = np.zeros((ahead, channels), dtype=np.float32)
        self._wanted: Reduction = np.zeros(ahead)
        self._peak = 0.0
        self._reduction = 0.0

    def process(self, samples: Audio) -> Audio:
        """Limit `samples` (frames, channels); gives as many frames, delayed.

        NaN and infinities become silence and are counted in `sanitised`. Does not block.
        """
        n_samples = len(samples)
        clean = self._sanitise(samples)
        coming = np.concatenate([self._waiting, clean])
        wanted = np.concatenate([self._wanted, self._reduction_wanted(clean)])
        out = self._reduce(coming[:n_samples], wanted)
        self._waiting, self._wanted = coming[n_samples:], wanted[n_samples:]
        if n_samples:
            self._peak = max(self._peak, float(np.abs(out).max()))
        return out

    def _sanitise(self, samples: Audio) -> Audio:
        with np.errstate(over="ignore", invalid="ignore"):
            total = float(samples.sum())  # one pass; a sum that overflows only costs another
        if isfinite(total):
            return samples
        finite = np.isfinite(samples)
        self.sanitised += int(samples.size - np.count_nonzero(finite))
        return np.where(finite, samples, np.float32(0.0))

    def _reduction_wanted(self, samples: Audio) -> Reduction:
        """1 - gain that each frame needs: the knee t + r·z/(1 + z), z = (peak - t)/r."""
        wanted = np.zeros(len(samples))
        magnitudes = np.abs(samples)
        if magnitudes.max(initial=0.0) > self._threshold:  # rarely: spare the others the details
            peaks = magnitudes.max(axis=1).astype(np.float64)
            over = peaks > self._threshold
            peak = peaks[over]
            z = (peak - self._threshold) / self._room
            wanted[over] = 1.0 - (self._threshold + self._room * (z / (1.0 + z))) / peak
        return wanted

    def _reduce(self, samples: Audio, wanted: Reduction) -> Audio:
        if self._held == 0.0 and not wanted.any():
            self._position += len(samples)
            return samples.copy()
        ahead = np.lib.stride_tricks.sliding_window_view(wanted, len(self._attack))
        reduction = self._recover((ahead[: len(samples)] * self._attack).max(axis=1))
        reduction[reduction < NEGLIGIBLE] = 0.0
        self._reduction = max(self._reduction, float(reduction.max(initial=0.0)))
        out = (samples * (1.0 - reduction)[:, None]).astype(np.float32)
        return np.clip(out, -self._ceiling, self._ceiling, out=out)

    def _recover(self, attacked: Reduction) -> Reduction:
        """The largest of all past reductions, each decaying since: max over s of u(s)·d^(t-s)."""
        held = np.empty_like(attacked)
        done = 0
        while done < len(attacked):
            phase = self._position % CHUNK_SAMPLES
            n = min(len(attacked) - done, CHUNK_SAMPLES - phase)
            piece = attacked[done : done + n]
            risen = np.maximum.accumulate(piece * self._rise[phase : phase + n])
            risen = np.maximum(risen, self._held)
            held[done : done + n] = np.maximum(risen * self._fall[phase : phase + n], piece)
            self._held = float(risen[-1])
            self._position += n
            done += n
            if self._position % CHUNK_SAMPLES == 0:
                self._held *= float(self._fall[CHUNK_SAMPLES])
                if self._held < NEGLIGIBLE:
                    self._held = 0.0
        return held

    def take_levels(self) -> Levels:
        """Levels since the last call; starts measuring anew."""
        levels = Levels(self._peak, -20.0 * float(np.log10(1.0 - min(self._reduction, 1 - 1e-12))))
        self._peak = self._reduction = 0.0
        return levels
