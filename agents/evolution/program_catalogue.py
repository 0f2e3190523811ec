"""Programs with their sound's features and attributes: what taste, guard and surrogate learn from.

Either rendered here (fillings of templates and generations bred of them, so that the catalogue has
seen where evolution will go) or cut from a data set that `launch/render_corpus.py` made. Each entry
is kept on disk by content: made once, taken up where it was stopped.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

from corpus.program_attributes import PROGRAM_ATTRIBUTES, program_attributes
from corpus.song_features import SongEncoder, cached_layers
from corpus.sonic_pi.breeding import Breeder
from corpus.sonic_pi.dataset import SAMPLE_RATE as DATASET_RATE
from corpus.sonic_pi.dataset import Dataset, Pair
from corpus.sonic_pi.pool import RendererPool
from corpus.sonic_pi.renderer import Rendering

__all__ = ["Catalogue", "catalogue_of_dataset", "draw_programs", "make_catalogue"]

FloatArray = NDArray[np.float32]
_FIRST_FILLINGS: Final = 24
_LIVING: Final = 40  # of those bred: who may become a mother
_MUTATED_SHARE: Final = 0.5
_SILENCE: Final = 1e-4


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Programs that sound.

    Args:
        programs: the code of each; "" for a clip that is not the beginning of its program.
        layers: features of their sound, (programs, L, D).
        attributes: what they play, (programs, attributes).
    """

    programs: tuple[str, ...]
    layers: FloatArray
    attributes: NDArray[np.float64]


def draw_programs(breeder: Breeder, n: int, seed: int) -> list[str]:
    """`n` different programs, by turns a filling of a template and a bred one.

    The bred ones are an evolution that nobody steers: the same crossings and mutations, each child
    of one of the newest and of any, so that a taste is learned also where generations of breeding
    lead. A longer draw begins with the shorter one.

    Args:
        breeder: makes them.
        n: ≥ 2.
        seed: of all draws.
    """
    rng = np.random.default_rng([seed, 37])
    programs: dict[str, None] = {}
    line: list[str] = []
    while len(programs) < n:
        if len(programs) % 2 == 0 or len(programs) < _FIRST_FILLINGS:
            programs[breeder.novel(rng)] = None
            continue
        known = list(programs)
        newest = line[-_LIVING:] or known
        mother, father = (some[int(rng.integers(len(some)))] for some in (newest, known))
        child = breeder.crossed(mother, father, rng)
        child = breeder.mutated(child, rng) if rng.random() < _MUTATED_SHARE else child
        if child not in programs:
            programs[child] = None
            line.append(child)
    return list(programs)


def make_catalogue(
    programs: Sequence[str],
    seconds: float,
    encoder: SongEncoder,
    cache: Path,
    *,
    n_workers: int = 1,
    on_program: Callable[[], None] = lambda: None,
) -> Catalogue:
    """Render and hear programs; those that are silent or fail are left out.

    Args:
        programs: Sonic Pi code.
        seconds: of each clip, as long as evolution's.
        encoder: hears them.
        cache: folder; what is there is not made again.
        n_workers: rendered at once.
        on_program: told after each.

    Raises:
        SonicPiMissingError, SandboxMissingError: as `Renderer`.
    """
    rows: list[FloatArray] = []
    with RendererPool(n_workers) as pool:
        for start in range(0, len(programs), 4 * n_workers):
            batch = programs[start : start + 4 * n_workers]
            missing = [code for code in batch if not _path(cache, code, seconds, encoder).exists()]
            made = dict(zip(missing, pool.render(missing, seconds), strict=True))
            for code in batch:
                rows.append(_entry(code, made.get(code), seconds, encoder, cache))
                on_program()
    return _catalogue(programs, rows, encoder)


def catalogue_of_dataset(
    folder: Path,
    seconds: float,
    encoder: SongEncoder,
    cache: Path,
    *,
    on_program: Callable[[], None] = lambda: None,
) -> Catalogue:
    """Clips cut from the pairs of a data set, as loud as they were rendered.

    Args:
        folder: of the data set; not written to.
        seconds: of each clip; as many as a pair holds, one after the other.
        encoder: hears them.
        cache: folder; what is there is not heard again.
        on_program: told after each clip.

    Raises:
        FileNotFoundError: no data set.
        ValueError: its pairs are shorter than a clip.
    """
    programs: list[str] = []
    rows: list[FloatArray] = []
    with Dataset(folder) as dataset:
        n_clips = int(dataset.config.seconds / seconds)
        if not n_clips:
            raise ValueError(
                f"the pairs of {folder} must last {seconds:g} s, they last "
                f"{dataset.config.seconds:g}; set seconds lower"
            )
        for pair in dataset.pairs():
            for k in range(n_clips):
                start = k * seconds
                rows.append(
                    cached_layers(
                        cache,
                        f"{start:g}s:{_key(pair.code, seconds, encoder)}",
                        partial(_cut, pair, start, seconds, encoder),
                    )
                )
                programs.append("" if k else pair.code)
                on_program()
    return _catalogue(programs, rows, encoder)


def _cut(pair: Pair, start: float, seconds: float, encoder: SongEncoder) -> FloatArray:
    """Attributes and layers of a part of a pair; NaN if it is silent."""
    whole = pair.samples()
    whole = whole * np.float32(10 ** (pair.level_db / 20) / max(float(whole.std()), 1e-9))
    first = round(start * DATASET_RATE)
    samples = np.clip(whole[first : first + round(seconds * DATASET_RATE)], -1.0, 1.0)
    events = [event for event in pair.events if start <= event.time < start + seconds]
    if np.abs(samples).max(initial=0.0) < _SILENCE or not events:
        return np.full(1, np.nan, np.float32)
    layers = encoder.encode(soxr.resample(samples, DATASET_RATE, encoder.sample_rate))
    attributes = program_attributes(events, seconds)
    return np.concatenate([attributes, layers.ravel()]).astype(np.float32)


def _catalogue(
    programs: Sequence[str], rows: Sequence[FloatArray], encoder: SongEncoder
) -> Catalogue:
    kept = [k for k, row in enumerate(rows) if np.isfinite(row).all()]
    table = np.stack([rows[k] for k in kept])
    n_attributes = len(PROGRAM_ATTRIBUTES)
    layers = table[:, n_attributes:].reshape(len(kept), len(encoder.layer_names), -1)
    return Catalogue(
        tuple(programs[k] for k in kept), layers, table[:, :n_attributes].astype(np.float64)
    )


def _entry(
    code: str, made: Rendering | None, seconds: float, encoder: SongEncoder, cache: Path
) -> FloatArray:
    """Attributes and layers in a row; NaN for what does not sound."""

    def make() -> FloatArray:
        if made is None or made.peak < _SILENCE or made.errors:
            return np.full(1, np.nan, np.float32)
        mono = np.ascontiguousarray(made.audio.mean(axis=1), np.float32)
        layers = encoder.encode(soxr.resample(mono, made.sample_rate, encoder.sample_rate))
        attributes = program_attributes(made.events, seconds)
        return np.concatenate([attributes, layers.ravel()]).astype(np.float32)

    return cached_layers(cache, _key(code, seconds, encoder), make)


def _key(code: str, seconds: float, encoder: SongEncoder) -> str:
    return f"{encoder.name}:{len(PROGRAM_ATTRIBUTES)}:{seconds:g}:{code}"


def _path(cache: Path, code: str, seconds: float, encoder: SongEncoder) -> Path:
    digest = hashlib.blake2b(_key(code, seconds, encoder).encode(), digest_size=16).hexdigest()
    return cache / f"{digest}.npy"
