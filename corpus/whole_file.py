"""Files that are there whole or not at all, whatever ends the writing: a full disk, Ctrl-C."""

import contextlib
import os
from pathlib import Path

__all__ = ["write_atomically"]


def write_atomically(path: Path, content: str | bytes | memoryview) -> None:
    """Write a file whole, or leave what was there; its folder is made if need be.

    Args:
        path: where; at most one process may write it.
        content: text becomes UTF-8.

    Raises:
        OSError: it cannot be written; names `path`.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(part, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
