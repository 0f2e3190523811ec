"""Entries: which segment enters, and when inside the window, so that attacks fall where expected.

A jump is heard as an attack, wherever it is made. So until an attack is expected what sounds goes
on, and the new segment enters there; where none is expected, nothing enters. A segment keeps its
place on the grid: what is left out is its beginning. Entry and segment are chosen together, by what
they play and by the log-likelihood of their attacks under the forecast.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Entry", "Offer", "best_entry"]

LABEL_WORTH: Final = 2.0
"""What the label wanted is worth through a whole window, nats."""
FOLLOWING_WORTH: Final = 0.5
"""What each further label of the scenario is worth."""
FORESEEN_WORTH: Final = 0.3
"""What it is worth to stand by the segment that was foreseen."""
HEARD_AS_ATTACK: Final = 0.95
"""How much of an attack an entry is where the segment itself has none; measured: 0.9 are heard."""

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Offer:
    """A segment that could sound.

    Args:
        position: in the passages.
        strikes: where it has attacks, 1 or 0, (parts,).
        matched: of the coming labels, how many it and those after it have, ≥ 0.
        foreseen: it was foreseen for this window.
    """

    position: int
    strikes: Array
    matched: int
    foreseen: bool = False


@dataclass(frozen=True)
class Entry:
    """What sounds in a window.

    Args:
        position: of the segment, in the passages.
        share: of the window, how much is over before it enters, in [0, 1).
        stays: it is the memory's next segment; nothing enters.
    """

    position: int
    share: float
    stays: bool


def best_entry(
    offers: list[Offer], staying: Offer | None, log_odds: Array, weight: float, *, waits: bool
) -> Entry | None:
    """The best of all entries of all offers, and of staying; the first of equals, staying before.

    Args:
        offers: all have the label wanted.
        staying: the memory's next segment, which sounds until another enters; None if there is
            none.
        log_odds: of an attack in each part of the window, (parts,).
        weight: of the attacks' mean log-likelihood, ≥ 0.
        waits: an entry may come later than the grid.
    """
    best, worth = None, -np.inf
    n_parts = len(log_odds)
    evidence = log_odds * np.float32(weight / n_parts)
    before, held = np.zeros(n_parts, np.float32), 0.0
    if staying is not None:
        held = LABEL_WORTH * (staying.matched > 0)
        best, worth = Entry(staying.position, 0.0, stays=True), _worth(staying, held)
        worth += float(staying.strikes @ evidence)
        before = np.append(0.0, np.cumsum(staying.strikes * evidence)[:-1]).astype(np.float32)
    if not offers:
        return best
    strikes = np.stack([offer.strikes for offer in offers])
    own = np.array([_worth(offer, 0.0) for offer in offers], dtype=np.float32)
    # what comes after each part, that part left out: (offers, parts)
    after = np.cumsum((strikes * evidence)[:, ::-1], axis=1)[:, ::-1] - strikes * evidence
    entering = np.maximum(strikes, HEARD_AS_ATTACK) * evidence
    late = np.arange(n_parts) / n_parts
    labels = LABEL_WORTH * (1 - late) + held * late
    total = own[:, None] + before + entering + after + labels
    if not waits:
        total = total[:, :1]
    first, part = np.unravel_index(int(total.argmax()), total.shape)
    if total[first, part] > worth:
        best = Entry(offers[first].position, float(part / n_parts), stays=False)
    return best


def _worth(offer: Offer, label: float) -> float:
    """What an offer plays, its attacks left aside."""
    following = FOLLOWING_WORTH * max(offer.matched - 1, 0)
    return label + following + FORESEEN_WORTH * offer.foreseen
