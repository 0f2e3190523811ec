"""An ear's training on disk: one safetensors file, written whole or not at all, to resume from."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from models.ear_training import EarTraining
from models.learned_ear import EarError

__all__ = ["load_ear_checkpoint", "save_ear_checkpoint"]


def save_ear_checkpoint(path: Path, training: EarTraining) -> None:
    """Write a training to `path`, replacing what is there in one move.

    Raises:
        EarError: the file cannot be written.
    """
    tensors = {f"weights.{k}": v.detach() for k, v in training.network.named_parameters()}
    for name, weight in training.network.named_parameters():
        for key, value in training.optimizer.state.get(weight, {}).items():
            tensors[f"adam.{key}.{name}"] = torch.as_tensor(value)
    header = {"of": _mark(training), "step": training.step, "losses": training.losses}
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, partial, {"antiphon": json.dumps(header)})
        os.replace(partial, path)
    except (OSError, SafetensorError) as error:
        partial.unlink(missing_ok=True)
        raise EarError(
            f"{path} must be a file that can be written, and is not ({error}); free the disk"
        ) from error


def load_ear_checkpoint(path: Path, training: EarTraining) -> None:
    """Put what `path` holds into a fresh training.

    Raises:
        EarError: the file is damaged or of another training.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["antiphon"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise EarError(
            f"{path} must be the checkpoint of a training, and is damaged ({error}); delete it"
        ) from error
    if header["of"] != _mark(training):
        raise EarError(
            f"{path} must be of this training, and is of another (other songs or settings); "
            "delete it or name another --out"
        )
    with torch.no_grad():
        for name, weight in training.network.named_parameters():
            weight.copy_(tensors[f"weights.{name}"])
            if f"adam.step.{name}" in tensors:  # a head that is never asked has no moments
                training.optimizer.state[weight] = {
                    key: tensors[f"adam.{key}.{name}"] for key in ("step", "exp_avg", "exp_avg_sq")
                }
    training.step, training.losses = int(header["step"]), list(header["losses"])


def _mark(training: EarTraining) -> str:
    """Names all that determines the steps."""
    digest = hashlib.blake2b(training.config.model_dump_json().encode(), digest_size=8)
    for song in training.songs:
        digest.update(f"{song.name} {sorted(song.pairs)}".encode())
        for part in sorted(song.views):
            for views in song.views[part]:
                total = float(views.sum(dtype=np.float64))
                digest.update(f"{part} {views.shape} {total:.3f}".encode())
    return digest.hexdigest()
