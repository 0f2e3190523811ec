"""From the frames of a window to one vector."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

CondenserName = Literal["mean", "max"]


def condense(frames: NDArray[np.float32], condenser: CondenserName = "mean") -> NDArray[np.float32]:
    """One vector per window, shape (features,), float32.

    Args:
        frames: features of the frames of one window, shape (frames, features), frames ≥ 1.
        condenser: "mean" of the frames, or "max" of each feature over them.

    Raises:
        ValueError: no frames, or an unknown condenser.
    """
    if frames.ndim != 2 or len(frames) == 0:
        raise ValueError(f"frames must have shape (frames ≥ 1, features), got {frames.shape}")
    if condenser == "mean":
        return frames.mean(axis=0, dtype=np.float32)
    if condenser == "max":
        return frames.max(axis=0).astype(np.float32, copy=False)
    raise ValueError(f"condenser must be 'mean' or 'max', got {condenser!r}")
