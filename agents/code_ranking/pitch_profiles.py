"""How the sound of each synth and sample falls on the twelve pitch classes.

Notes name a pitch class, but a synth's partials name others, and a drum loop or a guitar chord has
pitch without a note. The profiles are measured once, from offline renderings of the synths and from
the sample files, and kept in `pitch_profiles.npz` beside this file. The synth definitions are MIT
licensed, the samples CC0.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from corpus.sonic_pi.renderer import Rendering
from models.sound_descriptors import picture_of

__all__ = ["PROFILE_NOTES", "PitchProfiles", "build_profiles", "stored_profiles"]

FloatArray = NDArray[np.float32]
PROFILE_NOTES: Final = (36, 48, 60, 72, 84)
"""MIDI numbers at which synths are measured, all C: the profile starts at the note itself."""
_STORED: Final = Path(__file__).with_name("pitch_profiles.npz")
_NOTE_SECONDS: Final = 1.0
_FLAT: Final = np.full(12, 1 / 12, dtype=np.float32)
_SILENT: Final = 1e-9


@dataclass(frozen=True, eq=False)
class PitchProfiles:
    """Shares of power by pitch class; every profile sums to 1.

    Args:
        synths: by name, profiles at `PROFILE_NOTES` relative to the note, shape (5, 12).
        samples: by name, C first, at their own speed, shape (12,).
    """

    synths: Mapping[str, FloatArray]
    samples: Mapping[str, FloatArray]

    def save(self, path: Path = _STORED) -> None:
        """Writes the profiles in half precision."""
        np.savez_compressed(
            path,
            synth_names=np.array(list(self.synths)),
            synths=np.stack(list(self.synths.values())).astype(np.float16),
            sample_names=np.array(list(self.samples)),
            samples=np.stack(list(self.samples.values())).astype(np.float16),
        )


@lru_cache(maxsize=1)
def stored_profiles() -> PitchProfiles:
    """The profiles kept with this package.

    Raises:
        OSError: if their file is missing.
    """
    with np.load(_STORED, allow_pickle=False) as arrays:
        synths = arrays["synths"].astype(np.float32)
        samples = arrays["samples"].astype(np.float32)
        return PitchProfiles(
            dict(zip(arrays["synth_names"].tolist(), synths, strict=True)),
            dict(zip(arrays["sample_names"].tolist(), samples, strict=True)),
        )


def build_profiles(
    render: Callable[[str, float], Rendering], synths: Iterable[str], sample_folder: Path
) -> PitchProfiles:
    """Measures synths by rendering them and samples by reading their files.

    Args:
        render: `Renderer.render`.
        synths: names.
        sample_folder: holds the samples as FLAC files.
    """
    measured = {name: _synth_profiles(render, name) for name in sorted(synths)}
    samples = {}
    for path in sorted(sample_folder.glob("*.flac")):
        audio, rate = soundfile.read(path, dtype="float32")
        samples[path.stem] = _profile(audio, rate)
    return PitchProfiles(measured, samples)


def _synth_profiles(render: Callable[[str, float], Rendering], name: str) -> FloatArray:
    notes = ", ".join(str(note) for note in PROFILE_NOTES)
    code = (
        f"use_synth :{name}\n[{notes}].each do |n|\n"
        f"  play n, amp: 0.4, sustain: 0.7, release: 0.1\n  sleep {_NOTE_SECONDS}\nend\n"
    )
    rendering = render(code, _NOTE_SECONDS * len(PROFILE_NOTES))
    pieces = np.array_split(rendering.audio, len(PROFILE_NOTES))
    return np.stack([_profile(piece, rendering.sample_rate) for piece in pieces])


def _profile(audio: FloatArray, sample_rate: int) -> FloatArray:
    power = picture_of(audio, sample_rate).chroma.sum(axis=1)
    total = float(power.sum())
    return (power / total).astype(np.float32) if total > _SILENT else _FLAT
