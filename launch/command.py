"""How a command ends that cannot go on: one sentence in red, and an exit code; no traceback.

And which numbers it takes: `within`.
"""

import argparse
import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Protocol, TypeVar

from pydantic import ValidationError
from rich.console import Console

__all__ = ["command", "one_line", "within"]

NumberT = TypeVar("NumberT", int, float)


class Main(Protocol):
    """What a command is: words in, exit code out."""

    def __call__(self, argv: Sequence[str] | None = None) -> int:
        """Do as the words say; those of the command line by default."""
        ...


def command(
    *errors: type[Exception], stopped: str = "stopped; the same command goes on where this was"
) -> Callable[[Main], Main]:
    """Decorates a `main` whose errors speak for themselves.

    Args:
        errors: what users can cause; the command says it and ends with 2. Others are bugs and
            are not caught.
        stopped: what is said at Ctrl-C; the command ends with 130.
    """

    def decorate(main: Main) -> Main:
        @wraps(main)
        def run(argv: Sequence[str] | None = None) -> int:
            try:
                return main(argv)
            except errors as error:
                sentence = f"error: {one_line(error)}"
                Console(stderr=True).print(sentence, style="red", markup=False, soft_wrap=True)
                return 2
            except KeyboardInterrupt:
                Console(stderr=True).print(stopped, style="yellow", markup=False, soft_wrap=True)
                return 130

        return run

    return decorate


def one_line(error: BaseException) -> str:
    """What an error says, in one line."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(one) for one in first['loc'])}: {first['msg']}"
    if isinstance(error, OSError) and error.strerror:
        name = f"{error.filename}: " if error.filename else ""
        return f"{name}{error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


def within(kind: type[NumberT], least: NumberT, most: float = math.inf) -> Callable[[str], NumberT]:
    """A `type` for argparse: numbers from `least` to `most`; never NaN, never infinity."""
    told = f"{least} or more" if most == math.inf else f"from {least} to {most:g}"

    def parse(text: str) -> NumberT:
        number = kind(text)
        if not (least <= number <= most and math.isfinite(number)):
            raise argparse.ArgumentTypeError(f"must be {told}, got {number}")
        return number

    parse.__name__ = kind.__name__  # argparse names it where the text is no number
    return parse
