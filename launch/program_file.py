"""Reads Sonic Pi programs from files that may be anything."""

from pathlib import Path
from typing import Final

from corpus.sonic_pi.syntax import MAX_CHARACTERS

__all__ = ["read_program"]

_LARGEST_BYTES: Final = 4 * MAX_CHARACTERS


def read_program(path: Path) -> str:
    """The text of a program, without the byte-order mark that some editors put before it.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no file (a pipe would be waited for), no text, or too long for a program.
    """
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} must be a file with a program, not a folder, pipe or device")
    if path.stat().st_size > _LARGEST_BYTES:
        raise ValueError(f"{path} must have at most {MAX_CHARACTERS} characters, cut it down")
    try:
        code = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} must be UTF-8 text: {error.reason} at byte {error.start}"
        ) from error
    if "\0" in code:
        raise ValueError(f"{path} must be text, it holds a NUL at character {code.index(chr(0))}")
    return code
