"""The action agent: plans in, fragments of the memory out.

From each plan it walks the memory over the plan's windows. The first window keeps the fragment that
was foreseen for it whenever the plan still wants the same label there, so that an attack already
prepared stands; the later ones are foreseen anew, with what is now known of the future.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log10
from statistics import fmean
from typing import Final

import numpy as np
from pydantic import Field, ValidationError

from agents.action.clips import Change, Clips
from agents.action.fades import Crossfade
from agents.action.level import InputLevel, LevelConfig, match_level
from agents.action.manner import Expected
from agents.action.memory import Memory
from agents.action.navigation import Choice, Navigator
from agents.action.navigation_config import NavigationConfig
from agents.messages import (
    Audio,
    Clip,
    Control,
    Feedback,
    Fragment,
    HeardLabel,
    Message,
    Metric,
    Plan,
    Played,
)
from agents.musical_time import Moment
from models.alphabet import SILENCE

SECTION: Final = "action."
MISSED: Final = "missed"
USUAL_WINDOWS: Final = 64
"""Levels expected of so many windows make the usual one."""
ATTACK_SECONDS: Final = 2.0
"""Attacks expected in so long make the usual odds, which are moved to the memory's own."""
LEVEL_DELAY_WINDOWS: Final = 1
"""The level of the window just heard is left aside: it may arrive after the plan."""


class ActionConfig(NavigationConfig, LevelConfig, frozen=True, extra="forbid"):
    """How the memory is walked and how loud it sounds; every field is a control "action.FIELD"."""

    lead_seconds: float = Field(0.01, ge=0, le=0.1)
    """Sound before the grid in each fragment, seconds."""
    tail_seconds: float = Field(0.12, ge=0, le=2)
    """Sound after the window in each fragment, seconds."""
    entry_fade_seconds: float = Field(0.01, gt=0, le=0.05)
    """Of a segment that enters inside its window; ends where it enters, seconds."""
    clip_seconds: float = Field(240.0, ge=0, le=7200)
    """Evolved clips in the memory, seconds in all; the least liked, then the oldest go."""


@dataclass(frozen=True)
class _Placed:
    """What is placed in one window.

    Args:
        choice: the segment, and why.
        gain_db: its gain; None if not known (after a restart).
        after: the segment in the window before when it was chosen.
        sent: the samples have been sent.
        rotation: in which its labels are meant.
    """

    choice: Choice
    gain_db: float | None
    after: int
    sent: bool
    rotation: int = 0


class ActionAgent:
    """Answers plans with fragments of the memory.

    It takes Plan, HeardLabel, Played, Control ("action.*"), Clip, and Feedback ("change" leaves the
    passage at once, "back" takes a clip out of the memory). Besides fragments it sends what became
    of the memory, and the metrics "action.over_budget" (choices cut short so far) and
    "action.refused" (controls refused so far) when they grow.

    Args:
        memory: what it plays.
        navigator: over the labels of that memory; its config is replaced by `config`.
        config: how it walks and how loud it is.
        clips: what else comes into the memory; None takes in nothing.
    """

    def __init__(
        self,
        memory: Memory,
        navigator: Navigator,
        config: ActionConfig,
        clips: Clips | None = None,
    ) -> None:
        self.config = config
        self._memory = memory
        self._navigator = navigator
        self._input_level = InputLevel(float(memory.grid.window_seconds))
        self._expected_db: deque[float] = deque(maxlen=USUAL_WINDOWS)  # of what was planned
        kept = max(1, round(ATTACK_SECONDS / float(memory.grid.window_seconds)))
        self._expected_odds: deque[float] = deque(maxlen=kept)  # of attacks, mean of each window
        self._usual_log_odds = memory.manner.usual_log_odds
        self._placed: dict[int, _Placed] = {}
        self._newest_plan = -1
        self._leave = False
        self._n_refused = 0
        self._reported: dict[str, int] = {}
        navigator.config = config
        self._clips = clips
        resumed = clips.resume() if clips else None
        if resumed is not None:
            self._adopt(resumed, 0)

    def step(self, moment: Moment, inbox: Sequence[Message]) -> list[Message]:  # noqa: ARG002
        """Take in all messages and answer the newest plan.

        Returns:
            Fragments for the plan's windows: the first always, confirmed without samples if they
            were sent before; the others only if they have changed. Nothing without a new plan.
        """
        plans = [message for message in inbox if isinstance(message, Plan)]
        for message in inbox:
            self._take_in(message)
        outbox = self._take_over_memory(plans)
        newest = max(plans, key=lambda plan: plan.window, default=None)
        if newest is not None and newest.window >= self._newest_plan:
            outbox += self._answer(newest)
        window = newest.window if newest is not None else self._newest_plan
        return outbox + self._metrics(window)

    def restore(self, history: Sequence[Message]) -> None:
        """Take up the path, the level and the controls of an earlier life.

        Args:
            history: HeardLabel, Fragment, Played, Control, Clip and Feedback messages, oldest
                first; gaps count as rests. Fragments without samples keep the gain known before.
        """
        for message in history:
            if isinstance(message, Fragment):
                self._take_up(message)
            elif not (isinstance(message, Feedback) and message.about == ""):
                self._take_in(message)
        self._leave = False

    def _take_in(self, message: Message) -> None:
        match message:
            case HeardLabel(window, label, _, energy_db) if label != SILENCE:
                self._input_level.hear(window, energy_db, self.config.level_seconds)
            case Played():
                self._correct(message)
            case Control(_, name, value) if name.startswith(SECTION):
                self._set(name.removeprefix(SECTION), value)
            case Feedback(verdict="change"):
                self._leave = True
            case Feedback() if self._clips is not None:
                self._clips.obey(message)
            case Clip() if self._clips is not None:
                self._clips.take(message, self.config.clip_seconds)
            case _:
                pass

    def _take_over_memory(self, plans: Sequence[Plan]) -> list[Message]:
        """Walk the memory as it has become, from the newest plan on."""
        if self._clips is None:
            return []
        window = max([self._newest_plan + 1, *(plan.window for plan in plans)])
        outbox: list[Message] = []
        for change in self._clips.done():
            self._adopt(change, window)
            playable = tuple(tuple(sorted(labels)) for labels in change.memory.playable)
            outbox += [replace(e, window=window, playable=playable) for e in change.events]
        return outbox

    def _adopt(self, change: Change, window: int) -> None:
        """Swap the memory; what was foreseen from what is gone is forgotten."""
        manner = change.memory.manner
        self._memory, self._usual_log_odds = change.memory, manner.usual_log_odds
        self._navigator.walk(change.passages, manner)
        self._placed = {
            w: placed
            for w, placed in self._placed.items()
            if w < window
            or placed.choice.segment == SILENCE
            or change.memory.sounds_at(placed.choice.segment)
        }

    def _answer(self, plan: Plan) -> list[Message]:
        self._newest_plan = plan.window
        self._expected_db.extend(one.level_db for one in plan.activity[:1])
        self._expected_odds.extend(fmean(parts) for parts in plan.attack_log_odds[:1] if parts)
        outbox: list[Message] = []
        for offset, wanted in enumerate(plan.labels):
            window = plan.window + offset
            before = self._placed.get(window)
            if before is not None and (before.choice.wanted, before.rotation) != (
                wanted,
                plan.rotation,
            ):
                before = None
            placed = self._place(plan, window, before)
            joins = before is not None and before.choice.continues == placed.choice.continues
            if offset == 0 or not (placed.sent and joins):
                outbox.append(self._fragment(plan.window, window, placed))
            self._placed[window] = replace(placed, sent=True)
        self._leave = False
        self._forget(plan.window - self._navigator.history_windows)
        return outbox

    def _place(self, plan: Plan, window: int, before: _Placed | None) -> _Placed:
        """What sounds in `window`; `before` is what was foreseen for the same label, if any."""
        history, is_first = self._history(window), window == plan.window
        leave = self._leave and is_first
        if before is not None and is_first and not leave and before.after == history[-1]:
            return before
        choice = self._navigator.choose(
            plan.labels[window - plan.window :],
            history,
            window=window,
            rotation=plan.rotation,
            expected=self._expected(plan, window),
            preferred=SILENCE if before is None else before.choice.segment,
            leave=leave,
        )
        gain_db, sent = None, False
        if before is not None and before.choice.segment == choice.segment:
            gain_db, sent = before.gain_db, before.sent
        if gain_db is None and choice.segment != SILENCE:
            gain_db = self._gain_db(window, choice)
        return _Placed(choice, gain_db, history[-1], sent, plan.rotation)

    def _expected(self, plan: Plan, window: int) -> Expected:
        """How the plan expects a window to be played; its level is told against those before."""
        ahead = window - plan.window
        attacks = next(iter(plan.attacks[ahead:]), ())
        log_odds = self._as_the_memory_attacks(next(iter(plan.attack_log_odds[ahead:]), ()))
        if ahead >= len(plan.activity):
            return Expected(attacks, log_odds=log_odds)
        activity = plan.activity[ahead]
        usual_db = fmean(self._expected_db or [activity.level_db])
        return Expected(attacks, activity.onset, activity.level_db - usual_db, log_odds)

    def _as_the_memory_attacks(self, log_odds: Sequence[float]) -> tuple[float, ...]:
        """Odds of attacks made surer, and moved so that they are usually the memory's own.

        What is expected tells when; how often, the memory knows.
        """
        usual, sharp = fmean(self._expected_odds or [0.0]), self.config.attack_sharpness
        return tuple(sharp * (one - usual) + self._usual_log_odds for one in log_odds)

    def _history(self, window: int) -> list[int]:
        """Segments of the windows before `window`, oldest first, at least one."""
        windows = range(window - self._navigator.history_windows, window)
        found = [self._placed.get(before) for before in windows]
        return [SILENCE if placed is None else placed.choice.segment for placed in found]

    def _gain_db(self, window: int, choice: Choice) -> float:
        """The gain in `window`, joined to that of the last fragment before it."""
        windows = range(window - 1, window - self._navigator.history_windows - 1, -1)
        gains = (placed.gain_db for w in windows if (placed := self._placed.get(w)) is not None)
        return match_level(
            self.config,
            segment_db=float(self._memory.energy_db[choice.segment]),
            typical_db=self._memory.typical_db,
            input_db=self._input_level.before(self._newest_plan - LEVEL_DELAY_WINDOWS),
            before_db=next((gain_db for gain_db in gains if gain_db is not None), None),
            continues=choice.continues,
        )

    def _fragment(self, plan_window: int, window: int, placed: _Placed) -> Fragment:
        choice = placed.choice
        lead_samples = 0
        samples = np.zeros((0, self._memory.channels), dtype=np.float32)
        if choice.segment != SILENCE and not placed.sent:
            lead_samples = round(self.config.lead_seconds * self._memory.grid.sample_rate)
            samples = self._cut(choice.segment, lead_samples, placed.gain_db)
            if choice.entry:
                self._enter_late(samples, lead_samples, window, placed)
        return Fragment(
            window=window,
            plan_window=plan_window,
            wanted=choice.wanted,
            label=choice.label,
            segment=choice.segment,
            reason=choice.reason,
            continues=choice.continues,
            lead_samples=lead_samples,
            samples=samples,
            rotation=placed.rotation,
            entry_samples=self._entry_samples(window, choice),
            after=placed.after if choice.entry else SILENCE,
        )

    def _entry_samples(self, window: int, choice: Choice) -> int:
        """Frames after the grid at which a segment enters."""
        grid = self._memory.grid
        return round(choice.entry * (grid.boundary(window + 1) - grid.boundary(window)))

    def _cut(self, segment: int, lead_samples: int, gain_db: float | None) -> Audio:
        """A segment with lead and tail, at its level."""
        tail_samples = round(self.config.tail_seconds * self._memory.grid.sample_rate)
        samples = self._memory.cut(segment, lead_samples, tail_samples)
        samples *= np.float32(10 ** ((gain_db or 0.0) / 20))
        return samples

    def _enter_late(self, samples: Audio, lead_samples: int, window: int, placed: _Placed) -> None:
        """Let what sounded before go on in `samples` until the segment enters, in place."""
        entry = lead_samples + self._entry_samples(window, placed.choice)
        fade_samples = round(self.config.entry_fade_seconds * self._memory.grid.sample_rate)
        fade = Crossfade(min(entry, max(fade_samples, 1)))
        before = np.zeros_like(samples[:entry])
        if placed.after != SILENCE:
            previous = self._placed.get(window - 1)
            known = None if previous is None else previous.gain_db
            gain_db = placed.gain_db if known is None else known
            goes_on = self._cut(placed.after + 1, lead_samples, gain_db)[:entry]
            before[: len(goes_on)] = goes_on
        begin = entry - fade.n_samples
        fade.join(before[begin:], samples[begin:entry], 0, coherent=False)
        samples[:entry] = before

    def _correct(self, played: Played) -> None:
        """Believe the device: what sounded counts, and what it lost is sent again."""
        if played.reason == MISSED:
            self._placed = {w: replace(p, sent=False) for w, p in self._placed.items()}
            self._placed.pop(played.window, None)
            return
        placed = self._placed.get(played.window)
        if placed is None or placed.choice.segment != played.segment:
            choice = Choice(
                played.segment, played.label, played.wanted, played.reason, continues=False
            )
            self._placed[played.window] = _Placed(choice, None, SILENCE, sent=True)

    def _take_up(self, fragment: Fragment) -> None:
        """Place a fragment that an earlier life has sent."""
        choice = Choice(
            fragment.segment,
            fragment.label,
            fragment.wanted,
            fragment.reason,
            continues=fragment.continues,
            entry=self._entry_of(fragment),
        )
        gain_db = self._sent_gain_db(fragment)
        before = self._placed.get(fragment.window)
        if gain_db is None and before is not None and before.choice.segment == choice.segment:
            gain_db = before.gain_db
        previous = self._history(fragment.window)[-1]
        self._placed[fragment.window] = _Placed(choice, gain_db, previous, True, fragment.rotation)

    def _entry_of(self, fragment: Fragment) -> float:
        """Share of its window that is over when a fragment's segment enters."""
        grid, window = self._memory.grid, fragment.window
        return fragment.entry_samples / (grid.boundary(window + 1) - grid.boundary(window))

    def _sent_gain_db(self, fragment: Fragment) -> float | None:
        """The gain that its samples were sent with, dB; None if they do not tell."""
        if not (len(fragment.samples) and 0 <= fragment.segment < len(self._memory)):
            return None
        lead_samples = fragment.lead_samples
        own = slice(lead_samples + fragment.entry_samples if fragment.entry_samples else 0, None)
        sound = self._memory.cut(fragment.segment, lead_samples, len(fragment.samples))
        norm = float(np.linalg.norm(sound[: len(fragment.samples)][own]))
        sent_norm = float(np.linalg.norm(fragment.samples[own]))
        return 20 * log10(sent_norm / norm) if norm and sent_norm else None

    def _set(self, name: str, value: float | int | str | bool) -> None:
        """Take over one field of the configuration, or count that it is refused."""
        if name not in ActionConfig.model_fields:
            self._n_refused += 1
            return
        try:
            self.config = ActionConfig.model_validate({**self.config.model_dump(), name: value})
        except ValidationError:
            self._n_refused += 1
            return
        self._navigator.config = self.config

    def _metrics(self, window: int) -> list[Message]:
        counts = {
            f"{SECTION}over_budget": self._navigator.n_over_budget,
            f"{SECTION}refused": self._n_refused,
        }
        grown = {name: n for name, n in counts.items() if n != self._reported.get(name, 0)}
        self._reported |= grown
        return [Metric(max(window, 0), name, float(n)) for name, n in grown.items()]

    def _forget(self, first: int) -> None:
        """Drop what lies before window `first`."""
        for window in [window for window in self._placed if window < first]:
            del self._placed[window]
