"""A training on disk: one safetensors file, written whole or not at all, to resume from.

Tensors: `weights.*`, `best.*`, `adam.*`. The header holds the step, the history, and a
fingerprint of config and material, so that a checkpoint is never resumed into another training.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from models.paired_labels import Block
from models.training import Progress, TrainingConfig, TrainingState
from models.transformer_config import TransformerConfig


class CheckpointError(ValueError):
    """A checkpoint that cannot be resumed; the message is one sentence for the user."""


def fingerprint(
    transformer: TransformerConfig, training: TrainingConfig, train: Sequence[Block]
) -> str:
    """A hash of all that determines a training's steps."""
    digest = hashlib.sha256()
    digest.update(transformer.model_dump_json().encode())
    digest.update(training.model_dump_json().encode())
    for block in train:
        for array in (block.heard, block.fields, block.answer):
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def save_checkpoint(path: Path, state: TrainingState, of: str) -> None:
    """Write `state` to `path`, replacing what is there in one move.

    Args:
        path: file to write.
        state: after a validation.
        of: fingerprint of the training.

    Raises:
        CheckpointError: the file cannot be written.
    """
    tensors = {f"weights.{name}": array for name, array in state.network.arrays().items()}
    tensors |= {f"best.{name}": array for name, array in state.best.items()}
    for name, weight in state.network.named_parameters():
        for key, value in state.optimizer.state.get(weight, {}).items():
            tensors[f"adam.{key}.{name}"] = value.cpu().numpy()
    header = {"of": of, "step": state.step, "history": [asdict(p) for p in state.history]}
    partial = path.with_name(f".{path.name}.partial")
    try:
        save_file(tensors, partial, {"antiphon": json.dumps(header)})
        os.replace(partial, path)
    except (OSError, SafetensorError) as error:
        partial.unlink(missing_ok=True)
        raise CheckpointError(
            f"{path} must be a file that can be written, and is not ({error}); "
            "free the disk or name another --checkpoint"
        ) from error


def load_checkpoint(path: Path, state: TrainingState, of: str) -> None:
    """Put what `path` holds into a fresh `state`.

    Args:
        path: a file of `save_checkpoint`.
        state: from `start`, with the same configs; changed in place.
        of: fingerprint of the training.

    Raises:
        CheckpointError: not a checkpoint, or one of another training.
    """
    try:
        with safe_open(path, framework="np") as file:
            header = json.loads((file.metadata() or {})["antiphon"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        history = [Progress(**entry) for entry in header["history"]]
        step = int(header["step"])
    except (OSError, SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise CheckpointError(
            f"{path} must be a checkpoint of a training, and is not ({error}); delete it"
        ) from error
    if header.get("of") != of:
        raise CheckpointError(
            f"{path} must belong to this training, but was made with other audio or settings; "
            "delete it or name another checkpoint"
        )
    parts: dict[str, dict[str, np.ndarray]] = {"weights": {}, "best": {}}
    for name, array in tensors.items():
        kind, _, rest = name.partition(".")
        if kind in parts:
            parts[kind][rest] = array
    state.network.load_arrays(parts["weights"])
    for name, weight in state.network.named_parameters():
        moments = {
            key: _like(weight, key, tensors[f"adam.{key}.{name}"])
            for key in ("step", "exp_avg", "exp_avg_sq")
            if f"adam.{key}.{name}" in tensors
        }
        if moments:
            state.optimizer.state[weight] = moments
    state.best, state.history, state.step = parts["best"], history, step


def _like(weight: torch.Tensor, key: str, moment: np.ndarray) -> torch.Tensor:
    """A moment of Adam where it wants it: beside its weight, but for the count of steps."""
    found = torch.from_numpy(moment.copy())
    return found if key == "step" else found.to(weight.device)
