"""What a program will play, as a picture of its sound: the sketch in the words of the descriptors.

The sketch has the mel spectrogram; the pitch classes come from the notes themselves, with the
partials that a spectrum would show. `describe` then gives the same numbers as for real sound.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from corpus.sonic_pi.atlas import Atlas
from corpus.sonic_pi.events import Event
from corpus.sonic_pi.sketch import sketch
from models.sound_descriptors import SoundPicture, describe

__all__ = ["describe_events", "note_chroma"]

FloatArray = NDArray[np.float32]
CHROMA_FRAME_SECONDS: Final = 0.1
# Power of partials 1, 3 and 5 as they fall on other pitch classes (2 and 4 fall on the note's own).
PARTIALS: Final = ((0, 1.0), (7, 0.15), (4, 0.04))
_QUIETEST: Final = 1e-6


def describe_events(events: Sequence[Event], seconds: float, atlas: Atlas) -> FloatArray:
    """Description of what a list of events will sound like, shape (DESCRIPTION_DIM,).

    Args:
        events: of the unroller or of the language runtime.
        seconds: how much of the program, ≥ 0.1.
        atlas: sounds of synths and samples.

    Raises:
        ValueError: if `seconds` is too short for a frame.
    """
    drawn = sketch(events, seconds, atlas)
    chroma = note_chroma(events, seconds)
    return describe(SoundPicture(drawn.power, drawn.frame_seconds, chroma))


def note_chroma(events: Sequence[Event], seconds: float) -> FloatArray:
    """Power by pitch class of all notes, shape (12, frames of 0.1 s); samples have none here."""
    n_frames = max(1, int(seconds / CHROMA_FRAME_SECONDS))
    chroma = np.zeros((12, n_frames))
    begin = np.arange(n_frames) * CHROMA_FRAME_SECONDS
    for event in events:
        if event.kind != "synth" or "note" not in event.arguments:
            continue
        power = _course(event, begin)
        place = float(event.arguments["note"])
        for step, strength in PARTIALS:
            low = int(np.floor(place + step))
            part = place + step - low
            chroma[low % 12] += (1 - part) * strength * power
            chroma[(low + 1) % 12] += part * strength * power
    return chroma.astype(np.float32)


def _course(event: Event, begin: NDArray[np.float64]) -> NDArray[np.float64]:
    """Power of a note in each frame: its envelope squared, straight up, level, straight down."""
    arguments = event.arguments
    attack = arguments.get("attack", 0.0) + arguments.get("decay", 0.0)
    sustain, release = arguments.get("sustain", 0.0), arguments.get("release", 1.0)
    since = begin + CHROMA_FRAME_SECONDS / 2 - event.time
    rise = np.clip(since / max(attack, CHROMA_FRAME_SECONDS / 2), 0.0, 1.0)
    fall = np.clip(1.0 - (since - attack - sustain) / max(release, CHROMA_FRAME_SECONDS), 0.0, 1.0)
    inside = since > -CHROMA_FRAME_SECONDS / 2
    level = np.where(inside, np.maximum(rise, _QUIETEST) * fall, 0.0)
    return np.asarray((arguments.get("amp", 1.0) * level) ** 2)
