"""Where a training of the taste model with landmarks begins: at what can be solved in one step.

Ridge regression from songs' similarities to everybody's listens, cut to the few directions in which
tastes differ (reduced-rank regression: Izenman 1975), gives songs and listeners a place in one
space. How strong the ridge is and how many directions are kept is chosen on the validation songs:
the fewest directions that rank them as well as any.
The user table is then fitted to these places, and training goes on from there.
"""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.kernel_tower import KernelTower, learn_layer_weights
from models.metrics.ranking import evaluate_rows
from models.taste import AlignerV2, Skip

__all__ = ["settle"]

Doubles = NDArray[np.float64]
_RIDGES: Final = (0.1, 0.3, 1.0)
_RANKS: Final = (4, 8, 12, 16, 24, 32)
_AS_GOOD: Final = 0.004
"""Of AUC on validation songs: about its standard error. As Breiman et al. (1984, sec. 3.4.3) take
the smallest tree within one, we take the fewest directions: 100 ratings find them again."""
_GATE_SONGS: Final = 600
_TABLE_STEPS: Final = 200
_TABLE_RATE: Final = 0.003
_LIFT: Final = 2.0
"""One coordinate that all songs share, in deviations of the others: without it songs of which
little is known would be as far out on the sphere as the others."""
_TEMPERATURES: Final = np.geomspace(0.03, 1.0, 16)


def settle(
    network: AlignerV2,
    layers: NDArray[np.float32],
    listened: NDArray[np.bool_],
    train: NDArray[np.int64],
    validation: NDArray[np.int64],
    validation_listened: NDArray[np.bool_],
    seed: int,
) -> None:
    """Put towers and table of a network with landmarks where listens say at once.

    Args:
        network: fresh, standardised; changed in place.
        layers: of all songs, (songs, L, D).
        listened: to the train songs, (users, songs); validation songs are not looked at here.
        train: songs to learn from; at least `n_landmarks`.
        validation: songs to choose by; the first ridge and rank are taken without any.
        validation_listened: (users, validation songs).
        seed: of the landmarks.

    Raises:
        TypeError: a network without landmarks.
    """
    tower = network.songs
    if not isinstance(tower, KernelTower):
        raise TypeError("only a tower with landmarks can be settled; set n_landmarks above 0")
    rng = np.random.default_rng([seed, 71])
    some = rng.permutation(train)[:_GATE_SONGS]
    standard = tower.standard(torch.from_numpy(layers[some]))
    weights = learn_layer_weights(standard, torch.from_numpy(listened[:, some]))
    marks = rng.permutation(train)[: network.config.n_landmarks]
    tower.settle(torch.from_numpy(layers[marks]), weights)

    def similarities(songs: NDArray[np.int64]) -> Doubles:
        found: Doubles = tower.similarities(torch.from_numpy(layers[songs])).double().numpy()
        return found

    known = similarities(train)
    places, people = _places(
        known,
        listened[:, train].T.astype(np.float64),
        similarities(validation),
        validation_listened,
        network.config.shared_dim - 1,
    )
    _set_songs(tower, places, known)
    _fit_table(network, people)
    _set_temperature(network, torch.from_numpy(layers[train]), listened[:, train])


def _places(
    known: Doubles,
    listens: Doubles,
    asked: Doubles,
    wanted: NDArray[np.bool_],
    most: int,
) -> tuple[Doubles, Doubles]:
    """Projection (landmarks, rank) and listeners (users, rank) that rank validation songs best."""
    centred = listens - listens.mean(axis=0)
    ranks = [rank for rank in _RANKS if rank <= min(most, centred.shape[1])] or [most]
    found: list[tuple[float, int, Doubles, Doubles]] = []
    for ridge in _RIDGES:
        weights = np.linalg.solve(
            known.T @ known + ridge * np.eye(known.shape[1]), known.T @ centred
        )
        _, _, directions = np.linalg.svd(known @ weights, full_matrices=False)
        for rank in ranks:
            axes = directions[:rank]
            scores = asked @ weights @ axes.T @ axes
            area = evaluate_rows(scores.T, wanted)["roc_auc"] if len(asked) else None
            found.append((area or 0.0, rank, weights, axes.T))
    enough = max(area for area, *_ in found) - _AS_GOOD
    fewest = min(rank for area, rank, *_ in found if area >= enough)
    _, _, weights, axes = max((one for one in found if one[1] == fewest), key=lambda one: one[0])
    return weights @ axes, axes


@torch.no_grad()
def _set_songs(tower: KernelTower, places: Doubles, known: Doubles) -> None:
    """The projection to these places, its first coordinate the one that all songs share.

    What is like no landmark comes to lie where nobody has an opinion: there is nothing to be won
    far from what was heard.
    """
    spread = float(np.sqrt((known @ places).var(axis=0).sum()))
    scaled = torch.from_numpy(places / max(spread, 1e-9)).float()
    tower.share.weight.zero_()
    tower.share.bias.zero_()
    tower.share.weight[1 : 1 + scaled.shape[1]] = scaled.T
    tower.share.bias[0] = _LIFT


def _fit_table(network: AlignerV2, people: Doubles) -> None:
    """Table and listeners' tower so that everybody is where `people` (users, rank) says.

    The rows begin as the places themselves and the tower as a copy, as far as they have room; so
    that whoever is fitted later moves in a space that is hardly bent.
    """
    wanted = torch.zeros(len(people), network.config.shared_dim)
    wanted[:, 1 : 1 + people.shape[1]] = torch.from_numpy(people).float()
    wanted = torch.nn.functional.normalize(wanted, dim=1)
    tower = network.listeners
    with torch.no_grad():
        n = min(people.shape[1], network.config.user_dim, network.config.hidden_dim)
        network.users.weight.zero_()
        network.users.weight[:, :n] = wanted[:, 1 : 1 + n]
        torch.nn.init.eye_(tower.widen.weight)
        for block in tower.blocks:
            assert isinstance(block, Skip)
            block.narrow.weight.mul_(0.1)
        tower.share.weight.zero_()
        tower.share.weight[1 : 1 + n, :n] = torch.eye(n)
    moved = [network.users.weight, *tower.parameters()]
    optimizer = torch.optim.Adam(moved, lr=_TABLE_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _TABLE_STEPS)
    for _ in range(_TABLE_STEPS):
        loss = (tower(network.users.weight) - wanted).square().sum(dim=1).mean()
        for one, gradient in zip(moved, torch.autograd.grad(loss, moved), strict=True):
            one.grad = gradient
        optimizer.step()
        schedule.step()
    for one in moved:
        one.grad = None


@torch.no_grad()
def _set_temperature(network: AlignerV2, songs: Tensor, listened: NDArray[np.bool_]) -> None:
    """The temperature at which InfoNCE is lowest as things stand."""
    cosines = network.embed_users() @ network.embed_songs(songs).T
    heard = torch.from_numpy(listened)
    found = []
    for temperature in _TEMPERATURES:
        logits = cosines / float(temperature)
        others = torch.logsumexp(logits.masked_fill(heard, -1e9), dim=1, keepdim=True)
        found.append(float(torch.nn.functional.softplus(others - logits)[heard].mean()))
    network.log_temperature.fill_(float(np.log(_TEMPERATURES[int(np.argmin(found))])))
