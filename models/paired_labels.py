"""Pairs of labelled tracks: the material of training, and its honest split.

A song is two or more tracks on one window grid. Every ordered pair (A, B) of its tracks teaches
"A is heard, B answers". What is held out is never trained on: whole songs if there are at least
five, otherwise the end of every song.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.alphabet import SILENCE

SONGS_FOR_SPLIT_BY_SONG: Final = 5
TEST_SHARE: Final = 0.2
VALIDATION_SHARE: Final = 0.1
_SONGS_TOLD: Final = 12
_LONGEST_BLOCK: Final = 480  # windows; bounds the memory of one reading


@dataclass(frozen=True, eq=False)
class LabelTrack:
    """One track, window by window.

    Args:
        labels: (W,) int64, class ids or SILENCE.
        energy_db: (W,) float32, level, dBFS.
        onset: (W,) float32, onset strength, ≥ 0.
    """

    labels: NDArray[np.int64]
    energy_db: NDArray[np.float32]
    onset: NDArray[np.float32]

    def __post_init__(self) -> None:
        shapes = (self.labels.shape, self.energy_db.shape, self.onset.shape)
        if self.labels.ndim != 1 or len(set(shapes)) != 1:
            raise ValueError(f"a track needs three vectors of one length, got shapes {shapes}")


@dataclass(frozen=True, eq=False)
class LabelledSong:
    """Tracks that were played together, W windows each.

    Args:
        name: of the song.
        tracks: two or more, by name.
        apart: pairs of names that do not answer each other.
    """

    name: str
    tracks: Mapping[str, LabelTrack]
    apart: frozenset[tuple[str, str]] = frozenset()

    def __post_init__(self) -> None:
        lengths = {name: len(track.labels) for name, track in self.tracks.items()}
        if len(lengths) < 2 or len(set(lengths.values())) != 1:
            raise ValueError(
                f"the song {self.name} must have two or more tracks of equal length, got {lengths}"
            )

    @property
    def n_windows(self) -> int:
        """W."""
        return len(next(iter(self.tracks.values())).labels)


@dataclass(frozen=True, eq=False)
class Block:
    """A stretch of one ordered pair: T windows, of which the first only warm up.

    Args:
        song: name of the song.
        first_window: index in the song of the block's first window.
        warm_up: leading windows that are heard but not scored, ≥ 0.
        heard: (T,) int64, labels of A.
        fields: (T, 2 or more) float32, energy in dB and onset strength of A; what follows is told
            to a network beside them.
        answer: (T,) int64, labels of B.
        answer_fields: (T, 2) float32, energy in dB and onset strength of B; None if not known.
    """

    song: str
    first_window: int
    warm_up: int
    heard: NDArray[np.int64]
    fields: NDArray[np.float32]
    answer: NDArray[np.int64]
    answer_fields: NDArray[np.float32] | None = None

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Windows whose answer is judged, (T,): after the warm-up, and never the first."""
        windows = np.arange(len(self.heard))
        return windows >= max(self.warm_up, 1)

    @property
    def scored_active(self) -> NDArray[np.bool_]:
        """Judged windows in which B plays, (T,)."""
        return self.scored & (self.answer != SILENCE)


@dataclass(frozen=True, eq=False)
class Split:
    """Blocks to train on, to stop by, and to report on.

    Args:
        train: whole stretches, without warm-up.
        validation: early stopping and back-off strengths are chosen on these.
        test: looked at once, for the report.
        by: "song" or "time".
        astray: training songs with their key misjudged; a network is trained on these as well.
    """

    train: tuple[Block, ...]
    validation: tuple[Block, ...]
    test: tuple[Block, ...]
    by: str
    astray: tuple[Block, ...] = ()

    @property
    def description(self) -> str:
        """How the material was split, in words."""
        if self.by == "song":
            names = sorted({block.song for block in self.test})
            told = ", ".join(names[:_SONGS_TOLD]) + (" and others" * (len(names) > _SONGS_TOLD))
            return f"by song; reported on {len(names)} held-out songs: {told}"
        return (
            f"by time; reported on the last {TEST_SHARE:.0%} of every song, held out as one "
            f"stretch (the {VALIDATION_SHARE:.0%} before it decide when to stop)"
        )


def split_songs(
    songs: Sequence[LabelledSong], context: int, seed: int, *, both_directions: bool = True
) -> Split:
    """Divide songs into training, validation and test.

    Args:
        songs: at least one.
        context: windows of warm-up before a scored stretch, where the song has them.
        seed: of the draw of songs.
        both_directions: every ordered pair of tracks; otherwise a later track answers an earlier.

    Raises:
        ValueError: no songs.
    """
    if not songs:
        raise ValueError("there must be at least one song to learn from, got none")
    parts: dict[str, list[Block]] = {"train": [], "validation": [], "test": []}
    by_song = len(songs) >= SONGS_FOR_SPLIT_BY_SONG
    roles = _roles(len(songs), seed) if by_song else []
    for index, song in enumerate(songs):
        n = song.n_windows
        borders = [round(n * (1 - TEST_SHARE - VALIDATION_SHARE)), round(n * (1 - TEST_SHARE))]
        spans = {"train": (0, borders[0]), "validation": (borders[0], borders[1])}
        spans["test"] = (borders[1], n)
        if by_song:
            spans = {roles[index]: (0, n)}
        for role, (start, stop) in spans.items():
            warm_up = 0 if role == "train" else context
            for heard, answer in _ordered_pairs(song, both_directions=both_directions):
                parts[role] += _blocks(song.name, heard, answer, start, stop, warm_up)
    train, validation, test = (tuple(parts[role]) for role in ("train", "validation", "test"))
    return Split(train, validation, test, "song" if by_song else "time")


def _roles(n_songs: int, seed: int) -> list[str]:
    """Which part each song goes to: a seeded draw, at least one song in each part."""
    n_test = max(1, round(n_songs * TEST_SHARE))
    n_validation = max(1, round(n_songs * VALIDATION_SHARE))
    roles = ["test"] * n_test + ["validation"] * n_validation
    roles += ["train"] * (n_songs - len(roles))
    order = np.random.default_rng([seed, n_songs]).permutation(n_songs)
    return [roles[place] for place in order]


def _ordered_pairs(
    song: LabelledSong, *, both_directions: bool
) -> list[tuple[LabelTrack, LabelTrack]]:
    names = list(song.tracks)
    return [
        (song.tracks[a], song.tracks[b])
        for i, a in enumerate(names)
        for j, b in enumerate(names)
        if (i < j or (both_directions and i != j)) and not {(a, b), (b, a)} & song.apart
    ]


def _blocks(
    name: str, heard: LabelTrack, answer: LabelTrack, start: int, stop: int, context: int
) -> list[Block]:
    """Windows start … stop − 1 in blocks, each with up to `context` windows of warm-up."""
    fields = np.stack([heard.energy_db, heard.onset], axis=1).astype(np.float32)
    longest = _LONGEST_BLOCK if context else max(1, stop - start)
    blocks = []
    for scored_from in range(start, stop, longest):
        first = max(0, scored_from - context)
        span = slice(first, min(stop, scored_from + longest))
        blocks.append(
            Block(
                name,
                first,
                scored_from - first,
                heard.labels[span],
                fields[span],
                answer.labels[span],
            )
        )
    return blocks
