"""Literals, variables, assignments and operators as code."""

from collections.abc import Callable
from typing import Final

from corpus.sonic_pi.syntax import Node
from corpus.sonic_pi.unroller_blocks import Code, Scope
from corpus.sonic_pi.unroller_compiler import Compiler, constant, handles
from corpus.sonic_pi.unroller_operators import BINARY, fetch, store
from corpus.sonic_pi.unroller_threads import Steps, VirtualThread
from corpus.sonic_pi.unroller_values import (
    UNKNOWN,
    Kind,
    Ring,
    Span,
    Symbol,
    Unknown,
    Value,
    is_number,
    is_truthy,
    to_float,
)

__all__ = ["holder", "target"]


@handles("integer")
def _integer(_compiler: Compiler, node: Node) -> Code:
    try:
        return constant(int(node.text[:400].replace("_", ""), 0))
    except ValueError:
        return constant(int(node.text[:400].replace("_", "").lstrip("0") or "0"))


@handles("float")
def _float(_compiler: Compiler, node: Node) -> Code:
    return constant(float(node.text.replace("_", "")))


@handles("rational", "complex")
def _rational(compiler: Compiler, node: Node) -> Code:
    return compiler.compile(node.children[0]) if node.children else constant(to_float(node.text))


@handles("nil", "true", "false", "self")
def _word(_compiler: Compiler, node: Node) -> Code:
    return constant({"true": True, "false": False}.get(node.kind))


@handles("simple_symbol", "hash_key_symbol")
def _symbol(_compiler: Compiler, node: Node) -> Code:
    return constant(Symbol(node.text.lstrip(":").strip('"')))


@handles("character")
def _character(_compiler: Compiler, node: Node) -> Code:
    return constant(node.text[1:])


_ESCAPES: Final = {"\\n": "\n", "\\t": "\t", "\\s": " ", "\\e": "\x1b", "\\0": "\0", "\\r": "\r"}


@handles("string", "bare_string", "chained_string", "heredoc_beginning", "regex", "subshell")
def _string(compiler: Compiler, node: Node) -> Code:
    if node.kind in ("subshell", "regex"):
        compiler.miss(node.kind)
        return constant(UNKNOWN)
    if node.kind == "chained_string":
        return _joined([compiler.compile(child) for child in node.children])
    parts: list[Code] = []
    for child in node.children:
        if child.kind == "interpolation":
            parts.append(compiler.body(child.children))
        elif child.kind == "escape_sequence":
            parts.append(constant(_ESCAPES.get(child.text, child.text[1:])))
        else:
            parts.append(constant(child.text))
    return _joined(parts)


@handles("delimited_symbol", "bare_symbol")
def _delimited_symbol(compiler: Compiler, node: Node) -> Code:
    text = _string(compiler, node).run
    return Code(lambda scope, thread: Symbol(text(scope, thread)))


def _joined(parts: list[Code]) -> Code:
    runs = [part.run for part in parts]

    def run(scope: Scope, thread: VirtualThread) -> Value:
        pieces = [each(scope, thread) for each in runs]
        if any(isinstance(piece, Unknown) for piece in pieces):
            return UNKNOWN
        return "".join("" if piece is None else str(piece) for piece in pieces)[:10_000]

    return Code(run)


@handles("array", "string_array", "symbol_array", "right_assignment_list")
def _array(compiler: Compiler, node: Node) -> Code:
    items = [
        (child.kind == "splat_argument", compiler.compile(_inner(child)))
        for child in node.children
        if child.kind != "pair"
    ]
    pairs = [child for child in node.children if child.kind == "pair"]
    extra = _hash_of(compiler, pairs).run if pairs else None
    if extra is None and not any(is_splat for is_splat, _ in items):
        return _plain_array([code for _, code in items])

    def run(scope: Scope, thread: VirtualThread) -> Value:
        values: list[Value] = []
        for is_splat, each in items:
            value = each.run(scope, thread)
            if is_splat and isinstance(value, list | Ring | Span):
                values.extend(_spread(value))
            else:
                values.append(value)
        if extra is not None:
            values.append(extra(scope, thread))
        return values

    return Code(run)


def _plain_array(items: list[Code]) -> Code:
    runs = [item.run for item in items]
    always = [item.constant[0] for item in items if item.constant is not None]
    if len(always) == len(items):
        return Code(lambda _scope, _thread: always.copy(), is_pure=True)
    return Code(
        lambda scope, thread: [run(scope, thread) for run in runs],
        is_pure=all(item.is_pure for item in items),
    )


def _inner(node: Node) -> Node:
    if node.kind in ("splat_argument", "hash_splat_argument", "block_argument") and node.children:
        return node.children[0]
    return node


def _spread(value: Value) -> list[Value]:
    if isinstance(value, Span):
        return value.items()
    return list(value.items if isinstance(value, Ring) else value)


@handles("hash")
def _hash(compiler: Compiler, node: Node) -> Code:
    return _hash_of(compiler, node.children)


def _hash_of(compiler: Compiler, nodes: list[Node]) -> Code:
    pairs: list[tuple[Code | None, Code]] = []
    for node in nodes:
        if node.kind == "pair":
            pairs.append(
                (
                    compiler.compile(node.fields.get("key")),
                    compiler.compile(node.fields.get("value")),
                )
            )
        elif node.kind == "hash_splat_argument":
            pairs.append((None, compiler.compile(_inner(node))))
        else:
            compiler.miss(node.kind)
    runs = [(None if key is None else key.run, value.run) for key, value in pairs]

    def run(scope: Scope, thread: VirtualThread) -> Value:
        made: dict[Value, Value] = {}
        for key, value in runs:
            held = value(scope, thread)
            if key is not None:
                name = key(scope, thread)
                made[tuple(name) if isinstance(name, list) else name] = held
            elif isinstance(held, dict):
                made.update(held)
        return made

    return Code(run)


@handles("range")
def _range(compiler: Compiler, node: Node) -> Code:
    first = compiler.compile(node.fields.get("begin")).run
    last = compiler.compile(node.fields.get("end")).run
    exclusive = node.fields["operator"].text == "..."

    def run(scope: Scope, thread: VirtualThread) -> Value:
        low, high = first(scope, thread), last(scope, thread)
        if low is UNKNOWN or high is UNKNOWN:
            return UNKNOWN
        return Span(low, high, exclusive=exclusive)

    return Code(run)


@handles("constant")
def _constant(_compiler: Compiler, node: Node) -> Code:
    kind, name = Kind(node.text), node.text
    return Code(lambda _scope, thread: thread.machine.globals.get(name, kind))


@handles("instance_variable", "global_variable", "class_variable")
def _global(_compiler: Compiler, node: Node) -> Code:
    name = node.text
    return Code(lambda _scope, thread: thread.machine.globals.get(name))


@handles("scope_resolution")
def _scope_resolution(compiler: Compiler, node: Node) -> Code:
    name = node.fields["name"].text if "name" in node.fields else ""
    numbers = {"PI": 3.141592653589793, "E": 2.718281828459045, "INFINITY": float("inf")}
    if name not in numbers:
        compiler.miss(name or "scope_resolution")
    return constant(numbers.get(name, UNKNOWN))


@handles("binary")
def _binary(compiler: Compiler, node: Node) -> Code:
    operator = node.fields["operator"].text
    left = compiler.compile(node.fields.get("left")).run
    right = compiler.compile(node.fields.get("right")).run
    if operator in ("&&", "and"):

        def both(scope: Scope, thread: VirtualThread) -> Value:
            value = left(scope, thread)
            return right(scope, thread) if is_truthy(value) else value

        return Code(both)
    if operator in ("||", "or"):

        def either(scope: Scope, thread: VirtualThread) -> Value:
            value = left(scope, thread)
            return value if is_truthy(value) else right(scope, thread)

        return Code(either)
    apply = BINARY.get(operator)
    if apply is None:
        compiler.miss(operator, "operator")
        return constant(UNKNOWN)
    return Code(lambda scope, thread: apply(left(scope, thread), right(scope, thread)))


@handles("unary")
def _unary(compiler: Compiler, node: Node) -> Code:
    operator = node.fields["operator"].text
    if operator == "defined?":
        return constant(UNKNOWN)
    operand = compiler.compile(node.fields.get("operand")).run
    if operator in ("!", "not"):
        return Code(lambda scope, thread: not is_truthy(operand(scope, thread)))
    sign = -1 if operator == "-" else 1

    def run(scope: Scope, thread: VirtualThread) -> Value:
        value = operand(scope, thread)
        if operator == "~" and isinstance(value, int):
            return ~value
        return sign * value if is_number(value) else UNKNOWN

    return Code(run)


@handles("assignment")
def _assignment(compiler: Compiler, node: Node) -> Code:
    put = target(compiler, node.fields["left"])
    value = compiler.compile(node.fields.get("right"))
    run, waiting = value.run, value.steps
    if waiting is None:
        return Code(lambda scope, thread: put(scope, thread, run(scope, thread)))

    def steps(scope: Scope, thread: VirtualThread) -> Steps:
        return put(scope, thread, (yield from waiting(scope, thread)))

    return Code(None, steps)


@handles("operator_assignment")
def _operator_assignment(compiler: Compiler, node: Node) -> Code:
    left = node.fields["left"]
    put = target(compiler, left)
    get = _maybe(compiler, left)
    right = compiler.compile(node.fields.get("right")).run
    operator = node.fields["operator"].text.removesuffix("=")
    if operator in ("||", "&&"):
        wanted = operator == "&&"

        def run(scope: Scope, thread: VirtualThread) -> Value:
            value = get(scope, thread)
            if is_truthy(value) != wanted:
                return value
            return put(scope, thread, right(scope, thread))

        return Code(run)
    apply = BINARY.get(operator)
    if apply is None:
        compiler.miss(operator, "operator")
        return constant(UNKNOWN)
    return Code(
        lambda scope, thread: put(scope, thread, apply(get(scope, thread), right(scope, thread)))
    )


def _maybe(compiler: Compiler, node: Node) -> Callable[[Scope, VirtualThread], Value]:
    if node.kind != "identifier":
        return compiler.compile(node).run
    name = node.text

    def get(scope: Scope, _thread: VirtualThread) -> Value:
        found = holder(scope, name)
        return None if found is None else found.variables[name]

    return get


def holder(scope: Scope | None, name: str) -> Scope | None:
    """The nearest scope in which a variable has a value."""
    while scope is not None:
        if name in scope.variables:
            return scope
        scope = scope.parent
    return None


Put = Callable[[Scope, VirtualThread, Value], Value]


def target(compiler: Compiler, node: Node) -> Put:
    """What assigning to a node does; it gives the value back."""
    if node.kind == "identifier":
        return _variable_target(node.text)
    if node.kind in ("instance_variable", "global_variable", "class_variable", "constant"):
        name = node.text

        def put_global(_scope: Scope, thread: VirtualThread, value: Value) -> Value:
            thread.machine.globals[name] = value
            return value

        return put_global
    if node.kind == "element_reference" and len(node.children) == 2:
        owner, key = (compiler.compile(child).run for child in node.children)

        def put_item(scope: Scope, thread: VirtualThread, value: Value) -> Value:
            return store(owner(scope, thread), key(scope, thread), value)

        return put_item
    if node.kind in ("left_assignment_list", "destructured_left_assignment"):
        return _several_targets(compiler, node.children)
    compiler.miss(f"assignment to {node.kind}")
    return lambda _scope, _thread, value: value


def _variable_target(name: str) -> Put:
    def put(scope: Scope, _thread: VirtualThread, value: Value) -> Value:
        (holder(scope, name) or scope).variables[name] = value
        return value

    return put


def _several_targets(compiler: Compiler, nodes: list[Node]) -> Put:
    places = [(n.kind == "rest_assignment", target(compiler, _rest(n))) for n in nodes]
    splat = next((i for i, (is_rest, _) in enumerate(places) if is_rest), None)
    after = 0 if splat is None else len(places) - splat - 1

    def put(scope: Scope, thread: VirtualThread, value: Value) -> Value:
        if value is UNKNOWN:
            left = [UNKNOWN] * len(places)
        else:
            left = (
                list(value.items if isinstance(value, Ring) else value)
                if (isinstance(value, list | Ring))
                else [value]
            )
        for is_rest, assign in places:
            if is_rest:
                count = max(0, len(left) - after)
                assign(scope, thread, left[:count])
                left = left[count:]
            else:
                assign(scope, thread, left.pop(0) if left else None)
        return value

    return put


def _rest(node: Node) -> Node:
    return node.children[0] if node.kind == "rest_assignment" and node.children else node


@handles("element_reference")
def _element_reference(compiler: Compiler, node: Node) -> Code:
    owner, *keys = (compiler.compile(child).run for child in node.children)

    def run(scope: Scope, thread: VirtualThread) -> Value:
        return fetch(thread, owner(scope, thread), [key(scope, thread) for key in keys])

    return Code(run)
