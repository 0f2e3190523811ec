"""Dropout whose chance is drawn from a generator of its own."""

import torch
from torch import Tensor


def drop(x: Tensor, rate: float, generator: torch.Generator | None) -> Tensor:
    """Dropout (Srivastava et al. 2014): zero a share `rate`, scale the rest by 1 / (1 − rate).

    Args:
        x: any shape.
        rate: share that is set to 0, in [0, 1).
        generator: draws the mask; None (not training) changes nothing.
    """
    if generator is None or rate == 0.0:
        return x
    kept = torch.rand(x.shape, generator=generator, device=x.device) >= rate
    return x * kept / (1.0 - rate)
