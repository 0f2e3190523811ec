"""The memory's labels, indexed: what follows what, what can be followed, what shares a past.

A *position* counts the sounding segments in order, with one BREAK before each file, so that no
match runs across a border; silent segments have none. Oracle state i + 1 ends with position i.
"""

from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agents.action.factor_oracle import FactorOracle
from agents.action.suffix_array import BREAK, DEPTH, SuffixArray
from models.alphabet import SILENCE


class Passages:
    """Everything that navigation looks up, in a fixed number of steps each.

    Args:
        labels: label of each segment, 0..K-1 or SILENCE, shape (segments,).
        starts: indices of the segments that do not follow the one before (first of each file).
        distances: distance of label i to label j, ≥ 0, shape (K, K).

    Raises:
        ValueError: a label outside the alphabet, or distances that are not square.
    """

    def __init__(
        self, labels: NDArray[np.int64], starts: Sequence[int], distances: NDArray[np.floating]
    ) -> None:
        _refuse_foreign(labels, distances)
        segment_at = _sounding_sequence(labels, starts)
        sounding = segment_at != BREAK
        position_of = np.full(len(labels), BREAK, dtype=np.int64)
        position_of[segment_at[sounding]] = np.flatnonzero(sounding)
        sequence = np.full(len(segment_at), BREAK, dtype=np.int64)
        sequence[sounding] = labels[segment_at[sounding]]

        self.array = SuffixArray(sequence)
        self.oracle = FactorOracle(sequence.tolist())
        self._labels = _compact(labels)
        self._starts = frozenset([*starts, len(labels)])  # nor does anything follow the last
        self._segment_at = _compact(np.append(segment_at, BREAK))
        self._position_of = _compact(position_of)
        self._substitutes = _substitutes(labels, distances)
        self.playable = frozenset(self._substitutes.values())
        """The labels that the memory has; empty if it is all silence."""
        self._codes = {label: SuffixArray.encode([label]) for label in self.playable}
        self._some_position = dict(zip(*_first_positions(sequence), strict=True))
        heard = labels[labels != SILENCE]
        self._commonest = int(np.bincount(heard).argmax()) if heard.size else SILENCE

    def label(self, segment: int) -> int:
        """The label of a segment."""
        return self._labels[segment]

    def segment_at(self, position: int) -> int:
        """The segment at a position, or SILENCE where a passage ends."""
        return self._segment_at[position]

    def position_of(self, segment: int) -> int:
        """The position of a segment; BREAK if it is silent or not in the memory."""
        known = 0 <= segment < len(self._position_of)
        return self._position_of[segment] if known else BREAK

    def substitute(self, label: int) -> int:
        """The label itself if the memory has it, else the nearest that it has.

        A label outside the alphabet counts as the commonest. The memory must not be all silence.
        """
        return self._substitutes.get(label, self._commonest)

    def some_position(self, label: int) -> int:
        """The first position that has `label`, which must be playable."""
        return self._some_position[label]

    def pattern(self, scenario: Sequence[int]) -> bytes:
        """What `array` is asked for: the sounding labels of a scenario, or their substitutes."""
        return b"".join(
            self._codes[self.substitute(label)] for label in scenario[:DEPTH] if label != SILENCE
        )

    def follows(self, before: int, segment: int) -> bool:
        """Whether `segment` comes right after `before` in one file, without a gap."""
        return before != SILENCE and segment == before + 1 and segment not in self._starts


def _refuse_foreign(labels: NDArray[np.int64], distances: NDArray[np.floating]) -> None:
    if distances.ndim != 2 or distances.shape[0] != distances.shape[1]:
        raise ValueError(
            f"distances must have shape (K, K), got {distances.shape}; take them from the codebook"
        )
    if labels.size and not SILENCE <= labels.min() <= labels.max() < len(distances):
        raise ValueError(
            f"labels must be in 0..{len(distances) - 1} or {SILENCE}, "
            f"got {labels.min()}..{labels.max()}; label the memory with this codebook"
        )


def _sounding_sequence(labels: NDArray[np.int64], starts: Sequence[int]) -> NDArray[np.int64]:
    """Sounding segments in order, BREAK before each file, shape (positions,)."""
    inner = [start for start in starts if 0 < start < len(labels)]
    segments = np.where(labels == SILENCE, SILENCE - 1, np.arange(len(labels)))
    parts = np.insert(segments, inner, BREAK)
    sounding: NDArray[np.int64] = parts[parts != SILENCE - 1]
    return sounding


def _substitutes(labels: NDArray[np.int64], distances: NDArray[np.floating]) -> dict[int, int]:
    """Each label of the alphabet and the nearest one that the memory has (itself if it has it)."""
    present = np.unique(labels[labels != SILENCE])
    if not present.size:
        return {}
    nearest = present[np.argmin(distances[:, present], axis=1)]
    nearest[present] = present
    return dict(enumerate(nearest.tolist()))


def _first_positions(sequence: NDArray[np.int64]) -> tuple[list[int], list[int]]:
    labels, positions = np.unique(sequence, return_index=True)
    return labels.tolist(), positions.tolist()


def _compact(numbers: NDArray[np.int64]) -> "array[int]":
    """Numbers that Python reads faster than from numpy, at 4 bytes each."""
    return array("i", numbers.astype(np.int32).tobytes())
