"""What the trained and the live decision transformer share: config, weight shapes, positions.

Free of torch, so that a bundle is validated, and played, without loading it.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, model_validator

FIELD_LIMIT: Final = 3.0
"""Fields are clipped to this many standard deviations; a silent window may be at −inf dB."""

HISTORY_DIM: Final = 16
"""Principal components of the codebook in which running means are taken."""

FORESEEN_WINDOWS: Final = 2
"""Windows of the guide foreseen from analogues."""

GATE_BIAS: Final = -1.5
"""Where the gate begins: counting alone has a share of a fifth."""

N_SHIFTS: Final = 3
"""Shifts that a network can be told: 0 (offline), 1 (the online rule), 2 (a window to spare)."""

NORM_EPSILON: Final = 1e-6
"""Added to the mean square in every norm."""


class TransformerConfig(BaseModel, frozen=True, extra="forbid"):
    """Size of the decision transformer."""

    n_layers: int = Field(default=4, ge=1, le=24, description="Blocks of attention and MLP.")
    n_heads: int = Field(default=4, ge=1, description="Attention heads; divides width.")
    width: int = Field(default=128, ge=4, description="Features per position.")
    dropout: float = Field(default=0.2, ge=0, lt=1, description="Share dropped in training.")
    context: int = Field(default=60, ge=1, description="Windows that attention reaches back.")
    shift_input: bool = Field(default=False, description="Told the shift; otherwise it is 1.")
    counted: bool = Field(
        default=False, description="What counting expects is added to the label logits."
    )
    history_windows: tuple[float, ...] = Field(
        default=(), description="Memories, windows, of running means of what was heard."
    )
    analogue_windows: tuple[float, ...] = Field(
        default=(),
        description="Told what followed moments like this; windows that lead up to a moment.",
    )
    activity: bool = Field(default=False, description="Foresees level and onset of the answer.")

    @model_validator(mode="after")
    def _heads_divide_width(self) -> "TransformerConfig":
        if self.width % (2 * self.n_heads):
            raise ValueError(
                f"width must be a multiple of twice n_heads, got {self.width} and {self.n_heads}"
            )
        if self.analogue_windows and not self.history_windows:
            raise ValueError("analogue_windows must come with history_windows, got none of these")
        return self


def history_size(config: TransformerConfig) -> int:
    """Numbers that tell what was heard.

    The label itself, a mean and a share per memory, what analogues foresee and how surely.
    """
    if not config.history_windows:
        return 0
    foreseen = FORESEEN_WINDOWS * HISTORY_DIM + 1
    means = len(config.history_windows) * (HISTORY_DIM + 1)
    return HISTORY_DIM + means + len(config.analogue_windows) * foreseen


def weight_shapes(
    config: TransformerConfig, n_labels: int, horizon: int
) -> dict[str, tuple[int, ...]]:
    """Name and shape of every array of a decision transformer."""
    width = config.width
    shapes: dict[str, tuple[int, ...]] = {
        "heard_embedding.weight": (n_labels + 1, width),
        "own_embedding.weight": (n_labels + 2, width),
        "field_mean": (2,),
        "field_scale": (2,),
        "field_projection.weight": (width, 2),
        "final_norm.weight": (width,),
        "label_heads.weight": (horizon * n_labels, width),
        "label_heads.bias": (horizon * n_labels,),
        "silence_heads.weight": (horizon, width),
        "silence_heads.bias": (horizon,),
    }
    if config.shift_input:
        shapes["shift_embedding.weight"] = (N_SHIFTS, width)
    if config.history_windows:
        shapes |= {
            "codes": (n_labels, HISTORY_DIM),
            "code_heads.weight": (horizon * HISTORY_DIM, width),
            "code_heads.bias": (horizon * HISTORY_DIM,),
            "history_projection.weight": (width, history_size(config)),
        }
    if config.counted:
        shapes["heard_table"] = (n_labels + 1, horizon + N_SHIFTS - 1, n_labels)
        shapes["gate_heads.weight"] = (horizon, width)
        shapes["gate_heads.bias"] = (horizon,)
        shapes["own_table"] = (n_labels + 2, horizon, n_labels)
    if config.activity:
        shapes |= {
            "activity_heads.weight": (horizon * 2, width),
            "activity_heads.bias": (horizon * 2,),
            "answer_mean": (2,),
            "answer_scale": (2,),
        }
    for layer in range(config.n_layers):
        shapes |= {
            f"blocks.{layer}.attention_norm.weight": (width,),
            f"blocks.{layer}.query_key_value.weight": (3 * width, width),
            f"blocks.{layer}.attention_out.weight": (width, width),
            f"blocks.{layer}.mlp_norm.weight": (width,),
            f"blocks.{layer}.mlp_in.weight": (4 * width, width),
            f"blocks.{layer}.mlp_out.weight": (width, 4 * width),
        }
    return shapes


def rotary_table(
    first: int, count: int, head_dim: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cosines and sines of rotary positions (Su et al. 2021, Eq. 15).

    Angles are taken in double precision, so that hours of windows do not blur them.

    Returns:
        Two arrays (count, head_dim / 2), for positions first … first + count − 1.
    """
    rates = 10000.0 ** -(np.arange(0, head_dim, 2) / head_dim)
    angles = np.arange(first, first + count)[:, None] * rates
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
