"""Sonic Pi programs that are like others, or of several: what a genetic search does to code.

Numbers, notes and names move a little (`mutated`), programs of one shape mix their values
(`blended`), loops move from one to another (`crossed`). A child is only handed out if it parses and
is foreseen to play; the same parents and generator of chance give the same child.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final, Literal

import numpy as np
from pydantic import BaseModel, Field

from corpus.sonic_pi.auto_template import Parameter, find_parameters
from corpus.sonic_pi.genes import genes_of, mended, program_of, transplant
from corpus.sonic_pi.parameters import (
    NUMBERS,
    draw_name,
    draw_name_like,
    draw_note_like,
    draw_number,
    draw_number_like,
)
from corpus.sonic_pi.templating import Template
from corpus.sonic_pi.unroller import Unroller

__all__ = ["Breeder", "BreedingConfig"]

_NAME_KINDS: Final = frozenset({"synth", "sample", "fx", "scale", "chord"})
_TRIES: Final = 8


class BreedingConfig(BaseModel, frozen=True, extra="forbid"):
    """How far children stray."""

    changed: float = Field(
        default=0.2, gt=0, le=1, description="Share of a program's parameters that a mutation moves"
    )
    leap: float = Field(
        default=0.1, ge=0, le=1, description="Chance that a moved parameter is drawn quite anew."
    )
    most_loops: int = Field(default=6, ge=1, le=64, description="Loops of a program.")
    most_characters: int = Field(
        default=6000, ge=200, le=100_000, description="Length of a program."
    )


class Breeder:
    """Makes children of programs.

    Args:
        templates: what new programs are fillings of, at least one.
        seconds: in how long a child must be foreseen to play something, > 0.
        config: how far children stray.

    Raises:
        ValueError: no template.
    """

    def __init__(
        self, templates: Sequence[Template], seconds: float, config: BreedingConfig | None = None
    ) -> None:
        if not templates:
            raise ValueError("breeding needs at least one template to draw new programs from")
        self._templates, self._seconds = tuple(templates), seconds
        self.config = config or BreedingConfig()
        self._unroller = Unroller()

    def novel(self, rng: np.random.Generator) -> str:
        """A program out of nothing: a filling of a template."""
        for _ in range(_TRIES):
            template = self._templates[int(rng.integers(len(self._templates)))]
            code = template.fill(int(rng.integers(2**31)), int(rng.integers(2**31))).code
            if self.plays(code):
                return code
        return code

    kind: Literal["program"] = "program"

    def is_valid(self, text: str) -> bool:
        """As `plays`."""
        return self.plays(text)

    def plays(self, code: str) -> bool:
        """Whether a program parses, is not too long, and is foreseen to play without an error."""
        if len(code) > self.config.most_characters:
            return False
        foreseen = self._unroller.unroll(code, self._seconds)
        sounds = any(event.kind in ("synth", "sample") for event in foreseen.events)
        return sounds and not foreseen.errors

    def mutated(self, parent: str, rng: np.random.Generator) -> str:
        """The parent with some parameters moved; equal times and tempi mostly move together."""
        for _ in range(_TRIES):
            child = self._moved(parent, rng)
            if child != parent and self.plays(child):
                return child
        return self.novel(rng)

    def crossed(self, mother: str, father: str, rng: np.random.Generator) -> str:
        """A child of both: values mixed if they have one shape, else a loop taken over."""
        for _ in range(_TRIES):
            child = self._blended(mother, father, rng) or self._exchanged(mother, father, rng)
            if child and child not in (mother, father) and self.plays(child):
                return child
        return self.mutated(mother, rng)

    def reduced(self, parent: str, rng: np.random.Generator) -> str:
        """The parent with one loop less, or mutated if it has but one."""
        genes = genes_of(parent)
        playing = [index for index, gene in enumerate(genes) if gene.plays]
        if len(playing) > 1:
            gone = playing[int(rng.integers(len(playing)))]
            child = program_of(mended([g for index, g in enumerate(genes) if index != gone]))
            if self.plays(child):
                return child
        return self.mutated(parent, rng)

    def _moved(self, parent: str, rng: np.random.Generator) -> str:
        found = find_parameters(parent)
        if not found:
            return parent
        groups: dict[object, list[Parameter]] = {}
        for index, parameter in enumerate(found):
            together = parameter.kind in ("sleep", "bpm", "seed") and rng.random() < 0.7
            key: object = (parameter.kind, parameter.text) if together else index
            groups.setdefault(key, []).append(parameter)
        chance = max(self.config.changed, 1.0 / len(groups))
        chosen = [group for group in groups.values() if rng.random() < chance]
        if not chosen:
            every = list(groups.values())
            chosen = [every[int(rng.integers(len(every)))]]
        edits = {}
        for group in chosen:
            text = self._drawn(group[0], rng)
            edits.update(dict.fromkeys(group, text))
        return _edited(parent, edits)

    def _drawn(self, parameter: Parameter, rng: np.random.Generator) -> str:
        kind, text = parameter.kind, parameter.text
        leap = rng.random() < self.config.leap
        near = partial(draw_name_like if kind in _NAME_KINDS else draw_number_like, rng, kind, text)
        try:
            if kind == "note":
                return draw_note_like(rng, text)
            if leap and kind in NUMBERS and float(text) != 0:
                return draw_number(rng, kind)
            if leap and kind in ("synth", "fx", "scale", "chord"):
                return draw_name(rng, kind)
            return near()
        except ValueError:  # a literal of a spelling that the tables do not know
            return text

    def _blended(self, mother: str, father: str, rng: np.random.Generator) -> str | None:
        """Values of two programs of one shape, each from one of them; None if shapes differ."""
        ours, theirs = find_parameters(mother), find_parameters(father)
        if not ours or _shape(mother, ours) != _shape(father, theirs):
            return None
        pairs = zip(ours, theirs, strict=True)
        return _edited(mother, {a: b.text for a, b in pairs if rng.random() < 0.5})

    def _exchanged(self, mother: str, father: str, rng: np.random.Generator) -> str | None:
        host, donor = genes_of(mother), genes_of(father)
        theirs = [index for index, gene in enumerate(donor) if gene.plays]
        ours = [index for index, gene in enumerate(host) if gene.plays]
        if not theirs or not ours:
            return None
        which = theirs[int(rng.integers(len(theirs)))]
        adds = len(ours) < self.config.most_loops and rng.random() < 0.5
        place = None if adds else ours[int(rng.integers(len(ours)))]
        return program_of(transplant(host, donor, which, place))


def _shape(program: str, parameters: Sequence[Parameter]) -> tuple[str, ...]:
    """What is left of a program without its parameters."""
    source = program.encode()
    pieces, place = [], 0
    for parameter in parameters:
        pieces.append(source[place : parameter.start].decode())
        place = parameter.end
    return (*pieces, source[place:].decode())


def _edited(program: str, edits: dict[Parameter, str]) -> str:
    source = program.encode()
    for parameter in sorted(edits, key=lambda one: -one.start):
        new = edits[parameter].encode()
        source = source[: parameter.start] + new + source[parameter.end :]
    return source.decode()
