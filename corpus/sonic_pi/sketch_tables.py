"""The atlas as arrays: all spectra in one, all courses in one, ready to be gathered."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from corpus.sonic_pi.atlas import Atlas, Sound
from corpus.sonic_pi.mel import N_BANDS, Floats

__all__ = ["AtlasTables", "tables_of"]

_HELD_FRAMES = 6
"""A synth goes on as in the mean of its last frames."""


@dataclass(frozen=True, eq=False)
class AtlasTables:
    """All parts of all sounds.

    Args:
        spectra: shape (parts, 64).
        activity: shape (total,), the courses one after the other.
        offset, n_frames: where each part's course begins in `activity`, and its frames.
        held: shape (parts,), the power with which a part goes on after its course; 0 for samples.
        synths: by name, (first part, parts) for each note of the atlas.
        samples: by name, (first part, parts, frames).
    """

    spectra: Floats
    activity: Floats
    offset: NDArray[np.int64]
    n_frames: NDArray[np.int64]
    held: Floats
    synths: Mapping[str, tuple[tuple[int, int], ...]]
    samples: Mapping[str, tuple[int, int, int]]

    def read(self, parts: NDArray[np.int64], place: NDArray[np.float64]) -> Floats:
        """Courses at fractional frames, interpolated.

        Args:
            parts: shape (n,).
            place: shape (n, frames); before 0 there is nothing.
        """
        floor = np.floor(place)
        share = (place - floor).astype(np.float32)
        index = floor.astype(np.int64)
        mixed = self._at(parts, index) * (1.0 - share) + self._at(parts, index + 1) * share
        return np.asarray(mixed)

    def _at(self, parts: NDArray[np.int64], index: NDArray[np.int64]) -> Floats:
        length = self.n_frames[parts, None]
        inside = np.clip(index, 0, length - 1) + self.offset[parts, None]
        value = self.activity[inside]
        value = np.where(index >= length, self.held[parts, None], value)
        return np.asarray(np.where(index < 0, np.float32(0.0), value))


@lru_cache(maxsize=4)
def tables_of(atlas: Atlas) -> AtlasTables:
    """The arrays of an atlas, made once for each."""
    spectra: list[Floats] = []
    courses: list[Floats] = []
    held: list[float] = []
    synths: dict[str, tuple[tuple[int, int], ...]] = {}
    samples: dict[str, tuple[int, int, int]] = {}

    def add(sound: Sound, *, goes_on: bool) -> tuple[int, int]:
        first = len(spectra)
        spectra.extend(sound.spectra)
        courses.extend(sound.activity)
        held.extend(
            float(course[-_HELD_FRAMES:].mean()) if goes_on else 0.0 for course in sound.activity
        )
        return first, len(sound.spectra)

    for name, sounds in atlas.synths.items():
        synths[name] = tuple(add(sound, goes_on=True) for sound in sounds)
    for name, sound in atlas.samples.items():
        samples[name] = (*add(sound, goes_on=False), sound.activity.shape[1])
    lengths = np.array([len(course) for course in courses], dtype=np.int64)
    return AtlasTables(
        np.array(spectra, dtype=np.float32).reshape(-1, N_BANDS),
        np.concatenate(courses) if courses else np.zeros(1, dtype=np.float32),
        np.cumsum(lengths) - lengths,
        lengths,
        np.array(held, dtype=np.float32),
        synths,
        samples,
    )
