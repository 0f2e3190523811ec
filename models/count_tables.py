"""What counting expects, as tables of logits that a network starts from.

`heard` holds log p(y | x) for every lag between the label heard and the one answered; `own` holds
log p(y | y₋) − log p(y): multiplied, they say what both together make likely if they told
independent things. Counts are backed off and tuned on validation, as in `models.count_model`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.alphabet import SILENCE
from models.count_model import CountModel
from models.paired_labels import Block
from models.transformer_config import N_SHIFTS


@dataclass(frozen=True, eq=False)
class CountTables:
    """Two tables of logits.

    Args:
        heard: (K + 1, H + 2, K) float32: after each label heard, silence last, by lag from 0.
        own: (K + 2, H, K) float32: after each own label, then silence, then hidden (zeros).
    """

    heard: NDArray[np.float32]
    own: NDArray[np.float32]


def count_tables(
    train: Sequence[Block], validation: Sequence[Block], n_labels: int, horizon: int
) -> CountTables:
    """Count the tables on `train`, with back-off tuned on `validation`.

    Args:
        train: blocks.
        validation: blocks; may be empty.
        n_labels: K.
        horizon: H, windows predicted.
    """
    lags = horizon + N_SHIFTS - 1
    ahead = [[(_one_early(b.heard), b.answer) for b in blocks] for blocks in (train, validation)]
    own = [[(b.answer, b.answer) for b in blocks] for blocks in (train, validation)]
    heard_counts = CountModel.fit(ahead[0], ahead[1], n_labels, lags)
    own_counts = CountModel.fit(own[0], own[1], n_labels, horizon)
    heard_table = np.log(
        [[table.after(x) for table in heard_counts.labels] for x in range(n_labels + 1)]
    )
    own_table = np.zeros((n_labels + 2, horizon, n_labels))
    for h, table in enumerate(own_counts.labels):
        rows = np.array([table.after(y) for y in range(n_labels + 1)])
        own_table[:-1, h] = np.log(rows) - np.log(own_counts.unigram())
    return CountTables(heard_table.astype(np.float32), own_table.astype(np.float32))


def _one_early(heard: NDArray[np.int64]) -> NDArray[np.int64]:
    """Every label one window earlier, so that lag 1 of the result is lag 0."""
    return np.concatenate([heard[1:], [SILENCE]]).astype(np.int64)
