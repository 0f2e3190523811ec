"""What an alignment learns from: every view of every pair of a data set, computed once.

Views are kept beside the data set (`views/`), some pairs of one program in a file that is named
after their codes and the encoder: what was interrupted goes on, and what is added is all that is
computed when a data set has grown.
"""

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agents.code_ranking.views import EventView
from corpus.sonic_pi.atlas import stored_atlas
from corpus.sonic_pi.dataset import SAMPLE_RATE, Dataset, Pair
from corpus.sonic_pi.unroller import Unroller
from corpus.whole_file import write_atomically
from models.modulation_embedding import modulation_description
from models.sound_descriptors import BLOCKS, describe, picture_of
from models.text_embedding import TextEmbedding, TextEmbeddingConfig

__all__ = ["Material", "load_material"]

FloatArray = NDArray[np.float32]
_PART = 32
"""Places in a data set of one program whose views are in a file."""


@dataclass(frozen=True, eq=False)
class Material:
    """All views of the pairs kept, rows in the order of the data set.

    Args:
        programs: base program (template) of each pair, (n,).
        text: text embedding, (n, encoder width).
        sketch: description foreseen from the code alone, (n, DESCRIPTION_DIM).
        events: description foreseen from the events of the real run, (n, DESCRIPTION_DIM).
        sound: sound description, (n, DESCRIPTION_DIM).
        modulation: description for evaluation only, (n, MODULATION_DIM).
    """

    programs: NDArray[np.str_]
    text: FloatArray
    sketch: FloatArray
    events: FloatArray
    sound: FloatArray
    modulation: FloatArray

    def rows(self, chosen: Sequence[int] | NDArray[np.bool_]) -> "Material":
        """The views of some pairs, by number or by mask."""
        return Material(*(getattr(self, view.name)[chosen] for view in fields(self)))


def load_material(
    folder: Path, encoder: TextEmbeddingConfig, on_progress: Callable[[int], None]
) -> Material:
    """The views of a data set, those computed before from their files.

    Args:
        folder: of the data set.
        encoder: reads the programs.
        on_progress: told how many pairs were described since it was last told.

    Raises:
        FileNotFoundError: if there is no data set, or no default encoder.
        ValueError: if the data set has fewer than 4 pairs.
    """
    with Dataset(folder) as dataset:
        pairs = list(dataset.pairs(sound=False))
        if len(pairs) < 4:
            raise ValueError(f"{folder} must hold at least 4 pairs, got {len(pairs)}; render more")
        describer = _Describer(dataset, encoder, on_progress)
        (folder / "views").mkdir(exist_ok=True)
        parts = [
            _part(folder / "views", tuple(part), encoder, describer)
            for _, part in groupby(pairs, lambda pair: (pair.template, pair.index // _PART))
        ]
    return Material(
        *(np.concatenate([getattr(part, view.name) for part in parts]) for view in fields(Material))
    )


class _Describer:
    """Computes views; what it needs is loaded when there is something to compute."""

    def __init__(
        self, dataset: Dataset, encoder: TextEmbeddingConfig, on_progress: Callable[[int], None]
    ) -> None:
        self._dataset, self._encoder, self._on_progress = dataset, encoder, on_progress
        self._reader: TextEmbedding | None = None
        self._unroller, self._view = Unroller(), EventView(stored_atlas())

    def describe(self, pairs: Sequence[Pair]) -> Material:
        self._reader = self._reader or TextEmbedding(self._encoder)
        seconds = self._dataset.config.seconds
        sketches, events, sounds, modulations = [], [], [], []
        for pair in pairs:
            samples = self._dataset.with_sound(pair).samples()
            foreseen = self._unroller.unroll(pair.code, seconds).events
            sketches.append(self._view.describe(foreseen, seconds))
            events.append(self._view.describe(pair.events, seconds))
            sounds.append(describe(picture_of(samples, SAMPLE_RATE)))
            modulations.append(modulation_description(samples, SAMPLE_RATE))
            self._on_progress(1)
        return Material(
            np.array([pair.template for pair in pairs]),
            self._reader.embed([pair.code for pair in pairs]),
            np.stack(sketches),
            np.stack(events),
            np.stack(sounds),
            np.stack(modulations),
        )


def _part(
    folder: Path, pairs: tuple[Pair, ...], encoder: TextEmbeddingConfig, describer: _Describer
) -> Material:
    path = folder / f"{_mark(pairs, encoder)}.npz"
    if path.is_file():
        with np.load(path, allow_pickle=False) as arrays:
            return Material(**{field.name: arrays[field.name] for field in fields(Material)})
    material = describer.describe(pairs)
    content = io.BytesIO()
    np.savez(content, **{field.name: getattr(material, field.name) for field in fields(Material)})
    write_atomically(path, content.getbuffer())
    return material


def _mark(pairs: Sequence[Pair], encoder: TextEmbeddingConfig) -> str:
    views = [field.name for field in fields(Material)]
    digest = hashlib.sha256(f"{views} {BLOCKS} {encoder.model} {encoder.chunk_tokens}".encode())
    for pair in pairs:
        digest.update(f"{pair.template}\0{pair.code}\0".encode())
    return digest.hexdigest()[:32]
