"""When a partner attacks, as learned from pairs: log-odds of each part of the coming windows.

A small network reads the cues of one coming part at a time; how far ahead it lies is told by a bias
of its own. Plain arrays: the decision process need not load torch.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.attack_cues import N_CUES, AttackCues

__all__ = ["AttackModel", "LiveAttacks"]

MOST_LOG_ODDS: Final = 5.0
"""Surer than this the forecast never is."""

Array = NDArray[np.float32]


class AttackModel:
    """The network.

    Args:
        arrays: "cue_mean" and "cue_scale" (N_CUES,), "cues" (N_CUES, H), "ahead" (A, H), "hidden"
            (H, H), "hidden_bias" (H,), "out" (H,), "out_bias" (1,).
        n_windows: to come, ≥ 1; A is divided by it.
        window_seconds: Δ, > 0.

    Raises:
        ValueError: an array is missing, of another shape, or not finite.
    """

    def __init__(
        self, arrays: Mapping[str, NDArray[Any]], n_windows: int, window_seconds: float
    ) -> None:
        _check(arrays, n_windows)
        self.arrays = {name: np.asarray(array, np.float32) for name, array in arrays.items()}
        n_ahead = len(self.arrays["ahead"])
        self.n_windows, self.n_parts = n_windows, n_ahead // n_windows
        self.cues = AttackCues(window_seconds / self.n_parts, n_ahead)

    def log_odds(self, past: Array) -> Array:
        """Of an attack in each part to come, (B, A), for strengths heard (B, `cues.n_past`)."""
        w = self.arrays
        told = (self.cues.of(past) - w["cue_mean"]) / w["cue_scale"]
        inner = np.maximum(told @ w["cues"] + w["ahead"], 0.0)
        inner = np.maximum(inner @ w["hidden"] + w["hidden_bias"], 0.0)
        found: Array = np.clip(inner @ w["out"] + w["out_bias"], -MOST_LOG_ODDS, MOST_LOG_ODDS)
        return found


class LiveAttacks:
    """The forecast through one performance.

    Args:
        model: the network; shared.
    """

    def __init__(self, model: AttackModel) -> None:
        self._model = model
        self._heard: deque[float] = deque(maxlen=model.cues.n_past)
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self._heard.extend([0.0] * self._model.cues.n_past)
        self._fits = True

    def hear(self, attacks: tuple[float, ...]) -> None:
        """Take in the next window: its attack strength in each of its parts, ≥ 0."""
        self._fits = len(attacks) == self._model.n_parts
        if self._fits:
            self._heard.extend(attacks)

    def expect(self, n_windows: int) -> tuple[tuple[float, ...], ...]:
        """Log-odds of the parts of the next windows, at most as many as were learned.

        Nothing if the windows heard have another number of parts than those learned from.
        """
        if not self._fits:
            return ()
        past = np.array(self._heard, dtype=np.float32)[None]
        rows = self._model.log_odds(past).reshape(self._model.n_windows, self._model.n_parts)
        return tuple(tuple(row) for row in rows[:n_windows].tolist())


def _check(arrays: Mapping[str, NDArray[Any]], n_windows: int) -> None:
    n_ahead, n_hidden = np.shape(arrays.get("ahead", np.zeros((1, 1))))
    shapes = {
        "cue_mean": (N_CUES,),
        "cue_scale": (N_CUES,),
        "cues": (N_CUES, n_hidden),
        "ahead": (n_ahead, n_hidden),
        "hidden": (n_hidden, n_hidden),
        "hidden_bias": (n_hidden,),
        "out": (n_hidden,),
        "out_bias": (1,),
    }
    for name, shape in shapes.items():
        found = np.shape(arrays[name]) if name in arrays else None
        if found != shape or not np.isfinite(arrays[name]).all():
            raise ValueError(
                f"the attack forecast must hold a finite {name!r} of shape {shape}, got {found}"
            )
    if n_ahead % n_windows:
        raise ValueError(
            f"the attack forecast must hold as many parts for each of {n_windows} windows, got "
            f"{n_ahead} in all"
        )
