"""What is asked of the system is asked politely."""

import os
import sys
import threading

import pytest

from actors.priority import SWITCH_SECONDS, ask_for_real_time


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
