"""Samples: which one is meant, how long it is, and what its options make of speed and extent."""

from typing import Final

from corpus.sonic_pi.unroller_blocks import Block
from corpus.sonic_pi.unroller_registry import function, method, waiting_function
from corpus.sonic_pi.unroller_threads import Steps, VirtualThread
from corpus.sonic_pi.unroller_values import (
    UNKNOWN,
    Ring,
    RubyError,
    Symbol,
    Value,
    as_list,
    is_list,
    is_number,
    options_of,
    to_float,
    whole,
)

__all__ = [
    "REWORKED",
    "SAMPLER_ARGUMENTS",
    "find_sample",
    "sample_arguments",
    "sample_seconds",
    "split_sample",
]

_SLIDING: Final = ("amp", "pan", "cutoff", "lpf", "hpf")
_ENDS: Final = ("", "_slide", "_slide_shape", "_slide_curve")
_ENVELOPE: Final = ("attack", "decay", "sustain", "release", "env_curve")
SAMPLER_ARGUMENTS: Final = frozenset(
    {f"{name}{end}" for name in _SLIDING for end in _ENDS}
    | {"rate", "slide", "beat_stretch", "rpitch", *_ENVELOPE}
    | {"attack_level", "decay_level", "sustain_level"}
)
"""What the simple sample players take; any other argument needs the full ones."""
REWORKED: Final = frozenset(
    {"cutoff", "cutoff_slide", "beat_stretch", "pitch_stretch", "rpitch", "onset", "slice"}
)
"""Arguments that stand for others."""


def split_sample(given: list[Value]) -> tuple[list[Value], dict[str, Value]]:
    """What says which sample, and the options after it."""
    place = next((i for i, value in enumerate(given) if isinstance(value, dict)), len(given))
    options = options_of(given[place:])
    filters = given[:place]
    if not filters and "path" in options:
        filters = [options.pop("path")]
    return filters, options


def find_sample(thread: VirtualThread, filters: list[Value]) -> str | None:
    """The sample that names, parts of names and numbers choose; none if there is none."""
    machine = thread.machine
    only = filters[0] if len(filters) == 1 else None
    if isinstance(only, Symbol) and only in machine.instruments.samples:
        return str(only)
    names = list(machine.instruments.samples)
    plain: list[Value] = []
    for value in filters:
        plain.extend(as_list(value) if is_list(value) else [value])
    plain = [value for value in plain if value is not None]
    if not plain:
        return None
    for value in plain:
        if isinstance(value, Symbol):
            names = [str(value)] if value in machine.instruments.samples else []
        elif isinstance(value, str):
            found = value.rpartition("/")[2].partition(".")[0] if "/" in value else value
            names = [name for name in names if found.lower() in name]
            if not names:
                machine.miss("sample", "file of the user's")
        elif is_number(value):
            names = [names[whole(value) % len(names)]] if names else []
        else:
            machine.miss("sample", "unknown name")
            return None
    if not names and isinstance(plain[0], Symbol):
        machine.miss(f"sample :{plain[0]}", "not installed")
    return names[0] if names else None


def sample_seconds(thread: VirtualThread, given: list[Value]) -> float:
    """How long `sample` with these arguments sounds, in seconds."""
    filters, options = split_sample(given)
    name = find_sample(thread, filters)
    if name is None:
        raise RubyError("no sample matches")
    thread.machine.loaded.add(name)
    options = sample_arguments(thread, name, {**(thread.sample_defaults or {}), **options})
    start, finish = _extent(options)
    rate = abs(to_float(options.get("rate", 1))) or 1.0
    seconds = thread.machine.instruments.samples[name].seconds * abs(finish - start) / rate
    sustain = options.get("sustain", -1)
    if is_number(sustain) and sustain != -1:
        parts = ("attack", "decay", "sustain", "release")
        seconds = min(seconds, sum(max(0.0, to_float(options.get(key))) for key in parts))
    return seconds


def _extent(options: dict[str, Value]) -> tuple[float, float]:
    first, last = options.get("start", 0), options.get("finish", 1)
    return min(1.0, max(0.0, to_float(first))), min(1.0, max(0.0, to_float(last)))


def sample_arguments(
    thread: VirtualThread, name: str, options: dict[str, Value]
) -> dict[str, Value]:
    """Options with what they mean for rate, start and finish worked out."""
    made = {key: value for key, value in options.items() if value is not None}
    if REWORKED.isdisjoint(made):
        return made
    seconds = thread.machine.instruments.samples[name].seconds
    for key in ("", "_slide"):
        if f"cutoff{key}" in made and f"lpf{key}" not in made:
            made[f"lpf{key}"] = made.pop(f"cutoff{key}")
    beat_seconds = thread.beat_seconds
    rate = made.get("rate", 1)
    if is_number(made.get("beat_stretch")) and is_number(rate):
        rate = made["rate"] = rate * seconds / (made["beat_stretch"] * beat_seconds)
    if is_number(made.get("pitch_stretch")) and is_number(rate):
        rate = made["rate"] = rate * seconds / (made["pitch_stretch"] * beat_seconds)
    if is_number(made.get("rpitch")) and is_number(rate):
        made["rate"] = rate * 2.0 ** (made["rpitch"] / 12.0)
    if "onset" in made:
        thread.machine.miss("onset:", "where sounds begin is not known")
        made["slice"] = made.pop("onset")
    if "slice" in made:
        _slice(thread, made)
    return made


def _slice(thread: VirtualThread, made: dict[str, Value]) -> None:
    count = max(1, whole(made.get("num_slices", 16)))
    first, last = to_float(made.get("start", 0)), to_float(made.get("finish", 1))
    index = made["slice"]
    if isinstance(index, Block):
        slices = [{"index": number} for number in range(count)]
        index = index.call(thread, [Ring(slices)])
        index = as_list(index)[0] if is_list(index) and as_list(index) else index
        index = index["index"] if isinstance(index, dict) else index
    if not is_number(index):
        thread.machine.miss("slice:", "unknown argument")
        return
    place = round(index) % count
    made["slice"] = place
    made["start"] = (place + first) / count
    made["finish"] = min(1.0, (place + last) / count)


@function("sample_duration")
def _sample_duration(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    seconds = sample_seconds(thread, given)
    return seconds / thread.beat_seconds if thread.scales_times else seconds


@function("use_sample_bpm")
def _use_sample_bpm(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    thread.beat_seconds = _beat_of(thread, given)
    return None


def _beat_of(thread: VirtualThread, given: list[Value]) -> float:
    filters, options = split_sample(given)
    beats: float = options.pop("num_beats", 1)
    return sample_seconds(thread, [*filters, options]) / beats


@waiting_function("with_sample_bpm")
def _with_sample_bpm(thread: VirtualThread, given: list[Value], block: Block | None) -> Steps:
    before, thread.beat_seconds = thread.beat_seconds, _beat_of(thread, given)
    value = (yield from block.steps(thread)) if block is not None else None
    thread.beat_seconds = before
    return value


@function("load_sample", "load_samples", "sample_loaded?")
def _load(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    for value in given:
        for name in as_list(value):
            if isinstance(name, str) and name in thread.machine.instruments.samples:
                thread.machine.loaded.add(str(name))
    return True


@function("sample_info", "sample_buffer", "buffer")
def _info(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    name = find_sample(thread, given)
    if name is None:
        return UNKNOWN
    thread.machine.loaded.add(name)
    facts = thread.machine.instruments.samples[name]
    return {"duration": facts.seconds, "num_chans": facts.channels, "sample_rate": 44100}


@method("hash", "duration")
def _duration(
    _thread: VirtualThread, owner: Value, _given: list[Value], _block: Block | None
) -> Value:
    return owner.get("duration", UNKNOWN)


@function("sample_names")
def _sample_names(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    group = str(given[0])
    names = thread.machine.instruments.samples
    return Ring([Symbol(name) for name in names if name.startswith(f"{group}_")])


@function("all_sample_names")
def _all_sample_names(thread: VirtualThread, _given: list[Value], _block: Block | None) -> Value:
    return Ring([Symbol(name) for name in thread.machine.instruments.samples])


@function("sample_groups")
def _sample_groups(thread: VirtualThread, _given: list[Value], _block: Block | None) -> Value:
    groups = {name.partition("_")[0] for name in thread.machine.instruments.samples}
    return Ring([Symbol(name) for name in sorted(groups)])


@function("sample_paths")
def _sample_paths(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    parts = [str(value) for value in given if isinstance(value, str)]
    names = thread.machine.instruments.samples
    return Ring([name for name in names if all(part.lower() in name for part in parts)])
