"""Fitness of a clip: taste − what is wrong with it (EvoMusic, eq. 1, with the sign it means).

Taste is the product of the clip's place and a target: a user of the table ("user"), a listener
approximated from feedback and asked anew each time ("dynamic"), or one piece ("music"). The clip
that is judged is the clip that would be played, sample for sample. A clip that cannot be judged
(NaN, nothing, a moment) is the worst there is, with a reason, and stops nothing.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from agents.evolution.audio_faults import AudioFaults, FaultConfig, find_faults
from agents.evolution.music_guard import MusicGuard, Suspicion
from agents.evolution.second_scorer import SecondScorer
from agents.evolution.song_space import PieceSpace, SongSpace
from corpus.song_features import SongEncoder
from models.taste import AlignerV2

FloatArray = NDArray[np.float32]
Mode = Literal["user", "dynamic", "music"]
WORST: Final = -10.0
"""Fitness of what cannot be judged: below any taste with any penalty, but finite."""


class FitnessConfig(BaseModel, frozen=True, extra="forbid"):
    """How taste and penalties are weighed."""

    noise_weight: float = Field(
        default=0.5, ge=0, le=4, description="Of the noise penalty h(m) in [0, 1]."
    )
    guard_weight: float = Field(
        default=1.0, ge=0, le=4, description="Of the suspicion that it is no music, in [0, 1]."
    )
    faults: FaultConfig = FaultConfig()


@dataclass(frozen=True)
class Target:
    """Whom or what to please: a name, and where in the shared space it is now.

    Args:
        mode: which of the three.
        vector: asked at each judgement; (dim,), as long as places in its space.
    """

    mode: Mode
    vector: Callable[[], FloatArray]


def user_target(aligner: AlignerV2, user: int) -> Target:
    """A user of the table, known for good.

    Raises:
        ValueError: no such row.
    """
    if not 0 <= user < aligner.users.num_embeddings:
        raise ValueError(f"user must be in 0..{aligner.users.num_embeddings - 1}, got {user}")
    vector: FloatArray = aligner.embed_users(torch.tensor([user]))[0].numpy()
    return Target("user", lambda: vector)


def music_target(space: PieceSpace) -> Target:
    """The piece of a space."""
    vector = space.target()
    return Target("music", lambda: vector)


@dataclass(frozen=True)
class Judgement:
    """All that is known of a clip.

    Args:
        clip: hash of its samples: what was judged is what is played.
        fitness: taste − noise_weight · penalty − guard_weight · suspicion; higher is better.
        taste: product with the target, at most 1; 0 if it cannot be judged.
        penalty: h(m), [0, 1].
        faults: what the penalty is made of; None if it cannot be judged.
        suspicion: how far from music it is; None if it cannot be judged.
        second: the second scorer's opinion, not part of the fitness; None without one.
        reason: why it cannot be judged; "" if it was.
        song: where the clip lies in its space, (dim,), so that it can be judged again without
            hearing it; None if it cannot be judged.
    """

    clip: str
    fitness: float
    taste: float
    penalty: float
    faults: AudioFaults | None
    suspicion: Suspicion | None
    second: float | None
    reason: str = ""
    song: FloatArray | None = field(default=None, compare=False, repr=False)


class Fitness:
    """Judges clips for one target.

    Args:
        encoder: what songs are described by; the one that `space` and `guard` know.
        space: where clips are put: the taste model, or a space made of it.
        target: whom to please.
        guard: knows real music.
        second: an opinion to report beside; None for none.
        config: weights.
    """

    def __init__(
        self,
        encoder: SongEncoder,
        space: SongSpace,
        target: Target,
        guard: MusicGuard,
        second: SecondScorer | None = None,
        config: FitnessConfig | None = None,
    ) -> None:
        self._encoder, self._space = encoder, space
        self.target, self._guard, self._second = target, guard, second
        self.config = config or FitnessConfig()

    def judge(self, clips: Sequence[FloatArray], sample_rate: int) -> list[Judgement]:
        """Judge clips as they would be played, in order.

        Args:
            clips: each mono, (samples,), full scale ±1; anything is taken, even what is broken.
            sample_rate: of the clips, ≥ 8000.
        """
        heard = [self._hear(clip, sample_rate) for clip in clips]
        good = [layers for layers in heard if not isinstance(layers, str)]
        if not good:
            return [_unjudged(c, str(why)) for c, why in zip(clips, heard, strict=True)]
        stacked = np.stack(good)
        vectors = self._space.embed_songs(torch.from_numpy(stacked)).numpy()
        target = self.target.vector()
        songs = iter(vectors)
        seconds = iter(self._second.scores(stacked) if self._second else [None] * len(good))
        return [
            _unjudged(clip, layers)
            if isinstance(layers, str)
            else self._judgement(clip, sample_rate, layers, next(songs), target, next(seconds))
            for clip, layers in zip(clips, heard, strict=True)
        ]

    def judge_again(self, earlier: Judgement) -> Judgement:
        """The same clip for the target as it is now; nothing is heard anew, so it costs nothing."""
        if earlier.song is None:
            return earlier
        taste = float(earlier.song @ self.target.vector())
        return replace(earlier, taste=taste, fitness=earlier.fitness - earlier.taste + taste)

    def _hear(self, clip: FloatArray, sample_rate: int) -> FloatArray | str:
        """The clip's layers, or why it has none."""
        try:
            if not np.isfinite(clip).all():
                raise ValueError("a clip must be finite, got NaN or infinity")
            if not np.abs(clip).max(initial=0.0) > 0:
                raise ValueError("a clip must sound, got digital silence or nothing")
            if sample_rate != self._encoder.sample_rate:
                clip = soxr.resample(clip, sample_rate, self._encoder.sample_rate)
            return self._encoder.encode(np.ascontiguousarray(clip, np.float32))
        except ValueError as error:
            return str(error)

    def _judgement(
        self,
        clip: FloatArray,
        sample_rate: int,
        layers: FloatArray,
        song: FloatArray,
        target: FloatArray,
        second: float | None,
    ) -> Judgement:
        taste = float(song @ target)
        faults = find_faults(clip, sample_rate, self.config.faults)
        penalty = faults.penalty(self.config.faults.weights)
        suspicion = self._guard.suspect(clip, layers)
        wrong = self.config.noise_weight * penalty + self.config.guard_weight * suspicion.penalty
        return Judgement(
            clip=clip_hash(clip),
            fitness=taste - wrong,
            taste=taste,
            penalty=penalty,
            faults=faults,
            suspicion=suspicion,
            second=None if second is None else float(second),
            song=song,
        )


def clip_hash(samples: FloatArray) -> str:
    """32 hexadecimal digits that name the samples."""
    return hashlib.blake2b(np.ascontiguousarray(samples).tobytes(), digest_size=16).hexdigest()


def _unjudged(clip: FloatArray, reason: str) -> Judgement:
    return Judgement(clip_hash(clip), WORST, 0.0, 1.0, None, None, None, reason)
