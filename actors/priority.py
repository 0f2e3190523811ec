"""Priorities: real time from ear to loudspeaker where the machine grants it, the rest far behind.

As JACK does: on Linux a thread of the band asks for first-in-first-out scheduling; threads that it
starts (ZeroMQ's among them) inherit it. Where it is not granted (no `rtprio` limit for the user,
another system) the band plays on at normal priority.
"""

import contextlib
import os
import sys
import threading
from typing import Literal

SWITCH_SECONDS = 0.0005
"""How long a thread may hold the interpreter while another one waits; Python's default is ten times
that, which is a whole block of sound."""

FAR_BEHIND = 15
"""Niceness of what must never be in the way: a 28th of the share of others on a busy core, and
nothing at all against real time."""


def ask_for_real_time(priority: int) -> bool:
    """Ask for `priority` for the calling thread and those it will start; whether it was granted.

    Args:
        priority: 1 to 99; higher goes first.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    if not hasattr(os, "sched_setscheduler"):
        return False
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
        return True
    return False


def step_back(niceness: int) -> bool:
    """Let others go first, ahead of the calling thread and all that it will start.

    Args:
        niceness: 0 to 19; where the thread is nicer already, it stays so.

    Returns:
        Whether the system knows niceness of threads; elsewhere the thread stays as it is.
    """
    if not sys.platform.startswith("linux"):
        return False
    thread = threading.get_native_id()
    present = os.getpriority(os.PRIO_PROCESS, thread)
    os.setpriority(os.PRIO_PROCESS, thread, max(present, niceness))
    return True


def stay_in_the_background(way: Literal["idle", "low", "normal"]) -> None:
    """Give way to everybody else: the calling thread and all that it starts, processes too.

    Args:
        way: idle: run only when nobody else wants the processor (SCHED_IDLE), where the system
            knows that, never for a thread that others wait for; low: the lowest ordinary
            priority; normal: as it is.
    """
    if way == "normal":
        return
    with contextlib.suppress(OSError):
        if hasattr(os, "nice"):
            os.nice(19)
        if way == "idle" and hasattr(os, "SCHED_IDLE"):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
