"""The outline of an audio file: lowest and highest sample per column, read block by block.

Hours of sound take a few kilobytes of memory per column, never the whole file.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

_COLUMNS_PER_BLOCK: Final = 256


@dataclass(frozen=True, eq=False)
class Envelope:
    """What a waveform picture needs of a file.

    Args:
        lows: (columns,), lowest sample of each column over all channels, full scale ±1.
        highs: (columns,), highest sample of each column.
        column_seconds: length of a column, > 0; column i starts at i · column_seconds.
        seconds: length of the sound.
    """

    lows: NDArray[np.float32]
    highs: NDArray[np.float32]
    column_seconds: float
    seconds: float

    @property
    def peak(self) -> float:
        """Largest absolute sample, ≥ 0; 0 for a file without samples."""
        if not len(self.highs):
            return 0.0
        return float(max(np.abs(self.lows).max(), np.abs(self.highs).max()))

    def between(
        self, start: float, end: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.float32]]:
        """Times in seconds, lows and highs of the columns that start in [start, end)."""
        first = int(np.ceil(start / self.column_seconds - 1e-9))
        last = int(np.ceil(end / self.column_seconds - 1e-9))
        last = min(last, len(self.highs))
        times = np.arange(first, max(first, last), dtype=np.float64) * self.column_seconds
        return times, self.lows[first:last], self.highs[first:last]


def read_envelope(path: Path, column_seconds: float) -> Envelope | None:
    """The envelope of an audio file; None if it is missing or cannot be read.

    A truncated file gives the part that can be read. Samples that are not finite count as 0.

    Args:
        path: any file libsndfile reads.
        column_seconds: wanted length of a column, > 0; made a whole number of samples.

    Raises:
        ValueError: if column_seconds is not above 0.
    """
    if not column_seconds > 0:
        raise ValueError(f"column_seconds must be above 0, got {column_seconds}")
    try:
        with soundfile.SoundFile(path) as sound:
            return _scan(sound, max(1, round(column_seconds * sound.samplerate)))
    except (OSError, soundfile.SoundFileError):
        return None


def _scan(sound: soundfile.SoundFile, column_samples: int) -> Envelope:
    """Read `sound` to its end, or to the first block that cannot be read."""
    lows: list[NDArray[np.float32]] = []
    highs: list[NDArray[np.float32]] = []
    n_samples = 0
    while True:
        try:
            block = sound.read(column_samples * _COLUMNS_PER_BLOCK, dtype="float32", always_2d=True)
        except soundfile.SoundFileError:
            break
        if not len(block):
            break
        n_samples += len(block)
        np.nan_to_num(block, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        starts = np.arange(0, len(block), column_samples)
        lows.append(np.minimum.reduceat(block.min(axis=1), starts))
        highs.append(np.maximum.reduceat(block.max(axis=1), starts))
    empty = np.zeros(0, dtype=np.float32)
    return Envelope(
        lows=np.concatenate([empty, *lows]),
        highs=np.concatenate([empty, *highs]),
        column_seconds=column_samples / sound.samplerate,
        seconds=n_samples / sound.samplerate,
    )
