"""The machine that runs a program's threads in turn, and keeps what they share and play."""

from collections import Counter
from collections.abc import Callable
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final

from corpus.sonic_pi.events import Event
from corpus.sonic_pi.random_stream import Chance, RandomStream
from corpus.sonic_pi.unroller_threads import (
    MISUSED,
    Cue,
    Moment,
    Steps,
    VirtualThread,
    nanoseconds,
)
from corpus.sonic_pi.unroller_values import (
    BlockBreak,
    BudgetError,
    LoopBreak,
    Return,
    RubyError,
    StopThread,
    Value,
)

if TYPE_CHECKING:
    from corpus.sonic_pi.instruments import Instruments
    from corpus.sonic_pi.unroller_blocks import Block
    from corpus.sonic_pi.unroller_played import Played

__all__ = ["Machine"]

_DEEPEST: Final = 8
"""Threads run inside of one another at most this deep; beyond, a new thread waits for its turn."""


class Machine:
    """All threads of a program, its functions and globals, and what it has played.

    Args:
        stream: chance.
        instruments: what is known of synths, effects and samples.
        horizon: seconds to unroll.
        budget: steps that the whole program may take.
        event_limit, thread_limit: most events, most threads at once.
        listens: whether any thread may look at cues or shared state.
    """

    def __init__(
        self,
        stream: RandomStream,
        instruments: "Instruments",
        horizon: float,
        budget: int,
        event_limit: int,
        thread_limit: int,
        *,
        listens: bool = True,
    ) -> None:
        self.stream = stream
        self.instruments = instruments
        self.horizon = horizon
        self.budget = budget
        self.event_limit = event_limit
        self.thread_limit = thread_limit
        self.listens = listens
        self.ready: list[tuple[int, int, VirtualThread]] = []
        self.n_pushed = 0
        self.depth = 0
        self.n_alive = 0
        self.names: set[str] = set()
        self.waiting: dict[str, list[VirtualThread]] = {}
        self.cues: dict[str, list[Cue]] = {}
        self.functions: dict[str, Block] = {}
        self.globals: dict[str, Value] = {}
        self.events: list[Event] = []
        self.voices: dict[tuple[object, ...], dict[object, Played]] = {}
        self.n_nodes = 0
        self.n_buses = 0
        self.loaded: set[str] = set()
        self.errors: list[str] = []
        self.missed: Counter[tuple[str, str]] = Counter()
        self.n_missed = 0
        self.n_random = 0
        self.is_cut = False

    def miss(self, what: str, why: str = "unknown") -> None:
        """Notes something that could not be foreseen."""
        self.missed[what, why] += 1
        self.n_missed += 1

    def add(self, event: Event) -> None:
        """Notes an event.

        Raises:
            BudgetError: there are too many.
        """
        if len(self.events) >= self.event_limit:
            raise BudgetError(f"the program plays more than {self.event_limit} events")
        self.events.append(event)

    def new_node(self) -> int:
        """A number for the next sound or effect."""
        self.n_nodes += 1
        return self.n_nodes

    def new_bus(self) -> int:
        """A bus for the next effect; 0 is the way out."""
        self.n_buses += 1
        return self.n_buses

    def start(self, thread: VirtualThread, body: Callable[[VirtualThread], Steps]) -> None:
        """Lets a thread run from its present time.

        Raises:
            BudgetError: there are too many threads.
        """
        if self.n_alive >= self.thread_limit:
            raise BudgetError(f"the program has more than {self.thread_limit} threads at once")
        self.n_alive += 1
        thread.generator = body(thread)
        if self.depth < _DEEPEST:
            self._nested(thread)
        else:
            self._push(thread)

    def settle(self, now: float) -> None:
        """Lets every thread run that can run at a moment."""
        moment = nanoseconds(now)
        while self.ready and self.ready[0][0] <= moment and self.depth < _DEEPEST:
            self._nested(heappop(self.ready)[2])

    def _nested(self, thread: VirtualThread) -> None:
        self.depth += 1
        try:
            self._turn(thread)
        finally:
            self.depth -= 1

    def spawn(
        self,
        parent: VirtualThread,
        body: Callable[[VirtualThread], Steps],
        name: str | None = None,
        seed: float | None = None,
    ) -> VirtualThread:
        """A child of a thread; one whose name is taken is made but never runs."""
        child = parent.child(seed)
        if name is not None:
            if name in self.names:
                return child
            self.names.add(name)
            child.name = name
        self.start(child, body)
        return child

    def run(self, body: Callable[[VirtualThread], Steps]) -> None:
        """Runs a program and all its threads until the horizon, or until a limit is reached."""
        try:
            self.spawn(VirtualThread(self, Chance(self.stream, 0)), body, seed=0)
            while self.ready:
                self._turn(heappop(self.ready)[2])
        except BudgetError as limit:
            self.errors.append(str(limit))
            self.is_cut = True

    def _turn(self, thread: VirtualThread) -> None:
        try:
            generator = thread.generator
            if thread.time < self.horizon and generator is not None:
                next(generator)
                if thread.awaited is None:
                    self.n_pushed = number = self.n_pushed + 1
                    heappush(self.ready, (nanoseconds(thread.time), number, thread))
                else:
                    self.waiting.setdefault(thread.awaited[0], []).append(thread)
                return
        except (StopIteration, StopThread):
            pass
        except RubyError as failure:
            self.errors.append(str(failure))
        except (BlockBreak, LoopBreak, Return):
            self.errors.append("break or return outside of what it could leave")
        except MISUSED as misuse:
            self.errors.append(f"this cannot be computed: {misuse}")
            self.miss("operator", "values")
        except RecursionError:
            self.errors.append("functions call each other too deeply")
            self.miss("recursion", "too deep")
        self.n_alive -= 1
        if thread.name is not None:
            self.names.discard(thread.name)

    def _push(self, thread: VirtualThread) -> None:
        self.n_pushed += 1
        heappush(self.ready, (nanoseconds(thread.time), self.n_pushed, thread))

    def announce(self, key: str, cue: Cue) -> None:
        """Keeps a cue in order and wakes the threads it answers."""
        history = self.cues.setdefault(key, [])
        place = len(history)
        while place and history[place - 1].moment > cue.moment:
            place -= 1
        history.insert(place, cue)
        waiting = self.waiting.get(key)
        if not waiting:
            return
        still: list[VirtualThread] = []
        for thread in waiting:
            if thread.awaited is not None and cue.moment > thread.awaited[1]:
                thread.time = cue.moment.time
                thread.awaited = None
                self._push(thread)
            else:
                still.append(thread)
        self.waiting[key] = still

    def next_cue(self, key: str, point: Moment) -> Cue | None:
        """The first cue after a moment."""
        found = None
        for cue in reversed(self.cues.get(key, ())):
            if cue.moment <= point:
                break
            found = cue
        return found

    def last_cue(self, key: str, point: Moment) -> Cue | None:
        """The last cue at or before a moment."""
        for cue in reversed(self.cues.get(key, ())):
            if cue.moment <= point:
                return cue
        return None
