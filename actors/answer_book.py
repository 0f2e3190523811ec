"""Which answers came for which window, and when: the account behind every `Played`."""

from dataclasses import dataclass

from agents.messages import SILENCE, Fragment, Played

REMEMBERED_WINDOWS = 256
"""Bound of the book; answers further ahead than that are not kept."""


@dataclass
class _Entry:
    """What is known about one window.

    Args:
        reached: seconds at which the input reached its start; None if not yet.
        foreseen: segment that stood for it at that moment; None if there was none.
        answered: seconds at which its fresh answer came in time; None if it did not.
        fresh: segment that the fresh answer named.
    """

    reached: float | None = None
    foreseen: int | None = None
    answered: float | None = None
    fresh: int | None = None


class AnswerBook:
    """Keeps, per window, what was foreseen, when its fresh answer came, and what sounded.

    A fresh answer for window k is the first fragment with `window` = `plan_window` = k: it rests
    on everything heard up to T_k. Seconds are monotonic, of one clock.
    """

    def __init__(self) -> None:
        self._entries: dict[int, _Entry] = {}
        self._newest_plan = 0

    def reach(self, window: int, seconds: float, foreseen: int | None) -> None:
        """The input has reached the start of `window`, for which segment `foreseen` stands."""
        entry = self._entry(window)
        entry.reached, entry.foreseen = seconds, foreseen

    def answer(self, fragment: Fragment, seconds: float) -> None:
        """A fragment came in time for its window, at `seconds`."""
        self._newest_plan = max(self._newest_plan, fragment.plan_window)
        entry = self._entry(fragment.window)
        if fragment.plan_window == fragment.window and entry.answered is None:
            entry.answered, entry.fresh = seconds, fragment.segment

    def close(self, window: int, sounded: Fragment | None, underruns: int) -> Played:
        """The account of `window`, which has ended.

        A window for which nothing came is "missed", except window 0: nothing was heard before
        it, so no answer was due, and it is "start".

        Its staleness is that of the newest information it rests on: a newer plan that left its
        fragment as it stood has decided for it again, although nothing was sent.
        """
        entry = self._entries.pop(window, _Entry())
        reaction = None
        if entry.reached is not None and entry.answered is not None:
            reaction = max(entry.answered - entry.reached, 0.0)
        reason = "start" if window == 0 else "missed"
        plan = min(self._newest_plan, window)
        return Played(
            window=window,
            label=sounded.label if sounded else SILENCE,
            wanted=sounded.wanted if sounded else SILENCE,
            segment=sounded.segment if sounded else SILENCE,
            reason=sounded.reason if sounded else reason,
            staleness=max(window - max(plan, sounded.plan_window if sounded else 0), 0),
            reaction_seconds=reaction,
            foreseen_stood=entry.fresh is not None and entry.fresh == entry.foreseen,
            underruns=underruns,
        )

    def _entry(self, window: int) -> _Entry:
        entry = self._entries.setdefault(window, _Entry())
        while len(self._entries) > REMEMBERED_WINDOWS:
            del self._entries[max(self._entries)]
        return entry
