"""What is known of a program's sound, and how: the words that tiers, cache and ranking share."""

from dataclasses import dataclass
from typing import Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["TIERS", "Estimate", "FloatArray", "Tier", "TierName"]

FloatArray = NDArray[np.float32]
TierName = Literal["static", "events", "heard"]
TIERS: Final[tuple[TierName, ...]] = ("static", "events", "heard")
"""From the quickest to the surest."""


@dataclass(frozen=True, eq=False)
class Estimate:
    """Where the sound of a program lies, as one tier sees it.

    Args:
        tier: `static` (from the code alone), `events` (from a silent run of 10 s) or `heard` (from
            the sound of its first seconds).
        point: of the audio space, shape (dim,), finite.
        coverage: how much of the program was understood, [0, 1]; 1 if it was run.
        is_trusted: whether the events were certain to be those that Sonic Pi plays.
        is_silent: nothing is heard; the point says nothing.
        is_broken: the program cannot be run at all.
        faults: errors of the program, then what was not understood, a sentence each.
    """

    tier: TierName
    point: FloatArray
    coverage: float
    is_trusted: bool
    is_silent: bool
    is_broken: bool
    faults: tuple[str, ...] = ()


class Tier(Protocol):
    """One way to find out where programs lie."""

    name: TierName
    key: str
    """Tells apart what gives other points: settings and models in a few characters."""

    def estimate(self, code: str) -> Estimate | None:
        """Where a program lies; None if it could not be told within the tier's own limits.

        Called from several threads at once, but for the static tier.

        Raises:
            OSError, RuntimeError: the tier itself cannot work, whatever the program.
        """
