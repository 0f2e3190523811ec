"""Control flow: sequences, conditions, loops, and the ways out of them."""

from collections.abc import Callable
from contextlib import suppress

from corpus.sonic_pi.syntax import Node
from corpus.sonic_pi.unroller_blocks import Code, Scope
from corpus.sonic_pi.unroller_compiler import Compiler, constant, handles
from corpus.sonic_pi.unroller_expressions import target
from corpus.sonic_pi.unroller_operators import is_case
from corpus.sonic_pi.unroller_threads import Steps, VirtualThread
from corpus.sonic_pi.unroller_values import (
    UNKNOWN,
    BlockBreak,
    LoopBreak,
    LoopNext,
    Return,
    RubyError,
    Value,
    as_list,
    is_truthy,
)

__all__: list[str] = []


@handles("program", "body_statement", "block_body", "parenthesized_statements", "then", "else",
         "do", "ensure")  # fmt: skip
def _sequence(compiler: Compiler, node: Node) -> Code:
    if any(child.kind in ("rescue", "ensure", "else") for child in node.children):
        return _begin(compiler, node)
    return compiler.body(node.children)


@handles("begin")
def _begin(compiler: Compiler, node: Node) -> Code:
    kinds = ("rescue", "ensure", "else")
    body = compiler.body([child for child in node.children if child.kind not in kinds])
    rescue = next((child for child in node.children if child.kind == "rescue"), None)
    after = [compiler.compile(child) for child in node.children if child.kind in ("ensure", "else")]
    handler = compiler.compile(rescue.fields.get("body")) if rescue is not None else None
    if rescue is None and not after:
        return body

    def steps(scope: Scope, thread: VirtualThread) -> Steps:
        try:
            value = yield from _go(body, scope, thread)
        except RubyError:
            if handler is None:
                raise
            value = yield from _go(handler, scope, thread)
        for each in after:
            yield from _go(each, scope, thread)
        return value

    parts = [body, *after] + ([handler] if handler is not None else [])
    if any(part.steps is not None for part in parts):
        return Code(None, steps)
    return Code(Code(None, steps).run)


def _go(code: Code, scope: Scope, thread: VirtualThread) -> Steps:
    if code.steps is None:
        return code.run(scope, thread)
    return (yield from code.steps(scope, thread))


@handles("rescue_modifier")
def _rescue_modifier(compiler: Compiler, node: Node) -> Code:
    body = compiler.compile(node.fields.get("body")).run
    handler = compiler.compile(node.fields.get("handler")).run

    def run(scope: Scope, thread: VirtualThread) -> Value:
        try:
            return body(scope, thread)
        except RubyError:
            return handler(scope, thread)

    return Code(run)


@handles("if", "elsif", "if_modifier", "unless", "unless_modifier", "conditional")
def _if(compiler: Compiler, node: Node) -> Code:
    condition = compiler.compile(node.fields.get("condition"))
    yes = compiler.compile(node.fields.get("consequence") or node.fields.get("body"))
    no = compiler.compile(node.fields.get("alternative"))
    if node.kind in ("unless", "unless_modifier"):
        yes, no = no, yes
    ask, run_yes, run_no = condition.run, yes.run, no.run
    line = str(node.line)

    def decide(scope: Scope, thread: VirtualThread) -> bool:
        value = ask(scope, thread)
        if value is UNKNOWN:
            thread.machine.miss("condition", f"unknown in line {line}")
        return value is not None and value is not False

    if yes.steps is None and no.steps is None:
        return Code(
            lambda scope, thread: (
                run_yes(scope, thread) if decide(scope, thread) else run_no(scope, thread)
            )
        )

    def steps(scope: Scope, thread: VirtualThread) -> Steps:
        return (yield from _go(yes if decide(scope, thread) else no, scope, thread))

    return Code(None, steps)


@handles("case")
def _case(compiler: Compiler, node: Node) -> Code:
    subject_node = node.fields.get("value")
    subject = None if subject_node is None else compiler.compile(subject_node).run
    choices: list[tuple[list[Code], Code]] = []
    otherwise = constant(None)
    for child in node.children:
        if child.kind == "when":
            patterns = [
                compiler.compile(pattern.children[0])
                for pattern in child.children
                if pattern.kind == "pattern" and pattern.children
            ]
            choices.append((patterns, compiler.compile(child.fields.get("body"))))
        elif child.kind == "else":
            otherwise = compiler.compile(child)

    def choose(scope: Scope, thread: VirtualThread) -> Code:
        value = None if subject is None else subject(scope, thread)
        if value is UNKNOWN:
            thread.machine.miss("case", "unknown subject")
        for patterns, body in choices:
            for pattern in patterns:
                found = pattern.run(scope, thread)
                if is_truthy(found) if subject is None else is_truthy(is_case(found, value)):
                    return body
        return otherwise

    if all(body.steps is None for _, body in choices) and otherwise.steps is None:
        return Code(lambda scope, thread: choose(scope, thread).run(scope, thread))

    def steps(scope: Scope, thread: VirtualThread) -> Steps:
        return (yield from _go(choose(scope, thread), scope, thread))

    return Code(None, steps)


@handles("while", "until", "while_modifier", "until_modifier")
def _while(compiler: Compiler, node: Node) -> Code:
    wanted = node.kind.startswith("while")
    condition = compiler.compile(node.fields.get("condition")).run
    compiler.loop_depth += 1
    body_node = node.fields.get("body")
    body = compiler.compile(body_node)
    compiler.loop_depth -= 1
    body_first = (
        node.kind.endswith("modifier") and body_node is not None and (body_node.kind == "begin")
    )

    def steps(scope: Scope, thread: VirtualThread) -> Steps:
        skip = body_first
        try:
            while skip or is_truthy(_known(condition(scope, thread))) == wanted:
                skip = False
                thread.spend()
                with suppress(LoopNext):
                    yield from _go(body, scope, thread)
        except LoopBreak as signal:
            return signal.value
        return None

    return Code(None, steps) if body.steps is not None else Code(Code(None, steps).run)


def _known(value: Value) -> Value:
    if value is UNKNOWN:
        raise RubyError("a loop depends on something unknown")
    return value


@handles("for")
def _for(compiler: Compiler, node: Node) -> Code:
    put = target(compiler, node.fields["pattern"])
    values = compiler.body(node.fields["value"].children).run
    compiler.loop_depth += 1
    body = compiler.compile(node.fields.get("body"))
    compiler.loop_depth -= 1

    def steps(scope: Scope, thread: VirtualThread) -> Steps:
        held = values(scope, thread)
        try:
            for value in list(as_list(held)):
                thread.spend()
                put(scope, thread, value)
                with suppress(LoopNext):
                    yield from _go(body, scope, thread)
        except LoopBreak as signal:
            return signal.value
        return held

    return Code(None, steps) if body.steps is not None else Code(Code(None, steps).run)


def _leaving(
    signal: Callable[[Scope, Value], BaseException],
) -> Callable[[Compiler, Node], Code]:
    def handle(compiler: Compiler, node: Node) -> Code:
        compiler.n_leaving += 1
        given = node.children[0].children if node.children else []
        value = compiler.compile(given[0]) if len(given) == 1 else _list(compiler, given)

        def run(scope: Scope, thread: VirtualThread) -> Value:
            raise signal(scope, value.run(scope, thread))

        return Code(run)

    return handle


def _list(compiler: Compiler, nodes: list[Node]) -> Code:
    if not nodes:
        return constant(None)
    runs = [compiler.compile(node).run for node in nodes]
    return Code(lambda scope, thread: [run(scope, thread) for run in runs])


handles("return")(_leaving(lambda _scope, value: Return(value)))
handles("next", "redo", "retry")(_leaving(lambda _scope, value: LoopNext(value)))


@handles("break")
def _break(compiler: Compiler, node: Node) -> Code:
    if compiler.loop_depth:
        return _leaving(lambda _scope, value: LoopBreak(value))(compiler, node)
    return _leaving(lambda scope, value: BlockBreak(scope.block, value))(compiler, node)
