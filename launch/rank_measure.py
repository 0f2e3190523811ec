"""All figures of ranking, as plain values that go into a JSON file, a table and a page.

An interval is a list [value, low, high]; scenarios are drawn again for it (bootstrap), or base
programs left out one at a time (jackknife).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from agents.code_ranking.judgement import FIGURES, Judgement
from corpus.sonic_pi.scenarios import Scenario
from launch.rank_scenarios import KEEP, ScenarioSounds
from launch.rank_studies import Correlation, Fuzz
from launch.rank_unseen import UnseenFigures
from models.alignment_training import GridRow
from models.metrics.intervals import Estimate, bootstrap_mean
from models.metrics.similarity import distance_correlations

__all__ = [
    "TARGETS",
    "correlation_values",
    "fuzz_values",
    "grid_values",
    "interval",
    "paper_values",
    "scenario_values",
    "three_or_ten",
    "unseen_values",
]

Distances = NDArray[np.floating]
Values = dict[str, Any]
TARGETS: Final[dict[str, dict[str, Any]]] = {
    "scenarios": {
        "static": {"spearman": 0.65, "overlap": 0.58},
        "runtime events": {"spearman": 0.78, "overlap": 0.66},
        "cascade": {"capture": 0.85},
    },
    "programs left out": {
        "static": {"spearman": 0.75},
        "runtime events": {"spearman": 0.82},
        "static, network for retrieval": {"code_to_audio": 0.85, "audio_to_code": 0.85},
    },
    "installed examples": {"static": {"spearman": 0.65}},
    "paper's setting": {"cka": 0.590, "cca": 0.902},
}
"""What was asked for; the first three are what a prototype reached."""


def interval(estimate: Estimate) -> list[float]:
    """Value, low, high."""
    return [estimate.value, estimate.low, estimate.high]


def scenario_values(
    judged: Mapping[str, Sequence[Judgement]], scenarios: Sequence[Scenario]
) -> Values:
    """Figures of every method over all scenarios, by kind and by role.

    Args:
        judged: method → one judgement for each scenario.
        scenarios: in the same order.
    """
    groups = {"all": list(range(len(scenarios)))}
    for i, scenario in enumerate(scenarios):
        groups.setdefault(scenario.kind, []).append(i)
        groups.setdefault(scenario.role, []).append(i)
    return {
        group: {name: _over([each[i] for i in members]) for name, each in judged.items()}
        for group, members in groups.items()
    }


def _over(judgements: Sequence[Judgement]) -> Values:
    values: Values = {}
    for figure in FIGURES:
        known = [value for j in judgements if (value := getattr(j, figure)) is not None]
        if known:
            values[figure] = interval(bootstrap_mean(known))
    return values


def paper_values(
    methods: Mapping[str, Sequence[Sequence[Judgement]]], scenarios: Sequence[Scenario]
) -> Values:
    """The paper's Table 1 again: its three scenarios with ten candidates, mean and spread of runs.

    Args:
        methods: method → scenario → one judgement per run.
        scenarios: in the same order.
    """
    table: Values = {}
    for i, scenario in enumerate(scenarios):
        if scenario.kind != "paper":
            continue
        table[scenario.name] = {}
        for name, judgements in methods.items():
            rows = [asdict(judgement) for judgement in judgements[i]]
            table[scenario.name][name] = {
                figure: [
                    float(np.mean([row[figure] for row in rows])),
                    float(np.std([row[figure] for row in rows])),
                ]
                for figure in FIGURES
                if rows[0][figure] is not None
            }
    return table


def three_or_ten(
    sounds: Sequence[ScenarioSounds],
    truths: Sequence[Distances],
    chosen: Mapping[str, Sequence[int]],
) -> Values:
    """Is it worth asking for ten? Mean distance of three asked for, and of three out of ten.

    Args:
        sounds: all scenarios, the paper's among them.
        truths: true distances in each.
        chosen: name of a scenario with ten candidates → the three chosen.
    """
    apart: Values = {}
    for each, truth in zip(sounds, truths, strict=True):
        if each.scenario.kind != "paper":
            continue
        base, count = each.scenario.name.rsplit("-", 1)
        row = apart.setdefault(base, {})
        if len(each.kept) == KEEP:
            row["three asked for"] = _mean_distance(truth, range(KEEP))
        else:
            row[f"all {count}"] = _mean_distance(truth, range(len(truth)))
            row[f"three chosen of {count}"] = _mean_distance(truth, chosen[each.scenario.name])
    return apart


def _mean_distance(truth: Distances, rows: Sequence[int]) -> float:
    part = truth[np.ix_(list(rows), list(rows))]
    return float(part[np.triu_indices(len(part), 1)].mean())


def unseen_values(figures: Mapping[str, UnseenFigures]) -> Values:
    """Figures on programs never seen, method by method."""
    return {
        name: {
            key: interval(value) if isinstance(value, Estimate) else value
            for key, value in (
                ("spearman", each.spearman),
                ("within", each.within),
                ("code_to_audio", each.code_to_audio),
                ("audio_to_code", each.audio_to_code),
                ("chance_r10", each.chance_r10),
                ("spaces", dict(each.spaces) or None),
            )
            if value is not None
        }
        for name, each in figures.items()
    }


def grid_values(rows: Mapping[str, Sequence[GridRow]]) -> Values:
    """Mean and deviation over the runs of each configuration."""
    return {
        name: {
            figure: [
                float(np.mean([row[figure] for row in each])),
                float(np.std([row[figure] for row in each])),
            ]
            for figure in each[0]
            if figure not in ("configuration", "run")
        }
        for name, each in rows.items()
        if each
    }


def correlation_values(study: Mapping[str, Correlation]) -> Values:
    """Correlations with their p-values."""
    return {
        name: {
            "pairs": len(each.code), "pearson": list(each.pearson), "spearman": list(each.spearman)
        }
        for name, each in study.items()
    }  # fmt: skip


def fuzz_values(study: Sequence[Fuzz]) -> Values:
    """Ranges of similarity, and how well predicted distances follow real ones."""
    values: Values = {"programs": sorted({each.program for each in study}), "changes": len(study)}
    for kind in ("all", *sorted({each.kind for each in study})):
        part = [each for each in study if kind in ("all", each.kind)]
        text = np.array([each.text for each in part])
        sound = np.array([each.similarity for each in part])
        real = np.array([each.real for each in part])
        predicted = np.array([each.predicted for each in part])
        values[kind] = {
            "text_similarity": [float(text.min()), float(text.max())],
            "sound_similarity": [float(sound.min()), float(sound.max())],
            "spearman_text": distance_correlations(1 - text, real)[0],
            "spearman_static": distance_correlations(predicted, real)[0],
        }
    return values
