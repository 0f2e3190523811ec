"""What people wrote down about a song: beats, chords and keys, in seconds from its start.

Read from text files beside a MIDI file, as POP909 has them: `beat_midi.txt` (time first),
`chord_midi.txt` and `key_audio.txt` (start, end, name). Chords and keys are never needed for
learning; the alphabet card and the key estimate are judged by them. Windows may follow the beats;
those of audio are found by `corpus.beat_tracking`.
"""

import re
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

__all__ = [
    "NO_CLASS",
    "Annotations",
    "Span",
    "chord_classes",
    "key_of",
    "keys_at",
    "read_annotations",
]

NO_CLASS: Final = -1
"""No chord, or no annotation, at a moment."""
_STEPS: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_NAME: Final = re.compile(r"([A-G])([#b]*)(?::(.*))?")
_QUALITIES: Final = (("min", 1), ("dim", 2), ("hdim", 2), ("aug", 3), ("sus", 4))


class Span(BaseModel, frozen=True, extra="forbid"):
    """Something that holds for a while."""

    start: float
    """Seconds."""
    end: float
    """Seconds, ≥ start."""
    name: str
    """Such as "Bb:min7" (a chord) or "Gb:maj" (a key)."""


class Annotations(BaseModel, frozen=True, extra="forbid"):
    """All that is known about a song; each may be empty."""

    beats: tuple[float, ...] = ()
    """Times of the beats, seconds, rising."""
    chords: tuple[Span, ...] = ()
    """In order."""
    keys: tuple[Span, ...] = ()
    """In order."""


def read_annotations(folder: Path) -> Annotations:
    """What the text files in `folder` say; what is missing or unreadable is empty."""
    beats = sorted({row[0] for row in _rows(folder / "beat_midi.txt", 1)}, key=float)
    return Annotations(
        beats=tuple(float(time) for time in beats),
        chords=_spans(folder / "chord_midi.txt"),
        keys=_spans(folder / "key_audio.txt"),
    )


def chord_classes(chords: tuple[Span, ...], moments: NDArray[np.floating]) -> NDArray[np.int64]:
    """The chord at each moment as root · 5 + family, NO_CLASS where there is none.

    Families: 0 major and dominant, 1 minor, 2 diminished, 3 augmented, 4 suspended; inversions
    and added notes do not count.

    Args:
        chords: in order.
        moments: seconds, shape (n,).
    """
    classes = np.full(len(moments), NO_CLASS, dtype=np.int64)
    for span in chords:
        match = _NAME.fullmatch(span.name)
        if match:
            quality = match[3] or "maj"
            family = next((c for start, c in _QUALITIES if quality.startswith(start)), 0)
            inside = (moments >= span.start) & (moments < span.end)
            classes[inside] = _root(match) * 5 + family
    return classes


def key_of(name: str) -> int | None:
    """A key as tonic + 12 for minor, 0 (C major) to 23 (B minor); None if it cannot be read."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    return _root(match) + (12 if (match[3] or "maj").startswith("min") else 0)


def keys_at(keys: tuple[Span, ...], moments: NDArray[np.floating]) -> NDArray[np.int64]:
    """The key at each moment, NO_CLASS where none is known.

    Args:
        keys: in order.
        moments: seconds, shape (n,).
    """
    found = np.full(len(moments), NO_CLASS, dtype=np.int64)
    for span in keys:
        key = key_of(span.name)
        if key is not None:
            found[(moments >= span.start) & (moments < span.end)] = key
    return found


def _root(match: re.Match[str]) -> int:
    return (_STEPS[match[1]] + match[2].count("#") - match[2].count("b")) % 12


def _rows(path: Path, n_numbers: int) -> list[list[str]]:
    """Lines of a table whose first `n_numbers` columns are finite numbers."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    rows = [line.split() for line in lines]
    return [row for row in rows if len(row) >= n_numbers and all(map(_is_time, row[:n_numbers]))]


def _spans(path: Path) -> tuple[Span, ...]:
    rows = [row for row in _rows(path, 2) if len(row) == 3]
    spans = [Span(start=float(row[0]), end=float(row[1]), name=row[2]) for row in rows]
    return tuple(sorted((s for s in spans if s.end > s.start), key=lambda s: s.start))


def _is_time(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False
