"""The signals that ask for an end, and what is done about them while something runs."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["ENDING_SIGNALS", "on_ending_signals"]

ENDING_SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Ctrl-C, a kind kill, and the terminal's end, which Windows does not know."""


@contextmanager
def on_ending_signals(handle: Callable[[], None]) -> Iterator[None]:
    """Within, these signals call `handle`, but for ignored ones; afterwards all is as before.

    To be entered in the main thread, where alone signals may be handled.
    """
    heeded = [n for n in ENDING_SIGNALS if signal.getsignal(n) != signal.SIG_IGN]  # as nohup asks
    before = {number: signal.signal(number, lambda *_: handle()) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
