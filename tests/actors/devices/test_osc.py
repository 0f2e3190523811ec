"""OSC in: verdicts and controls come through, everything else is counted."""

import queue
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from actors.devices.audio import DeviceError
from actors.devices.osc import OscConfig, OscInput, Rate
from agents.messages import Control, Feedback


def osc(address, *arguments):
    builder = OscMessageBuilder(address)
    for argument in arguments:
        builder.add_arg(argument)
    return builder.build()


def listener(deliver, now=lambda: 0.0, **options):
    return OscInput(
        OscConfig(port=0, **options), lambda message, _: deliver(message), lambda: 12, now
    )


def received(*datagrams):
    got = []
    osc_input = listener(got.append)
    for datagram in datagrams:
        osc_input.receive(datagram)
    return got, osc_input


@pytest.mark.parametrize(
    "verdict", ["panic", "resume", "like", "dislike", "approve", "back", "change"]
)
def test_a_verdict_becomes_feedback(verdict):
    got, _ = received(osc(f"/antiphon/{verdict}").dgram)
    assert got == [Feedback(12, verdict, "osc")]


def test_a_verdict_may_say_what_it_is_about():
    got, _ = received(osc("/antiphon/like", "clip-7").dgram)
    assert got == [Feedback(12, "like", "osc", "clip-7")]


def test_a_verdict_may_say_who_gives_it():
    got, _ = received(osc("/antiphon/like", "", "phone 3").dgram)
    assert got == [Feedback(12, "like", "osc", "", "phone 3")]


def test_a_request_is_answered_to_whoever_sent_it():
    osc_input = OscInput(
        OscConfig(port=0),
        lambda message, answer: answer(message.verdict == "like", "so be it"),
        lambda: 12,
        lambda: 0.0,
    )
    port = osc_input.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.settimeout(10)
        replies = []
        for verdict in ("like", "dislike"):
            sender.sendto(osc(f"/antiphon/{verdict}", "", "", "r1").dgram, ("127.0.0.1", port))
            reply = OscMessage(sender.recv(4096))
            replies.append((reply.address, reply.params))
    osc_input.stop()
    assert replies == [
        ("/antiphon/acknowledged", ["r1", "so be it"]),
        ("/antiphon/refused", ["r1", "so be it"]),
    ]


def test_a_flood_is_told_so():
    told = []
    osc_input = OscInput(OscConfig(port=0), lambda *_: None, lambda: 12, lambda: 0.0)
    osc_input._answer_to = lambda *_: lambda *answer: told.append(answer[1])
    for _ in range(60):
        osc_input.receive(osc("/antiphon/like", "", "", "r1").dgram, ("127.0.0.1", 1))
    assert told == ["at most 50 messages a second are taken"] * 10


@pytest.mark.parametrize("value", [0.5, 3, "soft", True])
def test_a_control_keeps_the_type_of_its_value(value):
    got, _ = received(osc("/antiphon/control", "decision.temperature", value).dgram)
    assert got == [Control(12, "decision.temperature", value)]
    assert type(got[0].value) is type(value)


def test_a_bundle_is_its_messages():
    bundle = OscBundleBuilder(IMMEDIATELY)
    bundle.add_content(osc("/antiphon/like"))
    bundle.add_content(osc("/antiphon/back"))
    got, _ = received(bundle.build().dgram)
    assert [message.verdict for message in got] == ["like", "back"]


@pytest.mark.parametrize(
    "message",
    [
        osc("/antiphon/explode"),
        osc("/other/like"),
        osc("/antiphon/like", "a", "b", "c", "d"),
        osc("/antiphon/like", "x" * 201),
        osc("/antiphon/like", b"blob"),
        osc("/antiphon/control", "decision.temperature"),
        osc("/antiphon/control", "temperature", 1.0),
        osc("/antiphon/control", "../../etc.passwd", 1.0),
        osc("/antiphon/control", 3, 1.0),
        osc("/antiphon/control", "decision.temperature", float("nan")),
        osc("/antiphon/control", "decision.temperature", b"blob"),
        osc("/antiphon/control", "decision.temperature", "x" * 201),
    ],
)
def test_what_means_nothing_is_refused_and_counted(message):
    got, osc_input = received(message.dgram)
    assert got == []
    assert osc_input.refused == 1


@given(st.binary(max_size=300))
def test_no_datagram_can_raise(datagram):
    received(datagram, b"#bundle\0" + datagram, b"/antiphon/like\0\0,s\0\0" + datagram)


@given(st.integers(0, 60), st.integers(0, 255))
def test_no_damaged_message_can_raise(at, byte):
    datagram = bytearray(osc("/antiphon/control", "decision.temperature", 0.5).dgram)
    datagram[at % len(datagram)] = byte
    got, osc_input = received(bytes(datagram))
    assert len(got) + osc_input.refused == 1


def test_deeply_nested_bundles_and_huge_datagrams_are_refused():
    nested = b""
    for _ in range(200):
        nested = (
            b"#bundle\0" + bytes(8) + len(nested).to_bytes(4) + nested
            if nested
            else osc("/antiphon/like").dgram
        )
    _, osc_input = received(nested, bytes(5000))
    assert osc_input.refused >= 1


def test_a_flood_is_cut_but_panic_gets_through():
    got = []
    osc_input = listener(got.append, messages_per_second=5)
    for _ in range(100):
        osc_input.receive(osc("/antiphon/like").dgram)
    osc_input.receive(osc("/antiphon/panic").dgram)
    assert len(got) == 6
    assert got[-1].verdict == "panic"
    assert osc_input.limited == 95


def test_a_rate_recovers_with_time():
    rate = Rate(2.0)
    assert [rate.admits(0.0) for _ in range(3)] == [True, True, False]
    assert rate.admits(0.5)
    assert not rate.admits(0.5)


def test_messages_arrive_over_udp():
    got = queue.Queue()
    osc_input = listener(got.put)
    port = osc_input.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"\xff\xfe", ("127.0.0.1", port))
        sender.sendto(osc("/antiphon/panic").dgram, ("127.0.0.1", port))
    assert got.get(timeout=10) == Feedback(12, "panic", "osc")
    osc_input.stop()
    assert osc_input.refused == 1


def test_a_taken_port_is_one_sentence():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        taken = OscInput(OscConfig(port=port), lambda *_: None, lambda: 0, lambda: 0.0)
        with pytest.raises(DeviceError, match=r"set osc\.port"):
            taken.start()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "everywhere"])
def test_only_loopback_is_listened_on(host):
    with pytest.raises(ValidationError, match="loopback"):
        OscConfig(host=host)
