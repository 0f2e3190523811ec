"""One file of the memory: its sound at the stage's rate, cut on the grid, and labelled."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from corpus.audio_file import read_audio
from corpus.segmentation import WindowGrid
from corpus.transposition import transpose
from models.alphabet import SILENCE
from models.labeller import Labeller


@dataclass(frozen=True, eq=False)
class Track:
    """One file of the memory.

    Args:
        samples: shape (frames, channels), float32, full scale ±1.
        boundaries: first sample of each segment and the end of the last, (segments + 1,) int64.
        labels: class ids or SILENCE, (rotations, segments) int64.
        distances: to the centre of the class, ≥ 0, (rotations, segments) float32.
        energy_db: RMS levels, dBFS, (segments,) float32.
        onset: onset strengths, ≥ 0, (segments,) float32.
        attacks: strongest onset in each of equal parts of the segments, (segments, parts) float32.
    """

    samples: NDArray[np.float32]
    boundaries: NDArray[np.int64]
    labels: NDArray[np.int64]
    distances: NDArray[np.float32]
    energy_db: NDArray[np.float32]
    onset: NDArray[np.float32]
    attacks: NDArray[np.float32]

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
            np.zeros((n_segments, *self.attacks.shape[1:]), np.float32),
        )


def listen_to(
    path: Path, labeller: Labeller, grid: WindowGrid, channels: Literal[1, 2], semitones: int = 0
) -> Track:
    """Read, cut and label a file; one shorter than a window is filled up with silence.

    Args:
        path: the audio file.
        labeller: the shared ear and codebook; it starts afresh.
        grid: at the rate of the ear.
        channels: 1 or 2.
        semitones: the whole file is transposed by so many before it is cut, so that segments join
            as those of the file do.

    Raises:
        AudioFileError: a file that cannot be used (see `read_audio`).
    """
    samples = read_audio(path, grid.sample_rate, channels)
    missing = grid.boundary(1) - len(samples)
    if missing > 0:
        samples = np.pad(samples, ((0, missing), (0, 0)))
    if semitones:
        samples = transpose(samples, grid.sample_rate, semitones)
    boundaries = grid.boundaries(grid.n_whole_windows(len(samples)))
    heard = labeller.label_in_all_rotations(samples.mean(axis=1, dtype=np.float32), boundaries)
    return Track(
        samples,
        boundaries,
        heard.labels,
        heard.distances,
        heard.energy_db,
        heard.onset,
        heard.attacks,
    )
