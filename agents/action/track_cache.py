"""Tracks on disk: heard once, taken from there afterwards, and never more than there is room for.

An entry is one .npz named by a hash of everything it depends on; the archive's checksums show
damage. It is read into main memory, not mapped: a mapped file that is cut short kills the process.
"""

import hashlib
import logging
import os
from collections.abc import Callable, Collection
from dataclasses import fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from agents.action.track import Track

_LOG = logging.getLogger(__name__)


class TrackCache:
    """A folder of tracks, bounded in size: what was used longest ago goes first.

    Args:
        folder: made if missing.
        most_bytes: how large it may become; tracks used through this object always stay.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._used: set[Path] = set()

    def track(self, facts: Collection[object], make: Callable[[], Track], what: str) -> Track:
        """The track that `facts` name, made and kept if it is not there.

        A damaged entry is made again; a folder that cannot be written is done without, with a
        warning.

        Args:
            facts: all that the track depends on.
            make: makes it.
            what: names it in warnings.
        """
        name = hashlib.blake2b(repr(tuple(map(str, facts))).encode(), digest_size=16).hexdigest()
        entry = self._folder / f"{name}.npz"
        self._used.add(entry)
        track = _load(entry)
        if track is not None:
            return track
        track = make()
        try:
            _save(entry, track)
        except OSError as error:
            _LOG.warning(
                "%s must be a folder that can be written, with room left, but writing failed "
                "(%s); %s will be heard again next time",
                self._folder,
                error.strerror or error,
                what,
            )
        return track

    def prune(self) -> None:
        """Remove what was used longest ago until the rest fits; other processes may do the same."""
        try:
            found = [(path, path.stat()) for path in self._folder.glob("*.npz")]
            n_bytes = sum(status.st_size for _, status in found)
            for path, status in sorted(found, key=lambda one: one[1].st_mtime_ns):
                if n_bytes <= self._most_bytes:
                    return
                if path not in self._used:
                    path.unlink(missing_ok=True)
                    n_bytes -= status.st_size
        except OSError as error:
            _LOG.warning("%s could not be tidied up (%s)", self._folder, error.strerror or error)


def _load(entry: Path) -> Track | None:
    """The track of an entry, which counts as used now; None if there is none, or it is damaged."""
    try:
        with np.load(entry, allow_pickle=False) as arrays:
            track = Track(**{field.name: arrays[field.name] for field in fields(Track)})
    except FileNotFoundError:
        return None
    except (
        OSError,
        ValueError,
        KeyError,
        EOFError,
        BadZipFile,
        RuntimeError,
        MemoryError,
    ) as error:
        _LOG.warning("cache entry %s is damaged (%s) and is made again", entry, error)
        return None
    try:
        os.utime(entry)
    except OSError as error:  # a cache of someone else's: it can be read all the same
        _LOG.debug("cache entry %s cannot be marked as used (%s)", entry, error)
    return track


def _save(entry: Path, track: Track) -> None:
    """Write an entry whole or not at all; two processes may do so at once."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    part = entry.with_name(f".{entry.name}.{os.getpid()}")
    try:
        with part.open("wb") as file:
            np.savez(file, allow_pickle=False, **vars(track))
        part.replace(entry)
    finally:
        part.unlink(missing_ok=True)
