"""The memory: the performer's own sound, cut on the window grid and labelled by the shared ear.

Segments are counted over all files in the order given; a file's segments start at its first
sample. Transposed tracks come last; only what the others lack is played of them. Audio is float32
of shape (frames, channels), full scale ±1; levels are dBFS (RMS).
"""

import logging
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from agents.action.manner import Manner
from agents.action.track import Track, listen_to
from agents.action.track_cache import TrackCache
from corpus.audio_file import content_hash
from corpus.segmentation import WindowGrid
from corpus.transposition import MOST_SEMITONES
from models.alphabet import SILENCE
from models.labeller import Labeller

FORMAT: Final = "track-3"
"""Changes whenever a track cached before would be wrong."""
SHORT_SECONDS: Final = 150.0
SHORT_TRANSPOSE: Final = 3
MOST_TRANSPOSED_SECONDS: Final = 3600.0
"""Transpositions are kept in main memory: 1.3 GB an hour in stereo at 44.1 kHz."""
LOWEST_DB: Final = -120.0
"""Typical level of a memory that is all silence, dBFS."""

_LOG = logging.getLogger(__name__)


class Memory:
    """Segments of one or several tracks: what each is, and its sound.

    Args:
        own: at least one; all tracks have equally many channels and rotations.
        grid: the grid on which they are cut.
        transposed: tracks for the labels that those do not have.
        names: of all tracks.

    Raises:
        ValueError: no track, or tracks whose numbers of channels differ.
    """

    def __init__(
        self,
        own: Sequence[Track],
        grid: WindowGrid,
        transposed: Sequence[Track] = (),
        names: Sequence[str] = (),
    ) -> None:
        tracks = [*own, *_for_what_they_lack(own, transposed)]
        channels = {track.samples.shape[1] for track in tracks}
        if len(channels) != 1:
            raise ValueError(
                "a memory needs at least one track, all with equally many channels, "
                f"got {len(tracks)} with {sorted(channels)}; name an audio file"
            )
        self.grid = grid
        self.channels: int = channels.pop()
        self.names = tuple(names)
        """Of all tracks, for a report."""
        self.labels = np.concatenate([track.labels for track in tracks], axis=1)
        """Class ids or SILENCE, (rotations, segments) int64; all rotations rest together."""
        self.distances = np.concatenate([track.distances for track in tracks], axis=1)
        """Distances to the centres of the classes, ≥ 0, shape (rotations, segments)."""
        self.energy_db = np.concatenate([track.energy_db for track in tracks])
        """RMS levels, dBFS, shape (segments,)."""
        self.onset = np.concatenate([track.onset for track in tracks])
        """Onset strengths, ≥ 0, shape (segments,)."""
        self.attacks = np.concatenate([track.attacks for track in tracks])
        """Strongest onset in each of equal parts of the segments, ≥ 0, (segments, parts)."""
        ends = np.cumsum([len(track.energy_db) for track in tracks])
        self.starts: tuple[int, ...] = (0, *ends[:-1].tolist())
        """First segment of each track."""
        sounding = self.labels[0] != SILENCE
        self.playable = tuple(frozenset(turned[sounding].tolist()) for turned in self.labels)
        """The labels that can be played in each rotation; none if the memory is all silence."""
        typical = np.median(self.energy_db[sounding]) if sounding.any() else LOWEST_DB
        self.typical_db = float(typical)
        """Median level of the segments that sound, dBFS."""
        self._tracks = tuple(
            replace(track, labels=self.labels[:, first:end])
            for track, first, end in zip(tracks, self.starts, ends.tolist(), strict=True)
        )

    def __len__(self) -> int:
        return len(self.energy_db)

    @property
    def is_silent(self) -> bool:
        """Whether nothing in it sounds, so that it can only play silence."""
        return not self.playable[0]

    @property
    def n_tracks(self) -> int:
        """How many tracks it is made of, removed ones included."""
        return len(self._tracks)

    @property
    def manner(self) -> Manner:
        """How each segment is played."""
        level_db = self.energy_db - np.float32(self.typical_db)
        return Manner(self.attacks, self.onset, level_db, self.labels[0] != SILENCE)

    def add(self, track: Track) -> "Memory":
        """A memory with one more track, counted after all others."""
        return Memory([*self._tracks, track], self.grid, names=self.names)

    def add_rest(self, n_segments: int) -> "Memory":
        """A memory with `n_segments` places more, all silent."""
        return self.add(self._tracks[0].silenced(self.grid.boundaries(n_segments)))

    def remove(self, number: int) -> "Memory":
        """A memory in which track `number` is silent and its sound let go; no index changes."""
        return self.replace(number, self._tracks[number].silenced())

    def sounds_at(self, segment: int) -> bool:
        """Whether there is a segment of that index, and it sounds."""
        number = bisect_right(self.starts, segment) - 1
        index = segment - self.starts[max(number, 0)]
        labels = self._tracks[number].labels
        return 0 <= index < labels.shape[-1] and bool(labels[..., index].max() != SILENCE)

    def replace(self, number: int, track: Track) -> "Memory":
        """A memory in which `track`, with equally many segments, stands for track `number`."""
        tracks = [*self._tracks[:number], track, *self._tracks[number + 1 :]]
        return Memory(tracks, self.grid, names=self.names)

    def cut(self, segment: int, lead_samples: int, tail_samples: int) -> NDArray[np.float32]:
        """A segment with the sound around it, zeros beyond the ends of its file.

        Args:
            segment: index, 0 ≤ segment < len.
            lead_samples: frames before the segment, ≥ 0.
            tail_samples: frames after the segment, ≥ 0.

        Returns:
            A new array (lead + frames of the segment + tail, channels), float32.
        """
        number = bisect_right(self.starts, segment) - 1
        track, index = self._tracks[number], segment - self.starts[number]
        first = int(track.boundaries[index]) - lead_samples
        last = int(track.boundaries[index + 1]) + tail_samples
        sound = np.zeros((last - first, self.channels), dtype=np.float32)
        inside = track.samples[max(first, 0) : last]
        at = max(-first, 0)
        sound[at : at + len(inside)] = inside
        return sound


def _for_what_they_lack(own: Sequence[Track], transposed: Sequence[Track]) -> list[Track]:
    """Transposed tracks, SILENCE where they are not needed.

    In each rotation, a transposed segment counts only if no segment of the memory's own has its
    label: the performer's sound as it is comes first.
    """
    if not (own and transposed):
        return list(transposed)
    had = np.concatenate([track.labels for track in own], axis=1)
    needed = []
    for track in transposed:
        known = np.array([np.isin(row, kept) for row, kept in zip(track.labels, had, strict=True)])
        needed.append(replace(track, labels=np.where(known, SILENCE, track.labels)))
    return needed


def build_memory(
    paths: Sequence[Path],
    labeller: Labeller,
    grid: WindowGrid,
    channels: Literal[1, 2],
    *,
    transpose: int | None = 0,
    cache: TrackCache | None = None,
    fingerprint: str = "",
    progress: Callable[[str, int, int], None] | None = None,
) -> Memory:
    """Read, cut and label audio files, or take them from the cache.

    A file shorter than one window is filled up with silence.

    Args:
        paths: audio files, in the order in which their segments are counted.
        labeller: the shared ear and codebook; it starts afresh with every file.
        grid: at the rate of the ear.
        channels: 1 or 2.
        transpose: semitones up and down by which files are transposed as well, for the labels
            that they lack themselves; None: see `semitones_of`.
        cache: of finished tracks; None hears every file.
        fingerprint: names the ear (encoder, condenser, gate) for the cache; the codebook's
            numbers are added.
        progress: told (name, index, count) before each track.

    Raises:
        ValueError: no path, a grid at another rate than the ear's, or too far a transposition.
        AudioFileError: a file that cannot be used (see `read_audio`).
    """
    if labeller.ear.sample_rate != grid.sample_rate:
        raise ValueError(
            f"the memory must be cut at the ear's {labeller.ear.sample_rate} Hz, got a grid at "
            f"{grid.sample_rate} Hz; build both from one configuration"
        )

    def track_of(path: Path, semitones: int) -> Track:
        if cache is None:
            return listen_to(path, labeller, grid, channels, semitones)
        return cached_track(path, labeller, grid, channels, cache, fingerprint, semitones=semitones)

    own: list[Track] = []
    for index, path in enumerate(paths):
        if progress:
            progress(path.name, index, len(paths))
        own.append(track_of(path, 0))
    seconds = sum(len(track.samples) for track in own) / grid.sample_rate
    semitones = semitones_of(transpose, seconds, labeller)
    shifted = [(path, shift) for shift in semitones for path in paths]
    transposed: list[Track] = []
    for index, (path, shift) in enumerate(shifted):
        if progress:
            progress(f"{path.name} {shift:+d}", index, len(shifted))
        transposed.append(track_of(path, shift))
    if cache is not None:
        cache.prune()
    names = [
        *(path.name for path in paths),
        *(f"{path.name} {shift:+d}" for path, shift in shifted),
    ]
    memory = Memory(own, grid, transposed, names)
    if memory.is_silent:
        _LOG.warning("the memory is all silence and will play silence; give it a louder file")
    return memory


def cached_track(
    path: Path,
    labeller: Labeller,
    grid: WindowGrid,
    channels: Literal[1, 2],
    cache: TrackCache,
    fingerprint: str,
    *,
    semitones: int = 0,
) -> Track:
    """The same as `listen_to`, from the cache if it was heard before; see `build_memory`.

    Raises:
        AudioFileError: a file that cannot be used (see `read_audio`).
    """
    facts = (
        *(FORMAT, content_hash(path), grid.sample_rate, grid.window_seconds, channels),
        *(semitones, labeller.n_rotations, fingerprint, labeller.codebook.centres.tobytes()),
    )
    return cache.track(
        facts, lambda: listen_to(path, labeller, grid, channels, semitones), str(path)
    )


def semitones_of(transpose: int | None, seconds: float, labeller: Labeller) -> list[int]:
    """By how many semitones a memory is transposed, nearest first.

    Args:
        transpose: up and down, 0..MOST_SEMITONES. None: `SHORT_TRANSPOSE` for a memory of at most
            `SHORT_SECONDS` under a key-normalised bundle, else 0.
        seconds: length of the memory.
        labeller: the bundle's.

    Raises:
        ValueError: `transpose` out of range, or more sound than `MOST_TRANSPOSED_SECONDS`.
    """
    if transpose is None:
        is_short = labeller.n_rotations > 1 and seconds <= SHORT_SECONDS
        transpose = SHORT_TRANSPOSE if is_short else 0
    if not 0 <= transpose <= MOST_SEMITONES:
        raise ValueError(
            f"transpose must be in 0..{MOST_SEMITONES} semitones, got {transpose}; lower it"
        )
    if 2 * transpose * seconds > MOST_TRANSPOSED_SECONDS:
        raise ValueError(
            f"a memory that is transposed must stay under {MOST_TRANSPOSED_SECONDS:.0f} s in all "
            f"its transpositions, got {seconds:.0f} s in {2 * transpose}; lower transpose, or give "
            "a shorter memory"
        )
    return [shift for size in range(1, transpose + 1) for shift in (size, -size)]
