import threading

from actors.clock import SystemClock
from actors.side_work import OnTheSpot, SideThread


def wait_for(work, n_results):
    clock, results = SystemClock(), []
    until = clock.now() + 20
    while len(results) < n_results:
        assert clock.now() < until
        results += work.done()
    return results


def test_on_the_spot_is_done_when_it_was_given():
    work = OnTheSpot()
    work.do(lambda: 1)
    work.do(lambda: 2)
    assert work.done() == [1, 2]
    assert work.done() == []


def test_a_side_thread_keeps_the_order_and_does_not_hold_up_its_giver():
    work, gate = SideThread(), threading.Event()
    work.do(lambda: gate.wait(20))
    for k in range(5):
        work.do(lambda k=k: k)
    assert work.done() == []
    gate.set()
    assert wait_for(work, 6) == [True, 0, 1, 2, 3, 4]


def test_a_job_that_fails_is_logged_and_the_next_is_done(caplog):
    work = SideThread()
    work.do(lambda: 1 / 0)
    work.do(lambda: 7)
    assert wait_for(work, 1) == [7]
    assert "ZeroDivisionError" in caplog.text
