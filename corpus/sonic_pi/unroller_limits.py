"""What Sonic Pi accepts as arguments where a program asks for `use_arg_checks true`.

A value outside then ends the thread, as it does there; without, everything is let pass.
"""

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

from corpus.sonic_pi.unroller_values import RubyError

__all__ = ["check_arguments"]


class _Range(NamedTuple):
    """Values from `low` to `high`; an open end is not in it."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    def holds(self, value: float) -> bool:
        above = value > self.low if self.open_low else value >= self.low
        return above and (value < self.high if self.open_high else value <= self.high)


_NOT_NEGATIVE: Final = _Range(0.0)
_POSITIVE: Final = _Range(0.0, open_low=True)
_UNIT: Final = _Range(0.0, 1.0)
_INSIDE: Final = _Range(0.0, 1.0, open_low=True, open_high=True)
_BELOW_ONE: Final = _Range(0.0, 1.0, open_high=True)
_EITHER_SIDE: Final = _Range(-1.0, 1.0)

_RANGES: Final[dict[_Range, str]] = {
    _NOT_NEGATIVE: (
        "note amp attack decay sustain release attack_level decay_level sustain_level pre_amp "
        "pre_mix cutoff_attack cutoff_decay cutoff_sustain cutoff_release note_resolution "
        "threshold clamp_time relax_time reverb_time vibrato_delay vibrato_onset smooth smooth_up "
        "smooth_down mod_amp super_amp sub_amp subsub_amp amp_min amp_max deltime grainsize "
        "lpf_attack lpf_decay lpf_release hpf_attack hpf_decay hpf_release max_delay dry "
        "ref_level tail_level level centre"
    ),
    _POSITIVE: "phase max_phase mod_phase sample_rate bits gain freq",
    _UNIT: (
        "mix damp pre_damp spread phase_offset mod_phase_offset probability prob_pos start finish "
        "vel hard stereo_width noise_amp feedback cutoff_attack_level cutoff_decay_level "
        "cutoff_sustain_level"
    ),
    _INSIDE: "pulse_width dpulse_width mod_pulse_width",
    _BELOW_ONE: "res distort",
    _EITHER_SIDE: "pan pan_min pan_max pan_start coef",
    _Range(0.0, 131.0, open_high=True): "cutoff lpf",
    _Range(0.0, 119.0, open_high=True): "hpf",
    _Range(0.0, 130.0, open_high=True): "cutoff_min cutoff_max",
    _Range(0.0, 4.0): "wave mod_wave noise voice",
    _Range(1.0, 7.0): "env_curve lpf_env_curve hpf_env_curve",
    _Range(-72.0, 24.0): "pitch",
    _Range(1.0, 100.0): "pluck_decay",
    _Range(0.0, 90.0): "range",
    _Range(1.0, 5.0): "vowel_sound",
}
_BY_NAME: Final = {name: span for span, names in _RANGES.items() for name in names.split()}
_EXCEPTIONS: Final = {
    ("tb303", "cutoff"): _Range(high=130.0),
    ("tb303", "cutoff_min"): _Range(high=130.0),
    ("fx_wobble", "pulse_width"): _NOT_NEGATIVE,
    ("fx_echo", "decay"): _POSITIVE,
    ("fx_gverb", "release"): _POSITIVE,
    ("fx_reverb", "room"): _UNIT,
    ("fx_gverb", "room"): _Range(1.0),
    ("dark_ambience", "room"): _Range(0.1, 300.0),
    ("fx_ping_pong", "feedback"): _INSIDE,
    ("fx_tremolo", "depth"): _UNIT,
    ("fx_flanger", "decay"): _Range(),
    ("fx_octaver", "sub_amp"): _NOT_NEGATIVE,
    ("subpulse", "sub_amp"): _Range(),
    ("fx_panslicer", "amp_min"): _Range(),
    ("fx_panslicer", "amp_max"): _Range(),
    ("piano", "note"): _Range(0.0, 231.0, open_high=True),
}


def check_arguments(
    name: str, given: Mapping[str, float], known: Mapping[str, float], *, is_sample: bool = False
) -> None:
    """Refuses what Sonic Pi refuses.

    Args:
        name: of the synth, effect ("fx_reverb") or sample player.
        given: arguments as sent, in seconds.
        known: arguments that it has; others are let pass.
        is_sample: a sample player, whose sustain may be -1 and whose rate may not be 0.

    Raises:
        RubyError: an argument lies outside of its range.
    """
    for key, value in given.items():
        span = _BY_NAME.get(key)
        if span is None and key != "room" and key != "depth":
            if is_sample and key == "rate" and value == 0:
                raise RubyError("rate must not be zero")
            continue
        if key not in known:
            continue
        span = _EXCEPTIONS.get((name, key), span)
        if span is None or span.holds(value) or (is_sample and key == "sustain" and value == -1):
            continue
        raise RubyError(f"{key} of {name} must lie in its range, got {value}")
