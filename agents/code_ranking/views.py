"""What a program will play, as a picture of its sound: the sketch in the words of the descriptors.

The sketch has the mel spectrogram; pitch classes come from the profiles of synths and samples, as
loud as the atlas says that each is where pitch classes are read. `describe` then gives the same
numbers as for real sound.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agents.code_ranking.pitch_profiles import PitchProfiles, stored_profiles
from corpus.sonic_pi.atlas import ATLAS_NOTES, Atlas, Sound
from corpus.sonic_pi.events import Event
from corpus.sonic_pi.mel import FRAME_SECONDS, band_hertz
from corpus.sonic_pi.sketch import sketch
from models.sound_descriptors import CHROMA_HIGHEST_HZ, CHROMA_LOWEST_HZ, SoundPicture, describe

__all__ = ["EventView"]

FloatArray = NDArray[np.float32]
Floats = NDArray[np.float64]
CHROMA_FRAME_SECONDS: Final = 0.1
ECHO: Final = 0.15  # of a frame into the next, as rooms do
HELD_FRAMES: Final = 40  # of an atlas sound, from which the loudness of a held note is taken
_UNKNOWN_POWER: Final = 1e-3


class EventView:
    """Events to descriptions; a few milliseconds a program.

    Args:
        atlas: sounds of synths and samples.
        profiles: their pitch classes; none: those stored with this package.
    """

    def __init__(self, atlas: Atlas, profiles: PitchProfiles | None = None) -> None:
        self._atlas = atlas
        self._profiles = profiles or stored_profiles()
        hertz = band_hertz()
        self._heard = (hertz >= CHROMA_LOWEST_HZ) & (hertz <= CHROMA_HIGHEST_HZ)
        self._notes_measured = np.array(ATLAS_NOTES)
        self._synths = {
            name: np.array([self._course(sound)[:HELD_FRAMES].mean() for sound in sounds])
            for name, sounds in atlas.synths.items()
        }
        self._samples = {name: self._course(sound) for name, sound in atlas.samples.items()}

    def describe(self, events: Sequence[Event], seconds: float) -> FloatArray:
        """What a list of events will sound like, shape (DESCRIPTION_DIM,), finite.

        Args:
            events: of the unroller or of the language runtime.
            seconds: how much of the program.

        Raises:
            ValueError: if `seconds` is too short for a frame.
        """
        drawn = sketch(events, seconds, self._atlas)
        chroma = self.chroma(events, seconds)
        return describe(SoundPicture(drawn.power, drawn.frame_seconds, chroma))

    def chroma(self, events: Sequence[Event], seconds: float) -> FloatArray:
        """Power by pitch class, shape (12, frames of 0.1 s)."""
        n_frames = max(1, int(seconds / CHROMA_FRAME_SECONDS))
        middle = CHROMA_FRAME_SECONDS * (np.arange(n_frames, dtype=np.float64) + 0.5)
        notes = [e for e in events if e.kind == "synth" and "note" in e.arguments]
        samples = [e for e in events if e.kind == "sample" and e.name in self._samples]
        chroma = np.zeros((12, n_frames))
        if notes:
            profiles, power = self._notes(notes)
            chroma += profiles.T @ (power[:, None] * _note_courses(notes, middle))
        for event in samples:
            profile = self._profiles.of_sample(event.name, event.arguments.get("rate", 1.0))
            first, course = self._sample_course(event, middle)
            chroma[:, first : first + len(course)] += profile[:, None] * course
        chroma[:, 1:] += ECHO * chroma[:, :-1]
        return chroma.astype(np.float32)

    def _course(self, sound: Sound) -> Floats:
        """Power of an atlas sound in each of its frames, where pitch classes are read."""
        parts = sound.spectra[:, self._heard].sum(axis=1)
        return np.asarray(parts @ sound.activity, dtype=np.float64)

    def _notes(self, notes: Sequence[Event]) -> tuple[Floats, Floats]:
        """Profile (notes, 12) and loudness (notes,) of each note; equal ones are looked up once."""
        kinds = [(event.name, event.arguments["note"]) for event in notes]
        known = {
            (name, note): (self._profiles.of_note(name, note), self._loudness(name, note))
            for name, note in set(kinds)
        }
        profiles = np.array([known[kind][0] for kind in kinds], dtype=np.float64)
        return profiles, np.array([known[kind][1] for kind in kinds])

    def _loudness(self, synth: str, note: float) -> float:
        levels = self._synths.get(synth)
        if levels is None:
            return _UNKNOWN_POWER
        return float(levels[int(np.abs(self._notes_measured - note).argmin())])

    def _sample_course(self, event: Event, middle: Floats) -> tuple[int, Floats]:
        """First frame in which a sample sounds, and its power in each frame from there."""
        course, rate = self._samples[event.name], abs(event.arguments.get("rate", 1.0))
        first = max(0, int(event.time / CHROMA_FRAME_SECONDS))
        place = ((middle[first:] - event.time) * (rate / FRAME_SECONDS)).astype(np.int64)
        inside = place[place < len(course)].clip(min=0)
        return first, course[inside] * event.arguments.get("amp", 1.0) ** 2


def _note_courses(notes: Sequence[Event], middle: Floats) -> Floats:
    """Power of each note in each frame, (notes, frames): straight up, level, straight down."""
    shapes = [
        (
            event.time,
            event.arguments.get("attack", 0.0) + event.arguments.get("decay", 0.0),
            event.arguments.get("sustain", 0.0),
            event.arguments.get("release", 1.0),
            event.arguments.get("amp", 1.0),
        )
        for event in notes
    ]
    onset, attack, sustain, release, amp = np.array(shapes).T[:, :, None]
    since = middle - onset
    rise = (since / np.maximum(attack, CHROMA_FRAME_SECONDS / 2)).clip(0.0, 1.0)
    down = (since - attack - sustain) / np.maximum(release, CHROMA_FRAME_SECONDS)
    level = rise * (1.0 - down).clip(0.0, 1.0)
    return np.asarray((amp * level) ** 2)
