"""Compiled loops: the same helper stands in two packages that may not know each other."""

import pytest

import corpus.compiled
import models.compiled


@pytest.fixture(params=[corpus.compiled, models.compiled], ids=["corpus", "models"])
def compiled(request):
    return request.param.compiled


def test_what_cannot_be_kept_on_disk_is_compiled_all_the_same(compiled):
    made = {}
    exec("def half(x):\n    return x / 2", made)  # of no file, beside which it could be kept
    assert compiled(made["half"])(3) == 1.5


def test_a_division_by_zero_is_infinite(compiled):
    made = {}
    exec("def over(x, y):\n    return x / y", made)
    assert compiled(made["over"])(1.0, 0.0) == float("inf")
