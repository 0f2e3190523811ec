"""From events to rows of numbers: which sound of the atlas, how high, how loud, when, how long."""

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from corpus.sonic_pi.atlas import ATLAS_NOTES
from corpus.sonic_pi.events import Event
from corpus.sonic_pi.mel import FRAME_SECONDS
from corpus.sonic_pi.sketch_tables import AtlasTables

__all__ = ["SoundRow", "sound_rows"]

_FOREVER: Final = 1e6
_STEPS_OF_SLIDE: Final = 4
_ALIASES: Final = {"sine": "beep", "mod_beep": "mod_sine"}


@dataclass(frozen=True)
class SoundRow:
    """One sound, or a stretch of one between changes of it.

    Args:
        numbers: 0 first part, 1 parts; 2 semitones to move; 3 amplitude; 4 low-pass now (MIDI, 0
            none), 5 low-pass in the atlas, 6 resonance, 7 high-pass (0 none); 8 onset, 9 length in
            seconds; 10 frames of the course for each frame, 11 frame at which it begins; 12-15
            attack, decay, sustain, release in seconds; 16-18 levels after them; 19-20 the stretch
            that sounds, in seconds from the onset.
        bus: where it goes.
        is_sample: not a note.
        is_first: begins here, not at a change.
    """

    numbers: tuple[float, ...]
    bus: int
    is_sample: bool
    is_first: bool


def sound_rows(
    events: Sequence[Event], seconds: float, tables: AtlasTables
) -> tuple[list[SoundRow], tuple[str, ...]]:
    """A row for every sound, and the names of sounds that the atlas lacks."""
    changes: dict[int, list[Event]] = {}
    for event in events:
        if event.kind == "control":
            changes.setdefault(event.node, []).append(event)
    rows: list[SoundRow] = []
    unknown: dict[str, None] = {}
    for event in events:
        if event.time >= seconds or event.kind not in ("synth", "sample"):
            continue
        changed = changes.get(event.node)
        for start, end, arguments in _stretches(event, changed) if changed else _WHOLE:
            row = _row(event, arguments or event.arguments, start, end, tables)
            if row is None:
                unknown[event.name] = None
            else:
                rows.append(row)
    return rows, tuple(unknown)


_WHOLE: Final[tuple[tuple[float, float, Mapping[str, float] | None], ...]] = (
    (0.0, _FOREVER, None),
)


def _stretches(
    event: Event, changes: Sequence[Event]
) -> list[tuple[float, float, Mapping[str, float]]]:
    """The stretches between changes, slides in a few steps: start, end, arguments."""
    current = dict(event.arguments)
    points: list[tuple[float, dict[str, float]]] = [(0.0, dict(current))]
    for change in changes:
        offset = change.time - event.time
        for key, value in change.arguments.items():
            if key.endswith("_slide"):
                current[key] = value
        before = dict(current)
        targets = {k: v for k, v in change.arguments.items() if not k.endswith("_slide")}
        slides = {k: current.get(f"{k}_slide", current.get("slide", 0.0)) for k in targets}
        longest = max(slides.values(), default=0.0)
        n_steps = _STEPS_OF_SLIDE if longest > FRAME_SECONDS else 1
        for step in range(1, n_steps + 1):
            time = offset + longest * (step - 1) / n_steps
            for key, value in targets.items():
                slide = slides[key]
                done = 1.0 if slide <= 0 else min(1.0, (longest * step / n_steps) / slide)
                current[key] = before.get(key, value) + (value - before.get(key, value)) * done
            points.append((time, dict(current)))
    points.sort(key=lambda point: point[0])
    ends = [time for time, _ in points[1:]] + [_FOREVER]
    return [(time, end, held) for (time, held), end in zip(points, ends, strict=True) if end > time]


def _row(
    event: Event, arguments: Mapping[str, float], start: float, end: float, tables: AtlasTables
) -> SoundRow | None:
    get = arguments.get
    sample = event.kind == "sample"
    numbers = _sample(event, arguments, tables) if sample else _synth(event, arguments, tables)
    if numbers is None:
        return None
    bus = int(get("out_bus", 0.0))
    return SoundRow((*numbers, start, end), bus, sample, start == 0.0)


def _synth(
    event: Event, arguments: Mapping[str, float], tables: AtlasTables
) -> tuple[float, ...] | None:
    notes = tables.synths.get(_ALIASES.get(event.name, event.name))
    if notes is None:
        return None
    get = arguments.get
    note = get("note", 52.0)
    place = bisect_left(ATLAS_NOTES, note - 3.0)
    place = min(max(place, 0), len(ATLAS_NOTES) - 1)
    first, count = notes[place]
    attack, decay, sustain = get("attack", 0.0), get("decay", 0.0), get("sustain", 0.0)
    release = get("release", 1.0)
    sustain_level = get("sustain_level", 1.0)
    decay_level = get("decay_level", sustain_level)
    cutoff = get("cutoff", 0.0)
    was = _DEFAULT_CUTOFFS.get(event.name, 100.0) if cutoff else 0.0
    return (
        first, count, note - ATLAS_NOTES[place], get("amp", 1.0),
        cutoff if cutoff != was else 0.0, was, get("res", 0.0), 0.0,
        event.time, attack + decay + sustain + release, 1.0, 0.0,
        attack, decay, sustain, release,
        get("attack_level", 1.0), decay_level, sustain_level,
    )  # fmt: skip


_DEFAULT_CUTOFFS: Final = {
    "tb303": 120.0, "prophet": 110.0, "supersaw": 130.0, "hoover": 130.0, "zawa": 100.0,
    "dark_ambience": 110.0, "growl": 130.0, "hollow": 90.0, "tech_saws": 130.0, "noise": 110.0,
    "pnoise": 110.0, "bnoise": 110.0, "gnoise": 110.0, "cnoise": 110.0,
}  # fmt: skip
"""The cutoffs with which the atlas was made: the synths' own."""


def _sample(
    event: Event, arguments: Mapping[str, float], tables: AtlasTables
) -> tuple[float, ...] | None:
    found = tables.samples.get(event.name)
    if found is None:
        return None
    first, count, n_frames = found
    get = arguments.get
    rate = get("rate", 1.0) or 1.0
    start, finish = _within(get("start", 0.0)), _within(get("finish", 1.0))
    backwards = (rate < 0) != (finish < start)
    low, high = min(start, finish) * n_frames, max(start, finish) * n_frames
    speed = abs(rate)
    length = (high - low) * FRAME_SECONDS / speed
    sustain = get("sustain", -1.0)
    attack, decay, release = get("attack", 0.0), get("decay", 0.0), get("release", 0.0)
    if sustain < 0:
        sustain = max(0.0, length - attack - decay - release)
    length = min(length, attack + decay + sustain + release)
    low_cut, high_cut = get("lpf", get("cutoff", 0.0)), get("hpf", 0.0)
    shift = 12.0 * math.log2(speed) + get("pitch", 0.0)
    amp = get("amp", 1.0) * get("pre_amp", 1.0)
    return (
        first, count, shift, amp,
        max(0.0, low_cut), 0.0, 0.0, max(0.0, high_cut),
        event.time, length, -speed if backwards else speed, high - 1.0 if backwards else low,
        attack, decay, sustain, release,
        get("attack_level", 1.0), get("decay_level", 1.0), get("sustain_level", 1.0),
    )  # fmt: skip


def _within(value: float) -> float:
    return min(1.0, max(0.0, value))
