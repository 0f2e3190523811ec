"""The protocol of a live decision model: observe one window at a time, predict the next ones.

Online rule (shift 1): everything observed belongs to windows that have ended; the first row of a
prediction is about the window after the last one observed, the second about the one after that.
"""

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

HIDDEN: Final = -2
"""Own label of a window about which nothing is known (or nothing shall be known)."""

OWN_PAST_WEIGHT: Final = 0.7
"""Default weight of the reading with own past; measured: 0 flickers, 1 sticks, 0.7 moves well."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model expects of the next H windows.

    Args:
        log_probabilities: (H, K) float32, natural logarithms over labels *given that one plays*.
        silence: (H,) float32, probability in [0, 1] that the window is silent.
        activity: (H, 2) float32, level in dBFS and onset strength expected of the answer, given
            that it plays; None from a model that foresees neither.
        silence_heard: (H,) float32, `silence` as it would be if nothing were known of one's own
            past; None if the model does not use that, or tells one answer only.
    """

    log_probabilities: NDArray[np.float32]
    silence: NDArray[np.float32]
    activity: NDArray[np.float32] | None = None
    silence_heard: NDArray[np.float32] | None = None

    @property
    def is_finite(self) -> bool:
        """No NaN anywhere, and every row holds probabilities (−inf for zero is allowed)."""
        heard = self.silence if self.silence_heard is None else self.silence_heard
        return bool(
            np.isfinite(self.silence).all()
            and np.isfinite(heard).all()
            and not np.isnan(self.log_probabilities).any()
            and np.isfinite(self.log_probabilities.max(axis=1)).all()
        )


class DecisionModel(Protocol):
    """A model that listens window by window; one instance follows one performance."""

    @property
    def n_labels(self) -> int:
        """K, the size of the alphabet."""
        ...

    @property
    def horizon(self) -> int:
        """H, how many windows ahead it predicts."""
        ...

    def reset(self) -> None:
        """Forget everything observed."""
        ...

    def observe(self, heard: int, own: int, energy_db: float, onset: float) -> None:
        """Take in the window that has just ended.

        Args:
            heard: label heard, 0..K-1 or SILENCE.
            own: label that we played in that window, 0..K-1, SILENCE or HIDDEN.
            energy_db: level heard, dB relative to full scale.
            onset: onset strength heard, ≥ 0.
        """
        ...

    def predict(self, own_past_weight: float = OWN_PAST_WEIGHT) -> Prediction:
        """Predict the next H windows from what was observed.

        Args:
            own_past_weight: w in [0, 1]: log p = w log p(· | heard, own past) +
                (1 − w) log p(· | heard); ignored by a model that has no own past.
        """
        ...
