"""Settings of a thread: synth, transposition, defaults, tuning; for good or for a block."""

from corpus.sonic_pi.unroller_blocks import Block
from corpus.sonic_pi.unroller_registry import function, waiting_function
from corpus.sonic_pi.unroller_threads import NOTHING_SET, Steps, VirtualThread
from corpus.sonic_pi.unroller_values import (
    UNKNOWN,
    Ring,
    RubyError,
    Symbol,
    Value,
    is_number,
    options_of,
)

__all__: list[str] = []


def _setting(name: str, attribute: str, default: Value) -> None:
    """Registers `use_NAME`, `with_NAME` and `current_NAME`."""

    def read(given: list[Value]) -> Value:
        value = given[0] if given else default
        if value is UNKNOWN or (is_number(default) and not is_number(value)):
            return default
        return str(value) if isinstance(default, str) else value

    @function(f"use_{name}")
    def _use(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
        setattr(thread, attribute, read(given))
        return None

    @waiting_function(f"with_{name}")
    def _with(thread: VirtualThread, given: list[Value], block: Block | None) -> Steps:
        before = getattr(thread, attribute)
        setattr(thread, attribute, read(given))
        value = (yield from block.steps(thread)) if block is not None else None
        setattr(thread, attribute, before)
        return value

    @function(f"current_{name}")
    def _current(thread: VirtualThread, _given: list[Value], _block: Block | None) -> Value:
        value = getattr(thread, attribute)
        return Symbol(value) if isinstance(value, str) else value


_setting("synth", "synth", "beep")
_setting("transpose", "transpose", 0)
_setting("octave", "octave", 0)
_setting("cent_tuning", "cents", 0)
_setting("arg_bpm_scaling", "scales_times", default=True)
_setting("arg_checks", "checks_arguments", default=False)


def _defaults(name: str, attribute: str) -> None:
    """Registers the functions for defaults, replacing and merging."""

    def use(merges: bool) -> None:
        word = f"merged_{name}" if merges else name

        def made(thread: VirtualThread, given: list[Value]) -> dict[str, Value]:
            if merges and getattr(thread, attribute):  # so does Sonic Pi 3.2
                raise RubyError(f"{name} cannot be merged into others that are set")
            return options_of(given)

        @function(f"use_{word}")
        def _use(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
            setattr(thread, attribute, made(thread, given))
            return None

        @waiting_function(f"with_{word}")
        def _with(thread: VirtualThread, given: list[Value], block: Block | None) -> Steps:
            before = getattr(thread, attribute)
            setattr(thread, attribute, made(thread, given))
            value = (yield from block.steps(thread)) if block is not None else None
            setattr(thread, attribute, None if before is NOTHING_SET else before)
            return value

    use(merges=False)
    use(merges=True)

    @function(f"current_{name}")
    def _current(thread: VirtualThread, _given: list[Value], _block: Block | None) -> Value:
        return dict(getattr(thread, attribute) or {})


_defaults("synth_defaults", "synth_defaults")
_defaults("sample_defaults", "sample_defaults")


@function("use_tuning")
def _use_tuning(thread: VirtualThread, given: list[Value], _block: Block | None) -> Value:
    thread.tuning = (str(given[0]), given[1] if len(given) > 1 else Symbol("c"))
    return None


@waiting_function("with_tuning")
def _with_tuning(thread: VirtualThread, given: list[Value], block: Block | None) -> Steps:
    before = thread.tuning
    _use_tuning(thread, given, None)
    value = (yield from block.steps(thread)) if block is not None else None
    thread.tuning = before
    return value


@function("current_volume")
def _current_volume(_thread: VirtualThread, _given: list[Value], _block: Block | None) -> Value:
    return 1


@function("synth_names")
def _synth_names(thread: VirtualThread, _given: list[Value], _block: Block | None) -> Value:
    known = thread.machine.instruments
    return Ring([Symbol(name) for name in known.defaults if known.has_synth(name)])


@function("fx_names")
def _fx_names(thread: VirtualThread, _given: list[Value], _block: Block | None) -> Value:
    names = thread.machine.instruments.defaults
    return Ring([Symbol(name[3:]) for name in names if name.startswith("fx_")])
