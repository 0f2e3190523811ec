"""The learned ear: a small network that hears which harmony sounds, trained on pairs of sounds.

It sees what stands out of the spectrum at every semitone (`outline`), averaged over the window and
over the window with the second before it, in frames of two lengths. Two convolutions along pitch
tell notes from partials, the same way at every pitch; what they find is weighted by register,
folded into twelve pitch classes and mixed by two circular convolutions over them. Music played k
semitones higher gives the same features rotated by k (`rotate_features`), but for what leaves the
range. Level is taken out at the door.

Before that an ear may put, by a weight, what is heard without training: the peaks of the window,
partials of other peaks suppressed, folded into pitch classes. From it the running key is told.

Live it is a handful of matrix products in numpy. `models.ear_training` makes the weights.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from models.descriptors import HIGH_DECAY_SEMITONES, HIGHEST_FULL_PITCH, PARTIALS
from models.log_spectrum import HOP_SECONDS, LOWEST_PITCH, N_LENGTHS, N_PITCHES, LogSpectrum

__all__ = [
    "EarError",
    "EarShape",
    "EarWeights",
    "LearnedEar",
    "outline",
    "plain_chroma",
    "raise_peaks",
]

FloatArray = NDArray[np.float32]

N_CHROMA: Final = 12
CONTEXT_SECONDS: Final = 1.0
CONTEXT_FRAMES: Final = round(CONTEXT_SECONDS / HOP_SECONDS)
COMPRESSION: Final = 300.0
LOCAL_SEMITONES: Final = 3
N_VIEWS: Final = 2 * N_LENGTHS
"""Two lengths of frames, averaged over the window and with its past."""
QUIETEST_PARTIAL: Final = 1e-5
_FORMAT: Final = 1


class EarError(ValueError):
    """A learned ear that cannot be used; the message is one sentence for the user."""


class EarShape(BaseModel, frozen=True, extra="forbid"):
    """How large the network is."""

    first: int = Field(6, ge=1, le=64, description="Channels of the first layer along pitch.")
    second: int = Field(6, ge=1, le=64, description="Channels of the second; these are folded.")
    hidden: int = Field(32, ge=1, le=256, description="Channels between the circular layers.")
    out: int = Field(2, ge=1, le=16, description="Numbers per pitch class.")
    reach: int = Field(28, ge=1, le=36, description="Semitones up and down in the first layer.")
    near: int = Field(12, ge=1, le=36, description="Semitones up and down in the second layer.")
    chroma: float = Field(0.0, ge=0, le=4, description="Weight of the plain chroma; 0: without.")

    @property
    def feature_dim(self) -> int:
        """Numbers per window."""
        return N_CHROMA * (self.out + (self.chroma > 0))

    def weights(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every array."""
        return {
            "first.kernel": (self.first, N_VIEWS, 2 * self.reach + 1),
            "first.bias": (self.first,),
            "second.kernel": (self.second, self.first, 2 * self.near + 1),
            "second.bias": (self.second,),
            "register": (self.second, N_PITCHES),
            "mix.kernel": (self.hidden, self.second, N_CHROMA),
            "mix.bias": (self.hidden,),
            "out.kernel": (self.out, self.hidden, N_CHROMA),
            "out.bias": (self.out,),
        }


@dataclass(frozen=True, eq=False)
class EarWeights:
    """What training made.

    Args:
        shape: of the network.
        arrays: float32 arrays by name, as `shape.weights()` says.
        card: on what it was trained and what was measured, JSON-like.
    """

    shape: EarShape
    arrays: Mapping[str, FloatArray]
    card: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that name the weights."""
        whole = hashlib.blake2b(digest_size=8)
        for name in sorted(self.arrays):
            whole.update(np.ascontiguousarray(self.arrays[name], dtype="<f4").tobytes())
        return whole.hexdigest()

    def save(self, path: Path) -> None:
        """Write one safetensors file, whole or not at all.

        Raises:
            EarError: it cannot be written.
        """
        header = {"format": _FORMAT, "shape": self.shape.model_dump(), "card": dict(self.card)}
        partial = path.with_name(f".{path.name}.partial")
        arrays = {name: np.ascontiguousarray(array) for name, array in self.arrays.items()}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            save_file(arrays, partial, {"antiphon-ear": json.dumps(header)})
            os.replace(partial, path)
        except (OSError, SafetensorError) as error:
            partial.unlink(missing_ok=True)
            raise EarError(
                f"{path} must be a file that can be written, and is not ({error}); "
                "free the disk or name another --out"
            ) from error

    @classmethod
    def load(cls, path: Path, digest: str = "") -> "EarWeights":
        """Read and check an ear.

        Args:
            path: what `save` wrote.
            digest: what `digest` must be, if given.

        Raises:
            EarError: the file is missing, foreign, damaged, of another format or content.
        """
        try:
            with safe_open(path, framework="numpy") as file:
                text = (file.metadata() or {}).get("antiphon-ear")
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise EarError(
                f"{path} must be a learned ear, and cannot be read ({error}); "
                "train one with `antiphon train-ear`"
            ) from error
        try:
            header = json.loads(text or "{}")
            if header.get("format") != _FORMAT:
                raise ValueError(f"its format must be {_FORMAT}, got {header.get('format')}")
            shape = EarShape.model_validate(header["shape"])
            _check(shape, arrays)
        except (ValueError, KeyError, TypeError, AttributeError, ValidationError) as error:
            reason = str(error).splitlines()[0]
            raise EarError(f"{path} must be a learned ear: {reason}; train it again") from error
        weights = cls(shape, arrays, header.get("card", {}))
        if digest and weights.digest != digest:
            raise EarError(
                f"{path} must hold the ear {digest}, got {weights.digest}; "
                "bring back the file that the bundle was trained with, or train again"
            )
        return weights


class LearnedEar:
    """An encoder with trained weights: one feature vector per window.

    Args:
        weights: what training made.
        sample_rate: samples per second, 4000 to 384000.
        window_seconds: length of a window, seconds, > 0.

    Raises:
        ValueError: a rate or a window length out of range.
    """

    def __init__(self, weights: EarWeights, sample_rate: int, window_seconds: float) -> None:
        self._spectrum = LogSpectrum(sample_rate, window_seconds, CONTEXT_FRAMES)
        arrays, shape = weights.arrays, weights.shape
        self._shape = shape
        self._first = _along_pitch(arrays["first.kernel"]), _each(arrays["first.bias"], N_PITCHES)
        self._second = (
            _along_pitch(arrays["second.kernel"]),
            _each(arrays["second.bias"], N_PITCHES),
        )
        self._fold = arrays["register"][:, :, None] * octave_fold()  # (second, pitches, 12)
        self._mix = _around(arrays["mix.kernel"]), _each(arrays["mix.bias"], N_CHROMA)
        self._out = _around(arrays["out.kernel"]), _each(arrays["out.bias"], N_CHROMA)

    @property
    def history_samples(self) -> int:
        """How many of the newest samples `encode` needs: the window and 1.4 s before it."""
        return self._spectrum.history_samples

    @property
    def feature_dim(self) -> int:
        """Numbers per pitch class times twelve."""
        return self._shape.feature_dim

    def encode(self, history: FloatArray) -> FloatArray:
        """One vector for the window, shape (1, D): blocks of twelve, C first.

        What was learned has unit length; the plain chroma before it, if any, that of its weight.

        Args:
            history: newest samples, mono, finite, shape (≥ history_samples,), oldest first.
        """
        seen = outline(self._spectrum.amplitudes(history), CONTEXT_FRAMES)
        values = seen.reshape(1, -1)
        for matrix, bias in (self._first, self._second):
            values = np.maximum(values @ matrix + bias, 0.0)
        notes = values.reshape(-1, 1, N_PITCHES)  # (second, 1, pitches)
        folded = notes @ self._fold  # (second, 1, 12)
        hidden = np.maximum(folded.reshape(1, -1) @ self._mix[0] + self._mix[1], 0.0)
        out = hidden @ self._out[0] + self._out[1]
        learned = out / np.maximum(np.linalg.norm(out), 1e-9)
        if self._shape.chroma > 0:
            learned = np.concatenate([self._shape.chroma * plain_chroma(seen)[None], learned], 1)
        return learned.astype(np.float32, copy=False)


def outline(amplitudes: FloatArray, n_before: int) -> FloatArray:
    """What the network sees of one window, ≥ 0, at most about 1, shape (4, pitches).

    Amplitudes of each frame are compressed logarithmically relative to its strongest semitone and
    freed of their local mean; frames are averaged, the louder ones counting more (by the root of
    the strongest amplitude): short and long frames over the window, then over all that is given.

    Args:
        amplitudes: ≥ 0, shape (frames, lengths, pitches).
        n_before: how many of the frames lie before the window.
    """
    raised, weight = raise_peaks(amplitudes)
    means = [np.average(raised[n:], axis=0, weights=weight[n:]) for n in (n_before, 0)]
    return np.concatenate(means).astype(np.float32, copy=False)


def plain_chroma(seen: FloatArray) -> FloatArray:
    """Pitch classes of the peaks of windows, of unit length or zero, (..., 12), C first.

    As in `models.descriptors`: what may be a partial of a lower peak is lessened by a share of it,
    and very high peaks count less.

    Args:
        seen: as `outline` gives it, (..., 4, pitches); the window without its past counts.
    """
    peaks = seen[..., :N_LENGTHS, :].mean(axis=-2)
    notes = peaks.copy()
    for semitones, share in PARTIALS:
        notes[..., semitones:] -= np.float32(share) * peaks[..., :-semitones]
    above = np.arange(LOWEST_PITCH, LOWEST_PITCH + N_PITCHES) - HIGHEST_FULL_PITCH
    counts = np.exp(-np.maximum(above, 0) / HIGH_DECAY_SEMITONES).astype(np.float32)
    folded = (np.maximum(notes, 0.0) * counts) @ octave_fold()
    length = np.linalg.norm(folded, axis=-1, keepdims=True)
    chroma: FloatArray = folded / np.maximum(length, 1e-9)
    return chroma


def raise_peaks(amplitudes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What stands out in each frame, and how much the frame counts.

    Args:
        amplitudes: ≥ 0, shape (frames, lengths, pitches).

    Returns:
        Shape (frames, lengths, pitches), ≥ 0, and the weights, (frames,), > 0.
    """
    strongest = np.maximum(amplitudes.max(axis=(1, 2)), QUIETEST_PARTIAL)
    seen = np.log1p(amplitudes * (COMPRESSION / strongest)[:, None, None])
    raised = np.maximum(seen @ _SHARPEN, 0.0) / np.float32(np.log1p(COMPRESSION))
    return raised, np.sqrt(strongest)


def _local_mean_remover() -> FloatArray:
    """Matrix that subtracts from each semitone the mean of those around it, itself included."""
    apart = np.abs(np.subtract.outer(np.arange(N_PITCHES), np.arange(N_PITCHES)))
    near = apart <= LOCAL_SEMITONES
    return (np.eye(N_PITCHES) - near / near.sum(axis=0)).astype(np.float32)


_SHARPEN: Final = _local_mean_remover()


def octave_fold() -> FloatArray:
    """Which semitone belongs to which pitch class, C first, shape (pitches, 12)."""
    pitches = np.arange(LOWEST_PITCH, LOWEST_PITCH + N_PITCHES)
    return np.eye(N_CHROMA, dtype=np.float32)[pitches % N_CHROMA]


def _along_pitch(kernel: FloatArray) -> FloatArray:
    """A convolution along pitch (zeros outside) as a matrix, (in · pitches, out · pitches)."""
    n_out, n_in, width = kernel.shape
    matrix = np.zeros((n_in, N_PITCHES, n_out, N_PITCHES), dtype=np.float32)
    for tap in range(width):
        offset = tap - width // 2  # input pitch minus output pitch
        outputs = np.arange(max(0, -offset), min(N_PITCHES, N_PITCHES - offset))
        matrix[:, outputs + offset, :, outputs] = kernel[:, :, tap].T
    return matrix.reshape(n_in * N_PITCHES, n_out * N_PITCHES)


def _around(kernel: FloatArray) -> FloatArray:
    """A circular convolution over pitch classes as a matrix, (in · 12, out · 12)."""
    n_out, n_in, _ = kernel.shape
    matrix = np.zeros((n_in, N_CHROMA, n_out, N_CHROMA), dtype=np.float32)
    for tap in range(N_CHROMA):
        outputs = np.arange(N_CHROMA)
        matrix[:, (outputs + tap) % N_CHROMA, :, outputs] = kernel[:, :, tap].T
    return matrix.reshape(n_in * N_CHROMA, n_out * N_CHROMA)


def _each(bias: FloatArray, n: int) -> FloatArray:
    """A bias per channel, for every pitch of it."""
    return np.repeat(bias, n)


def _check(shape: EarShape, arrays: Mapping[str, FloatArray]) -> None:
    wanted = shape.weights()
    found = {name: array.shape for name, array in arrays.items()}
    if found != wanted:
        wrong = sorted(name for name in wanted | found if wanted.get(name) != found.get(name))
        raise ValueError(
            f"{wrong[0]} must be of shape {wanted.get(wrong[0])}, got {found.get(wrong[0])}"
        )
    for name, array in arrays.items():
        if array.dtype != np.float32 or not np.isfinite(array).all():
            raise ValueError(f"{name} must be finite float32 numbers")
