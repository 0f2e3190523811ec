"""The atlas: what every synth sounds like at several pitches, and every sample.

A sound is kept as a few spectra and how strongly each sounds in each frame (a non-negative
factorisation of its mel spectrogram), so that sketching many sounds is one product of matrices.
The atlas is made by one offline rendering and kept in `atlas.npz` beside this file; the synth
definitions that made it are MIT licensed and the samples CC0.
"""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from corpus.sonic_pi.instruments import Instruments
from corpus.sonic_pi.mel import FRAME_SECONDS, N_BANDS, SAMPLE_RATE, mel_spectrogram

__all__ = ["ATLAS_NOTES", "Atlas", "Sound", "build_atlas", "load_atlas", "stored_atlas"]

STORED: Final = Path(__file__).with_name("atlas.npz")
ATLAS_NOTES: Final = tuple(range(28, 107, 6))
"""MIDI numbers at which synths are kept, every tritone from E1 to C#8."""
_HELD_SECONDS: Final = 2.2
"""How long a synth is held for its profile; longer notes go on as they end here."""
_AMPLITUDE: Final = 0.4
"""Amplitude of the offline rendering, low enough for the limiter never to work."""
_MOST_FRAMES: Final = 480
_ROUNDS: Final = 60

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Sound:
    """One sound at amplitude 1.

    Args:
        spectra: shape (parts, 64), powers that sum to 1 over the bands.
        activity: shape (parts, frames), how much power each has in each frame, ≥ 0.
    """

    spectra: Floats
    activity: Floats


@dataclass(frozen=True, eq=False)
class Atlas:
    """All sounds as shared tables.

    Args:
        synths: by name, one sound for each of `ATLAS_NOTES`.
        samples: by name, at their own speed.
    """

    synths: Mapping[str, tuple[Sound, ...]]
    samples: Mapping[str, Sound]

    def save(self, path: Path = STORED) -> None:
        """Stores the atlas; the same atlas gives the same bytes.

        Raises:
            OSError: the file cannot be written.
        """
        names = [f"synth/{name}/{i}" for name, s in self.synths.items() for i in range(len(s))]
        names += [f"sample/{name}" for name in self.samples]
        sounds = [sound for group in self.synths.values() for sound in group]
        sounds += list(self.samples.values())
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            names=np.array(names),
            parts=np.array([len(sound.spectra) for sound in sounds], dtype=np.int16),
            frames=np.array([sound.activity.shape[1] for sound in sounds], dtype=np.int16),
            scale=np.array([sound.activity.max(initial=1e-12) for sound in sounds], np.float32),
            spectra=_packed(np.concatenate([sound.spectra.ravel() for sound in sounds])),
            activity=_packed(
                np.concatenate(
                    [(s.activity / s.activity.max(initial=1e-12)).ravel() for s in sounds]
                )
            ),
        )
        path.write_bytes(buffer.getvalue())


def _packed(values: Floats) -> NDArray[np.uint8]:
    """Powers in [0, 1] as bytes: a third of a decibel apiece, 84 dB down; 0 is silence."""
    decibels = 10.0 * np.log10(np.maximum(values, 1e-12))
    return np.clip(np.round(255.0 + decibels * 3.0), 0, 255).astype(np.uint8)


def _unpacked(packed: NDArray[np.uint8]) -> Floats:
    table = 10.0 ** ((np.arange(256) - 255.0) / 30.0)
    table[0] = 0.0
    return np.asarray(table.astype(np.float32)[packed])


def load_atlas(path: Path) -> Atlas:
    """A stored atlas.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not an atlas.
    """
    with np.load(path, allow_pickle=False) as stored:
        missing = {"names", "parts", "frames", "scale", "spectra", "activity"} - set(stored.files)
        if missing:
            raise ValueError(f"{path} must be an atlas; it lacks {', '.join(sorted(missing))}")
        spectra, activity = _unpacked(stored["spectra"]), _unpacked(stored["activity"])
        synths: dict[str, list[Sound]] = {}
        samples: dict[str, Sound] = {}
        place, time = 0, 0
        rows = zip(stored["names"], stored["parts"], stored["frames"], stored["scale"], strict=True)
        for name, parts, frames, scale in rows:
            n_parts, n_frames = int(parts), int(frames)
            shape = spectra[place : place + n_parts * N_BANDS].reshape(n_parts, N_BANDS)
            place += shape.size
            course = activity[time : time + n_parts * n_frames].reshape(n_parts, n_frames)
            time += course.size
            sound = Sound(shape, course * np.float32(scale))
            kind, _, rest = str(name).partition("/")
            if kind == "synth":
                synths.setdefault(rest.rpartition("/")[0], []).append(sound)
            else:
                samples[rest] = sound
    return Atlas({name: tuple(sounds) for name, sounds in synths.items()}, samples)


@lru_cache(maxsize=1)
def stored_atlas() -> Atlas:
    """The atlas kept with this package.

    Raises:
        OSError: the file is missing.
    """
    return load_atlas(STORED)


Render = Callable[[str, float], NDArray[np.float32]]
"""Sonic Pi code and seconds to audio (samples, 2) at 44.1 kHz."""


def build_atlas(instruments: Instruments, render: Render) -> Atlas:
    """Renders and analyses every synth and sample; about a minute.

    Args:
        instruments: what there is.
        render: makes the sound.
    """
    synths = {}
    for name in instruments.defaults:
        if not instruments.has_synth(name) or name.startswith("sound_in"):
            continue
        step = _HELD_SECONDS + 0.6
        still = ", mod_range: 0" if "mod_range" in instruments.defaults[name] else ""
        held = (
            f"attack: 0, decay: 0, sustain: {_HELD_SECONDS}, release: 0.1, amp: {_AMPLITUDE}{still}"
        )
        each = f"{list(ATLAS_NOTES)}.each do |n|\n  play n, {held}\n  sleep {step}\nend"
        code = f"use_synth :{name}\n{each}"
        audio = render(code, step * len(ATLAS_NOTES))
        synths[name] = tuple(
            _sound(_cut(audio, index * step, _HELD_SECONDS), 3) for index in range(len(ATLAS_NOTES))
        )
    samples = {}
    for name, facts in instruments.samples.items():
        seconds = facts.seconds + 0.1
        audio = render(f"sample :{name}, amp: {_AMPLITUDE}\nsleep {seconds}", seconds)
        samples[name] = _sound(audio, 3 if facts.seconds < 1 else 6)
    return Atlas(synths, samples)


def _cut(audio: NDArray[np.float32], start: float, seconds: float) -> NDArray[np.float32]:
    first = round(start * SAMPLE_RATE)
    return audio[first : first + round(seconds * SAMPLE_RATE)]


def _sound(audio: NDArray[np.float32], parts: int) -> Sound:
    """A few spectra and their courses that together make the mel spectrogram of the audio."""
    padding = -len(audio) % 2048
    power = mel_spectrogram(np.pad(audio, ((0, padding), (0, 0)))) / _AMPLITUDE**2
    power = power[:, :_MOST_FRAMES].astype(np.float64) + 1e-12
    n_frames = power.shape[1]
    parts = min(parts, n_frames)
    starts = np.linspace(0, n_frames, parts + 1).astype(int)
    spectra = np.stack([power[:, a:b].mean(axis=1) for a, b in pairwise(starts)])
    courses = np.stack([np.full(n_frames, 0.1)] * parts)
    for index, (first, last) in enumerate(pairwise(starts)):
        courses[index, first:last] = 1.0
    for _ in range(_ROUNDS):  # Lee and Seung 2001, divergence
        ratio = power / (spectra.T @ courses + 1e-15)
        courses *= (spectra @ ratio) / (spectra.sum(axis=1)[:, None] + 1e-15)
        ratio = power / (spectra.T @ courses + 1e-15)
        spectra *= (courses @ ratio.T) / (courses.sum(axis=1)[:, None] + 1e-15)
    weight = spectra.sum(axis=1)
    return Sound(
        (spectra / (weight[:, None] + 1e-15)).astype(np.float32),
        (courses * weight[:, None]).astype(np.float32),
    )


def frames_of(seconds: float) -> int:
    """How many whole frames a time holds."""
    return int(seconds / FRAME_SECONDS)
