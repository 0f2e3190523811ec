"""Short pieces made from a seed, whose attributes are known because they were chosen first.

A recipe fixes what a listener may care about (tempo, mode, register, family of instruments,
density, articulation, loudness, number of players); the notes are then drawn to fit it, over a
diatonic chord progression. Anybody with FluidSynth gets the same songs from the same seeds.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from corpus.notation import Note
from corpus.score import Part, Score
from corpus.sound_font import render_notes

Mode = Literal["major", "minor"]
Family = Literal["keys", "plucked", "bowed", "winds"]

FAMILIES: Final[dict[Family, tuple[str, ...]]] = {
    "keys": ("piano", "electric piano", "vibraphone"),
    "plucked": ("nylon guitar", "acoustic bass"),
    "bowed": ("violin", "cello", "strings"),
    "winds": ("oboe", "clarinet", "flute"),
}
"""Instruments of `corpus.sound_font` by family."""

BEATS_PER_BAR: Final = 4
_SCALES: Final[dict[Mode, tuple[int, ...]]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 11),  # harmonic: the natural one is its relative major's scale
}
_PROGRESSIONS: Final = ((0, 4, 5, 3), (0, 3, 4, 0), (0, 5, 3, 4), (0, 2, 3, 4), (0, 3, 0, 4))
_KEY_NAMES: Final = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_MIX_GAIN: Final = 2.4  # three loud players together stay below full scale
_RING_SECONDS: Final = 0.5


@dataclass(frozen=True)
class SongRecipe:
    """What is fixed before a note is drawn.

    Args:
        seed: of the notes, ≥ 0.
        tempo_bpm: beats per minute, 72..143: one octave, so that the beat is not in doubt.
        mode: the scale.
        tonic: pitch class of the key, 0..11, C = 0.
        register: MIDI number that the melody lies near (mostly below), 52..82.
        family: of the melody's instrument.
        lead: the melody's instrument, one of its family.
        accompaniment: instrument of the chords, of any family.
        density: chance of an onset on each half beat, 0.2..1; above 0.75 quarter beats come in.
        articulation: share of its time that a melody note sounds, 0.25..1.
        velocity: mean MIDI velocity, 45..110.
        n_parts: 1 melody; 2 with chords; 3 with bass.
    """

    seed: int
    tempo_bpm: int
    mode: Mode
    tonic: int
    register: int
    family: Family
    lead: str
    accompaniment: str
    density: float
    articulation: float
    velocity: int
    n_parts: int


ATTRIBUTES: Final = (
    "tempo", "minor", "height", "pace", "articulation", "loudness", "players",
    *FAMILIES,
)  # fmt: skip
"""Columns of `attribute_table`: seven quantities, then how much each family is heard."""


def draw_recipe(seed: int) -> SongRecipe:
    """A recipe with every attribute drawn on its own, so that none can stand for another."""
    rng = np.random.default_rng([2024, seed])
    family: Family = list(FAMILIES)[int(rng.integers(len(FAMILIES)))]
    every = [name for names in FAMILIES.values() for name in names]
    return SongRecipe(
        seed=seed,
        tempo_bpm=int(rng.integers(72, 144)),
        mode="minor" if rng.random() < 0.5 else "major",
        tonic=int(rng.integers(12)),
        register=int(rng.integers(52, 83)),
        family=family,
        lead=str(rng.choice(FAMILIES[family])),
        accompaniment=str(rng.choice(every)),
        density=float(rng.uniform(0.2, 1.0)),
        articulation=float(rng.uniform(0.25, 1.0)),
        velocity=int(rng.integers(45, 111)),
        n_parts=int(rng.integers(1, 4)),
    )


def attribute_table(recipes: Sequence[SongRecipe]) -> NDArray[np.float64]:
    """What is played, as numbers, shape (songs, attributes), columns as in ATTRIBUTES.

    Read from recipe and score, never from sound: log tempo; minor 1, major -1; mean pitch of all
    notes; log of the onsets per second; articulation; velocity; players; and for each family its
    share of all the time that notes sound, from 0 to 1. Quantities are about ±1.
    """
    rows = [_attributes(recipe) for recipe in recipes]
    return np.array(rows, dtype=np.float64).reshape(len(recipes), len(ATTRIBUTES))


def _attributes(recipe: SongRecipe) -> list[float]:
    score = compose(recipe)
    notes = [note for part in score.parts.values() for note in part.notes]
    family_of = {name: family for family, names in FAMILIES.items() for name in names}
    sounding = dict.fromkeys(FAMILIES, 0.0)
    for part in score.parts.values():
        sounding[family_of[part.instrument]] += float(sum(n.length_beats for n in part.notes))
    onsets_per_second = len({note.onset_beats for note in notes}) / float(score.seconds)
    return [
        2 * float(np.log2(recipe.tempo_bpm / 72)) - 1,
        1.0 if recipe.mode == "minor" else -1.0,
        (float(np.mean([note.pitch for note in notes])) - 62) / 14,
        float(np.log2(onsets_per_second / 2.5)),
        (recipe.articulation - 0.625) / 0.375,
        (recipe.velocity - 77.5) / 32.5,
        float(recipe.n_parts - 2),
        *(sounding[family] / sum(sounding.values()) for family in FAMILIES),
    ]


def compose(recipe: SongRecipe, seconds: float = 10.0) -> Score:
    """The notes of a recipe, in whole bars that last at least `seconds`.

    Args:
        recipe: what to obey.
        seconds: least length, seconds, > 0.

    Raises:
        ValueError: a length that is not above 0.
    """
    if not seconds > 0:
        raise ValueError(f"seconds must be above 0, got {seconds}")
    bar_seconds = 60 * BEATS_PER_BAR / recipe.tempo_bpm
    n_bars = max(2, int(np.ceil(seconds / bar_seconds)))
    rng = np.random.default_rng([recipe.seed, 7])
    progression = _PROGRESSIONS[int(rng.integers(len(_PROGRESSIONS)))]
    degrees = [progression[bar % len(progression)] for bar in range(n_bars)]
    parts = {"melody": Part(recipe.lead, tuple(_melody(recipe, degrees, rng)))}
    if recipe.n_parts > 1:
        parts["chords"] = Part(recipe.accompaniment, tuple(_chords(recipe, degrees, rng)))
    if recipe.n_parts > 2:
        parts["bass"] = Part("acoustic bass", tuple(_bass(recipe, degrees, rng)))
    harmony = tuple((_chord_name(recipe, degree),) for degree in degrees)
    return Score(f"song {recipe.seed}", recipe.tempo_bpm, BEATS_PER_BAR, harmony, parts)


def render_song(
    recipe: SongRecipe,
    seconds: float = 10.0,
    *,
    sample_rate: int = 22_050,
    sound_font: Path | None = None,
) -> NDArray[np.float32]:
    """The song as sound, mono, shape (samples,), full scale ±1; levels are those of the players.

    Args:
        recipe: what to play.
        seconds: exact length, seconds, > 0.
        sample_rate: samples per second.
        sound_font: an SF2 file; the installed FluidR3 if None.

    Raises:
        ValueError: a length that is not above 0.
        SynthesizerMissingError: FluidSynth or the sound font is missing.
    """
    score = compose(recipe, max(0.0, seconds - _RING_SECONDS) or seconds)
    n_samples = round(seconds * sample_rate)
    mix = np.zeros(n_samples, np.float32)
    for part in score.parts.values():
        mix += render_notes(
            part.notes,
            part.instrument,
            score.tempo_bpm,
            n_samples,
            sample_rate=sample_rate,
            sound_font=sound_font,
        )
    clean: NDArray[np.float32] = np.clip(mix * np.float32(_MIX_GAIN), -1.0, 1.0)
    return clean


def recipe_row(recipe: SongRecipe) -> dict[str, Any]:
    """The recipe as plain values by name, for a table on disk."""
    return asdict(recipe)


def _pitch(recipe: SongRecipe, step: int) -> int:
    """MIDI number of a scale step counted from the tonic that lies nearest below the register."""
    scale = _SCALES[recipe.mode]
    octave, degree = divmod(step, len(scale))
    root = recipe.register - (recipe.register - recipe.tonic) % 12
    return int(np.clip(root + 12 * octave + scale[degree], 24, 108))


def _velocity(recipe: SongRecipe, rng: np.random.Generator, change: int = 0) -> int:
    return int(np.clip(recipe.velocity + change + rng.integers(-6, 7), 1, 127))


def _melody(recipe: SongRecipe, degrees: Sequence[int], rng: np.random.Generator) -> list[Note]:
    """A walk over scale steps that comes back to its register and to chord tones on downbeats."""
    per_beat = 4 if recipe.density > 0.75 else 2
    n_slots = len(degrees) * BEATS_PER_BAR * per_beat
    sounding = rng.random(n_slots) < recipe.density
    sounding[:: BEATS_PER_BAR * per_beat] = True
    onsets = [int(slot) for slot in np.flatnonzero(sounding)]
    notes, step = [], 0
    for onset, following in zip(onsets, [*onsets[1:], n_slots], strict=True):
        chord = degrees[onset // (BEATS_PER_BAR * per_beat)]
        if onset % (BEATS_PER_BAR * per_beat) == 0:
            tones = [chord + extra + 7 * octave for octave in (-1, 0) for extra in (0, 2, 4)]
            step = min(tones, key=lambda tone: abs(tone - step))
        else:
            step += int(rng.choice([-2, -1, -1, 0, 1, 1, 2]))
            step -= int(np.sign(step)) * (abs(step) > 4)
        slots = min(following - onset, 2 * per_beat)
        length = Fraction(slots, per_beat) * Fraction(round(recipe.articulation * 64), 64)
        at = Fraction(onset, per_beat)
        accent = 10 if at % BEATS_PER_BAR == 0 else 4 if at.denominator == 1 else -8
        notes.append(Note(at, length, _pitch(recipe, step), _velocity(recipe, rng, accent)))
    return notes


def _chords(recipe: SongRecipe, degrees: Sequence[int], rng: np.random.Generator) -> list[Note]:
    """A triad below the melody on every beat, or every other one in sparse songs."""
    step = 1 if recipe.density > 0.5 else 2
    low = 24 if recipe.register > 76 else 12
    return [
        Note(
            Fraction(bar * BEATS_PER_BAR + beat),
            step * Fraction(round(recipe.articulation * 60), 64),
            max(36, _pitch(recipe, degree + extra) - low),
            _velocity(recipe, rng, -12 if beat else -4),
        )
        for bar, degree in enumerate(degrees)
        for beat in range(0, BEATS_PER_BAR, step)
        for extra in (0, 2, 4)
    ]


def _bass(recipe: SongRecipe, degrees: Sequence[int], rng: np.random.Generator) -> list[Note]:
    """The root of each chord, on the first and third beat, in the octave above E1."""
    half = Fraction(BEATS_PER_BAR, 2)
    return [
        Note(
            bar * BEATS_PER_BAR + turn * half,
            half * Fraction(7, 8),
            28 + (_pitch(recipe, degree) - 28) % 12,
            _velocity(recipe, rng, -8),
        )
        for bar, degree in enumerate(degrees)
        for turn in range(2)
    ]


def _chord_name(recipe: SongRecipe, degree: int) -> str:
    """The triad on a scale degree, named as `corpus.notation` reads it (diminished as minor)."""
    scale = _SCALES[recipe.mode]
    third = (scale[(degree + 2) % 7] - scale[degree]) % 12
    return _KEY_NAMES[(recipe.tonic + scale[degree]) % 12] + ("m" if third == 3 else "")
