"""How unlike programs are as code: the simple distances that a ranking by sound must beat.

All give symmetric matrices of shape (n, n), ≥ 0, zero on the diagonal. None is fitted to sounds.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.stats import wasserstein_distance

from corpus.sonic_pi.auto_template import find_parameters
from corpus.sonic_pi.events import Event
from corpus.sonic_pi.parameters import NUMBERS, note_number
from corpus.sonic_pi.syntax import Node, parse

__all__ = [
    "edit_distances", "event_distances", "parameter_distances", "sleep_distances", "tree_distances",
]  # fmt: skip

Distances = NDArray[np.float64]
_TOKEN: Final = re.compile(r"\w+|[^\w\s]")
_STATISTICS: Final = (" mean", " least", " most")
_SHORTEST_SLEEP: Final = 1 / 64
_INTERVAL_EDGES: Final = np.geomspace(0.02, 4.0, 17)
_P: Final = 2
"""Nodes in the stem of a pq-gram: an anchor and those above it."""
_Q: Final = 3
"""Neighbouring children of the anchor in the base of a pq-gram."""
_NO_NODE: Final = ""
"""Fills a pq-gram where the tree ends."""


def edit_distances(programs: Sequence[str]) -> Distances:
    """Levenshtein distance of the words and signs of programs over the longer length, in [0, 1]."""
    words = [_TOKEN.findall(program) for program in programs]
    numbers = {word: i for i, word in enumerate(sorted({w for each in words for w in each}))}
    coded = [np.array([numbers[word] for word in each], dtype=np.int64) for each in words]
    distances = np.zeros((len(programs), len(programs)))
    for i, j in combinations(range(len(programs)), 2):
        longer = max(len(coded[i]), len(coded[j]), 1)
        distances[i, j] = distances[j, i] = _levenshtein(coded[i], coded[j]) / longer
    return distances


def _levenshtein(first: NDArray[np.int64], second: NDArray[np.int64]) -> int:
    """Wagner and Fischer (1974), a row at a time."""
    steps = np.arange(len(second) + 1)
    row = steps
    for count, word in enumerate(first, start=1):
        kept = np.minimum(row[1:] + 1, row[:-1] + (second != word))
        best = np.concatenate([[count], kept])
        row = np.minimum.accumulate(best - steps) + steps  # insertions, all at once
    return int(row[-1])


def tree_distances(programs: Sequence[str]) -> Distances:
    """The pq-gram distance of syntax trees, p = 2 and q = 3, in [0, 1].

    It approximates the edit distance of trees, which costs the cube of their size, by the share of
    small subtrees that two trees do not have in common (Augsten, Böhlen and Gamper 2005,
    definitions 3 to 5). Nodes are told apart by kind, operator and, at the leaves, by text. What
    cannot be read of a broken program is left out.
    """
    profiles = [Counter(_pq_grams(parse(program).root)) for program in programs]
    distances = np.zeros((len(programs), len(programs)))
    for i, j in combinations(range(len(programs)), 2):
        shared, both = (profiles[i] & profiles[j]).total(), profiles[i] + profiles[j]
        distances[i, j] = distances[j, i] = 1.0 - 2.0 * shared / both.total()
    return distances


def _pq_grams(root: Node) -> Iterator[tuple[str, ...]]:
    """Every node with what stands above it, once for each run of neighbouring children."""
    pending = [(root, (_NO_NODE,) * (_P - 1))]
    while pending:
        anchor, above = pending.pop()
        stem = (*above, _label(anchor))
        edge = [_NO_NODE] * (_Q - 1 if anchor.children else _Q)
        row = [*edge, *map(_label, anchor.children), *(edge if anchor.children else ())]
        for start in range(len(row) - _Q + 1):
            yield (*stem, *row[start : start + _Q])
        pending.extend((child, stem[1:]) for child in anchor.children)


def _label(node: Node) -> str:
    operator = node.fields.get("operator")
    return f"{node.kind} {operator.text if operator is not None else node.text}"


def parameter_distances(programs: Sequence[str]) -> Distances:
    """Euclidean distance of the parameters that stand in programs, each standardised.

    Numbers by kind (sleep, amp, cutoff, note, …): how many, mean, least and greatest; names (of
    synths, samples, effects, …): there or not.
    """
    rows = [_parameters(program) for program in programs]
    columns = sorted({name for row in rows for name in row})
    if not columns:
        return np.zeros((len(programs), len(programs)))
    table = np.array([[row.get(name, np.nan) for name in columns] for row in rows])
    for name, column in zip(columns, table.T, strict=True):
        there = np.isfinite(column)
        # a number that a program does not say is taken to be as in the others
        column[~there] = column[there].mean() if name.endswith(_STATISTICS) else 0.0
    deviation = table.std(axis=0)
    table = (table - table.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    return np.asarray(cdist(table, table))


def _parameters(program: str) -> dict[str, float]:
    numbers: dict[str, list[float]] = {}
    row: dict[str, float] = {}
    for parameter in find_parameters(program):
        if parameter.kind in NUMBERS:
            numbers.setdefault(parameter.kind, []).append(float(parameter.text))
        elif parameter.kind == "note":
            numbers.setdefault("note", []).append(_pitch(parameter.text))
        else:
            row[f"{parameter.kind} {parameter.text}"] = 1.0
    for kind, values in numbers.items():
        row[f"{kind} mean"] = float(np.mean(values))
        row[f"{kind} least"], row[f"{kind} most"] = min(values), max(values)
    counts = {f"{kind} count": float(len(values)) for kind, values in numbers.items()}
    return {**row, **counts}


def _pitch(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float(note_number(text))


def sleep_distances(programs: Sequence[str]) -> Distances:
    """Earth mover's distance between the waiting times that stand in programs, in octaves.

    A program without any counts as waiting one beat. After the rhythm similarity from `sleep`
    values alone that preceded the paper.
    """
    waits = [_sleeps(program) for program in programs]
    distances = np.zeros((len(programs), len(programs)))
    for i, j in combinations(range(len(programs)), 2):
        distances[i, j] = distances[j, i] = wasserstein_distance(waits[i], waits[j])
    return distances


def _sleeps(program: str) -> NDArray[np.float64]:
    found = [float(p.text) for p in find_parameters(program) if p.kind == "sleep"]
    return np.log2(np.maximum(found or [1.0], _SHORTEST_SLEEP))


def event_distances(events: Sequence[Sequence[Event]]) -> Distances:
    """Euclidean distance of what programs play, in blocks that weigh the same.

    Blocks: which synths, samples and effects (shares), pitch classes, octaves, time between onsets,
    and how loud, long and many. Each is standardised and divided by the root of its size.
    """
    names = sorted({f"{event.kind} {event.name}" for each in events for event in each})
    blocks = [
        [_shares(each, names) for each in events],
        [_pitch_classes(each) for each in events],
        [_octaves(each) for each in events],
        [_intervals(each) for each in events],
        [_amounts(each) for each in events],
    ]
    balanced = []
    for block in blocks:
        table = np.array(block, dtype=np.float64).reshape(len(events), -1)
        deviation = table.std(axis=0)
        table = (table - table.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
        balanced.append(table / np.sqrt(max(1, table.shape[1])))
    table = np.concatenate(balanced, axis=1)
    return np.asarray(cdist(table, table))


def _shares(events: Sequence[Event], names: Sequence[str]) -> Distances:
    counts = {name: 0 for name in names}
    for event in events:
        counts[f"{event.kind} {event.name}"] += 1
    return np.sqrt(np.array(list(counts.values()), dtype=np.float64) / max(1, len(events)))


def _pitches(events: Sequence[Event]) -> NDArray[np.float64]:
    return np.array(
        [e.arguments["note"] for e in events if e.kind == "synth" and "note" in e.arguments]
    )


def _pitch_classes(events: Sequence[Event]) -> Distances:
    pitches = _pitches(events)
    counts = np.bincount(np.rint(pitches).astype(np.int64) % 12, minlength=12)
    return np.asarray(counts / max(1, len(pitches)), dtype=np.float64)


def _octaves(events: Sequence[Event]) -> Distances:
    pitches = _pitches(events)
    counts = np.histogram(pitches, bins=np.arange(0, 133, 12))[0]
    return np.asarray(counts / max(1, len(pitches)), dtype=np.float64)


def _intervals(events: Sequence[Event]) -> Distances:
    onsets = np.unique([e.time for e in events if e.kind in ("synth", "sample")])
    steps = np.clip(np.diff(onsets), _INTERVAL_EDGES[0], _INTERVAL_EDGES[-1])
    counts = np.histogram(steps, bins=_INTERVAL_EDGES)[0]
    return np.asarray(counts / max(1, len(steps)), dtype=np.float64)


def _amounts(events: Sequence[Event]) -> Distances:
    sounds = [e for e in events if e.kind in ("synth", "sample")]
    if not sounds:
        return np.zeros(5)
    loudness = [e.arguments.get("amp", 1.0) for e in sounds]
    lengths = [
        sum(e.arguments.get(name, 0.0) for name in ("attack", "decay", "sustain", "release"))
        for e in sounds
    ]
    heights = _pitches(events)
    return np.array(
        [
            np.log1p(len(sounds)),
            np.mean(loudness),
            np.mean(np.maximum(lengths, 0.0)),
            heights.mean() if len(heights) else 0.0,
            np.mean([e.kind == "synth" for e in sounds]),
        ]
    )
