"""Fills templates: one Jinja template and one random generator give one Sonic Pi program.

A template is Sonic Pi code in which parameters are calls in double braces:

    sleep {{ sleep() }}                      drawn from the range of its kind
    play :{{ note("c3", "c5") }}             from a narrower one
    play 60, amp: {{ amp(like="0.5") }}      near the value that a program has
    sleep {{ sleep(like="0.5", slot=1) }}    the same value wherever this kind has this slot

Kinds are those of `parameters.NUMBERS` and `parameters.NAMES`, and `note`; further `notes(n)` (a
line that walks through a scale), `steps(n, share)` (ones and zeros) and `one_of(...)`. The same
template, seed and index give the same program.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import jinja2
import numpy as np
from jinja2.sandbox import SandboxedEnvironment

from corpus.sonic_pi.parameters import (
    NAMES,
    NUMBERS,
    draw_name,
    draw_name_like,
    draw_note,
    draw_note_like,
    draw_number,
    draw_number_like,
    note_number,
)

__all__ = ["Filling", "Template", "own_templates", "template_from_file"]

TEMPLATE_SUFFIX: Final = ".rb.j2"
_OWN_FOLDER: Final = Path(__file__).parent / "templates"
_MODES: Final = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 3, 5, 7, 10), (0, 2, 4, 7, 9))
_REST_SHARE: Final = 0.1


@dataclass(frozen=True)
class Filling:
    """One program made from a template.

    Args:
        template: name of the template.
        index: which of its fillings, ≥ 0.
        code: the Sonic Pi program.
        values: what was drawn, in order: (kind, Ruby text).
    """

    template: str
    index: int
    code: str
    values: tuple[tuple[str, str], ...] = field(repr=False)


@dataclass(frozen=True)
class Template:
    """Sonic Pi code with parameters.

    Args:
        name: unique within a data set; fillings depend on it.
        text: Jinja source.

    Raises:
        ValueError: if the text is no Jinja template.
    """

    name: str
    text: str = field(repr=False)

    def __post_init__(self) -> None:
        try:
            _ENVIRONMENT.parse(self.text)
        except jinja2.TemplateSyntaxError as error:
            raise ValueError(
                f"template {self.name} must be valid Jinja, line {error.lineno}: {error.message}"
            ) from error

    def fill(self, index: int, seed: int = 0) -> Filling:
        """Filling number `index`; the same arguments give the same program.

        Raises:
            ValueError: if the template asks for a parameter that does not exist or cannot be drawn.
        """
        name_hash = zlib.crc32(self.name.encode())
        draws = _Draws(np.random.default_rng([seed, name_hash, index]))
        return Filling(self.name, index, self._render(draws), tuple(draws.values))

    def original(self) -> str:
        """The program with every parameter as in the program the template was made from.

        Raises:
            ValueError: if some parameter says no `like`.
        """
        return self._render(_Originals())

    def _render(self, draws: "_Draws") -> str:
        try:
            return _ENVIRONMENT.from_string(self.text).render(draws.functions())
        except (jinja2.TemplateError, TypeError, ValueError) as error:
            raise ValueError(f"template {self.name} cannot be filled: {error}") from error


class _Draws:
    """The functions that a template calls, and a record of what they gave."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._slots: dict[tuple[str, object], str] = {}
        self.values: list[tuple[str, str]] = []

    def functions(self) -> dict[str, Callable[..., str]]:
        """Name → function, for Jinja."""
        numbers = {
            kind: partial(self._draw, kind, draw_number, draw_number_like) for kind in NUMBERS
        }
        names = {
            kind: partial(
                self._draw, kind, partial(_named, kind=kind), partial(_named_like, kind=kind)
            )
            for kind in NAMES
        }
        own: dict[str, Callable[..., str]] = {
            "note": partial(self._draw, "note", _note, _note_like),
            "notes": self._notes,
            "steps": self._steps,
            "one_of": self._one_of,
        }
        return {**numbers, **names, **own}

    def _draw(
        self,
        kind: str,
        fresh: Callable[..., str],
        near: Callable[..., str],
        *limits: float | str,
        like: str | None = None,
        slot: object = None,
    ) -> str:
        if slot is not None and (kind, slot) in self._slots:
            return self._slots[kind, slot]
        value = near(self._rng, kind, like) if like is not None else fresh(self._rng, kind, *limits)
        if slot is not None:
            self._slots[kind, slot] = value
        return self._noted(kind, value)

    def _notes(self, n: int, low: str = "c3", high: str = "c5") -> str:
        """Symbols of a line that moves by small steps through one scale, with some rests."""
        root, mode = int(self._rng.integers(12)), _MODES[int(self._rng.integers(len(_MODES)))]
        allowed = [
            pitch
            for pitch in range(note_number(low), note_number(high) + 1)
            if (pitch - root) % 12 in mode
        ]
        place = int(self._rng.integers(len(allowed)))
        line: list[str] = []
        for _ in range(n):
            place = min(max(place + int(self._rng.integers(-3, 4)), 0), len(allowed) - 1)
            is_rest = bool(line) and self._rng.random() < _REST_SHARE
            line.append(":r" if is_rest else f":{_NAME_OF[allowed[place]]}")
        return self._noted("notes", ", ".join(line))

    def _steps(self, n: int, share: float) -> str:
        """Ones and zeros, at least one of them 1."""
        on = self._rng.random(n) < share
        on[int(self._rng.integers(n))] = True
        return self._noted("steps", ", ".join("1" if step else "0" for step in on))

    def _one_of(self, *choices: object) -> str:
        return self._noted("one_of", str(choices[int(self._rng.integers(len(choices)))]))

    def _noted(self, kind: str, value: str) -> str:
        self.values.append((kind, value))
        return value


class _Originals(_Draws):
    """Gives back what stood in the program."""

    def __init__(self) -> None:
        super().__init__(np.random.default_rng(0))

    def _draw(
        self,
        kind: str,
        fresh: Callable[..., str],
        near: Callable[..., str],
        *limits: float | str,
        like: str | None = None,
        slot: object = None,
    ) -> str:
        del fresh, near, limits, slot
        if like is None:
            raise ValueError(f"{kind} has no original value; give it one: {kind}(like=...)")
        return like


def _named(rng: np.random.Generator, _: str, group: str = "", *, kind: str) -> str:
    return draw_name(rng, kind, group)


def _named_like(rng: np.random.Generator, _: str, like: str, *, kind: str) -> str:
    return draw_name_like(rng, kind, like)


def _note(rng: np.random.Generator, _: str, low: str = "c2", high: str = "c6") -> str:
    return draw_note(rng, low, high)


def _note_like(rng: np.random.Generator, _: str, like: str) -> str:
    return draw_note_like(rng, like)


_NAME_OF: Final = {
    12 * (octave + 1) + step: f"{name}{octave}"
    for octave in range(9)
    for step, name in enumerate(("c", "db", "d", "eb", "e", "f", "gb", "g", "ab", "a", "bb", "b"))
}
_ENVIRONMENT: Final = SandboxedEnvironment(
    undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False
)


def template_from_file(path: Path) -> Template:
    """The template in a file, named after the file without its ending `.rb.j2`.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is no UTF-8 text or no Jinja template.
    """
    return Template(path.name.removesuffix(TEMPLATE_SUFFIX), path.read_text(encoding="utf-8"))


def own_templates() -> tuple[Template, ...]:
    """The 27 templates that come with the project, by name."""
    return tuple(_own())


def _own() -> Iterator[Template]:
    for path in sorted(_OWN_FOLDER.glob(f"*{TEMPLATE_SUFFIX}")):
        yield template_from_file(path)
