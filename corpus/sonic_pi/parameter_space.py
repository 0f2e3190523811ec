"""The parameters of one program as a vector, and back: what CMA-ES and its like search.

Each parameter is a number in [0, 1]: a place in the range of its kind, spaced as the ear spaces
it; the choice of a name is a place in the list of names that can stand there.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from corpus.sonic_pi.auto_template import Parameter, find_parameters
from corpus.sonic_pi.parameters import NAMES, NUMBERS, note_number, number_text

__all__ = ["ParameterSpace"]

FloatArray = NDArray[np.float32]
_LOWEST_NOTE, _HIGHEST_NOTE = 24, 108
_SPELLED: Final = ("c", "db", "d", "eb", "e", "f", "gb", "g", "ab", "a", "bb", "b")


class ParameterSpace:
    """All parameters of a program that can be placed in a range.

    Args:
        program: Sonic Pi source.

    Raises:
        ValueError: it has none.
    """

    def __init__(self, program: str) -> None:
        self.program = program
        self._parameters = [p for p in find_parameters(program) if _place(p) is not None]
        if not self._parameters:
            raise ValueError("a program to search must have parameters, found none in this one")
        self.origin: FloatArray = np.array([_place(p) for p in self._parameters], np.float32)

    @property
    def dim(self) -> int:
        """How many parameters."""
        return len(self._parameters)

    def program_at(self, vector: FloatArray) -> str:
        """The program with the parameters of a vector (dim,); outside [0, 1] is at the border."""
        if vector.shape != self.origin.shape:
            raise ValueError(f"a vector must have {self.dim} numbers, got shape {vector.shape}")
        source = self.program.encode()
        placed = zip(self._parameters, np.clip(vector, 0.0, 1.0), strict=True)
        for parameter, place in sorted(placed, key=lambda pair: -pair[0].start):
            text = _text(parameter, float(place))
            source = source[: parameter.start] + text.encode() + source[parameter.end :]
        return source.decode()


def _choices(parameter: Parameter) -> tuple[str, ...]:
    for names in NAMES[parameter.kind].values():
        if parameter.text in names:
            return tuple(dict.fromkeys(names))
    return ()


def _place(parameter: Parameter) -> float | None:
    """Where a parameter's own value lies in [0, 1]; None if it has no range."""
    kind, text = parameter.kind, parameter.text
    if kind in NAMES:
        names = _choices(parameter)
        return (names.index(text) + 0.5) / len(names) if names else None
    try:
        value = note_number(text) if kind == "note" and text[0].isalpha() else float(text)
    except ValueError:
        return None
    if kind == "note":
        return float(np.clip((value - _LOWEST_NOTE) / (_HIGHEST_NOTE - _LOWEST_NOTE), 0, 1))
    low, high, is_ratio = _range(kind)
    if value == 0:
        return None  # 0 switches something off
    if is_ratio:
        return float(np.clip(math.log(max(value, low) / low) / math.log(high / low), 0, 1))
    return float(np.clip((value - low) / (high - low), 0, 1))


def _range(kind: str) -> tuple[float, float, bool]:
    """Lowest, highest, and whether equal factors are equally far."""
    number = NUMBERS[kind]
    positive = [value for value in number.grid if value > 0]
    if kind in ("sleep", "phase", "rate"):
        return min(positive), max(positive), True
    return number.low, number.high, number.spacing == "ratio"


def _text(parameter: Parameter, place: float) -> str:
    """Ruby text for a place in [0, 1]."""
    kind = parameter.kind
    if kind in NAMES:
        names = _choices(parameter)
        return names[min(int(place * len(names)), len(names) - 1)]
    if kind == "note":
        number = round(_LOWEST_NOTE + place * (_HIGHEST_NOTE - _LOWEST_NOTE))
        if parameter.text[0].isalpha():
            return f"{_SPELLED[number % 12]}{number // 12 - 1}"
        return str(number)
    low, high, is_ratio = _range(kind)
    value = low * (high / low) ** place if is_ratio else low + place * (high - low)
    grid = [one for one in NUMBERS[kind].grid if one > 0]
    if grid:
        value = min(grid, key=lambda one: abs(math.log(one / value)))
    return number_text(float(round(value)) if NUMBERS[kind].whole else value)
