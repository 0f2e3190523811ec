"""Virtual threads on a virtual clock: who runs when, what they inherit, cues and shared state.

Threads take turns by time, then by who came first; a new thread runs before its parent goes on.
Reading shared state lets all others of the moment run first, so that it finds what Sonic Pi's
deterministic time state would show. A thread waits by yielding from its generator.
"""

from collections.abc import Generator
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeAlias, TypeVar

from corpus.sonic_pi.random_stream import STREAM_LENGTH, Chance
from corpus.sonic_pi.unroller_values import (
    BudgetError,
    NodeHandle,
    StopThread,
    Value,
)

if TYPE_CHECKING:
    from corpus.sonic_pi.unroller_machine import Machine
    from corpus.sonic_pi.unroller_played import Played

__all__ = ["MISUSED", "NOTHING_SET", "Cue", "Moment", "Steps", "VirtualThread", "nanoseconds"]

_T = TypeVar("_T")
Steps: TypeAlias = Generator[None, None, Value]
"""A computation that may wait: it yields whenever others may run, and returns a value."""

NOTHING_SET: dict[str, Value] = {}
"""Defaults never set. Sonic Pi 3.2 cannot play after `with_synth_defaults` restores them."""
MISUSED: Final = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)
"""What a function of ours raises when it is given values that it does not expect."""
_DIGITS = 9
"""Times closer than a nanosecond are the same moment."""
_DEEPEST_DESCENT = 50
"""A thread may have this many forebears."""


def nanoseconds(time: float) -> int:
    """A time in seconds, ≥ 0, to the nearest whole nanosecond; equal ones are the same moment."""
    return int(time * 1e9 + 0.5)


class Moment(NamedTuple):
    """A point in the order of shared state; `n_before` counts within the thread."""

    time: float
    priority: int
    thread: tuple[int, ...]
    n_before: int


class Cue(NamedTuple):
    """A value made known at a moment."""

    moment: Moment
    value: Value
    beat: float
    beat_seconds: float


class _Setting(Generic[_T]):
    """An attribute of a thread on which it depends what a call of `play` comes to."""

    def __set_name__(self, _owner: type, name: str) -> None:
        self._name = f"_{name}"

    def __get__(self, thread: "VirtualThread", _owner: type) -> _T:
        return thread.__dict__[self._name]  # type: ignore[no-any-return]

    def __set__(self, thread: "VirtualThread", value: _T) -> None:
        if thread.__dict__.get(self._name, thread) != value:
            thread.voice = None
        thread.__dict__[self._name] = value


class VirtualThread:
    """One thread of a program and all that Sonic Pi keeps for it."""

    synth = _Setting[str]()
    synth_defaults = _Setting["dict[str, Value] | None"]()
    sample_defaults = _Setting["dict[str, Value] | None"]()
    transpose = _Setting[float]()
    octave = _Setting[float]()
    cents = _Setting[float]()
    tuning = _Setting["tuple[str, Value] | None"]()
    scales_times = _Setting[bool]()
    checks_arguments = _Setting[bool]()
    beat_seconds = _Setting[float]()
    bus = _Setting[int]()
    _beat_seconds: float

    def __init__(self, machine: "Machine", chance: Chance) -> None:
        self.machine = machine
        self.chance = chance
        self.path: tuple[int, ...] = (0,)
        self.name: str | None = None
        self.generator: Steps | None = None
        # What children inherit.
        self.time = 0.0
        self.beat = 0.0
        self.beat_seconds = 1.0
        self.spawn_index = 0
        self.synth = "beep"
        self.synth_defaults = self.sample_defaults = NOTHING_SET
        self.transpose = self.octave = self.cents = 0
        self.tuning = None
        self.scales_times = True
        self.checks_arguments = False
        self.bus = 0
        self.last_node: NodeHandle | None = None
        self.voice: dict[object, Played] | None = None
        """What calls came to with the present settings; none if these have just changed."""
        # What they do not.
        self.density = 1.0
        self.ticks: dict[str, tuple[int, int]] = {}
        self.changes: dict[int, int] = {}
        self.n_children = 0
        self.n_cues = 0
        self.synced = False
        self.auto_cue = True
        self.warp_depth = 0
        self.last_sync: Moment | None = None
        self.awaited: tuple[str, Moment] | None = None

    def child(self, seed: float | None) -> "VirtualThread":
        """A thread as `in_thread` makes it: inherited settings, a stream of chance of its own."""
        if seed is None:
            seed = self.chance.peek(self.spawn_index) * STREAM_LENGTH
            self.spawn_index += 1
        child = object.__new__(VirtualThread)
        child.__dict__.update(self.__dict__)
        child.chance = Chance(self.chance.stream, seed + self.chance.seed)
        if len(self.path) > _DEEPEST_DESCENT:
            raise BudgetError("threads start threads without end")
        child.path = (*self.path, self.n_children)
        self.n_children += 1
        child.density, child.ticks, child.n_children, child.n_cues = 1.0, {}, 0, 0
        child.changes = {}
        child.synced, child.auto_cue, child.warp_depth = False, True, 0
        child.last_sync, child.awaited, child.name = None, None, None
        return child

    def find_voice(self) -> "dict[object, Played]":
        """What calls came to, by call, in threads with settings like the present ones."""
        if self.tuning is not None:
            return {}
        defaults = id(self.synth_defaults), id(self.sample_defaults)
        pitch = self.transpose, self.octave, self.cents
        times = self.beat_seconds, self.scales_times, self.checks_arguments
        settings = self.synth, self.bus, defaults, pitch, times
        self.voice = self.machine.voices.setdefault(settings, {})
        return self.voice

    def moment(self) -> Moment:
        """Where this thread is in the order of shared state."""
        return Moment(round(self.time, _DIGITS), 0, self.path, self.n_cues)

    def spend(self, amount: int = 1) -> None:
        """Counts work done.

        Raises:
            BudgetError: more than the limit for the whole program.
        """
        machine = self.machine
        machine.budget -= amount
        if machine.budget < 0:
            raise BudgetError("the program computes more than is worth foreseeing")

    def sleep(self, beats: float) -> Steps:
        """Waits; errors as `passes`."""
        if self.passes(beats):
            yield
        return None

    def passes(self, beats: float) -> bool:
        """Moves on in time; true if others are to run before this thread goes on.

        Inside a time warp only the thread's own clock moves.

        Raises:
            StopThread: the time that was asked for is over.
        """
        machine = self.machine
        machine.budget -= 1
        if machine.budget < 0:
            self.spend(0)
        self.last_sync = None
        self.beat += beats
        if self.changes:
            self.changes = {}
        if not beats:
            return False
        self.time = time = self.time + beats * self._beat_seconds
        if self.warp_depth:
            return False
        if time >= machine.horizon:
            raise StopThread
        ready = machine.ready
        return bool(machine.depth or (ready and ready[0][0] <= nanoseconds(time)))

    def sync(self, key: str) -> Steps:
        """Waits for the next cue or value under a name, and moves to its moment."""
        point = self.last_sync or self.moment()
        cue = self.machine.next_cue(key, point)
        if cue is None:
            self.awaited = (key, point)
            yield
            self.awaited = None
            cue = self.machine.next_cue(key, point)
            if cue is None:
                self.machine.miss("sync", "inside an expression")
                return None
        self.time, self.beat, self.last_sync = cue.moment.time, cue.beat, cue.moment
        self.synced = True
        return cue

    def cue(self, key: str, value: Value, priority: int = 0) -> None:
        """Makes a value known now; wakes who waits for it."""
        self.spend()
        if not self.machine.listens:
            return
        moment = Moment(round(self.time, _DIGITS), priority, self.path, self.n_cues)
        self.n_cues += 1
        self.machine.announce(key, Cue(moment, value, self.beat, self.beat_seconds))
