"""From events to rows of numbers: which sound of the atlas, how high, how loud, how long, when."""

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Final, NamedTuple

import numpy as np
from scipy.special import jv

from corpus.sonic_pi.atlas import ATLAS_NOTES
from corpus.sonic_pi.events import Event
from corpus.sonic_pi.mel import FRAME_SECONDS, N_BANDS, PLAIN, Floats, band_hertz
from corpus.sonic_pi.sketch_tables import AtlasTables

__all__ = [
    "Gathered",
    "Heard",
    "SoundKind",
    "Sounds",
    "Stretch",
    "gathered",
    "sounds_of",
    "stretches_of",
]

_FOREVER: Final = 1e6
_MOST_PIECES: Final = 32
_STEPS_OF_SWEEP: Final = 4
_LEAK: Final = 1e-7
"""What the onset of a tone leaves in every band, as a share of its power."""
_STEPS_OF_SLIDE: Final = 6
_SOUNDS: Final = frozenset({"synth", "sample"})
_ALIASES: Final = {"sine": "beep", "mod_beep": "mod_sine"}


class SoundKind(NamedTuple):
    """A sound that may be heard many times, or a stretch of one between changes of it.

    Args:
        numbers: 0 first part, 1 parts; 2 semitones to move; 3 amplitude; 4 low-pass now (MIDI, 0
            none), 5 low-pass in the atlas (0 none; negative: the filter takes level away),
            6 resonance, 7 high-pass (0 none); 8 length in seconds; 9 frames of the course for each
            frame, 10 frame at which it begins; 11-14 attack, decay, sustain, release in seconds;
            15-17 levels after them; 18-19 the stretch that sounds, in seconds from the onset.
        bus: where it goes.
        shape: a spectrum of its own, shape (64,), sum 1, in place of the atlas's.
    """

    numbers: tuple[float, ...]
    bus: int
    shape: Floats | None = None


class Heard(NamedTuple):
    """A sound and all the times at which it is heard with the very same arguments.

    Args:
        event: the first of them.
        onsets: seconds, one or more.
        changes: of it while it sounds; none if it is not changed.
    """

    event: Event
    onsets: list[float]
    changes: Sequence[Event] | None


class Gathered(NamedTuple):
    """What the events of a program are made of.

    Args:
        heard: sounds.
        effects: in order.
        changes: of sounds and effects while they sound, by node.
    """

    heard: list[Heard]
    effects: list[Event]
    changes: dict[int, list[Event]]


def gathered(events: Sequence[Event], seconds: float) -> Gathered:
    """The sounds that begin before a time, effects and changes; equal arguments may be shared."""
    effects: list[Event] = []
    changes: dict[int, list[Event]] = {}
    for event in [event for event in events if event[1] not in _SOUNDS]:
        if event.kind == "fx":
            effects.append(event)
        else:
            changes.setdefault(event.node, []).append(event)
    found: dict[object, Heard] = {}
    for event in events:
        time, kind, name, given, node = event
        if kind not in _SOUNDS or time >= seconds:
            continue
        if node in changes:
            found[node] = Heard(event, [time], changes[node])
            continue
        key = name, id(given)
        if key in found:
            found[key].onsets.append(time)
        else:
            found[key] = Heard(event, [time], None)
    return Gathered(list(found.values()), effects, changes)


@dataclass(frozen=True)
class Sounds:
    """All that sounds in a program.

    Args:
        kinds: different sounds.
        which: of each sound heard, its place in `kinds`.
        onsets: of each sound heard, seconds.
        gains: of each sound heard, a factor of its amplitude.
        unknown: names that the atlas does not hold.
    """

    kinds: list[SoundKind]
    which: list[int]
    onsets: list[float]
    gains: list[float]
    unknown: tuple[str, ...]


def sounds_of(heard: Sequence[Heard], tables: AtlasTables) -> Sounds:
    """What is heard as kinds of sound; those that differ in their gain alone are one kind."""
    kinds: list[SoundKind] = []
    which: list[int] = []
    onsets: list[float] = []
    gains: list[float] = []
    unknown: dict[str, None] = {}
    known: dict[object, Sequence[int]] = {}
    for event, times, changes in heard:
        _, kind_of_event, name, given, node = event
        gain = 1.0
        key: tuple[object, ...] = (node,)
        if changes is None:
            gain = given.get("amp", 1.0)
            if kind_of_event == "sample":
                gain *= given.get("pre_amp", 1.0)
            names = tuple(given)
            key = (kind_of_event, name, names, _other_than_gain(names)(given))
        places = known.get(key)
        if places is None:
            first = len(kinds)
            for start, end, arguments in _all_stretches(event, changes):
                kind = _kind(event, arguments, start, end, tables, has_gain=changes is not None)
                if kind is None:
                    unknown[name] = None
                else:
                    kinds.append(kind)
            known[key] = places = range(first, len(kinds))
        for place in places:
            which += [place] * len(times)
            onsets += times
            gains += [gain] * len(times)
    return Sounds(kinds, which, onsets, gains, tuple(unknown))


_GAINS: Final = ("amp", "pre_amp")


@lru_cache(maxsize=1024)
def _other_than_gain(names: tuple[str, ...]) -> Callable[[Mapping[str, float]], object]:
    """What takes from arguments all that is heard but the gain; where a sound comes from is not."""
    left = [name for name in names if name not in _GAINS and name != "pan"]
    return itemgetter(*left) if left else lambda _arguments: None


Stretch = tuple[float, float, Mapping[str, float]]


def _all_stretches(event: Event, changed: Sequence[Event] | None) -> list[Stretch]:
    """A sound cut where it changes: by `control`, or by what its synth does with it."""
    stretches = stretches_of(event, changed) if changed else [(0.0, _FOREVER, event.arguments)]
    if event.kind == "synth" and event.name.startswith("mod_"):
        return [piece for stretch in stretches for piece in _modulated(*stretch)]
    if event.name == "tb303" and event.kind == "synth" and len(stretches) == 1:
        return _opened(event.arguments)
    return stretches


def _modulated(start: float, end: float, arguments: Mapping[str, float]) -> list[Stretch]:
    """A `mod_` synth goes to and fro between two notes."""
    half = max(0.02, arguments.get("mod_phase", 0.25)) / 2.0
    other = {**arguments, "note": arguments.get("note", 52.0) + arguments.get("mod_range", 5.0)}
    parts = [arguments.get(key, 0.0) for key in ("attack", "decay", "sustain", "release")]
    last = min(end, sum(parts))
    pieces: list[Stretch] = []
    count = min(_MOST_PIECES, math.ceil((last - start) / half))
    width = (last - start) / max(1, count)
    first = arguments.get("mod_invert_wave", 0.0) < 0.5
    for index in range(count):
        is_other = (index % 2 == 0) == first
        place = start + index * width
        pieces.append((place, place + width, other if is_other else arguments))
    return pieces


def _opened(arguments: Mapping[str, float]) -> list[Stretch]:
    """A tb303's filter opens over an attack of its own, linear in hertz."""
    low, high = (
        2.0 ** (arguments.get(key, default) / 12.0)
        for key, default in (("cutoff_min", 30.0), ("cutoff", 120.0))
    )
    attack = arguments.get("cutoff_attack", 0.0)
    if attack <= FRAME_SECONDS:
        return [(0.0, _FOREVER, arguments)]
    width = attack / _STEPS_OF_SWEEP
    pieces: list[Stretch] = []
    for step in range(_STEPS_OF_SWEEP):
        cutoff = 12.0 * math.log2(low + (high - low) * (step + 0.5) / _STEPS_OF_SWEEP)
        pieces.append((step * width, (step + 1) * width, {**arguments, "cutoff": cutoff}))
    return [*pieces, (attack, _FOREVER, arguments)]


def stretches_of(event: Event, changes: Sequence[Event]) -> list[Stretch]:
    """The stretches between changes, slides in a few steps: start, end, arguments."""
    settled = dict(event.arguments)
    slides: dict[str, tuple[float, float, float]] = {}  # begin, first value, duration
    stretches: list[Stretch] = []

    def at(time: float) -> dict[str, float]:
        values = dict(settled)
        for key, (begin, first, duration) in slides.items():
            done = (time - begin) / duration if duration > 0 else 1.0
            if done < 1.0:
                values[key] = first + (settled[key] - first) * done
        return values

    def fill(start: float, end: float) -> None:
        """Stretches from one change to the next."""
        last = max((begin + length for begin, _, length in slides.values()), default=start)
        sliding = min(end, last) - start
        if sliding > FRAME_SECONDS:
            width = sliding / _STEPS_OF_SLIDE
            for step in range(_STEPS_OF_SLIDE):
                begin = start + step * width
                stretches.append((begin, begin + width, at(begin + width / 2)))
            start += sliding
        if end > start:
            stretches.append((start, end, at(max(start, last))))

    before = 0.0
    for change in changes:
        time = max(0.0, change.time - event.time)
        fill(before, time)
        now = at(time)
        for key, value in change.arguments.items():
            if key.endswith("_slide"):
                settled[key] = value
        for key, value in change.arguments.items():
            if not key.endswith("_slide"):
                length = settled.get(f"{key}_slide", settled.get("slide", 0.0))
                slides[key] = (time, now.get(key, value), length)
                settled[key] = value
        before = time
    fill(before, _FOREVER)
    return stretches


def _kind(
    event: Event,
    arguments: Mapping[str, float],
    start: float,
    end: float,
    tables: AtlasTables,
    *,
    has_gain: bool,
) -> SoundKind | None:
    get = arguments.get
    amp = get("amp", 1.0) if has_gain else 1.0
    if event.kind == "sample":
        amp *= get("pre_amp", 1.0) if has_gain else 1.0
        numbers = _sample(event, arguments, amp, tables)
    else:
        numbers = _synth(event, arguments, amp, tables)
    if numbers is None:
        return None
    bus = int(get("out_bus", 0.0))
    shape = None
    if event.name == "fm" and (get("divisor", 2.0), get("depth", 1.0)) != (2.0, 1.0):
        pitch = (
            round(get("note", 52.0), 1),
            round(get("divisor", 2.0), 2),
            round(get("depth", 1.0), 2),
        )
        shape = _modulated_tone(*pitch)
        numbers = (*numbers[:2], 0.0, *numbers[3:])
    return SoundKind((*numbers, start, end), bus, shape)


@lru_cache(maxsize=4096)
def _modulated_tone(note: float, divisor: float, depth: float) -> Floats:
    """The spectrum of frequency modulation: side tones by Bessel functions (Chowning 1973)."""
    carrier = 440.0 * 2.0 ** ((note - 69.0) / 12.0)
    modulator = carrier / divisor if abs(divisor) > 1e-3 else 1e6
    index = min(60.0, abs(depth * divisor))
    orders = np.arange(-80, 81)
    power = jv(orders, index) ** 2
    hertz = np.abs(carrier + orders * modulator)
    shape = np.zeros(N_BANDS)
    inside = (hertz > 30.0) & (hertz < 13_000.0) & (power > 1e-7)
    place = np.interp(hertz[inside], band_hertz(), np.arange(N_BANDS))
    floor = np.minimum(place.astype(np.int64), N_BANDS - 2)
    np.add.at(shape, floor, power[inside] * (1.0 - (place - floor)))
    np.add.at(shape, floor + 1, power[inside] * (place - floor))
    shape += _LEAK * shape.sum()
    return np.asarray(shape / max(1e-6, float(power.sum())), dtype=np.float32)


def _synth(
    event: Event, arguments: Mapping[str, float], amp: float, tables: AtlasTables
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
    if event.name == "tb303":  # its resonance gains when the filter is low, a pulse is louder
        decibels = max(0.0, 0.06 * (120.0 - cutoff)) + (2.0 if get("wave", 0.0) == 1.0 else 0.0)
        amp *= 10.0 ** (decibels / 20.0)
    was = _DEFAULT_CUTOFFS.get(event.name, 100.0) if cutoff else 0.0
    was = was if event.name in _LEVELLED else -was
    return (
        first, count, note - ATLAS_NOTES[place], amp,
        cutoff if cutoff != abs(was) else 0.0, was, get("res", PLAIN), 0.0,
        attack + decay + sustain + release, 1.0, 0.0,
        attack, decay, sustain, release,
        get("attack_level", 1.0), decay_level, sustain_level,
    )  # fmt: skip


_LEVELLED: Final = frozenset(
    {"saw", "dsaw", "tri", "dpulse", "supersaw", "subpulse", "mod_saw", "mod_dsaw", "mod_tri"}
    | {"tb303", "prophet", "zawa", "growl", "hoover", "tech_saws", "dark_ambience"}
)
"""Synths that bring what they have filtered back to full level."""
_DEFAULT_CUTOFFS: Final = {
    "tb303": 120.0, "prophet": 110.0, "supersaw": 130.0, "hoover": 130.0, "zawa": 100.0,
    "dark_ambience": 110.0, "growl": 130.0, "hollow": 90.0, "tech_saws": 130.0, "noise": 110.0,
    "pnoise": 110.0, "bnoise": 110.0, "gnoise": 110.0, "cnoise": 110.0,
}  # fmt: skip
"""The cutoffs with which the atlas was made: the synths' own."""


def _sample(
    event: Event, arguments: Mapping[str, float], amp: float, tables: AtlasTables
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
    return (
        first, count, shift, amp,
        max(0.0, low_cut), 0.0, PLAIN, max(0.0, high_cut),
        length, -speed if backwards else speed, high - 1.0 if backwards else low,
        attack, decay, sustain, release,
        get("attack_level", 1.0), get("decay_level", 1.0), get("sustain_level", 1.0),
    )  # fmt: skip


def _within(value: float) -> float:
    return min(1.0, max(0.0, value))
