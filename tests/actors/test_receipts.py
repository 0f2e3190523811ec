"""What sounded is told until it has come back."""

from actors.receipts import RETELL_WINDOWS, Receipts
from actors.streams.in_process_streams import InProcessHub
from agents.messages import Metric, Played


def played(window):
    return Played(window, 1, 1, 3, "jump", 0, 0.01, True, 0)


class Outage:
    """A hub on which the broker can be away."""

    def __init__(self):
        hub = InProcessHub()
        self.streams = hub.join("audio", (Played.TOPIC,))
        self.journal = hub.join("journal", (Played.TOPIC, Metric.TOPIC))
        self.receipts = Receipts(self.streams)

    def play(self, window, *, away=False):
        self.receipts.publish(played(window))
        echoes = self.streams.receive(0.0)
        if away:
            self.journal.receive(0.0)
            return
        for envelope in echoes:
            self.receipts.take(envelope.message)

    def heard(self):
        return [envelope.window for envelope in self.journal.receive(0.0)]


def test_what_comes_back_is_told_once():
    band = Outage()
    for window in range(8):
        band.play(window)
    band.receipts.close()
    assert band.heard() == list(range(8))


def test_what_got_lost_is_told_again_once_everybody_is_back():
    band = Outage()
    for window in range(3):
        band.play(window, away=True)
    for window in range(3, 12):
        band.play(window)
    heard = band.heard()
    assert set(heard) == set(range(12))
    assert heard.index(0) > heard.index(3 + RETELL_WINDOWS - 1)


def test_a_journal_that_comes_back_later_than_we_do_misses_nothing():
    band = Outage()
    band.play(0, away=True)
    band.play(1)
    band.journal.receive()  # it was not there yet
    for window in range(2, 12):
        band.play(window)
    assert set(band.heard()) == set(range(12))


def test_a_gap_is_told_again_only_once():
    band = Outage()
    band.play(0, away=True)
    for window in range(1, 30):
        band.play(window)
    assert band.heard().count(0) == 1


def test_the_end_tells_what_has_no_receipt():
    band = Outage()
    band.play(0)
    band.play(1, away=True)
    band.receipts.close()
    assert band.heard()[-1] == 1


def test_other_messages_wait_for_nothing():
    band = Outage()
    band.receipts.publish(Metric(0, "audio.peak", 0.5))
    band.receipts.close()
    assert band.heard() == [0]
