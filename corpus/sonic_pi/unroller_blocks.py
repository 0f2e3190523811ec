"""Compiled code, scopes and blocks: what the compiler makes and the threads run.

Code that can never wait is a plain function; code that may is a generator as well. Plain calls are
several times cheaper, and nearly all of a program is plain.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

from corpus.sonic_pi.unroller_threads import Steps, VirtualThread
from corpus.sonic_pi.unroller_values import UNKNOWN, LoopNext, Return, Ring, Symbol, Value

__all__ = [
    "Block",
    "Code",
    "Parameter",
    "Run",
    "Scope",
    "SymbolBlock",
    "finish",
    "is_fixed",
    "once",
]

Run: TypeAlias = "Callable[[Scope, VirtualThread], Value]"
_UNCHANGING: Final = frozenset({int, float, bool, str, Symbol, type(None)})


class Scope:
    """Variables of a block or function; `parent` is the block around it, none for a method."""

    __slots__ = ("block", "given", "parent", "variables")

    def __init__(
        self, parent: "Scope | None", block: "Block | None", given: "Block | None"
    ) -> None:
        self.variables: dict[str, Value] = {}
        self.parent = parent
        self.block = block
        self.given = given


class Code:
    """A compiled piece of a program.

    Args:
        run: computes its value; where it may wait, without letting others run.
        steps: the same, giving way to others while it waits; none if it never waits.
        constant: alone in a tuple, the value that it always gives; none if it may give others.
        is_pure: what it gives is equal every time, whatever the program does.
        sleeps: does all that `steps` does but give way, and tells whether to; for `sleep` alone.
    """

    __slots__ = ("constant", "is_pure", "run", "sleeps", "steps")

    def __init__(
        self,
        run: "Run | None",
        steps: "Callable[[Scope, VirtualThread], Steps] | None" = None,
        *,
        constant: tuple[Value] | None = None,
        is_pure: bool = False,
        sleeps: "Callable[[Scope, VirtualThread], bool] | None" = None,
    ) -> None:
        if run is None:
            if steps is None:
                raise ValueError("code must be given as run or as steps, got neither")
            made = steps

            def run(scope: Scope, thread: VirtualThread) -> Value:
                return finish(made(scope, thread))

        self.run: Run = run
        self.steps = steps
        self.constant = constant
        self.is_pure = is_pure or constant is not None
        self.sleeps = sleeps


def once(run: Run) -> Code:
    """Pure code that is run until it gives a value that cannot be changed, then never again."""
    held: Value = UNKNOWN

    def first(scope: Scope, thread: VirtualThread) -> Value:
        nonlocal held
        if held is UNKNOWN:
            value = run(scope, thread)
            if not is_fixed(value):
                return value
            held = value
        return held

    return Code(first, is_pure=True)


def is_fixed(value: Value) -> bool:
    """Whether a value is one that no program can change."""
    if isinstance(value, Ring):
        return _UNCHANGING.issuperset(map(type, value.items))
    return type(value) in _UNCHANGING


def finish(steps: Steps) -> Value:
    """Runs a computation to its end although others ought to run in between."""
    try:
        while True:
            next(steps)
    except StopIteration as end:
        return end.value


class Parameter(NamedTuple):
    """A parameter of a block: kind is one of one, rest, key, keys, block, parts."""

    kind: str
    name: str
    default: Code | None = None
    parts: "tuple[Parameter, ...]" = ()


class Block:
    """A block, lambda, or function with the scope it was made in.

    Args:
        parameters: in order.
        body: what it does.
        scope: of the code around it; none for methods written with `def`.
        is_function: gives its value by `return`, and takes lists as they are.
        leaves: it may be left by `next` or `return`.
    """

    __slots__ = ("body", "is_function", "n_plain", "parameters", "scope", "through", "waits")

    def __init__(
        self,
        parameters: tuple[Parameter, ...],
        body: Code,
        scope: Scope | None,
        *,
        is_function: bool = False,
        leaves: bool = True,
    ) -> None:
        self.parameters = parameters
        self.body = body
        self.scope = scope
        self.is_function = is_function
        self.waits = body.steps is not None
        plain = all(p.kind == "one" and p.default is None for p in parameters)
        self.n_plain = len(parameters) if plain else -1
        self.through = None if leaves or not plain else body.steps

    @property
    def arity(self) -> int:
        """How many values it names."""
        return sum(parameter.kind in ("one", "parts") for parameter in self.parameters)

    def call(
        self, thread: VirtualThread, values: Sequence[Value] = (), given: "Block | None" = None
    ) -> Value:
        """Runs it without letting others run in between."""
        scope = self._enter(thread, values, given)
        try:
            return self.body.run(scope, thread)
        except LoopNext as signal:
            return signal.value
        except Return as signal:
            return self._returned(signal)

    def steps(
        self, thread: VirtualThread, values: Sequence[Value] = (), given: "Block | None" = None
    ) -> Steps:
        """Runs it, giving way while it waits."""
        if self.through is not None:
            return self.through(self._enter(thread, values, given), thread)
        return self._guarded(thread, values, given)

    def _guarded(
        self, thread: VirtualThread, values: Sequence[Value], given: "Block | None"
    ) -> Steps:
        scope = self._enter(thread, values, given)
        try:
            if self.body.steps is None:
                return self.body.run(scope, thread)
            return (yield from self.body.steps(scope, thread))
        except LoopNext as signal:
            return signal.value
        except Return as signal:
            return self._returned(signal)

    def _returned(self, signal: Return) -> Value:
        if not self.is_function or type(signal) is not Return:
            raise signal
        return signal.value

    def _enter(
        self, thread: VirtualThread, values: Sequence[Value], given: "Block | None"
    ) -> Scope:
        machine = thread.machine
        machine.budget -= 1
        if machine.budget < 0:
            thread.spend(0)
        around, count = self.scope, self.n_plain
        if given is None and around is not None:
            given = around.given
        scope = Scope(around, self, given)
        if count == 0:
            return scope
        if (
            len(values) == 1
            and isinstance(values[0], list)
            and not self.is_function
            and len(self.parameters) > 1
        ):
            values = values[0]
        if count == 1 and values:
            scope.variables[self.parameters[0].name] = values[0]
        else:
            bind(self.parameters, values, scope, thread)
        return scope


class SymbolBlock(Block):
    """`&:name` as a block: calls the method of that name on what it is given."""

    __slots__ = ("method",)

    def __init__(self, method: Callable[[VirtualThread, Value], Value]) -> None:
        super().__init__((), Code(lambda _scope, _thread: None), None)
        self.method = method

    def call(
        self, thread: VirtualThread, values: Sequence[Value] = (), given: Block | None = None
    ) -> Value:
        """The method's value on the first of `values`."""
        del given
        return self.method(thread, values[0] if values else None)

    def steps(
        self, thread: VirtualThread, values: Sequence[Value] = (), given: Block | None = None
    ) -> Steps:
        """The same; methods of values never wait."""
        return self.call(thread, values, given)
        yield  # a generator that never waits


def bind(
    parameters: tuple[Parameter, ...],
    values: Sequence[Value],
    scope: Scope,
    thread: VirtualThread,
) -> None:
    """Gives parameters their values in a scope, as Ruby does for blocks: what is missing is nil."""
    left = list(values)
    keys: dict[str, Value] = {}
    kinds = [parameter.kind for parameter in parameters]
    if ("key" in kinds or "keys" in kinds) and left and isinstance(left[-1], dict):
        keys = dict(left.pop())
    for place, (kind, name, default, parts) in enumerate(parameters):
        value: Value
        if kind == "rest":
            after = sum(later in ("one", "parts") for later in kinds[place + 1 :])
            taken = max(0, len(left) - after)
            value, left = left[:taken], left[taken:]
        elif kind == "key":
            value = keys.pop(name) if name in keys else default and default.run(scope, thread)
        elif kind == "keys":
            value = {Symbol(key): held for key, held in keys.items()}
        elif kind == "block":
            value = scope.given
        else:
            value = left.pop(0) if left else default and default.run(scope, thread)
            if kind == "parts":
                bind(parts, value if isinstance(value, list) else [value], scope, thread)
                continue
        scope.variables[name] = value
