"""Functions that make sound: synths, samples, effects, changes of what runs, and their settings."""

from collections.abc import Callable
from typing import Final, TypeAlias

from corpus.sonic_pi.events import Event
from corpus.sonic_pi.unroller_blocks import Block
from corpus.sonic_pi.unroller_limits import check_arguments
from corpus.sonic_pi.unroller_played import Played, key_of_call, sounded, start
from corpus.sonic_pi.unroller_registry import function, method, waiting_function
from corpus.sonic_pi.unroller_samples import (
    SAMPLER_ARGUMENTS,
    find_sample,
    sample_arguments,
    split_sample,
)
from corpus.sonic_pi.unroller_theory import is_rest, note_number
from corpus.sonic_pi.unroller_threads import Steps, VirtualThread
from corpus.sonic_pi.unroller_tuning import tuned
from corpus.sonic_pi.unroller_values import (
    UNKNOWN,
    NodeHandle,
    Ring,
    RubyError,
    Symbol,
    Value,
    as_list,
    inspect,
    is_list,
    is_number,
    is_truthy,
    options_of,
    to_float,
)
from corpus.sonic_pi.unroller_variants import SCALED

__all__ = ["SOUNDING", "worked_out"]

WorkOut: TypeAlias = "Callable[[VirtualThread, list[Value]], Played | Value]"
SOUNDING: Final[dict[str, WorkOut]] = {}
"""What works out what a call plays, by the name of the function; the value it has if it is none."""

CONTROL_DELTA: Final = 0.005
"""Sonic Pi sends changes of one sound at one moment this many seconds apart."""
_UNSCALED: Final = {"fx_gverb": ("release",), "fx_flanger": ("decay",)}
_PITCHES: Final = frozenset(
    {"note", "cutoff", "cutoff_min", "cutoff_max", "lpf", "hpf", "centre", "freq", "lpf_min"}
    | {"hpf_max", "low_note", "mid_note", "high_note", "low_shelf_note", "high_shelf_note"}
)
_SLIDING: Final = ("amp", "note", "pan", "cutoff", "lpf", "hpf", "mix", "rate", "pre_amp", "phase")
_ALIASES: Final = {"sine": "beep", "mod_beep": "mod_sine"}
_NUMBERS: Final = frozenset({int, float})
_TB303_TIMES: Final = {f"cutoff_{part}": part for part in ("attack", "decay", "sustain", "release")}


def _numbers(thread: VirtualThread, name: str, given: dict[str, Value]) -> dict[str, float]:
    """Arguments as the synthesis server is sent them: numbers, in seconds; nil ones left out."""
    if _NUMBERS.issuperset(map(type, given.values())):
        return dict(given)
    defaults = thread.machine.instruments.defaults.get(name, {})
    made: dict[str, float] = {}
    for key, value in given.items():
        if is_number(value):
            made[key] = value
            continue
        if isinstance(value, Block):
            value = value.call(thread)
        if key in _PITCHES and isinstance(value, str):
            value = note_number(value)
        if value is UNKNOWN:
            thread.machine.miss(f"{key}:", "unknown argument")
        elif isinstance(value, Symbol):
            made[key] = to_float(given.get(value, defaults.get(value, 0.0)))
        elif value is not None and not is_list(value):
            made[key] = to_float(value)
    return made


def _complete(thread: VirtualThread, name: str, made: dict[str, float]) -> dict[str, float]:
    """All arguments of a synth or effect, times scaled by the tempo, defaults filled in."""
    defaults = thread.machine.instruments.defaults.get(name, {})
    if "duration" in made and "sustain" not in made:
        spent = made.get("attack", 0) + made.get("decay", 0) + made.get("release", 0)
        made["sustain"] = max(0, made.pop("duration") - spent)
    complete = {**defaults, **made}
    if name == "tb303":
        for key, source in _TB303_TIMES.items():
            if key not in made:
                complete[key] = complete[source]
    scale = thread.beat_seconds
    if thread.scales_times and scale != 1.0:
        for key in SCALED.intersection(complete).difference(_UNSCALED.get(name, ())):
            complete[key] *= scale
        for key in made:
            if key.endswith("_slide"):
                complete[key] *= scale
    if thread.checks_arguments:
        check_arguments(name, made, defaults)
    if "slide" in made:
        slide = made["slide"] * (scale if thread.scales_times else 1.0)
        for key in _SLIDING:
            if key in defaults:
                complete.setdefault(f"{key}_slide", slide)
    return complete


def _completed(thread: VirtualThread, name: str, options: dict[str, Value]) -> dict[str, float]:
    return _complete(thread, name, _numbers(thread, name, options))


def _sounding_note(thread: VirtualThread, value: Value, options: dict[str, Value]) -> Value:
    if isinstance(value, Block):
        value = value.call(thread)
    if is_list(value) and len(as_list(value)) == 1:
        value = as_list(value)[0]
    note = note_number(value)
    if note is UNKNOWN or note is None:
        return note
    note += thread.transpose + 12 * thread.octave + thread.cents / 100.0
    note += to_float(options.get("pitch"))
    return note if thread.tuning is None else tuned(note, *thread.tuning)


def _placed(thread: VirtualThread, made: dict[str, float]) -> dict[str, float]:
    """Arguments of a sound that plays where the thread plays now."""
    if made.get("out_bus") != thread.bus:
        made["out_bus"] = thread.bus
    return made


def _sounding(name: str, *, takes_block: bool = True) -> Callable[[WorkOut], WorkOut]:
    """Registers a function that makes sound, by what works out what it plays."""

    def register(work_out: WorkOut) -> WorkOut:
        @function(name)
        def _made(thread: VirtualThread, given: list[Value], block: Block | None) -> Value:
            return _played(thread, name, given, block if takes_block else None)

        SOUNDING[name] = work_out
        return work_out

    return register


def _played(
    thread: VirtualThread, name: str, given: list[Value], block: Block | None = None
) -> Value:
    """Plays what a call comes to, or what it came to before."""
    voice = thread.voice or thread.find_voice()
    key = key_of_call(name, given)
    known = None if key is None else voice.get(key)
    made = worked_out(thread, name, given, voice, key) if known is None else known
    if type(made) is not Played:
        thread.spend()
        return made
    handle = sounded(thread, made)
    if block is not None:
        following = block
        thread.machine.spawn(thread, lambda child: following.steps(child, [handle]))
    return handle


def worked_out(
    thread: VirtualThread,
    name: str,
    given: list[Value],
    voice: dict[object, Played],
    key: object | None,
) -> Played | Value:
    """What a call comes to, kept in a voice under a key, if any; else the value it has."""
    machine = thread.machine
    n_missed = machine.n_missed
    made = SOUNDING[name](thread, given)
    if key is not None and type(made) is Played and machine.n_missed == n_missed:
        voice[key] = made
    return made


@_sounding("synth")
def _synth(thread: VirtualThread, given: list[Value]) -> Played | Value:
    """What `synth` plays; a handle of nothing for a rest, none if its name is not known."""
    name = thread.synth if not given or given[0] is None else str(given[0])
    if given and given[0] is UNKNOWN:
        thread.machine.miss("synth", "unknown name")
        return None
    return _synthesised(thread, name, options_of(given[1:]))


def _synthesised(
    thread: VirtualThread, name: str, given: dict[str, Value]
) -> Played | NodeHandle | None:
    if thread.synth_defaults is None:
        raise RubyError("synth defaults were set for a block before there were any")
    options = {**thread.synth_defaults, **given}
    if ("note" in options and is_rest(options["note"])) or not _is_on(options):
        return NodeHandle((), name, {})
    name = _ALIASES.get(name, name)
    if not thread.machine.instruments.has_synth(name):
        raise RubyError(f"there is no synth {name}")
    notes = options.pop("notes", None) or options.get("note", 52)
    if is_list(notes) and len(as_list(notes)) != 1:
        options.pop("note", None)
        sounds = _chord(thread, name, as_list(notes), options)
    else:
        note = _sounding_note(thread, notes, options)
        if not is_number(note):
            if note is UNKNOWN:
                thread.machine.miss("play", "unknown note")
            return NodeHandle((), name, {})
        options["note"] = note
        sounds = [_placed(thread, _completed(thread, name, options))]
    return Played("synth", name, name, sounds, thread.synth_defaults)


def _is_on(options: dict[str, Value]) -> bool:
    return "on" not in options or (is_truthy(options["on"]) and options["on"] != 0)


def _chord(
    thread: VirtualThread, name: str, notes: list[Value], options: dict[str, Value]
) -> list[dict[str, float]]:
    """Arguments of each note of a chord."""
    made = _numbers(thread, name, options)
    made["amp"] = made.get("amp", 1.0) / max(1, len(notes))
    sounds: list[dict[str, float]] = []
    for value in notes:
        note = _sounding_note(thread, value, options)
        if is_number(note):
            sounds.append(_placed(thread, _completed(thread, name, {**made, "note": note})))
        elif note is UNKNOWN:
            thread.machine.miss("play", "unknown note")
    return sounds


@_sounding("play")
def _play(thread: VirtualThread, given: list[Value]) -> Played | Value:
    if not given:
        raise RubyError("play needs a note")
    if len(given) == 1 and isinstance(given[0], dict):
        return _synthesised(thread, thread.synth, given[0])
    return _synthesised(thread, thread.synth, options_of([{"note": given[0]}, *given[1:]]))


@_sounding("play_chord", takes_block=False)
def _play_chord(thread: VirtualThread, given: list[Value]) -> Played | Value:
    options = {**(thread.synth_defaults or {}), **options_of(given[1:])}
    if not _is_on(options):
        return None
    name = thread.synth
    sounds = _chord(thread, name, as_list(given[0]), options)
    return Played("synth", name, name, sounds, thread.synth_defaults)


@waiting_function("play_pattern_timed")
def _play_pattern_timed(thread: VirtualThread, given: list[Value], _block: Block | None) -> Steps:
    times = Ring(as_list(given[1]))
    last = given[-1] if isinstance(given[-1], dict) else {}
    for index, note in enumerate(as_list(given[0])):
        beats = times.at(index)
        if not is_number(beats):
            raise RubyError(f"a time must be a number, got {inspect(beats)}")
        _played(thread, "play", [note, {**last, "duration": beats}])
        yield from thread.sleep(beats)
    return None


@waiting_function("play_pattern")
def _play_pattern(thread: VirtualThread, given: list[Value], block: Block | None) -> Steps:
    return (yield from _play_pattern_timed(thread, [given[0], 1, *given[1:]], block))


@_sounding("sample")
def _sample(thread: VirtualThread, given: list[Value]) -> Played | Value:
    machine = thread.machine
    filters, options = split_sample(given)
    options = {**(thread.sample_defaults or {}), **options}
    name = find_sample(thread, filters)
    if name is None:
        return NodeHandle((), "", {})
    is_new = name not in machine.loaded
    if is_new:  # Sonic Pi loads and plays it in a thread of its own
        machine.loaded.add(name)
        thread.child(None)
    if not _is_on(options):
        return NodeHandle((), name, {})
    try:
        return _found_sample(thread, name, options)
    except RubyError as error:
        if not is_new:
            raise
        machine.errors.append(str(error))
        return NodeHandle((), name, {})


def _found_sample(thread: VirtualThread, name: str, options: dict[str, Value]) -> Played:
    is_simple = SAMPLER_ARGUMENTS.issuperset(options)
    channels = "mono" if thread.machine.instruments.samples[name].channels == 1 else "stereo"
    player = f"{'basic_' if is_simple else ''}{channels}_player"
    options.pop("on", None)
    made = _sampled(thread, name, player, options)
    return Played("sample", player, name, [_placed(thread, made)], thread.sample_defaults)


def _sampled(
    thread: VirtualThread, name: str, player: str, options: dict[str, Value]
) -> dict[str, float]:
    options = sample_arguments(thread, name, options)
    defaults = thread.machine.instruments.defaults.get(player, {})
    numbers = _numbers(thread, player, options)
    if thread.checks_arguments:
        check_arguments(player, numbers, defaults, is_sample=True)
    made = {**defaults, **numbers}
    for key in numbers:
        if key.endswith("_slide") and thread.scales_times:
            made[key] *= thread.beat_seconds
    return made


@waiting_function("with_fx")
def _with_fx(thread: VirtualThread, given: list[Value], block: Block | None) -> Steps:
    if block is None or not given:
        raise RubyError("with_fx needs the name of an effect and a block")
    options = options_of(given[1:])
    name = f"fx_{given[0]}"
    count = options.get("reps", 1)
    reps = int(count) if is_number(count) else 1
    bus = thread.bus
    handle = NodeHandle((), name, {})
    if given[0] is UNKNOWN:
        thread.machine.miss("with_fx", "unknown name")
    elif given[0] not in ("none", "record") and _is_on(options):
        if name not in thread.machine.instruments.defaults:
            raise RubyError(f"there is no effect {given[0]}")
        made = _complete(thread, name, _numbers(thread, name, options))
        handle = start(thread, Played("fx", name, str(given[0]), [_placed(thread, made)]))
        thread.bus = thread.machine.new_bus()
        made["in_bus"] = thread.bus
    value = None
    for _ in range(reps):
        value = yield from block.steps(thread, [handle] if block.parameters else ())
    thread.bus = bus
    return value


@function("control")
def _control(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    handle = thread.last_node
    if given and isinstance(given[0], NodeHandle):
        handle, given = given[0], given[1:]
    elif given and given[0] is UNKNOWN:
        return None
    options = options_of(given)
    if handle is None or not _is_on(options):
        return None
    options.pop("on", None)
    notes = options.pop("notes", options.pop("note", None))
    made = _numbers(thread, handle.name, options)
    if thread.scales_times:
        for key in made:
            if key in SCALED or key.endswith("_slide"):
                made[key] *= thread.beat_seconds
    if thread.checks_arguments:
        check_arguments(handle.name, made, handle.arguments)
    pitches = Ring([_sounding_note(thread, note, options) for note in as_list(notes)])
    label = handle.name.removeprefix("fx_")
    for index, node in enumerate(handle.nodes):
        changed = dict(made)
        if is_number(pitches.at(index)):
            changed["note"] = pitches.at(index)
        count = thread.changes.get(node, 0) + 1
        thread.changes[node] = count
        time = thread.time + CONTROL_DELTA * count
        thread.machine.add(Event(time, "control", label, changed, node))
    return handle


@method("node", "control")
def _control_node(
    thread: VirtualThread, owner: Value, given: list[Value], block: Block | None
) -> Value:
    return _control(thread, [owner, *given], block)


@function("kill")
def _kill(_thread: VirtualThread, _given: list[Value], _block: Block | None) -> Value:
    return None


@method("node", "kill", "destroy")
def _kill_node(
    _thread: VirtualThread, _owner: Value, _given: list[Value], _block: Block | None
) -> Value:
    return None
