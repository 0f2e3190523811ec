"""Counting: p(y | x₋, x) backed off to p(y | x) and p(y), for every horizon; bar and fallback.

A context that was seen n times and was followed c times by y gives
(c + a·p_shorter(y)) / (n + a): interpolation with a Dirichlet prior centred on the shorter
context (MacKay and Peto 1995). The strengths a are tuned on held-out data.

Contexts are labels heard, with silence as context K; outcomes are the labels of the answer
(windows in which it plays) or, counted apart, whether it plays at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.alphabet import SILENCE
from models.decision_model import OWN_PAST_WEIGHT, Prediction

Labels = NDArray[np.int64]
_STRENGTHS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 5000.0)


@dataclass(frozen=True, eq=False)
class BackoffTable:
    """Counts of an outcome after the last two contexts, the last one, and none.

    Args:
        by_none: (outcomes,) float64.
        by_last: (contexts, outcomes) float64.
        pair_keys: (entries,) int64, sorted: (previous·contexts + last)·outcomes + outcome.
        pair_counts: (entries,) float64, how often each key was seen.
        strengths: (3,) float64: of the uniform prior under p(y), of p(y) under p(y | x), and of
            p(y | x) under p(y | x₋, x).
    """

    by_none: NDArray[np.float64]
    by_last: NDArray[np.float64]
    pair_keys: NDArray[np.int64]
    pair_counts: NDArray[np.float64]
    strengths: NDArray[np.float64]

    @classmethod
    def count(
        cls, previous: Labels, last: Labels, outcome: Labels, n_contexts: int, n_outcomes: int
    ) -> "BackoffTable":
        """Count outcomes; all three arrays have shape (events,) and hold ids from 0."""
        by_last = np.zeros((n_contexts, n_outcomes))
        np.add.at(by_last, (last, outcome), 1.0)
        keys, counts = np.unique(
            (previous * n_contexts + last) * n_outcomes + outcome, return_counts=True
        )
        strengths = np.array([1.0, 20.0, 20.0])
        return cls(by_last.sum(axis=0), by_last, keys, counts.astype(np.float64), strengths)

    def distribution(self, previous: int, last: int) -> NDArray[np.float64]:
        """p(outcome | previous, last), shape (outcomes,), summing to 1."""
        n_contexts, n_outcomes = self.by_last.shape
        shorter = self.after(last)
        first = (previous * n_contexts + last) * n_outcomes
        found = slice(*np.searchsorted(self.pair_keys, [first, first + n_outcomes]))
        counts = np.zeros(n_outcomes)
        counts[self.pair_keys[found] - first] = self.pair_counts[found]
        return _interpolate(counts, shorter, self.strengths[2])

    def after(self, last: int) -> NDArray[np.float64]:
        """p(outcome | last), shape (outcomes,), summing to 1."""
        n_outcomes = self.by_last.shape[1]
        uniform = np.full(n_outcomes, 1.0 / n_outcomes)
        shorter = _interpolate(self.by_none, uniform, self.strengths[0])
        return _interpolate(self.by_last[last], shorter, self.strengths[1])

    def tuned(self, previous: Labels, last: Labels, outcome: Labels) -> "BackoffTable":
        """The same counts with the strengths that give held-out events the fewest bits.

        Args:
            previous: held-out events, as in `count`; if there are none, the table is returned
                as it is.
            last: as in `count`.
            outcome: as in `count`.
        """
        if outcome.size == 0:
            return self
        n_contexts, n_outcomes = self.by_last.shape
        keys = (previous * n_contexts + last) * n_outcomes + outcome
        context_keys, where = np.unique(self.pair_keys // n_outcomes, return_inverse=True)
        context_counts = np.zeros(context_keys.shape)
        np.add.at(context_counts, where, self.pair_counts)
        levels = (
            (np.full(outcome.shape, self.by_none.sum()), self.by_none[outcome]),
            (self.by_last.sum(axis=1)[last], self.by_last[last, outcome]),
            (
                _look_up(context_keys, context_counts, keys // n_outcomes),
                _look_up(self.pair_keys, self.pair_counts, keys),
            ),
        )
        shorter = np.full(outcome.shape, 1.0 / n_outcomes)
        strengths = []
        for total, count in levels:  # greedily, shortest context first
            tries = [(count + a * shorter) / (total + a) for a in _STRENGTHS]
            best = int(np.argmax([np.log(p).mean() for p in tries]))
            strengths.append(_STRENGTHS[best])
            shorter = tries[best]
        return BackoffTable(
            self.by_none, self.by_last, self.pair_keys, self.pair_counts, np.array(strengths)
        )

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Everything needed to build the table again."""
        return {
            "by_last": self.by_last,
            "pair_keys": self.pair_keys,
            "pair_counts": self.pair_counts,
            "strengths": self.strengths,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> "BackoffTable":
        """The table that gave `arrays`.

        Raises:
            ValueError: an array is missing or does not fit the others.
        """
        missing = {"by_last", "pair_keys", "pair_counts", "strengths"} - set(arrays)
        if missing:
            raise ValueError(f"a count table needs the array {min(missing)!r}, which is missing")
        by_last = np.asarray(arrays["by_last"], dtype=np.float64)
        keys = np.asarray(arrays["pair_keys"], dtype=np.int64)
        counts = np.asarray(arrays["pair_counts"], dtype=np.float64)
        strengths = np.asarray(arrays["strengths"], dtype=np.float64)
        if by_last.ndim != 2 or keys.shape != counts.shape or keys.ndim != 1:
            raise ValueError(
                "a count table must hold a matrix and two vectors of one length, got shapes "
                f"{by_last.shape}, {keys.shape} and {counts.shape}"
            )
        for table in (by_last, counts):
            if not (np.isfinite(table).all() and (table >= 0).all()):
                raise ValueError("counts must be finite and at least 0, and are not")
        limit = by_last.shape[0] ** 2 * by_last.shape[1]
        if keys.size and not (keys[0] >= 0 and keys[-1] < limit and (np.diff(keys) > 0).all()):
            raise ValueError(f"count keys must rise within 0..{limit - 1}, and do not")
        if strengths.shape != (3,) or not (strengths > 0).all():
            raise ValueError(f"a count table needs 3 strengths above 0, got {strengths.tolist()}")
        return cls(by_last.sum(axis=0), by_last, keys, counts, strengths)


def _interpolate(
    counts: NDArray[np.float64], shorter: NDArray[np.float64], strength: float
) -> NDArray[np.float64]:
    """Counts with a Dirichlet prior of `strength` centred on the shorter context."""
    mixed: NDArray[np.float64] = (counts + strength * shorter) / (counts.sum() + strength)
    return mixed


def _look_up(keys: Labels, values: NDArray[np.float64], wanted: Labels) -> NDArray[np.float64]:
    """The value at each wanted key, 0 where the sorted `keys` do not hold it."""
    if keys.size == 0:
        return np.zeros(wanted.shape)
    at = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
    return np.where(keys[at] == wanted, values[at], 0.0)


@dataclass(frozen=True, eq=False)
class CountModel:
    """One table of labels and one of silence for each horizon h = 1..H.

    Args:
        n_labels: K.
        labels: H tables over K outcomes.
        silence: H tables over two outcomes (0 plays, 1 is silent).
    """

    n_labels: int
    labels: tuple[BackoffTable, ...]
    silence: tuple[BackoffTable, ...]

    @property
    def horizon(self) -> int:
        """H, how many windows ahead the tables reach."""
        return len(self.labels)

    @classmethod
    def fit(
        cls,
        pairs: Sequence[tuple[Labels, Labels]],
        held_out: Sequence[tuple[Labels, Labels]],
        n_labels: int,
        horizon: int,
    ) -> "CountModel":
        """Count `pairs` of (heard, answered) labels and tune the back-off on `held_out`.

        Args:
            pairs: arrays of one shape (windows,), class ids 0..K-1 or SILENCE.
            held_out: the same, of material not in `pairs`; may be empty.
            n_labels: K, ≥ 1.
            horizon: H, ≥ 1.
        """
        label_tables, silence_tables = [], []
        for h in range(1, horizon + 1):
            previous, last, answer = _events(pairs, n_labels, h)
            tune_previous, tune_last, tune_answer = _events(held_out, n_labels, h)
            plays, tune_plays = answer != SILENCE, tune_answer != SILENCE
            table = BackoffTable.count(
                previous[plays], last[plays], answer[plays], n_labels + 1, n_labels
            )
            label_tables.append(
                table.tuned(
                    tune_previous[tune_plays], tune_last[tune_plays], tune_answer[tune_plays]
                )
            )
            table = BackoffTable.count(
                previous, last, (~plays).astype(np.int64), n_labels + 1, n_outcomes=2
            )
            silence_tables.append(
                table.tuned(tune_previous, tune_last, (~tune_plays).astype(np.int64))
            )
        return cls(n_labels, tuple(label_tables), tuple(silence_tables))

    def unigram(self) -> NDArray[np.float64]:
        """p(y) without any context, one window ahead, shape (K,)."""
        table = self.labels[0]
        uniform = np.full(self.n_labels, 1.0 / self.n_labels)
        return _interpolate(table.by_none, uniform, table.strengths[0])

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """All tables under names like "labels.1.by_last", for storing."""
        return {
            f"{kind}.{h}.{name}": array
            for kind, tables in (("labels", self.labels), ("silence", self.silence))
            for h, table in enumerate(tables, start=1)
            for name, array in table.arrays().items()
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[np.generic]], n_labels: int, horizon: int
    ) -> "CountModel":
        """The model that gave `arrays`.

        Raises:
            ValueError: an array is missing, or its shape does not fit K and H.
        """
        tables: dict[str, list[BackoffTable]] = {"labels": [], "silence": []}
        for kind, n_outcomes in (("labels", n_labels), ("silence", 2)):
            for h in range(1, horizon + 1):
                prefix = f"{kind}.{h}."
                part = {
                    k.removeprefix(prefix): a for k, a in arrays.items() if k.startswith(prefix)
                }
                table = BackoffTable.from_arrays(part)
                if table.by_last.shape != (n_labels + 1, n_outcomes):
                    raise ValueError(
                        f"{prefix}by_last must have shape {(n_labels + 1, n_outcomes)}, "
                        f"got {table.by_last.shape}"
                    )
                tables[kind].append(table)
        return cls(n_labels, tuple(tables["labels"]), tuple(tables["silence"]))


def _events(
    pairs: Sequence[tuple[Labels, Labels]], n_labels: int, h: int
) -> tuple[Labels, Labels, Labels]:
    """(previous heard, last heard, answer h windows later) of all pairs; silence heard is K."""
    parts: list[list[Labels]] = [[], [], []]
    for heard, answered in pairs:
        if len(heard) <= h:
            continue
        last = np.where(heard == SILENCE, n_labels, heard)
        previous = np.concatenate([[n_labels], last[:-1]])
        for part, values in zip(parts, (previous[:-h], last[:-h], answered[h:]), strict=True):
            part.append(values.astype(np.int64))
    previous, last, answer = (
        np.concatenate(part) if part else np.zeros(0, dtype=np.int64) for part in parts
    )
    return previous, last, answer


class LiveCounts:
    """A count model that follows a performance; own past and fields are not used.

    Args:
        model: the tables.
    """

    def __init__(self, model: CountModel) -> None:
        self._model = model
        self.reset()

    @property
    def n_labels(self) -> int:
        """K, the size of the alphabet."""
        return self._model.n_labels

    @property
    def horizon(self) -> int:
        """H, how many windows ahead it predicts."""
        return self._model.horizon

    def reset(self) -> None:
        """Forget everything observed."""
        self._previous = self._last = self._model.n_labels

    def observe(self, heard: int, own: int, energy_db: float, onset: float) -> None:  # noqa: ARG002
        """Take in the label of the window that has just ended."""
        self._previous = self._last
        self._last = self._model.n_labels if heard == SILENCE else heard

    def predict(self, own_past_weight: float = OWN_PAST_WEIGHT) -> Prediction:  # noqa: ARG002
        """Predict the next H windows from the last two labels heard."""
        context = (self._previous, self._last)
        labels = np.stack([t.distribution(*context) for t in self._model.labels])
        silence = np.array([t.distribution(*context)[1] for t in self._model.silence])
        return Prediction(np.log(labels).astype(np.float32), silence.astype(np.float32))
