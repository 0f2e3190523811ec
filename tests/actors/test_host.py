"""The host: it answers, follows the time, shows that it lives, and outlives its agent's faults."""

import threading

import numpy as np
import pytest

from actors.clock import ManualClock
from actors.host import HEARTBEAT_SECONDS, Host
from actors.streams.in_process_streams import InProcessHub
from actors.streams.machinery_messages import CallRoll, Fault, Ready
from agents.messages import AudioIn, HeardLabel, Heartbeat, Metric, Tick
from agents.musical_time import TempoMap


class Parrot:
    """Answers each label with the next one; does as its script says instead, if it names one."""

    def __init__(self, script=None):
        self.moments, self.inboxes, self.script = [], [], script or {}

    def step(self, moment, inbox):
        self.moments.append(moment)
        self.inboxes.append(inbox)
        behaviour = self.script.get(inbox[-1].window)
        if behaviour is not None:
            return behaviour()
        return [heard(m.window + 1000) for m in inbox]

    def restore(self, history):
        del history


def heard(window, energy_db=-20.0):
    return HeardLabel(window, 1, 0.5, energy_db, 0.1, -20.0)


def tick(window):
    return Tick(window, TempoMap().moment(window, window / 4), 0.0625)


class Band:
    """A host with a parrot, and somebody who speaks to it and listens."""

    def __init__(self, script=None):
        hub = InProcessHub()
        self.clock, self.parrot = ManualClock(10.0), Parrot(script)
        topics = (HeardLabel.TOPIC, Tick.TOPIC, CallRoll.TOPIC)
        self.host_streams = hub.join("parrot", topics)
        self.host = Host("parrot", self.parrot, self.host_streams, self.clock)
        every = (HeardLabel, Metric, Fault, Heartbeat, Ready)
        self.ear = hub.join("ear", [kind.TOPIC for kind in every])
        self.mouth = hub.join("mouth", ())

    def say(self, *messages):
        for message in messages:
            self.mouth.publish(message)

    def heard(self, kind):
        """What the host has said of this kind."""
        return [e.message for e in self.ear.receive() if e.sender == "parrot"
                and isinstance(e.message, kind)]  # fmt: skip


def raiser(error):
    def fail():
        raise error

    return fail


def test_what_is_heard_is_answered():
    band = Band()
    band.say(heard(3))
    assert band.host.play_round(0.0)
    assert [m.window for m in band.heard(HeardLabel)] == [1003]


def test_nothing_heard_is_nothing_answered():
    band = Band()
    assert not band.host.play_round(0.0)
    assert band.parrot.inboxes == []


def test_all_that_waits_comes_in_one_inbox_and_none_is_dropped():
    band = Band()
    band.say(*[heard(k) for k in range(40)])
    band.host.play_round(0.0)
    assert [m.window for m in band.parrot.inboxes[0]] == list(range(40))
    assert band.host_streams.counters.lost == band.host_streams.counters.dropped == 0


def test_the_agent_is_told_the_time_of_the_newest_tick():
    band = Band()
    band.say(tick(1), heard(0), tick(2), heard(1))
    band.host.play_round(0.0)
    assert [moment.window for moment in band.parrot.moments] == [2]
    band.say(heard(2))
    band.host.play_round(0.0)
    assert band.parrot.moments[1].seconds == 0.5


def test_a_tick_alone_wakes_nobody():
    band = Band()
    band.say(tick(1))
    assert not band.host.play_round(0.0)
    assert band.parrot.inboxes == []


@pytest.mark.parametrize("error", [RuntimeError("no bow"), KeyError("x"), MemoryError()])
def test_an_agent_that_raises_is_told_as_a_fault_and_plays_on(error):
    band = Band({1: raiser(error)})
    for window in range(3):
        band.say(heard(window))
        band.host.play_round(0.0)
    said = band.ear.receive()
    labels = [e.window for e in said if e.sender == "parrot" and e.topic == HeardLabel.TOPIC]
    [fault] = [e.message for e in said if isinstance(e.message, Fault)]
    assert labels == [1000, 1002]
    assert (fault.window, fault.role, fault.event) == (1, "parrot", "stumble")
    assert str(error) in fault.detail


def test_an_answer_that_cannot_be_told_is_a_fault_and_the_others_are_told():
    bad = AudioIn(1, np.zeros((4, 2), dtype=np.int64))
    band = Band({1: lambda: [heard(7), bad, heard(8)]})
    band.say(heard(1))
    band.host.play_round(0.0)
    said = [e.message for e in band.ear.receive() if e.sender == "parrot"]
    assert [m.window for m in said if isinstance(m, HeardLabel)] == [7, 8]
    assert [m.event for m in said if isinstance(m, Fault)] == ["stumble"]


def test_the_heart_beats_at_its_pace_whether_there_is_work_or_not():
    band = Band()
    for _ in range(20):
        band.host.play_round(0.0)
        band.clock.advance(HEARTBEAT_SECONDS / 4)
    assert len(band.heard(Heartbeat)) == 5


def test_a_heartbeat_says_who_where_and_when():
    band = Band()
    band.say(tick(9))
    band.host.play_round(0.0)
    [beat] = band.heard(Heartbeat)
    assert (beat.role, beat.window, beat.lost, beat.dropped) == ("parrot", 9, 0, 0)
    assert beat.process_id > 0


def test_malformed_frames_show_in_the_heartbeat():
    band = Band()
    band.host_streams.deposit([HeardLabel.TOPIC.encode(), b"junk", b"junk"])
    band.host.play_round(0.0)
    assert band.heard(Heartbeat)[0].dropped == 1


def test_step_and_hop_are_measured():
    band = Band()
    band.say(heard(4))
    band.host.play_round(0.0)
    assert {(m.name, m.window) for m in band.heard(Metric)} == {
        ("parrot.step_ms", 4), ("parrot.hop_ms", 4),
    }  # fmt: skip


def test_the_roll_call_is_answered_and_not_passed_on():
    band = Band()
    band.say(CallRoll(0))
    assert not band.host.play_round(0.0)
    assert [m.role for m in band.heard(Ready)] == ["parrot"]


def test_a_host_that_is_told_to_stop_leaves_the_streams():
    band, stop = Band(), threading.Event()
    stop.set()
    band.host.run(stop)
    band.say(heard(1))
    assert band.host_streams.receive() == []


def test_an_agent_that_only_takes_note_makes_no_traffic():
    band = Band({4: list})
    band.say(heard(4))
    band.host.play_round(0.0)
    assert band.heard(Metric) == []
