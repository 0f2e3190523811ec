"""Trains the learned ear: what belongs together is brought near, what does not is kept apart.

Near belong (InfoNCE, van den Oord et al. 2018, both directions): the same notes on two
instruments, and two parts of one song at one moment. Apart: all other moments of the batch, of
this song (but those half a second around) and of others. Where the chord is known, a head that is
thrown away afterwards must tell it from what the ear heard. Every part is seen in several views, as
it is and with another tone colour, tuning and noise. Every step draws from its own seed, so a
training that was stopped goes on as if it had not been.
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

from models.learned_ear import CONTEXT_FRAMES, N_CHROMA, N_VIEWS, EarShape, octave_fold, raise_peaks
from models.log_spectrum import N_LENGTHS, N_PITCHES

__all__ = [
    "EarMaterial",
    "EarNetwork",
    "EarTraining",
    "EarTrainingConfig",
    "Variation",
    "decibels_to_bytes",
    "views_of",
]

FloatArray = NDArray[np.float32]
Bytes = NDArray[np.uint8]

FRAMES_PER_WINDOW: Final = 5
LOWEST_DB: Final = -120.0
STEPS_PER_DB: Final = 2.0
NEAR_WINDOWS: Final = 1
"""Windows of the same song this near are neither the same nor others."""
WARM_UP_STEPS: Final = 50
N_FAMILIES: Final = 5
"""Major, minor, diminished, augmented, suspended."""


class EarTrainingConfig(BaseModel, frozen=True, extra="forbid"):
    """How the learned ear is trained."""

    shape: EarShape = Field(default_factory=EarShape, description="Size of the network.")
    steps: int = Field(900, ge=1, description="Updates.")
    songs: int = Field(8, ge=2, description="Songs per step.")
    windows: int = Field(36, ge=2, description="Windows of 0.5 s per song.")
    temperature: float = Field(0.1, gt=0, le=1, description="Of the cosine similarities.")
    learning_rate: float = Field(3e-3, gt=0, description="Highest; a cosine takes it to zero.")
    weight_decay: float = Field(1e-4, ge=0, description="AdamW's.")
    twin_share: float = Field(0.5, ge=0, le=1, description="Of the loss that instruments get.")
    chord_weight: float = Field(0.0, ge=0, description="Of telling the chord, beside the rest.")
    strangers: float = Field(0.1, gt=0, le=1, description="What windows of other songs count.")
    seed: int = Field(0, ge=0, description="Of weights and of all draws.")


class Variation(BaseModel, frozen=True, extra="forbid"):
    """How the views of a part differ from what was recorded."""

    n_views: int = Field(3, ge=1, le=16, description="Views of a part; the first is as recorded.")
    tone_db: float = Field(8.0, ge=0, le=30, description="Deviation of the tone colour, dB.")
    noise_db: tuple[float, float] = Field((-70.0, -25.0), description="Noise, dB under the peak.")
    blur: float = Field(0.35, ge=0, le=0.5, description="Detuning, at most, semitones.")


@dataclass(frozen=True, eq=False)
class EarMaterial:
    """One song for the ear.

    Args:
        name: of the song.
        views: by part, one per instrument: (views, W, 4, 72), float16.
        silent: by part, one per instrument, (W,).
        pairs: names of parts that may answer each other.
        chords: root · 5 + family, (W,); -1 where there is none or it is not known.
    """

    name: str
    views: Mapping[str, Sequence[NDArray[np.float16]]]
    silent: Mapping[str, Sequence[NDArray[np.bool_]]]
    pairs: Sequence[tuple[str, str]]
    chords: NDArray[np.int64]

    @property
    def n_windows(self) -> int:
        """W."""
        return len(next(iter(self.silent.values()))[0])


def views_of(
    spectrum: Bytes, variation: Variation, rng: np.random.Generator
) -> NDArray[np.float16]:
    """What the ear may see of a part, (views, W, 4, 72): as recorded, and varied.

    Args:
        spectrum: amplitudes as bytes, (5 W, 2, 72).
        variation: how views differ.
        rng: draws tone colours, tunings and noise.
    """
    recorded = _AMPLITUDE_OF_BYTE[spectrum]
    n_windows = len(spectrum) // FRAMES_PER_WINDOW
    views = np.zeros((variation.n_views, n_windows, N_VIEWS, N_PITCHES), dtype=np.float16)
    ends = CONTEXT_FRAMES + FRAMES_PER_WINDOW * (1 + np.arange(n_windows))
    for number in range(variation.n_views):
        heard = recorded if number == 0 else _vary(recorded, variation, rng)
        before = np.zeros((CONTEXT_FRAMES, *heard.shape[1:]), dtype=np.float32)
        raised, weight = raise_peaks(np.concatenate([before, heard]))
        weights = _running_sum(weight[:, None, None])
        sums = _running_sum(raised * weight[:, None, None])
        for place, length in enumerate((FRAMES_PER_WINDOW, FRAMES_PER_WINDOW + CONTEXT_FRAMES)):
            mean = (sums[ends] - sums[ends - length]) / (weights[ends] - weights[ends - length])
            views[number, :, place * N_LENGTHS : (place + 1) * N_LENGTHS] = mean
    return views


def _running_sum(values: FloatArray) -> NDArray[np.float64]:
    """Sums of the first 0, 1, … rows, one row more than there are."""
    return np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, 0, np.float64)])


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
        head = torch.randn((N_FAMILIES, shape.out, N_CHROMA), generator=generator)
        self.chord_head = torch.nn.Parameter(head)
        turns = np.subtract.outer(np.arange(N_CHROMA), np.arange(N_CHROMA)) % N_CHROMA
        self.register_buffer("turns", torch.from_numpy(turns), persistent=False)

    def arrays(self) -> dict[str, FloatArray]:
        """A copy of the weights, for `EarWeights`."""
        return {
            name: getattr(self, attribute).detach().numpy().copy()
            for name, attribute in self._names.items()
        }

    def forward(self, views: Tensor) -> Tensor:
        """Unit vectors, (N, D), of windows seen as `outline` gives them, (N, 4, 72)."""
        values = views.flatten(1)
        for name in ("first", "second"):
            matrix, bias = self._along_pitch(name)
            values = functional.relu(values @ matrix + bias)
        notes = values.reshape(len(values), self.shape.second, N_PITCHES) * self.register
        hidden = functional.relu(self._around("mix", (notes @ self.fold).flatten(1)))
        return functional.normalize(self._around("out", hidden), dim=-1)

    def chords(self, points: Tensor) -> Tensor:
        """Logits of the chords, (N, 60), from unit vectors: alike for every root."""
        kernel = self.chord_head[:, :, self.turns]  # (families, out, 12 in, 12 roots)
        matrix = kernel.permute(1, 2, 3, 0).reshape(points.shape[-1], -1)
        return points @ matrix

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
                (self.step + 1) / WARM_UP_STEPS, 0.5 + 0.5 * float(np.cos(np.pi * progress))
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
    """Windows of songs: of one part, the same on another instrument, and of another part.

    Args:
        views: (3, N, 4, 72).
        sounding: (3, N).
        song: of each window, (N,).
        moment: index of each window in its song, (N,).
        chord: of each window, (N,), -1 where it is not known.
    """

    views: Tensor
    sounding: Tensor
    song: Tensor
    moment: Tensor
    chord: Tensor


def draw_batch(
    songs: Sequence[EarMaterial], config: EarTrainingConfig, rng: np.random.Generator
) -> Batch:
    """Windows of different songs, each part in a view of its own."""
    chosen = rng.choice(len(songs), config.songs, replace=len(songs) < config.songs)
    shape = (3, config.songs, config.windows)
    views = np.zeros((*shape, N_VIEWS, N_PITCHES), dtype=np.float32)
    sounding = np.zeros(shape, dtype=np.bool_)
    moments, chords = np.zeros((2, *shape[1:]), dtype=np.int64)
    for row, song in enumerate(songs[int(index)] for index in chosen):
        pair = song.pairs[int(rng.integers(len(song.pairs)))]
        one, other = pair if rng.random() < 0.5 else pair[::-1]
        both = ~song.silent[one][0] & ~song.silent[other][0]
        where = np.flatnonzero(both) if both.any() else np.arange(song.n_windows)
        moment = rng.choice(where, config.windows, replace=len(where) < config.windows)
        moments[row], chords[row] = moment, song.chords[moment]
        order = rng.permutation(len(song.views[one]))
        second = int(rng.integers(len(song.views[other])))
        sources = [(one, int(order[0])), (one, int(order[-1])), (other, second)]
        for place, (part, instrument) in enumerate(sources):
            seen = song.views[part][instrument]
            if place == 1 and len(order) == 1 and len(seen) == 1:
                continue  # neither another instrument nor another view is known
            views[place, row] = seen[int(rng.integers(len(seen))), moment]
            sounding[place, row] = ~song.silent[part][instrument][moment]
    owner = np.arange(config.songs).repeat(config.windows)
    return Batch(
        torch.from_numpy(views.reshape(3, -1, N_VIEWS, N_PITCHES)),
        torch.from_numpy(sounding.reshape(3, -1)),
        torch.from_numpy(np.asarray(chosen)[owner]),
        torch.from_numpy(moments.ravel()),
        torch.from_numpy(chords.ravel()),
    )


_AMPLITUDE_OF_BYTE: Final = (10.0 ** ((np.arange(256) / STEPS_PER_DB + LOWEST_DB) / 20)).astype(
    np.float32
)


def _vary(piece: FloatArray, variation: Variation, rng: np.random.Generator) -> FloatArray:
    """Another tone colour (a smooth curve), a little out of tune, with noise."""
    knots = rng.normal(0.0, variation.tone_db, 7)
    curve = np.interp(np.linspace(0, 6, N_PITCHES), np.arange(7), knots)
    coloured = piece * (10.0 ** (curve / 20)).astype(np.float32)
    off = rng.uniform(0.0, variation.blur) * (rng.random() < 0.5)
    side = np.roll(coloured, 1 if rng.random() < 0.5 else -1, axis=-1)
    detuned = np.sqrt((1 - off) * coloured**2 + off * side**2)
    low, high = variation.noise_db
    level = piece.max() * 10.0 ** (rng.uniform(low, high) / 20)
    noise = level * np.abs(rng.normal(size=piece.shape).astype(np.float32))
    varied: FloatArray = np.sqrt(detuned**2 + noise**2).astype(np.float32)
    return varied


def batch_loss(network: EarNetwork, batch: Batch, config: EarTrainingConfig) -> Tensor:
    """Losses of instruments, of parts and of chords, weighted as configured."""
    points = network(batch.views.flatten(0, 1)).reshape(*batch.sounding.shape, -1)
    sounding = batch.sounding
    apart = (batch.moment[:, None] - batch.moment).abs()
    near = (batch.song[:, None] == batch.song) & (apart <= NEAR_WINDOWS)
    # Else the key would do: it tells songs apart, and says nothing about what one plays within.
    stranger = (batch.song[:, None] != batch.song) * float(np.log(config.strangers))
    bias = stranger.masked_fill(near & ~torch.eye(len(near), dtype=torch.bool), -torch.inf)
    twins, parts = (
        _info_nce(points[0], points[n], sounding[0] & sounding[n], bias, config.temperature)
        for n in (1, 2)
    )
    loss = config.twin_share * twins + (1 - config.twin_share) * parts
    told = sounding & (batch.chord >= 0)
    if config.chord_weight and bool(told.any()):
        named = functional.cross_entropy(
            network.chords(points[told]), batch.chord.expand_as(told)[told]
        )
        loss = loss + config.chord_weight * named
    return loss


def _info_nce(one: Tensor, other: Tensor, both: Tensor, bias: Tensor, temperature: float) -> Tensor:
    """InfoNCE in both directions over the rows in which both sound; 0 if there are none."""
    if int(both.sum()) < 2:
        return one.sum() * 0.0
    logits = one[both] @ other[both].T / temperature + bias[both][:, both]
    target = torch.arange(len(logits))
    forth = functional.cross_entropy(logits, target)
    return 0.5 * (forth + functional.cross_entropy(logits.T, target))
