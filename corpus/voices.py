"""Voices: with which instrument, level, tuning and room a part is rendered, drawn from a seed.

The draw depends on the seed and on the names of song and part alone, never on the order in which
parts are rendered, so that workers may share the songs in any way.
"""

import hashlib
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from pydantic import BaseModel, Field

from corpus.midi_song import MidiNote, MidiPart, MidiSong

__all__ = ["Voice", "VoiceConfig", "draw_voice", "name_seed", "reason_to_exclude"]

FAMILY_SIZE: Final = 8
FIRST_PERCUSSIVE: Final = 112
"""General MIDI programs from here on are percussion and sound effects."""
OTHER_PERCUSSION: Final = frozenset({47, 55})
"""Timpani and orchestra hit, which stand in other families."""
UNFIT: Final = frozenset({86, 47, 55}) | frozenset(range(96, 104))
"""Never drawn: they add notes of their own (fifths, echoes) or have no clear pitch."""
MELODIC: Final = (73, 65, 40, 80, 71, 11, 56, 68)
CHORDAL: Final = (0, 4, 24, 16, 48, 6)
"""For files that name no instruments: single lines, and chords."""
CHORDAL_NOTES_PER_ONSET: Final = 1.3
_TOGETHER_SECONDS: Final = 0.03


class VoiceConfig(BaseModel, frozen=True, extra="forbid"):
    """How widely voices vary from song to song and part to part."""

    instruments: Literal["written", "varied"] = "varied"
    """"written": as in the file; "varied": drawn from the family of the written one."""
    gain_db: float = Field(6.0, ge=0, le=20)
    """Levels are drawn this far around the usual one, dB, both ways."""
    detune_cents: float = Field(15.0, ge=0, le=90)
    """Tunings are drawn this far around 440 Hz, cents, both ways."""
    reverb_share: float = Field(0.5, ge=0, le=1)
    """Share of the parts that sound in a room; the others are dry."""
    seed: int = Field(0, ge=0, lt=2**32)
    """Of all draws."""


class Voice(BaseModel, frozen=True, extra="forbid"):
    """How one part is rendered."""

    program: int = Field(ge=0, le=127)
    """General MIDI program, counted from 0."""
    gain_db: float = 0.0
    """Around the usual level, dB."""
    detune_cents: float = 0.0
    """From 440 Hz, cents."""
    reverb_seconds: float = Field(0.0, ge=0)
    """Time in which the room decays by 60 dB; 0 is dry."""
    reverb_db: float = -12.0
    """Energy of the room's answer relative to the dry sound, dB; counts only with a room."""
    seed: int = Field(0, ge=0)
    """Of the room."""


def reason_to_exclude(part: MidiPart) -> str:
    """Why a part has no harmony to learn, in words; empty if it has."""
    if part.is_drums:
        return "drums (channel 10)"
    if part.program >= FIRST_PERCUSSIVE or part.program in OTHER_PERCUSSION:
        kind = "sound effect" if part.program >= 120 else "percussion"
        return f"{kind} (program {part.program})"
    return ""


def draw_voice(
    config: VoiceConfig, song: str, part: MidiPart, whole: MidiSong, *, twin: bool = False
) -> Voice:
    """The voice of a part; the same arguments give the same voice.

    Args:
        config: how widely voices vary.
        song: name of the song.
        part: what is to be rendered.
        whole: the song that it belongs to; if no part of it names an instrument (all are
            program 0), voices are drawn by texture: lines and chords.
        twin: a second voice of the same part, on another instrument than the first.
    """
    rng = np.random.default_rng([config.seed, name_seed(f"{song}/{part.name}")])
    program = _draw(_palette(config, part, whole), rng)
    if twin:
        rng = np.random.default_rng([config.seed, name_seed(f"{song}/{part.name}/twin")])
        program = _draw([one for one in _by_texture(part) if one != program], rng)
    has_room = bool(rng.random() < config.reverb_share)
    return Voice(
        program=program,
        gain_db=round(float(rng.uniform(-config.gain_db, config.gain_db)), 2),
        detune_cents=round(float(rng.uniform(-config.detune_cents, config.detune_cents)), 2),
        reverb_seconds=round(float(rng.uniform(0.3, 1.5)), 2) if has_room else 0.0,
        reverb_db=round(float(rng.uniform(-18.0, -8.0)), 2),
        seed=int(rng.integers(2**31)),
    )


def name_seed(name: str) -> int:
    """A number below 2^64 that stands for a name, the same on every machine."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")


def _draw(palette: Sequence[int], rng: np.random.Generator) -> int:
    return int(palette[int(rng.integers(len(palette)))])


def _palette(config: VoiceConfig, part: MidiPart, whole: MidiSong) -> Sequence[int]:
    """Programs that a part may be given."""
    if config.instruments == "written" or part.program in UNFIT:
        return (part.program,)
    if all(other.program == 0 for other in whole.parts if not other.is_drums):
        return _by_texture(part)
    first = part.program - part.program % FAMILY_SIZE
    return [one for one in range(first, first + FAMILY_SIZE) if one not in UNFIT]


def _by_texture(part: MidiPart) -> Sequence[int]:
    """Instruments for lines, or for chords, whichever the part plays."""
    return CHORDAL if _notes_per_onset(part.notes) > CHORDAL_NOTES_PER_ONSET else MELODIC


def _notes_per_onset(notes: Sequence[MidiNote]) -> float:
    """Mean number of notes that are struck together, ≥ 1."""
    onsets = np.array([note.onset for note in notes])
    return len(onsets) / (1 + int((np.diff(onsets) > _TOGETHER_SECONDS).sum()))
