"""What happens in a song, event by event: what begins, is struck or held, its pitches, its decay.

Statistics over frames say little of a song in which little sounds: three drums and a bass have
nearly the same spectrum on average whether they come twice or ten times a second. Here onsets are
found one by one (SuperFlux: Böck and Widmer 2013), what is struck is told from what is held (median
filters: Fitzgerald 2010), pitches are picked by the sum of their harmonics (Klapuri 2006), and the
time that sounds take to fall away is measured.
"""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, median_filter, uniform_filter1d

from corpus.mel_filters import mel_filters

__all__ = ["event_views"]

Frames = NDArray[np.float64]
Steps = NDArray[np.int64]

_HOP: Final = 110  # 5 ms at 22.05 kHz: two strokes of a roll are told apart
_SHORT: Final = 1024
_N_BANDS: Final = 36  # on the mel scale
_HIGHEST_BAND_HZ: Final = 10_500.0
_GROUP: Final = 6  # bands that are listened to together: about an octave
_LAG: Final = 3  # steps over which a rise is measured
_QUIET_DB: Final = -70.0  # a rise from below is one from here
_APART: Final = 6  # steps between onsets, at least
_BARS_DB: Final = (0.5, 1.0, 2.0, 3.0, 5.0, 8.0)  # of an onset, mean rise over bands
_GROUP_BARS_DB: Final = (3.0, 6.0, 10.0)  # the same within a group
_ONSET_DB: Final = 2.0
_FRAME: Final = 2048
_LONG: Final = 4096
_FRAME_HOP: Final = 512
_MEDIAN: Final = 11  # frames, or bins: longer than an attack, wider than a partial
_HIGHEST_HZ: Final = 8000.0
_OCTAVES_HZ: Final = (0.0, 120.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0)
_FLOOR: Final = 1e-9
_PITCHES: Final = np.arange(28, 101)  # MIDI: E1 to E7
_HARMONICS: Final = 8
_FADING: Final = 0.8  # weight of each harmonic, of that below
_VOICES: Final = 4  # pitches picked in a frame, at most
_AUDIBLE: Final = 0.35  # of the strongest pitch in a frame
_FALL_DB: Final = 10.0
_DROPS_DB: Final = (6.0, 10.0, 15.0, 20.0, 30.0, 40.0)
_LATER_SECONDS: Final = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)


def event_views(samples: NDArray[np.float32], rate: int) -> list[Frames]:
    """Four views of a song: onsets (34), strokes (34), pitches (40), decay (37), all finite.

    Args:
        samples: mono, full scale ±1, (samples,), half a second or more.
        rate: samples per second; constants are made for 22 050.
    """
    sound = samples.astype(np.float64)
    power = _spectra(sound, _SHORT, _HOP) ** 2 @ mel_filters(
        rate, _SHORT, _N_BANDS, _HIGHEST_BAND_HZ
    )
    level = 10 * np.log10(power + _FLOOR)
    spectrum = _spectra(sound, _LONG, _FRAME_HOP)
    partials = _partials(spectrum)
    return [
        _onsets(level, rate / _HOP),
        _strokes(_spectra(sound, _FRAME, _FRAME_HOP), rate),
        _pitches(spectrum, partials, rate),
        _decay(power, partials, rate),
    ]


def _spectra(sound: Frames, frame: int, hop: int) -> Frames:
    """Magnitudes, frames centred on their time, (frames, frame / 2 + 1)."""
    padded = np.pad(sound, frame // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame)[::hop]
    taper = np.hanning(frame + 1)[:-1]
    return np.abs(np.fft.rfft(frames * (taper * 2 / taper.sum()), axis=1))


def _peaks(curve: Frames, bar: float) -> Steps:
    """Where a curve is above `bar` and highest nearby."""
    highest = maximum_filter1d(curve, 2 * _APART + 1)
    return np.flatnonzero((curve >= highest) & (curve > bar))


def _quantiles(values: NDArray[np.float64], per_cent: tuple[int, ...], default: float) -> Frames:
    return np.percentile(values, per_cent) if len(values) else np.full(len(per_cent), default)


def _onsets(level: Frames, rate: float) -> Frames:
    """How many onsets there are, in which bands, how far apart and how strong.

    Args:
        level: dB, (steps, bands).
        rate: steps per second.
    """
    before = np.maximum(maximum_filter1d(level, 3, axis=1)[:-_LAG], _QUIET_DB)
    rise = np.maximum(level[_LAG:] - before, 0.0)
    whole = rise.mean(axis=1)
    counts = [float(len(_peaks(whole, bar))) for bar in _BARS_DB]
    found: list[Steps] = []
    for group in range(0, _N_BANDS, _GROUP):
        curve = rise[:, group : group + _GROUP].mean(axis=1)
        peaks = [_peaks(curve, bar) for bar in _GROUP_BARS_DB]
        counts += [float(len(one)) for one in peaks]
        found.append(peaks[1])
    every = np.unique(np.concatenate(found))
    distinct = 1 + int((np.diff(every) >= _APART).sum()) if len(every) else 0
    counts.append(float(distinct))
    together = sum(map(len, found)) / max(1, distinct) / 3
    onsets = _peaks(whole, _ONSET_DB)
    gaps = np.log2(np.diff(onsets) / rate)
    between = _quantiles(gaps, (5, 25, 50, 75, 95), 1.0)
    uneven = float(gaps.std()) if len(gaps) else 0.0
    strength = whole[onsets] if len(onsets) else np.zeros(1)
    return np.concatenate(
        [
            np.log2(1 + np.array(counts)),
            [together],
            between,
            [uneven, strength.mean() / 10, strength.std() / 10],
        ]
    )


def _strokes(spectrum: Frames, rate: int) -> Frames:
    """What is held and what is struck: shares and levels by octave, and the spectrum of each."""
    hz = np.fft.rfftfreq(_FRAME, 1 / rate)
    spectrum, hz = spectrum[:, hz < _HIGHEST_HZ], hz[hz < _HIGHEST_HZ]
    amplitude = np.sqrt(spectrum).astype(np.float32)
    held, struck = (median_filter(amplitude, size) for size in ((_MEDIAN, 1), (1, _MEDIAN)))
    power = spectrum**2
    mask = held**4 / (held**4 + struck**4 + 1e-12)
    parts = (power * mask, power * (1 - mask))
    whole = float(power.sum()) + _FLOOR
    found = [
        float(parts[0].sum()) / whole,
        float(power[held > 2 * struck].sum()) / whole,
        float(power[struck > 2 * held].sum()) / whole,
    ]
    octave = np.searchsorted(_OCTAVES_HZ, hz, side="right")
    for k in range(1, len(_OCTAVES_HZ) + 1):
        first, second = (float(part[:, octave == k].sum()) for part in parts)
        found += [first / (first + second + _FLOOR)]
        found += [np.log10(first + 1e-8) / 2, np.log10(second + 1e-8) / 2]
    loud = [np.sqrt(part.sum(axis=1)) for part in parts]
    found += list(np.percentile(loud[0] / (loud[0] + loud[1] + 1e-6), [10, 50, 90]))
    found.append(float(loud[0].sum() / (loud[0].sum() + loud[1].sum() + _FLOOR)))
    for part in parts:
        mean = part.mean(axis=0)
        share = mean / max(float(mean.sum()), 1e-12)
        heights = np.log2(np.maximum(hz, 20.0))
        centre = float(share @ heights)
        width = np.sqrt(max(float(share @ heights**2) - centre**2, 0.0))
        flatness = float(np.log(mean + 1e-10).mean() - np.log(mean.mean() + 1e-10))
        found += [centre, float(width), flatness]
    return np.array(found)


def _partials(spectrum: Frames) -> Frames:
    """The spectrum where it has narrow peaks, 0 elsewhere."""
    inner = spectrum[:, 1:-1]
    around = uniform_filter1d(spectrum, 25, axis=1)[:, 1:-1]
    narrow = (inner > spectrum[:, :-2]) & (inner >= spectrum[:, 2:]) & (inner > 2 * around)
    partials = np.zeros_like(spectrum)
    partials[:, 1:-1] = np.where(narrow, inner, 0.0)
    return partials


@lru_cache(maxsize=2)
def _harmonic_bins(rate: int) -> tuple[tuple[tuple[int, int, int], ...], ...]:
    """For each harmonic, (pitch, first bin, last bin + 1) of the pitches that have it."""
    hz = 440 * 2 ** ((_PITCHES - 69) / 12)
    width = 2 ** (0.4 / 12)
    rows = []
    for number in range(1, _HARMONICS + 1):
        bins = hz * number * _LONG / rate
        rows.append(
            tuple(
                (pitch, int(place / width), int(np.ceil(place * width)) + 1)
                for pitch, place in enumerate(bins)
                if place * width < _LONG // 2 - 1
            )
        )
    return tuple(rows)


def _salience(partials: Frames, rate: int) -> Frames:
    """How strongly each pitch sounds: its harmonics together, (frames, pitches)."""
    salience = np.zeros((len(partials), len(_PITCHES)))
    first = np.zeros_like(salience)
    for number, row in enumerate(_harmonic_bins(rate)):
        for pitch, low, high in row:
            strength = np.sqrt(partials[:, low:high].max(axis=1))
            salience[:, pitch] += _FADING**number * strength
            if number == 0:
                first[:, pitch] = strength
    there = np.sqrt(first / (first.max(axis=1, keepdims=True) + _FLOOR))
    voiced: Frames = salience * there  # a pitch without its fundamental is that of an overtone
    return voiced


def _pitches(spectrum: Frames, partials: Frames, rate: int) -> Frames:
    """Which pitches sound, how far apart, how many at once, and how much has a pitch at all."""
    salience = _salience(partials, rate)
    strongest = salience.max(axis=1)
    active = strongest > 0.1 * max(float(strongest.max()), _FLOOR)
    tonal = (partials**2).sum(axis=1) / ((spectrum**2).sum(axis=1) + 1e-12)
    peak = np.log10(float(partials.max()) + 1e-4)
    whole = (partials**2).sum() / ((spectrum**2).sum() + 1e-12)
    shares = [active.mean(), peak, whole, float(np.median(tonal))]
    if not active.any():
        return np.array([0.0] * 36 + shares)
    picked = _picked(salience[active])  # (active, voices), 0 where there is none
    main, every = picked[:, 0], picked[picked > 0]
    moves = float((np.diff(main) != 0).mean()) if len(main) > 1 else 0.0
    share = salience[active].sum(axis=0)
    share = share / share.sum()
    centre = float(share @ _PITCHES)
    width = float(np.sqrt(share @ (_PITCHES - centre) ** 2))
    thirds = np.bincount((every - _PITCHES[0]) // 4, minlength=19) / len(every)
    return np.concatenate(
        [
            [(main.mean() - 60) / 14, main.std() / 6, (every.mean() - 60) / 14, every.std() / 6],
            (np.percentile(main, [10, 50, 90]) - 60) / 14,
            (np.percentile(every, [10, 25, 50, 75, 90]) - 60) / 14,
            [(picked[:, 1:] > 0).mean()],
            np.sqrt(thirds),
            [(centre - 60) / 14, width / 6, len(np.unique(every)) / 12, moves],
            shares,
        ]
    )


def _picked(salience: Frames) -> Steps:
    """The strongest pitches of each frame, MIDI, a pitch and its overtones only once."""
    left, rows = salience.copy(), np.arange(len(salience))
    bar = _AUDIBLE * salience.max(axis=1)
    near = np.array([interval + k for interval in (0, 12, 19, 24, 28, 31) for k in (-1, 0, 1)])
    picked = np.zeros((len(salience), _VOICES), np.int64)
    for voice in range(_VOICES):
        best = left.argmax(axis=1)
        picked[:, voice] = np.where(left[rows, best] >= bar, _PITCHES[best], 0)
        taken = best[:, None] + near
        inside = (taken >= 0) & (taken < left.shape[1])
        left[np.repeat(rows, inside.sum(axis=1)), taken[inside]] = 0.0
    return picked


def _decay(power: Frames, partials: Frames, rate: int) -> Frames:
    """How long sounds take to fall by 10 dB, how long partials last, how much is near silence."""
    found: list[float] = []
    grouped = power.reshape(len(power), -1, _GROUP).sum(axis=2)
    for column in (10 * np.log10(grouped + 1e-8)).T:
        found += list(_quantiles(_falls(column), (10, 50, 90), -3.0) / 3)
    lasting = _lasting(partials, rate)
    found += list(np.log2(np.percentile(lasting, [25, 50, 75, 90, 97]) + 0.5) / 3)
    found += [np.log2((lasting**2).sum() / lasting.sum()) / 3, np.log2(1 + len(lasting)) / 3]
    level = 10 * np.log10(power.sum(axis=1) + _FLOOR)
    found += [float((level < level.max() - drop).mean()) for drop in _DROPS_DB]
    centred, n = level - level.mean(), 2 * len(level)
    alike = np.fft.irfft(np.abs(np.fft.rfft(centred, n)) ** 2, n)
    lags = [min(int(seconds * rate / _HOP), len(level) - 1) for seconds in _LATER_SECONDS]
    return np.array(found + list(alike[lags] / (alike[0] + _FLOOR)))


def _falls(level: Frames) -> Frames:
    """After each attack, log2 of the steps until the level is 10 dB lower."""
    rise = np.convolve(np.maximum(np.diff(level, prepend=level[0]), 0.0), np.ones(4), "same")
    attacks = _peaks(rise, 6.0)
    falls = []
    for start, end in zip(attacks, [*attacks, len(level)][1:], strict=True):
        after = level[start:end]
        if len(after) < 4:
            continue
        top = int(after[:12].argmax())
        below = np.flatnonzero(after[top:] < after[top] - _FALL_DB)
        falls.append(float(below[0]) if len(below) else 1.5 * len(after))
    return np.asarray(np.log2(np.array(falls) + 2), np.float64)


def _lasting(partials: Frames, rate: int) -> Frames:
    """For how many frames each partial sounds on within its semitone, at least one entry."""
    hz = np.maximum(np.fft.rfftfreq(_LONG, 1 / rate), 20.0)
    semitone = np.rint(69 + 12 * np.log2(hz / 440)).astype(int)
    first, last = np.searchsorted(semitone, [30, 110])
    starts = first + np.flatnonzero(np.diff(semitone[first:last], prepend=-1))
    sounding = partials > 0.03 * max(float(partials.max()), _FLOOR)
    on = np.logical_or.reduceat(sounding[:, :last], starts, axis=1).astype(np.int8)
    steps = np.diff(np.pad(on, ((1, 1), (0, 0))), axis=0).T  # (semitones, frames + 1)
    lengths = np.nonzero(steps < 0)[1] - np.nonzero(steps > 0)[1]
    return np.asarray(lengths, np.float64) if len(lengths) else np.ones(1)
