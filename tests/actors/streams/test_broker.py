import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from actors.streams.broker import Broker, check_endpoints_are_free
from actors.streams.endpoints import CurveKeys, StreamsConfig
from actors.streams.streams import ZmqStreams
from agents.messages import Metric

LONG = 10.0  # seconds; only ever waited for when something is broken
ROOT = Path(__file__).parents[3]
RUN_BROKER = """
import sys
from actors.streams.broker import Broker
from actors.streams.endpoints import StreamsConfig
config = StreamsConfig.model_validate_json(sys.argv[1])
Broker(config).run(lambda: print("bound", flush=True))
"""


@pytest.fixture
def config():
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        ports = one.getsockname()[1], other.getsockname()[1]
    return StreamsConfig(publish_port=ports[0], subscribe_port=ports[1])


@pytest.fixture
def start_broker(config):
    """Start a broker in a process of its own; returns it once it is bound."""
    started = []

    def start():
        command = [sys.executable, "-c", RUN_BROKER, config.model_dump_json()]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "bound\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait(LONG)


def test_peers_find_each_other_again_after_the_broker_was_killed(config, start_broker):
    broker = start_broker()
    with (
        ZmqStreams(config, "listener", ["metric"]) as listener,
        ZmqStreams(config, "speaker", []) as speaker,
    ):
        listener.wait_until_ready(LONG)
        speaker.wait_until_ready(LONG)
        speaker.publish(Metric(0, "before", 0.0))
        assert [envelope.sequence for envelope in listener.receive(LONG)] == [0]
        kill(broker)
        for window in range(1, 6):
            speaker.publish(Metric(window, "into the void", 0.0))
        start_broker()
        listener.wait_until_ready(LONG)
        speaker.wait_until_ready(LONG)
        speaker.publish(Metric(6, "after", 0.0))
        heard = listener.receive(LONG)
        assert [envelope.message.name for envelope in heard] == ["after"]
        assert listener.counters.lost == 5


def test_peers_that_only_go_on_talking_are_heard_again(config, start_broker):
    kill(start_broker())
    with (
        ZmqStreams(config, "listener", ["metric"]) as listener,
        ZmqStreams(config, "speaker", []) as speaker,
    ):
        start_broker()
        heard = []
        for window in range(500):
            speaker.publish(Metric(window, "x", 0.0))
            heard += listener.receive(0.02)
            if heard:
                break
        assert heard


def test_a_peer_that_comes_before_the_broker_waits_for_it(config, start_broker):
    with ZmqStreams(config, "early", ["metric"]) as early:
        with pytest.raises(TimeoutError):
            early.wait_until_ready(0.05)
        start_broker()
        early.wait_until_ready(LONG)
        early.publish(Metric(0, "x", 0.0))
        assert [envelope.window for envelope in early.receive(LONG)] == [0]


def test_a_second_broker_is_refused_in_one_sentence(config, start_broker):
    start_broker()
    with pytest.raises(OSError, match="taken, probably by a stage that is already running"):
        Broker(config).run()
    with pytest.raises(OSError, match="taken, probably by a stage that is already running"):
        check_endpoints_are_free(config)


def test_endpoints_that_were_found_free_can_be_bound(config, start_broker):
    check_endpoints_are_free(config)
    start_broker()


def test_an_address_of_another_machine_is_refused_in_one_sentence(tmp_path):
    CurveKeys.generate().save(tmp_path / "keys.json")
    config = StreamsConfig(host="192.0.2.1", keys_file=tmp_path / "keys.json")
    with pytest.raises(OSError, match=r"must be able to bind tcp://192\.0\.2\.1"):
        Broker(config).run()


def test_stopping_a_broker_ends_its_run_and_frees_its_endpoints(config):
    broker = Broker(config)
    bound = threading.Event()
    thread = threading.Thread(target=broker.run, args=(bound.set,))
    thread.start()
    assert bound.wait(LONG)
    broker.stop()
    broker.stop()
    thread.join(LONG)
    assert not thread.is_alive()
    check_endpoints_are_free(config)


def test_stopping_a_broker_that_never_ran_returns(config):
    Broker(config).stop()


def test_only_who_holds_the_key_is_taken_in(config, tmp_path):
    keys = CurveKeys.generate()
    keys.save(tmp_path / "band.json")
    stranger = CurveKeys.generate()
    CurveKeys(
        keys.broker_public, keys.broker_secret, stranger.band_public, stranger.band_secret
    ).save(tmp_path / "stranger.json")
    locked = config.model_copy(update={"keys_file": tmp_path / "band.json"})
    forged = config.model_copy(update={"keys_file": tmp_path / "stranger.json"})
    broker = Broker(locked)
    thread = threading.Thread(target=broker.run)
    thread.start()
    try:
        with ZmqStreams(locked, "member", []) as member:
            member.wait_until_ready(LONG)
        for intruding in (forged, config):
            with (
                ZmqStreams(intruding, "intruder", []) as intruder,
                pytest.raises(TimeoutError, match="with the same keys"),
            ):
                intruder.wait_until_ready(0.3)
    finally:
        broker.stop()
        thread.join(LONG)
    assert not thread.is_alive()
