"""What a whole song sounds like, as layers: one vector per layer, whatever the song's length.

A layer of the default encoder, `descriptors`, is one view of the song: timbre, harmony, rhythm,
dynamics, register, each as statistics over its frames, its character in few numbers, and what its
single sounds are like: onsets, strokes, pitches, decay. A pretrained encoder gives its hidden
layers instead (`models.hidden_layers`); who reads them cannot tell the difference.
"""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct

from corpus.audio_file import read_audio
from corpus.mel_filters import mel_filters
from corpus.song_character import song_character
from corpus.song_events import event_views
from corpus.whole_file import write_atomically

FloatArray = NDArray[np.float32]
Frames = NDArray[np.float64]

AUDIO_SUFFIXES: Final = (".wav", ".flac", ".ogg", ".mp3")
SAMPLE_RATE: Final = 22_050
"""Rate that `descriptors` hears at, Hz."""
SHORTEST_SECONDS: Final = 0.5
_FRAME: Final = 2048
_LONG_FRAME: Final = 8192  # tells semitones apart down to C2
_HOP: Final = 512
_FINE_HOP: Final = 256
_N_MEL: Final = 48
_HIGHEST_BAND_HZ: Final = 10_000.0
_N_MFCC: Final = 20
_FLOOR: Final = 1e-6  # of a magnitude: -120 dB below a full-scale sine
_TEMPI: Final = 40.0 * 2.0 ** (np.arange(60) / 24)  # 40..220 beats per minute, half a semitone
# Krumhansl and Kessler (1982), table 1: how well each pitch class fits a key, tonic first.
_KEY_PROFILES: Final = np.array(
    [
        [6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88],
        [6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17],
    ]
)


class SongEncoder(Protocol):
    """A song in, its layers out."""

    @property
    def name(self) -> str:
        """Names the encoder and all that changes its numbers; part of a cache's key."""
        ...

    @property
    def sample_rate(self) -> int:
        """Samples per second that `encode` expects."""
        ...

    @property
    def layer_names(self) -> tuple[str, ...]:
        """One name per layer, length L."""
        ...

    def encode(self, samples: FloatArray) -> FloatArray:
        """The layers of a song, shape (L, D), finite; a shorter layer ends in zeros.

        Args:
            samples: mono, full scale ±1, shape (samples,), at `sample_rate`.

        Raises:
            ValueError: too short, or samples that are not finite.
        """
        ...


class SongDescriptors:
    """The default encoder: ten views of a song, no weights, the same numbers everywhere."""

    name = "descriptors-3"
    sample_rate = SAMPLE_RATE
    layer_names = (
        "timbre", "harmony", "rhythm", "dynamics", "register", "character",
        "onsets", "strokes", "pitches", "decay",
    )  # fmt: skip

    def encode(self, samples: FloatArray) -> FloatArray:
        """The ten layers, shape (10, D), zero-padded to the longest; see `SongEncoder.encode`.

        Raises:
            ValueError: shorter than half a second, or samples that are not finite.
        """
        check_song(samples, self.sample_rate)
        fine = _spectrogram(samples, _FINE_HOP)  # (frames, bins)
        magnitude = fine[:: _HOP // _FINE_HOP]
        pitches = _semitones(_spectrogram(samples, 3 * _HOP, _LONG_FRAME))
        flux = _onset_strength(fine)
        filters = mel_filters(SAMPLE_RATE, _FRAME, _N_MEL, _HIGHEST_BAND_HZ)
        mel = np.log(np.maximum(magnitude @ filters, _FLOOR))  # (T, mel)
        views = [
            _timbre(magnitude, mel, flux),
            _harmony(pitches),
            _rhythm(fine),
            np.concatenate([_dynamics(samples), _after_onsets(samples, fine)]),
            _register(pitches),
            song_character(fine, flux, pitches, SAMPLE_RATE / _FINE_HOP),
            *event_views(samples, SAMPLE_RATE),
        ]
        layers = np.zeros((len(views), max(len(view) for view in views)), np.float32)
        for row, view in zip(layers, views, strict=True):
            row[: len(view)] = view
        return layers


def check_song(samples: FloatArray, sample_rate: int) -> None:
    """Refuse what no encoder can describe.

    Raises:
        ValueError: not mono, shorter than half a second, or not finite.
    """
    if samples.ndim != 1:
        raise ValueError(f"a song must be mono, shape (samples,), got shape {samples.shape}")
    if len(samples) < SHORTEST_SECONDS * sample_rate:
        raise ValueError(
            f"a song must last at least {SHORTEST_SECONDS} s, got {len(samples) / sample_rate:.2f}"
        )
    if not np.isfinite(samples).all():
        raise ValueError("a song must be finite, got NaN or infinity; check who made it")


def encode_folder(
    folder: Path,
    encoder: SongEncoder,
    *,
    cache: Path | None = None,
    on_song: Callable[[str], None] = lambda _: None,
) -> tuple[list[str], FloatArray]:
    """Every audio file below `folder`, in order of name.

    Args:
        folder: holds audio files, at any depth.
        encoder: what describes them.
        cache: folder to keep the layers in, by content of the file and encoder; none if None.
        on_song: told the name of each song when it is done.

    Returns:
        Names (path below `folder` without its suffix), and layers of shape (songs, L, D).

    Raises:
        ValueError: no audio in the folder, or a file that cannot be used.
    """
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES)
    if not paths:
        kinds = ", ".join(AUDIO_SUFFIXES)
        raise ValueError(f"{folder} must hold audio files ({kinds}), found none; name another")
    names, layers = [], []
    for path in paths:
        name = path.relative_to(folder).with_suffix("").as_posix()

        def hear(path: Path = path) -> FloatArray:
            return encoder.encode(read_audio(path, encoder.sample_rate, 1)[:, 0])

        key = hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
        layers.append(cached_layers(cache, f"{encoder.name}:{key}", hear))
        names.append(name)
        on_song(name)
    return names, np.stack(layers)


def cached_layers(cache: Path | None, key: str, make: Callable[[], FloatArray]) -> FloatArray:
    """The layers kept under `key`, or what `make` gives, kept for the next time.

    Args:
        cache: a folder, made if missing; None keeps nothing.
        key: names the song and the encoder.
        make: called if nothing (or nothing readable) is kept.
    """
    if cache is None:
        return make()
    path = cache / f"{hashlib.blake2b(key.encode(), digest_size=16).hexdigest()}.npy"
    try:
        kept: FloatArray = np.load(path, allow_pickle=False)
        return kept
    except (OSError, ValueError):
        layers = make()
    content = io.BytesIO()
    np.save(content, layers, allow_pickle=False)
    write_atomically(path, content.getbuffer())
    return layers


def _spectrogram(samples: FloatArray, hop: int, frame: int = _FRAME) -> Frames:
    """Magnitudes, shape (frames, frame / 2 + 1); a full-scale sine peaks at 1."""
    padded = np.pad(samples, (0, max(0, frame - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame)[::hop]
    taper = np.hanning(frame + 1)[:-1]
    return np.abs(np.fft.rfft(frames * (taper * 2 / taper.sum()), axis=1))


def _statistics(frames: Frames) -> Frames:
    """Mean, deviation and mean step of each column, shape (3 · columns,)."""
    step = np.abs(np.diff(frames, axis=0)).mean(axis=0) if len(frames) > 1 else 0 * frames[0]
    return np.concatenate([frames.mean(axis=0), frames.std(axis=0), step])


def _timbre(magnitude: Frames, mel: Frames, flux: Frames) -> Frames:
    """Cepstrum on the whole, at onsets and after; centroid, spread, roll-off and flatness."""
    cepstrum = dct(mel, axis=1, norm="ortho")[:, 1 : _N_MFCC + 1]
    octave = np.log2(np.maximum(np.fft.rfftfreq(_FRAME, 1 / SAMPLE_RATE), 20.0))
    power = magnitude**2 + _FLOOR**2
    share = power / power.sum(axis=1, keepdims=True)
    centroid = share @ octave
    spread = np.sqrt(np.maximum(share @ octave**2 - centroid**2, 0.0))
    roll_off = octave[np.argmax(np.cumsum(share, axis=1) >= 0.85, axis=1)]
    flatness = np.log(power).mean(axis=1) - np.log(power.mean(axis=1))
    shape = np.stack([centroid, spread, roll_off, flatness], axis=1)
    attacks = np.argsort(flux)[::-1][: max(8, len(flux) // 40)] * _FINE_HOP // _HOP + 1
    struck = cepstrum[np.minimum(attacks + 1, len(mel) - 1)].mean(axis=0)
    ringing = cepstrum[np.minimum(attacks + 7, len(mel) - 1)].mean(axis=0)
    return np.concatenate([_statistics(cepstrum), _statistics(shape), struck, ringing])


def _semitones(magnitude: Frames) -> Frames:
    """Strength of each semitone from MIDI 36 to 107, peaks of the spectrum only, (frames, 72)."""
    peak = np.zeros_like(magnitude)
    inner = magnitude[:, 1:-1]
    is_peak = (inner > magnitude[:, :-2]) & (inner >= magnitude[:, 2:])
    peak[:, 1:-1] = np.where(is_peak, inner, 0.0)
    hz = np.maximum(np.fft.rfftfreq(_LONG_FRAME, 1 / SAMPLE_RATE), 1.0)
    semitone = np.rint(69 + 12 * np.log2(hz / 440)).astype(int)
    fold = (semitone[:, None] == np.arange(36, 108)).astype(np.float64)
    strength: Frames = np.sqrt(peak @ fold)
    return strength


def _harmony(pitches: Frames) -> Frames:
    """Chroma turned to its most likely tonic, and how well major and minor keys fit."""
    chroma = pitches.reshape(len(pitches), 6, 12).sum(axis=1)
    mean = chroma.mean(axis=0)
    profiles = np.stack([np.roll(p, key) for p in _KEY_PROFILES for key in range(12)])
    fit = _correlation(profiles, mean).reshape(2, 12)
    tonic = int(fit.max(axis=0).argmax())
    turned = np.roll(chroma, -tonic, axis=1)
    turned = turned / np.maximum(turned.sum(axis=1, keepdims=True), 1e-9)
    best = np.sort(fit, axis=1)[:, -2:].ravel()
    keys = np.concatenate([best, [fit[0].max() - fit[1].max()], np.roll(fit, -tonic, 1).ravel()])
    change = np.abs(np.diff(turned, axis=0)).sum(axis=1) if len(turned) > 1 else np.zeros(1)
    return np.concatenate([turned.mean(axis=0), turned.std(axis=0), keys, [change.mean()]])


def _correlation(rows: Frames, vector: Frames) -> Frames:
    rows = rows - rows.mean(axis=1, keepdims=True)
    vector = vector - vector.mean()
    length = np.linalg.norm(rows, axis=1) * np.linalg.norm(vector)
    correlation: Frames = (rows @ vector) / np.maximum(length, 1e-9)
    return correlation


def _onset_strength(magnitude: Frames) -> Frames:
    """Rise of the level in thirds of an octave, dB, 86 values per second, shape (steps,), ≥ 0."""
    hz = np.fft.rfftfreq(_FRAME, 1 / SAMPLE_RATE)
    edges = np.geomspace(60.0, 10_000.0, 31)
    bands = (np.searchsorted(edges, hz)[:, None] == np.arange(1, 31)).astype(np.float64)
    level = 10 * np.log10(magnitude**2 @ bands + 1e-6)
    strength: Frames = np.maximum(level[2:] - level[:-2], 0.0).mean(axis=1)
    return strength


def _rhythm(magnitude: Frames) -> Frames:
    """Tempogram, gaps between onsets, and how many and how strong they are.

    Args:
        magnitude: spectrogram at the fine hop.
    """
    flux = np.pad(_onset_strength(magnitude), (2, 2))
    rate = SAMPLE_RATE / _FINE_HOP
    second = min(87, len(flux))  # steps
    centred = flux - np.convolve(flux, np.ones(second) / second, mode="same")
    n = 2 * len(centred)
    correlation = np.fft.irfft(np.abs(np.fft.rfft(centred, n)) ** 2, n)[: len(centred)]
    correlation = correlation / max(correlation[0], 1e-9)
    tempogram = np.interp(60 / _TEMPI * rate, np.arange(len(correlation)), correlation, right=0.0)
    inner = flux[2:-2]
    nearby = np.stack([flux[k : len(flux) - 4 + k] for k in range(5)]).max(axis=0)
    onsets = np.flatnonzero((inner >= nearby) & (inner > flux.mean() + 0.5 * flux.std()))
    gaps = np.log2(np.diff(onsets) / rate) if len(onsets) > 2 else np.zeros(1)
    counts = [len(onsets) / (len(flux) / rate), flux.mean(), flux.std(), np.percentile(flux, 95)]
    return np.concatenate([tempogram, np.percentile(gaps, [10, 25, 50, 75, 90]), counts])


def _after_onsets(samples: FloatArray, fine: Frames) -> Frames:
    """Mean level in the half second after an onset, dB / 20 below its peak: plucked or held."""
    flux = _onset_strength(fine)
    strongest = np.argsort(flux)[::-1][: max(8, len(flux) // 40)] + _FRAME // (2 * _FINE_HOP)
    whole = samples[: len(samples) // _FINE_HOP * _FINE_HOP].astype(np.float64)
    level = 10 * np.log10(np.mean(whole.reshape(-1, _FINE_HOP) ** 2, axis=1) + _FLOOR**2)
    steps = np.array([-4, -2, 0, 1, 2, 3, 4, 6, 8, 12, 16, 22, 30, 43])
    places = np.clip(strongest[:, None] + steps, 0, len(level) - 1)
    curves = level[places]
    relative = (curves - curves.max(axis=1, keepdims=True)) / 20
    return np.concatenate([relative.mean(axis=0), relative.std(axis=0)[::3]])


def _dynamics(samples: FloatArray) -> Frames:
    """Levels in decibels over 23 ms windows: how loud, how even, how fast it falls."""
    whole = samples[: len(samples) // _HOP * _HOP].astype(np.float64).reshape(-1, _HOP)
    power = np.mean(whole**2, axis=1)
    level = 10 * np.log10(power + _FLOOR**2)
    steps = np.diff(level) if len(level) > 1 else np.zeros(1)
    quantiles = np.percentile(level, [5, 10, 25, 50, 75, 90, 95]) / 20
    mean_level = 10 * np.log10(power.mean() + _FLOOR**2)
    peak = 20 * np.log10(np.abs(whole).max() + _FLOOR)
    falls = -steps[steps < 0].mean() if (steps < 0).any() else 0.0
    rises = steps[steps > 0].mean() if (steps > 0).any() else 0.0
    quiet = [float(np.mean(level < mean_level - drop)) for drop in (6, 12, 24, 40)]
    shape = [mean_level / 20, (peak - mean_level) / 20, level.std() / 20, falls / 6, rises / 6]
    return np.concatenate([quantiles, shape, quiet])


def _register(semitones: Frames) -> Frames:
    """Where notes lie: share of each third of an octave, and quantiles of the strongest."""
    total = semitones.sum(axis=0)
    share = total / max(total.sum(), 1e-9)
    bands = np.sqrt(share.reshape(18, 4).sum(axis=1))
    strongest = semitones.argmax(axis=1)[semitones.max(axis=1) > 1e-3]
    places = np.percentile(strongest, [5, 25, 50, 75, 95]) / 12 if len(strongest) else np.zeros(5)
    moves = np.abs(np.diff(strongest)).mean() / 12 if len(strongest) > 1 else 0.0
    top = 71 - (semitones >= 0.4 * semitones.max(axis=1, keepdims=True))[:, ::-1].argmax(axis=1)
    line = np.percentile(top, [5, 25, 50, 75, 95]) / 12
    centre = float(share @ np.arange(72)) / 12
    return np.concatenate([bands, places, line, [moves, centre]])
