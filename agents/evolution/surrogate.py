"""Fitness foreseen from code alone: many children are imagined, only the promising are rendered.

A program's foreseen sound (of the static sketch, or of runtime events) is regressed on where its
clip lies in the taste space and on what would be wrong with it. Since a place is foreseen and not
a verdict, a listener who changes changes the estimates at once. It learns from every render, and
counts how often it was right.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from agents.evolution.fitness import WORST
from agents.evolution.genome import Genome, Individual

__all__ = ["CodeSurrogate"]

FloatArray = NDArray[np.float32]
Doubles = NDArray[np.float64]
_RIDGE: Final = 0.3
_WIDTH: Final = 2.0  # of the kernel, in median distances
_FEWEST: Final = 8
_MOST_LEARNED: Final = 1000
_OWN_WEIGHT: Final = 2.0  # of what was rendered here, beside what came with it


class CodeSurrogate:
    """Kernel ridge regression from foreseen sounds to places; keeps `population.Foresight`.

    Args:
        foresee: a program's foreseen sound, (dim,); None if it will not play.
        target: where the listener is now, a unit vector (shared,).
        points: foreseen sounds of programs rendered before, (n, dim); may be empty.
        songs: where their clips lie, unit vectors (n, shared).
    """

    def __init__(
        self,
        foresee: Callable[[str], FloatArray | None],
        target: Callable[[], FloatArray],
        points: FloatArray,
        songs: FloatArray,
    ) -> None:
        self._foresee, self._target = foresee, target
        self._points, self._songs = points.astype(np.float64), songs.astype(np.float64)
        self._wrong = np.zeros(len(points))
        self._weights = np.ones(len(points))
        self._n_given = len(points)
        self._seen: dict[str, FloatArray | None] = {}
        self._correlations: list[float] = []
        self._hits: list[float] = []
        self._fit()

    def estimate(self, genomes: Sequence[Genome]) -> list[float]:
        """See `population.Foresight.estimate`; 0 for all before anything is known."""
        points = [self._point(genome.text) for genome in genomes]
        there = [(k, point) for k, point in enumerate(points) if point is not None]
        estimates = [-np.inf] * len(genomes)
        if there:
            foreseen = self._predict(np.stack([point for _, point in there]).astype(np.float64))
            for (k, _), value in zip(there, foreseen, strict=True):
                estimates[k] = float(value)
        return estimates

    def learn(self, judged: Sequence[Individual]) -> dict[str, float]:
        """Take in renders; how right the estimates were, of this generation and on average.

        Returns:
            `surrogate rank correlation` (Spearman) of estimates and fitness; `surrogate hits`, the
            share of those it chose that were fitter than the mean of those it did not choose.
        """
        fit = [one for one in judged if one.judgement is not None and one.fitness > WORST]
        said = self._measured([one for one in fit if one.estimate is not None])
        rows = []
        for one in fit:
            point = self._point(one.genome.text)
            if point is not None and one.judgement is not None and one.judgement.song is not None:
                rows.append((point, one.judgement.song, one.judgement.taste - one.fitness))
        if rows:
            self._add(rows)
        return said

    def _measured(self, known: Sequence[Individual]) -> dict[str, float]:
        actual = [one.fitness for one in known]
        foreseen = [one.estimate for one in known]
        if len(known) >= 3 and len(set(actual)) > 1 and len(set(foreseen)) > 1:
            self._correlations.append(float(spearmanr(foreseen, actual).statistic))
        blind = [one.fitness for one in known if one.operator.endswith("blind")]
        chosen = [one.fitness for one in known if not one.operator.endswith("blind")]
        if blind and chosen:
            self._hits.append(float(np.mean(np.array(chosen) > np.mean(blind))))
        said = {}
        if self._correlations:
            said["surrogate rank correlation"] = float(np.mean(self._correlations))
        if self._hits:
            said["surrogate hits"] = float(np.mean(self._hits))
        return said

    def _add(self, rows: Sequence[tuple[FloatArray, FloatArray, float]]) -> None:
        points, songs, wrong = zip(*rows, strict=True)
        n = self._n_given
        own = slice(n, None)
        kept = _MOST_LEARNED - len(rows)

        def joined(old: Doubles, new: Doubles) -> Doubles:
            return np.concatenate([old[:n], old[own][-kept:], new])

        self._points = joined(self._points.reshape(-1, len(points[0])), np.stack(points))
        self._songs = joined(self._songs.reshape(-1, len(songs[0])), np.stack(songs))
        self._wrong = joined(self._wrong, np.array(wrong))
        self._weights = joined(self._weights, np.full(len(rows), _OWN_WEIGHT))
        self._fit()

    def _fit(self) -> None:
        """Kernel ridge with a weight for each example: noisier examples count less."""
        if len(self._points) < _FEWEST:
            self._solved: Doubles | None = None
            return
        self._mean = self._points.mean(axis=0)
        scale = float(np.sqrt(((self._points - self._mean) ** 2).sum(axis=1).mean()))
        self._scale = max(scale, 1e-9)
        kernel = self._kernel(self._points)
        targets = np.column_stack([self._songs, self._wrong])
        self._level = np.average(targets, axis=0, weights=self._weights)
        system = kernel + _RIDGE * np.diag(1.0 / self._weights)
        self._solved = np.linalg.solve(system, targets - self._level)

    def _kernel(self, points: Doubles) -> Doubles:
        ours, theirs = ((some - self._mean) / self._scale for some in (points, self._points))
        apart = (ours**2).sum(axis=1)[:, None] + (theirs**2).sum(axis=1) - 2 * ours @ theirs.T
        kernel: Doubles = np.exp(-np.maximum(apart, 0.0) / _WIDTH)
        return kernel

    def _predict(self, points: Doubles) -> Doubles:
        if self._solved is None:
            return np.zeros(len(points))
        foreseen = self._kernel(points) @ self._solved + self._level
        songs, wrong = foreseen[:, :-1], foreseen[:, -1]
        estimate: Doubles = songs @ self._target().astype(np.float64) - np.maximum(wrong, 0.0)
        return estimate

    def _point(self, code: str) -> FloatArray | None:
        if code not in self._seen:
            if len(self._seen) > 4 * _MOST_LEARNED:
                self._seen.clear()
            self._seen[code] = self._foresee(code)
        return self._seen[code]

    def state(self) -> dict[str, Any]:
        """What was learned here; what came with it is not kept."""
        n = self._n_given
        return {
            "points": self._points[n:],
            "songs": self._songs[n:],
            "wrong": self._wrong[n:],
            "correlations": list(self._correlations),
            "hits": list(self._hits),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Be as when `state` was taken."""
        n, more = self._n_given, len(state["points"])
        if more:
            width, places = state["points"].shape[1], state["songs"].shape[1]
            self._points = np.concatenate([self._points[:n].reshape(-1, width), state["points"]])
            self._songs = np.concatenate([self._songs[:n].reshape(-1, places), state["songs"]])
            self._wrong = np.concatenate([self._wrong[:n], state["wrong"]])
            self._weights = np.concatenate([self._weights[:n], np.full(more, _OWN_WEIGHT)])
        self._correlations, self._hits = list(state["correlations"]), list(state["hits"])
        self._fit()
