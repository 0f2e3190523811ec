"""Messages to frames and back: topic | header | payload, the two latter in msgpack.

The header is the list (version, kind, sender, session, sequence, window, time); the payload is a
map from field name to value. The table of kinds is read off the unions `Message` and
`MachineryMessage`: a dataclass added there travels without a line here. Decoding trusts
nothing: whatever bytes come, the outcome is an `Envelope` or `MalformedFrame`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import msgpack

from actors.streams.fields import record_codec
from actors.streams.machinery_messages import MachineryMessage
from agents.messages import Message

StreamMessage = Message | MachineryMessage
"""Everything that travels on the streams."""

VERSION = 1
MAX_FRAME_BYTES = 32 * 2**20
"""Largest frame sent or believed: over 20 s of 48 kHz stereo."""
MAX_SENDER_CHARACTERS = 64
NO_WINDOW = -1
"""Header's window of a message that is about no window."""
UNKNOWN_KIND = "unknown"

_KINDS: dict[str, type] = {
    kind.__name__: kind for union in (Message, MachineryMessage) for kind in get_args(union)
}
_RECORDS = {name: record_codec(kind) for name, kind in _KINDS.items()}
TOPICS: frozenset[str] = frozenset(kind.TOPIC for kind in _KINDS.values())  # type: ignore[attr-defined]
"""Every topic there is."""


class MalformedFrame(ValueError):  # noqa: N818 - it names what came, not what we did
    """What came is no message of ours; `kind` is the kind it claims to be, or "unknown"."""

    def __init__(self, reason: str, kind: str = UNKNOWN_KIND) -> None:
        super().__init__(reason)
        self.kind = kind


@dataclass(frozen=True, eq=False)
class Envelope:
    """A message as it arrived.

    Args:
        topic: stream it came on.
        sender: name of the peer that said it.
        session: tells the lives of one sender apart; a restart gives a new one.
        sequence: count of what the sender said on this topic in this session, from 0.
        window: window the message is about, `NO_WINDOW` if none.
        time: monotonic seconds at which it was sent, by the sender's clock.
        message: what was said.
        received: monotonic seconds at which it arrived, by the receiver's clock.
    """

    topic: str
    sender: str
    session: int
    sequence: int
    window: int
    time: float
    message: StreamMessage
    received: float


def pack_fields(message: StreamMessage) -> dict[str, Any]:
    """The fields of `message` by name, as msgpack carries them; audio as `PackedArray`.

    Raises:
        ValueError: it is no message of the table, or a field breaks its annotation.
    """
    kind = type(message).__name__
    if _KINDS.get(kind) is not type(message):
        raise ValueError(f"a message must be of a kind in the table, got {type(message)}")
    try:
        fields: dict[str, Any] = _RECORDS[kind].pack(message)
    except ValueError as error:
        raise ValueError(f"{kind}.{error}") from error
    return fields


def unpack_fields(kind: str, fields: object) -> StreamMessage:
    """The message that `pack_fields` took apart.

    Raises:
        MalformedFrame: the kind is unknown or a field is missing, foreign or wrong.
    """
    if kind not in _RECORDS:
        raise MalformedFrame(f"the kind must be in the table, got {kind!r:.60}")
    try:
        message: StreamMessage = _RECORDS[kind].unpack(fields)
    except (ValueError, TypeError) as error:
        raise MalformedFrame(f"{kind}: {error}", kind) from error
    return message


def topic_of(kind: str) -> str:
    """The topic on which messages of `kind` travel.

    Raises:
        MalformedFrame: the kind is unknown.
    """
    if kind not in _KINDS:
        raise MalformedFrame(f"the kind must be in the table, got {kind!r:.60}")
    topic: str = _KINDS[kind].TOPIC  # type: ignore[attr-defined]
    return topic


def encode(
    message: StreamMessage, *, sender: str, session: int, sequence: int, time: float
) -> list[bytes]:
    """The three frames of `message`.

    Raises:
        ValueError: a field breaks its annotation, or the payload exceeds `MAX_FRAME_BYTES`.
    """
    payload = msgpack.packb(pack_fields(message))
    if len(payload) > MAX_FRAME_BYTES:
        raise ValueError(
            f"a message must fit {MAX_FRAME_BYTES} bytes, got a {type(message).__name__} of "
            f"{len(payload)}: send less at a time"
        )
    window = getattr(message, "window", NO_WINDOW)
    kind = type(message).__name__
    header = msgpack.packb([VERSION, kind, sender, session, sequence, int(window), float(time)])
    return [message.TOPIC.encode(), header, payload]


def decode(frames: Sequence[bytes], *, received: float) -> Envelope:
    """The envelope that `frames` hold; arrays are read-only views of the bytes.

    Raises:
        MalformedFrame: for anything that `encode` would not have made; never anything else.
    """
    if len(frames) != 3:
        raise MalformedFrame(f"a message must have 3 frames, got {len(frames)}")
    topic, header, payload = frames
    kind, sender, session, sequence, window, time = _read_header(header)
    if topic != topic_of(kind).encode():
        raise MalformedFrame(
            f"{kind} must come on topic {topic_of(kind)!r}, got {topic!r:.60}", kind
        )
    message = unpack_fields(kind, _unpacked(payload, kind))
    if window != getattr(message, "window", NO_WINDOW):
        raise MalformedFrame(f"{kind}: header and payload name different windows", kind)
    return Envelope(topic_of(kind), sender, session, sequence, window, time, message, received)


def _read_header(header: bytes) -> tuple[str, str, int, int, int, float]:
    values = _unpacked(header, UNKNOWN_KIND)
    if not isinstance(values, list) or len(values) != 7:
        raise MalformedFrame("a header must be a list of 7 values")
    version, kind, sender, session, sequence, window, time = values
    if type(version) is not int or version != VERSION:
        raise MalformedFrame(f"the version must be {VERSION}, got {version!r:.60}")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise MalformedFrame(f"the kind must be in the table, got {kind!r:.60}")
    if not isinstance(sender, str) or not 1 <= len(sender) <= MAX_SENDER_CHARACTERS:
        raise MalformedFrame(f"{kind}: the sender must be a short name, got {sender!r:.60}", kind)
    for name, number, least in (
        ("session", session, 0),
        ("sequence", sequence, 0),
        ("window", window, -(2**63)),
    ):
        if type(number) is not int or not least <= number < 2**63:
            raise MalformedFrame(f"{kind}: {name} must be a whole number, got {number!r:.60}", kind)
    if type(time) is not float or not -1e300 < time < 1e300:
        raise MalformedFrame(f"{kind}: the time must be seconds, got {time!r:.60}", kind)
    return kind, sender, session, sequence, window, time


def _unpacked(data: bytes, kind: str) -> object:
    if len(data) > MAX_FRAME_BYTES:
        raise MalformedFrame(f"a frame must fit {MAX_FRAME_BYTES} bytes, got {len(data)}", kind)
    try:
        value: object = msgpack.unpackb(data)
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as error:
        raise MalformedFrame(
            f"a frame must be whole msgpack: {error or 'cut short'}", kind
        ) from error
    return value
