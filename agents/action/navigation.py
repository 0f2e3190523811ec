"""Scenario navigation: which segment of the memory sounds next, given the labels that are wanted.

Longest continuation first, after Nika and Chemillier 2012 (scenario and memory) on the factor
oracle of Assayag and Dubnov 2004. Where we differ: the place with the longest continuation is
found exactly, by a suffix array; suffix links serve to find places that share the past; all work
is bounded, by a number of candidates and by the clock.

Labels may be meant in several rotations: the segments are the same and only their labels differ,
so a passage goes on across a change of rotation wherever its labels still fit.

Silence is skipped on both sides: a rest in the scenario is played as a rest and does not break what
follows, and after a rest of the memory its next segment that sounds continues.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from agents.action.entries import Offer, best_entry
from agents.action.manner import Expected, Manner
from agents.action.navigation_config import NavigationConfig
from agents.action.passages import Passages
from agents.action.suffix_array import BREAK, DEPTH, SYMBOL_BYTES, Occurrences
from models.alphabet import SILENCE

N_DRAWS = 4093
NOTHING_EXPECTED = Expected()
N_MANNER_CANDIDATES = 16
"""Equals among which the one that is played as expected is chosen."""
N_ENTRY_CANDIDATES = 128
"""Places looked at where it is foreseen when attacks come."""


@dataclass(frozen=True)
class Choice:
    """What sounds in one window.

    Args:
        segment: index in the memory, or SILENCE.
        label: label of the segment, or SILENCE.
        wanted: label of the scenario, or SILENCE.
        reason: "continuation" (the memory's next segment), "hold" (the same, whatever its label, as
            no attack is expected), "scenario" (matches the coming labels),
            "suffix" (shares the past as well), "jump" (matches this label only), "nearest"
            (the memory does not have the label) or "silence".
        continues: the segment follows without a gap the one that sounded a window before.
        entry: share of the window that is over before it enters, in [0, 1); until then the passage
            of the window before goes on, or its rest.
    """

    segment: int
    label: int
    wanted: int
    reason: str
    continues: bool
    entry: float = 0.0


@dataclass(frozen=True)
class _Query:
    """One choice to make: what is wanted, and where the history has led.

    Args:
        passages: the memory's labels in the rotation in which the scenario is meant.
        label: the label wanted, or its substitute; the memory has it.
        pattern: the coming labels, as the suffix array reads them.
        previous: position that sounded last, or BREAK.
        before: segment of the window before, or SILENCE.
        leaving: the passage has gone on for long enough.
        last_heard: segments under taboo; the larger the number, the later.
        preferred: position that was foreseen, or BREAK.
        draw: decides among equals, ≥ 0.
        expected: of how the window is played.
        deadline: when to stop, seconds.
    """

    passages: Passages
    label: int
    pattern: bytes
    previous: int
    before: int
    leaving: bool
    last_heard: dict[int, int]
    preferred: int
    draw: int
    expected: Expected
    deadline: float


class Navigator:
    """Walks the labels of one memory; keeps no state but its configuration and a count.

    The answer depends on the arguments of a call and on the seed only, at any pace, as long as
    the time budget holds.

    Args:
        passages: the memory's labels, indexed, for each rotation, at least one.
        config: how to walk; may be replaced between calls.
        seed: of the choice among equals, ≥ 0.
        now: monotonic time in seconds, for the budget only.
        manner: how each segment is played; None if the choice shall not depend on it.
    """

    def __init__(
        self,
        passages: Sequence[Passages],
        config: NavigationConfig,
        *,
        seed: int,
        now: Callable[[], float],
        manner: Manner | None = None,
    ) -> None:
        self.config = config
        self.n_over_budget = 0
        """Choices cut short by the time budget so far."""
        self._now = now
        self.walk(passages, manner)
        self._draws: list[int] = np.random.default_rng(seed).integers(2**31, size=N_DRAWS).tolist()

    def walk(self, passages: Sequence[Passages], manner: Manner | None = None) -> None:
        """Walk another memory from now on, in which segments have the indices they had.

        Args:
            passages: as for the class.
            manner: as for the class.
        """
        self._passages, self._manner = tuple(passages), manner

    @property
    def history_windows(self) -> int:
        """How many windows of the history count."""
        return max(self.config.taboo, self.config.max_continuity)

    def navigate(
        self, scenario: Sequence[int], history: Sequence[int] = (), *, window: int = 0
    ) -> list[Choice]:
        """Walk a whole scenario within one time budget.

        Args:
            scenario: labels wanted in windows `window`, `window` + 1, …; may hold SILENCE.
            history: segments that sounded in the windows before, oldest first.
            window: index of the first window.
        """
        deadline = self._now() + self.config.budget_seconds
        path = list(history)
        choices = []
        for offset in range(len(scenario)):
            coming = scenario[offset : offset + DEPTH]
            choice = self._choose(coming, path, window + offset, deadline)
            choices.append(choice)
            path.append(choice.segment)
        return choices

    def choose(
        self,
        scenario: Sequence[int],
        history: Sequence[int],
        *,
        window: int,
        rotation: int = 0,
        expected: Expected = NOTHING_EXPECTED,
        preferred: int = SILENCE,
        leave: bool = False,
    ) -> Choice:
        """The segment for the head of a scenario.

        Args:
            scenario: the labels wanted from `window` on, at least one; DEPTH of them count.
            history: segments that sounded in the windows before, oldest first, SILENCE for rests.
            window: index of the window to choose for, ≥ 0.
            rotation: in which the scenario's labels are meant.
            expected: of how the window is played; among equals the segment that fits best is taken.
            preferred: taken among equals, after a continuation: what was foreseen before.
            leave: seek another passage even if this one could go on.

        Raises:
            ValueError: the scenario is empty, or the memory does not have this rotation.
        """
        if not scenario:
            raise ValueError("a scenario must hold at least one label, got none; send a plan of H")
        if not 0 <= rotation < len(self._passages):
            raise ValueError(
                f"rotation must be in 0..{len(self._passages) - 1}, as the memory was labelled, "
                f"got {rotation}; label it with the bundle that plans"
            )
        deadline = self._now() + self.config.budget_seconds
        return self._choose(
            scenario, history, window, deadline, rotation, expected, preferred, leave=leave
        )

    def _choose(
        self,
        scenario: Sequence[int],
        history: Sequence[int],
        window: int,
        deadline: float,
        rotation: int = 0,
        expected: Expected = NOTHING_EXPECTED,
        preferred: int = SILENCE,
        *,
        leave: bool = False,
    ) -> Choice:
        passages, wanted = self._passages[rotation], scenario[0]
        if wanted == SILENCE or not passages.playable:
            return Choice(SILENCE, SILENCE, wanted, "silence", continues=False)
        previous, continuity = self._passage_so_far(passages, history)
        query = _Query(
            passages=passages,
            label=passages.substitute(wanted),
            pattern=passages.pattern(scenario),
            previous=previous,
            before=history[-1] if history else SILENCE,
            leaving=leave or continuity >= self.config.max_continuity,
            last_heard=self._last_heard(history),
            preferred=passages.position_of(preferred),
            draw=self._draws[window % N_DRAWS],
            expected=expected,
            deadline=deadline,
        )
        foreseen = self.config.attack_weight > 0 and bool(expected.log_odds)
        position, reason, entry = self._entering(query) if foreseen else (*self._best(query), 0.0)
        segment = passages.segment_at(position)
        return Choice(
            segment=segment,
            label=passages.label(segment),
            wanted=wanted,
            reason=reason if query.label == wanted else "nearest",
            continues=passages.follows(query.before, segment),
            entry=entry,
        )

    def _entering(self, query: _Query) -> tuple[int, str, float]:
        """The position whose attacks fit best, why, and when in the window it enters."""
        log_odds = np.array(query.expected.log_odds, dtype=np.float32)
        if self._manner is None or self._manner.strikes.shape[1:] != log_odds.shape:
            return (*self._best(query), 0.0)
        if self._now() > query.deadline:
            return (*self._hurried(query, self._match_ahead(query)), 0.0)
        goes_on = query.passages.follows(query.before, query.before + 1)
        ahead = query.passages.position_of(query.before + 1) if goes_on else BREAK
        staying = None
        if ahead != BREAK and not query.leaving:
            staying = self._offer(query, ahead, self._match(ahead, query))
        entry = best_entry(
            [
                self._offer(query, place, length)
                for place, length in self._free_places(query).items()
            ],
            staying,
            log_odds,
            self.config.attack_weight,
            waits=goes_on or query.before == SILENCE,
        )
        if entry is None:
            return (*self._best(query), 0.0)
        if entry.stays:
            fits = staying is not None and staying.matched > 0
            return entry.position, "continuation" if fits else "hold", 0.0
        matched = self._match(entry.position, query)
        return entry.position, "scenario" if matched > 1 else "jump", entry.share

    def _offer(self, query: _Query, position: int, matched: int) -> Offer:
        assert self._manner is not None
        strikes = self._manner.strikes[query.passages.segment_at(position)]
        return Offer(position, strikes, matched, foreseen=position == query.preferred)

    def _free_places(self, query: _Query) -> dict[int, int]:
        """Positions that have the label, and how many of the coming labels: longest matches first.

        What was foreseen comes before all.
        """
        array, places = query.passages.array, dict[int, int]()
        if self._is_free(query, query.preferred) and (n := self._match(query.preferred, query)):
            places[query.preferred] = n
        found = array.longest(query.pattern)
        for length in range(found.length, 0, -1):
            if length < found.length:
                found = array.occurrences(query.pattern[: SYMBOL_BYTES * length])
            for position in self._candidates(query, found, N_ENTRY_CANDIDATES):
                if len(places) >= N_ENTRY_CANDIDATES:
                    return places
                if position not in places and self._is_free(query, position):
                    places[position] = length
        return places

    def _best(self, query: _Query) -> tuple[int, str]:
        """The best position found in time, and why."""
        array, ahead = query.passages.array, query.previous + 1
        following = self._match_ahead(query)
        stays = 0 if query.leaving or not following else following + self.config.continuity_bonus
        if SYMBOL_BYTES * stays >= len(query.pattern):
            return ahead, "continuation"
        if self._now() > query.deadline:
            return self._hurried(query, following)
        found = array.longest(query.pattern)
        shared, n_shared = self._sharing_the_past(query)
        for length in range(found.length, 0, -1):
            if stays >= length:
                return ahead, "continuation"
            if self._now() > query.deadline:
                return self._hurried(query, following)
            if length < found.length:
                found = array.occurrences(query.pattern[: SYMBOL_BYTES * length])
            foreseen = self._is_free(query, query.preferred)
            if foreseen and array.match(query.preferred, query.pattern) >= length:
                return query.preferred, "scenario" if length > 1 else "jump"
            if n_shared and n_shared + self.config.context_bonus >= length:
                return shared, "suffix"
            free = (p for p in self._candidates(query, found) if self._is_free(query, p))
            equals = list(islice(free, 1 if query.expected.is_nothing else N_MANNER_CANDIDATES))
            if equals:
                return self._most_fitting(query, equals), "scenario" if length > 1 else "jump"
        if following:
            return ahead, "continuation"
        return self._least_recent(query, found), "jump"

    def _match_ahead(self, query: _Query) -> int:
        """How many of the coming labels the memory's next segments have."""
        return 0 if query.previous == BREAK else self._match(query.previous + 1, query)

    def _match(self, position: int, query: _Query) -> int:
        return query.passages.array.match(position, query.pattern)

    def _hurried(self, query: _Query, following: int) -> tuple[int, str]:
        """An answer in no time: the next segment if it fits, else any that has the label."""
        self.n_over_budget += 1
        if following:
            return query.previous + 1, "continuation"
        return query.passages.some_position(query.label), "jump"

    def _sharing_the_past(self, query: _Query) -> tuple[int, int]:
        """The free position with the same past that matches most of what comes, and how much."""
        best, n_best = BREAK, 0
        if query.previous == BREAK:
            return best, n_best
        similar = query.passages.oracle.similar(query.previous + 1)
        for state, n_shared in islice(similar, self.config.context_candidates):
            if n_shared >= self.config.min_context and self._is_free(query, state):
                n_matched = self._match(state, query)
                if n_matched > n_best:
                    best, n_best = state, n_matched
        return best, n_best

    def _most_fitting(self, query: _Query, positions: Sequence[int]) -> int:
        """The position that is played most as expected; the first if nothing is."""
        if self._manner is None or len(positions) == 1:
            return positions[0]
        segments = [query.passages.segment_at(position) for position in positions]
        fit = self._manner.fit(segments, query.expected, self.config.activity_weight)
        return positions[int(np.argmax(fit))]

    def _candidates(
        self, query: _Query, found: Occurrences, n_wanted: int = N_MANNER_CANDIDATES
    ) -> Iterator[int]:
        """Positions in an order that the draw decides: more than can be under taboo."""
        n_found = found.last - found.first
        n_taboo = len(query.last_heard) + 1 + (2 * self.config.taboo if query.leaving else 0)
        for offset in range(min(n_found, n_taboo + n_wanted)):
            yield query.passages.array.position(found.first + (query.draw + offset) % n_found)

    def _is_free(self, query: _Query, position: int) -> bool:
        """Whether a jump may go there: not heard lately, and not near a passage to be left."""
        segment = query.passages.segment_at(position)
        if segment == SILENCE or segment in query.last_heard:
            return False
        if query.previous == BREAK:
            return True
        beyond = position - query.previous
        return beyond != 1 and not (query.leaving and abs(beyond) <= self.config.taboo)

    def _least_recent(self, query: _Query, found: Occurrences) -> int:
        """Where everything is under taboo: what was heard longest ago."""
        return min(
            self._candidates(query, found),
            key=lambda position: query.last_heard.get(query.passages.segment_at(position), -1),
        )

    def _passage_so_far(self, passages: Passages, history: Sequence[int]) -> tuple[int, int]:
        """The position that sounded last (or BREAK), and for how many windows its passage runs."""
        position_of, first, continuity = passages.position_of, BREAK, 0
        last = BREAK
        for segment in reversed(history[-self.history_windows :]):
            position = position_of(segment)
            if position == BREAK:
                continue
            if continuity and position != first - 1:
                break
            last = position if not continuity else last
            first = position
            continuity += 1
        return last, continuity

    def _last_heard(self, history: Sequence[int]) -> dict[int, int]:
        recent = history[-self.config.taboo :] if self.config.taboo else ()
        return {segment: age for age, segment in enumerate(recent) if segment != SILENCE}
