"""The factor oracle of a label sequence: where has what just happened happened before?

Allauzen, Crochemore and Raffinot 1999 (on-line construction); Lefebvre and Lecroq 2000 (lengths of
repeated suffixes); Assayag and Dubnov 2004 (suffix links as musical jumps).

Conventions: state 0 is the start, state i is reached after label i - 1, so the labels before state
i are labels[0..i-1]. Every transition into a state carries the same label. Nothing recurses.
"""

from array import array
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

NO_STATE = -1


class FactorOracle:
    """An automaton of n + 1 states that accepts every factor of the n labels learned.

    The transition from state i to i + 1 is implicit; at most n - 1 others are stored, one table
    per label. Links cost 16 bytes per state.

    Args:
        labels: labels to learn at once; the same as learning them one by one.
    """

    def __init__(self, labels: Iterable[int] = ()) -> None:
        self._labels = array("q")
        self._leaps: dict[int, dict[int, int]] = {}
        self._suffix = array("i", [NO_STATE])
        self._repeated = array("i", [0])
        self._newest_reverse = array("i", [NO_STATE])
        self._older_reverse = array("i", [NO_STATE])
        for label in labels:
            self.learn(label)

    def __len__(self) -> int:
        return len(self._labels)

    @property
    def labels(self) -> NDArray[np.int64]:
        """The labels learned, shape (n,)."""
        return np.array(self._labels, dtype=np.int64)

    @property
    def n_transitions(self) -> int:
        """Transitions in all, between n and 2n - 1 (0 if nothing was learned)."""
        return len(self._labels) + sum(map(len, self._leaps.values()))

    def learn(self, label: int) -> None:
        """Append one label; amortised constant time."""
        labels, suffix = self._labels, self._suffix
        leaps = self._leaps.setdefault(label, {})
        below = len(labels)
        new = below + 1
        labels.append(label)
        state, link = suffix[below], 0
        while state != NO_STATE:
            if labels[state] == label:
                link = state + 1
                break
            if state in leaps:
                link = leaps[state]
                break
            leaps[state] = new
            below, state = state, suffix[state]
        suffix.append(link)
        self._repeated.append(self._common_suffix(below, link - 1) + 1 if link else 0)
        self._newest_reverse.append(NO_STATE)
        self._older_reverse.append(self._newest_reverse[link])
        self._newest_reverse[link] = new

    def transition(self, state: int, label: int) -> int | None:
        """The state reached from `state` by `label`, or None."""
        if state < len(self._labels) and self._labels[state] == label:
            return state + 1
        return self._leaps.get(label, {}).get(state)

    def accepts(self, word: Iterable[int]) -> bool:
        """Whether `word` can be read from the start: true for every factor, and for few others."""
        state: int | None = 0
        for label in word:
            if state is None:
                return False
            state = self.transition(state, label)
        return state is not None

    def suffix_link(self, state: int) -> int:
        """The earlier state that ends with the same labels (0 if none); -1 for state 0."""
        return self._suffix[state]

    def repeated_suffix_length(self, state: int) -> int:
        """How many labels before `state` also stand before its suffix link.

        A correct lower bound of the longest such length, usually equal to it.
        """
        return self._repeated[state]

    def reverse_suffix_links(self, state: int) -> Iterator[int]:
        """The later states whose suffix link is `state`, newest first, one at a time."""
        later = self._newest_reverse[state]
        while later != NO_STATE:
            yield later
            later = self._older_reverse[later]

    def similar(self, state: int) -> Iterator[tuple[int, int]]:
        """Other states that share the past of `state`: (state, shared length), lazily.

        Walks up the suffix links and, on the way, one step down the reverse links. A shared length
        is a correct lower bound, ≥ 1, and never grows along the suffix links themselves.
        """
        shared, branch = len(self._labels), state
        came_from = NO_STATE
        while branch > 0:
            if branch != state:
                yield branch, shared
            for later in self.reverse_suffix_links(branch):
                if later not in (came_from, state):
                    yield later, min(shared, self._repeated[later])
            shared = min(shared, self._repeated[branch])
            came_from, branch = branch, self._suffix[branch]

    def _common_suffix(self, one: int, other: int) -> int:
        """Shared past of two states where `suffix[one]` lies on the suffix path of `other`."""
        suffix, meeting = self._suffix, self._suffix[one]
        if other == meeting:
            return self._repeated[one]
        while suffix[other] != meeting:
            other = suffix[other]
        return min(self._repeated[one], self._repeated[other])
