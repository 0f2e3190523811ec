"""What a program will play, as a picture of its sound: the sketch in the words of the descriptors.

The sketch has the mel spectrogram; pitch classes come from the profiles of synths and samples, as
loud as the atlas says that each is where pitch classes are read. `describe` then gives the same
numbers as for real sound.
"""

import math
from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from agents.code_ranking.chroma_kernels import CHROMA_FRAME_SECONDS, add_notes, add_samples
from agents.code_ranking.pitch_profiles import PROFILE_NOTES, PitchProfiles, stored_profiles
from corpus.sonic_pi.atlas import ATLAS_NOTES, Atlas, Sound
from corpus.sonic_pi.events import Event
from corpus.sonic_pi.mel import FRAME_SECONDS, band_hertz
from corpus.sonic_pi.sketch import sketch
from corpus.sonic_pi.sketch_sounds import Gathered, Heard, Stretch, gathered, stretches_of
from models.sound_descriptors import CHROMA_HIGHEST_HZ, CHROMA_LOWEST_HZ, SoundPicture, describe

__all__ = ["EventView"]

FloatArray = NDArray[np.float32]
Floats = NDArray[np.float64]
ECHO: Final = 0.15  # of a frame into the next, as rooms do
HELD_FRAMES: Final = 40  # of an atlas sound, from which the loudness of a held note is taken
_UNKNOWN_POWER: Final = 1e-3
_HEARD_CHANGES: Final = frozenset({"note", "amp"})
_MEASURED: Final = np.array(ATLAS_NOTES, dtype=np.float64)
_Listed: TypeAlias = tuple[Floats, NDArray[np.int64], Floats]
_LARGEST: Final = 1e6
"""Of any argument; programs may compute others, but nobody hears them."""


class EventView:
    """Events to descriptions; a few milliseconds a program.

    Args:
        atlas: sounds of synths and samples.
        profiles: their pitch classes; none: those stored with this package.
    """

    def __init__(self, atlas: Atlas, profiles: PitchProfiles | None = None) -> None:
        self._atlas = atlas
        known = profiles or stored_profiles()
        hertz = band_hertz()
        self._heard = (hertz >= CHROMA_LOWEST_HZ) & (hertz <= CHROMA_HIGHEST_HZ)
        names = list(atlas.synths)
        self._synths = {name: row for row, name in enumerate(names)}
        """Rows of `_note_profiles` and `_levels`; the last is of synths that are not known."""
        pure = np.zeros((len(PROFILE_NOTES), 12))
        pure[:, 0] = 1.0
        self._note_profiles = np.array([*(known.synths.get(name, pure) for name in names), pure])
        self._levels = np.full((len(names) + 1, len(ATLAS_NOTES)), _UNKNOWN_POWER)
        for row, sounds in enumerate(atlas.synths.values()):
            self._levels[row] = [self._course(sound)[:HELD_FRAMES].mean() for sound in sounds]
        courses = {name: self._course(sound) for name, sound in atlas.samples.items()}
        self._samples = {name: row for row, name in enumerate(courses)}
        """Rows of `_sample_profiles` and `_sample_places`."""
        flat = np.full(12, 1 / 12)
        self._sample_profiles = np.array(
            [known.samples.get(name, flat) for name in courses], dtype=np.float64
        ).reshape(-1, 12)
        self._sample_courses = np.concatenate([np.zeros(0), *courses.values()])
        lengths = np.array([len(course) for course in courses.values()], dtype=np.int64)
        self._sample_places = np.stack([np.cumsum(lengths) - lengths, lengths], axis=1)

    def describe(self, events: Sequence[Event], seconds: float) -> FloatArray:
        """What a list of events will sound like, shape (DESCRIPTION_DIM,), finite.

        Args:
            events: of the unroller or of the language runtime.
            seconds: how much of the program.

        Raises:
            ValueError: if `seconds` is too short for a frame.
        """
        parts = gathered(events, seconds)
        if not _are_sane(parts):
            parts = gathered([_tamed(event) for event in events], seconds)
        with np.errstate(all="ignore"):  # absurd arguments overflow; what comes of it is cut off
            drawn = sketch(parts, seconds, self._atlas)
            chroma = self._chroma(parts.heard, seconds)
            description = describe(SoundPicture(drawn.power, drawn.frame_seconds, chroma))
        return np.nan_to_num(description)

    def chroma(self, events: Sequence[Event], seconds: float) -> FloatArray:
        """Power by pitch class, shape (12, frames of 0.1 s)."""
        return self._chroma(gathered(events, seconds).heard, seconds)

    def _chroma(self, heard: Sequence[Heard], seconds: float) -> FloatArray:
        chroma = np.zeros((12, max(1, int(seconds / CHROMA_FRAME_SECONDS))))
        notes: list[tuple[float, ...]] = []
        samples: list[tuple[float, ...]] = []
        note_onsets: list[list[float]] = []
        sample_onsets: list[list[float]] = []
        for sound in heard:
            event, onsets, _ = sound
            if event.kind == "sample":
                row = self._samples.get(event.name)
                if row is not None:
                    get = event.arguments.get
                    samples.append((row, get("rate", 1.0), get("amp", 1.0)))
                    sample_onsets.append(onsets)
            elif "note" in event.arguments:
                row = self._synths.get(event.name, len(self._synths))
                made = _notes(row, sound)
                notes += made
                note_onsets += [onsets] * len(made)
        if notes:
            add_notes(
                chroma,
                *_listed(notes, note_onsets),
                self._note_profiles,
                self._levels,
                _MEASURED,
            )
        if samples:
            add_samples(
                chroma,
                *_listed(samples, sample_onsets),
                self._sample_profiles,
                self._sample_courses,
                self._sample_places,
                FRAME_SECONDS,
            )
        chroma[:, 1:] += ECHO * chroma[:, :-1]
        return chroma.astype(np.float32)

    def _course(self, sound: Sound) -> Floats:
        """Power of an atlas sound in each of its frames, where pitch classes are read."""
        parts = sound.spectra[:, self._heard].sum(axis=1)
        return np.asarray(parts @ sound.activity, dtype=np.float64)


def _are_sane(parts: Gathered) -> bool:
    """Whether no argument is beyond what sound can be made of."""
    changes = [change for several in parts.changes.values() for change in several]
    events = [sound.event for sound in parts.heard] + parts.effects + changes
    # NaN and infinity show in the sum
    return all([-_LARGEST < sum(event[3].values()) < _LARGEST for event in events])


def _tamed(event: Event) -> Event:
    arguments = {
        key: min(max(value, -_LARGEST), _LARGEST) if value == value else 0.0
        for key, value in event.arguments.items()
    }
    return event._replace(arguments=arguments)


def _listed(rows: Sequence[tuple[float, ...]], onsets: Sequence[list[float]]) -> _Listed:
    """Rows as an array, and of each time at which one is heard the row and the time."""
    which = np.repeat(np.arange(len(rows)), [len(times) for times in onsets])
    return np.array(rows, dtype=np.float64), which, np.array([t for times in onsets for t in times])


def _notes(row: int, sound: Heard) -> list[tuple[float, ...]]:
    """A note as `add_notes` takes it, cut into stretches if it is changed; slides are steps."""
    event, _, changes = sound
    if changes is not None:
        changes = [c for c in changes if not _HEARD_CHANGES.isdisjoint(c.arguments)]
    stretches: Sequence[Stretch] = ((0.0, math.inf, event.arguments),)
    if changes:
        stretches = stretches_of(event, changes)
    made: list[tuple[float, ...]] = []
    for start, end, arguments in stretches:
        get = arguments.get
        rise = get("attack", 0.0) + get("decay", 0.0)
        times = rise, get("sustain", 0.0), get("release", 1.0)
        made.append((row, arguments["note"], *times, get("amp", 1.0), start, end))
    return made
