"""What a guide's attacks say of the parts to come: its repetitions, its beat, what was last.

All from the past alone. *Repetition*: what followed at every lag, the lags weighed by how much the
past resembles itself there (autocorrelation), or by how much its last seconds resemble what was
heard then (kernel regression, Nadaraya 1964). *Beat*: the period whose multiples the
autocorrelation supports best, to a fraction of a part, and what stood on, between and beside its
beats and bars. *Last*: the newest parts as they are, and how lively it was lately. Strengths are
told relative to the strongest lately heard, so that level does not count.

Shape letters: B pasts, T parts of a past, A parts to come, L lags.
"""

from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

__all__ = ["N_CUES", "AttackCues"]

HISTORY_SECONDS: Final = 12.0
SHORTEST_LAG_SECONDS: Final = 0.2
RECENT_SECONDS: Final = 2.4
"""What is compared with the past to find where it was like now."""
BEAT_SECONDS: Final = (0.25, 0.8)
BEAT_STEP_SECONDS: Final = 0.0025
N_HARMONICS: Final = 8
N_BEATS: Final = 16
N_BARS: Final = 6
SHARPNESS: Final = (5.0, 12.0, 30.0)
RECENT_SHARPNESS: Final = (6.0, 15.0)
PHASES: Final = (0.0, 0.5, 0.25, 0.75)
BARS: Final = (2, 4)
"""Beats."""
N_LAST: Final = 10
N_STRONGEST: Final = 24
FAINTEST: Final = 0.05
"""What counts as strong at least, so that noise is no rhythm."""
LIVELY_SECONDS: Final = (8.0, 2.0)
N_CUES: Final = (
    len(SHARPNESS) + len(RECENT_SHARPNESS) + len(PHASES) + len(BARS) + 2 + N_LAST + 2 + 1
)
_TINY: Final = 1e-9
_SOFT: Final = 1e-3  # power added, so that silence resembles nothing

Array = NDArray[np.float32]


class AttackCues:
    """Cues of coming parts.

    Args:
        part_seconds: length of a part, > 0; at most a tenth of a second serves.
        n_ahead: A, parts to come, ≥ 1.
    """

    def __init__(self, part_seconds: float, n_ahead: int) -> None:
        def parts(seconds: float) -> int:
            return max(1, round(seconds / part_seconds))

        self.n_past = parts(HISTORY_SECONDS)
        """T."""
        self._n_ahead, self._part_seconds = n_ahead, part_seconds
        self._shortest, self._recent = parts(SHORTEST_LAG_SECONDS), parts(RECENT_SECONDS)
        self._lively = [parts(seconds) for seconds in LIVELY_SECONDS]
        slowest = (self.n_past - n_ahead - 1) / N_HARMONICS
        beats = np.arange(*BEAT_SECONDS, BEAT_STEP_SECONDS) / part_seconds
        self._beats = beats[beats < slowest]
        lags = np.arange(self._shortest, self.n_past - max(n_ahead, self._recent))[:, None]
        ahead = np.arange(n_ahead)
        self._known = (lags > ahead).astype(np.float32)  # (L, A)
        self._places = np.where(lags > ahead, self.n_past + ahead - lags, 0)
        self._n_fft = 1 << int(2 * self.n_past - 1).bit_length()

    def of(self, past: Array) -> Array:
        """Cues of every part to come, (B, A, N_CUES).

        Args:
            past: attack strengths, ≥ 0, the newest last, (B, T).
        """
        strong = np.sort(past, axis=1)[:, -N_STRONGEST:].mean(axis=1, keepdims=True)
        told = np.minimum(past / np.maximum(strong, FAINTEST), 2.0).astype(np.float32)
        centred = told - told.mean(axis=1, keepdims=True)
        agreement = self._autocorrelation(centred)
        n_lags = agreement.shape[1]
        fair = agreement * np.sqrt(self.n_past / (self.n_past - np.arange(n_lags)))
        followed = told[:, self._places] * self._known  # (B, L, A)
        votes = [self._vote(followed, fair, sharpness) for sharpness in SHARPNESS]
        alike = self._likeness(centred)
        votes += [self._vote(followed, alike, sharpness) for sharpness in RECENT_SHARPNESS]
        period, support = self._beat(agreement)
        votes += [self._stood(told, period, phase, N_BEATS) for phase in PHASES]
        votes += [self._stood(told, n_beats * period, 0.0, N_BARS) for n_beats in BARS]
        plain = [support, period * self._part_seconds, *told[:, -N_LAST:].T]
        plain += [told[:, -n:].mean(axis=1) for n in self._lively]
        plain += [past.max(axis=1) > FAINTEST / 2]
        shape = (len(past), self._n_ahead)
        spread = [np.broadcast_to(cue[:, None], shape) for cue in plain]
        return np.stack([*votes, *spread], axis=2).astype(np.float32)

    def _autocorrelation(self, centred: Array) -> Array:
        """Relative to lag 0, for lags from 0 on, (B, L)."""
        spectrum = np.fft.rfft(centred, self._n_fft, axis=1)
        power = (centred * centred).sum(axis=1, keepdims=True) + _SOFT
        lags = np.fft.irfft(np.abs(spectrum) ** 2, self._n_fft, axis=1)
        return (lags[:, : self.n_past - self._n_ahead] / power).astype(np.float32)

    def _likeness(self, centred: Array) -> Array:
        """Correlation of the last seconds with those that ended each lag before, (B, L)."""
        n = self._recent
        earlier = sliding_window_view(centred, n, axis=1)[:, ::-1]  # (B, L, n), lag 0 first
        power = np.einsum("bln,bln->bl", earlier, earlier) + _SOFT
        return np.asarray(np.einsum("bln,bn->bl", earlier, earlier[:, 0])) / np.sqrt(
            power * power[:, :1]
        )

    def _vote(self, followed: Array, likeness: Array, sharpness: float) -> Array:
        """What followed at every lag, the lags weighed by the softmax of their likeness, (B, A)."""
        likeness = likeness[:, self._shortest : self._shortest + len(self._known)]
        weights = np.exp(sharpness * (likeness - likeness.max(axis=1, keepdims=True)))
        total = np.matmul(weights[:, None], followed)[:, 0]
        return np.asarray(total / (weights @ self._known + _TINY))

    def _beat(self, agreement: Array) -> tuple[Array, Array]:
        """The best period in parts and how much its multiples agree, both (B,)."""
        support = sum(
            _between(
                agreement, np.broadcast_to(n * self._beats, (len(agreement), len(self._beats)))
            )
            for n in range(1, N_HARMONICS + 1)
        )
        best = np.argmax(support, axis=1)
        strength = np.take_along_axis(np.asarray(support), best[:, None], axis=1)[:, 0]
        return self._beats[best].astype(np.float32), (strength / N_HARMONICS).astype(np.float32)

    def _stood(self, told: Array, period: Array, phase: float, n_periods: int) -> Array:
        """Mean of what stood whole periods, less `phase` of one, before each part, (B, A)."""
        back = (np.arange(1, n_periods + 1) - phase) * period[:, None]  # (B, periods)
        places = self.n_past + np.arange(self._n_ahead) - back[:, :, None]
        known = (places >= 0) & (places <= self.n_past - 1)
        flat = np.where(known, places, 0.0).reshape(len(told), n_periods * self._n_ahead)
        stood = _between(told, flat).reshape(places.shape) * known
        return np.asarray(stood.sum(axis=1) / np.maximum(known.sum(axis=1), 1))


def _between(rows: Array, places: NDArray[np.floating]) -> Array:
    """Values of rows (B, T) at fractional places (B, n), linearly, (B, n)."""
    first = np.minimum(places.astype(np.int64), rows.shape[1] - 2)
    share = places - first
    here = np.take_along_axis(rows, first, axis=1)
    there = np.take_along_axis(rows, first + 1, axis=1)
    return np.asarray(here + share * (there - here), dtype=np.float32)
