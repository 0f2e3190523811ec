"""From syntax tree to callable code: the compiler that other modules give its handlers to.

`unroller_expressions`, `unroller_control`, `unroller_calls` and `unroller_definitions` register
what they can compile when they are imported.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from corpus.sonic_pi.syntax import Node, Program
from corpus.sonic_pi.unroller_blocks import Code, Scope
from corpus.sonic_pi.unroller_threads import Steps, VirtualThread
from corpus.sonic_pi.unroller_values import (
    UNKNOWN,
    Value,
)

__all__ = ["Compiler", "constant", "handles"]

Handler = Callable[["Compiler", Node], Code]
_HANDLERS: dict[str, Handler] = {}
_WAITING: Final = frozenset(
    {"sleep", "wait", "sync", "sync_bpm", "sync_event", "yield", "call"}
    | {"play_pattern", "play_pattern_timed", "play_nested_pattern"}
)
_NAMING: Final = {"assignment": "left", "operator_assignment": "left", "for": "pattern"}
"""What gives values to variables, and in which role these stand."""
_PARAMETERS: Final = frozenset(
    {"block_parameters", "lambda_parameters", "method_parameters"}
    | {"destructured_parameter", "exception_variable"}
)
_SURVEYED: Final = _PARAMETERS | _NAMING.keys() | {"call", "method"}
_DEFINERS: Final = frozenset({"define", "ndefine", "defonce"})


def handles(*kinds: str) -> Callable[[Handler], Handler]:
    """Makes a function the handler of kinds of nodes."""

    def register(handler: Handler) -> Handler:
        _HANDLERS.update(dict.fromkeys(kinds, handler))
        return handler

    return register


def constant(value: Value) -> Code:
    """Code that gives a value."""
    return Code(lambda _scope, _thread: value, constant=(value,))


class Compiler:
    """Compiles one program.

    Args:
        program: without faults.
    """

    def __init__(self, program: Program) -> None:
        self.n_nodes = 0
        self.missed: Counter[tuple[str, str]] = Counter()
        self.variables: set[str] = set()
        self.functions: dict[str, set[str]] = {}
        self.loop_depth = 0
        self.n_leaving = 0
        self._survey(program.nodes)
        self.waiting = self._find_waiting()

    def compile(self, node: Node | None) -> Code:
        """The code of a node; nil for none, an unknown value for what is not understood."""
        if node is None:
            return constant(None)
        self.n_nodes += 1
        handler = _HANDLERS.get(node.kind)
        if handler is None:
            self.miss(node.kind)
            return constant(UNKNOWN)
        return handler(self, node)

    def miss(self, what: str, why: str = "syntax") -> None:
        """Notes something that is not understood."""
        self.missed[what, why] += 1

    def waits(self, name: str) -> bool:
        """Whether calling a function may wait."""
        return name in self.waiting

    def body(self, nodes: list[Node]) -> Code:
        """Statements one after the other; the last gives the value."""
        codes = [self.compile(node) for node in nodes]
        if not codes:
            return constant(None)
        if len(codes) == 1:
            return codes[0]
        if all(code.steps is None for code in codes):
            runs, last = [code.run for code in codes[:-1]], codes[-1].run

            def run(scope: Scope, thread: VirtualThread) -> Value:
                for each in runs:
                    each(scope, thread)
                return last(scope, thread)

            return Code(run)
        parts = [(code.run, code.sleeps, code.steps) for code in codes]

        def steps(scope: Scope, thread: VirtualThread) -> Steps:
            value = None
            for plain, sleeps, waiting in parts:
                if waiting is None:
                    value = plain(scope, thread)
                elif sleeps is not None:
                    value = None
                    if sleeps(scope, thread):
                        yield
                else:
                    value = yield from waiting(scope, thread)
            return value

        return Code(None, steps)

    def _survey(self, nodes: Sequence[Node]) -> None:
        for node in nodes:
            kind = node.kind
            if kind not in _SURVEYED:
                continue
            if kind == "call":
                name = node.fields.get("method")
                if name is not None and name.text in _DEFINERS:
                    given = node.fields.get("arguments")
                    block = node.fields.get("block")
                    if given is not None and given.children and block is not None:
                        self._note_function(given.children[0].text.lstrip(":"), block)
            elif kind in _NAMING:
                self._note_variables(node.fields.get(_NAMING[kind]))
            elif kind == "method" and "name" in node.fields:
                self._note_function(node.fields["name"].text, node)
            elif kind in _PARAMETERS:
                self._note_variables(node)

    def _note_function(self, name: str, body: Node) -> None:
        called = self.functions.setdefault(name, set())
        for node in body.walk():
            if node.kind == "identifier":
                called.add(node.text)
            elif node.kind == "yield":
                called.add("yield")
            elif node.kind == "call" and "method" not in node.fields:
                called.add("call")

    def _note_variables(self, node: Node | None) -> None:
        if node is None or node.kind in ("element_reference", "call"):
            return
        for found in node.walk():
            if found.kind == "identifier":
                self.variables.add(found.text)

    def _find_waiting(self) -> frozenset[str]:
        waiting = set(_WAITING)
        while True:
            more = {name for name, called in self.functions.items() if called & waiting} - waiting
            if not more:
                return frozenset(waiting)
            waiting |= more
