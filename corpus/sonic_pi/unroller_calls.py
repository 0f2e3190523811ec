"""Calls of functions and methods, blocks, lambdas and definitions."""

from typing import Final

from corpus.sonic_pi.syntax import Node
from corpus.sonic_pi.unroller_blocks import Code, Scope, finish, is_fixed, once
from corpus.sonic_pi.unroller_compiler import Compiler, handles
from corpus.sonic_pi.unroller_definitions import (
    Arguments,
    Make,
    arguments_of,
    given_block,
)
from corpus.sonic_pi.unroller_dispatch import call_function, call_method
from corpus.sonic_pi.unroller_language import look, tick
from corpus.sonic_pi.unroller_played import UNCHANGING, Played, sounded
from corpus.sonic_pi.unroller_registry import (
    FUNCTIONS,
    METHODS,
    PURE_FUNCTIONS,
    PURE_METHODS,
    WAITING_FUNCTIONS,
    Function,
    kind_of,
)
from corpus.sonic_pi.unroller_sound import SOUNDING, worked_out
from corpus.sonic_pi.unroller_threads import MISUSED, Steps, VirtualThread
from corpus.sonic_pi.unroller_time import beats_of
from corpus.sonic_pi.unroller_values import (
    UNKNOWN,
    BlockBreak,
    Ring,
    Symbol,
    Value,
    is_number,
)
from corpus.sonic_pi.unroller_variants import are_numbers, can_be_varied, places_of, variant

__all__: list[str] = []


@handles("identifier")
def _identifier(compiler: Compiler, node: Node) -> Code:
    name = node.text
    if name not in compiler.variables:
        return _function_call(compiler, name, _NOTHING, None)
    called = _function_call(compiler, name, _NOTHING, None).run

    def run(scope: Scope, thread: VirtualThread) -> Value:
        place: Scope | None = scope
        while place is not None:
            if name in place.variables:
                return place.variables[name]
            place = place.parent
        machine = thread.machine
        if name in machine.functions or name in FUNCTIONS or name in WAITING_FUNCTIONS:
            return called(scope, thread)
        return None

    return Code(run)


_NOTHING: Final = Arguments([], [])


@handles("call")
def _call(compiler: Compiler, node: Node) -> Code:
    name_node = node.fields.get("method")
    name = "call" if name_node is None else name_node.text
    arguments = node.fields.get("arguments")
    given = arguments_of(compiler, arguments.children if arguments is not None else [])
    make = given_block(compiler, node, arguments)
    block_waits = make is not None and make[1]
    owner_node = node.fields.get("receiver")
    if owner_node is None:
        if name in ("lambda", "proc") and make is not None:
            made = make[0]
            return Code(lambda scope, thread: made(scope, thread))
        if name == "block_given?":
            return Code(lambda scope, _thread: scope.given is not None)
        return _function_call(compiler, name, given, make)
    if owner_node.kind == "constant" and owner_node.text in ("Math", "Proc", "Array", "Random"):
        if owner_node.text == "Proc" and make is not None:
            made = make[0]
            return Code(lambda scope, thread: made(scope, thread))
        return _function_call(compiler, f"{owner_node.text}.{name}", given, make)
    owner = compiler.compile(owner_node)
    if name in ("call", "yield") or name_node is None:
        block_waits = True
    if not given.codes and make is None and name in _COUNTERS and owner.steps is None:
        return _counted(owner, name)
    called = _method_call(owner, name, node, given, make, block_waits)
    is_pure = owner.is_pure and given.are_pure and make is None and name in PURE_METHODS
    return once(called.run) if is_pure and called.steps is None else called


_WORDS: Final = frozenset({int, Symbol})
"""What programs name things with; equal ones of these mean the same."""
_COUNTERS: Final = {"tick": tick, "look": look}


def _counted(owner: Code, name: str) -> Code:
    """`tick` or `look` of a list, by the thread's own counter."""
    owner_run, count = owner.run, _COUNTERS[name]

    def run(scope: Scope, thread: VirtualThread) -> Value:
        held = owner_run(scope, thread)
        if type(held) is Ring:
            return held.at(count(thread, []))
        return finish(call_method(thread, held, name, [], None))

    return Code(run)


def _method_call(
    owner: Code,
    name: str,
    node: Node,
    given: Arguments,
    make: "tuple[Make, bool] | None",
    block_waits: bool,
) -> Code:
    values, values_steps = given.values(), given.steps()
    owner_run, owner_steps = owner.run, owner.steps
    operator = node.fields.get("operator")
    is_safe = operator is not None and operator.text == "&."
    make_block = None if make is None else make[0]
    any_methods = METHODS["any"]

    def run(scope: Scope, thread: VirtualThread) -> Value:
        held = owner_run(scope, thread)
        if held is None and is_safe:
            return None
        arguments = values(scope, thread)
        if make_block is None and held is not UNKNOWN:
            plain = METHODS[kind_of(held)].get(name) or any_methods.get(name)
            if plain is not None:
                try:
                    return plain(thread, held, arguments, None)
                except MISUSED:
                    thread.machine.miss(f".{name}", "arguments")
                    return UNKNOWN
        block = None if make_block is None else make_block(scope, thread)
        return finish(call_method(thread, held, name, arguments, block))

    if not block_waits and values_steps is None and owner_steps is None:
        return Code(run)

    def steps(scope: Scope, thread: VirtualThread) -> Steps:
        if owner_steps is None:
            held = owner_run(scope, thread)
        else:
            held = yield from owner_steps(scope, thread)
        if held is None and is_safe:
            return None
        if values_steps is None:
            arguments = values(scope, thread)
        else:
            arguments = yield from values_steps(scope, thread)
        block = None if make_block is None else make_block(scope, thread)
        return (yield from call_method(thread, held, name, arguments, block))

    return Code(None, steps)


def _function_call(
    compiler: Compiler,
    name: str,
    given: Arguments,
    make: "tuple[Make, bool] | None",
) -> Code:
    values_steps = given.steps()
    make_block = None if make is None else make[0]
    block_waits = make is not None and make[1] and name not in FUNCTIONS
    plain = None if name in compiler.functions else FUNCTIONS.get(name)
    if plain is not None and values_steps is None:
        if make_block is not None:
            return _call_with_block(name, plain, given, make_block)
        if name in SOUNDING:
            return _sounding_call(name, given)
        if name not in PURE_FUNCTIONS:
            return _plain_call(name, plain, given)
        if given.are_pure:
            return once(_plain_call(name, plain, given).run)
        return _plain_call(name, plain, given, answers={})
    if name == "sleep" and values_steps is None and name not in compiler.functions:
        return _sleep(given)
    values = given.values()

    def steps(scope: Scope, thread: VirtualThread) -> Steps:
        if values_steps is None:
            arguments = values(scope, thread)
        else:
            arguments = yield from values_steps(scope, thread)
        block = None if make_block is None else make_block(scope, thread)
        return (yield from call_function(thread, name, arguments, block))

    if compiler.waits(name) or block_waits or values_steps is not None:
        return Code(None, steps)
    return Code(Code(None, steps).run)


def _call_with_block(name: str, function: Function, given: Arguments, make: Make) -> Code:
    values = given.values()

    def run(scope: Scope, thread: VirtualThread) -> Value:
        block = make(scope, thread)
        try:
            return function(thread, values(scope, thread), block)
        except BlockBreak as signal:
            if block is None or signal.block is not block:
                raise
            return signal.value
        except MISUSED:
            thread.machine.miss(name, "arguments")
            return UNKNOWN

    return Code(run)


def _sounding_call(name: str, given: Arguments) -> Code:
    """A call that plays: with equal arguments in an equal state it comes to the same again."""
    each, collect, constants = given.each(), given.collect, given.constants
    is_fixed = constants is not None and UNCHANGING.issuperset(map(type, constants))
    places = places_of(name, given)

    def run(scope: Scope, thread: VirtualThread) -> Value:
        try:
            voice = thread.voice
            if voice is None:
                voice = thread.find_voice()
            asked: list[Value] = []
            key: object | None = given
            if not is_fixed:
                asked = each(scope, thread)
                is_known = UNCHANGING.issuperset(map(type, asked))
                key = (given, *asked) if is_known else None
            made = voice.get(key)
            if made is None:
                stem = None
                if places and key is not None and are_numbers(places, asked):
                    stem = given, None if name == "play" else asked[0]
                    made = voice.get(stem)
                if made is not None and places is not None:
                    voice[key] = made = variant(thread, made, places, asked)
                else:
                    passed = collect(asked if constants is None else constants)
                    fresh = worked_out(thread, name, passed, voice, key)
                    if type(fresh) is not Played:
                        thread.spend()
                        return fresh
                    made = fresh
                    if stem is not None and key in voice and can_be_varied(thread, made):
                        voice[stem] = made
            return sounded(thread, made)
        except MISUSED:
            thread.machine.miss(name, "arguments")
            return UNKNOWN

    return Code(run)


def _plain_call(
    name: str,
    function: Function,
    given: Arguments,
    answers: "dict[tuple[Value, ...], Value] | None" = None,
) -> Code:
    """A call without a block; `answers` keeps what it gives if that depends on `given` alone."""
    values = given.values()

    def run(scope: Scope, thread: VirtualThread) -> Value:
        try:
            passed = values(scope, thread)
            if answers is None or not _WORDS.issuperset(map(type, passed)):
                return function(thread, passed, None)
            asked = tuple(passed)
            if asked not in answers:
                made = function(thread, passed, None)
                if not is_fixed(made):
                    return made
                answers[asked] = made
            return answers[asked]
        except MISUSED:
            thread.machine.miss(name, "arguments")
            return UNKNOWN

    return Code(run)


def _sleep(given: Arguments) -> Code:
    """`sleep`, which is most of what programs wait for: a plain function says whether to."""
    values, constants = given.values(), given.constants
    if constants is not None and is_number(constants[0] if constants else None):
        beats = constants[0]

        def sleeps(_scope: Scope, thread: VirtualThread) -> bool:
            return thread.passes(beats)

    else:

        def sleeps(_scope: Scope, thread: VirtualThread) -> bool:
            return thread.passes(beats_of(thread, values(_scope, thread)))

    def steps(scope: Scope, thread: VirtualThread) -> Steps:
        if sleeps(scope, thread):
            yield
        return None

    return Code(None, steps, sleeps=sleeps)
