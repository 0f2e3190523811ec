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
        self._notes = np.array(ATLAS_NOTES)
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
        begin = CHROMA_FRAME_SECONDS * np.arange(n_frames, dtype=np.float64)
        chroma = np.zeros((12, n_frames))
        for event in events:
            if event.kind == "synth" and "note" in event.arguments:
                power = self._loudness(event) * _note_course(event, begin)
                profile = self._profiles.of_note(event.name, event.arguments["note"])
            elif event.kind == "sample" and event.name in self._samples:
                power = self._sample_course(event, begin)
                profile = self._profiles.of_sample(event.name, event.arguments.get("rate", 1.0))
            else:
                continue
            chroma += profile[:, None] * power
        chroma[:, 1:] += ECHO * chroma[:, :-1]
        return chroma.astype(np.float32)

    def _course(self, sound: Sound) -> NDArray[np.float64]:
        """Power of an atlas sound in each of its frames, where pitch classes are read."""
        parts = sound.spectra[:, self._heard].sum(axis=1)
        return np.asarray(parts @ sound.activity, dtype=np.float64)

    def _loudness(self, event: Event) -> float:
        levels = self._synths.get(event.name)
        if levels is None:
            return _UNKNOWN_POWER
        nearest = int(np.abs(self._notes - event.arguments["note"]).argmin())
        return float(levels[nearest])

    def _sample_course(self, event: Event, begin: NDArray[np.float64]) -> NDArray[np.float64]:
        course, rate = self._samples[event.name], abs(event.arguments.get("rate", 1.0))
        since = begin + CHROMA_FRAME_SECONDS / 2 - event.time
        frame = (since * rate / FRAME_SECONDS).astype(np.int64)
        sounds = (since > -CHROMA_FRAME_SECONDS / 2) & (frame < len(course))
        level = course[np.clip(frame, 0, len(course) - 1)] * event.arguments.get("amp", 1.0) ** 2
        return np.where(sounds, level, 0.0)


def _note_course(event: Event, begin: NDArray[np.float64]) -> NDArray[np.float64]:
    """Power of a note in each frame: its envelope squared, straight up, level, straight down."""
    arguments = event.arguments
    attack = arguments.get("attack", 0.0) + arguments.get("decay", 0.0)
    sustain, release = arguments.get("sustain", 0.0), arguments.get("release", 1.0)
    since = begin + CHROMA_FRAME_SECONDS / 2 - event.time
    rise = np.clip(since / max(attack, CHROMA_FRAME_SECONDS / 2), 0.0, 1.0)
    fall = np.clip(1.0 - (since - attack - sustain) / max(release, CHROMA_FRAME_SECONDS), 0.0, 1.0)
    inside = since > -CHROMA_FRAME_SECONDS / 2
    level = np.where(inside, rise * fall, 0.0)
    return np.asarray((arguments.get("amp", 1.0) * level) ** 2)
