import socket
import threading

import numpy as np
import pytest

from actors.journal import Journal, JournalReader
from actors.journal_recorder import JOURNAL_TOPICS, JournalRecorder, recall
from actors.streams.broker import Broker
from actors.streams.endpoints import StreamsConfig
from actors.streams.handshake import RollCall
from actors.streams.in_process_streams import InProcessHub
from actors.streams.machinery_messages import Recall, Recalled
from actors.streams.streams import ZmqStreams
from agents.messages import Fragment, Metric, Plan, Tick
from agents.musical_time import TempoMap

LONG = 10.0  # seconds; only ever waited for when something is broken


def tick(window):
    return Tick(window, TempoMap().moment(window, 0.0), 0.1)


class Rehearsal:
    """A hub with a recorder, a speaker, and one that asks."""

    def __init__(self, path):
        self.path = path
        self.hub = InProcessHub(queue_messages=4096, now=lambda: 0.0)
        self.speaker = self.hub.join("speaker", [])
        self.asker = self.hub.join("asker", [Recalled.TOPIC])
        self.start_recorder()

    def start_recorder(self):
        self.recorder_streams = self.hub.join("journal", JOURNAL_TOPICS)
        self.recorder = JournalRecorder(self.recorder_streams, Journal(self.path, {}))

    def say(self, *messages):
        for message in messages:
            self.speaker.publish(message)
        self.recorder.step(0.0)

    def ask(self, topics, n_windows):
        self.asker.publish(Recall(1, topics, n_windows))
        self.recorder.step(0.0)
        [answer] = self.asker.receive()
        return answer.message

    def written(self):
        with JournalReader(self.path) as reader:
            return [(envelope.topic, envelope.window) for envelope in reader.read()]


@pytest.fixture
def rehearsal(tmp_path):
    return Rehearsal(tmp_path / "journal.sqlite")


def test_a_window_is_on_disk_once_the_next_has_begun(rehearsal):
    rehearsal.say(tick(0))
    rehearsal.say(Plan(1, (), ()))
    assert rehearsal.written() == [("tick", 0)]
    rehearsal.say(tick(1))
    assert rehearsal.written() == [("tick", 0), ("plan", 1), ("tick", 1)]


def test_closing_writes_what_is_left(rehearsal):
    rehearsal.say(tick(0))
    rehearsal.speaker.publish(Plan(1, (), ()))
    rehearsal.recorder.close()
    assert rehearsal.written() == [("tick", 0), ("plan", 1)]


def test_the_last_windows_of_the_topics_asked_for_are_answered_in_order(rehearsal):
    for window in range(5):
        rehearsal.say(tick(window), Metric(window, "x", 0.0), Plan(window, (), ()))
    answer = rehearsal.ask(("plan", "tick", "plan"), 2)
    assert (answer.asker, answer.request) == ("asker", 1)
    assert answer.frames[::3] == (b"tick", b"plan", b"tick", b"plan")


def test_a_fragment_is_remembered_without_its_samples(rehearsal):
    loud = np.ones((1000, 2), np.float32)
    rehearsal.say(tick(0), Fragment(0, 0, 1, 1, 5, "jump", False, 0, loud))
    answer = rehearsal.ask(("fragment",), 1)
    assert sum(len(frame) for frame in answer.frames) < 300


def test_what_was_never_said_is_answered_with_nothing(rehearsal):
    assert rehearsal.ask(("plan", "no.such.topic"), 4).frames == ()


def test_an_answer_that_would_be_too_large_leaves_out_the_oldest(rehearsal, monkeypatch):
    monkeypatch.setattr("actors.journal_recorder.MAX_FRAME_BYTES", 4096 + 1000)
    for window in range(5):
        rehearsal.say(tick(window), Metric(window, "x" * 300, 0.0))
    answer = rehearsal.ask(("metric",), 5)
    assert len(answer.frames) == 2 * 3
    assert b"metric" in answer.frames[0]


def test_a_restarted_recorder_remembers_what_its_journal_holds(rehearsal):
    rehearsal.say(tick(0), Plan(0, (), ()))
    rehearsal.say(tick(1))
    rehearsal.recorder_streams.close()
    rehearsal.start_recorder()
    assert rehearsal.ask(("plan",), 2).frames[::3] == (b"plan",)


def test_what_the_recorder_could_not_hear_is_a_fault_of_the_run(rehearsal):
    rehearsal.say(tick(0))
    rehearsal.hub.deliver([b"plan", b"rubbish", b""])
    rehearsal.say(tick(1))
    rehearsal.say(tick(2))
    with JournalReader(rehearsal.path) as reader:
        [fault] = [envelope.message for envelope in reader.read({"fault"})]
    assert (fault.role, fault.event) == ("journal", "malformed")
    assert fault.detail == "1 messages did not reach the journal: malformed unknown"


def test_a_full_disk_does_not_keep_the_recorder_from_answering(tmp_path):
    alarms = []
    hub = InProcessHub()
    speaker, asker = hub.join("speaker", []), hub.join("asker", [Recalled.TOPIC])
    journal = Journal(tmp_path / "j.sqlite", {}, on_alarm=alarms.append, max_bytes=1)
    recorder = JournalRecorder(hub.join("journal", JOURNAL_TOPICS), journal)
    for message in (tick(0), Plan(0, (), ())):
        speaker.publish(message)
    asker.publish(Recall(1, ("plan",), 1))
    recorder.step(0.0)
    recorder.close()
    assert len(alarms) == 1
    assert asker.receive()[0].message.frames[0] == b"plan"


def test_the_recorder_answers_the_roll_call(rehearsal):
    conductor = rehearsal.hub.join("conductor", [])
    roll = RollCall(conductor, {"journal"})
    roll.call()
    rehearsal.recorder.step(0.0)
    roll.wait(LONG)
    assert roll.absent == set()


@pytest.fixture
def config():
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        ports = one.getsockname()[1], other.getsockname()[1]
    return StreamsConfig(publish_port=ports[0], subscribe_port=ports[1])


@pytest.fixture
def broker(config):
    broker = Broker(config)
    thread = threading.Thread(target=broker.run)
    thread.start()
    yield broker
    broker.stop()
    thread.join(LONG)
    assert not thread.is_alive()


@pytest.mark.usefixtures("broker")
def test_a_restarted_agent_hears_everything_exactly_once(config, tmp_path):
    """The speaker never pauses while the agent joins and asks."""
    over, recording = threading.Event(), threading.Event()

    def record():
        with ZmqStreams(config, "journal", JOURNAL_TOPICS) as streams:
            streams.wait_until_ready(LONG)
            recorder = JournalRecorder(streams, Journal(tmp_path / "j.sqlite", {}))
            recording.set()
            while not over.is_set():
                recorder.step(0.02)
            recorder.close()

    def speak():
        with ZmqStreams(config, "speaker", []) as streams:
            streams.wait_until_ready(LONG)
            for window in range(2000):
                streams.publish(tick(0))
                streams.publish(Metric(window, "x", 0.0))
                if over.wait(0.001):
                    break

    recorder_thread, speaker_thread = (
        threading.Thread(target=record),
        threading.Thread(target=speak),
    )
    recorder_thread.start()
    assert recording.wait(LONG)
    speaker_thread.start()
    try:
        for life in range(5):
            with ZmqStreams(config, f"decision-{life}", ["metric"]) as agent:
                agent.wait_until_ready(LONG)
                past = recall(agent, ["metric"], 4, LONG)
                present = agent.receive(LONG)
                windows = [envelope.window for envelope in past + present]
            assert past or life == 0
            assert windows == list(range(windows[0], windows[0] + len(windows)))
    finally:
        over.set()
        recorder_thread.join(LONG)
        speaker_thread.join(LONG)


@pytest.mark.usefixtures("broker")
def test_an_agent_without_a_journal_starts_without_a_past(config, caplog):
    with ZmqStreams(config, "decision", ["metric"]) as agent:
        agent.wait_until_ready(LONG)
        assert recall(agent, ["metric"], 4, 0.1) == []
    assert "no journal answered" in caplog.text
