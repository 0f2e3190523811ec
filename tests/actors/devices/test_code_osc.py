"""Code by OSC: a small vocabulary, and what is said back."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from actors.devices.code_osc import (
    LONGEST_DATAGRAM,
    AddCandidate,
    ClearCandidates,
    CodeReplies,
    Hold,
    Rank,
    SetContext,
    translate,
)
from actors.devices.osc import OscConfig, OscReceiver
from agents.messages import CodePlay, CodeRanked, CodeSent

RANKED = CodeRanked(
    9, "osc-1", "diversity", "play 60", ("play 1", "play 2", "x ("), (1, 0), (2.5, 1.5),
    ("heard", "static"), (1,), ("candidate 3 is left out: syntax error",), 2, final=True,
)  # fmt: skip


@pytest.mark.parametrize(
    ("word", "arguments", "meaning"),
    [
        ("context", ["play 60"], SetContext("play 60")),
        ("candidate", ["play 64\n# ♪"], AddCandidate("play 64\n# ♪")),
        ("clear", [], ClearCandidates()),
        ("hold", [], Hold()),
        ("rank", [], Rank(0, "anything", None, None)),
        ("rank", [2], Rank(0, "anything", 2, None)),
        ("rank", [2, "nearest"], Rank(0, "anything", 2, "nearest")),
        ("ask", [10], Rank(10, "anything", None, None)),
        ("ask", [10, "bass"], Rank(10, "bass", None, None)),
        ("ask", [10, "drums", 3, "diversity"], Rank(10, "drums", 3, "diversity")),
        ("play", [2], CodePlay(7, 2, preview=False)),
        ("preview", [1], CodePlay(7, 1, preview=True)),
    ],
)
def test_every_word_has_its_meaning(word, arguments, meaning):
    assert translate(f"/antiphon/code/{word}", arguments, 7) == meaning


@pytest.mark.parametrize(
    ("address", "arguments"),
    [
        ("/antiphon/code/context", []),
        ("/antiphon/code/context", [60]),
        ("/antiphon/code/context", ["a", "b"]),
        ("/antiphon/code/candidate", [b"play"]),
        ("/antiphon/code/rank", [0]),
        ("/antiphon/code/rank", [True]),
        ("/antiphon/code/rank", [2, "loudest"]),
        ("/antiphon/code/rank", [2, "nearest", 1]),
        ("/antiphon/code/ask", []),
        ("/antiphon/code/ask", [1000]),
        ("/antiphon/code/ask", [3, "tuba"]),
        ("/antiphon/code/play", []),
        ("/antiphon/code/play", [0]),
        ("/antiphon/code/play", ["1"]),
        ("/antiphon/code/format", []),
        ("/antiphon/panic", []),
    ],
)
def test_what_means_nothing_is_none(address, arguments):
    assert translate(address, arguments, 7) is None


def receiver(got):
    return OscReceiver(
        OscConfig(port=0), translate, lambda word, _: got.append(word), lambda: 7, lambda: 0.0,
        longest_datagram=LONGEST_DATAGRAM,
    )  # fmt: skip


@given(st.binary(max_size=200))
def test_no_datagram_can_raise(datagram):
    receiver([]).receive(b"/antiphon/code/context\0\0,s\0\0" + datagram)


def test_text_that_is_not_utf8_and_datagrams_that_are_too_long_are_refused_and_counted():
    got = []
    osc = receiver(got)
    osc.receive(b"/antiphon/code/context\0\0,s\0\0\xff\xfe\xfd\0")
    osc.receive(b"/antiphon/code/context\0\0,s\0\0" + b"a" * LONGEST_DATAGRAM)
    assert (got, osc.refused) == ([], 2)


def test_a_long_program_arrives_over_udp():
    got = []
    osc = receiver(got)
    port = osc.start()
    code = "play 60\n" * 7000
    builder = OscMessageBuilder("/antiphon/code/context")
    builder.add_arg(code)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(builder.build().dgram, ("127.0.0.1", port))
    while not got and osc.refused == 0:
        osc._thread.join(0.01)
    osc.stop()
    assert got == [SetContext(code)]


def test_a_ranking_is_said_place_by_place_counted_from_one():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(10)
        replies = CodeReplies(listener.getsockname()[1])
        replies.ranked(RANKED)
        replies.sent(CodeSent(9, "osc-1", 1, "sonic_pi", "Sonic Pi on port 4557"))
        said = [OscMessage(listener.recv(65_536)) for _ in range(5)]
        replies.close()
    assert [(m.address.rpartition("/")[2], m.params) for m in said] == [
        ("ranked", ["osc-1", "diversity", 1, 3, 2, 2]),
        ("place", ["osc-1", 1, 2, 2.5, "heard"]),
        ("place", ["osc-1", 2, 1, 1.5, "static"]),
        ("error", ["osc-1", "candidate 3 is left out: syntax error"]),
        ("sent", ["osc-1", 2, "sonic_pi", "Sonic Pi on port 4557"]),
    ]


def test_replies_to_nobody_are_no_fault():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        port = gone.getsockname()[1]
    replies = CodeReplies(port)
    for _ in range(3):
        replies.ranked(RANKED)
    replies.close()
