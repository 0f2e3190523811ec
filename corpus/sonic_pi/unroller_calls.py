"""Calls of functions and methods, blocks, lambdas and definitions."""

from collections.abc import Callable

from corpus.sonic_pi.syntax import Node
from corpus.sonic_pi.unroller_blocks import Code, Scope, finish
from corpus.sonic_pi.unroller_compiler import Compiler, handles
from corpus.sonic_pi.unroller_definitions import Evaluate, Make, arguments_of, given_block
from corpus.sonic_pi.unroller_dispatch import call_function, call_method
from corpus.sonic_pi.unroller_registry import (
    FUNCTIONS,
    METHODS,
    WAITING_FUNCTIONS,
    kind_of,
)
from corpus.sonic_pi.unroller_threads import MISUSED, Steps, VirtualThread
from corpus.sonic_pi.unroller_values import (
    UNKNOWN,
    BlockBreak,
    Value,
    is_number,
)

__all__: list[str] = []


@handles("identifier")
def _identifier(compiler: Compiler, node: Node) -> Code:
    name = node.text
    if name not in compiler.variables:
        return _function_call(compiler, name, _no_values, None, None)
    called = _function_call(compiler, name, _no_values, None, None).run

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


def _no_values(_scope: Scope, _thread: VirtualThread) -> list[Value]:
    return []


@handles("call")
def _call(compiler: Compiler, node: Node) -> Code:
    name_node = node.fields.get("method")
    name = "call" if name_node is None else name_node.text
    arguments = node.fields.get("arguments")
    values, waits = arguments_of(compiler, arguments.children if arguments is not None else [])
    make = given_block(compiler, node, arguments)
    block_waits = make is not None and make[1]
    owner_node = node.fields.get("receiver")
    if owner_node is None:
        if name in ("lambda", "proc") and make is not None:
            made = make[0]
            return Code(lambda scope, thread: made(scope, thread))
        if name == "block_given?":
            return Code(lambda scope, _thread: scope.given is not None)
        return _function_call(compiler, name, values, waits, make)
    if owner_node.kind == "constant" and owner_node.text in ("Math", "Proc", "Array", "Random"):
        if owner_node.text == "Proc" and make is not None:
            made = make[0]
            return Code(lambda scope, thread: made(scope, thread))
        return _function_call(compiler, f"{owner_node.text}.{name}", values, waits, make)
    owner = compiler.compile(owner_node)
    if name in ("call", "yield") or name_node is None:
        block_waits = True
    return _method_call(owner, name, node, (values, waits), make, block_waits)


def _method_call(
    owner: Code,
    name: str,
    node: Node,
    given: "tuple[Evaluate, Callable[[Scope, VirtualThread], Steps] | None]",
    make: "tuple[Make, bool] | None",
    block_waits: bool,
) -> Code:
    values, values_steps = given
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
    values: Evaluate,
    values_steps: "Callable[[Scope, VirtualThread], Steps] | None",
    make: "tuple[Make, bool] | None",
) -> Code:
    make_block = None if make is None else make[0]
    block_waits = make is not None and make[1] and name not in FUNCTIONS
    plain = None if name in compiler.functions else FUNCTIONS.get(name)
    if plain is not None and values_steps is None:
        function = plain

        def run(scope: Scope, thread: VirtualThread) -> Value:
            block = None if make_block is None else make_block(scope, thread)
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

    def steps(scope: Scope, thread: VirtualThread) -> Steps:
        if values_steps is None:
            arguments = values(scope, thread)
        else:
            arguments = yield from values_steps(scope, thread)
        block = None if make_block is None else make_block(scope, thread)
        return (yield from call_function(thread, name, arguments, block))

    if name == "sleep" and values_steps is None and name not in compiler.functions:
        return Code(None, _sleeping(values))
    if compiler.waits(name) or block_waits or values_steps is not None:
        return Code(None, steps)
    return Code(Code(None, steps).run)


def _sleeping(values: Evaluate) -> "Callable[[Scope, VirtualThread], Steps]":
    """`sleep` for a known number of beats, which is most of what programs wait for, at once."""

    def steps(scope: Scope, thread: VirtualThread) -> Steps:
        arguments = values(scope, thread)
        if len(arguments) == 1 and is_number(beats := arguments[0]) and beats == beats:
            if thread.passes(beats):
                yield
            return None
        return (yield from call_function(thread, "sleep", arguments, None))

    return steps
