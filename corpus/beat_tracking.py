"""Beats of songs that nobody annotated: found in the sound of all their files, drums included."""

from typing import Final

import numpy as np

from corpus.audio_file import AudioFileError, read_audio
from corpus.song_sources import SongSource

__all__ = ["find_beats"]

RATE: Final = 22_050
"""At which beats are looked for, Hz."""
FEWEST_BEATS: Final = 8
"""Fewer are no tempo."""


def find_beats(source: SongSource, seconds: float) -> tuple[float, ...]:
    """Times of the beats by dynamic programming (Ellis 2007, as in librosa), from 0 to `seconds`.

    Tempi near 120 beats per minute are thought likelier, so a slow or fast song may be counted
    twice or half as fast as a musician would.

    Args:
        source: a song in audio files.
        seconds: length of its stems.

    Returns:
        Rising, seconds; empty if there are fewer than eight.
    """
    mix = np.zeros(round(seconds * RATE), dtype=np.float32)
    for path in source.paths.values():
        try:
            samples = read_audio(path, RATE, 1)[: len(mix), 0]
        except AudioFileError:  # said where its stem is dropped
            continue
        mix[: len(samples)] += samples
    from librosa.beat import beat_track  # slow to import, and most imports need no beats

    _, found = beat_track(y=mix, sr=RATE, units="time")
    beats = tuple(round(float(time), 4) for time in found)
    return beats if len(beats) >= FEWEST_BEATS else ()
