"""Demo material of our own: where its scores, training stems, guide and memory lie.

README.md beside this file says what each is for, and gives licences and figures.
"""

from pathlib import Path
from typing import Final

DEMO_FOLDER: Final = Path(__file__).parent
DEMO_AUDIO: Final = DEMO_FOLDER / "audio"

_STEMS: Final = {
    "call_and_answer": ("clarinet", "piano"),
    "dorian_water": ("flute", "piano", "bass"),
    "two_riffs": ("guitar", "piano", "strings"),
}

DEMO_SONGS: Final[dict[str, dict[str, Path]]] = {
    song: {part: DEMO_AUDIO / song / f"{part}.ogg" for part in parts}
    for song, parts in _STEMS.items()
}
"""A few songs to try training on: song → part → stem; stems of a song are equally long."""

DEMO_GUIDE: Final = DEMO_AUDIO / "guide.ogg"
"""What the rehearsal listens to: a melody without a partner, in no training song."""

DEMO_MEMORY: Final[tuple[Path, ...]] = tuple(stems["piano"] for stems in DEMO_SONGS.values())
"""The sounds the rehearsal answers with: the piano of every song."""

DEMO_SCORES: Final[dict[str, Path]] = {
    name: DEMO_FOLDER / f"{name}.yaml" for name in (*_STEMS, "guide")
}
"""The pieces as notes (corpus/score.py), the guide included."""


def stem_path(piece: str, part: str) -> Path:
    """Where a part's sound lies, relative to the audio folder."""
    return Path("guide.ogg") if piece == "guide" else Path(piece) / f"{part}.ogg"
