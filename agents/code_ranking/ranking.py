"""From estimates to a ranking: who can be chosen, who is, and in which order all are shown.

Two modes. *Distinct*: the candidates that sound most unlike each other and unlike the context
(max-min). *Nearest*: those nearest to a given sound, traded against likeness to each other. Those
heard and those only foreseen are compared on one scale (`common_scale.py`), so that hearing some
does not set the others back. Distances are those of the audio space (`models/audio_embedding.py`)
under the listener's weights; they do not see the overall level.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from agents.code_ranking.common_scale import on_common_scale
from agents.code_ranking.diversity import maximal_marginal_relevance, most_distinct
from agents.code_ranking.estimate import Estimate, FloatArray, TierName
from models.audio_embedding import AudioSpace, AxisWeights, distances_between

__all__ = ["CONTEXT", "Answer", "Mode", "Ranking", "Wish", "arrange"]

Mode = Literal["distinct", "nearest"]
CONTEXT: Final = -1
"""The place of the context beside the candidates."""
_SAME_SOUND: Final = 1e-3
"""Points nearer than this differ by level or rounding."""
_FAULTS_SHOWN: Final = 2


@dataclass(frozen=True, eq=False)
class Wish:
    """What is asked of a ranking.

    Args:
        keep: how many to choose, ≥ 1.
        near: a point of the audio space to be near to, shape (dim,); none: the most distinct.
        trade: with `near`: 1 asks for nearness alone, less for difference as well, [0, 1].
        weights: how much each axis counts.
        seed: breaks ties.

    Raises:
        ValueError: a number out of range.
    """

    keep: int = 3
    near: FloatArray | None = None
    trade: float = 1.0
    weights: AxisWeights = field(default_factory=AxisWeights)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.keep < 1:
            raise ValueError(f"keep must be at least 1, got {self.keep}")
        if not 0.0 <= self.trade <= 1.0:
            raise ValueError(f"trade must be in [0, 1], got {self.trade}")
        if self.near is not None and not (self.near.ndim == 1 and np.isfinite(self.near).all()):
            raise ValueError(f"near must be a finite point, got shape {self.near.shape}")

    @property
    def mode(self) -> Mode:
        """Which of the two."""
        return "distinct" if self.near is None else "nearest"


@dataclass(frozen=True)
class Answer:
    """What is said of one candidate.

    Args:
        tier: what it rests on; None if the candidate was not reached in time.
        distance: distinct: to the nearest of the context and the (other) chosen; nearest: to the
            sound asked for. NaN if there is nothing to measure.
        coverage: how much of the program was understood, [0, 1]; 1 if it was run.
        is_trusted: the events were certain to be Sonic Pi's own.
        reason: why it cannot be chosen, a few words, which the name of `twin` completes; empty if
            it can.
        twin: the candidate that it is equal to or sounds like, if that is why.
        faults: errors of the program and what was not understood, a sentence each.
    """

    tier: TierName | None
    distance: float
    coverage: float
    is_trusted: bool
    reason: str
    twin: int | None
    faults: tuple[str, ...]

    @property
    def set_aside(self) -> str:
        """Why it cannot be chosen, its twin by number from 1 as given; empty if it can."""
        return self.reason if self.twin is None else f"{self.reason} candidate {self.twin + 1}"


@dataclass(frozen=True, eq=False)
class Ranking:
    """An order of candidates, and what it rests on.

    Args:
        mode: what `Answer.distance` means.
        order: all candidates, best first; those set aside come last.
        chosen: as many as were wanted, or as can be, best first: the head of `order`.
        answers: one for each candidate, in the order in which they were given.
        context: on which tier the context rests; None if there is none to be heard.
        points: (n, dim) of the audio space, not weighed; NaN where nothing is known.
        context_notice: what is wrong with the context or not understood of it, a sentence; empty if
            nothing is.
        is_final: everything that was wanted has been found out; else time was over, or goes on.
        seconds: real time spent since the question, s.
        notices: what could not be done for all candidates, a sentence each.
    """

    mode: Mode
    order: tuple[int, ...]
    chosen: tuple[int, ...]
    answers: tuple[Answer, ...]
    context: TierName | None
    points: FloatArray
    context_notice: str = ""
    is_final: bool = True
    seconds: float = 0.0
    notices: tuple[str, ...] = ()

    @property
    def all_notices(self) -> tuple[str, ...]:
        """What is to be said beside the answers: of the context, then of all candidates."""
        return (self.context_notice, *self.notices) if self.context_notice else self.notices


def arrange(
    candidates: Sequence[str],
    estimates: Sequence[Estimate | None],
    context: tuple[str, Estimate | None],
    wish: Wish,
    space: AudioSpace,
    foreseen: Mapping[int, FloatArray] | None = None,
) -> Ranking:
    """Chooses and orders.

    Args:
        candidates: programs.
        estimates: of each, the surest there is; None if there is none yet.
        context: the program that is there already, which may be empty, and its estimate.
        wish: what is asked.
        space: in which distances are taken.
        foreseen: candidate → where it was foreseen before it was heard, `CONTEXT` → the context.

    Raises:
        ValueError: `wish.near` is not a point of the space.
    """
    points = np.full((len(candidates), space.dim), np.nan, dtype=np.float32)
    for index, estimate in enumerate(estimates):
        if estimate is not None:
            points[index] = estimate.point
    anchor = _anchor(context[1], wish, space)
    weighed = space.weigh(np.nan_to_num(points), wish.weights)
    between = distances_between(weighed)
    to_anchor = None if anchor is None else distances_between(weighed, anchor[None])[:, 0]
    aside = _set_aside(candidates, estimates, context, between, to_anchor, wish)
    able = np.array([i for i, (reason, _) in enumerate(aside) if not reason], dtype=np.int64)
    between, to_anchor = _compared(weighed, anchor, estimates, context[1], wish, space, foreseen)
    chosen = _chosen(able, between, to_anchor, wish)
    distances = _distances(chosen, between, to_anchor, wish.mode)
    sign = 1.0 if wish.mode == "nearest" else -1.0
    rest = sorted(set(able.tolist()) - set(chosen), key=lambda i: sign * distances[i])
    last = [i for i, (reason, _) in enumerate(aside) if reason]
    known = context[1]
    answers = tuple(
        _answer(estimate, float(distances[index]), *aside[index])
        for index, estimate in enumerate(estimates)
    )
    return Ranking(
        mode=wish.mode,
        order=(*chosen, *rest, *last),
        chosen=tuple(chosen),
        answers=answers,
        context=None if known is None or known.is_silent else known.tier,
        points=points,
        context_notice=_context_notice(known),
    )


def _context_notice(context: Estimate | None) -> str:
    if context is None or not context.faults:
        return ""
    unheard = context.is_broken or context.is_silent
    lead = "nothing is compared with the context" if unheard else "in the context"
    return f"{lead}: {'; '.join(context.faults[:_FAULTS_SHOWN])}"


def _anchor(context: Estimate | None, wish: Wish, space: AudioSpace) -> FloatArray | None:
    """The weighed point that candidates are to be near to, or far from."""
    if wish.near is not None:
        if wish.near.shape != (space.dim,):
            raise ValueError(
                f"near must be a point of {space.dim} numbers, got shape {wish.near.shape}; "
                "take it from point_of_sound"
            )
        return space.weigh(wish.near, wish.weights)
    if context is None or context.is_silent or context.is_broken:
        return None
    return space.weigh(context.point, wish.weights)


def _compared(
    weighed: FloatArray,
    anchor: FloatArray | None,
    estimates: Sequence[Estimate | None],
    context: Estimate | None,
    wish: Wish,
    space: AudioSpace,
    foreseen: Mapping[int, FloatArray] | None,
) -> tuple[FloatArray, FloatArray | None]:
    """Distances between candidates and to the anchor, those foreseen and those heard alike."""
    rows = weighed if anchor is None else np.concatenate([weighed, anchor[None]])
    before = np.full_like(rows, np.nan)
    for place, point in (foreseen or {}).items():
        if place != CONTEXT or (anchor is not None and wish.near is None):
            before[place] = space.weigh(point, wish.weights)  # the context is the last row
    known = [*estimates, context][: len(rows)]
    heard = np.array([each is not None and each.tier == "heard" for each in known], dtype=np.bool_)
    if wish.near is not None:
        heard[-1] = True  # it is a sound
    apart = distances_between(on_common_scale(rows, before, heard))
    if anchor is None:
        return apart, None
    return apart[:-1, :-1], apart[:-1, -1]


def _set_aside(
    candidates: Sequence[str],
    estimates: Sequence[Estimate | None],
    context: tuple[str, Estimate | None],
    between: FloatArray,
    to_anchor: FloatArray | None,
    wish: Wish,
) -> list[tuple[str, int | None]]:
    """Why each candidate cannot be chosen, as `Answer` says it."""
    bare = [_bare(code) for code in candidates]
    background = _bare(context[0])
    kept: list[int] = []
    reasons: list[tuple[str, int | None]] = []
    for index, estimate in enumerate(estimates):
        reason, twin = _unusable(bare[index], estimate), None
        if not reason and estimate is not None:
            if background and bare[index] == background:
                reason = "equal to the context"
            elif (
                wish.mode == "distinct"
                and to_anchor is not None
                and _comparable(estimate, context[1])
                and to_anchor[index] < _SAME_SOUND
            ):
                reason = "sounds like the context"
            else:
                reason, twin = _twin(index, kept, bare, estimates, between)
        if not reason:
            kept.append(index)
        reasons.append((reason, twin))
    return reasons


def _unusable(bare: str, estimate: Estimate | None) -> str:
    if not bare:
        return "empty"
    if estimate is None:
        return "not reached in time"
    if estimate.is_broken:
        return "syntax error"
    return "silent" if estimate.is_silent else ""


def _twin(
    index: int,
    kept: Sequence[int],
    bare: Sequence[str],
    estimates: Sequence[Estimate | None],
    between: FloatArray,
) -> tuple[str, int | None]:
    for other in kept:
        if bare[other] == bare[index]:
            return "equal to", other
        if between[index, other] < _SAME_SOUND and _comparable(estimates[index], estimates[other]):
            return "sounds like", other
    return "", None


def _comparable(one: Estimate | None, other: Estimate | None) -> bool:
    """Whether equal points mean equal sounds."""
    if one is None or other is None:
        return False
    return one.tier == other.tier and one.is_trusted and other.is_trusted


def _bare(code: str) -> str:
    """A program without comments on lines of their own, blank lines and indentation."""
    lines = [line.strip() for line in code.splitlines()]
    return "\n".join([line for line in lines if line and not line.startswith("#")])


def _chosen(
    able: NDArray[np.int64],
    between: FloatArray,
    to_anchor: FloatArray | None,
    wish: Wish,
) -> list[int]:
    """The best `keep`, best first."""
    if not len(able):
        return []
    rng = np.random.default_rng(wish.seed)
    inside = between[np.ix_(able, able)]
    anchored = None if to_anchor is None else to_anchor[able]
    if wish.mode == "nearest" and anchored is not None:
        picked = maximal_marginal_relevance(anchored, inside, wish.keep, wish.trade, rng)
        return [int(able[i]) for i in picked]
    found = [int(able[i]) for i in most_distinct(inside, wish.keep, rng, anchored)]
    distances = _distances(found, between, to_anchor, "distinct")
    return sorted(found, key=lambda i: -distances[i])


def _distances(
    chosen: Sequence[int], between: FloatArray, to_anchor: FloatArray | None, mode: Mode
) -> NDArray[np.float64]:
    """The number shown for each candidate, see `Answer.distance`."""
    if mode == "nearest" and to_anchor is not None:
        return to_anchor.astype(np.float64)
    apart = between.astype(np.float64)
    np.fill_diagonal(apart, np.inf)
    nearest = apart[:, list(chosen)].min(axis=1, initial=np.inf)
    if to_anchor is not None:
        nearest = np.minimum(nearest, to_anchor)
    return np.where(np.isfinite(nearest), nearest, np.nan)


def _answer(estimate: Estimate | None, distance: float, reason: str, twin: int | None) -> Answer:
    if estimate is None:
        return Answer(None, float("nan"), 0.0, False, reason, twin, ())
    nothing = estimate.is_silent or estimate.is_broken
    return Answer(
        estimate.tier,
        float("nan") if nothing else distance,
        estimate.coverage,
        estimate.is_trusted,
        reason,
        twin,
        estimate.faults,
    )
