"""What the machinery says to itself on the streams, beside the messages of the agents.

None of these reaches an agent. Those without a `window` are about no window in particular.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Probe:
    """Sent to oneself through the broker: once it is back, all own subscriptions are in force."""

    TOPIC: ClassVar[str] = "probe"
    number: int


@dataclass(frozen=True)
class CallRoll:
    """The conductor asks who is there; whoever is ready answers with `Ready`."""

    TOPIC: ClassVar[str] = "roll.call"
    number: int


@dataclass(frozen=True)
class Ready:
    """`role` has its subscriptions in force and will miss nothing said from now on."""

    TOPIC: ClassVar[str] = "ready"
    role: str
    process_id: int


@dataclass(frozen=True)
class Recall:
    """Asks the journal for what was said on `topics` in the last `n_windows` windows (≥ 1)."""

    TOPIC: ClassVar[str] = "recall"
    request: int
    topics: tuple[str, ...]
    n_windows: int


@dataclass(frozen=True)
class Recalled:
    """The journal's answer to `asker`: three frames per message, oldest message first."""

    TOPIC: ClassVar[str] = "recalled"
    asker: str
    request: int
    frames: tuple[bytes, ...]


@dataclass(frozen=True)
class Fault:
    """Something went wrong with `role` in `window`.

    Args:
        window: the window in which it was noticed.
        role: whom it befell.
        event: crash, restart, malformed, refused, alarm.
        detail: one sentence for a person.
    """

    TOPIC: ClassVar[str] = "fault"
    window: int
    role: str
    event: str
    detail: str


MachineryMessage = Probe | CallRoll | Ready | Recall | Recalled | Fault
