"""Ranking judged as it is asked for: candidates within a context, unlike each other and it.

The other figures take the context and a candidate together, as the paper does. What a performer
asks is another question: each candidate is heard with what it takes from its context
(`agents/code_ranking/programs.py`), and the context is one more sound to differ from. So the truth
is rendered anew: the framed candidates of every scenario, and its context alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from agents.code_ranking.cascade import Cascade
from agents.code_ranking.judgement import Judgement, chance, judge_choice, judge_distances
from agents.code_ranking.prediction import STORED, stored_predictor
from agents.code_ranking.programs import framed
from corpus.sonic_pi.scenarios import Scenario
from launch.rank_scenarios import KEEP, KeptTier, ScenarioSounds
from models.audio_embedding import distances_between
from models.metrics.similarity import distance_correlations
from models.ridge import Ridge

__all__ = ["apart_from_context", "as_asked", "ask_cascade", "judge_asked"]

Distances = NDArray[np.floating]


def as_asked(scenarios: Sequence[Scenario]) -> list[Scenario]:
    """Scenarios whose candidates are those ranked, and whose last one is the context alone."""
    return [
        replace(
            each,
            context="",
            candidates=(*(framed(each.context, one).code for one in each.candidates), each.context),
        )
        for each in scenarios
    ]


def apart_from_context(distances: Distances) -> Distances:
    """Distances between candidates, none greater than that of either to the context.

    The least of them within a subset is what max-min compares: how far its members are from each
    other and from the context.

    Args:
        distances: (n + 1, n + 1), symmetric, the context last.

    Returns:
        (n, n).
    """
    anchor = distances[:-1, -1]
    return np.minimum(distances[:-1, :-1], np.minimum.outer(anchor, anchor))


def ask_cascade(
    scenario: Scenario, sounds: ScenarioSounds, budgets: Sequence[int]
) -> dict[int, tuple[int, ...]]:
    """What the cascade chooses of a scenario; silent runs and first seconds are those rendered.

    Args:
        scenario: as it is written.
        sounds: of the same scenario as it is asked, all of it rendered.
        budgets: how many candidates may be heard.

    Returns:
        Candidates heard → places of those chosen.
    """
    predictor = stored_predictor()
    ridge = Ridge.load(STORED / "ridge.safetensors")
    codes = sounds.scenario.candidates
    events = ridge.predict(sounds.material.events)
    heard = predictor.space.embed(sounds.heard)
    with Cascade(
        predictor,
        events=KeptTier("events", dict(zip(codes, events, strict=True))),
        heard=KeptTier("heard", dict(zip(codes, heard, strict=True))),
    ) as cascade:
        return {
            budget: cascade.rank(
                scenario.context, scenario.candidates, KEEP, most_heard=budget
            ).chosen
            for budget in budgets
        }


def judge_asked(
    sounds: Sequence[ScenarioSounds],
    choices: Sequence[Mapping[int, Sequence[int]]],
    truths: Sequence[Distances],
) -> dict[str, list[Judgement]]:
    """One judgement per method and scenario.

    Args:
        sounds: scenarios as asked.
        choices: of the cascade in each, by the number heard.
        truths: true distances in each, the context last.
    """
    ridge = Ridge.load(STORED / "ridge.safetensors")
    judged = {"chance": [chance(len(truth) - 1, KEEP) for truth in truths]}
    for name, view in (("static", "sketch"), ("runtime events", "events")):
        judged[name] = [
            _judge(distances_between(ridge.predict(getattr(each.material, view))), truth)
            for each, truth in zip(sounds, truths, strict=True)
        ]
    for budget in choices[0] if choices else ():
        judged[f"cascade, {budget} heard"] = [
            judge_choice(chosen[budget], apart_from_context(truth))
            for chosen, truth in zip(choices, truths, strict=True)
        ]
    return judged


def _judge(predicted: Distances, real: Distances) -> Judgement:
    """Correlations of all distances, those to the context too; the choice as it is asked for."""
    choice = judge_distances(apart_from_context(predicted), apart_from_context(real), KEEP)
    pairs = np.triu_indices(len(real), 1)
    spearman, pearson = distance_correlations(predicted[pairs], real[pairs])
    return replace(choice, spearman=spearman, pearson=pearson)
