"""When to rest: drawn by the phrase, as often as the performer's own takes do, not on entering.

A model tells from the guide how probable a rest is for any part; whether the part that one plays is
a busy one, the memory tells. The odds are moved by what it says (Saerens, Latinne and Decaestecker
2002, Eq. 4: other shares, the same evidence), then sharpened, as what is more probable than not is
met more often than what is drawn. From the guide's first sound on one plays for a while: who starts
to play must hear an answer.
"""

from typing import Final

from models.sampling import draw_silence

__all__ = ["Rests", "odds_of_resting"]

_TRUSTED_SECONDS: Final = 60.0
"""A memory as long as this counts as much as the training does."""


def odds_of_resting(
    trained_share: float, memory_share: float, n_windows: int, window_seconds: float
) -> float:
    """By which factor the memory's part rests more often than those that were learned from, > 0.

    Args:
        trained_share: of the windows learned from, those that rest, in [0, 1].
        memory_share: of the windows of the memory, likewise.
        n_windows: of the memory, ≥ 0; few say little.
        window_seconds: Δ, > 0.
    """
    if not 0.0 < trained_share < 1.0:
        return 1.0
    trusted = _TRUSTED_SECONDS / window_seconds
    share = (memory_share * n_windows + trained_share * trusted) / (n_windows + trusted)
    return share / (1.0 - share) * (1.0 - trained_share) / trained_share


class Rests:
    """Draws rests for one performance.

    Args:
        phrase_windows: windows that share one draw, ≥ 1.
        entry_windows: after the guide's first sound, in which one plays, ≥ 0.
        sharpness: exponent of the odds, > 0.
        odds: factor on the odds that the model gives, > 0.
        seed: of the draws.
    """

    def __init__(
        self, phrase_windows: int, entry_windows: int, sharpness: float, odds: float, seed: int
    ) -> None:
        self._phrase_windows, self._entry_windows = phrase_windows, entry_windows
        self._sharpness, self._odds, self._seed = sharpness, odds, seed
        self.reset()

    def reset(self) -> None:
        """The guide has not sounded yet."""
        self._entry: int | None = None

    def hear(self, window: int, *, sounds: bool) -> None:
        """Take in whether the guide sounds in a window."""
        if sounds and self._entry is None:
            self._entry = window

    def take_up(self, first_window: int) -> None:
        """What is known begins at `first_window`; unless that is 0, one is in already."""
        if first_window > 0:
            self._entry = -self._entry_windows - 1

    def probability(self, silence: float) -> float:
        """That this part rests, for what the model says of any part, both in [0, 1]."""
        return self._odds * silence / (self._odds * silence + 1.0 - silence)

    def silent(self, window: int, probability: float) -> bool:
        """Whether to rest in `window`, by the draw of its phrase."""
        if self._entry is not None and self._entry < window <= self._entry + self._entry_windows:
            return False
        rests, plays = probability**self._sharpness, (1.0 - probability) ** self._sharpness
        return draw_silence(rests / (rests + plays), self._seed, window // self._phrase_windows)
