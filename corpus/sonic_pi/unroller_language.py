"""The language's own functions: definitions, counters, seeds, and what makes no sound."""

from corpus.sonic_pi.unroller_blocks import Block
from corpus.sonic_pi.unroller_compiler import constant
from corpus.sonic_pi.unroller_dispatch import call_function
from corpus.sonic_pi.unroller_registry import function, waiting_function
from corpus.sonic_pi.unroller_threads import Steps, VirtualThread
from corpus.sonic_pi.unroller_values import (
    UNKNOWN,
    Ring,
    RubyError,
    StopThread,
    Value,
    is_list,
    is_number,
    is_truthy,
    options_of,
    same,
    whole,
)

__all__: list[str] = []


@function("stop")
def _stop(_thread: VirtualThread, _given: list[Value], _block: Block | None) -> Value:
    raise StopThread


@function("define", "ndefine")
def _define(thread: VirtualThread, given: list[Value], block: Block | None) -> Value:
    if not given or block is None:
        raise RubyError("define needs a name and a block")
    block.is_function = True
    thread.machine.functions[str(given[0])] = block
    return given[0]


@waiting_function("defonce")
def _defonce(thread: VirtualThread, given: list[Value], block: Block | None) -> Steps:
    name = str(given[0])
    if block is not None and name not in thread.machine.functions:
        value = yield from block.steps(thread)
        thread.machine.functions[name] = Block((), constant(value), None, is_function=True)
    return None


@waiting_function("uncomment", "with_real_time", "with_debug", "with_cue_logging",
                   "with_timing_guarantees", "with_timing_warnings",
                  "with_sched_ahead_time", "with_osc", "with_osc_logging",
                  "with_midi_logging", "with_midi_defaults")  # fmt: skip
def _just_do(thread: VirtualThread, _given: list[Value], block: Block | None) -> Steps:
    return (yield from block.steps(thread)) if block is not None else None


@waiting_function("on")
def _on(thread: VirtualThread, given: list[Value], block: Block | None) -> Steps:
    if block is not None and given and is_truthy(given[0]) and given[0] != 0:
        return (yield from block.steps(thread))
    return None


@function("comment", "puts", "print", "p", "use_debug", "use_cue_logging",
          "use_timing_guarantees", "use_timing_warnings", "use_osc_logging", "use_midi_logging",
          "use_real_time", "use_sched_ahead_time", "set_sched_ahead_time!", "set_audio_latency!",
          "use_osc", "osc", "osc_send", "use_midi_defaults", "midi", "midi_note_on",
          "midi_note_off", "midi_cc", "midi_clock_beat", "midi_clock_tick", "midi_start",
          "midi_stop", "midi_all_notes_off", "midi_pitch_bend", "midi_pc", "require", "spark",
          "set_recording_bit_depth!", "recording_start", "recording_stop", "recording_save",
          "use_external_synths", "set_control_delta!", "load_synthdefs", "reset_mixer!",
          "set_mixer_control!", "set_volume!", "set_cent_tuning!", "sample_free",
          "sample_free_all", "clear", "reset", "start_amp_monitor", "assert", "assert_equal",
          "srand", "set_mixer_invert_stereo!", "set_mixer_standard_stereo!",
          "set_mixer_mono_mode!", "set_mixer_stereo_mode!")  # fmt: skip
def _silent(_thread: VirtualThread, _given: list[Value], _block: Block | None) -> Value:
    return None


@waiting_function("block_duration")
def _block_duration(thread: VirtualThread, _given: list[Value], block: Block | None) -> Steps:
    before = thread.time
    if block is not None:
        yield from block.steps(thread)
    return thread.time - before


@waiting_function("block_slept?")
def _block_slept(thread: VirtualThread, given: list[Value], block: Block | None) -> Steps:
    return (yield from _block_duration(thread, given, block)) > 0


@function("raise", "abort", "exit", "throw")
def _raise(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    raise RubyError(str(given[0]) if given else "the program raised an error")


@function("method", "lambda", "proc", "Proc.new")
def _as_block(thread: VirtualThread, given: list[Value], block: Block | None) -> Value:
    return block if block is not None else thread.machine.functions.get(str(given[0]), UNKNOWN)


@waiting_function("send", "public_send")
def _send(thread: VirtualThread, given: list[Value], block: Block | None) -> Steps:
    return (yield from call_function(thread, str(given[0]), given[1:], block))


def tick_of(given: list[Value]) -> tuple[str, dict[str, Value]]:
    """The counter and the options that a call of `tick` or `look` names."""
    name = str(given[0]) if given and isinstance(given[0], str) else ""
    return name, options_of([value for value in given if isinstance(value, dict)])


def count_tick(thread: VirtualThread, name: str, step: int = 1) -> int:
    """Advances a counter of a thread and gives its value."""
    upcoming = thread.ticks.get(name, (0, 0))[1]
    thread.ticks[name] = (upcoming + step - 1, upcoming + step)
    return upcoming + step - 1


@function("tick")
def tick(thread: VirtualThread, given: list[Value], _block: Block | None = None) -> Value:
    """`tick`: the next count."""
    if not given:
        return count_tick(thread, "")
    name, options = tick_of(given)
    return count_tick(thread, name, whole(options.get("step", 1))) + options.get("offset", 0)


@function("look")
def look(thread: VirtualThread, given: list[Value], _block: Block | None = None) -> Value:
    """`look`: the count where it is."""
    if not given:
        return thread.ticks.get("", (0, 0))[0]
    name, options = tick_of(given)
    return thread.ticks.get(name, (0, 0))[0] + options.get("offset", 0)


@function("tick_set")
def _tick_set(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    name = str(given[0]) if isinstance(given[0], str) else ""
    thread.ticks[name] = (whole(given[-1]), whole(given[-1]))
    return given[-1]


@function("tick_reset")
def _tick_reset(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    thread.ticks.pop(str(given[0]) if given else "", None)
    return None


@function("tick_reset_all")
def _tick_reset_all(thread: VirtualThread, _given: list[Value], _block: Block | None) -> Value:
    thread.ticks.clear()
    return None


@function("use_random_seed")
def _use_random_seed(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    thread.spawn_index = 0
    thread.chance.seed, thread.chance.index = _seed(given), 0
    return None


@waiting_function("with_random_seed")
def _with_random_seed(thread: VirtualThread, given: list[Value], block: Block | None) -> Steps:
    chance = thread.chance
    before = chance.seed, chance.index, thread.spawn_index
    chance.seed, chance.index, thread.spawn_index = _seed(given), 0, 0
    value = (yield from block.steps(thread)) if block is not None else None
    chance.seed, chance.index, thread.spawn_index = before
    return value


def _seed(given: list[Value]) -> float:
    if not given or not is_number(given[0]):
        raise RubyError("a random seed must be a number")
    return float(given[0]) if isinstance(given[0], float) else whole(given[0])


@function("factor?")
def _factor(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return given[1] != 0 and given[0] % given[1] == 0


@function("bools")
def _bools(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return Ring([is_truthy(value) and not same(value, 0) for value in given])


@function("is_list_like?")
def _is_list_like(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return is_list(given[0])


@function("inc")
def _inc(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return given[0] + 1


@function("dec")
def _dec(_thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return given[0] - 1
