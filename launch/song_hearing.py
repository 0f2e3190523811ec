"""What was heard of an imported song, on the grid wanted: the one place for card and training.

Uniform windows are read as the import wrote them. Segments that are a fraction of the beat are put
together from its fine windows, so that any fraction needs no further import.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from corpus.beat_grid import BeatGrid, tempo_of
from corpus.manifest import (
    ManifestError,
    Role,
    SongRecord,
    load_annotations,
    load_features,
    load_manifest,
)
from corpus.segmentation import WindowGrid, exact_seconds
from corpus.voices import name_seed
from models.bundle import BeatSegments
from models.fine_windows import FINE_SECONDS, on_grid
from models.key import KeyConfig
from models.key_normalisation import guide_rotations

__all__ = ["BeatsMissingError", "CorpusSong", "Fields", "hear_song", "on_the_beat", "song_fields"]

Fields = dict[str, NDArray[np.generic]]
"""Of a part: "features" (W, D), "energy_db", "onset", "silent" (W,)."""
MOST_PAIRS: Final = 6
"""Pairs of parts taken from one song, drawn if it has more: no song outweighs the others."""
USUAL_TEMPI: Final = (5.0, 95.0)
"""Percentiles of the training songs between which tempi are usual."""


@dataclass(frozen=True, eq=False)
class HeardPart:
    """One part as the ear heard it, W windows.

    Args:
        features: (W, D) float32.
        silent: (W,) bool.
        fields: (W, 2) float32, energy in dB and onset strength.
        rotations: (W,) int64, by which it is turned when it is the guide.
    """

    features: NDArray[np.float32]
    silent: NDArray[np.bool_]
    fields: NDArray[np.float32]
    rotations: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class CorpusSong:
    """One song of a corpus, before there is an alphabet.

    Args:
        name: with the name of its collection in front.
        collection: which it came from.
        role: its side of the split.
        parts: by name.
        pairs: ordered, guide first.
        sources: content hash of every source file.
        instruments: General MIDI program by which each part was rendered, −1 for audio.
    """

    name: str
    collection: str
    role: Role
    parts: dict[str, HeardPart]
    pairs: list[tuple[str, str]]
    sources: dict[str, str]
    instruments: dict[str, int]


class BeatsMissingError(ValueError):
    """A song whose beats are not known; the message is one sentence."""


def song_fields(
    corpus: Path,
    sample_rate: int,
    song: SongRecord,
    window_seconds: float,
    per_beat: int | None = None,
) -> tuple[dict[str, Fields], NDArray[np.int64]]:
    """Fields of every part of a song, W windows, and where these begin and end.

    Args:
        corpus: where they are.
        sample_rate: of the corpus, Hz.
        song: its record.
        window_seconds: of uniform windows.
        per_beat: windows per beat instead; None for uniform ones.

    Returns:
        Fields by the name of the part, and the first sample of each window and the end of the
        last, (W + 1,).

    Raises:
        ManifestError: the corpus has no features of this window length, or no fine ones.
        BeatsMissingError: beats are wanted, and not known.
    """
    length = FINE_SECONDS if per_beat else window_seconds
    heard = load_features(corpus, song, length)
    uniform = WindowGrid(sample_rate, exact_seconds(length))
    bounds = uniform.boundaries(len(next(iter(heard.values()))["silent"]))
    if not per_beat:
        return heard, bounds
    grid = _beat_grid(corpus, sample_rate, song, per_beat)
    beats = grid.boundaries(grid.n_whole_windows(int(bounds[-1])))
    return {name: on_grid(fields, bounds[1:], beats) for name, fields in heard.items()}, beats


def hear_song(
    folder: Path,
    sample_rate: int,
    record: SongRecord,
    window_seconds: float,
    key: KeyConfig | None,
    per_beat: int | None,
) -> CorpusSong:
    """A song as a training hears it: the parts of its pairs, each with its running key.

    Args:
        folder: its corpus.
        sample_rate: of the corpus, Hz.
        record: its record.
        window_seconds: of uniform windows.
        key: how the running key follows; None leaves labels as they sound.
        per_beat: windows per beat instead; None for uniform ones.

    Raises:
        ManifestError, BeatsMissingError: as in `song_fields`.
    """
    heard, bounds = song_fields(folder, sample_rate, record, window_seconds, per_beat)
    if per_beat is not None and len(bounds) > 1:  # the key is as slow in a slow song
        window_seconds = float(np.median(np.diff(bounds))) / sample_rate
    parts = {}
    wanted = {name for pair in record.pairs for name in pair}
    for name, fields in heard.items():
        if name not in wanted:
            continue
        features = np.asarray(fields["features"], dtype=np.float32)
        silent = np.asarray(fields["silent"], dtype=np.bool_)
        levels = np.stack([fields["energy_db"], fields["onset"]], axis=1).astype(np.float32)
        rotations = np.zeros(len(silent), dtype=np.int64)
        if key is not None:
            rotations = guide_rotations(features, silent, key, window_seconds)
        parts[name] = HeardPart(features, silent, levels, rotations)
    pairs = record.pairs
    if len(pairs) > MOST_PAIRS:
        draw = np.random.default_rng(name_seed(record.name)).permutation(len(pairs))
        pairs = [pairs[index] for index in sorted(draw[:MOST_PAIRS])]
    ordered = [pair for a, b in pairs for pair in ((a, b), (b, a))]
    assert record.role is not None  # a usable song is on one side
    name = f"{folder.name}/{record.name}"
    instruments = {
        part.name: -1 if part.voice is None else part.voice.program for part in record.parts
    }
    return CorpusSong(name, folder.name, record.role, parts, ordered, record.sources, instruments)


def on_the_beat(folders: Sequence[Path], per_beat: int) -> tuple[float, BeatSegments]:
    """How long segments of the beat are in the training songs, and how fast these are.

    Args:
        folders: imported corpora.
        per_beat: segments per beat, ≥ 1.

    Returns:
        The length of a segment of the median song, seconds, to the millisecond, and what a bundle
        says.

    Raises:
        ManifestError: no corpus, or one without a training song whose beats are known.
    """
    tempi = []
    for folder in folders:
        manifest = load_manifest(folder)
        for song in manifest.with_role("train"):
            with suppress(BeatsMissingError):
                grid = _beat_grid(folder, manifest.settings.sample_rate, song, per_beat)
                tempi.append(tempo_of(grid.beats))
    if not tempi:
        raise ManifestError(
            f"windows per beat need a training song whose beats are known, got none in "
            f"{', '.join(str(folder) for folder in folders)}; import it again with "
            f"--window {FINE_SECONDS:g}, which looks for beats in audio"
        )
    low, high = np.percentile(tempi, USUAL_TEMPI)
    usual = BeatSegments(
        windows_per_beat=per_beat, lowest_bpm=round(low, 1), highest_bpm=round(high, 1)
    )
    return round(60.0 / (per_beat * float(np.median(tempi))), 3), usual


def _beat_grid(corpus: Path, sample_rate: int, song: SongRecord, per_beat: int) -> BeatGrid:
    try:
        return BeatGrid(sample_rate, load_annotations(corpus, song).beats, per_beat)
    except ValueError as error:
        raise BeatsMissingError(f"its beats give no windows: {error}") from None
