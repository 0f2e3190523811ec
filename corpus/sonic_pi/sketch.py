"""A sketch of the sound: from events to a mel spectrogram, without synthesis.

Every sound is a few spectra of the atlas, moved to its pitch and filtered, with a course in time
under its envelope; effects work on the sum of what runs into them. Equal sounds share their
spectra and add their courses; all sounds together are one product of matrices for each group of
equal effects.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from corpus.sonic_pi import sketch_kernels as kernels
from corpus.sonic_pi.atlas import Atlas
from corpus.sonic_pi.events import Event
from corpus.sonic_pi.mel import FRAME_SECONDS, N_BANDS, Floats, band_hertz, band_widths
from corpus.sonic_pi.sketch_effects import LASTING, apply_effect, limited
from corpus.sonic_pi.sketch_sounds import (
    Gathered,
    SoundKind,
    Sounds,
    Stretch,
    gathered,
    sounds_of,
    stretches_of,
)
from corpus.sonic_pi.sketch_tables import AtlasTables, tables_of

__all__ = ["Sketch", "sketch"]

Key = tuple[object, ...]
_FIRST: Final = np.zeros(1, dtype=np.int64)
_NO_SHAPE: Final = np.zeros((0, N_BANDS), dtype=np.float32)
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


def sketch(events: Sequence[Event] | Gathered, seconds: float, atlas: Atlas) -> Sketch:
    """The sketch of the first `seconds` of a list of events.

    Args:
        events: as the unroller or the renderer gives them, or these gathered.
        seconds: length of the sketch, > 0.
        atlas: sounds of synths and samples.

    Raises:
        ValueError: `seconds` is too short for a frame.
    """
    n_frames = int(seconds / FRAME_SECONDS)
    if n_frames < 1:
        raise ValueError(f"seconds must be at least {FRAME_SECONDS:.3f}, got {seconds}")
    tables = tables_of(atlas)
    parts = events if isinstance(events, Gathered) else gathered(events, seconds)
    sounds = sounds_of(parts.heard, tables)
    groups, effects = _grouped(parts, sounds.kinds)
    mixed: dict[Key, Floats] = {}
    if sounds.kinds:
        spectra, courses, owners = _all_sounds(sounds, tables, n_frames)
        place = np.zeros(len(sounds.kinds), dtype=np.int64)
        for number, members in enumerate(groups.values()):
            place[members] = number
        for number, key in enumerate(groups):
            chosen = np.flatnonzero(place[owners] == number) if len(groups) > 1 else slice(None)
            mixed[key] = spectra[chosen].T @ courses[chosen]
    power = _through_effects(mixed, effects, n_frames)
    return Sketch(limited(power), len(sounds.which), sounds.unknown)


def _all_sounds(
    sounds: Sounds, tables: AtlasTables, n_frames: int
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Spectra (parts, 64), courses (parts, frames) and the kind that each part belongs to."""
    values = np.array([kind.numbers for kind in sounds.kinds], dtype=np.float64)
    count = values[:, 1].astype(np.int64)
    starts = np.concatenate([_FIRST, np.cumsum(count)])
    shapes = [kind.shape for kind in sounds.kinds if kind.shape is not None]
    own, which_own = _NO_SHAPE, np.full(len(count), -1)
    if shapes:
        own = np.stack(shapes)
        which_own[[kind.shape is not None for kind in sounds.kinds]] = np.arange(len(own))
    spectra = kernels.spectra(
        values, starts, tables.spectra, own, which_own, band_hertz(), band_widths()
    )
    courses = kernels.courses(
        values,
        starts,
        np.array(sounds.which),
        np.array(sounds.onsets),
        np.array(sounds.gains),
        n_frames,
        tables.activity,
        tables.offset,
        tables.n_frames,
    )
    return spectra, courses, np.repeat(np.arange(len(count)), count)


@dataclass(frozen=True)
class _Effect:
    """An effect in a chain: its arguments, over time if they change, and what it runs into."""

    name: str
    arguments: Mapping[str, float]
    stretches: tuple[Stretch, ...]
    start: float
    rest: Key


def _grouped(
    parts: Gathered, kinds: Sequence[SoundKind]
) -> tuple[dict[Key, list[int]], dict[Key, _Effect]]:
    """Kinds by the chain of effects that they run into, and each chain's first effect and rest.

    Effects with the same name, arguments and way out are one: they are (nearly all) linear in
    power, so it does not matter in which of them a sound goes.
    """
    started = {int(e.arguments["in_bus"]): e for e in parts.effects if "in_bus" in e.arguments}
    keys: dict[int, Key] = {}
    effects: dict[Key, _Effect] = {}
    groups: dict[Key, list[int]] = {}
    for index, kind in enumerate(kinds):
        if kind.bus not in keys:
            keys[kind.bus] = _followed(kind.bus, started, parts.changes, keys, effects)
        groups.setdefault(keys[kind.bus], []).append(index)
    return groups, effects


def _followed(
    bus: int,
    started: Mapping[int, Event],
    changes: Mapping[int, Sequence[Event]],
    keys: dict[int, Key],
    effects: dict[Key, _Effect],
) -> Key:
    """The key of a bus; keys and effects of all that it runs into are added."""
    way: list[tuple[int, Event]] = []
    following = bus
    while following not in keys and following in started and len(way) <= _DEEPEST:
        event = started[following]
        way.append((following, event))
        following = int(event.arguments.get("out_bus", 0))
    rest = keys.get(following, _OUT)
    for passed, event in reversed(way):
        named = tuple(
            sorted((k, round(v, 2)) for k, v in event.arguments.items() if "_bus" not in k)
        )
        changed = changes.get(event.node)
        key: Key = (event.name, named, rest, event.node if changed else None)
        stretches = tuple(stretches_of(event, changed)) if changed else ()
        effects[key] = _Effect(event.name, event.arguments, stretches, event.time, rest)
        keys[passed] = rest = key
    return rest


def _through_effects(
    mixed: dict[Key, Floats], effects: Mapping[Key, _Effect], n_frames: int
) -> Floats:
    pending = dict(mixed)
    for key in sorted(effects, key=lambda key: _depth(key, effects), reverse=True):
        power = pending.pop(key, None)
        if power is None:
            continue
        effect = effects[key]
        after = _applied(effect, power)
        pending[effect.rest] = pending[effect.rest] + after if effect.rest in pending else after
    out = pending.get(_OUT)
    return np.zeros((N_BANDS, n_frames), dtype=np.float32) if out is None else np.asarray(out)


def _depth(key: Key, effects: Mapping[Key, _Effect]) -> int:
    depth = 0
    while key in effects:
        depth, key = depth + 1, effects[key].rest
    return depth


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
