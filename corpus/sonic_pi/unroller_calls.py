"""Calls of functions and methods, blocks, lambdas and definitions."""

from collections.abc import Callable
from typing import Final

from corpus.sonic_pi.syntax import Node
from corpus.sonic_pi.unroller_blocks import Block, Code, Parameter, Scope, SymbolBlock, finish
from corpus.sonic_pi.unroller_compiler import Compiler, constant, handles, holder
from corpus.sonic_pi.unroller_registry import (
    FUNCTIONS,
    METHODS,
    WAITING_FUNCTIONS,
    WAITING_METHODS,
    kind_of,
)
from corpus.sonic_pi.unroller_threads import Steps, VirtualThread
from corpus.sonic_pi.unroller_values import (
    UNKNOWN,
    BlockBreak,
    ProgramFailure,
    Ring,
    Span,
    Symbol,
    Value,
    as_list,
)

__all__ = ["call_function", "call_method"]

Make = Callable[[Scope, VirtualThread], Block | None]
Evaluate = Callable[[Scope, VirtualThread], list[Value]]

_MISUSED: Final = (TypeError, ValueError, IndexError, KeyError, AttributeError, ArithmeticError)
"""What a function of ours raises when it is given values that it does not expect."""
_WAITING_METHOD_NAMES: Final = frozenset({"call", "yield", "()"})


def call_function(
    thread: VirtualThread, name: str, values: list[Value], block: Block | None
) -> Steps:
    """Calls a function by name: the program's own, then the language's."""
    own = thread.machine.functions.get(name)
    try:
        if own is not None:
            return (yield from own.steps(thread, values, block))
        waiting = WAITING_FUNCTIONS.get(name)
        if waiting is not None:
            return (yield from waiting(thread, values, block))
        plain = FUNCTIONS.get(name)
        if plain is not None:
            return plain(thread, values, block)
    except BlockBreak as signal:
        if signal.block is not block or block is None:
            raise
        return signal.value
    except _MISUSED:
        thread.machine.miss(name, "arguments")
        return UNKNOWN
    thread.machine.miss(name, "function")
    if block is not None and name.startswith("with_"):
        return (yield from block.steps(thread))
    return UNKNOWN


def call_method(
    thread: VirtualThread, owner: Value, name: str, values: list[Value], block: Block | None
) -> Steps:
    """Calls a method of a value."""
    if owner is UNKNOWN:
        return UNKNOWN
    try:
        if block is not None or name in _WAITING_METHOD_NAMES:
            waiting = WAITING_METHODS.get(name)
            if waiting is not None:
                return (yield from waiting(thread, owner, values, block))
        plain = METHODS[kind_of(owner)].get(name) or METHODS["any"].get(name)
        if plain is not None:
            return plain(thread, owner, values, block)
        if owner is None:
            raise ProgramFailure(f"undefined method '{name}' for nil")
    except BlockBreak as signal:
        if signal.block is not block or block is None:
            raise
        return signal.value
    except _MISUSED:
        thread.machine.miss(f".{name}", "arguments")
        return UNKNOWN
    thread.machine.miss(f".{name}", f"method of {kind_of(owner)}")
    return UNKNOWN


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
    values, waits = _arguments(compiler, arguments.children if arguments is not None else [])
    make = _given_block(compiler, node, arguments)
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
                except _MISUSED:
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
            except _MISUSED:
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

    if compiler.waits(name) or block_waits or values_steps is not None:
        return Code(None, steps)
    return Code(Code(None, steps).run)


def _arguments(
    compiler: Compiler, nodes: list[Node]
) -> "tuple[Evaluate, Callable[[Scope, VirtualThread], Steps] | None]":
    """How arguments are evaluated: plainly and, if one of them may wait, by steps."""
    plain: list[tuple[str, Code]] = []
    pairs: list[tuple[Value, Code]] = []
    for node in nodes:
        if node.kind == "pair":
            key = node.fields["key"]
            if key.kind in ("hash_key_symbol", "simple_symbol"):
                value_node = node.fields.get("value")
                value = compiler.compile(value_node)
                if value_node is None:  # `note:` alone means `note: note`
                    value = _variable(key.text)
                pairs.append((Symbol(key.text.lstrip(":")), value))
            else:
                plain.append(("hash", compiler.compile(_hash_with(node))))
        elif node.kind == "hash_splat_argument":
            plain.append(("hash", compiler.compile(node.children[0])))
        elif node.kind == "splat_argument":
            plain.append(("splat", compiler.compile(node.children[0])))
        elif node.kind != "block_argument":
            plain.append(("one", compiler.compile(node)))
    pairs = _without_doubles(pairs)
    codes = [code for _, code in plain] + [code for _, code in pairs]
    kinds = [kind for kind, _ in plain]
    keys = [key for key, _ in pairs]

    def collect(values: list[Value]) -> list[Value]:
        made: list[Value] = []
        options: dict[Value, Value] = {}
        for kind, value in zip(kinds, values, strict=False):
            if kind == "one":
                made.append(value)
            elif kind == "splat":
                made.extend(as_list(value) if isinstance(value, list | Ring | Span) else [value])
            elif isinstance(value, dict):
                options.update(value)
        options.update(zip(keys, values[len(kinds) :], strict=True))
        options.pop(None, None)
        if options:
            made.append(options)
        return made

    def steps(scope: Scope, thread: VirtualThread) -> Steps:
        values = []
        for code in codes:
            if code.steps is None:
                values.append(code.run(scope, thread))
            else:
                values.append((yield from code.steps(scope, thread)))
        return collect(values)

    waiting = steps if any(code.steps is not None for code in codes) else None
    runs = [code.run for code in codes]
    if all(kind == "one" for kind in kinds):
        n_plain, last = len(kinds), [code.run for _, code in pairs]
        first = runs[:n_plain]
        named = list(zip(keys, last, strict=True))

        def simple(scope: Scope, thread: VirtualThread) -> list[Value]:
            values = [run(scope, thread) for run in first]
            if named:
                options = {key: run(scope, thread) for key, run in named}
                options.pop(None, None)
                values.append(options)
            return values

        return simple, waiting
    return (lambda scope, thread: collect([run(scope, thread) for run in runs])), waiting


def _without_doubles(pairs: list[tuple[Value, Code]]) -> list[tuple[Value, Code]]:
    """Pairs with each key once: Ruby evaluates an earlier one of the same key before the value that
    stands before the later one, and forgets it (its key here is none)."""
    made: list[tuple[Value, Code]] = []
    for key, code in pairs:
        place = next((i for i, (other, _) in enumerate(made) if other == key), None)
        if place is not None:
            _, dropped = made.pop(place)
            made.insert(max(0, len(made) - 1), (None, dropped))
        made.append((key, code))
    return made


def _hash_with(node: Node) -> Node:
    """A hash with one pair."""
    made = Node("hash", "", node.line)
    made.children = [node]
    return made


def _variable(name: str) -> Code:
    def run(scope: Scope, _thread: VirtualThread) -> Value:
        found = holder(scope, name)
        return UNKNOWN if found is None else found.variables[name]

    return Code(run)


def _given_block(
    compiler: Compiler, node: Node, arguments: Node | None
) -> "tuple[Make, bool] | None":
    block = node.fields.get("block")
    if block is not None:
        return _block(compiler, block)
    for child in arguments.children if arguments is not None else []:
        if child.kind == "block_argument" and child.children:
            value = compiler.compile(child.children[0]).run

            def make(scope: Scope, thread: VirtualThread) -> Block | None:
                held = value(scope, thread)
                return _symbol_block(held) if isinstance(held, str) else held

            return make, child.children[0].kind != "simple_symbol"
    return None


def _symbol_block(name: str) -> Block:
    return SymbolBlock(lambda thread, owner: finish(call_method(thread, owner, name, [], None)))


def _block(compiler: Compiler, node: Node, *, is_function: bool = False) -> "tuple[Make, bool]":
    given = node.fields.get("parameters")
    body_nodes = [child for child in node.children if child is not given]
    outer, compiler.loop_depth = compiler.loop_depth, 0
    parameters = _parameters(compiler, given.children if given is not None else [])
    body = compiler.body(body_nodes)
    compiler.loop_depth = outer
    compiler.n_nodes += 1

    def make(scope: Scope, _thread: VirtualThread) -> Block:
        return Block(parameters, body, scope, is_function=is_function)

    return make, body.steps is not None


def _parameters(compiler: Compiler, nodes: list[Node]) -> tuple[Parameter, ...]:
    made = []
    for node in nodes:
        name = node.fields["name"].text if "name" in node.fields else node.text.lstrip("*&")
        default = compiler.compile(node.fields["value"]) if "value" in node.fields else None
        if node.kind == "destructured_parameter":
            made.append(Parameter("parts", "", None, _parameters(compiler, node.children)))
        elif node.kind in _PARAMETER_KINDS:
            made.append(Parameter(_PARAMETER_KINDS[node.kind], name, default))
        else:
            compiler.miss(node.kind)
    return tuple(made)


_PARAMETER_KINDS: Final = {
    "identifier": "one",
    "optional_parameter": "one",
    "splat_parameter": "rest",
    "keyword_parameter": "key",
    "hash_splat_parameter": "keys",
    "block_parameter": "block",
}


@handles("lambda")
def _lambda(compiler: Compiler, node: Node) -> Code:
    inner = node.fields["body"]
    joined = Node(inner.kind, "", node.line)
    joined.children = list(inner.children)
    if "parameters" in node.fields:
        joined.fields["parameters"] = node.fields["parameters"]
    make, _ = _block(compiler, joined, is_function=True)
    return Code(lambda scope, thread: make(scope, thread))


@handles("method")
def _method(compiler: Compiler, node: Node) -> Code:
    name = node.fields["name"].text
    rest = Node("block", "", node.line)
    rest.children = [child for child in node.children if child is not node.fields["name"]]
    if "parameters" in node.fields:
        rest.fields["parameters"] = node.fields["parameters"]
    make, _ = _block(compiler, rest, is_function=True)

    def run(scope: Scope, thread: VirtualThread) -> Value:
        made = make(scope, thread)
        if made is not None:
            made.scope = None
            thread.machine.functions[name] = made
        return Symbol(name)

    return Code(run)


@handles("yield")
def _yield(compiler: Compiler, node: Node) -> Code:
    values, _ = _arguments(compiler, node.children[0].children if node.children else [])

    def steps(scope: Scope, thread: VirtualThread) -> Steps:
        place: Scope | None = scope
        while place is not None and place.given is None:
            place = place.parent
        if place is None or place.given is None:
            raise ProgramFailure("no block given (yield)")
        return (yield from place.given.steps(thread, values(scope, thread)))

    return Code(None, steps)


@handles("super", "undef", "alias", "class", "module", "singleton_class", "uninterpreted")
def _not_ours(compiler: Compiler, node: Node) -> Code:
    compiler.miss(node.kind)
    return constant(UNKNOWN)

