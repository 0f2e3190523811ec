"""Choosing one label from a distribution: nucleus set, playable mask, coupled noise.

The noise of a draw depends on (seed, window, label) alone, never on when the draw is made. A
label foreseen for a window and the fresh decision for the same window therefore agree unless
the distribution itself has moved, and a restart or another pace repeats the same choices.

Conventions: probabilities are float arrays of shape (labels,) over class ids 0..K-1; windows
count from 0.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.alphabet import SILENCE

_LABEL_STREAM: Final = 0
_SILENCE_STREAM: Final = 1

NUCLEUS: Final = "nucleus"
MOST_PROBABLE_PLAYABLE: Final = "most probable playable"
NOTHING_PLAYABLE: Final = "nothing playable"


@dataclass(frozen=True)
class Choice:
    """One label drawn.

    Args:
        label: class id, or SILENCE if nothing is playable.
        probability: what the whole distribution gave this label, in [0, 1].
        reason: NUCLEUS; MOST_PROBABLE_PLAYABLE if the mask left nothing of the nucleus;
            NOTHING_PLAYABLE if the mask is empty.
    """

    label: int
    probability: float
    reason: str


def check_top_p(top_p: float) -> None:
    """Refuse a nucleus mass outside (0, 1].

    Raises:
        ValueError: `top_p` is not in (0, 1].
    """
    if not 0.0 < top_p <= 1.0:
        raise ValueError(f"top_p must be in (0, 1], got {top_p}")


def nucleus(probabilities: NDArray[np.floating], top_p: float) -> NDArray[np.bool_]:
    """The smallest set of labels whose mass reaches `top_p`; the crossing label is in.

    Holtzman et al. 2020, Eq. 2. Ties are broken by the lower class id.

    Args:
        probabilities: shape (labels,), ≥ 0, summing to 1.
        top_p: mass to reach, in (0, 1].

    Returns:
        Membership, shape (labels,).

    Raises:
        ValueError: `top_p` out of range.
    """
    check_top_p(top_p)
    order = np.argsort(-probabilities, kind="stable")
    mass = np.cumsum(probabilities[order], dtype=np.float64)
    size = int(np.searchsorted(mass, min(top_p, mass[-1]))) + 1
    members = np.zeros(probabilities.shape, dtype=bool)
    members[order[:size]] = True
    return members


def nucleus_rows(probabilities: NDArray[np.floating], top_p: float) -> NDArray[np.bool_]:
    """`nucleus` of every row of (rows, labels).

    Raises:
        ValueError: `top_p` out of range.
    """
    check_top_p(top_p)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    mass = np.cumsum(np.take_along_axis(probabilities, order, axis=1), axis=1, dtype=np.float64)
    before = np.concatenate([np.zeros((len(mass), 1)), mass[:, :-1]], axis=1)
    inside = before < np.minimum(top_p, mass[:, -1:])  # the crossing label is in
    members = np.zeros(probabilities.shape, dtype=bool)
    np.put_along_axis(members, order, inside, axis=1)
    return members


def uniform_noise(
    seed: int, window: int, count: int, *, stream: int = _LABEL_STREAM
) -> NDArray[np.float64]:
    """The noise of one window: `count` numbers in (0, 1), the same whenever they are asked for.

    Philox (Salmon et al. 2011) is counter-based: `window` and `stream` are the high words of its
    counter, so windows never share numbers. Raw words are used, so that the numbers do not depend
    on how a numpy release turns words into floats.

    Raises:
        ValueError: `seed` or `window` is negative.
    """
    if seed < 0 or window < 0:
        raise ValueError(f"seed and window must be at least 0, got {seed} and {window}")
    key = np.array([seed & 0xFFFFFFFFFFFFFFFF, 0], dtype=np.uint64)
    counter = np.array([0, 0, window, stream], dtype=np.uint64)
    words = np.random.Philox(key=key, counter=counter).random_raw(count)
    mantissas = (np.asarray(words, dtype=np.uint64) >> np.uint64(12)).astype(np.float64)
    return mantissas * 2.0**-52 + 2.0**-53


def gumbel_noise(seed: int, window: int, n_labels: int) -> NDArray[np.float64]:
    """Standard Gumbel noise per label for one window, shape (n_labels,)."""
    noise: NDArray[np.float64] = -np.log(-np.log(uniform_noise(seed, window, n_labels)))
    return noise


def draw_label(
    log_probabilities: NDArray[np.floating],
    top_p: float,
    playable: NDArray[np.bool_],
    noise: NDArray[np.floating],
) -> Choice:
    """Draw one label from the renormalised nucleus, among those that can be played.

    The Gumbel-max trick (Gumbel 1954; Maddison et al. 2014): argmax of log p + noise over a set is
    a draw from p renormalised on that set, so no renormalisation is computed.

    Args:
        log_probabilities: shape (labels,), natural logarithms of probabilities that sum to 1.
        top_p: nucleus mass, in (0, 1].
        playable: shape (labels,), labels that may be chosen.
        noise: shape (labels,), from `gumbel_noise`; zeros give the most probable label.

    Raises:
        ValueError: `top_p` out of range.
    """
    probabilities = np.exp(log_probabilities.astype(np.float64))
    if not playable.any():
        return Choice(SILENCE, 0.0, NOTHING_PLAYABLE)
    candidates = nucleus(probabilities, top_p) & playable
    if candidates.any():
        scores = np.where(candidates, log_probabilities + noise, -np.inf)
        reason = NUCLEUS
    else:
        scores = np.where(playable, log_probabilities, -np.inf)
        reason = MOST_PROBABLE_PLAYABLE
    label = int(np.argmax(scores))
    return Choice(label, min(1.0, float(probabilities[label])), reason)


def draw_silence(probability: float, seed: int, window: int) -> bool:
    """Whether `window` stays silent: true with `probability`, by the window's own noise."""
    return bool(uniform_noise(seed, window, 1, stream=_SILENCE_STREAM)[0] < probability)
