"""Learn what tells a key from songs whose keys are annotated: `python launch/train_key.py CORPUS`.

Only training songs are learned from. It prints the settings for `key:` of a training's
configuration, and how often the running key is right on the validation songs, with the key as it
is by default and as it was learned.
"""

if __package__ in (None, ""):  # run as a file: the packages lie one folder up
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from corpus.annotations import keys_at
from corpus.manifest import ManifestError, Role, load_annotations, load_features, load_manifest
from launch.command import command
from models.descriptors import N_CHROMA
from models.key import KeyConfig, RunningKey
from models.key_training import KeyTrack, train_key
from models.metrics.key import evaluate


@command(ManifestError, ValueError, OSError)
def main(argv: Sequence[str] | None = None) -> int:
    """Learn as the command line says; 0 if it was learned."""
    arguments = _parser().parse_args(argv)
    torch.set_num_threads(1)
    console = Console(stderr=True)
    windows = arguments.window or [0.25, 0.5]
    tracks = {w: key_tracks(arguments.corpora, "train", w) for w in windows}
    learned, loss = train_key(tracks, arguments.steps, arguments.seed)
    console.print(f"{len(tracks[windows[0]])} parts, loss {loss:.3f} nats", markup=False)
    for window in windows:
        held_out = key_tracks(arguments.corpora, "validation", window)
        for name, config in (("default", KeyConfig()), ("learned", learned)):
            told = [RunningKey(config, window).follow(t.chroma, t.silent) for t in held_out]
            truth = np.concatenate([track.keys for track in held_out])
            found = evaluate(truth, np.concatenate(told))
            console.print(
                f"{name}, windows of {window:g} s: right {found.right:.1%}, signature "
                f"{found.signature:.1%}, within a fifth {found.within_fifth:.1%} of "
                f"{found.n_windows} windows",
                markup=False,
            )
    print(json.dumps(learned.model_dump(mode="json")))
    return 0


def key_tracks(corpora: Sequence[Path], role: Role, window_seconds: float) -> list[KeyTrack]:
    """All parts of the songs of one side that have an annotated key.

    Args:
        corpora: imported, heard by an ear that gives chroma first.
        role: side of the split.
        window_seconds: Δ.

    Raises:
        ManifestError: no corpus, or none with features of this window.
    """
    tracks = []
    for corpus in corpora:
        for song in load_manifest(corpus).used:
            keys = load_annotations(corpus, song).keys if song.role == role else ()
            if not keys:
                continue
            for part in load_features(corpus, song, window_seconds).values():
                silent = np.asarray(part["silent"], dtype=np.bool_)
                ends = (np.arange(len(silent), dtype=np.float64) + 0.5) * window_seconds
                chroma = np.asarray(part["features"], dtype=np.float32)[:, :N_CHROMA]
                tracks.append(KeyTrack(chroma, silent, keys_at(keys, ends)))
    return tracks


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="antiphon train-key", description="Learn what tells a key from annotated songs."
    )
    add = parser.add_argument
    add("corpora", nargs="+", type=Path, help="imported, with annotated keys (POP909)")
    add("--window", type=float, action="append", help="seconds; may be repeated; 0.25 and 0.5")
    add("--steps", type=int, default=240, help="training steps (240)")
    add("--seed", type=int, default=0, help="of the draws")
    return parser


if __name__ == "__main__":
    sys.exit(main())
