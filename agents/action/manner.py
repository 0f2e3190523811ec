"""How segments are played, beside what they play: when they attack, how lively, how loud.

Among segments that serve the coming labels equally well, the one that is played most like what is
expected is taken.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.activity import attack_events

__all__ = ["Expected", "Manner", "standardised"]

Array = NDArray[np.float32]

SURE_SHARE: Final = (0.005, 0.5)
"""Bounds of the share of parts with an attack: a memory without any can still play one."""


@dataclass(frozen=True)
class Expected:
    """What is expected of a window.

    Args:
        attacks: how strong attacks are in the parts of the window; empty if no rhythm is known.
        onset: onset strength, ≥ 0; None if it is not foreseen.
        level_db: level relative to the usual one, dB; counts only beside `onset`.
        log_odds: of an attack in the parts of the window; empty if they are not foreseen.
    """

    attacks: tuple[float, ...] = ()
    onset: float | None = None
    level_db: float = 0.0
    log_odds: tuple[float, ...] = ()

    @property
    def is_nothing(self) -> bool:
        """No segment is better than another."""
        return self.onset is None and not any(self.attacks)


class Manner:
    """Of every segment of a memory.

    Args:
        attacks: strongest onset in each of equal parts of the segments, ≥ 0, (segments, parts).
        onset: onset strengths, ≥ 0, (segments,).
        level_db: levels relative to the usual one, dB, (segments,).
        sounding: which segments sound, (segments,): the spread is theirs.
    """

    def __init__(
        self, attacks: Array, onset: Array, level_db: Array, sounding: NDArray[np.bool_]
    ) -> None:
        self._attacks = standardised(attacks)
        self.strikes = attack_events(attacks).astype(np.float32)
        """Where the segments have attacks, 1 or 0, (segments, parts)."""
        share = np.clip(self.strikes[sounding].mean() if sounding.any() else 0.0, *SURE_SHARE)
        self.usual_log_odds = float(np.log(share / (1 - share)))
        """Of an attack in a part of a segment that sounds."""
        self._activity = np.stack([onset, level_db], axis=1)
        heard = self._activity[sounding]
        spread = heard.std(axis=0) if len(heard) else np.ones(2)
        self._spread = np.maximum(spread, 1e-6).astype(np.float32)

    def fit(self, segments: list[int], expected: Expected, activity_weight: float) -> Array:
        """How well segments fit what is expected, (n,): the higher the better.

        Correlation of the attacks, less the mean distance of onset strength and level in standard
        deviations of the memory, by weight.

        Args:
            segments: indices, n of them.
            expected: of the window; attacks in another number of parts are passed over.
            activity_weight: what onset strength and level count beside the attacks, ≥ 0.
        """
        found = np.zeros(len(segments), dtype=np.float32)
        attacks = standardised(np.array(expected.attacks, dtype=np.float32))
        if attacks.size and attacks.shape == self._attacks.shape[1:]:
            found += self._attacks[segments] @ attacks
        if expected.onset is not None:
            wanted = np.array([expected.onset, expected.level_db], dtype=np.float32)
            apart = np.abs(self._activity[segments] - wanted) / self._spread
            found -= activity_weight * apart.mean(axis=1)
        return found


def standardised(attacks: Array) -> Array:
    """Without their mean and of unit length along the last axis; zeros where all is equal."""
    if not attacks.size:
        return attacks
    centred = attacks - attacks.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(centred, axis=-1, keepdims=True)
    unit: Array = centred / np.maximum(length, 1e-9)
    return unit
