"""An evolution on disk: one file per generation boundary, msgpack, written whole or not at all.

`RunLock` keeps a second evolution off the same folder.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

import filelock
import msgpack
import numpy as np

__all__ = ["CheckpointError", "RunLock", "load_checkpoint", "pack", "save_checkpoint", "unpack"]

FORMAT: Final = "antiphon-evolution"
FORMAT_VERSION: Final = 1
_ARRAY: Final = 1  # msgpack extension


class CheckpointError(ValueError):
    """A checkpoint that cannot be used or written; the message is one sentence."""


def pack(values: object) -> bytes:
    """Plain values and numpy arrays as bytes; anything else is refused.

    Raises:
        TypeError: a value that is not plain.
    """
    packed: bytes = msgpack.packb(values, default=_packed, use_bin_type=True)
    return packed


def unpack(data: bytes) -> Any:  # noqa: ANN401 - whatever was packed
    """What `pack` was given (tuples come back as lists).

    Raises:
        ValueError: not such bytes.
    """
    try:
        return msgpack.unpackb(data, ext_hook=_unpacked, raw=False, strict_map_key=False)
    except (msgpack.UnpackException, ValueError, TypeError) as error:
        raise ValueError(f"it is not packed as it should be ({error})") from error


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write a state, replacing what is there in one move; what was there stays until then.

    Raises:
        CheckpointError: it could not be written (disk full, no permission).
    """
    data = pack({"format": FORMAT, "version": FORMAT_VERSION, "state": dict(state)})
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise CheckpointError(
            f"the checkpoint {path} must be written before the next generation, but that failed "
            f"({error.strerror}); the one before is untouched: free some space and resume"
        ) from error


def load_checkpoint(path: Path) -> dict[str, Any]:
    """The state in a checkpoint.

    Raises:
        CheckpointError: not there, not a checkpoint, or of another version.
    """
    try:
        values = unpack(path.read_bytes())
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} must be a checkpoint of an evolution, but it cannot be read ({error}); "
            "name another, or start anew without it"
        ) from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} must be a checkpoint of an evolution, got something else; name another"
        )
    if values.get("version") != FORMAT_VERSION:
        raise CheckpointError(
            f"{path} must be a checkpoint of version {FORMAT_VERSION}, got version "
            f"{values.get('version')}; resume it with the Antiphon that wrote it, or start anew"
        )
    state: dict[str, Any] = values["state"]
    return state


class RunLock:
    """Holds a folder for one evolution; a context manager. Let go when its process ends.

    Args:
        folder: of the run; must exist.

    Raises:
        CheckpointError: another evolution holds it.
    """

    def __init__(self, folder: Path) -> None:
        self._lock = filelock.FileLock(folder / "evolution.lock", timeout=0)
        try:
            self._lock.acquire()
        except filelock.Timeout as error:
            raise CheckpointError(
                f"{folder} must belong to one evolution at a time, and another is using it; "
                "wait for it to end, or name another folder with --out"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def _packed(value: object) -> msgpack.ExtType:
    if isinstance(value, np.ndarray):
        array = np.ascontiguousarray(value)
        head = [array.dtype.str, list(array.shape), array.tobytes()]
        return msgpack.ExtType(_ARRAY, msgpack.packb(head, use_bin_type=True))
    raise TypeError(f"a checkpoint must hold plain values and arrays, got a {type(value).__name__}")


def _unpacked(code: int, data: bytes) -> object:
    if code != _ARRAY:
        raise ValueError(f"unknown extension {code}")
    dtype, shape, raw = msgpack.unpackb(data, raw=False)
    if np.dtype(dtype).hasobject:
        raise ValueError("an array of objects")
    return np.frombuffer(raw, dtype).reshape(shape).copy()
