"""Songs to unit vectors by how alike they are to landmarks: a tower that few songs suffice for.

The layers of a song are compared with those of landmark songs, each as much as a learned gate says;
Gaussian similarities, whitened (Nyström: Williams and Seeger 2001), are then projected to the
shared space. With hundreds of songs this bends where a feed-forward tower would learn by heart.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.dropout import drop

_RIDGE = 1e-3  # on the landmarks' own similarities, which are 1 on the diagonal
_CLIP = 4.0  # deviations; a number far out says no more


class KernelTower(nn.Module):
    """See the module; of no use before `settle`.

    Args:
        n_layers: L of the song encoder.
        layer_dim: D of the song encoder.
        n_landmarks: songs that others are compared with, ≥ 1.
        shared_dim: of the shared space.
        dropout: share of the similarities dropped in training, in [0, 1).
    """

    mean: Tensor
    scale: Tensor
    landmarks: Tensor
    whitening: Tensor
    layer_weights: Tensor

    def __init__(
        self, n_layers: int, layer_dim: int, *, n_landmarks: int, shared_dim: int, dropout: float
    ) -> None:
        super().__init__()
        self._dropout = dropout
        for name, tensor in {
            "mean": torch.zeros(n_layers, layer_dim),
            "scale": torch.ones(n_layers, layer_dim),
            "landmarks": torch.zeros(n_landmarks, n_layers, layer_dim),
            "whitening": torch.eye(n_landmarks),
            "layer_weights": torch.ones(n_layers) / n_layers,
        }.items():
            self.register_buffer(name, tensor)
        self.share = nn.Linear(n_landmarks, shared_dim)

    def gates(self, layers: Tensor) -> Tensor:
        """How much each layer counts, (B, L), ≥ 0, rows summing to 1: the same for all songs."""
        weights = self.layer_weights / self.layer_weights.sum()
        return weights.expand(len(layers), -1)

    def forward(self, layers: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """(B, L, D) to unit vectors (B, shared)."""
        kept = drop(self.similarities(layers), self._dropout, generator)
        return functional.normalize(self.share(kept), dim=-1)

    @torch.no_grad()
    def similarities(self, layers: Tensor) -> Tensor:
        """Whitened similarities with the landmarks, (B, n_landmarks)."""
        apart = layer_distances(self.standard(layers), self.landmarks) @ self.layer_weights
        return torch.exp(-apart) @ self.whitening

    @torch.no_grad()
    def distances(self, layers: Tensor, others: Tensor) -> Tensor:
        """Squared distances by ear, layers weighed as learned, (B, C), ≥ 0."""
        return layer_distances(self.standard(layers), self.standard(others)) @ self.layer_weights

    def standard(self, layers: Tensor) -> Tensor:
        """Layers in deviations from the train songs' mean, (B, L, D)."""
        return torch.clamp((layers - self.mean) / self.scale, -_CLIP, _CLIP)

    @torch.no_grad()
    def settle(self, landmarks: Tensor, layer_weights: Tensor) -> None:
        """Compare with these songs, (n_landmarks, L, D), weighing layers so, (L,), ≥ 0."""
        self.landmarks.copy_(self.standard(landmarks))
        self.layer_weights.copy_(layer_weights)
        apart = layer_distances(self.landmarks, self.landmarks) @ layer_weights
        alike = torch.exp(-apart).double() + _RIDGE * torch.eye(len(landmarks), dtype=torch.double)
        values, vectors = torch.linalg.eigh(alike)
        self.whitening.copy_((vectors / values.sqrt()).float())


def layer_distances(songs: Tensor, others: Tensor) -> Tensor:
    """Mean square differences layer by layer, (B, L, D) and (C, L, D) to (B, C, L)."""
    products = torch.einsum("bld,cld->bcl", songs, others)
    squares = songs.square().sum(dim=2)[:, None] + others.square().sum(dim=2)
    return torch.clamp(squares - 2 * products, min=0.0) / songs.shape[2]


def learn_layer_weights(
    songs: Tensor, listened: Tensor, *, steps: int = 150, rate: float = 0.05
) -> Tensor:
    """How much each layer should count, (L,): songs that the same people like should be near.

    Maximises the centred alignment of similarities with shared listeners (Cortes, Mohri and
    Rostamizadeh 2012, eq. 1) by gradient.

    Args:
        songs: standardised layers, (songs, L, D).
        listened: who listened to what, (users, songs), boolean.
        steps: of Adam.
        rate: of Adam.
    """
    apart = layer_distances(songs, songs)
    typical = apart.mean(dim=(0, 1)).clamp(min=1e-6)
    apart = apart / typical
    tastes = listened.double() - listened.double().mean(dim=1, keepdim=True)
    shared = (tastes.T @ tastes).float()
    shared = shared - shared.mean(dim=0) - shared.mean(dim=1, keepdim=True) + shared.mean()
    n_layers = apart.shape[2]
    logits = torch.full((n_layers,), -1.5 * torch.log(torch.tensor(float(n_layers))).item())
    logits.requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=rate)
    off = 1 - torch.eye(len(songs))  # a song is like itself whatever the weights
    for _ in range(steps):
        alike = torch.exp(-apart @ logits.exp())
        centred = alike - alike.mean(dim=0) - alike.mean(dim=1, keepdim=True) + alike.mean()
        agreement = (centred * shared * off).sum()
        loss = -agreement / ((centred * off).norm() * (shared * off).norm() + 1e-9)
        [logits.grad] = torch.autograd.grad(loss, [logits])
        optimizer.step()
    return (logits.detach().exp() / typical).float()
