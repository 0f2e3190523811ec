"""Programs with their sound's features and attributes: what taste, guard and surrogate learn from.

Fillings of templates and a share of crossings, so that the catalogue has seen what evolution will
breed. Each entry is kept on disk by content: made once, taken up where it was stopped.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

from corpus.program_attributes import PROGRAM_ATTRIBUTES, program_attributes
from corpus.song_features import SongEncoder, cached_layers
from corpus.sonic_pi.breeding import Breeder
from corpus.sonic_pi.pool import RendererPool
from corpus.sonic_pi.renderer import Rendering

__all__ = ["Catalogue", "draw_programs", "make_catalogue"]

FloatArray = NDArray[np.float32]
_CROSSED_SHARE: Final = 0.4
_SILENCE: Final = 1e-4


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Programs that sound.

    Args:
        programs: the code of each.
        layers: features of their sound, (programs, L, D).
        attributes: what they play, (programs, attributes).
    """

    programs: tuple[str, ...]
    layers: FloatArray
    attributes: NDArray[np.float64]


def draw_programs(breeder: Breeder, n: int, seed: int) -> list[str]:
    """`n` different programs; the first are fillings, the later ones children of these.

    Args:
        breeder: makes them.
        n: ≥ 2.
        seed: of all draws.
    """
    rng = np.random.default_rng([seed, 37])
    programs: dict[str, None] = {}
    while len(programs) < n:
        if len(programs) < max(2, round((1 - _CROSSED_SHARE) * n)):
            programs[breeder.novel(rng)] = None
        else:
            known = list(programs)
            one, other = (known[int(k)] for k in rng.permutation(len(known))[:2])
            programs[breeder.crossed(one, other, rng)] = None
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
