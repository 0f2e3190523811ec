import socket
import threading

import numpy as np
import pytest
import zmq

from actors.streams.broker import Broker
from actors.streams.codec import encode
from actors.streams.endpoints import CurveKeys, StreamsConfig
from actors.streams.in_process_streams import InProcessHub
from actors.streams.streams import Intake, StreamCounters, ZmqStreams
from agents.messages import AudioIn, Metric, Plan

LONG = 10.0  # seconds; only ever waited for when something is broken


def free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


class ZmqBand:
    """A broker in a thread, and peers."""

    def __init__(self) -> None:
        publish_port, subscribe_port = free_ports()
        self.config = StreamsConfig(
            publish_port=publish_port, subscribe_port=subscribe_port, queue_messages=64
        )
        self.broker = Broker(self.config)
        self.peers: list[ZmqStreams] = []
        self.thread = threading.Thread(target=self.broker.run)
        self.thread.start()

    def join(self, sender, topics):
        peer = ZmqStreams(self.config, sender, topics)
        self.peers.append(peer)
        return peer

    def inject(self, frames):
        intruder = zmq.Context.instance().socket(zmq.PUB)
        intruder.connect(self.config.publish_address)
        guard = self.join("guard", ["metric"])
        guard.wait_until_ready(LONG)
        intruder.poll(LONG * 1000, zmq.POLLOUT)
        while not guard.receive(0.02):  # until the broker has taken the intruder in
            intruder.send_multipart(
                encode(Metric(0, "in", 1), sender="i", session=0, sequence=0, time=0.0)
            )
        intruder.send_multipart(frames)
        intruder.close(linger=1000)

    def close(self):
        for peer in self.peers:
            peer.close()
        self.broker.stop()
        self.thread.join(LONG)
        assert not self.thread.is_alive()


class InProcessBand(InProcessHub):
    """The twin, made alike."""

    def __init__(self) -> None:
        super().__init__(queue_messages=64)

    def inject(self, frames):
        self.deliver(frames)

    def close(self):
        pass


@pytest.fixture(params=[ZmqBand, InProcessBand])
def band(request):
    band = request.param()
    yield band
    band.close()


def gather(peer, n_messages):
    """Receive until `n_messages` have come; the test then fails rather than hangs."""
    envelopes = []
    for _ in range(1000):
        envelopes += peer.receive(0.05)
        if len(envelopes) >= n_messages:
            break
    return envelopes


def test_the_first_message_after_the_handshake_arrives(band):
    listener = band.join("listener", ["metric"])
    speaker = band.join("speaker", [])
    listener.wait_until_ready(LONG)
    speaker.wait_until_ready(LONG)
    speaker.publish(Metric(1, "first", 1.0))
    [envelope] = gather(listener, 1)
    assert envelope.message == Metric(1, "first", 1.0)
    assert (envelope.sender, envelope.session) == ("speaker", speaker.session)
    assert 0 <= envelope.received - envelope.time < LONG


def test_messages_of_many_speakers_come_in_the_order_of_each(band):
    listener = band.join("listener", ["metric", "plan"])
    speakers = [band.join(f"speaker-{name}", []) for name in "abc"]
    for peer in (listener, *speakers):
        peer.wait_until_ready(LONG)
    for window in range(10):
        for speaker in speakers:
            speaker.publish(Metric(window, "x", 0.0))
            speaker.publish(Plan(window, (1,), (1.0,)))
    envelopes = gather(listener, 60)
    for speaker in speakers:
        own = [(e.window, e.topic) for e in envelopes if e.sender == speaker.sender]
        assert own == [(window, topic) for window in range(10) for topic in ("metric", "plan")]
    assert listener.counters.lost == 0


def test_only_the_topics_subscribed_are_received(band):
    listener = band.join("listener", ["audio.in"])
    speaker = band.join("speaker", ["metric"])
    listener.wait_until_ready(LONG)
    speaker.wait_until_ready(LONG)
    speaker.publish(Metric(0, "x", 0.0))
    speaker.publish(AudioIn(0, np.ones((4, 1), np.float32)))
    assert [envelope.topic for envelope in gather(listener, 1)] == ["audio.in"]
    assert [envelope.topic for envelope in gather(speaker, 1)] == ["metric"]


def test_topics_can_be_taken_up_and_let_go(band):
    peer = band.join("peer", ["metric"])
    peer.unsubscribe("metric")
    peer.subscribe("plan")
    peer.wait_until_ready(LONG)
    peer.publish(Metric(0, "x", 0.0))
    peer.publish(Plan(0, (), ()))
    assert [envelope.topic for envelope in gather(peer, 1)] == ["plan"]


def test_what_is_put_back_comes_first_the_next_time(band):
    peer = band.join("peer", ["metric"])
    peer.wait_until_ready(LONG)
    for window in range(3):
        peer.publish(Metric(window, "x", 0.0))
    early = gather(peer, 3)
    peer.put_back(early[1:])
    peer.put_back(early[:1])
    assert [envelope.window for envelope in peer.receive(0.0)] == [0, 1, 2]


def test_messages_that_come_during_the_handshake_are_kept(band):
    peer = band.join("peer", ["metric"])
    peer.wait_until_ready(LONG)
    peer.publish(Metric(5, "early", 0.0))
    peer.wait_until_ready(LONG)
    assert [envelope.window for envelope in gather(peer, 1)] == [5]


def test_malformed_frames_are_counted_and_logged_once_and_dropped(band, caplog):
    listener = band.join("listener", ["metric"])
    listener.wait_until_ready(LONG)
    band.inject([b"metric", b"rubbish", b"rubbish"])
    band.inject([b"metric"])
    listener.publish(Metric(9, "after", 0.0))
    for _ in range(1000):  # the intruder's own valid messages come first
        if any(envelope.window == 9 for envelope in listener.receive(0.05)):
            break
    assert listener.counters.malformed == {"unknown": 2}
    assert sum("listener drops a malformed" in line for line in caplog.messages) == 1


def test_publishing_what_cannot_travel_is_refused(band):
    peer = band.join("peer", [])
    with pytest.raises(ValueError, match=r"Metric\.value must be a finite number"):
        peer.publish(Metric(0, "x", float("nan")))


def test_a_full_queue_drops_what_is_newest_and_the_gap_is_counted_as_lost():
    hub = InProcessHub(queue_messages=4)
    listener, speaker = hub.join("listener", ["metric"]), hub.join("speaker", [])
    for window in range(6):
        speaker.publish(Metric(window, "x", 0.0))
    assert [envelope.window for envelope in listener.receive()] == [0, 1, 2, 3]
    speaker.publish(Metric(6, "x", 0.0))
    assert [envelope.window for envelope in listener.receive()] == [6]
    assert listener.counters.lost == 2


def test_a_listener_that_never_reads_does_not_block_the_speaker():
    band = ZmqBand()
    try:
        listener, speaker = band.join("listener", ["audio.in"]), band.join("speaker", ["metric"])
        listener.wait_until_ready(LONG)
        speaker.wait_until_ready(LONG)
        loud = np.ones((60_000, 2), np.float32)
        for window in range(300):  # 144 MB: more than all queues and buffers on the way hold
            speaker.publish(AudioIn(window, loud))
        speaker.publish(Metric(0, "still here", 0.0))
        for _ in range(1000):
            speaker.publish(AudioIn(300, loud))
            listener.receive(0.01)
            if listener.counters.lost:
                break
        assert listener.counters.lost > 0
    finally:
        band.close()


def intake(topics=("metric",)):
    counters = StreamCounters()
    return Intake("listener", topics, counters, most_held=4), counters


def metric_frames(sequence, session=1, sender="speaker"):
    return encode(
        Metric(sequence, "x", 0.0), sender=sender, session=session, sequence=sequence, time=0.0
    )


def test_a_gap_in_a_sequence_is_lost():
    taking, counters = intake()
    for sequence in (4, 5, 9):
        taking.take(metric_frames(sequence), 0.0)
    assert (counters.lost, counters.received) == (3, 3)


def test_a_restarted_sender_is_not_taken_for_a_loss():
    taking, counters = intake()
    taking.take(metric_frames(4, session=1), 0.0)
    taking.take(metric_frames(0, session=2), 0.0)
    taking.take(metric_frames(1, session=2), 0.0)
    assert counters.lost == 0


def test_senders_are_followed_apart():
    taking, counters = intake()
    for sequence in range(3):
        taking.take(metric_frames(sequence, sender="a"), 0.0)
        taking.take(metric_frames(2 * sequence, sender="b"), 0.0)
    assert counters.lost == 2


def test_a_topic_let_go_and_taken_up_again_is_not_taken_for_a_loss():
    taking, counters = intake()
    taking.take(metric_frames(0), 0.0)
    taking.forget("metric")
    assert taking.take(metric_frames(1), 0.0) is None
    taking.topics.add("metric")
    taking.take(metric_frames(9), 0.0)
    assert counters.lost == 0


def test_what_is_put_back_beyond_the_bound_is_lost():
    taking, counters = intake()
    envelopes = [taking.take(metric_frames(sequence), 0.0) for sequence in range(6)]
    taking.hold(envelopes)
    assert [envelope.sequence for envelope in taking.release()] == [0, 1, 2, 3]
    assert counters.lost == 2


def test_streams_refuse_to_change_threads():
    config = StreamsConfig()
    refusals = []

    def use(streams):
        try:
            streams.receive(0.0)
        except RuntimeError as error:
            refusals.append(str(error))

    with ZmqStreams(config, "peer", []) as streams:
        thread = threading.Thread(target=use, args=(streams,))
        thread.start()
        thread.join(LONG)
    assert "must stay in the thread that made them" in refusals[0]


def test_a_missing_broker_is_one_clear_sentence():
    publish_port, subscribe_port = free_ports()
    config = StreamsConfig(publish_port=publish_port, subscribe_port=subscribe_port)
    with (
        ZmqStreams(config, "peer", []) as streams,
        pytest.raises(TimeoutError, match=r"peer must find the broker .* is it running"),
    ):
        streams.wait_until_ready(0.1)


def test_beyond_the_loopback_keys_are_required():
    with pytest.raises(ValueError, match="keys are required, got host 192"):
        StreamsConfig(host="192.168.0.7")


def test_one_port_cannot_serve_both_ways():
    with pytest.raises(ValueError, match="must differ"):
        StreamsConfig(publish_port=17400, subscribe_port=17400)


def test_a_host_must_be_an_address():
    with pytest.raises(ValueError, match="must be an IP address"):
        StreamsConfig(host="stage left")


def test_keys_are_kept_private_and_come_back(tmp_path):
    keys = CurveKeys.generate()
    keys.save(tmp_path / "keys.json")
    assert CurveKeys.load(tmp_path / "keys.json") == keys
    assert (tmp_path / "keys.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"broker_public": 1}'])
def test_a_foreign_keys_file_is_refused(tmp_path, content):
    (tmp_path / "keys.json").write_text(content)
    with pytest.raises(ValueError, match=r"keys\.json"):
        CurveKeys.load(tmp_path / "keys.json")
