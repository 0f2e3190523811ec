"""Code by file drop: a folder with `context.rb` and `candidates/*.rb`, looked at now and then.

A file may be seen while an editor still writes it, so the folder counts only when two looks in a
row found the same contents. Nothing waits here: whoever has a clock calls `look`.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CONTEXT_NAME: Final = "context.rb"
CANDIDATES_NAME: Final = "candidates"


@dataclass(frozen=True)
class DroppedCode:
    """What lies in the folder: `context` may be empty, `candidates` are in the order of names."""

    context: str
    candidates: tuple[str, ...]


class CodeFolder:
    """Watches one folder, which may come later or go away.

    Args:
        folder: where.
        most_candidates: further files are left alone, with a complaint.
        most_bytes: of one file; longer ones are left alone, with a complaint.
    """

    def __init__(self, folder: Path, most_candidates: int, most_bytes: int) -> None:
        self._folder = folder
        self._most_candidates = most_candidates
        self._most_bytes = most_bytes
        self._seen = b""
        self._given = b""
        self._complaints: list[str] = []

    def look(self) -> DroppedCode | None:
        """What lies there, if it is whole and has changed since it was last given."""
        complaints: list[str] = []
        context = self._read(self._folder / CONTEXT_NAME, complaints) or ""
        candidates = tuple(
            code for path in self._files(complaints) if (code := self._read(path, complaints))
        )
        seen = _fingerprint((context, *candidates, *complaints))
        settled, self._seen = seen == self._seen, seen
        if not settled or seen == self._given:
            return None
        self._given = seen
        self._complaints = complaints
        return DroppedCode(context, candidates) if candidates else None

    def complaints(self) -> list[str]:
        """What could not be taken, a sentence each, since the last call."""
        complaints, self._complaints = self._complaints, []
        return complaints

    def _files(self, complaints: list[str]) -> list[Path]:
        try:
            found = sorted((self._folder / CANDIDATES_NAME).glob("*.rb"))
        except OSError:
            return []
        if len(found) > self._most_candidates:
            complaints.append(
                f"at most {self._most_candidates} candidates are ranked, {self._folder} has "
                f"{len(found)}; the last by name are left out"
            )
        return found[: self._most_candidates]

    def _read(self, path: Path, complaints: list[str]) -> str | None:
        """The text of a file; None if there is none to take. A pipe would be waited for."""
        try:
            if not path.is_file():
                return None
            with path.open("rb") as file:
                data = file.read(self._most_bytes + 1)
        except OSError as error:
            complaints.append(f"{_name(path)} must be readable ({error.strerror}); it is left out")
            return None
        if len(data) > self._most_bytes:
            complaints.append(
                f"{_name(path)} must have at most {self._most_bytes} bytes; it is left out"
            )
            return None
        try:
            return data.decode("utf-8-sig")  # some editors put a byte-order mark before the text
        except UnicodeDecodeError:
            complaints.append(f"{_name(path)} must be UTF-8 text; save it so, it is left out")
            return None


def _name(path: Path) -> str:
    """A file's name as text that can travel, whatever its bytes are."""
    return path.name.encode("utf-8", "replace").decode()


def _fingerprint(texts: tuple[str, ...]) -> bytes:
    digest = hashlib.sha256()
    for text in texts:
        data = text.encode("utf-8", "replace")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.digest()
