"""Import work for many hands: songs as Ray tasks, or one after another in this process.

A worker keeps its sound font and ear from song to song. Which worker imports a song changes
nothing about it.
"""

import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from actors.ray_session import StartError, start_ray
from corpus.importer import Hear, SongImporter, import_one_by_one
from corpus.manifest import ImportSettings, SongRecord
from corpus.segmentation import WindowGrid, exact_seconds
from corpus.song_sources import SongSource
from models.ear import EarConfig, build_ear

__all__ = ["WorkersError", "build_hear", "ear_fingerprint", "import_songs"]

PROBE_SECONDS: Final = 2.0


class WorkersError(RuntimeError):
    """The workers cannot be started; the message says why and how to go on without them."""


def build_hear(ear: EarConfig, sample_rate: int, window_seconds: Sequence[float]) -> Hear:
    """The function that an importer hears with: features for each length of window asked for.

    Args:
        ear: encoder, condenser, gate.
        sample_rate: samples per second of the stems.
        window_seconds: lengths of windows that may be asked for, seconds.

    Raises:
        ValueError: a rate or window length out of range.
    """
    ears = {length: build_ear(ear, sample_rate, length) for length in window_seconds}
    grids = {length: WindowGrid(sample_rate, exact_seconds(length)) for length in window_seconds}

    def hear(
        samples: NDArray[np.float32], lengths: Sequence[float], /
    ) -> dict[str, NDArray[np.generic]]:
        found: dict[str, NDArray[np.generic]] = {}
        for length in lengths:
            grid = grids[length]
            bounds = grid.boundaries(grid.n_whole_windows(len(samples)))
            heard = list(ears[length].listen_track(samples, bounds))
            dim = ears[length].feature_dim
            features = np.array([one.features for one in heard], dtype=np.float32)
            found |= {
                f"{length:g}/features": features.reshape(len(heard), dim),
                f"{length:g}/energy_db": np.array([h.energy_db for h in heard], dtype=np.float32),
                f"{length:g}/onset": np.array([h.onset for h in heard], dtype=np.float32),
                f"{length:g}/silent": np.array([h.silent for h in heard], dtype=np.bool_),
            }
        return found

    return hear


def ear_fingerprint(ear: EarConfig, sample_rate: int) -> str:
    """Names what the ear makes of a fixed sound: it changes when the encoder does.

    Features are rounded to three digits, so that another processor gives the same name.
    """
    time = np.arange(int(PROBE_SECONDS * sample_rate)) / sample_rate
    pitches = 110.0 * 2.0 ** (np.floor(time / 0.25) * 7 % 36 / 12)
    probe = sum(np.sin(2 * np.pi * k * pitches * time) / k for k in (1, 2, 3, 4))
    samples = (0.2 * np.asarray(probe)).astype(np.float32)
    features = build_hear(ear, sample_rate, (0.5,))(samples, (0.5,))["0.5/features"]
    whole = np.rint(np.asarray(features, dtype=np.float64) * 1000).astype("<i4")
    return f"{ear.encoder} {hashlib.blake2b(whole.tobytes(), digest_size=6).hexdigest()}"


def import_songs(
    sources: Sequence[SongSource],
    out: Path,
    settings: ImportSettings,
    ear: EarConfig,
    n_workers: int,
) -> Iterator[SongRecord]:
    """The records of all songs as they are finished, in any order.

    Args:
        sources: the songs.
        out: the corpus.
        settings: what is made of every song.
        ear: hears the stems.
        n_workers: Ray workers, each with one core; 0 imports in this process, without Ray.

    Raises:
        WorkersError: Ray cannot start.
        SynthesizerMissingError: MIDI is to be rendered and FluidSynth is not installed.
    """
    if n_workers == 0:
        hear = _hear(ear, settings)
        yield from import_one_by_one(sources, out, settings, hear)
        return
    yield from _import_with_ray(sources, out, settings, ear, n_workers)


def import_one(out: str, settings_json: str, ear_json: str, source_json: str) -> str:
    """One song in a worker process; arguments and record travel as JSON."""
    importer = _importer(out, settings_json, ear_json)
    return importer.run(SongSource.model_validate_json(source_json)).model_dump_json()


@lru_cache(maxsize=1)
def _importer(out: str, settings_json: str, ear_json: str) -> SongImporter:
    settings = ImportSettings.model_validate_json(settings_json)
    hear = _hear(EarConfig.model_validate_json(ear_json), settings)
    return SongImporter(Path(out), settings, hear)


def _hear(ear: EarConfig, settings: ImportSettings) -> Hear | None:
    if settings.keep == "audio":
        return None
    return build_hear(ear, settings.sample_rate, settings.window_seconds)


def _import_with_ray(
    sources: Sequence[SongSource],
    out: Path,
    settings: ImportSettings,
    ear: EarConfig,
    n_workers: int,
) -> Iterator[SongRecord]:
    _start_ray(n_workers)
    import ray

    try:
        task = ray.remote(num_cpus=1, max_retries=2)(import_one)
        shared = (str(out.resolve()), settings.model_dump_json(), ear.model_dump_json())
        waiting = [source.model_dump_json() for source in reversed(sources)]
        running: list[Any] = []
        while waiting or running:
            while waiting and len(running) < n_workers:
                running.append(task.remote(*shared, waiting.pop()))
            done, running = ray.wait(running, num_returns=1)
            for finished in done:
                yield SongRecord.model_validate_json(ray.get(finished))
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    finally:
        ray.shutdown()


def _start_ray(n_workers: int) -> None:
    try:
        start_ray(n_workers, niceness=0)  # somebody waits for it
    except StartError as error:
        raise WorkersError(f"{error}; or import with --workers 0") from None
