"""Effects on mel spectrograms: what each does to power in bands and frames.

An effect takes power, shape (64, frames), and its arguments, and gives power of the same shape.
Phase is unknown, so echoes add as power; levels were checked against renderings of a held saw.
"""

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np

from corpus.sonic_pi.mel import (
    FRAME_SECONDS,
    N_BANDS,
    PLAIN,
    Floats,
    band_hertz,
    high_pass,
    low_pass,
    shifted_bands,
)
from corpus.sonic_pi.sketch_kernels import lasting, repeated

__all__ = ["EFFECTS", "LASTING", "Arguments", "apply_effect", "limited"]

Arguments: TypeAlias = Mapping[str, float]
Effect: TypeAlias = Callable[[Floats, Arguments], Floats]

LASTING: Final = frozenset({"reverb", "gverb", "echo", "ping_pong"})
"""Effects that sound on after what runs into them."""
_MOST_ECHOES: Final = 24
_CREST: Final = 2.2
"""Peak of music over its root mean square, about."""
_POINTS: Final = 8
"""Points inside a frame at which a fast modulation is averaged."""


def apply_effect(name: str, power: Floats, arguments: Arguments) -> Floats:
    """The power after an effect, mixed with what goes in; an unknown effect changes nothing."""
    effect = EFFECTS.get(name)
    gain = np.float32(max(0.0, arguments.get("amp", 1.0)) ** 2)
    before = np.float32(max(0.0, arguments.get("pre_amp", 1.0)) ** 2)
    if effect is None:
        return power * (gain * before)
    mix = min(1.0, max(0.0, arguments.get("mix", 1.0)))
    power = power * before
    wet = effect(power * np.float32(max(0.0, arguments.get("pre_mix", 1.0)) ** 2), arguments)
    if mix >= 1.0:
        return wet * gain
    dry, through = math.cos(mix * math.pi / 2), math.sin(mix * math.pi / 2)
    if name == "reverb":  # mixes twice
        dry, through = dry + through * (1.0 - mix), through * mix
    return np.asarray((power * np.float32(dry**2) + wet * np.float32(through**2)) * gain)


def _reverb(power: Floats, arguments: Arguments) -> Floats:
    room = min(1.0, max(0.0, arguments.get("room", 0.6)))
    kept = (0.7 + 0.28 * room) ** (2.0 * FRAME_SECONDS / 0.031)  # combs of about 31 ms
    damping = _damping(round(arguments.get("damp", 0.5), 1))
    return lasting(power * damping, kept, 0.42 / (1.0 - 0.72 * room))


@lru_cache(maxsize=32)
def _damping(damp: float) -> Floats:
    shape = 1.0 / (1.0 + damp * (band_hertz() / 4000.0) ** 2)
    return np.asarray(shape[:, None], dtype=np.float32)


def _gverb(power: Floats, arguments: Arguments) -> Floats:
    release = max(0.05, arguments.get("release", 3.0))
    kept = 10.0 ** (-8.0 * FRAME_SECONDS / release)
    return lasting(power, kept, 4.5) + power * np.float32(5.0)


def _echoes(power: Floats, phase: float, kept: float) -> Floats:
    """The sound and its repeats every `phase` seconds, each `kept` of the one before in power."""
    n_frames = power.shape[1]
    step = max(phase, 0.01) / FRAME_SECONDS
    delays, gains, gain = [0], [1.0], 1.0
    for count in range(1, _MOST_ECHOES):
        delay = int(count * step)
        if delay >= n_frames or gain < 1e-4:
            break
        part = (count * step - delay) * gain
        delays += [delay, delay + 1]
        gains += [gain - part, part]
        gain *= kept
    return repeated(power, np.array(delays), np.array(gains, dtype=np.float32))


def _echo(power: Floats, arguments: Arguments) -> Floats:
    phase = arguments.get("phase", 0.25)
    decay = max(0.05, arguments.get("decay", 2.0))
    return _echoes(power, phase, 10.0 ** (-6.0 * phase / decay))


def _ping_pong(power: Floats, arguments: Arguments) -> Floats:
    feedback = min(0.99, max(0.0, arguments.get("feedback", 0.5)))
    return _echoes(power, arguments.get("phase", 0.25), feedback**2)


def _low(resonance: float) -> Effect:
    def filtered(power: Floats, arguments: Arguments) -> Floats:
        response = low_pass(arguments.get("cutoff", 100.0), arguments.get("res", resonance))
        return np.asarray(power * response[:, None])

    return filtered


def _high(resonance: float) -> Effect:
    def filtered(power: Floats, arguments: Arguments) -> Floats:
        response = high_pass(arguments.get("cutoff", 100.0), arguments.get("res", resonance))
        return np.asarray(power * response[:, None])

    return filtered


def _band(power: Floats, arguments: Arguments) -> Floats:
    corner = 440.0 * 2.0 ** ((arguments.get("centre", 100.0) - 69.0) / 12.0)
    width = max(0.02, 1.0 - arguments.get("res", 0.6))
    ratio = band_hertz() / corner
    response = 1.0 / (1.0 + ((ratio - 1.0 / ratio) / width) ** 2)
    return np.asarray(power * response.astype(np.float32)[:, None])


def _wave(arguments: Arguments, n_frames: int) -> Floats:
    """A low-frequency wave between 0 and 1, shape (frames, points)."""
    phase = max(0.01, arguments.get("phase", 0.25))
    time = (np.arange(n_frames * _POINTS) + 0.5) * FRAME_SECONDS / _POINTS
    place = (time / phase + arguments.get("phase_offset", 0.0)) % 1.0
    shape = int(arguments.get("wave", 1))
    if shape == 0:
        value = 1.0 - place
    elif shape == 1:
        value = (place < arguments.get("pulse_width", 0.5)).astype(np.float64)
    elif shape == 2:
        value = 1.0 - np.abs(2.0 * place - 1.0)
    else:
        value = 0.5 + 0.5 * np.sin(2.0 * np.pi * place)
    if arguments.get("invert_wave", 0.0) >= 0.5:
        value = 1.0 - value
    return value.reshape(n_frames, _POINTS).astype(np.float32)


def _slicer(power: Floats, arguments: Arguments) -> Floats:
    low, high = arguments.get("amp_min", 0.0), arguments.get("amp_max", 1.0)
    level = low + (high - low) * _wave(arguments, power.shape[1])
    return np.asarray(power * (level**2).mean(axis=1))


def _tremolo(power: Floats, arguments: Arguments) -> Floats:
    depth = arguments.get("depth", 0.5)
    level = 1.0 - depth * _wave({**arguments, "phase": arguments.get("phase", 4.0)}, power.shape[1])
    return np.asarray(power * (level**2).mean(axis=1))


def _wobble(power: Floats, arguments: Arguments) -> Floats:
    low, high = arguments.get("cutoff_min", 60.0), arguments.get("cutoff_max", 120.0)
    wave = _wave(arguments, power.shape[1])
    corners = low + (high - low) * wave[:, _POINTS // 2]
    response = low_pass(corners, arguments.get("res", 0.8))
    return np.asarray(power * response.T)


def _saturated(power: Floats, drive: float) -> Floats:
    """A soft limit: louder, with harmonics above what goes in."""
    if drive <= 0.0:
        return power
    level = np.sqrt(2.0 * power.sum(axis=0, keepdims=True))
    gain = ((1.0 + drive) / (1.0 + drive * level)) ** 2
    rough = drive * level / (1.0 + drive * level)
    harmonics = _harmonics() @ power
    return np.asarray((power + harmonics * rough) * gain, dtype=np.float32)


@lru_cache(maxsize=1)
def _harmonics() -> Floats:
    """The third, fifth and seventh harmonic of everything, shape (64, 64)."""
    parts = ((19.0, 0.10), (28.0, 0.04), (34.0, 0.02))
    return np.asarray(sum(_raised(shift) * np.float32(share) for shift, share in parts))


@lru_cache(maxsize=64)
def _raised(semitones: float) -> Floats:
    """The matrix that moves a spectrum up, shape (64, 64)."""
    unit = np.eye(N_BANDS, dtype=np.float32)
    return np.ascontiguousarray(shifted_bands(unit, np.full(N_BANDS, semitones)).T)


def _distortion(power: Floats, arguments: Arguments) -> Floats:
    amount = min(0.98, max(0.0, arguments.get("distort", 0.5)))
    return _saturated(power, 2.0 * amount / (1.0 - amount))


def _tanh(power: Floats, arguments: Arguments) -> Floats:
    return _saturated(power, max(0.0, arguments.get("krunch", 5.0)) / 4.0)


def _krush(power: Floats, arguments: Arguments) -> Floats:
    rough = _saturated(power, max(0.0, arguments.get("gain", 5.0)))
    return rough * low_pass(arguments.get("cutoff", 100.0), arguments.get("res", 0.0))[:, None]


def _bitcrusher(power: Floats, arguments: Arguments) -> Floats:
    rate = max(100.0, arguments.get("sample_rate", 10_000.0))
    below = (1.0 / (1.0 + (band_hertz() / (0.6 * rate)) ** 8)).astype(np.float32)
    sounding = power.sum(axis=0, keepdims=True) > 1e-7
    noise = np.float32(4.0 ** -max(1.0, arguments.get("bits", 8.0)) / 12.0) * _pink()
    return np.asarray(power * below[:, None] + _image(round(rate, -2)) @ power + noise * sounding)


@lru_cache(maxsize=1)
def _pink() -> Floats:
    """Shares of the bands in noise with as much power in every octave, shape (64, 1)."""
    share = np.gradient(np.log(band_hertz()))
    return np.asarray((share / share.sum())[:, None], dtype=np.float32)


@lru_cache(maxsize=32)
def _image(rate: float) -> Floats:
    """The images of a spectrum around a low sampling rate, held from sample to sample."""
    hertz = band_hertz()
    matrix = np.zeros((N_BANDS, N_BANDS))
    for source, frequency in enumerate(hertz):
        if frequency < rate / 2:
            for image in (rate - frequency, rate + frequency):
                near = np.exp(-(((hertz - image) / (0.03 * rate)) ** 2))
                held = np.sinc(image / rate) ** 2
                matrix[:, source] += held * near / max(1e-3, near.sum())
    return matrix.astype(np.float32)


def _normaliser(power: Floats, arguments: Arguments) -> Floats:
    total = power.sum(axis=0, keepdims=True)
    level = np.float32(0.3 * max(0.0, arguments.get("level", 1.0)) ** 2)
    return np.asarray(power * np.where(total > 1e-6, level / np.maximum(total, 1e-6), 0.0))


def _normalised(effect: Effect) -> Effect:
    return lambda power, arguments: _normaliser(effect(power, arguments), {})


def _compressor(power: Floats, arguments: Arguments) -> Floats:
    threshold = max(1e-3, arguments.get("threshold", 0.2))
    level = 1.8 * np.sqrt(power.sum(axis=0, keepdims=True)) / threshold
    slope = np.where(level > 1, arguments.get("slope_above", 0.5), arguments.get("slope_below", 1))
    gain = np.clip(np.maximum(level, 1e-6) ** (slope - 1.0), 0.0, 10.0)
    return np.asarray(power * gain**2, dtype=np.float32)


def limited(power: Floats) -> Floats:
    """The limiter at the end of Sonic Pi's mixer: no peak above full scale."""
    peak = _CREST * np.sqrt(power.sum(axis=0, keepdims=True))
    return np.asarray(power / np.maximum(peak, 1.0) ** 2)


def _octaver(power: Floats, arguments: Arguments) -> Floats:
    above = _raised(12.0) @ power * np.float32(arguments.get("super_amp", 1.0) ** 2 * 0.3)
    below = _raised(-12.0) @ power * np.float32(arguments.get("sub_amp", 1.0) ** 2 * 0.3)
    deep = _raised(-24.0) @ power * np.float32(arguments.get("subsub_amp", 1.0) ** 2 * 0.3)
    return np.asarray(power + above + below + deep)


def _pitch_shift(power: Floats, arguments: Arguments) -> Floats:
    shift = arguments.get("pitch", arguments.get("transpose", 0.0))
    return np.asarray(_raised(round(shift, 1)) @ power)


def _ring_mod(power: Floats, arguments: Arguments) -> Floats:
    carrier = 440.0 * 2.0 ** ((arguments.get("freq", 30.0) - 69.0) / 12.0)
    up = 12.0 * np.log2((band_hertz() + carrier) / band_hertz())
    unit = np.eye(N_BANDS, dtype=np.float32)
    down = 12.0 * np.log2(np.maximum(np.abs(band_hertz() - carrier), 20.0) / band_hertz())
    matrix = shifted_bands(unit, up) + shifted_bands(unit, down)
    return np.asarray(matrix.T @ power * np.float32(0.7))


def _eq(power: Floats, arguments: Arguments) -> Floats:
    hertz = np.log2(band_hertz())
    decibels = np.zeros(N_BANDS)
    for name, centre in (("low", 43.0), ("mid", 59.0), ("high", 104.0)):
        place = math.log2(440.0) + (arguments.get(f"{name}_note", centre) - 69.0) / 12.0
        decibels += 20.0 * arguments.get(name, 0.0) * np.exp(-((hertz - place) ** 2))
    low = math.log2(440.0) + (arguments.get("low_shelf_note", 43.0) - 69.0) / 12.0
    high = math.log2(440.0) + (arguments.get("high_shelf_note", 104.0) - 69.0) / 12.0
    decibels += 20.0 * arguments.get("low_shelf", 0.0) * (hertz < low)
    decibels += 20.0 * arguments.get("high_shelf", 0.0) * (hertz > high)
    return np.asarray(power * (10.0 ** (decibels / 10.0)).astype(np.float32)[:, None])


def _band_eq(power: Floats, arguments: Arguments) -> Floats:
    place = math.log2(440.0) + (arguments.get("freq", 100.0) - 69.0) / 12.0
    width = max(0.05, arguments.get("res", 0.6)) + 0.3
    shape = np.exp(-(((np.log2(band_hertz()) - place) / width) ** 2))
    decibels = arguments.get("db", 0.6) * shape
    return np.asarray(power * (10.0 ** (decibels / 10.0)).astype(np.float32)[:, None])


def _vowel(power: Floats, arguments: Arguments) -> Floats:
    formants = ((700, 1100), (400, 1700), (300, 1900), (400, 750), (320, 700))
    index = int(arguments.get("vowel_sound", 1.0)) - 1
    hertz = np.log2(band_hertz())
    response = np.full(N_BANDS, 0.03)
    for corner in formants[index % len(formants)]:
        response += 3.0 * np.exp(-(((hertz - math.log2(corner)) / 0.25) ** 2))
    return np.asarray(power * response.astype(np.float32)[:, None])


def _scaled(gain: float) -> Effect:
    return lambda power, _arguments: power * np.float32(gain)


EFFECTS: Final[dict[str, Effect]] = {
    "reverb": _reverb,
    "gverb": _gverb,
    "echo": _echo,
    "ping_pong": _ping_pong,
    "lpf": _low(PLAIN),
    "rlpf": _low(0.5),
    "nlpf": _normalised(_low(PLAIN)),
    "nrlpf": _normalised(_low(0.5)),
    "hpf": _high(PLAIN),
    "rhpf": _high(0.5),
    "nhpf": _normalised(_high(PLAIN)),
    "nrhpf": _normalised(_high(0.5)),
    "bpf": _band,
    "rbpf": _band,
    "nbpf": _normalised(_band),
    "nrbpf": _normalised(_band),
    "slicer": _slicer,
    "panslicer": _scaled(0.5),
    "tremolo": _tremolo,
    "wobble": _wobble,
    "ixi_techno": _wobble,
    "distortion": _distortion,
    "tanh": _tanh,
    "krush": _krush,
    "bitcrusher": _bitcrusher,
    "normaliser": _normaliser,
    "octaver": _octaver,
    "pitch_shift": _pitch_shift,
    "whammy": _pitch_shift,
    "ring_mod": _ring_mod,
    "eq": _eq,
    "band_eq": _band_eq,
    "vowel": _vowel,
    "pan": _scaled(0.5),
    "mono": _scaled(0.5),
    "level": _scaled(1.0),
    "compressor": _compressor,
    "flanger": _scaled(1.3),
}
"""What is known of each effect, by name."""
