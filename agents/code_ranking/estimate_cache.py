"""Estimates kept by content: the same program is never asked about twice, bounded, also on disk.

An estimate is found again under the program's text, the tier, and what the tier was made of. The
file is SQLite, which writes whole rows or nothing; where it cannot be written, memory serves alone.
"""

import json
import sqlite3
import threading
from collections import OrderedDict
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final

import numpy as np

from agents.code_ranking.estimate import TIERS, Estimate, Tier

__all__ = ["EstimateCache", "cache_key"]

_PATIENCE_SECONDS: Final = 0.2  # another process may be writing
_TABLE: Final = (
    "create table if not exists estimates (key text primary key, tier text, point blob, "
    "coverage real, is_trusted integer, is_silent integer, is_broken integer, faults text)"
)


def cache_key(tier: Tier, code: str) -> str:
    """Under which an estimate is kept: differs if program, tier, settings or models differ."""
    text = f"{tier.name}\0{tier.key}\0{code}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


class EstimateCache:
    """Estimates by key, the least recently used dropped first. Safe for several threads.

    Args:
        path: SQLite file, made if it is not there; none: in memory only.
        most: estimates kept, in memory and on disk each, ≥ 1.

    Raises:
        OSError: if the file cannot be opened, or is something else.
        ValueError: if `most` is below 1.
    """

    def __init__(self, path: Path | None = None, most: int = 20_000) -> None:
        if most < 1:
            raise ValueError(f"most must be at least 1, got {most}")
        self._most = most
        self._kept: OrderedDict[str, Estimate] = OrderedDict()
        self._lock = threading.Lock()
        self._file = None if path is None else _opened(path)

    def get(self, key: str) -> Estimate | None:
        """What is kept under a key; None if nothing is."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found
            found = self._read(key)
            if found is not None:
                self._remember(key, found)
            return found

    def put(self, key: str, estimate: Estimate) -> None:
        """Keeps an estimate."""
        with self._lock:
            self._remember(key, estimate)
            self._write(key, estimate)

    def close(self) -> None:
        """Closes the file; memory serves on."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def __len__(self) -> int:
        return len(self._kept)

    def _remember(self, key: str, estimate: Estimate) -> None:
        self._kept[key] = estimate
        self._kept.move_to_end(key)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def _read(self, key: str) -> Estimate | None:
        if self._file is None:
            return None
        try:
            row = self._file.execute(
                "select tier, point, coverage, is_trusted, is_silent, is_broken, faults "
                "from estimates where key = ?",
                (key,),
            ).fetchone()
            return None if row is None else _estimate(row)
        except (sqlite3.Error, ValueError, TypeError):  # what cannot be read is found out again
            return None

    def _write(self, key: str, estimate: Estimate) -> None:
        if self._file is None:
            return
        row = (
            key,
            estimate.tier,
            estimate.point.astype("<f4").tobytes(),
            estimate.coverage,
            estimate.is_trusted,
            estimate.is_silent,
            estimate.is_broken,
            json.dumps(estimate.faults),
        )
        with suppress(sqlite3.Error), self._file:  # a full disk costs time later, nothing else
            self._file.execute(
                "insert or replace into estimates values (?, ?, ?, ?, ?, ?, ?, ?)", row
            )
            self._file.execute(
                "delete from estimates where rowid <= (select max(rowid) from estimates) - ?",
                (self._most,),
            )


def _opened(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = sqlite3.connect(path, timeout=_PATIENCE_SECONDS, check_same_thread=False)
        file.execute("pragma journal_mode = wal")
        file.execute("pragma synchronous = normal")
        file.execute(_TABLE)
    except sqlite3.Error as error:
        raise OSError(
            f"{path} must be a cache of estimates or not there yet, but it cannot be opened "
            f"({error}); name another file or delete it"
        ) from error
    return file


def _estimate(row: tuple[str, bytes, float, int, int, int, str]) -> Estimate:
    """A row as an estimate.

    Raises:
        ValueError: the row was not written by `EstimateCache`.
    """
    tier = next((name for name in TIERS if name == row[0]), None)
    point = np.frombuffer(row[1], dtype="<f4").astype(np.float32)
    if tier is None or not np.isfinite(point).all():
        raise ValueError("a row must hold a tier and a finite point")
    faults = tuple(str(fault) for fault in json.loads(row[6]))
    return Estimate(tier, point, float(row[2]), bool(row[3]), bool(row[4]), bool(row[5]), faults)
