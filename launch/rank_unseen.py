"""Programs never seen: whole programs left out of training, and the installed examples.

The intervals leave one base program out at a time, or draw programs again, as programs are what was
drawn by chance; the many fillings of one program are not independent.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import squareform

from agents.code_ranking.prediction import STORED
from corpus.sonic_pi.code_distances import (
    edit_distances,
    event_distances,
    parameter_distances,
    sleep_distances,
    tree_distances,
)
from corpus.sonic_pi.events import Event
from launch.alignment_material import Material
from launch.rank_scenarios import PAPER_MODEL, cosine_distances
from models.alignment import AlignmentConfig
from models.alignment_training import train
from models.audio_embedding import AudioSpace, distances_between
from models.metrics import retrieval, similarity
from models.metrics.intervals import Estimate, bootstrap_mean, jackknife
from models.metrics.retrieval import partner_ranks, recall_at
from models.metrics.similarity import distance_correlations
from models.ridge import Ridge, choose_strength, leave_programs_out

__all__ = ["Programs", "UnseenFigures", "on_examples", "on_programs_left_out"]

FloatArray = NDArray[np.float32]
Distances = NDArray[np.floating]
N_FOLDS: Final = 4
RETRIEVAL: Final = AlignmentConfig(loss="symmetric")
_FEWEST_ROWS: Final = 3
MOST_ASKED: Final = 800
"""Rows of a fold that are judged, drawn if it has more: pairs grow as its square."""
N_SLOW: Final = 48  # rows of a fold on which distances of code are taken: they grow as its square


@dataclass(frozen=True, eq=False)
class Programs:
    """What a data set holds beside its views; rows as in the material."""

    material: Material
    codes: tuple[str, ...]
    events: tuple[tuple[Event, ...], ...]


@dataclass(frozen=True)
class UnseenFigures:
    """How well a method does on programs it never saw; None where it has no such figure.

    Args:
        spearman: of predicted and true distances of all pairs of sounds.
        within: the same among fillings of one program, mean over programs.
        code_to_audio, audio_to_code: R@10 among all that were held out.
        chance_r10: what R@10 would be by chance.
        spaces: how foreseen and real points fit, mean over folds: CKA and CCA with their floors,
            R@1, R@5, R@10 and median rank in both directions.
    """

    spearman: Estimate
    within: Estimate
    code_to_audio: Estimate | None = None
    audio_to_code: Estimate | None = None
    chance_r10: float | None = None
    spaces: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Part:
    """Predictions for one fold: distances, and points where there are any."""

    predicted: Distances
    real: Distances
    names: NDArray[np.str_]
    points: tuple[FloatArray, FloatArray] | None = None


def on_programs_left_out(
    programs: Programs, on_fold: Callable[[int], None] = lambda _: None
) -> dict[str, UnseenFigures]:
    """Every method on programs that it was not trained on, in four folds.

    Args:
        programs: the data set of templates.
        on_fold: told the number of folds done.
    """
    parts: dict[str, list[_Part]] = {}
    material = programs.material
    for fold, held in enumerate(leave_programs_out(material.programs, N_FOLDS, seed=0), start=1):
        space = AudioSpace.fit(material.sound[~held])
        judged = _some(np.flatnonzero(held), MOST_ASKED)
        known, asked = material.rows(~held), material.rows(judged.tolist())
        sounds, real = space.embed(known.sound), space.embed(asked.sound)
        for name, part in _code_parts(programs, judged, real).items():
            parts.setdefault(name, []).append(part)
        sketched = space.embed(asked.sketch)
        found = {
            "text embedding": _Part(
                cosine_distances(asked.text), distances_between(real), asked.programs
            ),
            "sketch, not trained": _euclidean(sketched, real, asked.programs),
            "paper's model": _network(PAPER_MODEL, known.text, sounds, asked.text, real, asked),
        }
        for view, name in (("sketch", "static"), ("events", "runtime events")):
            inputs: FloatArray = getattr(known, view)
            strength = choose_strength(inputs, sounds, known.programs)
            predicted = Ridge.fit(inputs, sounds, strength).predict(getattr(asked, view))
            found[name] = _euclidean(predicted, real, asked.programs)
            found[f"{name}, network for retrieval"] = _network(
                RETRIEVAL, inputs, sounds, getattr(asked, view), real, asked
            )
        for name, part in found.items():
            parts.setdefault(name, []).append(part)
        on_fold(fold)
    return {name: _figures(each) for name, each in parts.items()}


def on_examples(examples: Programs, training: Material) -> dict[str, UnseenFigures]:
    """Every method on variations of the installed examples, having learned from templates only.

    Args:
        examples: the data set of examples.
        training: views of the templates, for the paper's model.
    """
    space = AudioSpace.load(STORED / "space.safetensors")
    ridge = Ridge.load(STORED / "ridge.safetensors")
    material = examples.material
    real = space.embed(material.sound)
    learned = space.embed(training.sound)
    names = material.programs
    parts = _code_parts(examples, np.arange(len(names)), real)
    parts["text embedding"] = _Part(cosine_distances(material.text), distances_between(real), names)
    parts["sketch, not trained"] = _euclidean(space.embed(material.sketch), real, names)
    parts["paper's model"] = _network(
        PAPER_MODEL, training.text, learned, material.text, real, material
    )
    parts["static"] = _euclidean(ridge.predict(material.sketch), real, names)
    parts["runtime events"] = _euclidean(ridge.predict(material.events), real, names)
    return {name: _figures([part]) for name, part in parts.items()}


def _some(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """At most so many of the rows, drawn, in their order."""
    return np.sort(np.random.default_rng(0).permutation(rows)[:most])


def _code_parts(programs: Programs, rows: NDArray[np.int64], real: FloatArray) -> dict[str, _Part]:
    """Distances of code, on a random part of the rows."""
    chosen = _some(np.arange(len(rows)), N_SLOW)
    codes = [programs.codes[row] for row in rows[chosen]]
    names = programs.material.programs[rows[chosen]]
    truth = distances_between(real[chosen])
    found: Mapping[str, Distances] = {
        "sleep values": sleep_distances(codes),
        "edit distance": edit_distances(codes),
        "syntax trees": tree_distances(codes),
        "parsed parameters": parameter_distances(codes),
        "events": event_distances([programs.events[row] for row in rows[chosen]]),
    }
    return {name: _Part(distances, truth, names) for name, distances in found.items()}


def _euclidean(predicted: FloatArray, real: FloatArray, names: NDArray[np.str_]) -> _Part:
    points = predicted.astype(np.float32), real
    return _Part(distances_between(predicted), distances_between(real), names, points)


def _network(
    config: AlignmentConfig,
    code: FloatArray,
    sounds: FloatArray,
    asked: FloatArray,
    real: FloatArray,
    material: Material,
) -> _Part:
    points = train(code, sounds, config, 0).embed(asked, real)
    distances = cosine_distances(points[0])
    return _Part(distances, distances_between(real), material.programs, points)


def _figures(parts: list[_Part]) -> UnseenFigures:
    groups = np.concatenate([part.names for part in parts])
    starts = np.cumsum([0, *(len(part.names) for part in parts[:-1])])
    folds = list(zip(parts, starts, strict=True))

    def over_parts(figure: Callable[[_Part, NDArray[np.bool_]], float]) -> Estimate:
        whole = [
            figure(part, np.ones(n, dtype=np.bool_)) if n >= _FEWEST_ROWS else math.nan
            for part in parts
            for n in (len(part.names),)
        ]

        def mean(mask: NDArray[np.bool_]) -> float:
            masks = [mask[start : start + len(part.names)] for part, start in folds]
            known = [
                value if kept.all() else figure(part, kept)
                for value, (part, _), kept in zip(whole, folds, masks, strict=True)
                if kept.sum() >= _FEWEST_ROWS
            ]
            return float(np.mean(known))

        return jackknife(mean, groups)

    spearman, within = over_parts(_spearman), bootstrap_mean(_within(parts))
    if any(part.points is None for part in parts):
        return UnseenFigures(spearman, within)
    return UnseenFigures(
        spearman,
        within,
        over_parts(lambda part, mask: _recall(part, mask, 0)),
        over_parts(lambda part, mask: _recall(part, mask, 1)),
        float(np.mean([10 / len(part.names) for part in parts])),
        _spaces([part.points for part in parts if part.points is not None]),
    )


def _spaces(points: Sequence[tuple[FloatArray, FloatArray]]) -> dict[str, float]:
    rows = [
        {**similarity.alignment(foreseen, real), **retrieval.evaluate(foreseen, real)}
        for foreseen, real in points
    ]
    return {figure: float(np.mean([row[figure] for row in rows])) for figure in rows[0]}


def _pairs(part: _Part, mask: NDArray[np.bool_]) -> tuple[Distances, Distances]:
    chosen = np.ix_(mask, mask)
    return (
        squareform(part.predicted[chosen], checks=False),
        squareform(part.real[chosen], checks=False),
    )


def _spearman(part: _Part, mask: NDArray[np.bool_]) -> float:
    return distance_correlations(*_pairs(part, mask))[0]


def _within(parts: Sequence[_Part]) -> list[float]:
    """The figure of every program of at least three fillings; none of them: as by chance."""
    masks = [(part, part.names == name) for part in parts for name in np.unique(part.names)]
    figures = [
        distance_correlations(*_pairs(part, mask))[0]
        for part, mask in masks
        if mask.sum() >= _FEWEST_ROWS
    ]
    return figures or [0.0]


def _recall(part: _Part, mask: NDArray[np.bool_], direction: int) -> float:
    if part.points is None:
        raise ValueError("only methods with points can be asked for partners")
    points = part.points[direction], part.points[1 - direction]
    return recall_at(partner_ranks(points[0][mask], points[1][mask]), 10)
