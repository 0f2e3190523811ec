"""Mel filters: triangles equally wide on the mel scale, as librosa makes them."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["mel_filters"]


@lru_cache(maxsize=4)
def mel_filters(rate: int, frame: int, n_bands: int, highest_hz: float) -> NDArray[np.float64]:
    """From 40 Hz to `highest_hz`, each 1 at its centre; shape (frame / 2 + 1, bands).

    Args:
        rate: samples per second.
        frame: samples of a spectrum's frame, even.
        n_bands: how many, ≥ 1.
        highest_hz: where the last one ends, at most half the rate.
    """
    from librosa.filters import mel  # slow to import, and few processes hear songs

    filters: NDArray[np.float64] = mel(
        sr=rate,
        n_fft=frame,
        n_mels=n_bands,
        fmin=40.0,
        fmax=highest_hz,
        htk=True,
        norm=None,
        dtype=np.float64,
    ).T
    return filters
