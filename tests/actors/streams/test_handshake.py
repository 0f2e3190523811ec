import socket
import threading

import pytest

from actors.streams.broker import Broker
from actors.streams.endpoints import StreamsConfig
from actors.streams.handshake import RollCall, answer_roll_call
from actors.streams.in_process_streams import InProcessHub
from actors.streams.machinery_messages import CallRoll
from actors.streams.streams import ZmqStreams
from agents.messages import Metric

ROLES = frozenset({"decision", "action"})
LONG = 10.0  # seconds; only ever waited for when something is broken


@pytest.fixture
def config():
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        ports = one.getsockname()[1], other.getsockname()[1]
    return StreamsConfig(publish_port=ports[0], subscribe_port=ports[1])


class Band:
    """A broker and roles in threads, each of which answers the roll and keeps what it hears."""

    def __init__(self, config):
        self.config = config
        self.heard = {}
        self.broker = Broker(config)
        self.broker_thread = threading.Thread(target=self.broker.run)
        self.threads = []
        self.over = threading.Event()

    def start_broker(self):
        self.broker_thread.start()

    def replace_broker(self):
        self.broker.stop()
        self.broker_thread.join(LONG)
        self.broker = Broker(self.config)
        self.broker_thread = threading.Thread(target=self.broker.run)
        self.start_broker()

    def start_conductor(self):
        self._start(conduct, self.config, ROLES)

    def start_role(self, role):
        self.heard[role] = []
        self._start(self._play, role)

    def _start(self, target, *arguments):
        thread = threading.Thread(target=target, args=arguments)
        self.threads.append(thread)
        thread.start()

    def _play(self, role):
        with ZmqStreams(self.config, role, ["metric", CallRoll.TOPIC]) as streams:
            streams.wait_until_ready(LONG)
            while not self.over.is_set():
                arrived = answer_roll_call(streams, role, streams.receive(0.02))
                self.heard[role] += [envelope.window for envelope in arrived]
                if 2 in self.heard[role]:
                    break

    def play_to_the_end(self):
        for thread in self.threads:
            thread.join(LONG)
        assert not any(thread.is_alive() for thread in self.threads)

    def stop(self):
        self.over.set()
        self.play_to_the_end()
        self.broker.stop()
        if self.broker_thread.ident is not None:
            self.broker_thread.join(LONG)


@pytest.fixture
def band(config):
    band = Band(config)
    yield band
    band.stop()


def conduct(config, roles):
    """Call the roll, then say three things that nobody may miss."""
    with ZmqStreams(config, "conductor", []) as conductor:
        conductor.wait_until_ready(LONG)
        RollCall(conductor, roles).wait(LONG)
        for window in range(3):
            conductor.publish(Metric(window, "x", 0.0))


ORDERS = [
    ("broker", "decision", "action", "conductor"),
    ("decision", "broker", "conductor", "action"),
    ("conductor", "action", "decision", "broker"),
    ("action", "conductor", "broker", "decision"),
]


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_nobody_misses_the_first_message_whoever_starts_when(band, order):
    starters = {"broker": band.start_broker, "conductor": band.start_conductor}
    for who in order:
        starters[who]() if who in starters else band.start_role(who)
    band.play_to_the_end()
    assert band.heard == {role: [0, 1, 2] for role in ROLES}


def test_the_roll_call_survives_a_broker_that_is_replaced(band):
    band.start_broker()
    band.start_role("decision")
    with ZmqStreams(band.config, "conductor", []) as conductor:
        conductor.wait_until_ready(LONG)
        RollCall(conductor, {"decision"}).wait(LONG)
        band.replace_broker()
        RollCall(conductor, {"decision"}).wait(LONG)


def test_a_conductor_that_starts_anew_calls_the_same_band(band):
    band.start_broker()
    band.start_role("decision")
    with ZmqStreams(band.config, "conductor", []) as first:
        first.wait_until_ready(LONG)
        RollCall(first, {"decision"}).wait(LONG)
    with ZmqStreams(band.config, "conductor", []) as second:
        second.wait_until_ready(LONG)
        RollCall(second, {"decision"}).wait(LONG)


def test_who_is_absent_is_named(band):
    band.start_broker()
    band.start_role("decision")
    with ZmqStreams(band.config, "conductor", []) as conductor:
        conductor.wait_until_ready(LONG)
        roll = RollCall(conductor, {"action", "decision", "perception"})
        with pytest.raises(TimeoutError, match="nothing was heard of action, perception"):
            roll.wait(1.0)


def test_the_roll_call_reports_progress_and_keeps_what_else_comes():
    hub = InProcessHub()
    conductor = hub.join("conductor", ["metric"])
    decision = hub.join("decision", [CallRoll.TOPIC])
    roll = RollCall(conductor, {"decision"})
    roll.call()
    decision.publish(Metric(3, "early", 0.0))
    assert answer_roll_call(decision, "decision", decision.receive()) == []
    progress = []
    roll.wait(LONG, progress.append)
    assert progress == [set()]
    assert [envelope.window for envelope in conductor.receive()] == [3]


def test_other_messages_pass_through_the_answering_of_the_roll():
    hub = InProcessHub()
    decision = hub.join("decision", ["metric", CallRoll.TOPIC])
    decision.publish(Metric(3, "x", 0.0))
    decision.publish(CallRoll(0))
    rest = answer_roll_call(decision, "decision", decision.receive())
    assert [envelope.topic for envelope in rest] == ["metric"]
