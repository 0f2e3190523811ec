"""Notes to sound: one part at a time through FluidSynth and a General MIDI sound font.

Offline and dry (no reverb, no chorus): the same notes give the same samples. Every onset falls on
floor(beats · 60 / tempo · rate), so the stems of a piece share one sample clock; FluidSynth works
in blocks of 64 samples, so a note speaks up to 1.5 ms later.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from corpus.notation import Note

INSTRUMENTS: Final = {
    "piano": 0,
    "electric piano": 4,
    "vibraphone": 11,
    "nylon guitar": 24,
    "acoustic bass": 32,
    "violin": 40,
    "cello": 42,
    "strings": 48,
    "oboe": 68,
    "clarinet": 71,
    "flute": 73,
}
"""General MIDI programs by name, counted from 0."""

SOUND_FONTS: Final = (
    Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),  # Debian, Ubuntu
    Path("/usr/share/soundfonts/FluidR3_GM.sf2"),  # Fedora, Arch
)
INSTALL_HINT: Final = (
    "install FluidSynth, its Python binding and the sound font: "
    "apt-get install fluidsynth fluid-soundfont-gm && pip install pyfluidsynth"
)
_GAIN: Final = 0.6  # leaves room: a loud eight-note chord peaks below full scale
_BLOCK_SAMPLES: Final = 44_100


class SynthesizerMissingError(RuntimeError):
    """FluidSynth, its binding or the sound font is not installed; the message says how to."""


def find_sound_font() -> Path:
    """The installed FluidR3 sound font.

    Raises:
        SynthesizerMissingError: it is in none of the usual places.
    """
    for path in SOUND_FONTS:
        if path.is_file():
            return path
    places = " or ".join(str(path) for path in SOUND_FONTS)
    raise SynthesizerMissingError(
        f"FluidR3_GM.sf2 must be at {places}, found neither; {INSTALL_HINT}"
    )


def render_notes(
    notes: Sequence[Note],
    instrument: str,
    tempo_bpm: int,
    n_samples: int,
    *,
    sample_rate: int = 44_100,
    sound_font: Path | None = None,
) -> NDArray[np.float32]:
    """The notes as one instrument plays them, mono, shape (n_samples,), full scale ±1.

    Args:
        notes: what to play; what starts at or after n_samples is not heard.
        instrument: a name of INSTRUMENTS.
        tempo_bpm: beats per minute, > 0.
        n_samples: exact length of the result, ≥ 0.
        sample_rate: samples per second.
        sound_font: an SF2 file; the installed FluidR3 if None.

    Raises:
        ValueError: an unknown instrument.
        SynthesizerMissingError: FluidSynth or the sound font is missing or cannot be loaded.
    """
    if instrument not in INSTRUMENTS:
        raise ValueError(f"instrument must be one of {', '.join(INSTRUMENTS)}, got {instrument!r}")
    synth = _open_synth(sound_font or find_sound_font(), INSTRUMENTS[instrument], sample_rate)
    try:
        pieces, now = [], 0
        for sample, is_on, pitch, velocity in _events(notes, tempo_bpm, sample_rate):
            if sample >= n_samples:
                break
            pieces += list(_pull(synth, sample - now))
            now = sample
            if is_on:
                synth.noteon(0, pitch, velocity)
            else:
                synth.noteoff(0, pitch)
        pieces += list(_pull(synth, n_samples - now))
    finally:
        synth.delete()
    return np.concatenate([np.zeros(0, np.float32), *pieces])


@contextmanager
def sound_font_kept_open(sound_font: Path | None = None) -> Iterator[None]:
    """Inside, `render_notes` finds the font in memory: many short parts are made 3 times faster.

    Raises:
        SynthesizerMissingError: as `render_notes`.
    """
    synth = _open_synth(sound_font or find_sound_font(), 0, 44_100)
    try:
        yield
    finally:
        synth.delete()


def _open_synth(sound_font: Path, program: int, sample_rate: int) -> Any:  # noqa: ANN401  untyped
    try:
        import fluidsynth
    except ImportError as error:  # the binding, or the library that it looks for
        raise SynthesizerMissingError(
            f"FluidSynth must be installed ({error}); {INSTALL_HINT}"
        ) from error
    synth = fluidsynth.Synth(
        gain=_GAIN,
        samplerate=float(sample_rate),
        channels=16,
        **{"synth.reverb.active": 0, "synth.chorus.active": 0, "synth.cpu-cores": 1},
    )
    font = synth.sfload(str(sound_font))
    if font < 0 or synth.program_select(0, font, 0, program) < 0:
        synth.delete()
        raise SynthesizerMissingError(
            f"{sound_font} must be a General MIDI sound font with program {program}; {INSTALL_HINT}"
        )
    return synth


def _events(
    notes: Sequence[Note], tempo_bpm: int, sample_rate: int
) -> list[tuple[int, bool, int, int]]:
    """(sample, is it an onset, pitch, velocity) in order, endings before onsets."""
    samples_per_beat = Fraction(60 * sample_rate, tempo_bpm)
    starts = [(int(n.onset_beats * samples_per_beat), True, n.pitch, n.velocity) for n in notes]
    ends = [(int(n.end_beats * samples_per_beat), False, n.pitch, 0) for n in notes]
    return sorted(starts + ends)


def _pull(synth: Any, n_samples: int) -> Iterator[NDArray[np.float32]]:  # noqa: ANN401  untyped
    """The next `n_samples` of sound, both channels averaged, in blocks."""
    for start in range(0, n_samples, _BLOCK_SAMPLES):
        stereo = synth.get_samples(min(_BLOCK_SAMPLES, n_samples - start)).reshape(-1, 2)
        yield stereo.astype(np.float32).mean(axis=1) / np.float32(32768.0)
