"""How much labels tell about something else, beyond what chance and likeness of songs tell.

Mutual information is counted from pairs (plug-in, bits). Counted from few pairs it is far too
large, and so it is for labels of one song and targets of another, which share nothing. That
*wrong-song* figure is taken off, counted from equally many pairs. What remains is still too small
when pairs are few (at K = 64: by about a tenth at 10 000 pairs, by a quarter at 4 000), so figures
are comparable at similar numbers of pairs only; the number is always told.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Information", "entropy_of_counts", "mutual_information", "shared_information"]

Classes = NDArray[np.int64]
N_WRONG: Final = 4
"""Wrong pairings that are averaged."""
N_JACKKNIFE: Final = 10
"""Groups of songs that are left out in turn."""


@dataclass(frozen=True)
class Information:
    """What labels tell about a target.

    Args:
        bits: right pairing minus wrong pairing; near 0 (either side) if they tell nothing.
        error: standard error of `bits`, from leaving out groups of songs (jackknife).
        right: mutual information of the right pairing, bits.
        wrong: mean over wrong pairings, bits.
        target_entropy: entropy of the target, bits.
        n_pairs: windows that each figure is counted from.
    """

    bits: float
    error: float
    right: float
    wrong: float
    target_entropy: float
    n_pairs: int

    @property
    def share(self) -> float:
        """`bits` as a share of the target's entropy; 0 if the target never varies."""
        return self.bits / self.target_entropy if self.target_entropy > 1e-9 else 0.0


def entropy_of_counts(counts: NDArray[np.int64]) -> float:
    """Shannon entropy of the distribution that counts of any shape make, bits, ≥ 0."""
    some = counts[counts > 0].astype(np.float64)
    shares = some / max(some.sum(), 1.0)
    return float(-(shares * np.log2(shares)).sum()) + 0.0


def mutual_information(labels: Classes, target: Classes) -> float:
    """Plug-in mutual information of paired classes ≥ 0, bits, ≥ 0; 0 for no pairs.

    Args:
        labels: (n,), ≥ 0.
        target: (n,), ≥ 0.
    """
    if len(labels) == 0:
        return 0.0
    n_target = int(target.max()) + 1
    table = np.bincount(labels * n_target + target, minlength=(int(labels.max()) + 1) * n_target)
    joint = table.reshape(-1, n_target)
    apart = entropy_of_counts(joint.sum(axis=0)) + entropy_of_counts(joint.sum(axis=1))
    return max(0.0, apart - entropy_of_counts(joint))


def shared_information(
    labels: Sequence[Classes],
    targets: Sequence[Classes],
    seed: int = 0,
    *,
    wrong_targets: Callable[[int, int], Classes] | None = None,
) -> Information:
    """What labels tell about targets of the same song beyond those of other songs.

    Windows in which either is negative (silence, unknown) do not count; songs of unequal length
    are compared over the shorter.

    Args:
        labels: one sequence per song.
        targets: one sequence per song, on the same windows.
        seed: of the draw that makes both figures count equally many pairs.
        wrong_targets: (song, other) → targets of another song; those at its index if None.

    Raises:
        ValueError: not as many labels as targets, or fewer than two songs.
    """
    n = len(labels)
    if n != len(targets) or n < 2:
        raise ValueError(
            f"information needs labels and targets of two songs at least, got {n} and "
            f"{len(targets)}"
        )
    other = wrong_targets or (lambda _, index: targets[index])
    right = [_joint(labels[i], targets[i]) for i in range(n)]
    shifts = sorted({max(1, round(n * k / (N_WRONG + 1))) for k in range(1, N_WRONG + 1)} - {n})
    wrong = [[_joint(labels[i], other(i, (i + shift) % n)) for i in range(n)] for shift in shifts]
    whole = _difference(right, wrong, seed)
    n_groups = min(n, N_JACKKNIFE)
    without = []
    for group in range(n_groups):
        kept = [i for i in range(n) if i % n_groups != group]
        parts = ([right[i] for i in kept], [[one[i] for i in kept] for one in wrong])
        without.append(_difference(*parts, seed).bits)
    spread = float(np.sum(np.square(np.array(without) - np.mean(without))))
    error = float(np.sqrt((n_groups - 1) / n_groups * spread))
    return Information(
        whole.bits, error, whole.right, whole.wrong, whole.target_entropy, whole.n_pairs
    )


def _joint(labels: Classes, target: Classes) -> Classes:
    """Rows (label, target) of the windows in which both are known, shape (n, 2)."""
    n = min(len(labels), len(target))
    rows = np.stack([labels[:n], target[:n]], axis=1)
    return rows[(rows >= 0).all(axis=1)]


def _difference(
    right: Sequence[Classes], wrong: Sequence[Sequence[Classes]], seed: int
) -> Information:
    rows = np.concatenate(right)
    others = [np.concatenate(one) for one in wrong]
    n_pairs = min(len(rows), *(len(one) for one in others))
    rng = np.random.default_rng(seed)

    def bits_of(some: Classes) -> float:
        drawn = some[rng.permutation(len(some))[:n_pairs]]
        return mutual_information(drawn[:, 0], drawn[:, 1])

    true = bits_of(rows)
    chance = float(np.mean([bits_of(one) for one in others]))
    entropy = entropy_of_counts(np.bincount(rows[:, 1])) if len(rows) else 0.0
    return Information(true - chance, 0.0, true, chance, entropy, n_pairs)
