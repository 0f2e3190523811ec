"""Work beside the beat: never blocks who hands it over, and the newest wins."""

import threading

from actors.background import InlineWorker, ThreadWorker

PATIENCE = 10


class Gate:
    """Work that waits until it is let go, and says what it did."""

    def __init__(self):
        self.started, self.go, self.done = threading.Event(), threading.Event(), threading.Event()

    def work(self, job):
        self.started.set()
        self.go.wait(PATIENCE)
        if job == "last":
            self.done.set()
        return job.upper()


def test_of_the_jobs_that_wait_only_the_newest_is_done():
    gate = Gate()
    worker = ThreadWorker("test", gate.work)
    assert worker.submit("first") is None
    assert gate.started.wait(PATIENCE)
    assert not worker.is_pressed
    assert worker.submit("second") is None
    assert worker.is_pressed
    assert worker.submit("last") == "second"
    assert worker.finished() == []
    gate.go.set()
    assert gate.done.wait(PATIENCE)
    worker.close(PATIENCE)
    assert worker.finished() == ["FIRST", "LAST"]


def test_closing_drops_what_waits_and_ends_in_order_however_often():
    gate, ended = Gate(), threading.Event()
    worker = ThreadWorker("test", gate.work, ended.set)
    worker.submit("first")
    assert gate.started.wait(PATIENCE)
    worker.submit("never")
    worker.close(0)
    assert worker.is_pressed
    gate.go.set()
    assert ended.wait(PATIENCE)
    worker.close()
    assert worker.finished() in ([], ["FIRST"])


def test_the_twin_works_at_once_and_ends_once():
    ends = []
    worker = InlineWorker(str.upper, lambda: ends.append("end"))
    assert worker.submit("a") is None
    assert worker.submit("b") is None
    assert worker.finished() == ["A", "B"]
    assert worker.finished() == []
    worker.close()
    worker.close()
    assert ends == ["end"]
