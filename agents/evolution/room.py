"""A room of listeners as one, made out from what it said: a function of the verdicts alone."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from corpus.feedback_store import StoredFeedback
from models.listener import Listener, ListenerConfig, room_weights
from models.taste import AlignerV2

__all__ = ["Room"]

FloatArray = NDArray[np.float32]
_KEPT: Final = 400  # verdicts; the oldest go first


class Room:
    """Whoever gave feedback, every device with the same weight.

    Args:
        aligner: a trained taste model.
        background: songs in general, unit vectors (songs, shared).
        epochs: passes of a fit to the verdicts, ≥ 1.
    """

    def __init__(self, aligner: AlignerV2, background: FloatArray, epochs: int = 10) -> None:
        self._aligner, self._background = aligner, background
        self._config = ListenerConfig(memory_length=_KEPT, epochs=epochs)
        self._said: list[tuple[str, str, int]] = []
        self.n_heard = self.n_foreign = 0
        self._vector = Listener(aligner, background).embedding()

    def hear(self, current: Sequence[StoredFeedback], known: Mapping[str, FloatArray]) -> bool:
        """Take in all verdicts that count now; whether that made the room another.

        Args:
            current: as `FeedbackStore.current` gives them.
            known: where songs and clips lie, unit vectors (shared,), by name; verdicts on others
                are counted and passed over.
        """
        there = [one for one in current if one.song in known][-_KEPT:]
        self.n_foreign = sum(one.song not in known for one in current)
        said = [(one.device, one.song, int(one.verdict)) for one in there]
        if said == self._said:
            return False
        self._said, self.n_heard = said, len(said)
        listener = Listener(self._aligner, self._background, self._config)
        if said:
            songs = np.stack([known[song] for _, song, _ in said])
            weights = room_weights([device for device, _, _ in said])
            listener.hear(songs, [float(verdict) for _, _, verdict in said], weights)
            listener.fit()
        self._vector = listener.embedding()
        return True

    def vector(self) -> FloatArray:
        """Where the room is, a unit vector (shared,); before any verdict: people in general."""
        return self._vector
