"""Whom an evolution is to please: here, a listener of a made-up audience with hidden tastes.

A world knows the fitness and takes in feedback between generations. The made-up one knows besides
what the listener really likes; that figure is reported and never enters the fitness. Real listeners
are in `trained_world`.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from agents.evolution.fitness import (
    Fitness,
    Target,
    music_target,
    user_target,
)
from agents.evolution.genome import Individual
from agents.evolution.music_guard import MusicGuard
from agents.evolution.population import Evolution
from agents.evolution.program_catalogue import (
    Catalogue,
    catalogue_of_dataset,
    draw_programs,
    make_catalogue,
)
from agents.evolution.second_scorer import SecondScorer
from agents.evolution.song_space import PieceSpace, SongSpace
from corpus.hidden_listener import HiddenListener
from corpus.listening_events import split_listens
from corpus.program_attributes import PROGRAM_ATTRIBUTES, program_attributes
from corpus.simulated_audience import AudienceConfig, simulate_audience
from corpus.song_features import SongDescriptors
from corpus.sonic_pi.breeding import Breeder
from corpus.sonic_pi.renderer import Rendering
from corpus.sonic_pi.templating import own_templates
from launch.evolve_settings import EvolveConfig
from launch.taste_table import Material
from models.listener import Listener, ListenerConfig
from models.taste import FEW_SONGS, AlignerV2
from models.taste_checkpoint import load_aligner, save_aligner
from models.taste_training import refining, start

__all__ = ["MadeUpWorld", "World"]

FloatArray = NDArray[np.float32]
_CATALOGUE_SEED: Final = 0
_MODELS: Final = Path(__file__).parents[1] / "models"
_LIKE_PIECE: Final = 0.15  # share of the catalogue that counts as like a piece
_KEPT_RATINGS: Final = 400
_UNUSED: Final = 0.01  # share of the catalogue kept from training: what is bred is the test


class World(Protocol):
    """Whom to please."""

    fitness: Fitness
    aligner: AlignerV2

    def on_rendering(self, program: str, rendering: Rendering) -> None:
        """Told what each program played."""
        ...

    def note(self, program: str, attributes: NDArray[np.float64]) -> None:
        """Told what a program plays, as `program_attributes` has it, by who rendered it."""
        ...

    def extras(self, child: Individual) -> dict[str, float]:
        """What is reported of a child beside its fitness."""
        ...

    def heed(self, evolution: Evolution) -> None:
        """Between generations: take in what the listener said of the living."""
        ...

    def remarks(self) -> list[str]:
        """What whoever runs this should know of the listener, a sentence each."""
        ...

    def state(self) -> dict[str, Any]:
        """What `restore` needs: plain values and arrays."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Be as when `state` was taken."""
        ...


class Ratings:
    """What a listener said so far, and who that makes them: a function of the ratings alone.

    Args:
        aligner: the taste model.
        background: songs in general, unit vectors (songs, shared).
        epochs: passes of a fit.
    """

    def __init__(self, aligner: AlignerV2, background: FloatArray, epochs: int) -> None:
        self._aligner, self._background, self._epochs = aligner, background, epochs
        self._songs = np.zeros((0, background.shape[1]), np.float32)
        self._verdicts = np.zeros(0, np.float32)
        self._vector: FloatArray | None = None

    def hear(self, songs: FloatArray, verdicts: Sequence[float] | NDArray[np.int64]) -> None:
        """Take in ratings: unit vectors (n, shared), and > 0 like, < 0 dislike, 0 unrated."""
        said = np.asarray(verdicts, np.float32)
        self._songs = np.concatenate([self._songs, songs])[-_KEPT_RATINGS:]
        self._verdicts = np.concatenate([self._verdicts, said])[-_KEPT_RATINGS:]
        self._vector = None

    def vector(self) -> FloatArray:
        """The listener as the ratings make them out, a unit vector (shared,)."""
        if self._vector is None:
            config = ListenerConfig(memory_length=_KEPT_RATINGS, epochs=self._epochs)
            listener = Listener(self._aligner, self._background, config)
            listener.hear(self._songs, self._verdicts)
            listener.fit()
            self._vector = listener.embedding()
        return self._vector

    def state(self) -> dict[str, Any]:
        """The ratings."""
        return {"songs": self._songs, "verdicts": self._verdicts}

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `World.restore`."""
        self._songs, self._verdicts, self._vector = state["songs"], state["verdicts"], None


class MadeUpWorld:
    """An audience made up for a catalogue of programs, and one of its listeners to please.

    Args:
        config: of the evolution, checked by `check_settings`.
        on_program: told after each program of the catalogue.
    """

    def __init__(self, config: EvolveConfig, on_program: Callable[[], None] = lambda: None) -> None:
        taste = config.taste
        self._config, self._encoder = config, SongDescriptors()
        self.catalogue = _catalogue(config, self._encoder, on_program)
        audience = AudienceConfig(n_listeners=taste.listeners, seed=_CATALOGUE_SEED)
        made_up = simulate_audience(self.catalogue.attributes, audience)
        parts = split_listens(
            taste.listeners, len(self.catalogue.layers), test_share=_UNUSED, seed=_CATALOGUE_SEED
        )
        material = Material(self.catalogue.layers, made_up, parts)
        self.aligner = _trained(config, material)
        self._rng = np.random.default_rng([config.seed, 41])
        unseen = config.mode == "dynamic"
        people = parts.unseen if unseen else parts.known
        chosen = int(people[(taste.user + config.seed) % len(people)])
        self._hidden = HiddenListener(self.catalogue.attributes, audience, chosen)
        n_songs = len(self.catalogue.layers)
        self._piece = int(np.random.default_rng([config.seed, 43]).integers(n_songs))
        space = self._space()
        self.songs: FloatArray = space.embed_songs(torch.from_numpy(self.catalogue.layers)).numpy()
        self.ratings = Ratings(self.aligner, self.songs, taste.epochs)
        self._played: dict[str, NDArray[np.float64]] = {}
        target = self._target(space, int(np.flatnonzero(people == chosen)[0]))
        second = SecondScorer(self.catalogue.layers, self._opinions(), self.catalogue.layers)
        guard = MusicGuard(self.catalogue.layers)
        self.fitness = Fitness(self._encoder, space, target, guard, second, config.fitness)
        if unseen and taste.first_ratings:
            first = self._rng.permutation(len(self.songs))[: taste.first_ratings]
            verdicts = self._hidden.verdicts(self.catalogue.attributes[first], self._rng)
            self.ratings.hear(self.songs[first], verdicts)

    def _space(self) -> SongSpace:
        layers = self.catalogue.layers
        if self._config.mode == "music":
            return PieceSpace(self.aligner, layers[self._piece], layers)
        return self.aligner

    def _target(self, space: SongSpace, row: int) -> Target:
        if isinstance(space, PieceSpace):
            return music_target(space)
        if self._config.mode == "user":
            return user_target(self.aligner, row)
        return Target("dynamic", self.ratings.vector)

    def _opinions(self) -> NDArray[np.float64]:
        """Verdicts that the second scorer, and nobody else, learns from: on the whole catalogue."""
        truth = self._truth(self.catalogue.attributes)
        share = _LIKE_PIECE if self._config.mode == "music" else 0.5
        return np.where(truth > np.quantile(truth, 1 - share), 1.0, -1.0)

    def _truth(self, attributes: NDArray[np.float64]) -> NDArray[np.float64]:
        """What is really liked, (n,): hidden taste; or nearness to the piece, 0 is the same."""
        if self._config.mode != "music":
            return self._hidden.taste(attributes)
        apart = attributes - self.catalogue.attributes[self._piece]
        nearness: NDArray[np.float64] = -np.sqrt((apart**2).mean(axis=1))
        return nearness

    def on_rendering(self, program: str, rendering: Rendering) -> None:
        """Note what a program played."""
        self.note(program, program_attributes(rendering.events, rendering.seconds))

    def note(self, program: str, attributes: NDArray[np.float64]) -> None:
        """See `World.note`."""
        self._played[program] = attributes

    def extras(self, child: Individual) -> dict[str, float]:
        """`true`: the hidden taste for what the child played."""
        played = self._played.get(child.genome.text)
        return {} if played is None else {"true": float(self._truth(played[None])[0])}

    def heed(self, evolution: Evolution) -> None:
        """The listener hears a playlist, half the best and half of any kind, and says so."""
        if self._config.mode != "dynamic":
            return
        living = [one for one in evolution.population if one.genome.text in self._played]
        n = self._config.taste.playlist
        best, rest = living[: n // 2], living[n // 2 :]
        drawn = [rest[int(k)] for k in self._rng.permutation(len(rest))[: n - len(best)]]
        heard = [
            (self._played[one.genome.text], one.judgement.song)
            for one in [*best, *drawn]
            if one.judgement is not None and one.judgement.song is not None
        ]
        if heard:
            attributes, songs = (np.stack(table) for table in zip(*heard, strict=True))
            self.ratings.hear(songs, self._hidden.verdicts(attributes, self._rng))
        evolution.judge_again(self.fitness.judge_again)

    def remarks(self) -> list[str]:
        """None: who is made up says nothing out of place."""
        return []

    def state(self) -> dict[str, Any]:
        """Ratings, what was played, and chance."""
        names = list(self._played)[-4000:]
        table = [self._played[name] for name in names]
        width = len(PROGRAM_ATTRIBUTES)
        return {
            "ratings": self.ratings.state(),
            "played": names,
            "attributes": np.stack(table) if table else np.zeros((0, width)),
            "rng": json.dumps(self._rng.bit_generator.state),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `World.restore`."""
        self.ratings.restore(state["ratings"])
        self._played = dict(zip(state["played"], state["attributes"], strict=True))
        self._rng.bit_generator.state = json.loads(state["rng"])


def _catalogue(
    config: EvolveConfig, encoder: SongDescriptors, on_program: Callable[[], None]
) -> Catalogue:
    if config.taste.dataset is not None:
        return catalogue_of_dataset(
            config.taste.dataset, config.seconds, encoder, config.cache, on_program=on_program
        )
    return make_catalogue(
        _drawn(config.taste.catalogue, config.seconds),
        config.seconds,
        encoder,
        config.cache,
        n_workers=max(1, config.workers),
        on_program=on_program,
    )


@lru_cache(maxsize=1)
def _drawn(n: int, seconds: float) -> tuple[str, ...]:
    """The programs of a catalogue; breeding them takes longer than a run's other preparations."""
    return tuple(draw_programs(Breeder(own_templates(), seconds), n, _CATALOGUE_SEED))


def _trained(config: EvolveConfig, material: Material) -> AlignerV2:
    """The aligner of this audience and catalogue, made once and kept in the cache.

    It is where a training begins: on made-up songs InfoNCE found nothing better from there on.
    """
    data = material.training_data()
    training = refining(max_epochs=1, seed=_CATALOGUE_SEED)
    code = b"".join(file.read_bytes() for file in sorted(_MODELS.glob("taste*.py")))
    of = hashlib.sha256(
        (FEW_SONGS.model_dump_json() + training.model_dump_json()).encode()
        + code  # that another version made must not be taken for this one's
        + data.layers.tobytes()
        + data.users.tobytes()
        + data.songs.tobytes()
    ).hexdigest()
    path: Path = config.cache / f"taste-{of[:16]}.safetensors"
    if not path.exists():
        save_aligner(path, start(FEW_SONGS, training, data).network, {"of": of})
    return load_aligner(path)[0]


def catalogue_of(world: World) -> Catalogue | None:
    """The programs that a made-up world was built on."""
    return world.catalogue if isinstance(world, MadeUpWorld) else None
