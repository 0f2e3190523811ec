"""What all commands share: how they end, how they compute, and which numbers they take.

One sentence in red and an exit code, no traceback; matrices in one thread; `within`.
"""

import argparse
import errno
import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Final, Protocol, TypeVar

from pydantic import ValidationError
from rich.console import Console
from threadpoolctl import threadpool_limits

__all__ = ["broken_rule", "command", "one_line", "shortened", "within"]

_RULES: Final = {
    "path_type": "be a path",
    "tuple_type": "be a list",
    "list_type": "be a list",
    "too_short": "be a list with something in it",
    "model_type": "be a section with settings",
    "int_parsing": "be a whole number",
    "int_type": "be a whole number",
    "int_from_float": "be a whole number",
    "float_parsing": "be a number",
    "float_type": "be a number",
    "string_type": "be text",
}
"""What must hold, by pydantic's name of the error, where its own words would puzzle a musician."""

_ADVICE: Final = {
    errno.ENOSPC: "; free the disk or choose another place",
    errno.EROFS: "; choose a place that can be written",
    errno.EACCES: "; change its permissions or choose another place",
    errno.ENOENT: "; check the path",
    errno.ENOTDIR: "; check the path, a part of it is a file",
    errno.ELOOP: "; check the path, a link in it leads to itself",
    errno.EISDIR: "; name a file",
    errno.EEXIST: "; choose another place",
}
"""What to do about an error of the file system."""

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
                # On matrices as small as ours threads wait for each other longer than they compute.
                with threadpool_limits(1, user_api="blas"):
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
        return broken_rule(error)
    if isinstance(error, OSError) and error.strerror:
        name = f"{error.filename}: " if error.filename else ""
        return f"{name}{error.strerror}{_ADVICE.get(error.errno or 0, '')}"
    return " ".join(str(error).split()) or type(error).__name__


def broken_rule(error: ValidationError) -> str:
    """Which value breaks which rule, the first if there are several."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"]) or "the config"
    came = first["input"]
    rule = _RULES.get(first["type"], first["msg"])
    rule = rule.removeprefix("Value error, ").removeprefix("Input should ")
    rule = rule.replace("a valid ", "a ")
    said = f"{name} must {rule}" if rule.startswith("be ") else f"{name}: {rule}"
    return said if isinstance(came, dict) or ", got " in rule else f"{said}, got {shortened(came)}"


def shortened(value: object, limit: int = 60) -> str:
    """A value as Python writes it, so many characters of it at most."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def within(kind: type[NumberT], least: NumberT, most: float = math.inf) -> Callable[[str], NumberT]:
    """A `type` for argparse: numbers from `least` to `most`; never NaN, never infinity."""
    told = f"at least {least}" if most == math.inf else f"from {least} to {most:g}"

    def parse(text: str) -> NumberT:
        number = kind(text)
        if not (least <= number <= most and math.isfinite(number)):
            raise argparse.ArgumentTypeError(f"must be {told}, got {number}")
        return number

    parse.__name__ = kind.__name__  # argparse names it where the text is no number
    return parse
