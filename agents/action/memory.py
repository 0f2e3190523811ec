"""The memory: the performer's own sound, cut on the window grid and labelled by the shared ear.

Segments are counted over all files in the order given; a file's segments start at its first
sample. Audio is float32 of shape (frames, channels), full scale ±1; levels are dBFS (RMS).
"""

import logging
from bisect import bisect_right
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from agents.action.track import Track, cached_track, listen_to
from corpus.segmentation import WindowGrid
from models.alphabet import SILENCE
from models.labeller import Labeller

LOWEST_DB: Final = -120.0
"""Typical level of a memory that is all silence, dBFS."""

_LOG = logging.getLogger(__name__)


class Memory:
    """Segments of one or several tracks: what each is, and its sound.

    Args:
        tracks: at least one, all with the same number of channels.
        grid: the grid on which they are cut.

    Raises:
        ValueError: no track, or tracks whose numbers of channels differ.
    """

    def __init__(self, tracks: Sequence[Track], grid: WindowGrid) -> None:
        channels = {track.samples.shape[1] for track in tracks}
        if len(channels) != 1:
            raise ValueError(
                "a memory needs at least one track, all with equally many channels, "
                f"got {len(tracks)} with {sorted(channels)}; name an audio file"
            )
        self.grid = grid
        self.channels: int = channels.pop()
        self.labels = np.concatenate([track.labels for track in tracks])
        """Class ids or SILENCE, shape (segments,), int64."""
        self.distances = np.concatenate([track.distances for track in tracks])
        """Distances to the centres of the classes, ≥ 0, shape (segments,)."""
        self.energy_db = np.concatenate([track.energy_db for track in tracks])
        """RMS levels, dBFS, shape (segments,)."""
        self.onset = np.concatenate([track.onset for track in tracks])
        """Onset strengths, ≥ 0, shape (segments,)."""
        ends = np.cumsum([len(track.labels) for track in tracks])
        self.starts: tuple[int, ...] = (0, *ends[:-1].tolist())
        """First segment of each track."""
        sounding = self.labels != SILENCE
        self.playable: frozenset[int] = frozenset(self.labels[sounding].tolist())
        """The labels that can be played; empty if the memory is all silence."""
        typical = np.median(self.energy_db[sounding]) if sounding.any() else LOWEST_DB
        self.typical_db = float(typical)
        """Median level of the segments that sound, dBFS."""
        self._tracks = tuple(tracks)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def is_silent(self) -> bool:
        """Whether nothing in it sounds, so that it can only play silence."""
        return not self.playable

    @property
    def n_tracks(self) -> int:
        """How many tracks it is made of, removed ones included."""
        return len(self._tracks)

    def add(self, track: Track) -> "Memory":
        """A memory with one more track, counted after all others."""
        return Memory([*self._tracks, track], self.grid)

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
        return Memory([*self._tracks[:number], track, *self._tracks[number + 1 :]], self.grid)

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


def build_memory(
    paths: Sequence[Path],
    labeller: Labeller,
    grid: WindowGrid,
    channels: Literal[1, 2],
    *,
    cache_dir: Path | None = None,
    fingerprint: str = "",
    progress: Callable[[Path, int, int], None] | None = None,
) -> Memory:
    """Read, cut and label audio files, or take them from the cache.

    A file shorter than one window is filled up with silence.

    Args:
        paths: audio files, in the order in which their segments are counted.
        labeller: the shared ear and codebook; it starts afresh with every file.
        grid: at the rate of the ear.
        channels: 1 or 2.
        cache_dir: folder for finished tracks, made if missing; None keeps them in main memory.
        fingerprint: names the ear (encoder, condenser, gate) for the cache; the codebook's
            numbers are added.
        progress: told (path, index, count) before each file.

    Raises:
        ValueError: no path, or a grid at another rate than the ear's.
        AudioFileError: a file that cannot be used (see `read_audio`).
    """
    if labeller.ear.sample_rate != grid.sample_rate:
        raise ValueError(
            f"the memory must be cut at the ear's {labeller.ear.sample_rate} Hz, got a grid at "
            f"{grid.sample_rate} Hz; build both from one configuration"
        )
    tracks = []
    for index, path in enumerate(paths):
        if progress:
            progress(path, index, len(paths))
        if cache_dir:
            track = cached_track(path, labeller, grid, channels, cache_dir, fingerprint)
        else:
            track = listen_to(path, labeller, grid, channels)
        tracks.append(track)
    memory = Memory(tracks, grid)
    if memory.is_silent:
        _LOG.warning("the memory is all silence and will play silence; give it a louder file")
    return memory
