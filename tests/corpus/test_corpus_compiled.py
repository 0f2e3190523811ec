"""Compiled loops."""

from corpus.compiled import compiled


def test_what_cannot_be_kept_on_disk_is_compiled_all_the_same():
    made = {}
    exec("def half(x):\n    return x / 2", made)  # of no file, beside which it could be kept
    assert compiled(made["half"])(3) == 1.5


def test_a_division_by_zero_is_infinite():
    made = {}
    exec("def over(x, y):\n    return x / y", made)
    assert compiled(made["over"])(1.0, 0.0) == float("inf")
