"""The chronicle: a fault is told when the journal listens, not before."""

from actors.chronicle import Chronicle
from actors.clock import ManualClock
from actors.streams.handshake import answer_roll_call
from actors.streams.in_process_streams import InProcessHub
from actors.streams.machinery_messages import CallRoll, Fault
from agents.messages import Metric

FAULT = Fault(7, "broker", "restart", "broker died and was restarted")


class Scene:
    def __init__(self):
        self.hub, self.clock = InProcessHub(), ManualClock(5.0)
        self.streams = self.hub.join("stage", (Metric.TOPIC,))
        self.chronicle = Chronicle(self.streams, self.clock)
        self.written = []

    def journal_comes(self):
        self.journal = self.hub.join("journal", (CallRoll.TOPIC, Fault.TOPIC))

    def turn(self, *, journal=True):
        rest = self.chronicle.hear(self.streams.receive())
        if journal:
            arrived = answer_roll_call(self.journal, "journal", self.journal.receive())
            self.written += [e.message for e in arrived]
        self.clock.advance(0.1)
        return rest


def test_a_fault_waits_for_the_journal():
    scene = Scene()
    scene.chronicle.tell(FAULT)
    for _ in range(5):
        scene.turn(journal=False)
    scene.journal_comes()
    for _ in range(5):
        scene.turn()
    assert scene.written == [FAULT]


def test_nobody_is_called_while_there_is_nothing_to_tell():
    scene = Scene()
    scene.journal_comes()
    for _ in range(5):
        scene.turn()
    assert scene.journal.counters.received == 0


def test_what_others_say_meanwhile_is_passed_on():
    scene = Scene()
    scene.journal_comes()
    scene.chronicle.tell(FAULT)
    scene.journal.publish(Metric(3, "audio.peak", 0.5))
    assert [e.window for e in scene.turn()] == [3]
    scene.journal.publish(Metric(4, "audio.peak", 0.5))
    assert 4 in [e.window for e in scene.turn()]


def test_the_end_does_not_wait_for_a_journal_that_never_comes():
    scene = Scene()
    scene.chronicle.tell(FAULT)
    scene.clock = scene.chronicle._clock = Impatient()
    scene.chronicle.finish(2.0)
    assert scene.clock.now() > 2.0


class Impatient(ManualClock):
    """Each look at it takes a tenth of a second."""

    def now(self):
        self.advance(0.1)
        return super().now()
