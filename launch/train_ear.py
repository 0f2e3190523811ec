"""Train a learned ear on imported songs: `python launch/train_ear.py CORPUS … --out FILE`.

The corpora must keep audio; with `--twins` at their import the ear hears the same notes on two
instruments. Only training songs are learned from. A training that was stopped goes on where it
was: give the same command again. Afterwards measure it: `antiphon hear-corpus`, `alphabet-card`.
"""

if __package__ in (None, ""):  # run as a file: the packages lie one folder up
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from corpus.audio_file import AudioFileError
from corpus.manifest import ManifestError
from launch.command import command, within
from launch.ear_material import load_ear_material, songs_with_audio
from models.ear_checkpoint import load_ear_checkpoint, save_ear_checkpoint
from models.ear_training import EarMaterial, EarTraining, EarTrainingConfig
from models.learned_ear import EarError, EarShape, EarWeights

STEPS_BETWEEN_CHECKPOINTS = 50
_ERRORS = (ManifestError, AudioFileError, EarError, OSError)


@command(*_ERRORS)
def main(argv: Sequence[str] | None = None) -> int:
    """Train as the command line says; 0 if the ear was written."""
    arguments = _parser().parse_args(argv)
    console = Console(stderr=True)
    weights = train_ear(arguments, console)
    size = arguments.out.stat().st_size / 1e6
    console.print(f"{arguments.out}: ear {weights.digest}, {size:.2f} MB", markup=False)
    return 0


def train_ear(arguments: argparse.Namespace, console: Console) -> EarWeights:
    """Train with progress and write the ear.

    Raises:
        ManifestError: no songs to learn from.
        EarError: a checkpoint of another training, or a file that cannot be written.
    """
    config = EarTrainingConfig(
        steps=arguments.steps,
        seed=arguments.seed,
        shape=EarShape(
            first=arguments.width,
            second=arguments.width,
            hidden=max(1, EarShape().hidden * arguments.width // EarShape().first),
            out=arguments.channels,
            chroma=arguments.chroma,
        ),
        twin_share=arguments.twin_share,
        temperature=arguments.temperature,
        chord_weight=arguments.chord_weight,
    )
    songs = songs_with_audio(arguments.corpora, "train")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task("spectra", total=len(songs))
        material = load_ear_material(songs, arguments.cache, lambda: progress.advance(task))
        _check(material)
        training = EarTraining(config, material)
        checkpoint = arguments.out.with_suffix(".checkpoint")
        if checkpoint.is_file():
            load_ear_checkpoint(checkpoint, training)
        task = progress.add_task("training", total=config.steps, completed=training.step)
        started = time.process_time()
        last = min(config.steps, arguments.until or config.steps)
        while training.step < last:
            training.run(min(STEPS_BETWEEN_CHECKPOINTS, last - training.step))
            save_ear_checkpoint(checkpoint, training)
            recent = float(np.mean(training.losses[-STEPS_BETWEEN_CHECKPOINTS:]))
            progress.update(task, completed=training.step, description=f"loss {recent:.3f}")
    minutes = (time.process_time() - started) / 60
    console.print(
        f"{training.step} steps, {minutes:.1f} core-minutes, loss {recent_loss(training)}"
    )
    card = {
        "training": config.model_dump(mode="json"),
        "steps": training.step,
        "songs": len(material),
        "twins": sum(any(len(one) > 1 for one in song.views.values()) for song in material),
        "loss": recent_loss(training),
    }
    weights = EarWeights(config.shape, training.network.arrays(), card)
    weights.save(arguments.out)
    if training.step == config.steps:
        checkpoint.unlink()
    return weights


def recent_loss(training: EarTraining) -> float:
    """Mean loss of the last steps."""
    return round(float(np.mean(training.losses[-STEPS_BETWEEN_CHECKPOINTS:])), 4)


def _check(material: Sequence[EarMaterial]) -> None:
    if len(material) < 2:
        raise ManifestError(
            f"an ear needs at least two training songs with two parts, got {len(material)}; "
            "import more songs with --keep both"
        )


def _parser() -> argparse.ArgumentParser:
    config = EarTrainingConfig()
    parser = argparse.ArgumentParser(
        prog="antiphon train-ear", description="Train a learned ear on imported songs."
    )
    add = parser.add_argument
    add("corpora", nargs="+", type=Path, help="imported with --keep both, best with --twins")
    add("--out", type=Path, required=True, help="the ear, a safetensors file")
    add("--cache", type=Path, default=Path("runs/ear-spectra"), help="folder for spectra")
    add("--steps", type=within(int, 1), default=config.steps, help="training steps")
    add("--until", type=within(int, 1), help="write the ear at this step; the same command goes on")
    add("--channels", type=within(int, 1), default=config.shape.out, help="numbers per pitch class")
    add("--width", type=within(int, 1), default=config.shape.first, help="channels along pitch")
    add("--chroma", type=float, default=config.shape.chroma, help="weight of the plain chroma")
    add("--twin-share", type=float, default=config.twin_share, help="of the loss, 0 to 1")
    add("--chord-weight", type=float, default=config.chord_weight, help="of telling the chord")
    add("--temperature", type=float, default=config.temperature, help="of the similarities")
    add("--seed", type=int, default=config.seed, help="of weights and draws")
    return parser


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main())
