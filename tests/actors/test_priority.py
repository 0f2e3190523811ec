"""What is asked of the system is asked politely."""

import os
import subprocess
import sys
import threading

import pytest

from actors.priority import SWITCH_SECONDS, ask_for_real_time, stay_in_the_background


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


@pytest.mark.parametrize(
    ("way", "policy", "nice"), [("idle", os.SCHED_IDLE, 19), ("low", os.SCHED_OTHER, 19)]
)
def test_the_background_and_what_it_starts_gives_way(way, policy, nice):
    seen = []
    ask = "import os; print(os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0))"

    def give_way():
        stay_in_the_background(way)
        command = [sys.executable, "-c", ask]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        seen.append(done.stdout.split())

    thread = threading.Thread(target=give_way)
    thread.start()
    thread.join()
    assert seen == [[str(policy), str(nice)]]
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
