"""The studio: a population, the room it is to please, and what of both is kept on disk.

Told answers and verdicts, it says which child is next and which clip is offered. A checkpoint holds
all of it after each generation; the folder belongs to one evolution at a time (`RunLock`).
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from actors.evolution_config import StageEvolutionConfig
from agents.evolution.checkpoint import load_checkpoint, save_checkpoint
from agents.evolution.evaluation import Evaluator
from agents.evolution.fitness import WORST, Fitness, FitnessConfig, Target
from agents.evolution.generators.generator import Clip, Generator
from agents.evolution.genome import Answer, Individual
from agents.evolution.music_guard import MusicGuard
from agents.evolution.population import Evolution, EvolutionConfig
from agents.evolution.room import Room
from agents.evolution.searchers.llm_evolve import LlmEvolve
from agents.evolution.searchers.program_genetic import GeneticConfig, ProgramGenetic
from agents.evolution.searchers.searcher import Searcher
from agents.evolution.text_prompts import TextPrompts
from corpus.audio_file import content_hash, read_audio, write_wav
from corpus.feedback_store import FeedbackStore
from corpus.song_features import SongDescriptors, cached_layers, encode_folder
from corpus.sonic_pi.breeding import Breeder, BreedingConfig
from corpus.sonic_pi.templating import own_templates
from models.taste import AlignerV2
from models.taste_checkpoint import fingerprint, load_aligner

__all__ = ["Studio", "build_evaluator", "make_musicgen", "make_sonic_pi"]

FloatArray = NDArray[np.float32]
CHECKPOINT_NAME: Final = "checkpoint.msgpack"
MOST_KNOWN: Final = 4000
"""Clips that a verdict may be about."""


def make_sonic_pi(patience_seconds: float) -> Generator:
    """The generator of Sonic Pi programs, watched; patient, for it works when others do not."""
    from agents.evolution.generators.sonic_pi import SonicPiGenerator, patient
    from agents.evolution.generators.watched import WatchedGenerator

    limits = patient(patience_seconds)
    return WatchedGenerator(
        lambda: SonicPiGenerator(1, limits), patience_seconds, cache_megabytes=16.0
    )


def make_musicgen(model: str, patience_seconds: float) -> Generator:
    """MusicGen, watched; its weights are loaded where it works.

    Raises:
        ValueError: no such model, or not MusicGen.
    """
    from agents.evolution.generators.watched import WatchedGenerator
    from models.musicgen import MusicGenGenerator

    return WatchedGenerator(lambda: MusicGenGenerator(model), patience_seconds, 16.0)


def build_evaluator(
    make: Callable[[], Generator],
    aligner: AlignerV2,
    layers: FloatArray,
    seconds: float,
    config: FitnessConfig,
) -> Evaluator:
    """What a worker works with. Its target is nobody in particular: the studio judges again.

    Args:
        make: the generator.
        aligner: the taste model.
        layers: of real music, (songs, L, D).
        seconds: length of a clip.
        config: weights of the fitness.
    """
    torch.set_num_threads(1)  # one core is one clip
    songs = aligner.embed_songs(torch.from_numpy(layers)).numpy()
    target = Target("dynamic", lambda: songs[0])
    fitness = Fitness(SongDescriptors(), aligner, target, MusicGuard(layers), None, config)
    return Evaluator(make(), fitness, seconds)


class Shapes(BaseModel, frozen=True, extra="forbid"):
    """The tables of a stage's evolution, checked."""

    shape: EvolutionConfig
    genetic: GeneticConfig
    breeding: BreedingConfig
    fitness: FitnessConfig

    @classmethod
    def of(cls, config: StageEvolutionConfig) -> "Shapes":
        """Checked settings.

        Raises:
            ValueError: one that does not exist, or is out of its range; one sentence.
        """
        tables = {name: getattr(config, name) for name in cls.model_fields}
        try:
            return cls.model_validate(tables)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"]))
            raise ValueError(
                f"evolution.{name}: {first['msg']}, got {first['input']!r:.60}; correct it"
            ) from None


class Studio:
    """See the module.

    Args:
        config: of the evolution; `taste` and `songs` are set, `folder` exists.
        store: file of the feedback.
        sources: the memory's own files, by name: feedback may be about them.
        seed: of what is drawn.
        make: the generator, for the workers.

    Raises:
        ValueError: the taste model, the songs or the checkpoint cannot be used; one sentence.
    """

    def __init__(
        self,
        config: StageEvolutionConfig,
        store: Path,
        sources: dict[str, Path],
        seed: int,
        make: Callable[[], Generator] | None = None,
    ) -> None:
        if config.taste is None or config.songs is None:
            raise ValueError(
                "an evolution needs evolution.taste, a model of `antiphon taste`, and "
                "evolution.songs, a folder of real music"
            )
        self._config, self._store = config, store
        shapes = Shapes.of(config)
        encoder, cache = SongDescriptors(), config.folder / "heard"
        aligner, _ = load_aligner(config.taste, encoder.name)
        self._taste = fingerprint(aligner)
        names, layers = encode_folder(config.songs, encoder, cache=cache)
        background: FloatArray = aligner.embed_songs(torch.from_numpy(layers)).numpy()
        self._fixed = dict(zip(names, background, strict=True))
        for name, path in sources.items():
            self._fixed[name] = _place(path, encoder, aligner, cache)
        self.room = Room(aligner, background)
        target = Target("dynamic", self.room.vector)
        self._fitness = Fitness(encoder, aligner, target, MusicGuard(layers), None, shapes.fitness)
        searcher = _searcher(config, shapes, seed)
        shape = shapes.shape.model_copy(update={"seed": seed})
        self.evolution = Evolution(searcher, shape)
        self.build_evaluator = partial(
            build_evaluator,
            make or _maker(config),
            aligner,
            layers,
            config.seconds,
            shapes.fitness,
        )
        self.n_failed = 0
        self._known: dict[str, FloatArray] = {}
        self._offered: list[str] = []
        self._best: tuple[Individual, Clip, int] | None = None
        self._resume()

    @property
    def checkpoint(self) -> Path:
        """Where the state is kept."""
        return self._config.folder / CHECKPOINT_NAME

    def next_child(self) -> Individual | None:
        """A child to evaluate; None while answers are awaited, or the generation is complete."""
        return None if self.evolution.is_complete else next(iter(self.evolution.ask(1)), None)

    def take(self, answer: Answer, clip: Clip, sample_rate: int) -> None:
        """What became of a child; judged for the room as it is now."""
        judgement = self._fitness.judge_again(answer.judgement)
        for one in self.evolution.tell([Answer(answer.id, judgement, answer.extras)]):
            if judgement.song is None or judgement.fitness <= WORST:
                self.n_failed += 1
                continue
            self._known[judgement.clip] = judgement.song
            better = self._best is None or one.fitness > self._best[0].fitness
            if better and judgement.clip not in self._offered:
                self._best = (one, clip, sample_rate)
        while len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]

    def heed(self) -> bool:
        """Take in what people have said since; whether it made the room another.

        Raises:
            FeedbackError: the store cannot be read.
        """
        if not self._store.exists():
            return False
        with FeedbackStore(self._store) as store:
            current = store.current()
        if not self.room.hear(current, {**self._fixed, **self._known}):
            return False
        self.evolution.judge_again(self._fitness.judge_again)
        return True

    def offer(self) -> tuple[str, Path, float] | None:
        """The best clip since the last offer, written down: name, path, fitness; or none.

        Raises:
            ValueError: it cannot be written (disk full); it may be offered again later.
        """
        if self._best is None:
            return None
        one, clip, sample_rate = self._best
        if one.judgement is None or one.judgement.song is None:
            return None
        judgement = self._fitness.judge_again(one.judgement)
        if judgement.fitness < self._config.accept:
            self._best = None
            return None
        folder = self._config.folder / "clips"
        folder.mkdir(exist_ok=True)
        path = folder / f"{judgement.clip}.wav"
        write_wav(path, clip, sample_rate)
        self._offered = [*self._offered, judgement.clip][-MOST_KNOWN:]
        self._best = None
        self._prune(folder)
        return judgement.clip, path, judgement.fitness

    def _prune(self, folder: Path) -> None:
        """Keep the newest clips only; a disk is not filled overnight."""
        kept = set(self._offered[-self._config.most_files :])
        for path in folder.glob("*.wav"):
            if path.stem not in kept:
                path.unlink(missing_ok=True)

    def save(self) -> None:
        """Write the checkpoint, whole or not at all.

        Raises:
            CheckpointError: it cannot be written; the one before is untouched.
        """
        names = list(self._known)
        table = np.stack([self._known[name] for name in names]) if names else None
        state: dict[str, Any] = {
            "taste": self._taste,
            "evolution": self.evolution.state(),
            "clips": names,
            "songs": table,
            "offered": self._offered,
            "failed": self.n_failed,
        }
        save_checkpoint(self.checkpoint, state)

    def _resume(self) -> None:
        if not self.checkpoint.exists():
            return
        state = load_checkpoint(self.checkpoint)
        try:
            if state["taste"] != self._taste:
                raise ValueError(
                    f"{self.checkpoint} must be of the taste model that evolution.taste names, but "
                    "that one was trained anew or is another; put the model back, or name another "
                    "evolution.folder"
                )
            self.evolution.restore(state["evolution"])
            songs = [] if state["songs"] is None else state["songs"]
            self._known = dict(zip(state["clips"], songs, strict=True))
            self._offered, self.n_failed = list(state["offered"]), int(state["failed"])
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"{self.checkpoint} must be a checkpoint of an evolution in the background, it "
                f"lacks {error}; name another evolution.folder"
            ) from error


def _searcher(config: StageEvolutionConfig, shapes: Shapes, seed: int) -> Searcher:
    """Programs are crossed loop by loop; prompts word by word, as no language model is at hand."""
    if config.generator == "musicgen":
        return LlmEvolve(TextPrompts(), seed=seed)
    breeder = Breeder(own_templates(), config.seconds, shapes.breeding)
    return ProgramGenetic(breeder, shapes.genetic, seed)


def _maker(config: StageEvolutionConfig) -> Callable[[], Generator]:
    if config.generator == "musicgen":
        return partial(make_musicgen, config.model, config.patience_seconds)
    return partial(make_sonic_pi, config.patience_seconds)


def _place(path: Path, encoder: SongDescriptors, aligner: AlignerV2, cache: Path) -> FloatArray:
    """Where a file lies in the shared space, a unit vector (shared,)."""
    layers = cached_layers(
        cache,
        f"{encoder.name}:{content_hash(path)}",
        lambda: encoder.encode(read_audio(path, encoder.sample_rate, 1)[:, 0]),
    )
    vectors: FloatArray = aligner.embed_songs(torch.from_numpy(layers[None])).numpy()
    place: FloatArray = vectors[0]
    return place
