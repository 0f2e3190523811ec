"""The inner loops of pitch classes over time, compiled: notes and samples added frame by frame."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from corpus.compiled import compiled

__all__ = ["CHROMA_FRAME_SECONDS", "add_notes", "add_samples", "note_profile", "turned"]

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]
CHROMA_FRAME_SECONDS: Final = 0.1


@compiled
def add_notes(
    chroma: Numbers,
    notes: Numbers,
    which: Indices,
    onsets: Numbers,
    profiles: Numbers,
    levels: Numbers,
    measured: Numbers,
) -> None:
    """Adds notes to a chromagram: each goes straight up, stays level and goes straight down.

    Args:
        chroma: power by pitch class, (12, frames).
        notes: 0 row of its synth, 1 MIDI number, 2-4 rise, level and fall in seconds, 5 amplitude,
            6-7 the stretch that sounds, in seconds from the onset, (notes, 8).
        which: of each note heard, its row of `notes`.
        onsets: of each note heard, seconds.
        profiles: of each synth at some notes, relative to the note, (synths, 5, 12).
        levels: how loud each synth is at each measured note, (synths, measured).
        measured: MIDI numbers, rising.
    """
    profile = np.empty(12)
    for sound in range(len(which)):
        row, onset = notes[which[sound]], onsets[sound]
        synth, note = int(row[0]), row[1]
        rise, sustain, fall = row[2], row[3], row[4]
        note_profile(profiles[synth], note, profile)
        nearest = 0
        for place in range(1, len(measured)):
            if abs(measured[place] - note) < abs(measured[nearest] - note):
                nearest = place
        power = row[5] ** 2 * levels[synth, nearest]
        last = onset + rise + sustain + max(fall, CHROMA_FRAME_SECONDS)
        first = max(0, int(onset / CHROMA_FRAME_SECONDS))
        end = min(chroma.shape[1], int(max(0.0, last) / CHROMA_FRAME_SECONDS) + 1)
        for frame in range(first, end):
            since = (frame + 0.5) * CHROMA_FRAME_SECONDS - onset
            if not row[6] <= since < row[7]:
                continue
            level = min(max(since / max(rise, CHROMA_FRAME_SECONDS / 2), 0.0), 1.0)
            down = (since - rise - sustain) / max(fall, CHROMA_FRAME_SECONDS)
            level *= min(max(1.0 - down, 0.0), 1.0)
            for pitch in range(12):
                chroma[pitch, frame] += power * level * level * profile[pitch]


@compiled
def add_samples(
    chroma: Numbers,
    samples: Numbers,
    which: Indices,
    onsets: Numbers,
    profiles: Numbers,
    courses: Numbers,
    places: Indices,
    frame_seconds: float,
) -> None:
    """Adds samples to a chromagram.

    Args:
        chroma: power by pitch class, (12, frames).
        samples: 0 row of the sample, 1 rate, 2 amplitude, (samples, 3).
        which: of each sample heard, its row of `samples`.
        onsets: of each sample heard, seconds.
        profiles: of each sample at its own speed, C first, (all, 12).
        courses: power of every sample in its frames, one after the other.
        places: where in `courses` each begins, and its frames, (all, 2).
        frame_seconds: of `courses`.
    """
    profile, n_frames = np.empty(12), chroma.shape[1]
    for sound in range(len(which)):
        row, onset = samples[which[sound]], onsets[sound]
        sample, rate = int(row[0]), abs(row[1])
        if rate > 0.0:
            turned(profiles[sample], 12.0 * math.log2(rate), profile)
        else:  # held at its first frame: no pitch
            profile[:] = 1.0 / 12.0
        start, length = places[sample]
        first = max(0, int(onset / CHROMA_FRAME_SECONDS))
        heard = length * frame_seconds / max(rate, 1e-9 * frame_seconds) / CHROMA_FRAME_SECONDS
        end = min(n_frames, first + int(min(heard + 2.0, n_frames)))
        for frame in range(first, end):
            since = (frame + 0.5) * CHROMA_FRAME_SECONDS - onset
            place = max(0, int(since * rate / frame_seconds))
            if place < length:
                power = courses[start + place] * row[2] ** 2
                for pitch in range(12):
                    chroma[pitch, frame] += power * profile[pitch]


@compiled
def note_profile(profiles: Numbers, note: float, out: Numbers) -> None:
    """Fills in the profile of a note, C first.

    Args:
        profiles: measured at 36, 48, … 84, relative to the note, (5, 12).
        note: MIDI number; outside of what is measured the nearest counts.
        out: shape (12,).
    """
    place = (min(max(note, 36.0), 84.0) - 36.0) / 12.0
    low = min(int(place), len(profiles) - 2)
    part = place - low
    relative = np.empty(12)
    for pitch in range(12):
        relative[pitch] = (1.0 - part) * profiles[low, pitch] + part * profiles[low + 1, pitch]
    turned(relative, note, out)


@compiled
def turned(profile: Numbers, semitones: float, out: Numbers) -> None:
    """Fills in a profile moved up, (12,); between two semitones it is shared."""
    low = math.floor(semitones)
    part = semitones - low
    for pitch in range(12):
        here = profile[int(pitch - low) % 12]
        out[pitch] = (1.0 - part) * here + part * profile[int(pitch - low - 1) % 12]
