"""What a trained decision is worth on held-out blocks, next to what needs no learning.

Three kinds of figures, never mixed:
- *bits*: cross-entropy of the true label in active windows, given the true past. The transformer
  has two readings: "heard" (own past hidden: the relation alone) and "own past".
- *free*: what a system answers when it runs on its own, greedy against greedy and sampled against
  sampled (nucleus 0.8, one seed). That the answer plays is given; what it plays is judged.
- *teacher-forced*: TPP of systems that are told the true past, repeating it among them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.alphabet import SILENCE
from models.count_model import CountModel, LiveCounts
from models.decision_model import HIDDEN, OWN_PAST_WEIGHT, DecisionModel
from models.metrics.labels import Interval, evaluate, paired_bootstrap
from models.paired_labels import Block
from models.sampling import draw_label, gumbel_noise

_TOP_P: Final = 0.8
_GROUP_WINDOWS: Final = 16  # stretches that the bootstrap resamples when songs are few
_SONGS_FOR_GROUPS: Final = 8  # fewer whole songs say nothing about how songs vary
Labels = NDArray[np.int64]
Figures = NDArray[np.float64]
V = TypeVar("V")


@dataclass(frozen=True)
class Evaluation:
    """Everything measured on held-out blocks.

    Args:
        n_active: windows judged.
        bits: cross-entropy of each system, bits per active window.
        horizon_bits: the "heard" reading's bits for h = 1..H: how far it foresees.
        silence_bits: cross-entropy of silence, bits per window.
        greedy: metrics of each system when it plays its most probable label.
        sampled: metrics of each system under nucleus sampling.
        teacher_forced: TPP (%) of systems that are told the true past.
        truth: entropy (bits) and mean run (windows) of the true answer.
        gains: 95 % intervals of paired differences; positive favours the one named first.
    """

    n_active: int
    bits: dict[str, float]
    horizon_bits: list[float]
    silence_bits: dict[str, float]
    greedy: dict[str, dict[str, float]]
    sampled: dict[str, dict[str, float]]
    teacher_forced: dict[str, float]
    truth: dict[str, float]
    gains: dict[str, Interval]


@dataclass(frozen=True, eq=False)
class Foresight:
    """What a model that is told the true past expects, window by window of one block.

    Args:
        labels: (T, H, K) log-probabilities; row t rests on windows before t and is about
            windows t … t + H − 1.
        silence: (T, H) probabilities, likewise.
    """

    labels: NDArray[np.float32]
    silence: NDArray[np.float32]

    def bits(self, answer: Labels, h: int = 0) -> Figures:
        """Bits of each true label as foreseen h + 1 windows before its end, (T,); NaN for silence.

        Windows before h have no such prediction and are NaN too.
        """
        log_probabilities = self.labels[: len(answer) - h or None, h]
        target = answer[h:]
        rows = np.arange(len(target))
        bits = np.full(len(answer), np.nan)
        bits[h:] = -log_probabilities[rows, np.maximum(target, 0)].astype(np.float64) / np.log(2)
        bits[answer == SILENCE] = np.nan
        return bits


def foresee(model: DecisionModel, block: Block, own_past_weight: float) -> Foresight:
    """Let `model` hear a block from its start, with the true own past."""
    model.reset()
    labels, silence = [], []
    for t in range(len(block.heard)):
        prediction = model.predict(own_past_weight)
        labels.append(prediction.log_probabilities)
        silence.append(prediction.silence)
        energy_db, onset = block.fields[t].tolist()
        model.observe(int(block.heard[t]), int(block.answer[t]), energy_db, onset)
    return Foresight(np.stack(labels), np.stack(silence))


def answer_freely(
    model: DecisionModel, block: Block, own_past_weight: float, noise: Figures
) -> Labels:
    """The labels that `model` plays to a block, its own past being what it played.

    During the warm-up its own past is hidden; where the truth is silent, so is the answer.

    Args:
        model: reset, then played.
        block: what is heard.
        own_past_weight: as for the live model.
        noise: (T, K), zeros for greedy.
    """
    model.reset()
    everything = np.ones(model.n_labels, dtype=bool)
    played = np.full(len(block.heard), SILENCE, dtype=np.int64)
    for t in range(len(block.heard)):
        own = HIDDEN
        if block.scored_active[t]:
            log_probabilities = model.predict(own_past_weight).log_probabilities[0]
            played[t] = draw_label(log_probabilities, _TOP_P, everything, noise[t]).label
        if block.scored[t]:
            own = int(played[t])
        energy_db, onset = block.fields[t].tolist()
        model.observe(int(block.heard[t]), own, energy_db, onset)
    return played


def repeat_share(blocks: Sequence[Block]) -> float:
    """How often a label is followed by itself, smoothed, in (0, 1)."""
    same = pairs = 0
    for block in blocks:
        plays = (block.answer[1:] != SILENCE) & (block.answer[:-1] != SILENCE)
        same += int((block.answer[1:] == block.answer[:-1])[plays].sum())
        pairs += int(plays.sum())
    return (same + 0.5) / (pairs + 1.0)


def silence_share(blocks: Sequence[Block]) -> float:
    """How often the answer is silent, smoothed, in (0, 1)."""
    silent = sum(int((block.answer == SILENCE).sum()) for block in blocks)
    return (silent + 0.5) / (sum(len(block.answer) for block in blocks) + 1.0)


@dataclass(eq=False)
class _Measured:
    """Figures of the windows judged, gathered block by block."""

    truth: list[Labels]
    groups: list[Labels]
    bits: dict[str, list[Figures]]
    horizon: list[Figures]
    silence: dict[str, list[Figures]]
    answers: dict[str, list[Labels]]
    told: dict[str, list[NDArray[np.bool_]]]


def evaluate_decision(
    transformer: DecisionModel,
    counts: CountModel,
    train: Sequence[Block],
    test: Sequence[Block],
    *,
    seed: int,
) -> Evaluation | None:
    """Measure on held-out blocks; None if no window in them is active.

    The bootstrap resamples songs if at least eight are held out, otherwise stretches of 16 windows
    of each song (both directions of a stretch together): such intervals speak of these songs only.

    Args:
        transformer: trained and live; it is reset and played.
        counts: trained.
        train: what the baselines take their shares from.
        test: held out.
        seed: of sampling and bootstrap.
    """
    if not any(block.scored_active.any() for block in test):
        return None
    measured = _Measured([], [], {}, [], {}, {}, {})
    shares = repeat_share(train), silence_share(train)
    songs = sorted({block.song for block in test})
    for number, block in enumerate(test):
        _measure_block(measured, transformer, counts, block, shares, (seed, number))
        stretch = (block.first_window + np.arange(len(block.heard))) // _GROUP_WINDOWS
        if len(songs) >= _SONGS_FOR_GROUPS:
            stretch = np.zeros_like(stretch)
        measured.groups.append(songs.index(block.song) * 1_000_000 + stretch)
    return _summary(measured, test, seed)


def _measure_block(
    measured: _Measured,
    transformer: DecisionModel,
    counts: CountModel,
    block: Block,
    shares: tuple[float, float],
    seed: tuple[int, int],
) -> None:
    """Add the figures of one block, for all of its windows."""
    answer, unigram = block.answer, counts.unigram()
    heard, past = foresee(transformer, block, 0.0), foresee(transformer, block, 1.0)
    counted = foresee(LiveCounts(counts), block, 0.0)
    last = np.concatenate([[SILENCE], answer[:-1]])
    base = unigram[np.maximum(answer, 0)]
    repeated = np.where(
        last == SILENCE, base, shares[0] * (last == answer) + (1 - shares[0]) * base
    )
    _extend(
        measured.bits,
        {
            "unigram": -np.log2(base),
            "counts": counted.bits(answer),
            "heard": heard.bits(answer),
            "repeat-last": -np.log2(repeated),
            "own past": past.bits(answer),
        },
    )
    measured.truth.append(answer)
    measured.horizon.append(
        np.stack([heard.bits(answer, h) for h in range(transformer.horizon)], axis=1)
    )
    silence = {"base rate": np.full(len(answer), shares[1])}
    silence |= {"counts": counted.silence[:, 0], "transformer": past.silence[:, 0]}
    chance = {n: np.where(answer == SILENCE, p, 1 - p) for n, p in silence.items()}
    _extend(measured.silence, {n: -np.log2(np.maximum(p, 1e-12)) for n, p in chance.items()})
    _extend(
        measured.told,
        {
            "repeat the true last label": last == answer,
            "transformer, own past": past.labels[:, 0].argmax(axis=1) == answer,
        },
    )
    _extend(measured.answers, _answers(transformer, block, unigram, counted, heard, seed))


def _answers(
    transformer: DecisionModel,
    block: Block,
    unigram: Figures,
    counted: Foresight,
    heard: Foresight,
    seed: tuple[int, int],
) -> dict[str, Labels]:
    """What each system answers on its own; names start with "greedy" or "sampled"."""
    n, k = len(block.heard), transformer.n_labels
    silence = np.zeros((n, k))
    first = seed[1] * 1_000_000
    noise = np.stack([gumbel_noise(seed[0], first + t, k) for t in range(n)])
    majority = np.full(n, int(unigram.argmax()))
    before = np.concatenate([[SILENCE], block.heard[:-1]])
    chance = np.broadcast_to(np.log(unigram), (n, k))
    return {
        "greedy majority": majority,
        "greedy copy": np.where(before == SILENCE, majority, before),
        "greedy counts": counted.labels[:, 0].argmax(axis=1),
        "greedy heard": heard.labels[:, 0].argmax(axis=1),
        "greedy transformer": answer_freely(transformer, block, OWN_PAST_WEIGHT, silence),
        "sampled unigram": _drawn(chance, noise),
        "sampled counts": _drawn(counted.labels[:, 0], noise),
        "sampled heard": _drawn(heard.labels[:, 0], noise),
        "sampled transformer": answer_freely(transformer, block, OWN_PAST_WEIGHT, noise),
    }


def _drawn(log_probabilities: NDArray[np.floating], noise: Figures) -> Labels:
    """One nucleus draw per row of (T, K)."""
    everything = np.ones(log_probabilities.shape[1], dtype=bool)
    rows = zip(log_probabilities, noise, strict=True)
    return np.array([draw_label(row, _TOP_P, everything, own).label for row, own in rows])


def _extend(gathered: dict[str, list[V]], values: dict[str, V]) -> None:
    for name, value in values.items():
        gathered.setdefault(name, []).append(value)


def _summary(measured: _Measured, test: Sequence[Block], seed: int) -> Evaluation:
    """Means and intervals over the windows judged."""
    active = np.concatenate([block.scored_active for block in test])
    scored = np.concatenate([block.scored for block in test])
    truth = np.where(active, np.concatenate(measured.truth), SILENCE)
    groups = np.concatenate(measured.groups)[active]
    bits = {name: np.concatenate(parts)[active] for name, parts in measured.bits.items()}
    answers = {  # that the answer plays is given
        name: np.where(active, np.concatenate(parts), SILENCE)
        for name, parts in measured.answers.items()
    }
    hits = {name: 100.0 * (labels == truth)[active] for name, labels in answers.items()}
    metrics = {name: evaluate(truth, labels) for name, labels in answers.items()}
    differences = {
        f"bits saved by {a} over {b}": bits[b] - bits[a]
        for a, b in (
            ("heard", "unigram"),
            ("counts", "unigram"),
            ("heard", "counts"),
            ("own past", "repeat-last"),
        )
    } | {
        f"TPP of {a} over {b.split()[1]}": hits[a] - hits[b]
        for a, b in (
            ("greedy heard", "greedy majority"),
            ("greedy heard", "greedy copy"),
            ("greedy heard", "greedy counts"),
            ("sampled transformer", "sampled unigram"),
            ("sampled transformer", "sampled counts"),
        )
    }
    of_truth = evaluate(truth, truth)
    return Evaluation(
        n_active=int(active.sum()),
        bits={name: float(values.mean()) for name, values in bits.items()},
        horizon_bits=np.nanmean(np.concatenate(measured.horizon)[active], axis=0).tolist(),
        silence_bits={
            name: float(np.concatenate(parts)[scored].mean())
            for name, parts in measured.silence.items()
        },
        greedy={n.split()[1]: m for n, m in metrics.items() if n.startswith("greedy")},
        sampled={n.split()[1]: m for n, m in metrics.items() if n.startswith("sampled")},
        teacher_forced={
            name: float(100.0 * np.concatenate(parts)[active].mean())
            for name, parts in measured.told.items()
        },
        truth={"entropy": of_truth["entropy"], "mean_run": of_truth["mean_run"]},
        gains={name: paired_bootstrap(d, groups, seed) for name, d in differences.items()},
    )
