"""Workers that train one network together: who reads which crops, and how their sums are added.

Every worker has the whole network and takes the same steps. A worker alone is a team of one, for
which nothing is added up.
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import distributed

__all__ = ["ALONE", "Team"]


@dataclass(frozen=True)
class Team:
    """One of `size` workers, in a process group of torch if they are more than one.

    Args:
        rank: which of them, 0..size − 1; 0 speaks for all.
        size: how many, ≥ 1.
    """

    rank: int = 0
    size: int = 1

    def share(self, n: int) -> slice:
        """Which of n things are this worker's: every `size`-th."""
        return slice(self.rank, n, self.size)

    def total(self, value: float) -> float:
        """The sum of all workers' values, the same for each."""
        if self.size == 1:
            return value
        whole = torch.tensor(value, dtype=torch.float64, device=_device())
        distributed.all_reduce(whole)
        return float(whole)

    def add_up_gradients(self, network: torch.nn.Module) -> None:
        """Put the sum of all workers' gradients in the place of each one's own."""
        if self.size == 1:
            return
        weights = [weight for weight in network.parameters() if weight.requires_grad]
        own = [torch.zeros_like(w) if w.grad is None else w.grad for w in weights]
        whole = torch.cat([gradient.flatten() for gradient in own])
        distributed.all_reduce(whole)
        pieces = torch.split(whole, [weight.numel() for weight in weights])
        for weight, piece in zip(weights, pieces, strict=True):
            weight.grad = piece.view_as(weight)


ALONE: Final = Team()


def _device() -> torch.device:
    """Where the process group adds up: NCCL knows GPUs alone."""
    gpu = distributed.get_backend() == "nccl"
    return torch.device("cuda" if gpu else "cpu")
