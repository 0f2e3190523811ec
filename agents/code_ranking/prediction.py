"""Programs and sounds as points in one space: foreseen from the code, from events, or heard.

Three tiers give points that can be compared with each other: the static sketch (milliseconds, from
the code alone), the events of a silent run, and real sound. The first two go through a regression
fitted to rendered programs (`launch/train_alignment.py --save`), stored beside this file.
"""

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agents.code_ranking.views import EventView
from corpus.sonic_pi.atlas import stored_atlas
from corpus.sonic_pi.events import Event, ProgramError
from corpus.sonic_pi.random_stream import find_random_stream
from corpus.sonic_pi.unroller import Coverage, Unroller, Unrolling
from models.audio_embedding import AudioSpace
from models.ridge import Ridge
from models.sound_descriptors import DESCRIPTION_DIM, describe, picture_of

__all__ = ["Foreseen", "SoundPredictor", "stored_predictor"]

FloatArray = NDArray[np.float32]
STORED: Final = Path(__file__).with_name("ranker")
FORESEEN_SECONDS: Final = 10.0
_MADE_OF: Final = (
    "agents/code_ranking/*.*",
    "corpus/sonic_pi/*.*",
    "models/audio_embedding.py",
    "models/compiled.py",
    "models/ridge.py",
    "models/sound_descriptors.py",
)
_FIRST_PROGRAM: Final = "with_fx(:reverb) { with_fx(:echo) { play 60; sample :bd_haus } }"
"""Goes through every compiled loop."""


@dataclass(frozen=True, eq=False)
class Foreseen:
    """What the static tier says about a program.

    Args:
        point: where its sound should lie, (dim,).
        coverage: how much of the program was understood.
        n_events: how many sounds it should play; 0 means silence, and the point says little.
        errors: of the program, as far as foreseen.
    """

    point: FloatArray
    coverage: Coverage
    n_events: int
    errors: tuple[ProgramError, ...]


class SoundPredictor:
    """Code, events and sounds to points of one space. Not safe for several threads at once.

    Args:
        space: in which distances are distances of sound.
        ridge: from descriptions of sketches to points of `space`.
        view: from events to descriptions.
        unroller: from code to events.
        seconds: how much of a program is foreseen, as much as `ridge` was fitted to.

    Raises:
        ValueError: if the regression does not end in the space.
    """

    def __init__(
        self,
        space: AudioSpace,
        ridge: Ridge,
        view: EventView,
        unroller: Unroller,
        seconds: float = FORESEEN_SECONDS,
    ) -> None:
        if ridge.weights.shape[1] != space.dim:
            raise ValueError(
                f"the regression must give points of {space.dim} numbers, it gives "
                f"{ridge.weights.shape[1]}; save both with launch/train_alignment.py --save"
            )
        self.space = space
        self._ridge, self._view, self._unroller = ridge, view, unroller
        self._seconds = seconds
        axes = space.embed(np.eye(DESCRIPTION_DIM, dtype=np.float32))
        fitted = (array.tobytes() for array in (axes, ridge.weights, ridge.offset))
        self.key = _digest([f"{seconds} {_makings()}".encode(), *fitted])
        """Differs from that of any predictor that may give other points."""

    @classmethod
    def load(cls, folder: Path = STORED, seconds: float = FORESEEN_SECONDS) -> "SoundPredictor":
        """The predictor saved in a folder, by default the one that comes with the project.

        Args:
            folder: written by `launch/train_alignment.py --save`.
            seconds: how much of a program is foreseen.

        Raises:
            OSError: if a file is missing.
            ValueError: if a file holds something else.
        """
        space = AudioSpace.load(folder / "space.safetensors")
        ridge = Ridge.load(folder / "ridge.safetensors")
        return cls(space, ridge, EventView(stored_atlas()), Unroller(), seconds)

    def foresee(self, code: str) -> Foreseen:
        """The static tier: nothing is run; faults of the program show in the coverage."""
        return self.foresee_all([code])[0]

    def foresee_all(self, codes: Sequence[str]) -> list[Foreseen]:
        """The same for several programs, quicker than one by one.

        Each kind of work is done for all before the next begins: what it needs stays at hand.
        """
        with _uncollected():
            return self._foresee_all(codes)  # whose own leavings are gone when it ends

    def _foresee_all(self, codes: Sequence[str]) -> list[Foreseen]:
        unrollings = self._unroller.unroll_all(codes, self._seconds)
        return [self._foreseen(unrolling) for unrolling in unrollings]

    def _foreseen(self, unrolling: Unrolling) -> Foreseen:
        point = self.point_of_events(unrolling.events)
        kinds = [event[1] for event in unrolling.events]
        n_events = kinds.count("synth") + kinds.count("sample")
        return Foreseen(point, unrolling.coverage, n_events, unrolling.errors)

    def point_of_events(self, events: Sequence[Event]) -> FloatArray:
        """The runtime tier: where what these events make should lie, (dim,)."""
        description = self._view.describe(events, self._seconds)
        return self._ridge.predict(description[None]).reshape(-1)

    def point_of_sound(self, samples: FloatArray, sample_rate: int) -> FloatArray:
        """The heard tier: where a sound does lie, (dim,).

        Args:
            samples: shape (samples,) or (samples, channels), finite, not empty.
            sample_rate: samples per second, ≥ 4000.

        Raises:
            ValueError: as `sound_descriptors.picture_of`.
        """
        description = describe(picture_of(samples, sample_rate))
        return self.space.embed(description[None]).reshape(-1)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Leaves garbage for a moment: syntax trees make the collector search all that is there."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@lru_cache(maxsize=1)
def _makings() -> str:
    """Differs if any code or data differ that points are made of, or chance is another."""
    root = Path(__file__).parents[2]
    files = [file for made in _MADE_OF for file in sorted(root.glob(made)) if file.is_file()]
    stream = find_random_stream()
    return _digest(file.read_bytes() for file in [*files, *([stream] if stream else ())])


def _digest(parts: Iterable[bytes]) -> str:
    digest = blake2b(digest_size=8)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


@lru_cache(maxsize=1)
def stored_predictor() -> SoundPredictor:
    """The predictor that comes with the project, loaded once; errors as `SoundPredictor.load`.

    It has foreseen a program already: what is compiled or made on first use is there.
    """
    predictor = SoundPredictor.load()
    predictor.foresee(_FIRST_PROGRAM)
    return predictor
