"""A running key estimate: which of the 24 keys the music is in, from the past alone.

Chroma are gathered with slow forgetting and compared with the profiles of all keys; another key
is taken up only when it has led by a margin for a while, so that a borrowed chord or a short
excursion changes nothing. Keys are 0..11 for C major to B major and 12..23 for C minor to B minor.

Profiles: Temperley (2007), Music and Probability, from the Essen collection; Krumhansl and Kessler
(1982), from listeners.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

__all__ = [
    "NO_KEY",
    "N_KEYS",
    "N_ROTATIONS",
    "KeyConfig",
    "KeyState",
    "RunningKey",
    "key_scores",
    "rotation_of",
]

N_KEYS: Final = 24
N_ROTATIONS: Final = 12
_N_CHROMA: Final = 12
_PROFILES: Final = {
    "temperley": (
        (0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400),
        (0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330),
    ),
    "krumhansl": (
        (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
        (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
    ),
}


class KeyConfig(BaseModel, frozen=True, extra="forbid"):
    """How slowly the key follows the music."""

    profiles: Literal["temperley", "krumhansl"] = "temperley"
    """Which profiles the chroma are compared with."""
    memory_seconds: float = Field(60.0, gt=0, le=3600)
    """What was heard this long ago counts 1/e."""
    margin: float = Field(0.02, ge=0, le=2)
    """Correlation by which another key must lead."""
    patience_seconds: float = Field(2.0, ge=0, le=600)
    """For how long it must lead."""


@dataclass(frozen=True)
class KeyState:
    """All that a running key knows, small enough to travel with a label.

    Args:
        chroma: gathered so far, C first, 12 numbers ≥ 0; empty before anything was heard.
        key: the key taken up, 0..23, or None.
        led: windows for which another key has led.

    Raises:
        ValueError: numbers that no running key could have gathered.
    """

    chroma: tuple[float, ...] = ()
    key: int | None = None
    led: int = 0

    def __post_init__(self) -> None:
        if self.chroma and not (
            len(self.chroma) == _N_CHROMA
            and np.isfinite(self.chroma).all()
            and min(self.chroma) >= 0
        ):
            raise ValueError(f"chroma must be {_N_CHROMA} finite numbers ≥ 0, got {self.chroma}")
        if not (self.key is None or 0 <= self.key < N_KEYS) or self.led < 0:
            raise ValueError(
                f"key must be in 0..{N_KEYS - 1} and led at least 0, got {self.key} and {self.led}"
            )


NO_KEY: Final = KeyState()
"""Before anything with a pitch was heard."""


class RunningKey:
    """The key of what was heard so far, window by window.

    Args:
        config: how slowly it follows.
        window_seconds: length of a window, seconds, > 0.

    Raises:
        ValueError: `window_seconds` out of range.
    """

    def __init__(self, config: KeyConfig, window_seconds: float) -> None:
        if not window_seconds > 0:
            raise ValueError(f"window_seconds must be above 0, got {window_seconds}")
        self._config = config
        self._keep = float(np.exp(-window_seconds / config.memory_seconds))
        self._patience = config.patience_seconds / window_seconds
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self._chroma = np.zeros(_N_CHROMA)
        self._key: int | None = None
        self._led = 0

    @property
    def key(self) -> int | None:
        """The key taken up, 0..23; None before anything with a pitch was heard."""
        return self._key

    @property
    def rotation(self) -> int:
        """Semitones that bring this key to C major or A minor, 0..11; 0 without a key."""
        return 0 if self._key is None else rotation_of(self._key)

    @property
    def state(self) -> KeyState:
        """What `restore` needs to go on from here."""
        chroma = tuple(self._chroma.tolist()) if self._chroma.any() else ()
        return KeyState(chroma, self._key, self._led)

    def restore(self, state: KeyState) -> None:
        """Go on from an earlier state."""
        self._chroma = np.array(state.chroma) if state.chroma else np.zeros(_N_CHROMA)
        self._key, self._led = state.key, state.led

    def hear(self, chroma: NDArray[np.float32], *, silent: bool = False) -> int | None:
        """Take in the next window and say the key of all that was heard up to its end.

        Does not block; silent windows change nothing.

        Args:
            chroma: how strongly each pitch class sounds, C first, shape (12,), ≥ 0; its scale does
                not matter.
            silent: the window is silent.

        Raises:
            ValueError: `chroma` is of another shape.
        """
        if chroma.shape != (_N_CHROMA,):
            raise ValueError(f"chroma must have shape ({_N_CHROMA},), got {chroma.shape}")
        total = float(chroma.sum())
        if silent or not (np.isfinite(total) and total > 0):
            return self._key
        self._chroma = self._chroma * self._keep + chroma / total
        scores = key_scores(self._chroma, self._config.profiles)
        best = int(scores.argmax())
        if self._key is None:
            self._key = best
        elif scores[best] - scores[self._key] > self._config.margin:
            self._led += 1
            if self._led >= self._patience:
                self._key, self._led = best, 0
        else:
            self._led = 0
        return self._key

    def follow(self, chroma: NDArray[np.float32], silent: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Start afresh and hear a whole track: the key after each window, (W,); -1 before any.

        Args:
            chroma: (W, 12).
            silent: (W,).
        """
        self.reset()
        keys = [self.hear(c, silent=bool(s)) for c, s in zip(chroma, silent, strict=True)]
        return np.array([-1 if key is None else key for key in keys], dtype=np.int64)


def key_scores(
    chroma: NDArray[np.floating], profiles: Literal["temperley", "krumhansl"] = "temperley"
) -> NDArray[np.float64]:
    """Pearson correlation of a chroma with the profile of every key, shape (24,), -1..1.

    Args:
        chroma: how strongly each pitch class sounds, C first, shape (12,); a flat one scores 0.
        profiles: whose profiles.
    """
    centred = chroma - chroma.mean()
    length = float(np.linalg.norm(centred))
    if length < 1e-9 * max(1.0, float(np.abs(chroma).max())):
        return np.zeros(N_KEYS)
    return _KEYS[profiles] @ (centred / length)


def rotation_of(key: int) -> int:
    """Semitones upward that bring a key to C major, or to A minor, its relative: 0..11.

    Major and minor keys of one signature have one rotation: they share their notes, and the
    estimate confuses them most.

    Args:
        key: 0..23.
    """
    tonic = key if key < _N_CHROMA else key + 3
    return -tonic % _N_CHROMA


def _all_keys(profiles: tuple[tuple[float, ...], ...]) -> NDArray[np.float64]:
    """Profiles of all keys, centred and of unit length, shape (24, 12)."""
    keys = np.array([np.roll(one, tonic) for one in profiles for tonic in range(_N_CHROMA)])
    centred = keys - keys.mean(axis=1, keepdims=True)
    unit: NDArray[np.float64] = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    return unit


_KEYS: Final = {name: _all_keys(profiles) for name, profiles in _PROFILES.items()}
