"""The inner loops of the sketch, compiled: spectra of sounds, and their courses in time."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from corpus.compiled import compiled
from corpus.sonic_pi.mel import FRAME_SECONDS, N_BANDS, Floats

__all__ = ["courses", "lasting", "repeated", "spectra"]

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]
_POINTS_OF_FRAME: Final = (1 / 6, 1 / 2, 5 / 6)
"""Where in a frame the envelope is taken."""
_LEAST_SHIFT: Final = 0.05
"""Semitones below which a spectrum stays where it is."""


@compiled
def spectra(
    values: Numbers,
    starts: Indices,
    atlas: Floats,
    own: Floats,
    which_own: Indices,
    hertz: Numbers,
    widths: Floats,
) -> Floats:
    """Spectra of all parts, moved, filtered and scaled as `SoundKind.numbers` say.

    Args:
        values: the numbers of each kind, (kinds, 20).
        starts: the first part of each kind, then the number of all parts, (kinds + 1,).
        atlas: spectra, (parts of the atlas, 64).
        own: spectra of kinds that do not take theirs from the atlas, (any, 64).
        which_own: of each kind, its row of `own`, or -1, (kinds,).
        hertz: centres of the bands, (64,).
        widths: of the bands, (64,).

    Returns:
        Shape (parts, 64).
    """
    made = np.empty((starts[-1], N_BANDS), dtype=np.float32)
    factor, moved = np.empty(N_BANDS), np.empty(N_BANDS, dtype=np.float32)
    index, share = np.empty(N_BANDS, dtype=np.int64), np.empty(N_BANDS)
    for kind in range(len(values)):
        numbers = values[kind]
        levelled = _responses(numbers, hertz, factor)
        ratio = 2.0 ** (numbers[2] / 12.0)
        is_moved = abs(numbers[2]) > _LEAST_SHIFT
        if is_moved:
            _places(hertz, ratio, index, share)
        for part in range(starts[kind], starts[kind + 1]):
            source = atlas[int(numbers[0]) + part - starts[kind]]
            if which_own[kind] >= 0:
                source = own[which_own[kind]]
            if is_moved:
                _moved(source, widths, ratio, index, share, moved)
                source = moved
            whole = filtered = 0.0
            for band in range(N_BANDS):
                whole += source[band]
                filtered += source[band] * factor[band]
            gain = numbers[3] ** 2
            if levelled:
                gain *= min(max(whole / max(filtered, 1e-9), 1.0), 1e4)
            if numbers[7] > 0.0:
                corner = 440.0 * 2.0 ** ((numbers[7] - 69.0) / 12.0)
                for band in range(N_BANDS):
                    high = _two_poles(corner / hertz[band], math.sqrt(2.0))
                    made[part, band] = source[band] * factor[band] * gain * high
            else:
                for band in range(N_BANDS):
                    made[part, band] = source[band] * factor[band] * gain
    return made


@compiled
def _responses(numbers: Numbers, hertz: Numbers, factor: Numbers) -> bool:
    """Fills in what the low-pass filter leaves of each band; whether level is brought back."""
    cutoff, was = numbers[4], numbers[5]
    if cutoff <= 0.0:
        factor[:] = 1.0
        return False
    width = 1.0 - min(numbers[6], 0.95)
    corner = 440.0 * 2.0 ** ((cutoff - 69.0) / 12.0)
    before = 440.0 * 2.0 ** ((abs(was) - 69.0) / 12.0)
    for band in range(N_BANDS):
        factor[band] = _two_poles(hertz[band] / corner, width)
        if was != 0.0:
            earlier = max(_two_poles(hertz[band] / before, width), 1e-4)
            factor[band] = min(factor[band] / earlier, 100.0)
    return bool(was > 0.0)


@compiled
def _two_poles(ratio: float, width: float) -> float:
    """Power response of a filter, as in `mel.low_pass`."""
    return min(1.0 / ((1.0 - ratio**2) ** 2 + (width * ratio) ** 2), 60.0)


@compiled
def _places(hertz: Numbers, ratio: float, index: Indices, share: Numbers) -> None:
    """Fills in where each band comes from when all move up by a ratio, counted from -1."""
    low, high = math.log1p(40.0 / 700.0), math.log1p(12_000.0 / 700.0)
    for band in range(N_BANDS):
        place = (math.log1p(hertz[band] / (700.0 * ratio)) - low) / (high - low)
        place = place * (N_BANDS + 1) - 1.0
        floor = math.floor(place)
        index[band] = int(floor)
        share[band] = place - floor


@compiled
def _moved(
    source: Floats, widths: Floats, ratio: float, index: Indices, share: Numbers, out: Floats
) -> None:
    """Fills in a spectrum moved along log frequency, as `mel.shifted_bands`."""
    for band in range(N_BANDS):
        low, high = index[band], index[band] + 1
        density = 0.0
        if 0 <= low < N_BANDS:
            density += source[low] / widths[low] * (1.0 - share[band])
        if 0 <= high < N_BANDS:
            density += source[high] / widths[high] * share[band]
        out[band] = density * widths[band] / ratio


@compiled
def courses(
    values: Numbers,
    starts: Indices,
    which: Indices,
    onsets: Numbers,
    gains: Numbers,
    n_frames: int,
    activity: Floats,
    offset: Indices,
    lengths: Indices,
) -> Floats:
    """How much power each part has in each frame.

    Args:
        values: the numbers of each kind, (kinds, 20).
        starts: as for `spectra`.
        which: of each sound heard, its kind, (sounds,).
        onsets: of each sound heard, seconds.
        gains: of each sound heard, a factor of its amplitude.
        n_frames: of the sketch.
        activity: of `AtlasTables`.
        offset: of `AtlasTables`.
        lengths: of `AtlasTables`, where they are `n_frames`.

    Returns:
        Shape (parts, frames).
    """
    made = np.zeros((starts[-1], n_frames), dtype=np.float32)
    level, share = np.empty(n_frames), np.empty(n_frames, dtype=np.float32)
    now, then = np.empty(n_frames, dtype=np.int64), np.empty(n_frames, dtype=np.int64)
    for sound in range(len(which)):
        kind = which[sound]
        numbers = values[kind]
        onset = onsets[sound] / FRAME_SECONDS
        begin = math.floor(onset)
        length = math.ceil(min(numbers[8] / FRAME_SECONDS, n_frames))
        begin, end = max(0, begin), min(begin + length + 2, n_frames)
        if end <= begin:
            continue
        _envelope(numbers, begin - onset, gains[sound] ** 2, level[: end - begin])
        first = int(numbers[0])
        last = lengths[first] + 1
        for frame in range(end - begin):
            local = max(frame + begin - onset, 0.0)
            place = local * numbers[9] + numbers[10]
            floor = math.floor(place)
            share[frame] = place - floor
            now[frame] = min(max(int(floor) + 1, 0), last)
            then[frame] = min(max(int(floor) + 2, 0), last)
        for part in range(starts[kind], starts[kind + 1]):
            course, row = activity[offset[first + part - starts[kind]] :], made[part]
            for frame in range(end - begin):
                power = course[now[frame]] * (np.float32(1.0) - share[frame])
                power += course[then[frame]] * share[frame]
                row[begin + frame] += power * np.float32(level[frame])
    return made


@compiled
def _envelope(numbers: Numbers, local: float, gain: float, out: Numbers) -> None:
    """Fills in the mean power of an envelope, frame by frame from `local` after the onset."""
    attack, decay, sustain, release = numbers[11], numbers[12], numbers[13], numbers[14]
    attack_level, decay_level, sustain_level = numbers[15], numbers[16], numbers[17]
    rise, fall = 1.0 / max(attack, 1e-4), 1.0 / max(decay, 1e-4)
    settle, fade = 1.0 / max(sustain, 1e-4), 1.0 / max(release, 1e-4)
    start, stop = numbers[18], numbers[19]
    out[:] = 0.0
    for point in _POINTS_OF_FRAME:
        for frame in range(len(out)):
            since = time = (local + frame + point) * FRAME_SECONDS
            level = attack_level * min(max(time * rise, 0.0), 1.0)
            time -= attack
            level += (decay_level - attack_level) * min(max(time * fall, 0.0), 1.0)
            time -= decay
            level += (sustain_level - decay_level) * min(max(time * settle, 0.0), 1.0)
            time -= sustain
            level *= min(max(1.0 - time * fade, 0.0), 1.0)
            if start <= since < stop:
                out[frame] += level * level * (gain / 3.0)


@compiled
def lasting(power: Floats, kept: float, gain: float) -> Floats:
    """An exponential tail: `kept` of the power, (64, frames), lasts to the next frame."""
    made = np.empty_like(power)
    stays, fresh = np.float32(kept), np.float32(gain * (1.0 - kept))
    for band in range(power.shape[0]):
        sounding = np.float32(0.0)
        for frame in range(power.shape[1]):
            sounding = sounding * stays + power[band, frame] * fresh
            made[band, frame] = sounding
    return made


@compiled
def repeated(power: Floats, delays: Indices, gains: Floats) -> Floats:
    """The sum of repeats of the power, (64, frames), each `delays` frames later."""
    made = np.zeros_like(power)
    n_frames = power.shape[1]
    for tap in range(len(delays)):
        delay, gain = delays[tap], gains[tap]
        for band in range(power.shape[0]):
            for frame in range(n_frames - delay):
                made[band, frame + delay] += power[band, frame] * gain
    return made
