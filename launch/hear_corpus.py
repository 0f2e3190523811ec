"""Hear a corpus with another ear: `python launch/hear_corpus.py CORPUS --out NEW --ear EAR`.

The new corpus has the songs, the split and the annotations of the old, and the features of the
other ear in the place of its own, so it can be measured (`alphabet-card`) and learned from. Its
audio stays where it is. Stopped half-way, the same command goes on where it was.
"""

if __package__ in (None, ""):  # run as a file: the packages lie one folder up
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from actors.corpus_tasks import build_hear, ear_fingerprint
from corpus.audio_file import AudioFileError, read_audio
from corpus.importer import Hear, settings_hash, write_features
from corpus.manifest import (
    MANIFEST_FILE,
    CorpusManifest,
    ImportSettings,
    ManifestError,
    SongRecord,
    load_manifest,
    to_json,
)
from corpus.whole_file import write_atomically
from launch.command import command
from models.ear import EarConfig
from models.encoder_config import LearnedConfig, PretrainedConfig

_ERRORS = (ManifestError, AudioFileError, ValueError, OSError)


@command(*_ERRORS)
def main(argv: Sequence[str] | None = None) -> int:
    """Hear as the command line says; 0 if the new corpus is whole."""
    arguments = _parser().parse_args(argv)
    console = Console(stderr=True)
    manifest = hear_corpus(arguments, console)
    console.print(f"{arguments.out}: {len(manifest.used)} songs heard anew", markup=False)
    return 0


def hear_corpus(arguments: argparse.Namespace, console: Console) -> CorpusManifest:
    """Hear every song with audio and write the new corpus.

    Raises:
        ManifestError: no corpus, one that keeps no audio, or the new one in the place of the old.
        ValueError: an ear that cannot be used.
    """
    old = load_manifest(arguments.corpus)
    if old.settings.keep == "features":
        raise ManifestError(
            f"{arguments.corpus} must keep audio, got features alone; import it with --keep both"
        )
    if os.path.realpath(arguments.out) == os.path.realpath(arguments.corpus):
        raise ManifestError("--out must be another folder than the corpus, got the same")
    ear = ear_of(arguments.ear)
    windows = tuple(arguments.window or old.settings.window_seconds)
    rate = old.settings.sample_rate
    settings = old.settings.model_copy(
        update={
            "ear": ear_fingerprint(ear, rate),
            "window_seconds": windows,
            "keep": "features",
        }
    )
    hear = build_hear(ear, rate, windows)
    roles = set(arguments.role or ("train", "validation", "test"))
    kept = [song for song in old.used if song.role in roles]
    songs = []
    for song in track(kept, "hearing", console=console, transient=True):
        songs.append(_hear_song(arguments.corpus, arguments.out, song, hear, settings))
    manifest = old.model_copy(update={"settings": settings, "songs": tuple(songs)})
    write_atomically(arguments.out / MANIFEST_FILE, to_json(manifest))
    return manifest


def _hear_song(
    corpus: Path, out: Path, song: SongRecord, hear: Hear, settings: ImportSettings
) -> SongRecord:
    """One song in the new corpus, as it is there already or heard now."""
    features = f"songs/{song.name}.npz"
    parts = tuple(part.model_copy(update={"audio": None}) for part in song.parts)
    update = {"features": features, "settings": settings_hash(settings), "parts": parts}
    record = song.model_copy(update=update)
    path = out / f"songs/{song.name}.json"
    if path.is_file() and path.read_text(encoding="utf-8") == to_json(record):
        return record
    heard: dict[str, NDArray[np.generic]] = {}
    for index, part in enumerate(song.parts):
        samples = read_audio(corpus / str(part.audio), settings.sample_rate, 1)[:, 0]
        found = hear(samples, settings.window_seconds)
        heard |= {f"{index}/{key}": value for key, value in found.items()}
    write_features(out / features, heard)
    if song.annotations is not None:
        (out / song.annotations).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(corpus / song.annotations, out / song.annotations)
    write_atomically(path, to_json(record))
    return record


def ear_of(name: str) -> EarConfig:
    """The ear of a name: "descriptors", a folder of a Hugging Face model, or a learned one."""
    if name == "descriptors":
        return EarConfig()
    if Path(name).is_dir():
        return EarConfig(encoder="pretrained", pretrained=PretrainedConfig(model=name))
    return EarConfig(encoder="learned", learned=LearnedConfig(weights=name))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="antiphon hear-corpus", description="Hear an imported corpus with another ear."
    )
    add = parser.add_argument
    add("corpus", type=Path, help="imported with --keep both or audio")
    add("--out", type=Path, required=True, help="the new corpus")
    add("--ear", required=True, help='"descriptors", a learned ear, or a model\'s folder')
    add("--window", type=float, action="append", help="seconds; those of the corpus if left out")
    add("--role", choices=("train", "validation", "test"), action="append", help="only these songs")
    return parser


if __name__ == "__main__":
    sys.exit(main())
