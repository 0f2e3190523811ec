"""What an alignment learns from: every view of every pair of a data set, computed once.

Views are kept beside the data set (`views.npz`), under a mark of pairs and encoder; when either
changes they are computed again.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agents.code_ranking.views import EventView
from corpus.sonic_pi.atlas import stored_atlas
from corpus.sonic_pi.dataset import SAMPLE_RATE, Dataset
from corpus.sonic_pi.unroller import Unroller
from models.modulation_embedding import modulation_description
from models.sound_descriptors import BLOCKS, describe, picture_of
from models.text_embedding import TextEmbedding, TextEmbeddingConfig

__all__ = ["Material", "load_material"]

FloatArray = NDArray[np.float32]
_BATCH = 32


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
    """The views of a data set, from its cache if that fits.

    Args:
        folder: of the data set.
        encoder: reads the programs.
        on_progress: told how many pairs were described since it was last told.

    Raises:
        FileNotFoundError: if there is no data set, or no default encoder.
        ValueError: if the data set has fewer than 4 pairs.
    """
    with Dataset(folder) as dataset:
        pairs = [(pair.template, pair.code) for pair in dataset.pairs(sound=False)]
        if len(pairs) < 4:
            raise ValueError(f"{folder} must hold at least 4 pairs, got {len(pairs)}; render more")
        mark = _mark(pairs, encoder)
        cached = _cached(folder / "views.npz", mark)
        if cached is not None:
            return cached
        unroller, view, seconds = Unroller(), EventView(stored_atlas()), dataset.config.seconds
        sketches, events, sounds, modulations = [], [], [], []
        for pair in dataset.pairs():
            samples = pair.samples()
            foreseen = unroller.unroll(pair.code, seconds).events
            sketches.append(view.describe(foreseen, seconds))
            events.append(view.describe(pair.events, seconds))
            sounds.append(describe(picture_of(samples, SAMPLE_RATE)))
            modulations.append(modulation_description(samples, SAMPLE_RATE))
            on_progress(1)
    reader = TextEmbedding(encoder)
    codes = [code for _, code in pairs]
    text = [reader.embed(codes[i : i + _BATCH]) for i in range(0, len(codes), _BATCH)]
    material = Material(
        np.array([name for name, _ in pairs]),
        np.concatenate(text),
        np.stack(sketches),
        np.stack(events),
        np.stack(sounds),
        np.stack(modulations),
    )
    arrays = {field.name: getattr(material, field.name) for field in fields(material)}
    np.savez(folder / "views.npz", mark=np.array(mark), **arrays)
    return material


def _mark(pairs: list[tuple[str, str]], encoder: TextEmbeddingConfig) -> str:
    views = [field.name for field in fields(Material)]
    digest = hashlib.sha256(f"{views} {BLOCKS} {encoder.model} {encoder.chunk_tokens}".encode())
    for name, code in pairs:
        digest.update(f"{name}\0{code}\0".encode())
    return digest.hexdigest()


def _cached(path: Path, mark: str) -> Material | None:
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as arrays:
        if str(arrays["mark"]) != mark:
            return None
        return Material(**{field.name: arrays[field.name] for field in fields(Material)})
