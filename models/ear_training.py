"""Trains the learned ear: what belongs together is brought near, what does not is kept apart.

Near belong (InfoNCE, van den Oord et al. 2018, both directions): the same notes on two
instruments, and two parts of one song at one moment. Apart: all other moments of the batch, of
this song (but those half a second around) and of others. Spectra are varied on the way: tone
colour, tuning, noise. Every step draws from its own seed, so a training that was stopped goes on
as if it had not been.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from torch import Tensor
from torch.nn import functional

from models.learned_ear import (
    COMPRESSION,
    CONTEXT_FRAMES,
    N_CHROMA,
    QUIETEST_PARTIAL,
    EarShape,
    octave_fold,
)
from models.log_spectrum import N_PITCHES

__all__ = ["EarMaterial", "EarNetwork", "EarTraining", "EarTrainingConfig", "decibels_to_bytes"]

FloatArray = NDArray[np.float32]
Bytes = NDArray[np.uint8]

FRAMES_PER_WINDOW: Final = 5
LOWEST_DB: Final = -120.0
STEPS_PER_DB: Final = 2.0
NEAR_WINDOWS: Final = 1
"""Windows of the same song this near are neither the same nor others."""


class EarTrainingConfig(BaseModel, frozen=True, extra="forbid"):
    """How the learned ear is trained."""

    shape: EarShape = Field(default_factory=EarShape, description="Size of the network.")
    steps: int = Field(2000, ge=1, description="Updates.")
    songs: int = Field(32, ge=2, description="Stretches per step.")
    windows: int = Field(8, ge=2, description="Windows of 0.5 s per stretch.")
    temperature: float = Field(0.1, gt=0, le=1, description="Of the cosine similarities.")
    learning_rate: float = Field(3e-3, gt=0, description="Highest; a cosine takes it to zero.")
    weight_decay: float = Field(1e-4, ge=0, description="AdamW's.")
    twin_share: float = Field(0.5, ge=0, le=1, description="Of the loss that instruments get.")
    tone_db: float = Field(8.0, ge=0, le=30, description="Deviation of the tone colour, dB.")
    noise_db: tuple[float, float] = Field((-70.0, -25.0), description="Noise, dB under the peak.")
    blur: float = Field(0.35, ge=0, le=0.5, description="Detuning, at most, semitones.")
    seed: int = Field(0, ge=0, description="Of weights and of all draws.")


@dataclass(frozen=True, eq=False)
class EarMaterial:
    """One song for the ear.

    Args:
        name: of the song.
        spectra: by part, one per instrument: amplitudes as bytes, (T, 2, 72), T = 5 W.
        silent: by part, one per instrument, (W,).
        pairs: names of parts that may answer each other.
    """

    name: str
    spectra: Mapping[str, Sequence[Bytes]]
    silent: Mapping[str, Sequence[NDArray[np.bool_]]]
    pairs: Sequence[tuple[str, str]]

    @property
    def n_windows(self) -> int:
        """W."""
        return len(next(iter(self.silent.values()))[0])


def decibels_to_bytes(amplitudes: FloatArray) -> Bytes:
    """Amplitudes ≥ 0 as half decibels above -120 dB, 0..255."""
    decibels = 20.0 * np.log10(np.maximum(amplitudes, 10.0 ** (LOWEST_DB / 20)))
    return np.clip(np.rint((decibels - LOWEST_DB) * STEPS_PER_DB), 0, 255).astype(np.uint8)


class EarNetwork(torch.nn.Module):
    """The network of `LearnedEar`, for many stretches at once.

    Args:
        shape: of the network.
        seed: of the weights.
    """

    register: Tensor
    fold: Tensor
    turns: Tensor

    def __init__(self, shape: EarShape, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.shape = shape
        self._names: dict[str, str] = {}
        for name, size in shape.weights().items():
            fan_in = int(np.prod(size[1:])) if name.endswith("kernel") else 1
            start = torch.randn(size, generator=generator) * (2.0 / fan_in) ** 0.5
            if not name.endswith("kernel"):
                start = torch.ones(size) if name == "register" else torch.zeros(size)
            self._names[name] = name.replace(".", "_")
            self.register_parameter(self._names[name], torch.nn.Parameter(start))
        self.register_buffer("fold", torch.from_numpy(octave_fold()), persistent=False)
        offsets = np.subtract.outer(np.arange(N_PITCHES), np.arange(N_PITCHES))
        for name, reach in (("first", shape.reach), ("second", shape.near)):
            inside = torch.from_numpy((np.abs(offsets) <= reach).astype(np.float32))
            taps = torch.from_numpy(np.clip(offsets + reach, 0, 2 * reach))
            self.register_buffer(f"{name}_inside", inside, persistent=False)
            self.register_buffer(f"{name}_taps", taps, persistent=False)
        turns = np.subtract.outer(np.arange(N_CHROMA), np.arange(N_CHROMA)) % N_CHROMA
        self.register_buffer("turns", torch.from_numpy(turns), persistent=False)

    def arrays(self) -> dict[str, FloatArray]:
        """A copy of the weights, for `EarWeights`."""
        return {
            name: getattr(self, attribute).detach().numpy().copy()
            for name, attribute in self._names.items()
        }

    def forward(self, amplitudes: Tensor) -> Tensor:
        """Unit vectors for the windows of stretches.

        Args:
            amplitudes: (B, 10 + 5 W, 2, 72), ≥ 0: ten frames of context, then W windows.

        Returns:
            (B, W, D).
        """
        n, n_frames = amplitudes.shape[:2]
        strongest = amplitudes.amax(dim=(2, 3)).clamp_min(QUIETEST_PARTIAL)  # (B, T)
        seen = torch.log1p(amplitudes * (COMPRESSION / strongest)[..., None, None])
        frames = seen.reshape(n, n_frames, -1) / float(np.log1p(COMPRESSION))
        for name in ("first", "second"):
            matrix, bias = self._along_pitch(name)
            frames = functional.relu(frames @ matrix + bias)
        weight = strongest.sqrt()[..., None]  # (B, T, 1)
        sums = torch.cumsum(functional.pad(frames * weight, (0, 0, 1, 0)), dim=1)
        weights = torch.cumsum(functional.pad(weight, (0, 0, 1, 0)), dim=1)
        ends = torch.arange(CONTEXT_FRAMES, n_frames, FRAMES_PER_WINDOW) + FRAMES_PER_WINDOW
        means = []
        for length in (FRAMES_PER_WINDOW, FRAMES_PER_WINDOW + CONTEXT_FRAMES):
            total = sums[:, ends] - sums[:, ends - length]
            means.append(total / (weights[:, ends] - weights[:, ends - length]))
        notes = torch.stack(means, dim=2).reshape(n, len(ends), 2, self.shape.second, N_PITCHES)
        folded = (notes * self.register) @ self.fold  # (B, W, 2, second, 12)
        hidden = functional.relu(self._around("mix", folded.flatten(2)))
        return functional.normalize(self._around("out", hidden), dim=-1)

    def _along_pitch(self, name: str) -> tuple[Tensor, Tensor]:
        """The convolution as a matrix (in · 72, out · 72), and its bias."""
        kernel = getattr(self, f"{name}_kernel")  # (out, in, taps)
        matrix = kernel[:, :, getattr(self, f"{name}_taps")] * getattr(self, f"{name}_inside")
        whole = matrix.permute(1, 2, 0, 3).reshape(kernel.shape[1] * N_PITCHES, -1)
        return whole, getattr(self, f"{name}_bias").repeat_interleave(N_PITCHES)

    def _around(self, name: str, values: Tensor) -> Tensor:
        kernel = getattr(self, f"{name}_kernel")[:, :, self.turns]  # (out, in, 12 in, 12 out)
        matrix = kernel.permute(1, 2, 0, 3).reshape(values.shape[-1], -1)
        bias: Tensor = getattr(self, f"{name}_bias").repeat_interleave(N_CHROMA)
        return values @ matrix + bias


@dataclass
class EarTraining:
    """A training under way.

    Args:
        config: how.
        songs: training songs.
    """

    config: EarTrainingConfig
    songs: Sequence[EarMaterial]
    step: int = 0
    losses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.network = EarNetwork(self.config.shape, self.config.seed)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(),
            lr=self.config.learning_rate,
            weight_decay=self.config.weight_decay,
        )

    def run(self, n_steps: int) -> None:
        """Train for so many steps more, at most to the end."""
        self.network.train()
        for _ in range(min(n_steps, self.config.steps - self.step)):
            rng = np.random.default_rng([self.config.seed, self.step])
            progress = self.step / self.config.steps
            rate = self.config.learning_rate * min(
                1.0, (self.step + 1) / 50, 0.5 + 0.5 * float(np.cos(np.pi * progress))
            )
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            batch = draw_batch(self.songs, self.config, rng)
            loss = batch_loss(self.network, batch, self.config)
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimizer.step()
            self.losses.append(float(loss.detach()))
            self.step += 1


@dataclass(frozen=True, eq=False)
class Batch:
    """Stretches of songs: one part, the same on another instrument, another part.

    Args:
        amplitudes: (3, B, T, 2, 72).
        sounding: (3, B, W).
    """

    amplitudes: Tensor
    sounding: Tensor


def draw_batch(
    songs: Sequence[EarMaterial], config: EarTrainingConfig, rng: np.random.Generator
) -> Batch:
    """Stretches of different songs at random places, each spectrum varied on its own."""
    length = CONTEXT_FRAMES + config.windows * FRAMES_PER_WINDOW
    context_windows = CONTEXT_FRAMES // FRAMES_PER_WINDOW
    chosen = rng.choice(len(songs), config.songs, replace=len(songs) < config.songs)
    spectra = np.zeros((3, config.songs, length, 2, N_PITCHES), dtype=np.float32)
    sounding = np.zeros((3, config.songs, config.windows), dtype=np.bool_)
    for row, song in enumerate(songs[int(index)] for index in chosen):
        last = max(context_windows, song.n_windows - config.windows)
        start = int(rng.integers(context_windows, last + 1))
        pair = song.pairs[int(rng.integers(len(song.pairs)))]
        one, other = pair if rng.random() < 0.5 else pair[::-1]
        order = rng.permutation(len(song.spectra[one]))
        second = int(rng.integers(len(song.spectra[other])))
        sources = [(one, int(order[0])), (one, int(order[-1])), (other, second)]
        for place, (part, instrument) in enumerate(sources):
            if place == 1 and len(order) == 1:
                continue  # no other instrument is known
            frames = song.spectra[part][instrument]
            begin = start * FRAMES_PER_WINDOW - CONTEXT_FRAMES
            piece = frames[begin : begin + length]
            spectra[place, row, : len(piece)] = _vary(_amplitudes(piece), config, rng)
            quiet = song.silent[part][instrument][start : start + config.windows]
            sounding[place, row, : len(quiet)] = ~quiet
    return Batch(torch.from_numpy(spectra), torch.from_numpy(sounding))


def _amplitudes(piece: Bytes) -> FloatArray:
    return _AMPLITUDE_OF_BYTE[piece]


_AMPLITUDE_OF_BYTE: Final = (10.0 ** ((np.arange(256) / STEPS_PER_DB + LOWEST_DB) / 20)).astype(
    np.float32
)


def _vary(piece: FloatArray, config: EarTrainingConfig, rng: np.random.Generator) -> FloatArray:
    """Another tone colour (a smooth curve), a little out of tune, with noise."""
    knots = rng.normal(0.0, config.tone_db, 7)
    curve = np.interp(np.linspace(0, 6, N_PITCHES), np.arange(7), knots)
    coloured = piece * (10.0 ** (curve / 20)).astype(np.float32)
    off = rng.uniform(0.0, config.blur) * (rng.random() < 0.5)
    side = np.roll(coloured, 1 if rng.random() < 0.5 else -1, axis=-1)
    detuned = np.sqrt((1 - off) * coloured**2 + off * side**2)
    low, high = config.noise_db
    level = piece.max() * 10.0 ** (rng.uniform(low, high) / 20)
    noise = level * np.abs(rng.normal(size=piece.shape).astype(np.float32))
    varied: FloatArray = np.sqrt(detuned**2 + noise**2).astype(np.float32)
    return varied


def batch_loss(network: EarNetwork, batch: Batch, config: EarTrainingConfig) -> Tensor:
    """Mean of the losses of instruments and of parts, weighted as configured."""
    n, b, w = batch.sounding.shape
    points = network(batch.amplitudes.flatten(0, 1)).reshape(n, b * w, -1)
    sounding = batch.sounding.reshape(n, b * w)
    song, window = torch.arange(b * w) // w, torch.arange(b * w) % w
    near = (song[:, None] == song) & ((window[:, None] - window).abs() <= NEAR_WINDOWS)
    twins = _info_nce(points[0], points[1], sounding[0] & sounding[1], near, config.temperature)
    parts = _info_nce(points[0], points[2], sounding[0] & sounding[2], near, config.temperature)
    return config.twin_share * twins + (1 - config.twin_share) * parts


def _info_nce(one: Tensor, other: Tensor, both: Tensor, near: Tensor, temperature: float) -> Tensor:
    """InfoNCE in both directions over the rows in which both sound; 0 if there are none."""
    if int(both.sum()) < 2:
        return one.sum() * 0.0
    one, other, near = one[both], other[both], near[both][:, both]
    unlike = near & ~torch.eye(len(one), dtype=torch.bool)
    logits = (one @ other.T / temperature).masked_fill(unlike, -torch.inf)
    target = torch.arange(len(one))
    forth = functional.cross_entropy(logits, target)
    return 0.5 * (forth + functional.cross_entropy(logits.T, target))
