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
        activity: shape (total,), the courses one after the other, each between a zero and the
            power with which the part goes on after its course (0 for samples).
        offset, n_frames: where in `activity` each part's zero is, and the frames of its course.
        synths: by name, (first part, parts) for each note of the atlas.
        samples: by name, (first part, parts, frames).
    """

    spectra: Floats
    activity: Floats
    offset: NDArray[np.int64]
    n_frames: NDArray[np.int64]
    synths: Mapping[str, tuple[tuple[int, int], ...]]
    samples: Mapping[str, tuple[int, int, int]]


@lru_cache(maxsize=4)
def tables_of(atlas: Atlas) -> AtlasTables:
    """The arrays of an atlas, made once for each."""
    spectra: list[Floats] = []
    courses: list[Floats] = []
    synths: dict[str, tuple[tuple[int, int], ...]] = {}
    samples: dict[str, tuple[int, int, int]] = {}

    def add(sound: Sound, *, goes_on: bool) -> tuple[int, int]:
        first = len(spectra)
        spectra.extend(sound.spectra)
        held = sound.activity[:, -_HELD_FRAMES:].mean(axis=1) * goes_on
        courses.extend(np.pad(sound.activity, ((0, 0), (1, 1))))
        for course, power in zip(courses[first:], held, strict=True):
            course[-1] = power
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
        lengths - 2,
        synths,
        samples,
    )
