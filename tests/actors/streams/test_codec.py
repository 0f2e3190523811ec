import contextlib
import dataclasses
import math
from typing import get_args

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from actors.streams.codec import (
    MAX_FRAME_BYTES,
    NO_WINDOW,
    TOPICS,
    Envelope,
    MalformedFrame,
    StreamMessage,
    decode,
    encode,
)
from actors.streams.fields import AUDIO_DTYPE, field_codec
from actors.streams.machinery_messages import (
    CallRoll,
    Fault,
    MachineryMessage,
    Probe,
    Ready,
    Recall,
    Recalled,
)
from agents.messages import (
    SILENCE,
    AudioIn,
    AudioOut,
    Clip,
    Control,
    EvolutionState,
    Feedback,
    Fragment,
    HeardLabel,
    Heartbeat,
    MemoryChanged,
    Message,
    Metric,
    Plan,
    Played,
    Tick,
)
from agents.musical_time import Moment

int64 = st.integers(-(2**63), 2**63 - 1)
number = st.floats(allow_nan=False, allow_infinity=False)
text = st.text(st.characters(codec="utf-8"), max_size=20)
audio = st.tuples(st.integers(0, 40), st.integers(1, 3)).flatmap(
    lambda shape: arrays(
        np.float32, shape, elements=st.floats(allow_nan=False, allow_infinity=False, width=32)
    )
)
several_bytes = st.lists(st.binary(max_size=20), max_size=3).map(tuple)
moments = st.builds(Moment, int64, number, number, number, int64)
MESSAGES: dict[type, st.SearchStrategy[StreamMessage]] = {
    Tick: st.builds(Tick, int64, moments, number),
    AudioIn: st.builds(AudioIn, int64, audio),
    AudioOut: st.builds(AudioOut, int64, audio),
    HeardLabel: st.builds(HeardLabel, int64, int64, number, number, number, number),
    Plan: st.builds(Plan, int64, st.lists(int64).map(tuple), st.lists(number).map(tuple)),
    Fragment: st.builds(
        Fragment, int64, int64, int64, int64, int64, text, st.booleans(), int64, audio
    ),
    Played: st.builds(
        Played,
        *[int64] * 4,
        text,
        int64,
        st.none() | number,
        st.booleans(),
        int64,
    ),
    Feedback: st.builds(Feedback, int64, text, text, text, text),
    Clip: st.builds(Clip, int64, text, text, number),
    MemoryChanged: st.builds(
        MemoryChanged,
        int64,
        text,
        text,
        int64,
        int64,
        st.lists(st.lists(int64).map(tuple)).map(tuple),
        text,
    ),
    EvolutionState: st.builds(
        EvolutionState, *[int64] * 2, *[st.none() | number] * 3, *[int64] * 4, text
    ),
    Control: st.builds(Control, int64, text, number | int64 | text | st.booleans()),
    Heartbeat: st.builds(Heartbeat, int64, text, int64, int64, int64),
    Metric: st.builds(Metric, int64, text, number),
    Probe: st.builds(Probe, int64),
    CallRoll: st.builds(CallRoll, int64),
    Ready: st.builds(Ready, text, int64),
    Recall: st.builds(Recall, int64, st.lists(text).map(tuple), int64),
    Recalled: st.builds(Recalled, text, int64, several_bytes),
    Fault: st.builds(Fault, int64, text, text, text),
}
any_message = st.one_of(*MESSAGES.values())


def frames_of(message: StreamMessage) -> list[bytes]:
    return encode(message, sender="someone", session=7, sequence=3, time=1.5)


def said_the_same(one: object, other: object) -> bool:
    """Field by field, types included, since messages with arrays compare by identity."""
    if type(one) is not type(other):
        return False
    if dataclasses.is_dataclass(one):
        return all(
            said_the_same(getattr(one, field.name), getattr(other, field.name))
            for field in dataclasses.fields(one)
        )
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and bool((one == other).all())
    return bool(one == other)


def test_every_kind_of_message_is_tried_here():
    assert set(MESSAGES) == set(get_args(Message)) | set(get_args(MachineryMessage))


@given(any_message)
def test_a_message_comes_back_as_it_was_said(message):
    envelope = decode(frames_of(message), received=2.0)
    assert said_the_same(envelope.message, message)
    assert envelope.topic == message.TOPIC
    assert envelope.topic in TOPICS
    assert envelope.window == getattr(message, "window", NO_WINDOW)
    assert (envelope.sender, envelope.session, envelope.sequence) == ("someone", 7, 3)
    assert (envelope.time, envelope.received) == (1.5, 2.0)


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_random_bytes_are_malformed_and_nothing_else(frames):
    with pytest.raises(MalformedFrame):
        decode(frames, received=0.0)


def decoded_or_malformed(frames: list[bytes]) -> None:
    with contextlib.suppress(MalformedFrame):
        assert isinstance(decode(frames, received=0.0), Envelope)


@settings(max_examples=500)
@given(any_message, st.data())
def test_a_mutated_frame_is_a_message_or_malformed(message, data):
    frames = frames_of(message)
    which = data.draw(st.integers(0, 2))
    frame = bytearray(frames[which])
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    frames[which] = bytes(frame)
    decoded_or_malformed(frames)


@given(any_message, st.data())
def test_a_truncated_frame_is_malformed(message, data):
    frames = frames_of(message)
    which = data.draw(st.integers(0, 2))
    frames[which] = frames[which][: data.draw(st.integers(0, len(frames[which]) - 1))]
    with pytest.raises(MalformedFrame):
        decode(frames, received=0.0)


@given(any_message, any_message, st.permutations(range(3)), st.integers(0, 2))
def test_swapped_frames_are_a_message_or_malformed(one, other, order, taken):
    frames, foreign = frames_of(one), frames_of(other)
    frames[taken] = foreign[taken]
    decoded_or_malformed([frames[place] for place in order])


nested = st.recursive(
    st.none() | st.booleans() | int64 | st.floats() | st.text(max_size=5) | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(any_message, st.data())
def test_a_payload_with_a_foreign_value_is_a_message_or_malformed(message, data):
    frames = frames_of(message)
    payload = msgpack.unpackb(frames[2])
    payload[data.draw(st.sampled_from(sorted(payload)))] = data.draw(nested)
    frames[2] = msgpack.packb(payload)
    decoded_or_malformed(frames)


@given(any_message, nested)
def test_a_header_or_payload_of_any_msgpack_is_a_message_or_malformed(message, value):
    topic, header, payload = frames_of(message)
    decoded_or_malformed([topic, msgpack.packb(value), payload])
    decoded_or_malformed([topic, header, msgpack.packb(value)])


def with_header(place: int, value: object) -> list[bytes]:
    topic, header, payload = frames_of(Metric(4, "decision.step_ms", 2.5))
    values = msgpack.unpackb(header)
    values[place] = value
    return [topic, msgpack.packb(values), payload]


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (0, 2, "version must be 1, got 2"),
        (0, True, "version must be 1, got True"),
        (1, "Gossip", "kind must be in the table, got 'Gossip'"),
        (1, ["Metric"], "kind must be in the table"),
        (1, "Plan", "Plan must come on topic 'plan'"),
        (2, "", "sender must be a short name"),
        (2, "x" * 65, "sender must be a short name"),
        (3, -1, "session must be a whole number"),
        (4, 1.0, "sequence must be a whole number"),
        (5, 2**63, "window must be a whole number"),
        (5, 5, "different windows"),
        (6, math.nan, "time must be seconds"),
        (6, math.inf, "time must be seconds"),
    ],
)
def test_a_wrong_header_is_refused_with_its_reason(place, value, reason):
    with pytest.raises(MalformedFrame, match=reason):
        decode(with_header(place, value), received=0.0)


def with_samples(samples: object) -> list[bytes]:
    topic, header, payload = frames_of(AudioIn(0, np.zeros((2, 1), np.float32)))
    fields = msgpack.unpackb(payload) | {"samples": samples}
    return [topic, header, msgpack.packb(fields)]


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (["<f8", [1, 1], bytes(8)], "must be an array"),
        ([AUDIO_DTYPE, [2], bytes(8)], "shape"),
        ([AUDIO_DTYPE, [2, 1, 1], bytes(8)], "shape"),
        ([AUDIO_DTYPE, [2, 2], bytes(8)], "holds 8 bytes"),
        ([AUDIO_DTYPE, [2**62, 2], bytes(8)], "holds 8 bytes"),
        ([AUDIO_DTYPE, [10**12, 0], b""], "1 to 64 channels"),
        ([AUDIO_DTYPE, [-1, -2], bytes(8)], "1 to 64 channels"),
        ([AUDIO_DTYPE, [1, 65], bytes(260)], "1 to 64 channels"),
        ([AUDIO_DTYPE, [1, 1], np.float32(np.nan).tobytes()], "finite"),
        ([AUDIO_DTYPE, [1, 1], "four"], "must be bytes"),
        (3, "must be an array"),
    ],
)
def test_absurd_audio_is_refused_with_its_reason(samples, reason):
    with pytest.raises(MalformedFrame, match=reason):
        decode(with_samples(samples), received=0.0)


def test_a_frame_that_is_too_large_is_refused_unread():
    topic, header, _ = frames_of(Probe(0))
    with pytest.raises(MalformedFrame, match="must fit"):
        decode([topic, header, bytes(MAX_FRAME_BYTES + 1)], received=0.0)


def test_a_malformed_frame_tells_the_kind_it_claims_to_be():
    with pytest.raises(MalformedFrame) as refusal:
        decode(with_samples(None), received=0.0)
    assert refusal.value.kind == "AudioIn"


def test_decoded_audio_cannot_be_written():
    envelope = decode(frames_of(AudioIn(0, np.ones((3, 2), np.float32))), received=0.0)
    assert not envelope.message.samples.flags.writeable


def test_audio_that_is_not_contiguous_travels():
    samples = np.arange(12, dtype=np.float32).reshape(6, 2)[::2, ::-1]
    envelope = decode(frames_of(AudioIn(0, samples)), received=0.0)
    np.testing.assert_array_equal(envelope.message.samples, samples)


def test_numbers_from_numpy_travel_as_plain_numbers():
    said = HeardLabel(np.int64(3), np.int64(2), np.float32(0.5), np.float64(-3), 0.0, -40)
    heard = decode(frames_of(said), received=0.0).message
    assert heard == HeardLabel(3, 2, 0.5, -3.0, 0.0, -40.0)
    assert {type(value) for value in dataclasses.astuple(heard)[:7]} == {int, float}


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (Metric(0, "level_db", -math.inf), r"Metric\.value must be a finite number, got -inf"),
        (Metric(0.5, "x", 1.0), r"Metric\.window must be a whole number"),
        (Metric(True, "x", 1.0), r"Metric\.window must be a whole number"),
        (Metric(2**64, "x", 1.0), r"Metric\.window must be a 64-bit"),
        (Metric(0, None, 1.0), r"Metric\.name must be text"),
        (Metric(0, "\ud800", 1.0), r"Metric\.name must be text that UTF-8"),
        (Control(0, "a.b", None), r"Control\.value must be one of"),
        (Plan(0, [SILENCE], (1.0,)), r"Plan\.labels must be a tuple"),
        (Tick(0, None, 0.1), r"Tick\.moment must be a Moment"),
        (AudioIn(0, np.zeros(4, np.float32)), r"samples must be float32 of shape .* \(4,\)"),
        (AudioIn(0, np.zeros((4, 1))), r"samples must be float32 .* got float64"),
        (AudioIn(0, None), r"samples must be float32 .* got NoneType"),
        (AudioIn(0, np.full((4, 1), np.nan, np.float32)), "finite samples"),
        (AudioIn(0, np.zeros((MAX_FRAME_BYTES // 4, 1), np.float32)), "send less at a time"),
        (Moment(0, 0.0, 0.0, 120.0), "must be of a kind in the table"),
    ],
)
def test_what_must_not_travel_is_refused_before_it_leaves(message, reason):
    with pytest.raises(ValueError, match=reason):
        frames_of(message)


def test_a_field_whose_type_cannot_travel_is_noticed_when_the_table_is_made():
    with pytest.raises(TypeError, match="of a kind that can travel"):
        field_codec(set[int])
    with pytest.raises(TypeError, match="plain scalars"):
        field_codec(Moment | None)
