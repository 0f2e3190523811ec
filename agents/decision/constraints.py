"""Which labels may be chosen: those that the memory can play."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from models.alphabet import SILENCE


def playable_mask(playable: Iterable[int], n_labels: int) -> NDArray[np.bool_]:
    """Membership of each class id, shape (n_labels,).

    Args:
        playable: class ids that the memory holds; SILENCE among them is passed over.
        n_labels: K.

    Raises:
        ValueError: a class id outside 0..K-1: the memory was labelled with another codebook.
    """
    mask = np.zeros(n_labels, dtype=bool)
    for label in playable:
        if label == SILENCE:
            continue
        if not 0 <= label < n_labels:
            raise ValueError(
                f"playable labels must lie in 0..{n_labels - 1}, got {label}; "
                "label the memory with the bundle's own codebook"
            )
        mask[label] = True
    return mask
