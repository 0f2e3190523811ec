"""Listeners whose tastes are known because they were made up: the truth that a table needs.

A taste is defined on *attributes* of songs (tempo, mode, register, instrument family, ...), which
come from the recipe or a table and never from the features that a model hears. It has ideal
points ("not too fast"), likings for families, and one pair of attributes that only count together.
Tastes gather around scenes, as they do among people. What is observed is bent: some follow what is
popular, popular songs are heard more often, and every verdict has a part that nothing explains.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

FloatArray = NDArray[np.float64]

_CARED_FOR: Final = 4.0  # attributes that a listener cares about, on average
_IDEAL_WIDTH: Final = 0.7  # of an ideal point, in units of the attribute's range of ±1


class AudienceConfig(BaseModel, frozen=True, extra="forbid"):
    """How the audience is made up; deviations are relative to that of a listener's taste."""

    n_listeners: int = Field(default=300, ge=1, description="Listeners.")
    n_scenes: int = Field(default=12, ge=1, description="Scenes that tastes gather around.")
    individuality: float = Field(
        default=0.6, ge=0, description="Deviation of a listener from the scene; 0 is a clone."
    )
    liked_share: float = Field(default=0.3, gt=0, lt=1, description="Songs that are liked.")
    verdict_noise: float = Field(
        default=0.5, ge=0, description="Deviation of what no attribute explains in a verdict."
    )
    conformity: float = Field(
        default=0.25, ge=0, description="Largest weight of popularity in a verdict."
    )
    heard_share: float = Field(
        default=0.6, gt=0, le=1, description="Songs that a listener has come across, on average."
    )
    popularity_spread: float = Field(
        default=1.0, ge=0, description="Deviation of log-popularity: how unequal exposure is."
    )
    seed: int = Field(default=0, ge=0, description="Of everything drawn.")


@dataclass(frozen=True, eq=False)
class Audience:
    """An audience and all that is true of it; arrays are (listeners, songs) unless said.

    Args:
        taste: what attributes explain, mean 0 and deviation 1 per listener: the hidden truth.
        leaning: taste and popularity together, before noise: the best anyone could know.
        liked: the verdict that the listener would give, noise included.
        heard: whether the listener has come across the song.
        popularity: of each song, (songs,), mean 0.
        scene: of each listener, (listeners,).
    """

    taste: FloatArray
    leaning: FloatArray
    liked: NDArray[np.bool_]
    heard: NDArray[np.bool_]
    popularity: FloatArray
    scene: NDArray[np.int64]

    @property
    def n_listeners(self) -> int:
        """Rows."""
        return len(self.taste)

    @property
    def n_songs(self) -> int:
        """Columns."""
        return int(self.taste.shape[1])

    def listens(self) -> list[tuple[int, int]]:
        """(listener, song) of everything heard and liked: all that listening events would show."""
        return [(int(u), int(s)) for u, s in np.argwhere(self.heard & self.liked)]


def simulate_audience(attributes: FloatArray, config: AudienceConfig) -> Audience:
    """An audience for songs of which only the attributes are looked at.

    Args:
        attributes: (songs, attributes), each about ±1 or 0/1, finite.
        config: how to make it up.

    Raises:
        ValueError: fewer than two songs, or attributes that are not finite.
    """
    if attributes.ndim != 2 or len(attributes) < 2 or not np.isfinite(attributes).all():
        raise ValueError(
            f"attributes must be a finite table of at least 2 songs, got shape {attributes.shape}"
        )
    rng = _chance(config)
    tastes = _draw_tastes(attributes.shape[1], config, rng)
    everybody = np.arange(config.n_listeners)
    taste = _standardised(tastes.of(everybody, attributes, is_binary(attributes)))
    popularity = rng.normal(0, 1, size=(len(attributes),))
    conformity = rng.uniform(0, config.conformity, (config.n_listeners, 1))
    leaning = taste + conformity * popularity
    verdict = leaning + config.verdict_noise * rng.normal(size=leaning.shape)
    liked = verdict >= np.quantile(verdict, 1 - config.liked_share, axis=1, keepdims=True)
    exposure = np.asarray(np.exp(config.popularity_spread * popularity), np.float64)
    chance = np.minimum(1.0, exposure * _exposure_scale(exposure, config.heard_share))
    heard = rng.random(leaning.shape) < chance
    return Audience(taste, leaning, liked, heard, popularity - popularity.mean(), tastes.scene)


@dataclass(frozen=True, eq=False)
class Tastes:
    """What listeners care about, whatever the songs; see the module.

    Args:
        scene: of each listener, (listeners,).
        ideal: points of attributes that are quantities, (listeners, attributes).
        weight: of each attribute, (listeners, attributes).
        pairs: attributes that only count together, (2, listeners).
        joint: liking for that pair, (listeners,).
    """

    scene: NDArray[np.int64]
    ideal: FloatArray
    weight: FloatArray
    pairs: NDArray[np.int64]
    joint: FloatArray

    def of(
        self, listeners: NDArray[np.int64], attributes: FloatArray, binary: NDArray[np.bool_]
    ) -> FloatArray:
        """What attributes (songs, attributes) say to some listeners, (listeners, songs), any scale.

        Args:
            listeners: which, indices.
            attributes: of songs.
            binary: which attributes are a yes or no instead of a quantity, (attributes,).
        """
        ideal, weight = self.ideal[listeners], self.weight[listeners]
        apart = (attributes[None] - ideal[:, None]) / _IDEAL_WIDTH
        nearness = 2 * np.exp(-0.5 * apart**2) - 1
        response = np.where(binary, attributes[None], nearness)  # (listeners, songs, attributes)
        strength = np.where(binary, weight, np.abs(weight))
        single = np.einsum("usa,ua->us", response, strength)
        first, second = self.pairs[:, listeners]
        pair = attributes[:, first] * attributes[:, second]  # (songs, listeners)
        together: FloatArray = single + self.joint[listeners, None] * pair.T
        return together


def is_binary(attributes: FloatArray) -> NDArray[np.bool_]:
    """Which attributes (songs, attributes) are a yes or no, (attributes,)."""
    return np.array([np.isin(column, (-1.0, 0.0, 1.0)).all() for column in attributes.T])


def draw_tastes(n_attributes: int, config: AudienceConfig) -> Tastes:
    """The tastes of an audience; they do not hang on the songs."""
    return _draw_tastes(n_attributes, config, _chance(config))


def _chance(config: AudienceConfig) -> np.random.Generator:
    return np.random.default_rng([config.seed, 5])


def _draw_tastes(n_attributes: int, config: AudienceConfig, rng: np.random.Generator) -> Tastes:
    scene = rng.integers(config.n_scenes, size=config.n_listeners)

    def around_scene(spread: float) -> FloatArray:
        centres = rng.normal(0, spread, (config.n_scenes, n_attributes))
        own = rng.normal(0, spread, (config.n_listeners, n_attributes))
        mixed = centres[scene] + config.individuality * own
        unit: FloatArray = mixed / np.hypot(1.0, config.individuality)
        return unit

    ideal = np.clip(around_scene(0.7), -1.2, 1.2)
    weight = around_scene(1.0)
    cares = rng.random((config.n_scenes, n_attributes)) < _CARED_FOR / n_attributes
    cares |= np.arange(n_attributes) == rng.integers(n_attributes, size=(config.n_scenes, 1))
    weight *= np.where(cares[scene], 1.0, 0.15)
    pairs = rng.integers(n_attributes, size=(2, config.n_scenes))
    joint = rng.normal(0, 0.6, config.n_listeners)
    return Tastes(scene, ideal, weight, pairs[:, scene], joint)


def _standardised(rows: FloatArray) -> FloatArray:
    centred = rows - rows.mean(axis=1, keepdims=True)
    standard: FloatArray = centred / np.maximum(centred.std(axis=1, keepdims=True), 1e-9)
    return standard


def _exposure_scale(exposure: FloatArray, share: float) -> float:
    """The factor that makes min(1, factor · exposure) have the mean `share`, by bisection."""
    low, high = 0.0, 1.0 / float(exposure.min())
    for _ in range(60):
        middle = (low + high) / 2
        if float(np.mean(np.minimum(1.0, exposure * middle))) < share:
            low = middle
        else:
            high = middle
    return high
