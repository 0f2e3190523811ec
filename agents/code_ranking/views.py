"""What a program will play, as a picture of its sound: the sketch in the words of the descriptors.

The sketch has the mel spectrogram; pitch classes come from the profiles of synths and samples, as
loud as the atlas says that each is where pitch classes are read. `describe` then gives the same
numbers as for real sound.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.code_ranking.pitch_profiles import PitchProfiles, stored_profiles
from corpus.sonic_pi.atlas import ATLAS_NOTES, Atlas, Sound
from corpus.sonic_pi.events import Event
from corpus.sonic_pi.mel import FRAME_SECONDS, band_hertz
from corpus.sonic_pi.sketch import sketch
from corpus.sonic_pi.sketch_sounds import stretches_of
from models.sound_descriptors import CHROMA_HIGHEST_HZ, CHROMA_LOWEST_HZ, SoundPicture, describe

__all__ = ["EventView"]

FloatArray = NDArray[np.float32]
Floats = NDArray[np.float64]
CHROMA_FRAME_SECONDS: Final = 0.1
ECHO: Final = 0.15  # of a frame into the next, as rooms do
HELD_FRAMES: Final = 40  # of an atlas sound, from which the loudness of a held note is taken
_UNKNOWN_POWER: Final = 1e-3
_HEARD_CHANGES: Final = frozenset({"note", "amp"})
_WHOLE_NOTES: Final = range(128)
_LARGEST: Final = 1e6
"""Of any argument; programs may compute others, but nobody hears them."""


class _Note(NamedTuple):
    """A note, or a stretch of one between changes of it: from `start` to `end` since the onset."""

    onset: float
    name: str
    arguments: Mapping[str, float]
    start: float = 0.0
    end: float = math.inf


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
        self._synths = {
            name: [float(self._course(sound)[:HELD_FRAMES].mean()) for sound in sounds]
            for name, sounds in atlas.synths.items()
        }
        self._whole_notes: dict[tuple[str, float], tuple[FloatArray, float]] = {}
        courses = {name: self._course(sound) for name, sound in atlas.samples.items()}
        ends = np.cumsum([0, *(len(course) for course in courses.values())])
        self._sample_courses = np.concatenate([np.zeros(0), *courses.values()])
        self._samples = {
            name: (int(end) - len(course), len(course))
            for (name, course), end in zip(courses.items(), ends[1:], strict=True)
        }
        """Where each sample's course begins in `_sample_courses`, and its frames."""

    def describe(self, events: Sequence[Event], seconds: float) -> FloatArray:
        """What a list of events will sound like, shape (DESCRIPTION_DIM,), finite.

        Args:
            events: of the unroller or of the language runtime.
            seconds: how much of the program.

        Raises:
            ValueError: if `seconds` is too short for a frame.
        """
        different = {id(event.arguments): event.arguments for event in events}
        if not all(map(_are_sane, different.values())):
            events = [e if _are_sane(e.arguments) else _tamed(e) for e in events]
        with np.errstate(all="ignore"):  # absurd arguments overflow; what comes of it is cut off
            drawn = sketch(events, seconds, self._atlas)
            chroma = self.chroma(events, seconds)
            description = describe(SoundPicture(drawn.power, drawn.frame_seconds, chroma))
        return np.nan_to_num(description)

    def chroma(self, events: Sequence[Event], seconds: float) -> FloatArray:
        """Power by pitch class, shape (12, frames of 0.1 s)."""
        n_frames = max(1, int(seconds / CHROMA_FRAME_SECONDS))
        middle = CHROMA_FRAME_SECONDS * (np.arange(n_frames, dtype=np.float64) + 0.5)
        notes = _sounding_notes(events)
        samples = [e for e in events if e.kind == "sample" and e.name in self._samples]
        chroma = np.zeros((12, n_frames))
        if notes:
            profiles, power = self._notes(notes)
            chroma += profiles.T @ (power[:, None] * _note_courses(notes, middle))
        if samples:
            chroma += self._sampled(samples, middle)
        chroma[:, 1:] += ECHO * chroma[:, :-1]
        return chroma.astype(np.float32)

    def _course(self, sound: Sound) -> Floats:
        """Power of an atlas sound in each of its frames, where pitch classes are read."""
        parts = sound.spectra[:, self._heard].sum(axis=1)
        return np.asarray(parts @ sound.activity, dtype=np.float64)

    def _notes(self, notes: Sequence[_Note]) -> tuple[Floats, Floats]:
        """Profile (notes, 12) and loudness (notes,) of each note; equal ones are looked up once."""
        kinds = [(note.name, note.arguments["note"]) for note in notes]
        found = {kind: self._note(*kind) for kind in dict.fromkeys(kinds)}
        places = dict(zip(found, range(len(found)), strict=True))
        profiles = np.array([profile for profile, _ in found.values()], dtype=np.float64)
        power = np.array([power for _, power in found.values()])
        which = np.array([places[kind] for kind in kinds])
        return profiles[which], power[which]

    def _note(self, synth: str, note: float) -> tuple[FloatArray, float]:
        """Profile and loudness of a note; those of whole notes are kept, whatever plays them."""
        known = self._whole_notes.get((synth, note))
        if known is None:
            known = self._profiles.of_note(synth, note), self._loudness(synth, note)
            if note in _WHOLE_NOTES and synth in self._synths:
                self._whole_notes[synth, note] = known
        return known

    def _loudness(self, synth: str, note: float) -> float:
        levels = self._synths.get(synth)
        if levels is None:
            return _UNKNOWN_POWER
        return levels[min(range(len(levels)), key=lambda place: abs(ATLAS_NOTES[place] - note))]

    def _sampled(self, samples: Sequence[Event], middle: Floats) -> Floats:
        """Power by pitch class of all samples, shape (12, frames)."""
        kinds = [(event.name, event.arguments.get("rate", 1.0)) for event in samples]
        places = {kind: place for place, kind in enumerate(dict.fromkeys(kinds))}
        profiles = np.stack([self._profiles.of_sample(name, rate) for name, rate in places])
        offset = np.array([self._samples[name][0] for name, _ in places])
        length = np.array([self._samples[name][1] for name, _ in places])
        speed = np.array([abs(rate) for _, rate in places]) / FRAME_SECONDS
        which = np.array([places[kind] for kind in kinds])
        shapes = [(event.time, event.arguments.get("amp", 1.0)) for event in samples]
        onset, amp = np.array(shapes).T
        first = np.maximum(0, (onset / CHROMA_FRAME_SECONDS).astype(np.int64))
        seconds = length[which] / np.maximum(speed[which], 1e-9)
        heard = np.minimum(seconds / CHROMA_FRAME_SECONDS + 2.0, len(middle))
        needed = np.clip(heard.astype(np.int64), 0, np.maximum(len(middle) - first, 0))
        row = np.repeat(np.arange(len(which)), needed)
        frame = np.arange(len(row)) + (first - np.cumsum(needed) + needed)[row]
        kind = which[row]
        place = np.maximum(((middle[frame] - onset[row]) * speed[kind]).astype(np.int64), 0)
        inside = place < length[kind]
        power = self._sample_courses[offset[kind] + np.where(inside, place, 0)]
        power *= (amp**2)[row] * inside
        size = len(places) * len(middle)
        courses = np.bincount(kind * len(middle) + frame, power, size).reshape(-1, len(middle))
        return np.asarray(profiles.T @ courses)


def _are_sane(arguments: Mapping[str, float]) -> bool:
    """Whether none is beyond what sound can be made of; NaN and infinity show in the sum."""
    return -_LARGEST < sum(arguments.values()) < _LARGEST


def _tamed(event: Event) -> Event:
    arguments = {
        key: min(max(value, -_LARGEST), _LARGEST) if value == value else 0.0
        for key, value in event.arguments.items()
    }
    return event._replace(arguments=arguments)


def _sounding_notes(events: Sequence[Event]) -> list[_Note]:
    """All notes, those that are changed cut into stretches; slides are steps."""
    changes: dict[int, list[Event]] = {}
    for event in events:
        if event.kind == "control" and not event.arguments.keys().isdisjoint(_HEARD_CHANGES):
            changes.setdefault(event.node, []).append(event)
    notes: list[_Note] = []
    for event in events:
        time, kind, name, arguments, node = event
        if kind != "synth" or "note" not in arguments:
            continue
        if node not in changes:
            notes.append(_Note(time, name, arguments))
            continue
        for start, end, changed in stretches_of(event, changes[node]):
            notes.append(_Note(time, name, changed, start, end))
    return notes


def _shape(arguments: Mapping[str, float]) -> tuple[float, float, float, float]:
    """Rise, level and fall of a note, seconds, and its amplitude."""
    get = arguments.get
    rise = get("attack", 0.0) + get("decay", 0.0)
    return rise, get("sustain", 0.0), get("release", 1.0), get("amp", 1.0)


def _note_courses(notes: Sequence[_Note], middle: Floats) -> Floats:
    """Power of each note in each frame, (notes, frames): straight up, level, straight down."""
    different = {id(note.arguments): note.arguments for note in notes}
    shapes = {key: _shape(arguments) for key, arguments in different.items()}
    rows = [(note.onset, *shapes[id(note.arguments)]) for note in notes]
    onset, attack, sustain, release, amp = np.array(rows).T[:, :, None]
    start, end = np.array([(note.start, note.end) for note in notes]).T[:, :, None]
    since = middle - onset
    rise = (since / np.maximum(attack, CHROMA_FRAME_SECONDS / 2)).clip(0.0, 1.0)
    down = (since - attack - sustain) / np.maximum(release, CHROMA_FRAME_SECONDS)
    level = rise * (1.0 - down).clip(0.0, 1.0)
    if start.any():  # some change while they sound
        level *= (since >= start) & (since < end)
    return np.asarray((amp * level) ** 2)
