"""Sonic Pi's chance: a stored stream of numbers, read at a place that each thread keeps.

A thread's seed shifts where it reads; a new thread's seed is itself read from its parent's stream.
So a program sounds the same on every run, and a reader of the same file can foresee its choices.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

__all__ = ["STREAM_LENGTH", "Chance", "RandomStream", "find_random_stream"]

STREAM_LENGTH: Final = 441_000
"""Numbers in the stream, after which it starts again."""
_PLACES: Final = (
    Path("/usr/share/sonic-pi/buffers/rand-stream.wav"),
    Path("/usr/lib/sonic-pi/etc/buffers/rand-stream.wav"),
    Path("/opt/sonic-pi/etc/buffers/rand-stream.wav"),
    Path("/Applications/Sonic Pi.app/Contents/Resources/etc/buffers/rand-stream.wav"),
)


@dataclass(frozen=True, eq=False)
class RandomStream:
    """The numbers, shape (STREAM_LENGTH,), in [0, 1), and whether they are Sonic Pi's own."""

    numbers: NDArray[np.float64]
    is_original: bool

    @staticmethod
    def load(path: Path | None = None) -> "RandomStream":
        """Sonic Pi's stream from its file, or a stand-in where there is none.

        Args:
            path: the WAV file; none: where Sonic Pi is usually installed.

        Raises:
            ValueError: the file named is not the stored random stream.
        """
        found = path or find_random_stream()
        return _substitute() if found is None else _read(found)


def find_random_stream() -> Path | None:
    """The stored stream of an installed Sonic Pi, if there is one."""
    return next((path for path in _PLACES if path.is_file()), None)


class Chance:
    """One thread's place in the stream.

    Args:
        stream: shared by all threads.
        seed: where the thread starts, ≥ 0; may be fractional, as Sonic Pi's are.
    """

    __slots__ = ("index", "seed", "stream")

    def __init__(self, stream: RandomStream, seed: float = 0) -> None:
        self.stream = stream
        self.seed = seed
        self.index: float = 0

    def draw(self, below: float = 1.0) -> float:
        """The next number, in [0, below)."""
        value = self.peek(self.index)
        self.index += 1
        return value * below

    def draw_whole(self, below: float) -> int:
        """The next whole number, in [0, below)."""
        return int(self.draw(below))

    def peek(self, index: float) -> float:
        """The number at `index` from this thread's seed, in [0, 1), without moving on."""
        return self.stream.numbers.item(int((self.seed + index + 1) % STREAM_LENGTH))

    def shuffled(self, values: list[object]) -> list[object]:
        """The values in another order: one number picks a stream of its own for the swaps."""
        inner = Chance(self.stream, self.draw_whole(STREAM_LENGTH))
        order = list(values)
        for _ in range(len(order)):
            first, second = int(inner.draw(len(order))), int(inner.draw(len(order)))
            order[first], order[second] = order[second], order[first]
        return order


@lru_cache(maxsize=4)
def _read(path: Path) -> RandomStream:
    numbers, _ = soundfile.read(path, dtype="float64", always_2d=True)
    if len(numbers) < STREAM_LENGTH:
        raise ValueError(
            f"the random stream must hold {STREAM_LENGTH} numbers, got {len(numbers)} in {path}; "
            "give Sonic Pi's rand-stream.wav"
        )
    return RandomStream(numbers[:STREAM_LENGTH, 0].copy(), is_original=True)


@lru_cache(maxsize=1)
def _substitute() -> RandomStream:
    return RandomStream(np.random.default_rng(0).random(STREAM_LENGTH), is_original=False)
