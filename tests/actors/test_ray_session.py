"""Ray starts on this machine or joins a cluster, or says in a sentence why not."""

import signal
import socket
import sys

import pytest

from actors.ray_session import StartError, ray_session, signals_wait


@pytest.fixture
def closed_port():
    """A port of this machine that is taken and that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_a_cluster_that_does_not_answer_is_told_at_once(monkeypatch, closed_port):
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{closed_port}")
    with pytest.raises(StartError, match=rf"{closed_port}.*start --head"), ray_session(1):
        pytest.fail("joined nobody")


def test_an_address_that_is_none_is_told(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "rubbish")
    with pytest.raises(StartError, match="that answers, got 'rubbish'"), ray_session(1):
        pytest.fail("joined nobody")


def test_signals_wait_until_ray_has_started_and_then_go_where_they_were_meant_to():
    came, before = [], signal.signal(signal.SIGTERM, lambda *_: came.append("term"))
    try:
        with signals_wait():
            signal.raise_signal(signal.SIGTERM)
            assert came == []
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as Ray does
        assert came == ["term"]
        signal.raise_signal(signal.SIGTERM)
        assert came == ["term", "term"]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_what_makes_ray_exit_while_it_starts_goes_where_it_was_meant_to():
    came, before = [], signal.signal(signal.SIGTERM, lambda *_: came.append("term"))
    try:
        with signals_wait():
            signal.signal(signal.SIGTERM, lambda number, _: sys.exit(number))  # as Ray does
            signal.raise_signal(signal.SIGTERM)
            pytest.fail("Ray went on")
        assert came == ["term"]
    finally:
        signal.signal(signal.SIGTERM, before)
