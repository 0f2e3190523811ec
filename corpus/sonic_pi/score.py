"""Scores for `scsynth -N`: the recorded messages as time-stamped OSC bundles.

A score is a sequence of [int32 length][OSC bundle]; time tags count seconds from 0; the last bundle
sets the length of the sound. Messages come from an untrusted process: only those that play and
steer sound pass, with arguments of the right types, synth definitions of Sonic Pi and sound files
inside the given folders; queries and bookkeeping are left out. OSC 1.0, Wright 2002.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from os.path import normpath
from pathlib import Path, PurePath

from corpus.sonic_pi.events import Message

__all__ = ["ScoreError", "checked", "score"]

_SILENT_SYNTHDEFS = frozenset(
    f"sonic-pi-{name}" for name in ("scope", "server-info", "recorder", "amp_stereo_monitor")
)
# A letter per leading argument, then those that repeat: s text, i integer, n number, p path.
_PLAYED: Mapping[str, tuple[str, str]] = {
    "/s_new": ("siii", "sn"),
    "/n_set": ("i", "sn"),
    "/n_map": ("i", "sn"),
    "/n_free": ("i", "i"),
    "/n_order": ("iii", "i"),
    "/g_new": ("iii", ""),
    "/g_freeAll": ("i", "i"),
    "/g_deepFree": ("i", "i"),
    "/b_allocRead": ("ip", "i"),
    "/b_alloc": ("ini", ""),
    "/b_free": ("i", ""),
    "/c_set": ("in", "in"),
}
_INTEGERS = range(-(2**31), 2**31)
_LONGEST_TIME_NS = 2**31 * 10**9
_IMMEDIATE = struct.pack(">Q", 1)
_TIME_TAGS_PER_SECOND = 2**32


class ScoreError(ValueError):
    """A message that no honest run sends."""


def checked(messages: object, sound_folders: Sequence[Path]) -> list[Message]:
    """The messages that play or steer sound, each known to be well formed.

    Args:
        messages: as decoded from JSON, from an untrusted process.
        sound_folders: sound files may lie in or below these.

    Raises:
        ScoreError: if a message is malformed or names anything outside Sonic Pi's own.
    """
    if not isinstance(messages, list):
        raise ScoreError(f"messages must be a list, got {type(messages).__name__}")
    return [row for row in messages if _is_played(row, sound_folders)]


def _is_played(row: object, sound_folders: Sequence[Path]) -> bool:
    match row:
        case [int() as time, str() as address, *arguments] if 0 <= time < _LONGEST_TIME_NS:
            pass
        case _:
            raise ScoreError(f"a message must be [time, address, arguments...], got {row!r:.80}")
    if address not in _PLAYED:
        return False
    for letter, value in zip(_letters(address, len(arguments)), arguments, strict=True):
        if not _fits(letter, value, sound_folders):
            raise ScoreError(f"{address} may not carry {value!r:.80}")
    if address != "/s_new":
        return True
    if not str(arguments[0]).startswith("sonic-pi-") or "/" in str(arguments[0]):
        raise ScoreError(f"{arguments[0]!r:.80} is no synth definition of Sonic Pi")
    return arguments[0] not in _SILENT_SYNTHDEFS


def _letters(address: str, count: int) -> str:
    head, tail = _PLAYED[address]
    rest = count - len(head)
    if rest < 0 or (rest and (not tail or rest % len(tail))):
        raise ScoreError(f"{address} may not carry {count} arguments")
    return head + tail * (rest // len(tail) if tail else 0)


def _fits(letter: str, value: object, sound_folders: Sequence[Path]) -> bool:
    if isinstance(value, bool):
        return False
    if letter == "i":
        return isinstance(value, int) and value in _INTEGERS
    if letter == "n":
        return isinstance(value, float) or (isinstance(value, int) and value in _INTEGERS)
    if not isinstance(value, str) or "\0" in value or not value.isascii():
        return False
    path = PurePath(normpath(value))
    return letter == "s" or any(path.is_relative_to(folder) for folder in sound_folders)


def score(messages: Sequence[Message], synthdef_folder: Path, seconds: float) -> bytes:
    """The score of a recording, `seconds` long from its first sample.

    Args:
        messages: as `checked` leaves them; those at or after `seconds` are left out.
        synthdef_folder: holds one `.scsyndef` file for each synth definition used.
        seconds: length of the sound, > 0.

    Raises:
        ScoreError: if a synth definition is not in the folder.
    """
    end = round(seconds * 1e9)
    timed = sorted((row for row in messages if int(row[0]) < end), key=lambda row: row[0])
    used = sorted({str(row[2]) for row in timed if row[1] == "/s_new"})
    bundles = [
        *(_bundle(0, ["/d_load", str(_synthdef(synthdef_folder, name))]) for name in used),
        *(_bundle(int(row[0]), row[1:]) for row in timed),
        _bundle(end, ["/c_set", 0, 0]),
    ]
    return b"".join(struct.pack(">i", len(bundle)) + bundle for bundle in bundles)


def _synthdef(folder: Path, name: str) -> Path:
    path = folder / f"{name}.scsyndef"
    if not path.is_file():
        raise ScoreError(f"Sonic Pi has no compiled synth definition {name}")
    return path


def _bundle(nanoseconds: int, message: Sequence[int | float | str]) -> bytes:
    time_tag = nanoseconds * _TIME_TAGS_PER_SECOND // 10**9
    body = _message(message)
    return (
        b"#bundle\0"
        + (struct.pack(">Q", time_tag) if time_tag else _IMMEDIATE)
        + (struct.pack(">i", len(body)) + body)
    )


def _message(message: Sequence[int | float | str]) -> bytes:
    address, *arguments = message
    tags = "," + "".join("sif"[_kind(argument)] for argument in arguments)
    return _text(str(address)) + _text(tags) + b"".join(_encoded(arguments))


def _kind(argument: int | float | str) -> int:
    return (str, int, float).index(type(argument))


def _encoded(arguments: Sequence[int | float | str]) -> Iterator[bytes]:
    for argument in arguments:
        if isinstance(argument, str):
            yield _text(argument)
        elif isinstance(argument, int):
            yield struct.pack(">i", argument)
        else:
            yield _float(argument)


def _float(value: float) -> bytes:
    try:
        return struct.pack(">f", value)
    except OverflowError:
        return struct.pack(">f", float("inf") if value > 0 else float("-inf"))


def _text(text: str) -> bytes:
    data = text.encode() + b"\0"
    return data + b"\0" * (-len(data) % 4)
