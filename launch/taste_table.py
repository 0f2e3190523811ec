"""The table of the taste model: what it is worth on a simulated audience, beside what costs less.

Everything is taken on songs that nobody trained on, against verdicts that the audience would give.
Chance is 0.5; the ceilings say what the truth itself would reach, as verdicts are noisy.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from agents.evolution.second_scorer import SecondScorer
from corpus.listening_events import Partitions
from corpus.simulated_audience import Audience
from models.listener import Listener, ListenerConfig
from models.metrics.ranking import centred_cosine, cosine, evaluate_rows
from models.taste import AlignerV2
from models.taste_training import TasteData

FloatArray = NDArray[np.float32]
LIKES: Final = (0, 5, 10, 20, 50)
N_RATINGS: Final = 100
REFERENCE_LISTENERS: Final = 60
_SURE: Final = 2.0  # these ratings are scores of the model itself, cut in two: none is wrong
PAPER: Final = {"roc_auc": 0.73, "cosine": 0.85}
"""EvoMusic on other data (Last.fm and MERT): a mark to have in mind, not a comparison."""


@dataclass(frozen=True, eq=False)
class Material:
    """Songs, who would like them, and what may be trained on."""

    layers: FloatArray  # (songs, L, D)
    audience: Audience
    parts: Partitions

    def training_data(self) -> TasteData:
        """Listens of known users to train songs; users are counted anew from 0."""
        listened = (self.audience.heard & self.audience.liked)[self.parts.known]
        kept = np.zeros_like(listened)
        kept[:, self.parts.train] = listened[:, self.parts.train]
        users, songs = np.nonzero(kept)
        return TasteData(
            layers=self.layers,
            n_users=len(self.parts.known),
            users=users,
            songs=songs,
            plays=np.ones(len(users)),
            validation_songs=self.parts.validation,
            validation_listened=listened[:, self.parts.validation],
        )


def measure(material: Material, aligner: AlignerV2, *, seed: int = 0) -> dict[str, Any]:
    """All figures, as plain values."""
    return {
        "songs": len(material.layers),
        "listeners": material.audience.n_listeners,
        "paper_on_its_own_data": PAPER,
        "known_users": _known(material, aligner),
        "unseen_users_by_likes": _cold_start(material, aligner, seed),
        "approximated_users": _approximated(material, aligner, seed),
        "unseen_users_from_ratings": _from_ratings(material, aligner, seed),
    }


def _known(material: Material, aligner: AlignerV2) -> dict[str, Any]:
    """Unseen songs of known users."""
    parts, audience, layers = material.parts, material.audience, material.layers
    test = parts.songs_to_evaluate("test")
    liked = audience.liked[np.ix_(parts.known, test)]
    listens = (audience.heard & audience.liked)[np.ix_(parts.known, parts.train)]
    flat = _standardised(layers, parts.train)
    near = _nearness(flat[test], flat[parts.train])  # (test, train)
    counts = np.maximum(listens.sum(axis=1), 1)[:, None]
    ridge = [
        SecondScorer(layers[parts.train], np.where(row, 1, -1), layers[parts.train]).scores(
            layers[test]
        )
        for row in listens
    ]
    model = aligner.scores(torch.from_numpy(layers[test])).numpy()
    shown = {
        "taste model": model,
        "mean user": np.tile(model.mean(axis=0), (len(parts.known), 1)),
        "popularity of the nearest songs": np.tile(
            near @ listens.sum(axis=0), (len(parts.known), 1)
        ),
        "nearest neighbours in feature space": (listens @ near.T) / counts,
        "kernel ridge per user": np.stack(ridge),
        "ceiling: hidden taste": audience.taste[np.ix_(parts.known, test)],
        "ceiling: taste and popularity": audience.leaning[np.ix_(parts.known, test)],
    }
    return {name: dict(evaluate_rows(scores, liked)) for name, scores in shown.items()}


def _cold_start(material: Material, aligner: AlignerV2, seed: int) -> dict[str, Any]:
    """Users never seen, after so many likes of train songs and nothing else."""
    parts, audience = material.parts, material.audience
    test = parts.songs_to_evaluate("test")
    songs = aligner.embed_songs(torch.from_numpy(material.layers)).numpy()
    flat = _standardised(material.layers, parts.train)
    near = np.zeros((len(test), len(flat)))
    near[:, parts.train] = _nearness(flat[test], flat[parts.train])
    rng = np.random.default_rng([seed, 17])
    liked = audience.liked[np.ix_(parts.unseen, test)]
    orders = {user: rng.permutation(parts.train) for user in parts.unseen}
    table: dict[str, Any] = {}
    for n_likes in LIKES:
        model, neighbours = [], []
        for user in parts.unseen:
            mine = [s for s in orders[user] if audience.heard[user, s] and audience.liked[user, s]]
            chosen = np.array(mine[:n_likes], dtype=np.int64)
            listener = Listener(aligner, songs[parts.train], ListenerConfig(seed=seed))
            listener.hear(songs[chosen], np.ones(len(chosen), np.float32))
            listener.fit()
            model.append(listener.scores(songs[test]))
            neighbours.append(near[:, chosen].sum(axis=1))
        table[str(n_likes)] = {
            "taste model": dict(evaluate_rows(np.stack(model), liked)),
            "nearest neighbours": dict(evaluate_rows(np.stack(neighbours), liked)),
        }
    truth = audience.taste[np.ix_(parts.unseen, test)]
    table["ceiling"] = dict(evaluate_rows(truth, liked))
    return table


def _approximated(material: Material, aligner: AlignerV2, seed: int) -> dict[str, Any]:
    """The paper's own check: find a table user's scores again from 100 ratings."""
    parts = material.parts
    test = parts.songs_to_evaluate("test")
    songs = aligner.embed_songs(torch.from_numpy(material.layers)).numpy()
    users = aligner.embed_users().numpy()
    rng = np.random.default_rng([seed, 19])
    chosen = rng.permutation(len(users))[:REFERENCE_LISTENERS]
    kinds = {
        f"{start}, {fitting}": ListenerConfig(
            initialisation=start,
            fitting=fitting,
            seed=seed,
            learning_rate=rate,
            sharpness=_SURE,
        )
        for start in ("mean", "random", "mean with noise")
        for fitting, rate in (("minibatch", 0.1), ("classic", 0.3))
    }
    found: dict[str, Any] = {}
    for kind, config in kinds.items():
        plain, centred = [], []
        for user in chosen:
            truth = songs @ users[user]
            rated = _balanced(truth, parts.train, N_RATINGS, rng)
            listener = Listener(aligner, songs[parts.train], config)
            listener.hear(songs[rated], np.sign(truth[rated] - np.median(truth[parts.train])))
            listener.fit(10)
            guess = listener.scores(songs[test])
            plain.append(cosine(guess, truth[test]))
            centred.append(centred_cosine(guess, truth[test]))
        found[kind] = {
            "cosine": float(np.mean(_there(plain))),
            "centred cosine": float(np.mean(_there(centred))),
            "lowest cosine": float(np.min(_there(plain))),
        }
    return {"ratings": N_RATINGS, "epochs": 10, "listeners": len(chosen), "by_fit": found}


def _from_ratings(material: Material, aligner: AlignerV2, seed: int) -> dict[str, Any]:
    """Users never seen, from 100 noisy verdicts: their hidden taste, and their verdicts to come."""
    parts, audience = material.parts, material.audience
    test = parts.songs_to_evaluate("test")
    songs = aligner.embed_songs(torch.from_numpy(material.layers)).numpy()
    rng = np.random.default_rng([seed, 23])
    guesses = []
    for user in parts.unseen:
        rated = rng.permutation(parts.train)[:N_RATINGS]
        listener = Listener(aligner, songs[parts.train], ListenerConfig(seed=seed))
        listener.hear(songs[rated], np.where(audience.liked[user, rated], 1, -1))
        listener.fit()
        guesses.append(listener.scores(songs[test]))
    scores, truth = np.stack(guesses), audience.taste[np.ix_(parts.unseen, test)]
    alike = [centred_cosine(one, other) for one, other in zip(scores, truth, strict=True)]
    return {
        "ratings": N_RATINGS,
        "centred cosine with the hidden taste": float(np.mean(_there(alike))),
        **evaluate_rows(scores, audience.liked[np.ix_(parts.unseen, test)]),
    }


def _balanced(
    truth: FloatArray, songs: NDArray[np.int64], n: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """As many songs above the listener's median as below, drawn among `songs`."""
    order = rng.permutation(songs)
    above = truth[order] > np.median(truth[songs])
    return np.concatenate([order[above][: n // 2], order[~above][: n // 2]])


def _standardised(layers: FloatArray, train: NDArray[np.int64]) -> NDArray[np.float64]:
    flat = layers.reshape(len(layers), -1).astype(np.float64)
    deviation = flat[train].std(axis=0)
    scale = np.where(deviation > 1e-4, deviation, 1.0)
    standard: NDArray[np.float64] = np.clip((flat - flat[train].mean(axis=0)) / scale, -6.0, 6.0)
    return standard


def _nearness(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of kernel regression (Nadaraya 1964): Gaussian of the distance, rows summing to 1.

    Unnormalised, a song in the middle of the space would be near everything.
    """
    apart = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * one @ other.T
    near = np.exp(-4 * apart / np.median(apart))
    weights: NDArray[np.float64] = near / near.sum(axis=1, keepdims=True)
    return weights


def _there(values: list[float | None]) -> list[float]:
    return [value for value in values if value is not None]
