"""Do labels hold? `python launch/label_stability.py AUDIO … [--bundle DIR | --ear EAR --fit-on C]`.

Every recording is heard as training hears it, then in other ways, and the share of windows that
keep their label is told: live on the stage (sample by sample in blocks of the device, at the
stage's rate), softer, with noise, some semitones higher (labels turned back), and, for a model
that hears a context, with other contexts and precisions. Live labels of `descriptors` and of the
learned ear at the same rate are equal; those of a contextual model that hears otherwise are not,
and this is by how much.
"""

if __package__ in (None, ""):  # run as a file: the packages lie one folder up
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from corpus.audio_file import AudioFileError, read_audio
from corpus.manifest import ManifestError, load_features, load_manifest
from corpus.segmentation import WindowGrid, exact_seconds
from corpus.transposition import transpose
from corpus.whole_file import write_atomically
from launch.command import command, within
from launch.hear_corpus import ear_of
from models.bundle import Bundle, BundleError
from models.descriptors import FEATURE_DIM, N_CHROMA, rotate_features
from models.ear import Ear, EarConfig, build_ear
from models.encoder_config import PretrainedConfig
from models.fine_windows import build_fine_ear
from models.vector_quantizer import Codebook

__all__ = ["Row", "main", "measure"]

STAGE_RATE = 44_100
SOFTER_DB = -12.0
NOISE_DB = -30.0
SEMITONES = (1, 2, -3)
CONTEXTS_SECONDS = (0.5, 1.0, 2.0, 4.0)
MOST_WINDOWS = 60_000
_ERRORS = (AudioFileError, BundleError, ManifestError, ValueError, OSError)

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Row:
    """One other way of hearing.

    Args:
        way: in words.
        kept: share of the windows that keep their label, 0..1, of those that sound both times.
        low: lower end of its 95 % interval, from drawing recordings (windows, if there is one).
        high: upper end.
        gate: share of all windows that are silent, or sound, both times.
        n_windows: that sound both times.
    """

    way: str
    kept: float
    low: float
    high: float
    gate: float
    n_windows: int


@dataclass(frozen=True, eq=False)
class _Way:
    """Another way of hearing: what is done to the sound, at which rate, by which ear."""

    name: str
    change: Callable[[Samples, int], Samples]
    rate: int
    ear: EarConfig
    turned: int = 0


@command(*_ERRORS, stopped="stopped; nothing was written")
def main(argv: Sequence[str] | None = None) -> int:
    """Measure as the command line says; 0 if there were figures."""
    arguments = _parser().parse_args(argv)
    rows = measure(arguments)
    table = Table("heard otherwise", "labels kept", "95 %", "windows", "silence kept")
    for row in rows:
        interval = f"{row.low:.1%} – {row.high:.1%}"
        table.add_row(row.way, f"{row.kept:.1%}", interval, str(row.n_windows), f"{row.gate:.1%}")
    Console().print(table)
    if arguments.json is not None:
        write_atomically(arguments.json, json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    return 0


def measure(arguments: argparse.Namespace) -> list[Row]:
    """A row for every other way of hearing.

    Raises:
        AudioFileError: a recording that cannot be used.
        BundleError, ManifestError: a bundle or a corpus that cannot.
        ValueError: an ear that cannot be used, or recordings without a window that sounds.
    """
    bundle = None if arguments.bundle is None else Bundle.load(arguments.bundle)
    ear = ear_of(arguments.ear) if bundle is None else bundle.card.ear
    rate = arguments.rate if bundle is None else bundle.card.sample_rate
    window = arguments.window if bundle is None else bundle.card.window_seconds
    recordings = [read_audio(path, rate, 1)[:, 0] for path in arguments.audio]
    build = build_ear if bundle is None or bundle.card.beats is None else build_fine_ear
    usual = [_hear(one, build(ear, rate, window)) for one in recordings]
    codebook = bundle.codebook if bundle else _codebook(arguments, ear, window, usual)
    rows = []
    for way in _ways(ear, rate, window):
        heard = [
            _hear(way.change(one, rate), build(way.ear, way.rate, window)) for one in recordings
        ]
        rows.append(_row(way, usual, heard, codebook, arguments.seed))
    return rows


def _ways(ear: EarConfig, rate: int, window: float) -> Iterator[_Way]:
    """Ways of hearing that are possible with this ear."""

    def noisy(samples: Samples, _: int) -> Samples:
        level = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
        noise = np.random.default_rng(0).normal(0.0, level * 10 ** (NOISE_DB / 20), len(samples))
        return (samples + noise).astype(np.float32)

    def softer(samples: Samples, _: int) -> Samples:
        return samples * np.float32(10 ** (SOFTER_DB / 20))

    yield _Way("again, window by window", lambda samples, _: samples, rate, ear)
    if rate != STAGE_RATE:
        yield _Way(f"live at {STAGE_RATE} Hz", _at_stage_rate, STAGE_RATE, ear)
    yield _Way(f"{-SOFTER_DB:.0f} dB softer", softer, rate, ear)
    yield _Way(f"with noise, {-NOISE_DB:.0f} dB below", noisy, rate, ear)
    if build_ear(ear, rate, window).feature_dim in (FEATURE_DIM, *range(N_CHROMA, 193, N_CHROMA)):
        for semitones in SEMITONES if ear.pretrained is None else ():
            yield _Way(
                f"{semitones:+d} semitones, turned back",
                partial(_higher, semitones),
                rate,
                ear,
                semitones,
            )
    if ear.pretrained is not None:
        for told, hearing in _other_hearings(ear.pretrained, window):
            other = ear.model_copy(update={"pretrained": hearing})
            yield _Way(told, lambda samples, _: samples, rate, other)


def _other_hearings(
    trained: PretrainedConfig, window: float
) -> Iterator[tuple[str, PretrainedConfig]]:
    for seconds in CONTEXTS_SECONDS:
        if seconds >= window and seconds != trained.context_seconds:
            yield (
                f"context {seconds:g} s for {trained.context_seconds:g} s",
                trained.model_copy(update={"context_seconds": seconds}),
            )
    for precision in ("float32", "bfloat16", "int8"):
        if precision != trained.precision:
            yield (
                f"{precision} for {trained.precision}",
                trained.model_copy(update={"precision": precision}),
            )


def _higher(semitones: int, samples: Samples, rate: int) -> Samples:
    return transpose(samples[:, None], rate, semitones)[:, 0]


def _at_stage_rate(samples: Samples, rate: int) -> Samples:
    found: Samples = soxr.resample(samples, rate, STAGE_RATE).astype(np.float32)
    return found


def _hear(samples: Samples, listener: Ear) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Features (W, D) and silence (W,) of the windows of a recording, one after the other."""
    grid = WindowGrid(listener.sample_rate, exact_seconds(listener.window_seconds))
    bounds = grid.boundaries(grid.n_whole_windows(len(samples)))
    heard = [listener.listen(samples[a:b]) for a, b in pairwise(bounds)]
    features = np.array([one.features for one in heard], dtype=np.float32)
    silent = np.array([one.silent for one in heard], dtype=np.bool_)
    return features.reshape(len(heard), listener.feature_dim), silent


def _codebook(
    arguments: argparse.Namespace,
    ear: EarConfig,
    window: float,
    usual: Sequence[tuple[NDArray[np.float32], NDArray[np.bool_]]],
) -> Codebook:
    """From the training songs of a corpus heard with this ear, else from the recordings."""
    if arguments.fit_on is None:
        rows = [features[~silent] for features, silent in usual]
    else:
        rows = []
        for song in load_manifest(arguments.fit_on).with_role("train"):
            for part in load_features(arguments.fit_on, song, window).values():
                rows.append(np.asarray(part["features"], np.float32)[~part["silent"]])
    whole = np.concatenate(rows)
    dim = build_ear(ear, arguments.rate, window).feature_dim
    if len(whole) and whole.shape[1] != dim:
        raise ValueError(
            f"{arguments.fit_on} must be heard with the ear {arguments.ear}, whose features have "
            f"{dim} numbers, got {whole.shape[1]}; hear it with antiphon hear-corpus"
        )
    size = min(arguments.classes, len(whole) // 4)
    if size < 2:
        raise ValueError(
            f"the recordings must have at least 8 windows that sound, got {len(whole)}; give more"
        )
    drawn = np.random.default_rng(arguments.seed).permutation(len(whole))[:MOST_WINDOWS]
    return Codebook.fit(whole[np.sort(drawn)], size, arguments.seed)


def _row(
    way: _Way,
    usual: Sequence[tuple[NDArray[np.float32], NDArray[np.bool_]]],
    other: Sequence[tuple[NDArray[np.float32], NDArray[np.bool_]]],
    codebook: Codebook,
    seed: int,
) -> Row:
    """How often labels stay."""
    kept, gates = [], []
    for (features, silent), (changed, also_silent) in zip(usual, other, strict=True):
        n = min(len(silent), len(also_silent))
        both = ~silent[:n] & ~also_silent[:n]
        gates.append(silent[:n] == also_silent[:n])
        back = rotate_features(changed, -way.turned) if way.turned else changed
        first = codebook.assign(features[:n])[0]
        kept.append((first == codebook.assign(back[:n])[0])[both])
    whole = np.concatenate(kept)
    if not len(whole):
        raise ValueError("the recordings must sound, got silence; give others")
    units = kept if len(kept) > 1 else [whole[i : i + 1] for i in range(len(whole))]
    sums = np.array([[unit.sum(), len(unit)] for unit in units], dtype=np.float64)
    drawn = np.random.default_rng(seed).integers(len(units), size=(2000, len(units)))
    totals = sums[drawn].sum(axis=1)
    shares = totals[:, 0] / np.maximum(totals[:, 1], 1)
    low, high = (float(edge) for edge in np.percentile(shares, [2.5, 97.5]))
    gate = float(np.concatenate(gates).mean())
    return Row(way.name, float(whole.mean()), low, high, gate, len(whole))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="antiphon label-stability",
        description="How many windows keep their label when they are heard otherwise.",
    )
    add = parser.add_argument
    add("audio", nargs="+", type=Path, help="recordings")
    add("--bundle", type=Path, help="its ear, alphabet, rate and window")
    add("--ear", default="descriptors", help='"descriptors", a learned ear, or a model\'s folder')
    add("--classes", type=within(int, 2), default=64, help="K, without a bundle (64)")
    add("--fit-on", type=Path, metavar="CORPUS", help="heard with the ear; else the recordings")
    add("--window", type=float, default=0.5, help="seconds, without a bundle (0.5)")
    add("--rate", type=int, default=22050, help="Hz at which training hears, without a bundle")
    add("--json", type=Path, metavar="FILE", help="the figures as JSON")
    add("--seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    sys.exit(main())
