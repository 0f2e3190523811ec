"""Parts to sound: one stem at a time, all stems of a song on one sample clock.

Every event falls on floor(seconds · rate), so stems are aligned to the sample; FluidSynth works in
blocks of 64 samples, so a note speaks up to that much later, in every stem alike. The synthesizer
renders dry; tuning, level and room are the voice's. The same part and voice give the same samples.

A pedal that stays down for longer than any pianist holds it is none: sixty songs of POP909 carry
a slowly drifting curve (64 to 110, never 0) under the number of the sustain pedal, which would let
every note ring to the end of the song. Such a hold is left out; notes end where they are written.
"""

from collections.abc import Callable, Iterator, Sequence
from ctypes import c_int, c_void_p
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.signal import oaconvolve

from corpus.midi_song import PITCH_BEND, MidiPart, Shaping
from corpus.sound_font import INSTALL_HINT, SynthesizerMissingError, find_sound_font
from corpus.voices import Voice

__all__ = ["RENDERING", "RING_SECONDS", "Renderer"]

RENDERING: Final = 3
"""Raised when the same part and voice come to give other samples."""

RING_SECONDS: Final = 1.0
"""What a stem lasts beyond the last note of its song."""
LONGEST_HOLD_SECONDS: Final = 10.0
"""A pedal that stays down longer is taken for something else."""
PEDALS: Final = (64, 66)
"""Sustain and sostenuto: down from 64 on."""
USUAL_LEVEL_DB: Final = -24.0
HIGHEST_PEAK: Final = 0.89
_SYNTH_GAIN: Final = 0.4
_BLOCK_SAMPLES: Final = 1 << 16
_ROOM_DELAY_SECONDS: Final = 0.012
_LOUD_SHARE: Final = 0.02  # of the peak power: what counts when the level is measured


class Renderer:
    """FluidSynth with a General MIDI sound font; use it as a context manager.

    Each part gets a synthesizer of its own, as one that has played before renders the next part
    a little differently; the sound font stays in memory meanwhile.

    Args:
        sample_rate: samples per second, 8000 to 96000.
        sound_font: an SF2 file; the installed FluidR3 if None.

    Raises:
        ValueError: `sample_rate` out of range.
        SynthesizerMissingError: FluidSynth or the sound font is missing or cannot be loaded.
    """

    def __init__(self, sample_rate: int, sound_font: Path | None = None) -> None:
        if not 8000 <= sample_rate <= 96_000:
            raise ValueError(f"sample_rate must be in 8000..96000 Hz, got {sample_rate}")
        self.sample_rate = sample_rate
        self._sound_font = sound_font or find_sound_font()
        self._keeper = self._open(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the sound font; nothing can be rendered any more."""
        if self._keeper is not None:
            self._keeper.delete()
            self._keeper = None

    def render(self, part: MidiPart, voice: Voice, seconds: float) -> NDArray[np.float32]:
        """The part as `voice` plays it, mono, shape (floor(seconds · rate),), full scale ±1.

        Args:
            part: what to play; what starts later than `seconds` is not heard.
            voice: instrument, level, tuning, room.
            seconds: length of the stem, ≥ 0.

        Raises:
            RuntimeError: the renderer is closed.
        """
        if self._keeper is None:
            raise RuntimeError("a closed renderer cannot render; open another one")
        dry = self._play(part, voice, int(seconds * self.sample_rate))
        return _levelled(_in_room(dry, voice, self.sample_rate), voice.gain_db)

    def _open(self, program: int) -> Any:  # noqa: ANN401  untyped
        try:
            import fluidsynth
        except ImportError as error:  # the binding, or the library that it looks for
            raise SynthesizerMissingError(
                f"FluidSynth must be installed ({error}); {INSTALL_HINT}"
            ) from error
        synth = fluidsynth.Synth(
            gain=_SYNTH_GAIN,
            samplerate=float(self.sample_rate),
            channels=16,
            **{"synth.reverb.active": 0, "synth.chorus.active": 0, "synth.cpu-cores": 1},
        )
        font = synth.sfload(str(self._sound_font))
        if font < 0 or synth.program_select(0, font, 0, program) < 0:
            synth.delete()
            raise SynthesizerMissingError(
                f"{self._sound_font} must be a General MIDI sound font with program {program}; "
                f"{INSTALL_HINT}"
            )
        return synth

    def _play(self, part: MidiPart, voice: Voice, n_samples: int) -> NDArray[np.float32]:
        sound = np.zeros(n_samples, dtype=np.float32)
        synth = self._open(voice.program)
        try:
            _tune(synth, voice.detune_cents)
            now = 0
            for seconds, kind, first, second in _events(part):
                sample = int(seconds * self.sample_rate)
                if sample >= n_samples:
                    break
                _pull(synth, sound[now:sample])
                now = sample
                _send(synth, kind, first, second)
            _pull(synth, sound[now:])
        finally:
            synth.delete()
        return sound


_NOTE_OFF, _SHAPING, _NOTE_ON = range(3)


def _events(part: MidiPart) -> Iterator[tuple[float, int, int, int]]:
    """(seconds, kind, pitch or controller, velocity or value): ends, then shaping, then onsets."""
    ends = [(note.end, _NOTE_OFF, note.pitch, 0) for note in part.notes]
    onsets = [(note.onset, _NOTE_ON, note.pitch, note.velocity) for note in part.notes]
    kept = _without_endless_holds(part.shaping, max(note.end for note in part.notes))
    shaping = [(one.seconds, _SHAPING, one.number, one.value) for one in kept]
    yield from sorted(ends + shaping + onsets, key=lambda event: event[:2])


def _without_endless_holds(shaping: Sequence[Shaping], end: float) -> list[Shaping]:
    """Without the pedals that are down for longer than `LONGEST_HOLD_SECONDS`, up to `end`."""
    kept = [one for one in shaping if one.number not in PEDALS]
    for number in PEDALS:
        hold: list[Shaping] = []
        for one in (each for each in shaping if each.number == number):
            if one.value >= 64:
                hold.append(one)
                continue
            if hold and one.seconds - hold[0].seconds <= LONGEST_HOLD_SECONDS:
                kept += hold
            hold = []
            kept.append(one)
        if hold and end - hold[0].seconds <= LONGEST_HOLD_SECONDS:
            kept += hold
    return sorted(kept, key=lambda one: one.seconds)


def _send(synth: Any, kind: int, first: int, second: int) -> None:  # noqa: ANN401  untyped
    if kind == _NOTE_ON:
        synth.noteon(0, first, second)
    elif kind == _NOTE_OFF:
        synth.noteoff(0, first)
    elif first == PITCH_BEND:
        synth.pitch_bend(0, second)
    else:
        synth.cc(0, first, second)


def _tune(synth: Any, cents: float) -> None:  # noqa: ANN401  untyped
    """Channel fine tuning (registered parameter 1), ±100 cents over 14 bits."""
    value = min(max(round(8192 + cents / 100 * 8192), 0), 16383)
    for control, number in ((101, 0), (100, 1), (6, value >> 7), (38, value & 127)):
        synth.cc(0, control, number)
    for control in (101, 100):
        synth.cc(0, control, 127)


def _pull(synth: Any, sound: NDArray[np.float32]) -> None:  # noqa: ANN401  untyped
    """Fill `sound` with what comes next, both channels averaged.

    As floats: FluidSynth's 16-bit output is dithered with noise from the C library's `rand`, which
    any other library in the process moves on.
    """
    write = _float_writer()
    right = np.empty_like(sound)
    for start in range(0, len(sound), _BLOCK_SAMPLES):
        left, other = sound[start : start + _BLOCK_SAMPLES], right[start : start + _BLOCK_SAMPLES]
        write(synth.synth, len(left), left.ctypes.data, 0, 1, other.ctypes.data, 0, 1)
    sound += right
    sound *= np.float32(0.5)


@cache
def _float_writer() -> Callable[..., int]:
    """`fluid_synth_write_float`, for which the binding has no name."""
    import fluidsynth

    numbers = ("length", "left", "left_offset", "left_step", "right", "right_offset", "right_step")
    kinds = (c_int, c_void_p, c_int, c_int, c_void_p, c_int, c_int)
    arguments = [(name, kind, 1) for name, kind in zip(numbers, kinds, strict=True)]
    writer: Callable[..., int] = fluidsynth.cfunc(
        "fluid_synth_write_float", c_int, ("synth", c_void_p, 1), *arguments
    )
    return writer


def _in_room(dry: NDArray[np.float32], voice: Voice, sample_rate: int) -> NDArray[np.float32]:
    """Dry sound plus its answer from a room: noise that decays exponentially, seeded."""
    if voice.reverb_seconds == 0.0 or len(dry) == 0:
        return dry
    n = int(voice.reverb_seconds * sample_rate)
    delay = int(_ROOM_DELAY_SECONDS * sample_rate)
    decay = 10.0 ** (-3.0 * np.arange(n) / n)
    room = np.concatenate(
        [np.zeros(delay), np.random.default_rng(voice.seed).normal(size=n) * decay]
    )
    room *= 10.0 ** (voice.reverb_db / 20) / np.linalg.norm(room)
    wet = oaconvolve(dry, room.astype(np.float32))[: len(dry)]
    whole: NDArray[np.float32] = (dry + wet).astype(np.float32)
    return whole


def _levelled(sound: NDArray[np.float32], gain_db: float) -> NDArray[np.float32]:
    """At the usual level plus `gain_db`, measured where it sounds; never above the highest peak."""
    power = np.square(sound, dtype=np.float64)
    loud = power > _LOUD_SHARE * power.max(initial=0.0)
    if not loud.any():
        return sound
    level_db = 10.0 * np.log10(power[loud].mean())
    factor = 10.0 ** ((USUAL_LEVEL_DB + gain_db - level_db) / 20)
    return sound * np.float32(min(factor, HIGHEST_PEAK / np.sqrt(power.max())))
