"""Loops over arrays as machine code, where numpy would need many passes over small ones."""

from collections.abc import Callable
from typing import TypeVar, cast

import numba

__all__ = ["compiled"]

_F = TypeVar("_F", bound=Callable[..., object])


def compiled(function: _F) -> _F:
    """Compiles a function of numbers and arrays when it is first called, by numba.

    The machine code is kept on disk, where that can be written: making it takes seconds once,
    loading it milliseconds. A division by zero gives infinity or NaN, as numpy's does.
    """
    kept, unkept = (
        numba.njit(cache=cache, error_model="numpy", fastmath={"contract", "reassoc"})
        for cache in (True, False)
    )
    try:
        return cast(_F, kept(function))
    except RuntimeError:  # there is no place to keep it
        return cast(_F, unkept(function))
