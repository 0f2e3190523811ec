"""How starting goes on: the steps from the command to the first sound, with seconds."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

from rich.console import Group, RenderableType
from rich.text import Text


@dataclass
class Step:
    """One step of starting up; `seconds` is None while it runs."""

    name: str
    started: float
    seconds: float | None = None
    detail: str = ""
    failed: bool = False


class StartUp:
    """The steps from the command to the first sound, each with the seconds it took.

    Args:
        clock: gives monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self.steps: list[Step] = []
        self._clock = clock
        self._began = clock()
        self._told_all = False

    @property
    def seconds(self) -> float:
        """Since the start until now, or until the last step ended."""
        if self.steps and self.steps[-1].seconds is not None:
            return self.steps[-1].started + self.steps[-1].seconds - self._began
        return self._clock() - self._began

    def begin(self, name: str) -> None:
        """End the running step, if any, and begin the next ("loading bundle")."""
        self._told_all = False
        self.done()
        self.steps.append(Step(name, self._clock()))

    def tell(self, detail: str) -> None:
        """Say how far the running step is ("34 of 120 files").

        Raises:
            RuntimeError: if no step is running.
        """
        self._running().detail = detail

    def done(self) -> None:
        """End the running step; nothing happens if none runs."""
        if self.steps and self.steps[-1].seconds is None:
            self.steps[-1].seconds = self._clock() - self.steps[-1].started

    def drop(self) -> None:
        """Forget the running step, if any: what it announced has begun; no line is left to say."""
        self._told_all = True
        if self.steps and self.steps[-1].seconds is None:
            self.steps.pop()

    def fail(self, detail: str = "") -> None:
        """End the running step, if any, as failed."""
        if self.steps and self.steps[-1].seconds is None:
            step = self.steps[-1]
            step.failed, step.detail = True, detail or step.detail
            self.done()

    def _running(self) -> Step:
        if not self.steps or self.steps[-1].seconds is not None:
            raise RuntimeError("a step must be running: call begin(name) first")
        return self.steps[-1]

    def render(self) -> RenderableType:
        """One line per step: a sign, the name, the seconds, the detail."""
        width = max((len(step.name) for step in self.steps), default=0)
        return Group(*(self._step_line(step, width) for step in self.steps))

    def _step_line(self, step: Step, width: int) -> Text:
        seconds = self._clock() - step.started if step.seconds is None else step.seconds
        if step.failed:
            sign, style = "✗", "bold red"
        elif step.seconds is None:
            sign, style = "…", "yellow"
        else:
            sign, style = "✓", "green"
        text = (
            Text(no_wrap=True, overflow="crop")
            .append(f"{sign} ", style=style)
            .append(f"{step.name:<{width}}")
        )
        return text.append(f"{seconds:6.1f} s  ", style="dim").append(step.detail, style="dim")

    def line(self) -> str:
        """The last step in one line of plain text, for a log: that it began, that it is done."""
        if not self.steps or self._told_all:
            return ""
        step = self.steps[-1]
        if step.seconds is None:
            return f"{step.name} …"
        state = "failed" if step.failed else "done"
        detail = f": {step.detail}" if step.detail else ""
        return f"{step.name} {state} in {step.seconds:.1f} s{detail}"
