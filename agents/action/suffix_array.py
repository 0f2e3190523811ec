"""A suffix array over labels: every place in the memory from which a scenario can be followed.

Manber and Myers 1993, prefix doubling, stopped at `DEPTH` labels: no scenario looks further ahead,
and long runs of one label (held notes) then cost no more than anything else. Looking up is binary
search, so it takes the same few steps whatever the labels are.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DEPTH = 32
"""Labels by which positions are sorted: the longest scenario that is matched."""

BREAK = -1
"""Stands between passages that do not follow each other; matches nothing."""

SYMBOL_BYTES = 2
"""Bytes per label in a pattern."""

_LARGEST_LABEL = 2**16 - 2


@dataclass(frozen=True)
class Occurrences:
    """The places `first` … `last` - 1 of the array: all positions that match `length` labels."""

    length: int
    first: int
    last: int


class SuffixArray:
    """Positions of a label sequence in the order of what follows them.

    Args:
        labels: shape (n,), each 0..65534, or BREAK.

    Raises:
        ValueError: if a label is out of range.
    """

    def __init__(self, labels: NDArray[np.int64]) -> None:
        if labels.size and not BREAK <= labels.min() <= labels.max() <= _LARGEST_LABEL:
            raise ValueError(
                f"labels must be in 0..{_LARGEST_LABEL} or {BREAK}, "
                f"got {labels.min()}..{labels.max()}; use a smaller alphabet"
            )
        self._text = (labels + 1).astype(">u2").tobytes() + bytes(SYMBOL_BYTES * DEPTH)
        order = np.argsort(_ranks(labels), kind="stable")
        order = order[labels[order] != BREAK].astype(np.int32)
        self._positions: array[int] = array("i", order.tobytes())

    def __len__(self) -> int:
        return len(self._positions)

    @staticmethod
    def encode(labels: Iterable[int]) -> bytes:
        """A pattern for the other methods; at most DEPTH labels, each ≥ 0."""
        return b"".join((label + 1).to_bytes(SYMBOL_BYTES, "big") for label in labels)

    def position(self, place: int) -> int:
        """The position that stands at `place` of the array, 0 ≤ place < len."""
        return self._positions[place]

    def match(self, position: int, pattern: bytes) -> int:
        """How many labels of `pattern` follow from `position` on, 0..its length."""
        start, size = SYMBOL_BYTES * position, len(pattern)
        difference = int.from_bytes(self._text[start : start + size], "big") ^ int.from_bytes(
            pattern, "big"
        )
        return (8 * size - difference.bit_length()) // (8 * SYMBOL_BYTES)

    def occurrences(self, pattern: bytes) -> Occurrences:
        """All positions from which the whole pattern follows; perhaps none."""
        text, size = self._text, len(pattern)

        def following(position: int) -> bytes:
            start = SYMBOL_BYTES * position
            return text[start : start + size]

        first = bisect_left(self._positions, pattern, key=following)
        last = bisect_right(self._positions, pattern, lo=first, key=following)
        return Occurrences(size // SYMBOL_BYTES, first, last)

    def longest(self, pattern: bytes) -> Occurrences:
        """The positions that match the longest prefix of `pattern` (length 0: all positions)."""
        found = self.occurrences(pattern)
        if found.first < found.last:
            return found
        neighbours = self._positions[max(0, found.first - 1) : found.first + 1]
        length = max((self.match(position, pattern) for position in neighbours), default=0)
        return self.occurrences(pattern[: SYMBOL_BYTES * length])


def _ranks(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rank of each position by its first DEPTH labels, equal for equals, shape (n,)."""
    n_labels = len(labels)
    ranks = np.unique(labels, return_inverse=True)[1]
    step = 1
    while step < DEPTH and step < n_labels:
        following = np.zeros(n_labels, dtype=np.int64)
        following[:-step] = ranks[step:] + 1
        ranks = np.unique(ranks * (n_labels + 1) + following, return_inverse=True)[1]
        step *= 2
    return ranks
