"""What is asked of the system is asked politely."""

import os
import subprocess
import sys
import threading

import pytest

from actors.priority import (
    FAR_BEHIND,
    SWITCH_SECONDS,
    ask_for_real_time,
    stay_in_the_background,
    step_back,
)


def test_asking_never_fails_and_says_what_was_granted():
    granted = []

    def ask():
        granted.append((ask_for_real_time(5), os.sched_getscheduler(0)))

    before = sys.getswitchinterval()
    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert sys.getswitchinterval() == pytest.approx(SWITCH_SECONDS)
    sys.setswitchinterval(before)
    [(was_granted, policy)] = granted
    assert was_granted == (policy == os.SCHED_FIFO)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="niceness of threads is Linux's")
def test_who_steps_back_does_so_alone_with_all_it_starts_and_never_comes_forward_again():
    def niceness():
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    seen = []

    def child():
        seen.append(niceness())

    def step():
        assert step_back(FAR_BEHIND)
        assert step_back(0)
        seen.append(niceness())
        inner = threading.Thread(target=child)
        inner.start()
        inner.join()

    before = niceness()
    thread = threading.Thread(target=step)
    thread.start()
    thread.join()
    assert seen == [FAR_BEHIND] * 2
    assert niceness() == before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(
    ("way", "policy", "nice"), [("idle", os.SCHED_IDLE, 19), ("low", os.SCHED_OTHER, 19)]
)
def test_the_background_and_what_it_starts_gives_way(way, policy, nice):
    seen = []

    def give_way():
        stay_in_the_background(way)
        done = subprocess.run(
            ["cat", "/proc/self/stat"], capture_output=True, text=True, check=True
        )
        fields = done.stdout.rpartition(")")[2].split()  # from the third on; see proc(5)
        seen.append((int(fields[38]), int(fields[16])))

    thread = threading.Thread(target=give_way)
    thread.start()
    thread.join()
    assert seen == [(policy, nice)]
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
