"""A running key estimate: which of the 24 keys the music is in, from the past alone.

A hidden Markov model with a state per key, of which only the forward pass is taken (Rabiner 1989,
Eqs. 19 to 20): each window gives every key evidence, the inner product of its chroma with the
profile of the key, and now and then the key changes to any other. Profiles are log-linear and
learned (`models.key_training`), so that what comes out are probabilities of keys. Another key is
taken up only when its signature has become more likely by a margin. Keys are 0..11 for C major to
B major and 12..23 for C minor to B minor.
"""

from dataclasses import dataclass
from typing import Annotated, Final

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
    "rotation_of",
]

N_KEYS: Final = 24
N_ROTATIONS: Final = 12
_N_CHROMA: Final = 12
_FAINT: Final = 1e-12

Profile = Annotated[tuple[float, ...], Field(min_length=_N_CHROMA, max_length=_N_CHROMA)]


class KeyConfig(BaseModel, frozen=True, extra="forbid"):
    """What tells a key, and how readily it changes; learned by `antiphon train-key` (POP909)."""

    # fmt: off
    major: Profile = (
        0.736, -1.272, 0.319, -0.900, 0.779, -0.146, -1.360, 0.619, -0.668, 0.340, -1.467, -0.092,
    )
    """Evidence for C major, nats per second, of each pitch class if it alone sounds, C first."""
    minor: Profile = (
        0.691, -1.593, 0.165, 0.597, -0.819, 0.185, -1.048, 0.810, -0.094, -1.235, 0.325, -0.871,
    )
    """The same for C minor."""
    # fmt: on
    changes_per_minute: float = Field(0.378, gt=0, le=60)
    """How often the key is expected to change."""
    margin: float = Field(0.3, ge=0, le=20)
    """Nats by which another signature must be more likely; 0.7 is twice as likely."""


@dataclass(frozen=True)
class KeyState:
    """All that a running key knows, small enough to travel with a label.

    Args:
        beliefs: log-probability of each key, 24 numbers ≤ 0; empty before anything was heard.
        key: the key taken up, 0..23, or None.

    Raises:
        ValueError: numbers that no running key could have come to.
    """

    beliefs: tuple[float, ...] = ()
    key: int | None = None

    def __post_init__(self) -> None:
        if self.beliefs and not (
            len(self.beliefs) == N_KEYS
            and np.isfinite(self.beliefs).all()
            and max(self.beliefs) <= 0
        ):
            raise ValueError(
                f"beliefs must be {N_KEYS} finite logarithms of probabilities, got {self.beliefs}"
            )
        if not (self.key is None or 0 <= self.key < N_KEYS):
            raise ValueError(f"key must be in 0..{N_KEYS - 1}, got {self.key}")


NO_KEY: Final = KeyState()
"""Before anything with a pitch was heard."""


class RunningKey:
    """The key of what was heard so far, window by window.

    Args:
        config: what tells a key.
        window_seconds: length of a window, seconds, > 0.

    Raises:
        ValueError: `window_seconds` out of range.
    """

    def __init__(self, config: KeyConfig, window_seconds: float) -> None:
        if not window_seconds > 0:
            raise ValueError(f"window_seconds must be above 0, got {window_seconds}")
        self._profiles = window_seconds * _all_keys(config)
        self._change = min(1.0, config.changes_per_minute * window_seconds / 60.0)
        self._margin = config.margin
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self._beliefs = np.full(N_KEYS, -np.log(N_KEYS))
        self._key: int | None = None

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
        if self._key is None:
            return NO_KEY
        return KeyState(tuple(np.minimum(self._beliefs, 0.0).tolist()), self._key)

    def restore(self, state: KeyState) -> None:
        """Go on from an earlier state."""
        self.reset()
        if state.beliefs:
            self._beliefs = np.array(state.beliefs)
        self._key = state.key

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
        length = float(np.linalg.norm(chroma.astype(np.float64)))
        if silent or not (np.isfinite(length) and length > _FAINT):
            return self._key
        before = (1.0 - self._change) * np.exp(self._beliefs) + self._change / N_KEYS
        beliefs = np.log(before) + self._profiles @ (chroma / length)
        beliefs -= beliefs.max()
        self._beliefs = beliefs - np.log(np.exp(beliefs).sum())
        signatures = np.logaddexp(self._beliefs[:_N_CHROMA], self._beliefs[_RELATIVES])
        best = int(signatures.argmax())
        if self._key is not None:
            held = self._key if self._key < _N_CHROMA else int((self._key + 3) % _N_CHROMA)
            if signatures[best] - signatures[held] <= self._margin:
                best = held
        relative = int(_RELATIVES[best])
        self._key = best if self._beliefs[best] >= self._beliefs[relative] else relative
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


def rotation_of(key: int) -> int:
    """Semitones upward that bring a key to C major, or to A minor, its relative: 0..11.

    Major and minor keys of one signature have one rotation: they share their notes, and the
    estimate confuses them most.

    Args:
        key: 0..23.
    """
    tonic = key if key < _N_CHROMA else key + 3
    return -tonic % _N_CHROMA


def _all_keys(config: KeyConfig) -> NDArray[np.float64]:
    """Profiles of all keys, nats per second, shape (24, 12)."""
    both = (config.major, config.minor)
    return np.array([np.roll(one, tonic) for one in both for tonic in range(_N_CHROMA)])


_RELATIVES: Final = _N_CHROMA + (np.arange(_N_CHROMA) + 9) % _N_CHROMA
"""The minor key of each major key's signature."""
