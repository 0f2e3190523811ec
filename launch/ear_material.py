"""What the learned ear learns from: spectra of every part of imported songs, kept in a cache.

A song is read once; a cache file belongs to the hash of the song's record, so that another import
is never taken for it. Twins are further instruments of the part whose notes they play.
"""

import hashlib
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from corpus.annotations import chord_classes
from corpus.audio_file import read_audio
from corpus.importer import write_features
from corpus.manifest import ManifestError, Role, SongRecord, load_annotations, load_manifest
from corpus.segmentation import WindowGrid, exact_seconds
from corpus.voices import name_seed
from models.ear_training import (
    FRAMES_PER_WINDOW,
    EarMaterial,
    Variation,
    decibels_to_bytes,
    views_of,
)
from models.energy_gate import EnergyGate, EnergyGateConfig, level_db
from models.log_spectrum import LogSpectrum

__all__ = ["load_ear_material", "songs_with_audio"]

WINDOW_SECONDS: Final = 0.5
_FORMAT: Final = 1


def songs_with_audio(corpora: Sequence[Path], role: Role) -> list[tuple[Path, int, SongRecord]]:
    """Every song of a role with its corpus and rate; a song found twice counts where first found.

    Raises:
        ManifestError: no corpus, or one that keeps no audio.
    """
    found: dict[str, tuple[Path, int, SongRecord]] = {}
    for corpus in corpora:
        manifest = load_manifest(corpus)
        if manifest.settings.keep == "features":
            raise ManifestError(
                f"{corpus} must keep audio, got features alone; import it again with --keep both"
            )
        for song in manifest.with_role(role):
            found.setdefault(song.name, (corpus, manifest.settings.sample_rate, song))
    return list(found.values())


def load_ear_material(
    songs: Sequence[tuple[Path, int, SongRecord]], cache: Path, on_song: Callable[[], None]
) -> list[EarMaterial]:
    """Spectra of all songs, from the cache where they are in it.

    Args:
        songs: corpus, sample rate, record.
        cache: folder; made if need be.
        on_song: told after every song.

    Raises:
        AudioFileError: a stem that cannot be read.
        OSError: the cache cannot be written.
    """
    cache.mkdir(parents=True, exist_ok=True)
    material = []
    for corpus, rate, song in songs:
        if song.pairs:
            material.append(_material(corpus, rate, song, cache))
        on_song()
    return material


def _material(corpus: Path, rate: int, song: SongRecord, cache: Path) -> EarMaterial:
    mark = hashlib.blake2b(f"{_FORMAT} {rate} {song.model_dump_json()}".encode(), digest_size=8)
    path = cache / f"{mark.hexdigest()}.npz"
    if not path.is_file():
        stored: dict[str, NDArray[np.generic]] = {}
        for index, part in enumerate(song.parts):
            samples = read_audio(corpus / str(part.audio), rate, 1)[:, 0]
            stored[f"{index}/spectrum"], stored[f"{index}/silent"] = _see(samples, rate)
        write_features(path, stored)
    views: dict[str, list[NDArray[np.float16]]] = {}
    silent: dict[str, list[NDArray[np.bool_]]] = {}
    with np.load(path, allow_pickle=False) as stored_file:
        for index, part in enumerate(song.parts):
            name = part.twin_of or part.name
            rng = np.random.default_rng([name_seed(song.name), index])
            seen = views_of(stored_file[f"{index}/spectrum"], Variation(), rng)
            views.setdefault(name, []).append(seen)
            silent.setdefault(name, []).append(stored_file[f"{index}/silent"])
    n_windows = len(next(iter(silent.values()))[0])
    moments = (np.arange(n_windows, dtype=np.float64) + 0.5) * WINDOW_SECONDS
    chords = chord_classes(load_annotations(corpus, song).chords, moments)
    return EarMaterial(song.name, views, silent, song.pairs, chords)


def _see(samples: NDArray[np.float32], rate: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Spectra of a stem's windows as bytes, and which windows are silent."""
    grid = WindowGrid(rate, exact_seconds(WINDOW_SECONDS))
    bounds = grid.boundaries(grid.n_whole_windows(len(samples)))
    spectrum, gate = (
        LogSpectrum(rate, WINDOW_SECONDS),
        EnergyGate(EnergyGateConfig(), WINDOW_SECONDS),
    )
    reach = spectrum.history_samples
    padded = np.concatenate([np.zeros(reach, dtype=np.float32), samples])
    frames = [spectrum.amplitudes(padded[end : end + reach]) for end in bounds[1:].tolist()]
    shape = (0, FRAMES_PER_WINDOW, 2, 72)
    whole = np.array(frames, dtype=np.float32) if frames else np.zeros(shape, dtype=np.float32)
    levels = [level_db(samples[a:b]) for a, b in itertools.pairwise(bounds)]
    silent = np.array([gate.is_silent(level) for level in levels], dtype=np.bool_)
    return decibels_to_bytes(whole.reshape(-1, *whole.shape[2:])), silent
