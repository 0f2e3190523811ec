"""A sketch of the sound: from events to a mel spectrogram, without synthesis.

Every sound is a few spectra of the atlas, moved to its pitch and filtered, with a course in time
under its envelope; effects work on the sum of what runs into them. All sounds together are one
product of matrices for each group of equal effects.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

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
from corpus.sonic_pi.sketch_sounds import SoundRow, Stretch, sound_rows, stretches_of
from corpus.sonic_pi.sketch_tables import AtlasTables, tables_of

__all__ = ["Sketch", "sketch"]

_OUT: Final = ("",)
"""The key of the way out."""
_DEEPEST: Final = 30
"""Effects inside of effects beyond this are left out."""


@dataclass(frozen=True, eq=False)
class Sketch:
    """What a program should sound like.

    Args:
        power: mel spectrogram, shape (64, frames), comparable with `mel_spectrogram` of real audio.
        onsets: how strongly sounds begin in each frame, shape (3, frames): all, notes, samples.
        n_sounds: notes and samples that went in.
        unknown: names that the atlas does not hold.
    """

    power: Floats
    onsets: Floats
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
    rows, unknown = sound_rows(events, seconds, tables)
    onsets = np.zeros((3, n_frames), dtype=np.float32)
    groups, effects = _grouped(events, rows)
    mixed: dict[tuple[object, ...], Floats] = {}
    if rows:
        spectra, courses, owners = _all_sounds(rows, tables, n_frames)
        for key, members in groups.items():
            chosen = np.isin(owners, members) if len(groups) > 1 else slice(None)
            mixed[key] = spectra[chosen].T @ courses[chosen]
        _note_onsets(rows, onsets)
    power = _through_effects(mixed, effects, n_frames)
    return Sketch(limited(power), onsets, len(rows), unknown)


def _all_sounds(
    rows: list[SoundRow], tables: AtlasTables, n_frames: int
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Spectra (parts, 64), courses (parts, frames) and the row that each part belongs to."""
    values = np.array([row.numbers for row in rows], dtype=np.float64)
    first, count = values[:, 0].astype(np.int64), values[:, 1].astype(np.int64)
    owners = np.repeat(np.arange(len(rows)), count)
    starts = np.cumsum(count) - count
    parts = first[owners] + np.arange(len(owners)) - starts[owners]
    spectra = tables.spectra[parts]
    for index, row in enumerate(rows):
        if row.shape is not None:
            spectra[starts[index] : starts[index] + count[index]] = row.shape
    spectra = _coloured(spectra, values[owners])
    courses = _courses(tables, parts, values, owners, n_frames)
    return spectra, courses, owners


def _coloured(spectra: Floats, values: NDArray[np.float64]) -> Floats:
    """Spectra moved, filtered and scaled as the columns of `values` say (see `SoundRow`)."""
    shift, gain = values[:, 2], values[:, 3]
    moved = np.abs(shift) > 0.05
    if moved.any():
        spectra = spectra.copy()
        spectra[moved] = shifted_bands(spectra[moved], shift[moved])
    cutoff, was, resonance = values[:, 4], values[:, 5], values[:, 6]
    filtered = np.flatnonzero(cutoff > 0)
    if len(filtered):
        spectra = spectra.copy()
        now = low_pass(cutoff[filtered], resonance[filtered])
        before = low_pass(np.abs(was[filtered]), resonance[filtered])
        ratio = np.minimum(now / np.maximum(before, 1e-4), 100.0)
        changed = spectra[filtered] * np.where(was[filtered, None] == 0, now, ratio)
        lost = spectra[filtered].sum(axis=1) / np.maximum(changed.sum(axis=1), 1e-9)
        gain_back = np.where(was[filtered] > 0, np.clip(lost, 1.0, 1e4), 1.0)
        spectra[filtered] = changed * gain_back[:, None]
    high = values[:, 7]
    for cutoff_value in np.unique(high[high > 0]):
        spectra[high == cutoff_value] *= high_pass(float(cutoff_value))
    return np.asarray(spectra * (gain**2)[:, None].astype(np.float32))


def _courses(
    tables: AtlasTables,
    parts: NDArray[np.int64],
    values: NDArray[np.float64],
    owners: NDArray[np.int64],
    n_frames: int,
) -> Floats:
    """How much power each part has in each frame, shape (parts, frames)."""
    courses = np.zeros((len(parts), n_frames + 1), dtype=np.float32)
    onset, length = values[:, 8] / FRAME_SECONDS, values[:, 9] / FRAME_SECONDS
    begin = np.floor(onset).astype(np.int64)
    needed = np.minimum(np.ceil(length).astype(np.int64) + 2, n_frames - begin)
    for shortest, longest in ((0, 6), (6, 20), (20, 64), (64, n_frames + 1)):
        chosen = np.flatnonzero((needed > shortest) & (needed <= longest))
        if not len(chosen):
            continue
        width = int(needed[chosen].max())
        frames = begin[chosen, None] + np.arange(width)
        local = frames - onset[chosen, None]
        level = _envelope(local, values[chosen]).astype(np.float32)
        place = np.maximum(local, 0.0) * values[chosen, 10, None] + values[chosen, 11, None]
        slot = np.full(len(values), -1)
        slot[chosen] = np.arange(len(chosen))
        mine = np.flatnonzero(slot[owners] >= 0)
        slots = slot[owners[mine]]
        activity = tables.read(parts[mine], place[slots])
        columns = np.minimum(frames[slots], n_frames)
        courses[mine[:, None], columns] = activity * level[slots]
    return courses[:, :n_frames]


def _envelope(local: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean power of the envelope in each frame; `local` is the frame's start since the onset."""
    attack, decay, sustain, release = (values[:, 12 + i, None] for i in range(4))
    attack_level, decay_level, sustain_level = (values[:, 16 + i, None] for i in range(3))
    window_start, window_end = values[:, 19, None], values[:, 20, None]
    total = np.zeros_like(local)
    for point in (1 / 6, 1 / 2, 5 / 6):
        time = (local + point) * FRAME_SECONDS
        rise = np.clip(time / np.maximum(attack, 1e-4), 0.0, 1.0) * attack_level
        fall = np.clip((time - attack) / np.maximum(decay, 1e-4), 0.0, 1.0)
        settle = np.clip((time - attack - decay) / np.maximum(sustain, 1e-4), 0.0, 1.0)
        held = rise + fall * (decay_level - attack_level) + settle * (sustain_level - decay_level)
        end = (time - attack - decay - sustain) / np.maximum(release, 1e-4)
        level = held * np.clip(1.0 - end, 0.0, 1.0)
        total += np.where((time >= window_start) & (time < window_end), level**2, 0.0)
    return total / 3


def _note_onsets(rows: list[SoundRow], onsets: Floats) -> None:
    for row in rows:
        frame = int(row.numbers[8] / FRAME_SECONDS)
        if frame < onsets.shape[1] and row.is_first:
            strength = row.numbers[3]
            onsets[0, frame] += strength
            onsets[2 if row.is_sample else 1, frame] += strength


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
    events: Sequence[Event], rows: list[SoundRow]
) -> tuple[dict[Key, NDArray[np.int64]], dict[Key, _Effect]]:
    """Rows by the chain of effects that they run into, and each chain's first effect and rest.

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
    for index, row in enumerate(rows):
        groups.setdefault(key_of(row.bus), []).append(index)
    return {key: np.array(members) for key, members in groups.items()}, effects


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
