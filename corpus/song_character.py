"""What a listener would say of a song: how fast, major or minor, how dense, how detached, how high.

Statistics over frames hide these in shapes that a taste model must unravel first; here each is one
number or a few. All are estimated from sound alone.
"""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.float64]

_SLOWEST_BPM: Final = 72.0
_N_TEMPI: Final = 96  # in the octave from the slowest: 12.5 cents of tempo apart
_METRE: Final = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Periods of a regular pulse that speak for a tempo, in events per beat."""
_SCALES: Final = {"major": (0, 2, 4, 5, 7, 9, 11), "harmonic minor": (0, 2, 3, 5, 7, 8, 11)}
_SHARPNESS: Final = 40.0  # of the choice between scales, per share of sound inside a scale
_THRESHOLDS: Final = (0.0, 0.5, 1.0, 2.0)  # of an onset, in deviations above the mean strength
_DROPS_DB: Final = (3.0, 6.0, 12.0, 20.0)
_OCTAVES_HZ: Final = (60.0, 130.0, 260.0, 520.0, 1040.0, 2080.0, 10_000.0)
_FLOOR: Final = 1e-6


def song_character(fine: Frames, flux: Frames, semitones: Frames, rate: float) -> Frames:
    """Tempo, scale, density, articulation and height in few numbers, shape (68,), finite.

    Args:
        fine: spectrogram, (frames, bins) up to half the sample rate.
        flux: onset strength at the rate of `fine`, (steps,), ≥ 0.
        semitones: strength of each semitone, whole octaves from a C, (frames, 12 · octaves).
        rate: frames of `fine` per second.
    """
    return np.concatenate(
        [
            _tempo(flux, rate),
            _scale(semitones),
            _density(flux, rate),
            _articulation(fine, flux),
            _height(semitones),
        ]
    )


@lru_cache(maxsize=4)
def _pulses(n: int, rate: float) -> NDArray[np.complex64]:
    """Windowed oscillations at every tempo and period, (periods, tempi, n)."""
    tempi = _SLOWEST_BPM / 60 * 2.0 ** (np.arange(_N_TEMPI) / _N_TEMPI)
    hz = np.array(_METRE)[:, None] * tempi
    window = np.hanning(n + 2)[1:-1]
    turns = np.exp(-2j * np.pi * hz[..., None] * np.arange(n) / rate)
    pulses: NDArray[np.complex64] = (turns * window / window.sum()).astype(np.complex64)
    return pulses


def _tempo(flux: Frames, rate: float) -> Frames:
    """Where in its octave the tempo lies, how clear it is, and what moves at which period.

    The cyclic tempogram (Grosche, Müller and Kurth 2010, eq. 4): octaves of a tempo are one.
    """
    second = max(1, min(round(rate), len(flux)))
    centred = flux - np.convolve(flux, np.ones(second) / second, mode="same")
    centred = centred / max(float(centred.std()), 1e-9)
    strength = np.abs(_pulses(len(flux), rate) @ centred)  # (periods, tempi)
    whole = strength[1:5].sum(axis=0)
    best = int(whole.argmax())
    place = best / _N_TEMPI
    circle = [np.cos(2 * np.pi * place), np.sin(2 * np.pi * place)]
    clear = [whole[best], whole[best] / max(float(whole.mean()), 1e-9)]
    return np.concatenate([[2 * place - 1], circle, clear, strength[:, best]])


def _scale(semitones: Frames) -> Frames:
    """How well major and harmonic minor scales hold what sounds, and which is the better bet."""
    found = []
    loud = semitones / np.maximum(semitones.max(axis=1, keepdims=True), 1e-9)
    for power in (2.0, 1.0):
        chroma = (loud**power).reshape(len(loud), -1, 12).sum(axis=(0, 1))
        share = chroma / max(float(chroma.sum()), 1e-9)
        for weights in (share, np.sqrt(share) / max(float(np.sqrt(share).sum()), 1e-9)):
            major, minor = (
                np.array([weights[(np.array(steps) + key) % 12].sum() for key in range(12)])
                for steps in _SCALES.values()
            )
            lean = float(np.tanh(_SHARPNESS * (minor.max() - major.max())))
            found += [lean, float(minor.max() - major.max()), float(major.max())]
    return np.array(found)


def _density(flux: Frames, rate: float) -> Frames:
    """Onsets per second, as logarithms, weak ones counted or not, and how even they are."""
    inner = flux[2:-2] if len(flux) > 4 else flux[:0]
    nearby = np.stack([flux[k : len(flux) - 4 + k] for k in range(5)]).max(axis=0)
    peaks = inner >= nearby
    bars = [flux.mean() + threshold * flux.std() for threshold in _THRESHOLDS]
    counts = [float((peaks & (inner > bar)).sum()) for bar in bars]
    seconds = max(len(flux) / rate, 1e-9)
    heights = inner[peaks & (inner > bars[1])]
    even = heights.std() / max(float(heights.mean()), 1e-9) if len(heights) else 0.0
    return np.array([*(np.log2((count + 1) / seconds) for count in counts), even])


def _articulation(fine: Frames, flux: Frames) -> Frames:
    """How far the level falls between onsets, on the whole and in each octave."""
    hz = np.linspace(0, 11_025, fine.shape[1])
    power = fine**2
    band = np.searchsorted(_OCTAVES_HZ, hz)
    levels = [power.sum(axis=1)]
    levels += [power[:, band == k].sum(axis=1) for k in range(1, len(_OCTAVES_HZ))]
    db = 10 * np.log10(np.stack(levels) + _FLOOR**2)  # (1 + octaves, frames)
    bar = flux.mean() + 0.5 * flux.std()
    nearby = np.stack([flux[k : len(flux) - 4 + k] for k in range(5)]).max(axis=0)
    onsets = np.flatnonzero((flux[2:-2] >= nearby) & (flux[2:-2] > bar)) + 4
    onsets = onsets[onsets < db.shape[1] - 1]
    falls = np.zeros((len(db), 1))
    if len(onsets) > 1:
        top = np.maximum.reduceat(db, onsets, axis=1)[:, :-1]
        low = np.minimum.reduceat(db, onsets, axis=1)[:, :-1]
        falls = top - low  # (1 + octaves, gaps)
    peak = np.percentile(db, 95, axis=1, keepdims=True)
    quiet = [np.mean(db[0] < peak[0] - drop) for drop in _DROPS_DB]
    typical = np.median(falls, axis=1) / 20
    return np.concatenate(
        [typical, falls.std(axis=1) / 20, np.percentile(falls[0], [10, 90]) / 20, quiet,
         db.mean(axis=1) / 20, peak[:, 0] / 20]
    )  # fmt: skip


def _height(semitones: Frames) -> Frames:
    """Where notes lie on the whole, in octaves, and how many sound at once."""
    loud = semitones / np.maximum(semitones.max(axis=1, keepdims=True), 1e-9)
    places = np.arange(semitones.shape[1]) / 12
    held = (loud > 0.3).astype(np.float64)
    centres = [
        float((weights.sum(axis=0) @ places) / max(float(weights.sum()), 1e-9))
        for weights in (loud, loud**2, held)
    ]
    at_once = held.sum(axis=1)
    return np.array([*centres, at_once.mean() / 4, at_once.std() / 4, (loud**2).sum(1).mean() / 4])
