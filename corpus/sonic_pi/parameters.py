"""What a template can vary: the parameters of the paper's Table A1, and a sane range for each.

Kouteili, Madhu, Typaldos and Santolucito (2025) draw attack, release and amp from [0, 10] and sleep
from [0.1, 5]; many of their programs must clip or be nearly silent. Ranges here are narrower, and
spaced as the ear spaces them. Drawn values are Ruby text. Times are beats, pitches MIDI numbers,
amp is a factor.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

__all__ = [
    "FX",
    "NAMES",
    "NUMBERS",
    "SAMPLES",
    "SYNTHS",
    "NumberKind",
    "draw_name",
    "draw_name_like",
    "draw_note",
    "draw_note_like",
    "draw_number",
    "draw_number_like",
    "note_number",
    "number_text",
]

_LIKE_FACTOR: Final = 3.0  # a number "like" another lies within a third and three times of it
_LIKE_SHARE: Final = 0.25  # ... or within a quarter of the range, for evenly spaced kinds
_LIKE_SEMITONES: Final = 7
_GRID_FACTORS: Final = (0.5, 0.5, 0.75, 1.0, 1.0, 1.5, 2.0, 2.0)


@dataclass(frozen=True)
class NumberKind:
    """One numeric parameter.

    Args:
        low, high: range, both included.
        spacing: `even`; `ratio` (equal factors are equally likely); `grid` (one of `grid`).
        whole: only whole numbers.
        grid: the values of a `grid` kind, common ones repeated.
    """

    low: float
    high: float
    spacing: Literal["even", "ratio", "grid"] = "even"
    whole: bool = False
    grid: tuple[float, ...] = ()


def _grid(*values: float) -> NumberKind:
    return NumberKind(min(values), max(values), "grid", grid=values)


NUMBERS: Final[Mapping[str, NumberKind]] = {
    "amp": NumberKind(0.15, 2.5, "ratio"),
    "attack": NumberKind(0.005, 2.0, "ratio"),
    "bpm": NumberKind(60, 180, whole=True),
    "cutoff": NumberKind(50, 130, whole=True),
    "finish": NumberKind(0.1, 1.0),
    "mix": NumberKind(0.1, 1.0),
    "pan": NumberKind(-1.0, 1.0),
    "phase": _grid(0.0625, 0.125, 0.25, 0.25, 0.333, 0.5, 0.5, 0.75, 1, 2),
    "rate": _grid(-1, 0.25, 0.5, 0.75, 0.9, 1, 1, 1, 1.2, 1.5, 2, 3),
    "release": NumberKind(0.06, 8.0, "ratio"),
    "res": NumberKind(0.0, 0.9),
    "room": NumberKind(0.2, 0.95),
    "seed": NumberKind(0, 100_000, whole=True),
    "sleep": _grid(0.125, 0.25, 0.25, 0.25, 0.5, 0.5, 0.5, 0.75, 1, 1, 1.5, 2, 3, 4),
    "sustain": NumberKind(0.02, 4.0, "ratio"),
    "whole": NumberKind(1, 16, whole=True),
}

SYNTHS: Final[Mapping[str, tuple[str, ...]]] = {
    "lead": (
        "beep", "blade", "chiplead", "dpulse", "dsaw", "dtri", "fm", "mod_fm", "mod_saw",
        "mod_sine", "piano", "pluck", "prophet", "pulse", "saw", "square", "supersaw", "tb303",
        "tech_saws", "tri", "zawa",
    ),
    "bass": (
        "chipbass", "dsaw", "fm", "mod_pulse", "pulse", "saw", "square", "subpulse", "tb303", "tri",
    ),
    "pad": (
        "blade", "dark_ambience", "dsaw", "growl", "hollow", "hoover", "prophet", "supersaw",
        "zawa",
    ),
    "bell": ("beep", "chiplead", "dull_bell", "piano", "pluck", "pretty_bell", "tri"),
    "noise": ("bnoise", "chipnoise", "cnoise", "gnoise", "noise", "pnoise"),
}  # fmt: skip

SAMPLES: Final[Mapping[str, tuple[str, ...]]] = {
    "kick": (
        "bd_808", "bd_ada", "bd_boom", "bd_fat", "bd_gas", "bd_haus", "bd_klub", "bd_pure",
        "bd_sone", "bd_tek", "bd_zome", "bd_zum", "drum_bass_hard", "drum_bass_soft",
        "drum_heavy_kick", "elec_hollow_kick", "elec_soft_kick",
    ),
    "snare": (
        "drum_snare_hard", "drum_snare_soft", "elec_filt_snare", "elec_hi_snare", "elec_lo_snare",
        "elec_mid_snare", "elec_snare", "perc_snap", "perc_snap2", "sn_dolf", "sn_dub",
        "sn_generic", "sn_zome",
    ),
    "cymbal": (
        "drum_cymbal_closed", "drum_cymbal_hard", "drum_cymbal_open", "drum_cymbal_pedal",
        "drum_cymbal_soft", "drum_splash_hard", "drum_splash_soft", "elec_cymbal",
    ),
    "drum": (
        "bd_haus", "bd_tek", "drum_cowbell", "drum_snare_soft", "drum_tom_hi_hard",
        "drum_tom_hi_soft", "drum_tom_lo_hard", "drum_tom_lo_soft", "drum_tom_mid_hard",
        "drum_tom_mid_soft", "elec_fuzz_tom", "elec_wood", "tabla_dhec", "tabla_ghe2", "tabla_ghe5",
        "tabla_ke1", "tabla_na", "tabla_re", "tabla_tas2", "tabla_te1", "tabla_tun1",
    ),
    "click": (
        "elec_beep", "elec_blip", "elec_blip2", "elec_blup", "elec_chime", "elec_flip", "elec_ping",
        "elec_plip", "elec_pop", "elec_tick", "elec_triangle", "elec_twip", "perc_till",
    ),
    "glitch": (
        "glitch_bass_g", "glitch_perc1", "glitch_perc2", "glitch_perc3", "glitch_perc4",
        "glitch_perc5", "glitch_robot1", "glitch_robot2", "mehackit_phone1", "mehackit_phone3",
        "mehackit_robot1", "mehackit_robot3", "mehackit_robot5", "vinyl_scratch",
    ),
    "break": (
        "loop_amen", "loop_amen_full", "loop_breakbeat", "loop_compus", "loop_garzul",
        "loop_industrial", "loop_mehackit1", "loop_mehackit2", "loop_mika", "loop_perc1",
        "loop_perc2", "loop_safari", "loop_tabla",
    ),
    "texture": (
        "ambi_choir", "ambi_dark_woosh", "ambi_drone", "ambi_glass_hum", "ambi_haunted_hum",
        "ambi_lunar_land", "ambi_piano", "ambi_soft_buzz", "guit_e_fifths", "guit_em9",
        "loop_drone_g_97",
    ),
    "object": (
        "ambi_glass_rub", "ambi_swoosh", "elec_bell", "elec_bong", "elec_hollow_kick", "elec_twang",
        "guit_harmonics", "perc_bell", "perc_bell2", "perc_door", "perc_impact1", "perc_impact2",
        "perc_swash", "perc_swoosh", "vinyl_backspin", "vinyl_rewind",
    ),
    "bass": (
        "bass_dnb_f", "bass_drop_c", "bass_hard_c", "bass_hit_c", "bass_thick_c", "bass_trance_c",
        "bass_voxy_c", "bass_woodsy_c",
    ),
}  # fmt: skip

FX: Final = (
    "bitcrusher", "bpf", "compressor", "distortion", "echo", "flanger", "gverb", "hpf",
    "ixi_techno", "krush", "lpf", "octaver", "panslicer", "ping_pong", "reverb", "ring_mod", "rlpf",
    "slicer", "tanh", "tremolo", "vowel", "wobble",
)  # fmt: skip

NAMES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "synth": SYNTHS,
    "sample": SAMPLES,
    "fx": {"": FX},
    "scale": {
        "": (
            "major", "minor", "minor_pentatonic", "minor_pentatonic", "major_pentatonic", "dorian",
            "aeolian", "mixolydian", "phrygian", "whole", "blues_major", "hungarian_minor",
        )
    },
    "chord": {
        "": (
            "major", "minor", "major", "minor", "m7", "major7", "minor7", "dom7", "sus2", "sus4",
            "dim", "dim7", "m9", "maj9",
        )
    },
}  # fmt: skip
"""Kind of name → group → names; a group is what one name can stand in for another within."""

_LETTERS: Final = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_SPELLED: Final = ("c", "db", "d", "eb", "e", "f", "gb", "g", "ab", "a", "bb", "b")
_NOTE: Final = re.compile(r"([a-gA-G])([sfb]?)(-?\d?)")


def note_number(name: str) -> int:
    """MIDI number of a note name: `c4` is 60, `eb` is in octave 4.

    Raises:
        ValueError: if it is no note name.
    """
    match = _NOTE.fullmatch(name)
    if match is None:
        raise ValueError(
            f"a note must be a letter a-g, an accidental s, f or b, an octave; got {name!r}"
        )
    letter, accidental, octave = match.groups()
    shift = {"": 0, "s": 1, "f": -1, "b": -1}[accidental]
    return _LETTERS[letter.lower()] + shift + 12 * (int(octave or "4") + 1)


def _note_name(number: int) -> str:
    return f"{_SPELLED[number % 12]}{number // 12 - 1}"


def draw_note(rng: np.random.Generator, low: str = "c2", high: str = "c6") -> str:
    """A note name from `low` to `high`, both included (Table A1: C2, Db2, … C6)."""
    return _note_name(int(rng.integers(note_number(low), note_number(high) + 1)))


def draw_note_like(rng: np.random.Generator, like: str) -> str:
    """A note within a fifth of `like`, spelled like it: a name stays a name, a number a number."""
    is_number = re.fullmatch(r"-?\d+(\.\d+)?", like) is not None
    step = int(rng.integers(-_LIKE_SEMITONES, _LIKE_SEMITONES + 1))
    if is_number:
        return number_text(min(max(float(like) + step, 0.0), 127.0))
    return _note_name(min(max(note_number(like) + step, 12), 119))


def draw_name(rng: np.random.Generator, kind: str, group: str = "") -> str:
    """A name of a kind in `NAMES`; "" draws from all groups.

    Raises:
        ValueError: unknown group.
    """
    groups = NAMES[kind]
    if group and group not in groups:
        raise ValueError(f"{kind} group must be one of {', '.join(groups)}, got {group!r}")
    names = (
        groups[group] if group in groups else [name for some in groups.values() for name in some]
    )
    return str(names[int(rng.integers(len(names)))])


def draw_name_like(rng: np.random.Generator, kind: str, like: str) -> str:
    """A name that can stand where `like` stood: one of its group, `like` itself included."""
    for group, names in NAMES[kind].items():
        if like in names:
            return draw_name(rng, kind, group)
    return draw_name(rng, kind) if kind != "sample" else like


def draw_number(
    rng: np.random.Generator, kind: str, low: float | None = None, high: float | None = None
) -> str:
    """A number of a kind in `NUMBERS`, from its own range or a narrower one, as Ruby text.

    Raises:
        ValueError: if `low` is above `high`, or a grid has nothing between them.
    """
    number = NUMBERS[kind]
    low, high = number.low if low is None else low, number.high if high is None else high
    if low > high:
        raise ValueError(f"{kind} needs low ≤ high, got {low} and {high}")
    if number.spacing == "grid":
        fitting = [value for value in number.grid if low <= value <= high]
        if not fitting:
            raise ValueError(f"{kind} has no value between {low} and {high}; it has {number.grid}")
        return number_text(_one_of(rng, fitting))
    if number.whole:
        return number_text(float(rng.integers(math.ceil(low), math.floor(high) + 1)))
    if number.spacing == "ratio":
        return number_text(math.exp(rng.uniform(math.log(low), math.log(high))))
    return number_text(rng.uniform(low, high))


def draw_number_like(rng: np.random.Generator, kind: str, like: str) -> str:
    """A number near the one that a program has, as Ruby text; 0 stays 0, as it switches things off.

    It stays inside the range of its kind, unless the program's own number lies outside.
    """
    number, value = NUMBERS[kind], float(like.replace("_", ""))
    if value == 0:
        return like
    low, high = min(number.low, value), max(number.high, value)
    if number.spacing == "grid":
        drawn = value * _one_of(rng, _GRID_FACTORS)
    elif number.spacing == "ratio":
        reach = math.log(_LIKE_FACTOR)
        drawn = value * math.exp(rng.uniform(-reach, reach))
    else:
        reach = _LIKE_SHARE * (number.high - number.low)
        drawn = value + rng.uniform(-reach, reach)
    drawn = min(max(drawn, low), high)
    if number.whole and value.is_integer():
        drawn = float(round(drawn))
    return number_text(drawn)


def _one_of(rng: np.random.Generator, values: Sequence[float]) -> float:
    return values[int(rng.integers(len(values)))]


def number_text(value: float) -> str:
    """A number as Ruby spells it, to four significant digits: 0.25, 120, -1."""
    if float(value).is_integer():
        return str(int(value))
    return np.format_float_positional(value, precision=4, fractional=False, trim="-")
