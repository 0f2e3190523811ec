"""Whom a trained taste model knows: one of its users, a room that gives feedback, a piece."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from agents.evolution.fitness import Fitness, Target, music_target, user_target
from agents.evolution.genome import Individual
from agents.evolution.music_guard import MusicGuard
from agents.evolution.population import Evolution
from agents.evolution.room import Room
from agents.evolution.song_space import PieceSpace, SongSpace
from corpus.audio_file import read_audio
from corpus.feedback_store import FeedbackStore
from corpus.song_features import SongDescriptors, encode_folder
from corpus.sonic_pi.renderer import Rendering
from launch.evolve_settings import EvolveConfig
from models.taste_checkpoint import load_aligner

__all__ = ["TrainedWorld"]

FloatArray = NDArray[np.float32]
_MOST_KNOWN: Final = 4000  # clips that a verdict may be about


class TrainedWorld:
    """Keeps the interface of `evolve_world.World` for a trained taste model.

    Args:
        config: of the evolution, checked by `check_settings`; `taste.model` is set.

    Raises:
        ValueError: something is missing or does not fit together.
    """

    def __init__(self, config: EvolveConfig) -> None:
        taste, encoder = config.taste, SongDescriptors()
        if taste.model is None or taste.songs is None:
            raise ValueError(
                "taste.model needs taste.songs: a folder of real music that clips are held against"
            )
        self.aligner, _ = load_aligner(taste.model, encoder.name)
        names, layers = encode_folder(taste.songs, encoder, cache=config.cache)
        self.songs: FloatArray = self.aligner.embed_songs(torch.from_numpy(layers)).numpy()
        self._fixed = dict(zip(names, self.songs, strict=True))
        self._known: dict[str, FloatArray] = {}
        self._store = taste.feedback
        self.room = Room(self.aligner, self.songs, taste.epochs)
        space, target = self._asked(config, encoder, layers)
        self.fitness = Fitness(encoder, space, target, MusicGuard(layers), None, config.fitness)
        self._listen()

    def _asked(
        self, config: EvolveConfig, encoder: SongDescriptors, layers: FloatArray
    ) -> tuple[SongSpace, Target]:
        """Who or what is to be pleased, and in which space."""
        taste = config.taste
        if config.mode == "user":
            return self.aligner, user_target(self.aligner, taste.user)
        if config.mode == "music":
            if taste.piece is None:
                raise ValueError("mode music needs taste.piece: an audio file to come near to")
            heard = encoder.encode(read_audio(taste.piece, encoder.sample_rate, 1)[:, 0])
            space = PieceSpace(self.aligner, heard, layers)
            return space, music_target(space)
        if taste.feedback is None:
            raise ValueError("mode dynamic needs taste.feedback: a feedback store to learn from")
        return self.aligner, Target("dynamic", self.room.vector)

    def on_rendering(self, program: str, rendering: Rendering) -> None:
        """Nothing is noted: what a real listener likes is not known."""

    def note(self, program: str, attributes: NDArray[np.float64]) -> None:
        """Nothing is noted."""

    def extras(self, child: Individual) -> dict[str, float]:
        """Nothing beside the fitness."""
        del child
        return {}

    def heed(self, evolution: Evolution) -> None:
        """Take in what the store holds by now, about songs by name and clips by their hash."""
        for one in [*evolution.hall, *evolution.population]:
            if one.judgement is not None and one.judgement.song is not None:
                self._known[one.judgement.clip] = one.judgement.song
        while len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]
        if self._listen():
            evolution.judge_again(self.fitness.judge_again)

    def _listen(self) -> bool:
        if self._store is None or not self._store.exists():
            return False
        with FeedbackStore(self._store) as store:
            current = store.current()
        return self.room.hear(current, {**self._fixed, **self._known})

    def remarks(self) -> list[str]:
        """How many verdicts counted, and how many are about what nobody knows here."""
        if self._store is None:
            return []
        said = f"{self.room.n_heard} verdicts of {self._store} count"
        if self.room.n_foreign:
            said += (
                f", {self.room.n_foreign} are about neither a song of taste.songs nor a clip of "
                "this evolution"
            )
        return [said]

    def state(self) -> dict[str, Any]:
        """Where the clips lie that feedback may be about."""
        table = list(self._known.values()) or np.zeros((0, self.songs.shape[1]), np.float32)
        return {"clips": list(self._known), "songs": np.array(table, np.float32)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `World.restore`."""
        self._known = dict(zip(state["clips"], state["songs"], strict=True))
        self._listen()
