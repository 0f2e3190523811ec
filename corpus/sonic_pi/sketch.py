"""A sketch of the sound: from events to a mel spectrogram, without synthesis.

Every sound is a few spectra of the atlas, moved to its pitch and filtered, with a course in time
under its envelope; effects work on the sum of what runs into them. Equal sounds share their
spectra and add their courses; all sounds together are one product of matrices for each group of
equal effects.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from corpus.sonic_pi.atlas import Atlas
from corpus.sonic_pi.events import Event
from corpus.sonic_pi.mel import (
    FRAME_SECONDS,
    N_BANDS,
    Floats,
    high_pass,
    low_pass,
    shifted_bands,
)
from corpus.sonic_pi.sketch_effects import LASTING, apply_effect, limited
from corpus.sonic_pi.sketch_sounds import SoundKind, Sounds, Stretch, sounds_of, stretches_of
from corpus.sonic_pi.sketch_tables import AtlasTables, tables_of

__all__ = ["Sketch", "sketch"]

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]
_POINTS_OF_FRAME: Final = np.array([[1 / 6], [1 / 2], [5 / 6]])
"""Where in a frame the envelope is taken."""
_LONGEST: Final = 1e6
_OUT: Final = ("",)
"""The key of the way out."""
_DEEPEST: Final = 30
"""Effects inside of effects beyond this are left out."""


@dataclass(frozen=True, eq=False)
class Sketch:
    """What a program should sound like.

    Args:
        power: mel spectrogram, shape (64, frames), comparable with `mel_spectrogram` of real audio.
        n_sounds: notes and samples that went in.
        unknown: names that the atlas does not hold.
    """

    power: Floats
    n_sounds: int
    unknown: tuple[str, ...]

    @property
    def frame_seconds(self) -> float:
        """Length of a frame."""
        return FRAME_SECONDS


def sketch(events: Sequence[Event], seconds: float, atlas: Atlas) -> Sketch:
    """The sketch of the first `seconds` of a list of events.

    Args:
        events: as the unroller or the renderer gives them.
        seconds: length of the sketch, > 0.
        atlas: sounds of synths and samples.

    Raises:
        ValueError: `seconds` is too short for a frame.
    """
    n_frames = int(seconds / FRAME_SECONDS)
    if n_frames < 1:
        raise ValueError(f"seconds must be at least {FRAME_SECONDS:.3f}, got {seconds}")
    tables = tables_of(atlas)
    sounds = sounds_of(events, seconds, tables)
    groups, effects = _grouped(events, sounds.kinds)
    mixed: dict[tuple[object, ...], Floats] = {}
    if sounds.kinds:
        values = np.array([kind.numbers for kind in sounds.kinds], dtype=np.float64)
        spectra, courses, owners = _all_sounds(sounds, values, tables, n_frames)
        place = np.zeros(len(values), dtype=np.int64)
        for number, members in enumerate(groups.values()):
            place[members] = number
        for number, key in enumerate(groups):
            chosen = np.flatnonzero(place[owners] == number) if len(groups) > 1 else slice(None)
            mixed[key] = spectra[chosen].T @ courses[chosen]
    power = _through_effects(mixed, effects, n_frames)
    return Sketch(limited(power), len(sounds.which), sounds.unknown)


def _all_sounds(
    sounds: Sounds, values: Numbers, tables: AtlasTables, n_frames: int
) -> tuple[Floats, Floats, Indices]:
    """Spectra (parts, 64), courses (parts, frames) and the kind that each part belongs to."""
    first, count = values[:, 0].astype(np.int64), values[:, 1].astype(np.int64)
    owners = np.repeat(np.arange(len(values)), count)
    starts = np.cumsum(count) - count
    parts = first[owners] + np.arange(len(owners)) - starts[owners]
    spectra = tables.spectra[parts]
    for index, kind in enumerate(sounds.kinds):
        if kind.shape is not None:
            spectra[starts[index] : starts[index] + count[index]] = kind.shape
    spectra = _coloured(spectra, values, owners)
    heard = _heard(sounds, values, n_frames)
    return spectra, _courses(tables, parts, starts, count, heard, values, n_frames), owners


def _coloured(spectra: Floats, values: Numbers, owners: Indices) -> Floats:
    """Spectra moved, filtered and scaled as the columns of `values` say (see `SoundKind`)."""
    shift, gain = values[owners, 2], values[:, 3]
    moved = np.abs(shift) > 0.05
    if moved.any():
        spectra[moved] = shifted_bands(spectra[moved], shift[moved])
    factors = np.repeat((gain**2).astype(np.float32)[:, None], spectra.shape[1], axis=1)
    cutoff, was, resonance, high = values[:, 4], values[:, 5], values[:, 6], values[:, 7]
    for cutoff_value in np.unique(high[high > 0]):
        factors[high == cutoff_value] *= high_pass(float(cutoff_value))
    filtered = np.flatnonzero(cutoff > 0)
    if len(filtered):
        now = low_pass(cutoff[filtered], resonance[filtered])
        before = low_pass(np.abs(was[filtered]), resonance[filtered])
        ratio = np.minimum(now / np.maximum(before, 1e-4), 100.0)
        response = np.ones_like(factors)
        response[filtered] = np.where(was[filtered, None] == 0, now, ratio)
        changed = spectra * response[owners]
        lost = spectra.sum(axis=1) / np.maximum(changed.sum(axis=1), 1e-9)
        levelled = (was[owners] > 0) & (cutoff[owners] > 0)
        gain_back = np.where(levelled, np.clip(lost, 1.0, 1e4), 1.0)
        spectra = changed * gain_back[:, None].astype(np.float32)
    return np.asarray(spectra * factors[owners])


class _Heard(NamedTuple):
    """Every frame in which a sound is heard, one after the other; all of shape (n,).

    Args:
        kind: of the sound.
        frame: of the sketch.
        local: start of the frame since the onset, in frames.
        gain: of the sound's power.
    """

    kind: Indices
    frame: Indices
    local: Numbers
    gain: Numbers


def _heard(sounds: Sounds, values: Numbers, n_frames: int) -> _Heard:
    which, gain = np.array(sounds.which), np.array(sounds.gains) ** 2
    onset = np.array(sounds.onsets) / FRAME_SECONDS
    begin = np.floor(onset).astype(np.int64)
    length = np.minimum(values[:, 8] / FRAME_SECONDS, n_frames)[which]
    end = np.minimum(begin + np.ceil(length).astype(np.int64) + 2, n_frames)
    begin = np.maximum(begin, 0)
    needed = np.maximum(end - begin, 0)
    rows = np.repeat(np.arange(len(which)), needed)
    frame = np.arange(len(rows)) + (begin - np.cumsum(needed) + needed)[rows]
    return _Heard(which[rows], frame, frame - onset[rows], gain[rows])


def _courses(
    tables: AtlasTables,
    parts: Indices,
    starts: Indices,
    count: Indices,
    heard: _Heard,
    values: Numbers,
    n_frames: int,
) -> Floats:
    """How much power each part has in each frame, shape (parts, frames)."""
    level = _envelope(heard, values) * heard.gain
    place = np.maximum(heard.local, 0.0) * values[heard.kind, 9] + values[heard.kind, 10]
    floor = np.floor(place)
    share = place - floor
    last = tables.n_frames[parts[starts]][heard.kind] + 1
    index = np.minimum(np.maximum(floor.astype(np.int64) + 1, 0), last)
    step = np.minimum(np.maximum(floor.astype(np.int64) + 2, 0), last) - index
    n_parts = count[heard.kind]
    spot = np.repeat(np.arange(len(n_parts)), n_parts)  # of each part of each frame heard
    part = np.arange(len(spot)) + (starts[heard.kind] - np.cumsum(n_parts) + n_parts)[spot]
    now = tables.offset[parts][part] + index[spot]
    power = tables.activity[now] * (level * (1.0 - share))[spot]
    power += tables.activity[now + step[spot]] * (level * share)[spot]
    size = len(parts) * n_frames
    flat = np.bincount(part * n_frames + heard.frame[spot], weights=power, minlength=size)
    return flat.reshape(len(parts), n_frames).astype(np.float32)


def _envelope(heard: _Heard, values: Numbers) -> Numbers:
    """Mean power of the envelope in each frame heard, shape (n,)."""
    attack, decay, sustain, release = (values[:, 11 + i] for i in range(4))
    attack_level, decay_level, sustain_level = (values[:, 15 + i] for i in range(3))
    kind = heard.kind
    time = (heard.local + _POINTS_OF_FRAME) * FRAME_SECONDS
    level = (1.0 / np.maximum(attack, 1e-4))[kind] * time
    np.minimum(np.maximum(level, 0.0, out=level), 1.0, out=level)
    if (attack_level != 1.0).any():
        level *= attack_level[kind]
    if (decay_level != attack_level).any():
        fall = (time - attack[kind]) / np.maximum(decay, 1e-4)[kind]
        level += np.clip(fall, 0.0, 1.0) * (decay_level - attack_level)[kind]
    if (sustain_level != decay_level).any():
        settle = (time - (attack + decay)[kind]) / np.maximum(sustain, 1e-4)[kind]
        level += np.clip(settle, 0.0, 1.0) * (sustain_level - decay_level)[kind]
    end = (time - (attack + decay + sustain)[kind]) * (1.0 / np.maximum(release, 1e-4))[kind]
    np.subtract(1.0, end, out=end)
    level *= np.minimum(np.maximum(end, 0.0, out=end), 1.0, out=end)
    level *= level
    start, stop = values[:, 18], values[:, 19]
    if start.any() or (stop < _LONGEST).any():
        level *= (time >= start[kind]) & (time < stop[kind])
    return np.asarray(level.sum(axis=0) / 3)


Key = tuple[object, ...]


@dataclass(frozen=True)
class _Effect:
    """An effect in a chain: its arguments, over time if they change, and what it runs into."""

    name: str
    arguments: Mapping[str, float]
    stretches: tuple[Stretch, ...]
    start: float
    rest: Key


def _grouped(
    events: Sequence[Event], kinds: Sequence[SoundKind]
) -> tuple[dict[Key, list[int]], dict[Key, _Effect]]:
    """Kinds by the chain of effects that they run into, and each chain's first effect and rest.

    Effects with the same name, arguments and way out are one: they are (nearly all) linear in
    power, so it does not matter in which of them a sound goes.
    """
    started = {
        int(e.arguments["in_bus"]): e for e in events if e.kind == "fx" and "in_bus" in e.arguments
    }
    changes = _changes(events)
    keys: dict[int, Key] = {}
    effects: dict[Key, _Effect] = {}

    def key_of(bus: int, depth: int = 0) -> Key:
        if bus in keys:
            return keys[bus]
        event = started.get(bus)
        if event is None or depth > _DEEPEST:
            return _OUT
        rest = key_of(int(event.arguments.get("out_bus", 0)), depth + 1)
        named = tuple(
            sorted((k, round(v, 2)) for k, v in event.arguments.items() if "_bus" not in k)
        )
        changed = changes.get(event.node)
        key: Key = (event.name, named, rest, event.node if changed else None)
        keys[bus] = key
        stretches = tuple(stretches_of(event, changed)) if changed else ()
        effects[key] = _Effect(event.name, event.arguments, stretches, event.time, rest)
        return key

    groups: dict[Key, list[int]] = {}
    for index, kind in enumerate(kinds):
        groups.setdefault(key_of(kind.bus), []).append(index)
    return groups, effects


def _changes(events: Sequence[Event]) -> dict[int, list[Event]]:
    """Changes of running effects by node."""
    is_effect = {event.node for event in events if event.kind == "fx"}
    changes: dict[int, list[Event]] = {}
    for event in events:
        if event.kind == "control" and event.node in is_effect:
            changes.setdefault(event.node, []).append(event)
    return changes


def _through_effects(
    mixed: dict[Key, Floats], effects: Mapping[Key, _Effect], n_frames: int
) -> Floats:
    def depth(key: Key) -> int:
        return 1 + depth(effects[key].rest) if key in effects else 0

    pending = dict(mixed)
    for key in sorted(effects, key=depth, reverse=True):
        power = pending.pop(key, None)
        if power is None:
            continue
        effect = effects[key]
        after = _applied(effect, power)
        pending[effect.rest] = pending[effect.rest] + after if effect.rest in pending else after
    out = pending.get(_OUT)
    return np.zeros((N_BANDS, n_frames), dtype=np.float32) if out is None else np.asarray(out)


def _applied(effect: _Effect, power: Floats) -> Floats:
    """An effect on power, stretch by stretch where it has no memory and its arguments change."""
    if not effect.stretches:
        return apply_effect(effect.name, power, effect.arguments)
    if effect.name in LASTING:
        return apply_effect(effect.name, power, effect.stretches[-1][2])
    after = np.array(power)
    for start, end, arguments in effect.stretches:
        first = max(0, round((effect.start + start) / FRAME_SECONDS))
        last = max(first, min(power.shape[1], round((effect.start + end) / FRAME_SECONDS)))
        if last > first:
            after[:, first:last] = apply_effect(effect.name, power[:, first:last], arguments)
    return after
