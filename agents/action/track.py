"""One file of the memory: its sound at the stage's rate, cut on the grid, labelled, cached.

A cache entry is one .npz named by a hash of everything it depends on; the archive's checksums show
damage. It is read into main memory, not mapped: a mapped file that is cut short kills the process.
"""

import hashlib
import logging
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final, Literal
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from corpus.audio_file import content_hash, read_audio
from corpus.segmentation import WindowGrid
from models.alphabet import SILENCE
from models.labeller import Labeller

FORMAT: Final = "track-1"
"""Changes whenever an entry written before would be wrong."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Track:
    """One file of the memory.

    Args:
        samples: shape (frames, channels), float32, full scale ±1.
        boundaries: first sample of each segment and the end of the last, (segments + 1,) int64.
        labels: class ids or SILENCE, (segments,) int64.
        distances: to the centre of the class, ≥ 0, (segments,) float32.
        energy_db: RMS levels, dBFS, (segments,) float32.
        onset: onset strengths, ≥ 0, (segments,) float32.
    """

    samples: NDArray[np.float32]
    boundaries: NDArray[np.int64]
    labels: NDArray[np.int64]
    distances: NDArray[np.float32]
    energy_db: NDArray[np.float32]
    onset: NDArray[np.float32]

    def silenced(self, boundaries: NDArray[np.int64] | None = None) -> "Track":
        """Places without sound, as many as this track has, or as `boundaries` say."""
        edges = self.boundaries if boundaries is None else boundaries
        n_segments = len(edges) - 1
        shape = (*self.labels.shape[:-1], n_segments)
        zeros = np.zeros(n_segments, np.float32)
        return Track(
            self.samples[:0].copy(),
            edges,
            np.full(shape, SILENCE, np.int64),
            np.zeros(shape, np.float32),
            zeros - 120,
            zeros,
        )


def listen_to(path: Path, labeller: Labeller, grid: WindowGrid, channels: Literal[1, 2]) -> Track:
    """Read, cut and label a file; one shorter than a window is filled up with silence.

    Raises:
        AudioFileError: a file that cannot be used (see `read_audio`).
    """
    samples = read_audio(path, grid.sample_rate, channels)
    missing = grid.boundary(1) - len(samples)
    if missing > 0:
        samples = np.pad(samples, ((0, missing), (0, 0)))
    boundaries = grid.boundaries(grid.n_whole_windows(len(samples)))
    heard = labeller.label_track(samples.mean(axis=1, dtype=np.float32), boundaries)
    return Track(samples, boundaries, heard.labels, heard.distances, heard.energy_db, heard.onset)


def cached_track(
    path: Path,
    labeller: Labeller,
    grid: WindowGrid,
    channels: Literal[1, 2],
    cache_dir: Path,
    fingerprint: str,
) -> Track:
    """The same as `listen_to`, from the cache if it was heard before.

    A damaged entry is made again; a cache that cannot be written is done without, with a warning.

    Args:
        path: the audio file.
        labeller: the shared ear and codebook.
        grid: at the rate of the ear.
        channels: 1 or 2.
        cache_dir: folder of the entries, made if missing.
        fingerprint: names the ear; the codebook's numbers are added.

    Raises:
        AudioFileError: a file that cannot be used (see `read_audio`).
    """
    entry = cache_dir / _key(path, labeller, grid, channels, fingerprint)
    track = _load(entry)
    if track is None:
        track = listen_to(path, labeller, grid, channels)
        try:
            _save(entry, track)
        except OSError as error:
            _LOG.warning(
                "%s must be a folder that can be written, with room left, but writing failed "
                "(%s); %s will be heard again next time",
                cache_dir,
                error.strerror or error,
                path,
            )
    return track


def _key(path: Path, labeller: Labeller, grid: WindowGrid, channels: int, fingerprint: str) -> str:
    digest = hashlib.blake2b(digest_size=16)
    facts = (FORMAT, content_hash(path), grid.sample_rate, grid.window_seconds, channels)
    digest.update(repr((*map(str, facts), fingerprint)).encode())
    digest.update(labeller.codebook.centres.tobytes())
    return f"{digest.hexdigest()}.npz"


def _load(entry: Path) -> Track | None:
    """The track of an entry; None if there is none, or it is damaged."""
    try:
        with np.load(entry, allow_pickle=False) as arrays:
            return Track(**{field.name: arrays[field.name] for field in fields(Track)})
    except FileNotFoundError:
        return None
    except (
        OSError,
        ValueError,
        KeyError,
        EOFError,
        BadZipFile,
        RuntimeError,
        MemoryError,
    ) as error:
        _LOG.warning("cache entry %s is damaged (%s) and is made again", entry, error)
        return None


def _save(entry: Path, track: Track) -> None:
    """Write an entry whole or not at all; two processes may do so at once."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    part = entry.with_name(f".{entry.name}.{os.getpid()}")
    try:
        with part.open("wb") as file:
            np.savez(file, allow_pickle=False, **vars(track))
        part.replace(entry)
    finally:
        part.unlink(missing_ok=True)
