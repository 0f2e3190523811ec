"""Taste models on disk: a training to resume, or an aligner to use; safetensors, written whole.

A training holds the weights, the best weights and both optimizers' state; its header the history
and what it is a training of, so that it is never resumed into another.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from models.taste import AlignerV2, TasteConfig
from models.taste_training import Epoch, TasteState

FORMAT_VERSION: Final = 1


class TasteFileError(ValueError):
    """A taste model or training that cannot be used; the message is one sentence."""


def save_aligner(path: Path, aligner: AlignerV2, card: Mapping[str, str]) -> None:
    """Write an aligner, replacing what is there in one move.

    Args:
        path: file to write; its folder must exist.
        aligner: trained.
        card: what is worth knowing about it, by name; "encoder" names what it knows songs by.

    Raises:
        TasteFileError: it cannot be written (disk full); what was there stays.
    """
    n_layers, layer_dim = aligner.songs.mean.shape
    header = {
        "version": FORMAT_VERSION,
        "config": aligner.config.model_dump(),
        "shape": [aligner.users.num_embeddings, int(n_layers), int(layer_dim)],
        "card": dict(card),
    }
    tensors = {name: value.detach().contiguous() for name, value in aligner.state_dict().items()}
    _write(path, tensors, header)


def load_aligner(path: Path, encoder: str | None = None) -> tuple[AlignerV2, dict[str, str]]:
    """An aligner and its card.

    Args:
        path: of the file.
        encoder: name of what songs will be described by; None if none will be.

    Raises:
        TasteFileError: not such a file, of another version, or one that knows songs by another
            encoder.
    """
    tensors, header = _read(path, "a taste model")
    try:
        config = TasteConfig.model_validate(header["config"])
        aligner = AlignerV2(config, *header["shape"])
        aligner.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise TasteFileError(f"{path} must be a taste model, got one that does not fit") from error
    card = dict(header["card"])
    known_by = card.get("encoder", encoder)
    if encoder is not None and known_by != encoder:
        raise TasteFileError(
            f"{path} must know songs by {encoder}, by which evolution hears, it knows them by "
            f"{known_by}; train it anew without --encoder"
        )
    return aligner, card


def fingerprint(aligner: AlignerV2) -> str:
    """32 hexadecimal digits that name the weights: vectors of another aligner mean nothing here."""
    digest = hashlib.blake2b(digest_size=16)
    for name, value in sorted(aligner.state_dict().items()):
        digest.update(name.encode() + value.detach().cpu().numpy().tobytes())
    return digest.hexdigest()


def save_training(path: Path, state: TasteState, of: str) -> None:
    """Write a training after an epoch, replacing what is there in one move.

    Args:
        path: file to write; its folder must exist.
        state: between epochs.
        of: what it is a training of: a fingerprint of config and data.

    Raises:
        TasteFileError: it cannot be written (disk full); what was there stays.
    """
    tensors = {f"weights.{k}": v for k, v in state.network.state_dict().items()}
    tensors |= {f"best.{k}": v for k, v in state.best.items()}
    for kind, optimizer in _optimizers(state).items():
        for index, values in optimizer.state_dict()["state"].items():
            for key, value in values.items():
                tensors[f"{kind}.{index}.{key}"] = torch.as_tensor(value, dtype=torch.float32)
    header = {
        "version": FORMAT_VERSION,
        "of": of,
        "epoch": state.epoch,
        "history": [asdict(epoch) for epoch in state.history],
    }
    _write(path, {k: v.detach().clone().contiguous() for k, v in tensors.items()}, header)


def load_training(path: Path, state: TasteState, of: str) -> None:
    """Put what `path` holds into a fresh state of the same training.

    Raises:
        TasteFileError: not a checkpoint, of another version, or of another training.
    """
    tensors, header = _read(path, "a checkpoint")
    if header.get("of") != of:
        raise TasteFileError(
            f"{path} must be a checkpoint of this training, got another training's; "
            "name another file, or remove it to start anew"
        )
    state.network.load_state_dict(_below(tensors, "weights."))
    state.best = _below(tensors, "best.")
    state.epoch = int(header["epoch"])
    state.history = [Epoch(**epoch) for epoch in header["history"]]
    for kind, optimizer in _optimizers(state).items():
        kept: dict[int, dict[str, Any]] = {}
        for name, value in _below(tensors, f"{kind}.").items():
            index, key = name.split(".", 1)
            is_count = kind == "table" and key == "step"
            kept.setdefault(int(index), {})[key] = int(value) if is_count else value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": kept})


def _optimizers(state: TasteState) -> dict[str, torch.optim.Optimizer]:
    return {"towers": state.towers, "table": state.table}


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _write(path: Path, tensors: dict[str, Tensor], header: Mapping[str, Any]) -> None:
    partial = path.with_name(f".{path.name}.partial")
    try:
        save_file(tensors, partial, {"antiphon": json.dumps(header)})
        os.replace(partial, path)
    except (OSError, SafetensorError) as error:
        if partial.is_file():
            partial.unlink()
        raise TasteFileError(
            f"{path} must be written, but that failed ({error}); free some space, or name another "
            "place"
        ) from error


def _read(path: Path, what: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["antiphon"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise TasteFileError(
            f"{path} must be {what}, but cannot be read as one; make it again"
        ) from error
    if header.get("version") != FORMAT_VERSION:
        raise TasteFileError(
            f"{path} must be {what} of version {FORMAT_VERSION}, got {header.get('version')}; "
            "make it again"
        )
    return tensors, header
