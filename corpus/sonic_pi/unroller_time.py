"""Time, threads and shared state: sleep, loops, cues, tempo, warps of time."""

from collections.abc import Sequence
from typing import Final

from corpus.sonic_pi.unroller_blocks import Block, finish
from corpus.sonic_pi.unroller_compiler import constant
from corpus.sonic_pi.unroller_language import count_tick
from corpus.sonic_pi.unroller_registry import function, waiting_function
from corpus.sonic_pi.unroller_threads import Cue, Steps, VirtualThread
from corpus.sonic_pi.unroller_values import (
    UNKNOWN,
    RubyError,
    Value,
    as_list,
    inspect,
    is_number,
    is_truthy,
    options_of,
    whole,
)

__all__ = ["beats_of"]


def beats_of(thread: VirtualThread, given: list[Value]) -> float:
    """How long `sleep` is to wait, in beats.

    Raises:
        RubyError: it is given no number.
    """
    beats: Value = given[0] if given else None
    if beats is UNKNOWN:
        thread.machine.miss("sleep", "unknown time")
        return 1.0
    if not is_number(beats) or beats != beats:
        raise RubyError(f"sleep needs a number of beats, got {inspect(beats)}")
    return beats  # type: ignore[no-any-return]


@waiting_function("sleep")
def _sleep(thread: VirtualThread, given: list[Value], _block: Block | None) -> Steps:
    if thread.passes(beats_of(thread, given)):
        yield
    return None


@waiting_function("wait")
def _wait(thread: VirtualThread, given: list[Value], block: Block | None) -> Steps:
    if given and isinstance(given[0], str):
        return (yield from _sync(thread, given, block))
    return (yield from _sleep(thread, given, block))


@waiting_function("sync", "sync_event")
def _sync(thread: VirtualThread, given: list[Value], _block: Block | None) -> Steps:
    if not given or not isinstance(given[0], str):
        raise RubyError("sync needs the name of a cue")
    cue = yield from thread.sync(cue_key(given[0]))
    if cue is not None and is_truthy(options_of(given[1:]).get("bpm_sync", False)):
        thread.beat_seconds = cue.beat_seconds
    return cue.value if isinstance(cue, Cue) else None


@waiting_function("sync_bpm")
def _sync_bpm(thread: VirtualThread, given: list[Value], block: Block | None) -> Steps:
    return (yield from _sync(thread, [*given, {"bpm_sync": True}], block))


def cue_key(name: str) -> str:
    """The name under which a cue, a value or a loop's round is known."""
    for prefix in ("/cue/", "/set/", "/live_loop/"):
        name = name.removeprefix(prefix)
    return name


@function("cue")
def _cue(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    if not given:
        raise RubyError("cue needs a name")
    values = given[1:]
    value = values[0] if len(values) == 1 and isinstance(values[0], dict) else values
    thread.cue(cue_key(str(given[0])), value)
    return value


@function("set")
def _set(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    value = given[1] if len(given) > 1 else None
    thread.cue(cue_key(str(given[0])), value)
    return value


@function("get", "get_event", "live_state")
def _get(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    if not given:
        return _LOOKUP
    thread.machine.settle(thread.time)
    cue = thread.machine.last_cue(cue_key(str(given[0])), thread.moment())
    if cue is not None:
        return cue.value
    return given[1] if len(given) > 1 and not isinstance(given[1], dict) else None


class _Lookup(Block):
    """`get[:name]`."""

    def call(
        self, thread: VirtualThread, values: Sequence[Value] = (), given: Block | None = None
    ) -> Value:
        """The last value under a name."""
        return _get(thread, list(values), given)


_LOOKUP: Final = _Lookup((), constant(None), None)


@function("in_thread")
def _in_thread(thread: VirtualThread, given: list[Value], block: Block | None) -> Value:
    options = options_of(given)
    if block is None:
        raise RubyError("in_thread must be called with a block")
    made = block
    name = options.get("name")
    seed = options.get("seed")

    def body(child: VirtualThread) -> Steps:
        yield from _delayed(child, options)
        return (yield from made.steps(child))

    thread.machine.spawn(
        thread, body, None if name is None else str(name), seed if is_number(seed) else None
    )
    return None


def _delayed(thread: VirtualThread, options: dict[str, Value]) -> Steps:
    if is_number(options.get("delay")):
        yield from thread.sleep(options["delay"])
    if options.get("sync_bpm"):
        yield from _sync_bpm(thread, [options["sync_bpm"]], None)
    elif options.get("sync"):
        yield from _sync(thread, [options["sync"]], None)
    return None


@function("live_loop")
def _live_loop(thread: VirtualThread, given: list[Value], block: Block | None) -> Value:
    if not given or not isinstance(given[0], str) or block is None:
        raise RubyError("live_loop needs a name and a block")
    name, options = str(given[0]), options_of(given[1:])
    key = f"live_loop_{name}"
    machine = thread.machine
    machine.functions[key] = block
    auto_cue = is_truthy(options.get("auto_cue", True))

    def body(child: VirtualThread) -> Steps:
        yield from _delayed(child, options)
        if is_number(options.get("seed")):
            child.spawn_index = 0
            child.chance.seed, child.chance.index = options["seed"], 0
        value = options.get("init", 0)
        functions, cues = machine.functions, auto_cue and machine.listens
        while True:
            before, child.synced = child.time, False
            if cues:
                child.cue(name, [], priority=-100)
            current = functions[key]
            value = yield from current.steps(child, (value,) if current.parameters else ())
            if child.time <= before:
                _check_round(child, before)

    machine.spawn(thread, body, key)
    return None


@waiting_function("loop")
def _loop(thread: VirtualThread, _given: list[Value], block: Block | None) -> Steps:
    if block is None:
        raise RubyError("loop must be called with a block")
    while True:
        before, thread.synced = thread.time, False
        yield from block.steps(thread)
        _check_round(thread, before)


def _check_round(thread: VirtualThread, before: float) -> None:
    if thread.time <= before and not thread.synced:
        raise RubyError("a loop must sleep or sync in every round")


@function("at")
def _at(thread: VirtualThread, given: list[Value], block: Block | None) -> Value:
    for beats, values in _times_and_values(given, block):

        def body(child: VirtualThread, beats: Value = beats, values: list[Value] = values) -> Steps:
            yield from child.sleep(beats)
            if block is not None:
                yield from block.steps(child, values)
            return None

        thread.machine.spawn(thread, body)
    return None


def _times_and_values(given: list[Value], block: Block | None) -> list[tuple[float, list[Value]]]:
    """The times of `at` and `time_warp` with what each passes to its block."""
    times = as_list(given[0]) if given else [0]
    has_values = len(given) > 1 and given[1] is not None
    values = as_list(given[1]) if has_values else times
    made: list[tuple[float, list[Value]]] = []
    for index, beats in enumerate(times):
        if not is_number(beats):
            raise RubyError(f"a time must be a number, got {inspect(beats)}")
        value = values[index % len(values)] if values else None
        arity = 0 if block is None else block.arity
        passed = [[], [value], [beats, value if has_values else index], [beats, value, index]]
        made.append((beats, passed[min(arity, 3)]))
    return made


@waiting_function("time_warp")
def _time_warp(thread: VirtualThread, given: list[Value], block: Block | None) -> Steps:
    if block is None:
        raise RubyError("time_warp must be called with a block")
    time, beat = thread.time, thread.beat
    scale = thread.beat_seconds * thread.density
    thread.warp_depth += 1
    for beats, values in _times_and_values(given, block):
        thread.time, thread.beat = time + beats * scale, beat + beats
        finish(block.steps(thread, values))
    thread.warp_depth -= 1
    thread.time, thread.beat = time, beat
    return None
    yield  # other threads do not run inside a warp


@waiting_function("with_swing")
def _with_swing(thread: VirtualThread, given: list[Value], block: Block | None) -> Steps:
    numbers = [value for value in given if is_number(value)]
    options = options_of([value for value in given if isinstance(value, dict)])
    shift = numbers[0] if numbers else options.get("shift", 0.1)
    pulse = numbers[1] if len(numbers) > 1 else options.get("pulse", 4)
    key = str(options.get("tick", "swing"))
    if (count_tick(thread, key) + options.get("offset", 0)) % pulse == 0:
        return (yield from _time_warp(thread, [shift], block))
    return (yield from block.steps(thread)) if block is not None else None


@waiting_function("density")
def _density(thread: VirtualThread, given: list[Value], block: Block | None) -> Steps:
    factor = given[0] if given else 1
    if not is_number(factor) or factor <= 0 or block is None:
        raise RubyError("density needs a number above 0 and a block")
    before, seconds = thread.density, thread.beat_seconds
    thread.density = before * factor
    thread.beat_seconds = seconds / factor
    is_whole = isinstance(factor, int)
    for index in range(whole(1 if factor < 1 else factor)):
        passed: list[Value] = [index if is_whole else float(index)] if block.arity else []
        yield from block.steps(thread, passed)
    thread.density, thread.beat_seconds = before, seconds
    return None


@function("use_bpm")
def _use_bpm(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    thread.beat_seconds = _seconds_of(given[0] if given else None)
    return None


def _seconds_of(tempo: Value) -> float:
    if not is_number(tempo) or tempo <= 0:
        raise RubyError(f"a tempo must be a number above 0, got {inspect(tempo)}")
    return 60.0 / float(tempo)


@function("use_bpm_mul")
def _use_bpm_mul(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    thread.beat_seconds /= given[0]
    return None


@waiting_function("with_bpm", "with_tempo")
def _with_bpm(thread: VirtualThread, given: list[Value], block: Block | None) -> Steps:
    before, thread.beat_seconds = thread.beat_seconds, _seconds_of(given[0] if given else None)
    value = (yield from block.steps(thread)) if block is not None else None
    thread.beat_seconds = before
    return value


@waiting_function("with_bpm_mul")
def _with_bpm_mul(thread: VirtualThread, given: list[Value], block: Block | None) -> Steps:
    before = thread.beat_seconds
    thread.beat_seconds = before / given[0]
    value = (yield from block.steps(thread)) if block is not None else None
    thread.beat_seconds = before
    return value


@function("current_bpm")
def _current_bpm(thread: VirtualThread, _given: list[Value], _block: Block | None) -> Value:
    return 60.0 / thread.beat_seconds


@function("beat", "current_beat")
def _beat(thread: VirtualThread, _given: list[Value], _block: Block | None) -> Value:
    return thread.beat


@function("current_beat_duration")
def _beat_duration(thread: VirtualThread, _given: list[Value], _block: Block | None) -> Value:
    return thread.beat_seconds


@function("rt")
def _rt(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return given[0] / thread.beat_seconds


@function("bt")
def _bt(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    return given[0] * thread.beat_seconds


@function("vt", "current_time")
def _vt(thread: VirtualThread, _given: list[Value], _block: Block | None) -> Value:
    return thread.time
