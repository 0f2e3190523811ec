"""Crossfaded concatenation on the output sample clock: fragments in, one seamless stream out.

The sounding material is a pile of voices in order of their windows. Each voice enters by a
crossfade from *everything* below it to itself; once it is wholly in, what lies below is gone. So
corrections upon corrections, silences and holes need no special case and cannot click. Gains are
read by absolute sample position: blocks of any size give the same samples, bit by bit.

Positions are samples of the device clock from 0; window k holds [boundary(k), boundary(k + 1)).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from pydantic import BaseModel, Field

from agents.action.fades import Crossfade, MasterGain, release
from agents.messages import SILENCE, Audio, Fragment
from corpus.segmentation import WindowGrid

REMEMBERED_WINDOWS = 16
"""Windows after its end for which `sounded` still knows what a window played."""


class ConcatenatorConfig(BaseModel, frozen=True, extra="forbid"):
    """How fragments are joined."""

    fade_seconds: float = Field(default=0.010, gt=0, le=0.05)  # length of every join, seconds
    release_seconds: float = Field(default=0.060, gt=0, le=1)  # last part of a tail, faded, seconds
    panic_seconds: float = Field(default=0.0025, gt=0, le=0.02)  # fade after `panic`, seconds
    horizon_windows: int = Field(default=64, ge=1, le=1024)  # how far ahead fragments are kept


class Outcome(StrEnum):
    """What became of a fragment that was scheduled."""

    SCHEDULED = "scheduled"  # it will enter on the grid
    JOINED = "joined"  # its window is sounding already: it enters now, at its own offset
    CONFIRMED = "confirmed"  # it is there already
    LATE = "late"  # its window is over, or leaves no room for a join
    STALE = "stale"  # a newer plan has spoken for its window
    UNKNOWN = "unknown"  # it confirms a segment that has never come
    REFUSED = "refused"  # malformed, or too far ahead


@dataclass(eq=False)
class _Voice:
    """A fragment in the pile.

    Args:
        fragment: what it plays, without its samples.
        start: position of samples[0].
        entry: position at which its crossfade begins.
        samples: (frames, channels), the end faded out; empty for silence.
        coherent: joins the voice below as the same signal; None until it begins to sound.
    """

    fragment: Fragment
    start: int
    entry: int
    samples: Audio
    coherent: bool | None = None

    def span(self, begin: int, end: int) -> Audio:
        """Its samples at positions [begin, end), zeros where it has none."""
        first, last = begin - self.start, end - self.start
        if first >= 0 and last <= len(self.samples):
            return self.samples[first:last]
        padded = np.zeros((end - begin, self.samples.shape[1]), dtype=np.float32)
        inside = self.samples[max(first, 0) : max(last, 0)]
        offset = max(-first, 0)
        padded[offset : offset + len(inside)] = inside
        return padded


class Concatenator:
    """Joins fragments on the window grid by crossfades that end where an attack begins.

    Args:
        grid: the windows on the sample clock.
        channels: channels of the output, ≥ 1; mono fragments are spread, stereo ones averaged
            for a mono output, anything else is refused.
        config: lengths of fades and queue.

    Raises:
        ValueError: channels below 1, or windows too short for the crossfade.
    """

    def __init__(
        self, grid: WindowGrid, channels: int, config: ConcatenatorConfig | None = None
    ) -> None:
        self.config = config or ConcatenatorConfig()
        if channels < 1:
            raise ValueError(f"channels must be at least 1, got {channels}")
        rate = grid.sample_rate
        fade_samples = max(round(self.config.fade_seconds * rate), 1)
        if 2 * fade_samples > grid.longest_window_samples - 1:
            raise ValueError(
                f"two crossfades of {self.config.fade_seconds} s must fit into a window of "
                f"{float(grid.window_seconds)} s; shorten fade_seconds"
            )
        self.channels = channels
        self.position = 0
        self.counts = dict.fromkeys(Outcome, 0)
        self._grid = grid
        self._fade = Crossfade(fade_samples)
        self._release_samples = max(round(self.config.release_seconds * rate), fade_samples)
        self._panic_samples = max(round(self.config.panic_seconds * rate), 1)
        self._master = MasterGain()
        self._voices: list[_Voice] = []
        self._said: dict[int, Fragment] = {}

    def schedule(self, fragment: Fragment) -> Outcome:
        """Take a fragment; say what becomes of it. Never raises on what a stream may bring.

        A fragment for a window not yet sounding replaces the one foreseen; inside its window it
        joins at the current position, laid on the grid. Counted by outcome in `counts`.
        """
        outcome = self._judge(fragment)
        if outcome in (Outcome.SCHEDULED, Outcome.JOINED):
            self._insert(fragment)
        if outcome in (Outcome.SCHEDULED, Outcome.JOINED, Outcome.CONFIRMED):
            nothing = np.zeros((0, self.channels), dtype=np.float32)
            self._said[fragment.window] = replace(fragment, samples=nothing, lead_samples=0)
        self.counts[outcome] += 1
        return outcome

    def _judge(self, fragment: Fragment) -> Outcome:
        window = fragment.window
        if not self._well_formed(fragment):
            return Outcome.REFUSED
        if window > self._grid.window_of(self.position) + self.config.horizon_windows:
            return Outcome.REFUSED
        if self.position + self._fade.n_samples > self._grid.boundary(window + 1):
            return Outcome.LATE
        known = self._said.get(window)
        if known is not None and fragment.plan_window < known.plan_window:
            return Outcome.STALE
        same = known is not None and known.segment == fragment.segment
        if fragment.segment >= 0 and len(fragment.samples) == 0:
            return Outcome.CONFIRMED if same else Outcome.UNKNOWN
        sounding = self._entry(fragment) < self.position
        if same and (sounding or fragment.segment == SILENCE):
            return Outcome.CONFIRMED
        return Outcome.JOINED if sounding else Outcome.SCHEDULED

    def _well_formed(self, fragment: Fragment) -> bool:
        samples = fragment.samples
        return (
            fragment.window >= 0
            and fragment.segment >= SILENCE
            and samples.ndim == 2
            and 0 <= fragment.lead_samples <= len(samples)
            and (fragment.segment != SILENCE or len(samples) == 0)
            and (samples.shape[1] in (1, self.channels) or self.channels == 1 or len(samples) == 0)
            and bool(np.isfinite(samples).all())
        )

    def _entry(self, fragment: Fragment) -> int:
        """Where its crossfade would begin if it were in time.

        With less lead-in than a crossfade takes, it begins with the first sample and ends later.
        """
        room = self._fade.n_samples
        if fragment.segment >= 0:
            room = min(room, fragment.lead_samples)
        return self._grid.boundary(fragment.window) - room

    def _insert(self, fragment: Fragment) -> None:
        window = fragment.window
        voice = _Voice(
            fragment=replace(fragment, samples=fragment.samples[:0], lead_samples=0),
            start=self._grid.boundary(window) - fragment.lead_samples,
            entry=max(self._entry(fragment), self.position),
            samples=self._prepare(fragment),
        )
        kept = [v for v in self._voices if v.fragment.window != window or v.entry < self.position]
        below = sum(v.fragment.window <= window for v in kept)
        self._voices = [*kept[:below], voice, *kept[below:]]

    def _prepare(self, fragment: Fragment) -> Audio:
        """A copy with the right channels and its end faded out, never before its window ends.

        Only a fragment without room for a release in its tail fades inside its window.
        """
        source = np.asarray(fragment.samples, dtype=np.float32)
        if self.channels == 1 and source.shape[1] > 1:
            source = source.mean(axis=1, keepdims=True, dtype=np.float32)
        samples = np.empty((len(source), self.channels), dtype=np.float32)
        samples[:] = source
        window = fragment.window
        own = fragment.lead_samples + self._grid.boundary(window + 1) - self._grid.boundary(window)
        begin = max(len(samples) - self._release_samples, own)
        begin = max(min(begin, len(samples) - self._fade.n_samples), 0)
        samples[begin:] *= release(len(samples) - begin)
        return samples

    def render(self, start_sample: int, n_samples: int) -> Audio:
        """The next `n_samples` from `start_sample` on, shape (n_samples, channels).

        Raises:
            ValueError: `start_sample` lies before what was rendered already.
        """
        if start_sample < self.position:
            raise ValueError(
                f"rendering only moves on: start_sample must be at least {self.position}, "
                f"got {start_sample}"
            )
        self.position = start_sample
        end = start_sample + n_samples
        out = np.zeros((n_samples, self.channels), dtype=np.float32)
        for below, voice in self._entered(end):
            self._lay(out, below, voice)
        self._master.apply(out, start_sample)
        self.position = end
        self._forget()
        return out

    def _entered(self, end: int) -> Iterator[tuple[_Voice | None, _Voice]]:
        """Voices that sound before `end`, lowest first, each with the one below it."""
        below: _Voice | None = None
        for voice in self._voices:
            if voice.entry < end:
                yield below, voice
                below = voice

    def _lay(self, out: Audio, below: _Voice | None, voice: _Voice) -> None:
        """Bring `voice` in above what `out` (the block at `position`) holds already."""
        if voice.coherent is None:
            voice.coherent = below is not None and self._is_one_signal(voice, below)
        begin = max(self.position, voice.entry)
        end = self.position + len(out)
        whole = min(max(voice.entry + self._fade.n_samples, begin), end)
        sound = voice.span(begin, end)
        joining = out[begin - self.position : whole - self.position]
        if len(joining):
            fresh = sound[: whole - begin]
            self._fade.join(joining, fresh, begin - voice.entry, coherent=voice.coherent)
        out[whole - self.position :] = sound[whole - begin :]

    def _is_one_signal(self, voice: _Voice, below: _Voice) -> bool:
        """Where `voice` comes in, both play the same place of the memory: the join is coherent.

        `continues` was said of the window *planned* before; a correction may have put another
        there.
        """
        fragment, previous = voice.fragment, below.fragment
        joined = voice.entry + self._fade.n_samples - self._grid.boundary(fragment.window)
        sounds = self._sounding(fragment, joined)
        if previous.window == fragment.window:  # a correction
            return sounds != SILENCE and sounds == self._sounding(previous, joined)
        goes_on = fragment.continues or sounds != fragment.segment
        return (
            goes_on
            and previous.window == fragment.window - 1
            and previous.segment == sounds - 1
            and previous.segment >= 0
        )

    def _sounding(self, fragment: Fragment, until: int) -> int:
        """Which segment a fragment plays in a join that ends `until` frames after the grid.

        SILENCE if that is none, or another has begun to enter.
        """
        entry = fragment.entry_samples
        if entry == 0 or until - self._fade.n_samples >= entry:
            return fragment.segment
        waits = until <= entry - self._fade.n_samples and fragment.after != SILENCE
        return fragment.after + 1 if waits else SILENCE

    def _forget(self) -> None:
        """Drop voices that a later one covers, and windows long over."""
        whole = self.position - self._fade.n_samples
        covered = [i for i, voice in enumerate(self._voices) if voice.entry <= whole]
        if covered:
            del self._voices[: covered[-1]]
        oldest = self._grid.window_of(self.position) - REMEMBERED_WINDOWS
        for window in [w for w in self._said if w < oldest]:
            del self._said[window]

    def sounded(self, window: int) -> Fragment | None:
        """What `window` plays as things stand, without samples; None means missed.

        Known for `REMEMBERED_WINDOWS` windows after its end.
        """
        return self._said.get(window)

    def panic(self) -> None:
        """Fade everything to zero within `panic_seconds`; stay silent until `resume`."""
        self._master.move(0.0, self.position, self._panic_samples)

    def resume(self) -> None:
        """Sound again after `panic`, on the grid as if nothing had been."""
        self._master.move(1.0, self.position, self._fade.n_samples)
