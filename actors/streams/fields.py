"""How one field of a message travels: a table from type annotation to a pair of functions.

`pack` turns a value into what msgpack can carry, `unpack` turns it back; both refuse anything
the annotation does not allow with a `ValueError` whose text goes after the field's name.
Numbers are finite: NaN and infinities are refused on both sides. Audio is little-endian float32
of shape (frames, channels), checked against its byte count before it is believed.
"""

import dataclasses
import math
import operator
import types
from collections.abc import Callable
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import numpy as np

from agents.messages import Audio

AUDIO_DTYPE = "<f4"
MAX_CHANNELS = 64
_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1


class PackedArray(NamedTuple):
    """An array on its way: dtype, shape, raw bytes."""

    dtype: str
    shape: tuple[int, int]
    data: bytes


class FieldCodec(NamedTuple):
    """The two directions of one annotation."""

    pack: Callable[[Any], Any]
    unpack: Callable[[Any], Any]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _pack_int(value: object) -> int:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise ValueError(f"must be a whole number, got {_shown(value)}")
    return _unpack_int(operator.index(value))


def _unpack_int(value: object) -> int:
    if type(value) is not int or not _INT64_MIN <= value <= _INT64_MAX:
        raise ValueError(f"must be a 64-bit whole number, got {_shown(value)}")
    return value


def _pack_float(value: object) -> float:
    return _unpack_float(value.item() if isinstance(value, np.generic) else value)


def _unpack_float(value: object) -> float:
    if (type(value) is not float and type(value) is not int) or not math.isfinite(value):
        raise ValueError(f"must be a finite number, got {_shown(value)}")
    return float(value)


def _unpack_bool(value: object) -> bool:
    if type(value) is not bool:
        raise ValueError(f"must be true or false, got {_shown(value)}")
    return value


def _pack_bool(value: object) -> bool:
    return _unpack_bool(value.item() if isinstance(value, np.bool_) else value)


def _unpack_str(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be text, got {_shown(value)}")
    return str(value)


def _pack_str(value: object) -> str:
    text = _unpack_str(value)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"must be text that UTF-8 can spell, got {_shown(value)}") from error
    return text


def _unpack_bytes(value: object) -> bytes:
    if type(value) is not bytes:
        raise ValueError(f"must be bytes, got {_shown(value)}")
    return value


def _unpack_none(value: object) -> None:
    if value is not None:
        raise ValueError(f"must be nothing, got {_shown(value)}")


def _pack_audio(value: object) -> PackedArray:
    if not isinstance(value, np.ndarray) or value.dtype != np.float32 or value.ndim != 2:
        what = (
            f"{value.dtype} of shape {value.shape}"
            if isinstance(value, np.ndarray)
            else type(value).__name__
        )
        raise ValueError(f"must be float32 of shape (frames, channels), got {what}")
    frames, channels = value.shape
    _check_shape(frames, channels)
    if not np.isfinite(value).all():
        raise ValueError("must hold finite samples only, got NaN or infinity")
    return PackedArray(
        AUDIO_DTYPE, (frames, channels), value.astype(AUDIO_DTYPE, copy=False).tobytes()
    )


def _unpack_audio(value: object) -> Audio:
    if not isinstance(value, (list, tuple)) or len(value) != 3 or value[0] != AUDIO_DTYPE:
        raise ValueError(f"must be an array ('{AUDIO_DTYPE}', shape, bytes), got {_shown(value)}")
    shape, data = value[1], _unpack_bytes(value[2])
    if not isinstance(shape, (list, tuple)) or len(shape) != 2:
        raise ValueError(f"must have the shape (frames, channels), got {_shown(shape)}")
    frames, channels = _unpack_int(shape[0]), _unpack_int(shape[1])
    _check_shape(frames, channels)
    if frames * channels * 4 != len(data):
        raise ValueError(f"says shape {frames, channels} but holds {len(data)} bytes")
    samples: Audio = np.frombuffer(data, AUDIO_DTYPE).reshape(frames, channels)
    if not np.isfinite(samples).all():
        raise ValueError("must hold finite samples only, got NaN or infinity")
    return samples


def _check_shape(frames: int, channels: int) -> None:
    if frames < 0 or not (0 if frames == 0 else 1) <= channels <= MAX_CHANNELS:
        raise ValueError(f"must have 1 to {MAX_CHANNELS} channels, got shape {frames, channels}")


_SCALARS: dict[object, FieldCodec] = {
    bool: FieldCodec(_pack_bool, _unpack_bool),
    int: FieldCodec(_pack_int, _unpack_int),
    float: FieldCodec(_pack_float, _unpack_float),
    str: FieldCodec(_pack_str, _unpack_str),
    bytes: FieldCodec(_unpack_bytes, _unpack_bytes),
    type(None): FieldCodec(_unpack_none, _unpack_none),
}


def field_codec(annotation: object) -> FieldCodec:
    """The functions for `annotation`: a scalar, union of scalars, tuple, dataclass or `Audio`.

    Raises:
        TypeError: the annotation is none of these; teach this module how it travels.
    """
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    if annotation == Audio:
        return FieldCodec(_pack_audio, _unpack_audio)
    if get_origin(annotation) in (Union, types.UnionType):
        return _union_codec(get_args(annotation))
    if get_origin(annotation) is tuple and get_args(annotation)[1:] == (Ellipsis,):
        return _tuple_codec(field_codec(get_args(annotation)[0]))
    if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        return record_codec(annotation)
    raise TypeError(f"a message field must be of a kind that can travel, got {annotation}")


def _union_codec(members: tuple[Any, ...]) -> FieldCodec:
    if not all(member in _SCALARS for member in members):
        raise TypeError(f"a union in a message must be of plain scalars, got {members}")
    widened = float if float in members and int not in members else int

    def choose(value: object) -> object:
        plain = value.item() if isinstance(value, np.generic) else value
        kind: object = widened if type(plain) is int else type(plain)
        if kind not in members:
            names = ", ".join(member.__name__ for member in members)
            raise ValueError(f"must be one of {names}, got {_shown(value)}")
        return _SCALARS[kind].pack(plain)

    return FieldCodec(choose, choose)


def _tuple_codec(item: FieldCodec) -> FieldCodec:
    def pack(value: object) -> list[Any]:
        if not isinstance(value, tuple):
            raise ValueError(f"must be a tuple, got {_shown(value)}")
        return [item.pack(element) for element in value]

    def unpack(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise ValueError(f"must be a list, got {_shown(value)}")
        return tuple(item.unpack(element) for element in value)

    return FieldCodec(pack, unpack)


def record_codec(record: type) -> FieldCodec:
    """The functions for a whole dataclass: a map from field name to packed value.

    Raises:
        TypeError: a field has an annotation that cannot travel.
    """
    hints = get_type_hints(record)
    codecs = {field.name: field_codec(hints[field.name]) for field in dataclasses.fields(record)}

    def pack(value: object) -> dict[str, Any]:
        if type(value) is not record:
            raise ValueError(f"must be a {record.__name__}, got {_shown(value)}")
        return {name: _named(name, codec.pack, getattr(value, name)) for name, codec in items}

    def unpack(value: object) -> object:
        if not isinstance(value, dict) or value.keys() != codecs.keys():
            what = sorted(map(str, value)) if isinstance(value, dict) else _shown(value)
            raise ValueError(f"must have exactly the fields {sorted(codecs)}, got {what}")
        return record(**{name: _named(name, codec.unpack, value[name]) for name, codec in items})

    items = list(codecs.items())
    return FieldCodec(pack, unpack)


def _named(name: str, function: Callable[[Any], Any], value: object) -> object:
    try:
        return function(value)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from error
