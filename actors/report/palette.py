"""The colours of labels and reasons, the same on the page and in the terminal.

Label colours have one lightness band in which dark text is readable, so they hold on light and
dark grounds; colour is never the only sign: the class id or the name of the reason is beside it.
"""

import math
from typing import Final

REASON_COLOURS: Final = {
    "continuation": "#2b87c0",
    "scenario": "#009e73",
    "suffix": "#56b4e9",
    "jump": "#e69f00",
    "nearest": "#cc79a7",
    "silence": "#8c8c8c",
    "missed": "#d55e00",
    "unreported": "#a0522d",
}
"""After Okabe and Ito (2008): told apart with all common kinds of colour vision; their blue is
lightened to hold on a dark ground too."""

OTHER_REASON_COLOUR: Final = "#8c8c8c"
INK_ON_LABEL: Final = "#101418"

_GOLDEN_ANGLE_DEGREES: Final = 137.50776
_LIGHTNESS: Final = (0.82, 0.70, 0.76)
_CHROMA: Final = 0.115


def reason_colour(reason: str) -> str:
    """The colour "#rrggbb" of a fragment's reason; grey for a reason not known here."""
    return REASON_COLOURS.get(reason, OTHER_REASON_COLOUR)


def label_colour(label: int) -> str:
    """The colour "#rrggbb" of a class id ≥ 0: hues a golden angle apart, three lightnesses.

    Raises:
        ValueError: if label is below 0; silence has no colour.
    """
    if label < 0:
        raise ValueError(f"label must be a class id of at least 0, got {label}")
    hue = math.radians(30.0 + label * _GOLDEN_ANGLE_DEGREES)
    return _oklch_to_hex(_LIGHTNESS[label % len(_LIGHTNESS)], _CHROMA, hue)


def _oklch_to_hex(lightness: float, chroma: float, hue: float) -> str:
    """The sRGB of an OKLCH colour (Ottosson 2020), clipped to the gamut."""
    a, b = chroma * math.cos(hue), chroma * math.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    return "#" + "".join(f"{round(255 * _srgb_gamma(value)):02x}" for value in linear)


def _srgb_gamma(linear: float) -> float:
    """The sRGB transfer function (IEC 61966-2-1) of a value clipped to [0, 1]."""
    value = min(max(linear, 0.0), 1.0)
    return 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
