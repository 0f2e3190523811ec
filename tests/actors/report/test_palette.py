"""Colours that can be read and told apart."""

import pytest

from actors.report.palette import INK_ON_LABEL, REASON_COLOURS, label_colour, reason_colour


def luminance(colour):
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    light, dark = sorted([luminance(one), luminance(other)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_class_ids_are_readable_on_the_colour_of_every_class():
    assert min(contrast(INK_ON_LABEL, label_colour(label)) for label in range(256)) >= 4.5


def test_the_classes_of_a_small_alphabet_all_have_colours_of_their_own():
    assert len({label_colour(label) for label in range(64)}) == 64


def test_reasons_have_colours_of_their_own_and_unknown_ones_are_grey():
    assert len(set(REASON_COLOURS.values())) == len(REASON_COLOURS)
    assert reason_colour("whim") == "#8c8c8c"


def test_silence_has_no_colour():
    with pytest.raises(ValueError, match="at least 0, got -1"):
        label_colour(-1)
