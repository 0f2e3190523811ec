"""Blocks, lambdas, methods and their parameters as code."""

from collections.abc import Callable
from typing import Final, TypeAlias

from corpus.sonic_pi.syntax import Node
from corpus.sonic_pi.unroller_blocks import Block, Code, Parameter, Scope, SymbolBlock, finish
from corpus.sonic_pi.unroller_compiler import Compiler, constant, handles
from corpus.sonic_pi.unroller_dispatch import call_method
from corpus.sonic_pi.unroller_expressions import holder
from corpus.sonic_pi.unroller_threads import Steps, VirtualThread
from corpus.sonic_pi.unroller_values import (
    UNKNOWN,
    Ring,
    RubyError,
    Span,
    Symbol,
    Value,
    as_list,
)

__all__ = ["Arguments", "Evaluate", "Make", "arguments_of", "given_block"]

Make: TypeAlias = Callable[[Scope, VirtualThread], Block | None]
Evaluate: TypeAlias = Callable[[Scope, VirtualThread], list[Value]]


class Arguments:
    """How arguments are evaluated.

    Args:
        plain: those without a name: how each counts ("one", "splat" or "hash") and its code.
        pairs: those with a name; none as a name: evaluated and forgotten.
    """

    __slots__ = ("_kinds", "are_pure", "codes", "constants", "is_simple", "keys", "n_plain")

    def __init__(self, plain: list[tuple[str, Code]], pairs: list[tuple[Value, Code]]) -> None:
        self.codes = [code for _, code in plain] + [code for _, code in pairs]
        """In the order in which they are evaluated."""
        self._kinds = [kind for kind, _ in plain]
        self.keys = [key for key, _ in pairs]
        self.n_plain = len(plain)
        self.is_simple = self._kinds.count("one") == len(plain) and None not in self.keys
        """Whether a function is given a value for each of `codes`, those with a name as a hash."""
        self.are_pure = all([code.is_pure for code in self.codes])
        """Whether they are equal every time."""
        always = [code.constant[0] for code in self.codes if code.constant is not None]
        self.constants = always if self.is_simple and len(always) == len(self.codes) else None
        """What `codes` always give, if all do and nothing is to be spread; else none."""

    def collect(self, values: list[Value]) -> list[Value]:
        """What a function is given, from what `codes` gave."""
        count = self.n_plain
        if self.is_simple:
            if not self.keys:
                return values
            return [*values[:count], dict(zip(self.keys, values[count:], strict=True))]
        made: list[Value] = []
        options: dict[Value, Value] = {}
        for kind, value in zip(self._kinds, values, strict=False):
            if kind == "one":
                made.append(value)
            elif kind == "splat":
                made.extend(as_list(value) if isinstance(value, list | Ring | Span) else [value])
            elif isinstance(value, dict):
                options.update(value)
        options.update(zip(self.keys, values[count:], strict=True))
        options.pop(None, None)
        if options:
            made.append(options)
        return made

    def each(self) -> Evaluate:
        """Evaluates `codes` plainly, in a new list."""
        runs = [code.run for code in self.codes]
        if len(runs) == 1:
            only = runs[0]
            return lambda scope, thread: [only(scope, thread)]
        return lambda scope, thread: [run(scope, thread) for run in runs]

    def values(self) -> Evaluate:
        """Evaluates what a function is given, in a new list."""
        if self.constants is not None:
            return self._always(self.constants)
        each, collect = self.each(), self.collect
        if self.is_simple and not self.keys:
            return each
        return lambda scope, thread: collect(each(scope, thread))

    def _always(self, constants: list[Value]) -> Evaluate:
        if not self.keys:
            return lambda _scope, _thread: constants.copy()
        *values, options = self.collect(constants)
        return lambda _scope, _thread: [*values, options.copy()]

    def steps(self) -> "Callable[[Scope, VirtualThread], Steps] | None":
        """The same, giving way while one of them waits; none if none does."""
        if all([code.steps is None for code in self.codes]):
            return None
        codes, collect = self.codes, self.collect

        def steps(scope: Scope, thread: VirtualThread) -> Steps:
            values = []
            for code in codes:
                if code.steps is None:
                    values.append(code.run(scope, thread))
                else:
                    values.append((yield from code.steps(scope, thread)))
            return collect(values)

        return steps


def arguments_of(compiler: Compiler, nodes: list[Node]) -> Arguments:
    """How the arguments in some nodes are evaluated."""
    plain: list[tuple[str, Code]] = []
    pairs: list[tuple[Value, Code]] = []
    for node in nodes:
        if node.kind in ("splat_argument", "hash_splat_argument") and not node.children:
            continue  # a bare `*`, left behind by an error of syntax
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
    return Arguments(plain, _without_doubles(pairs) if len(pairs) > 1 else pairs)


def _without_doubles(pairs: list[tuple[Value, Code]]) -> list[tuple[Value, Code]]:
    """Pairs with each key once.

    Of two with the same key, Ruby evaluates the first just before the value that stands before the
    second, and forgets it; its key here is none.
    """
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


def given_block(
    compiler: Compiler, node: Node, arguments: Node | None
) -> "tuple[Make, bool] | None":
    """How the block of a call is made, and whether it may wait; none if there is none."""
    block = node.fields.get("block")
    if block is not None:
        name = node.fields.get("method")
        is_lambda = name is not None and name.text == "lambda"
        return _block(compiler, block, is_function=is_lambda)
    for child in arguments.children if arguments is not None else []:
        if child.kind == "block_argument" and child.children:
            make = _passed_block(compiler.compile(child.children[0]))
            return make, child.children[0].kind != "simple_symbol"
    return None


def _passed_block(value: Code) -> Make:
    def make(scope: Scope, thread: VirtualThread) -> Block | None:
        held = value.run(scope, thread)
        return _symbol_block(held) if isinstance(held, str) else held

    return make


def _symbol_block(name: str) -> Block:
    return SymbolBlock(lambda thread, owner: finish(call_method(thread, owner, name, [], None)))


def _block(compiler: Compiler, node: Node, *, is_function: bool = False) -> "tuple[Make, bool]":
    given = node.fields.get("parameters")
    body_nodes = [child for child in node.children if child is not given]
    outer, compiler.loop_depth = compiler.loop_depth, 0
    n_leaving = compiler.n_leaving
    parameters = _parameters(compiler, given.children if given is not None else [])
    body = compiler.body(body_nodes)
    compiler.loop_depth = outer
    compiler.n_nodes += 1
    leaves = compiler.n_leaving > n_leaving

    def make(scope: Scope, _thread: VirtualThread) -> Block:
        return Block(parameters, body, scope, is_function=is_function, leaves=leaves)

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
    given = node.children[0].children if node.children else []
    values = arguments_of(compiler, given).values()

    def steps(scope: Scope, thread: VirtualThread) -> Steps:
        place: Scope | None = scope
        while place is not None and place.given is None:
            place = place.parent
        if place is None or place.given is None:
            raise RubyError("no block given (yield)")
        return (yield from place.given.steps(thread, values(scope, thread)))

    return Code(None, steps)


@handles("super", "undef", "alias", "class", "module", "singleton_class", "uninterpreted")
def _not_ours(compiler: Compiler, node: Node) -> Code:
    compiler.miss(node.kind)
    return constant(UNKNOWN)
