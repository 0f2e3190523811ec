"""Sonic Pi programs as clips, through the renderer: the default generator, without weights."""

from collections.abc import Callable, Sequence

import numpy as np

from agents.evolution.generators.generator import Clip
from agents.evolution.genome import Condition
from corpus.sonic_pi.fork_server import ProgramLimits
from corpus.sonic_pi.pool import RendererPool
from corpus.sonic_pi.renderer import RendererConfig, Rendering
from corpus.sonic_pi.synthesis import SAMPLE_RATE, SynthesisLimits

__all__ = ["SonicPiGenerator", "patient"]


def patient(seconds: float) -> RendererConfig:
    """Limits for a renderer that works when others do not: `seconds` in all for one program."""
    return RendererConfig(
        program=ProgramLimits(wall_seconds=seconds / 2),
        synthesis=SynthesisLimits(wall_seconds=seconds / 2),
    )


class SonicPiGenerator:
    """Renders programs; keeps the interface of `generators.generator.Generator`.

    A program that fails gives what it played before; one that plays nothing, silence.

    Args:
        n_workers: programs rendered at once, ≥ 1; changes nothing but the speed.
        config: of the renderers.
        on_rendering: told each program and what it played, in the order of the conditions.

    Raises:
        SonicPiMissingError, SandboxMissingError: as `Renderer`.
    """

    name = "sonic-pi"
    sample_rate = SAMPLE_RATE
    licence = "your own programs; Sonic Pi's samples are in the public domain (CC0)"
    allows_paid_shows = True

    def __init__(
        self,
        n_workers: int = 1,
        config: RendererConfig | None = None,
        on_rendering: Callable[[str, Rendering], None] | None = None,
    ) -> None:
        self._pool = RendererPool(n_workers, config)
        self._on_rendering = on_rendering

    def generate(
        self, conditions: Sequence[Condition], seconds: float, seeds: Sequence[int]
    ) -> list[Clip]:
        """One mono clip per program; chance is the program's own, so seeds change nothing.

        Raises:
            ValueError: a condition that is no text, or not as many seeds as conditions.
        """
        if len(seeds) != len(conditions):
            raise ValueError(f"{len(conditions)} conditions need as many seeds, got {len(seeds)}")
        programs = [one for one in conditions if isinstance(one, str)]
        if len(programs) != len(conditions):
            raise ValueError("the Sonic Pi generator needs programs, got embeddings")
        clips = []
        rendered = self._pool.render(programs, seconds)
        for program, rendering in zip(programs, rendered, strict=True):
            if self._on_rendering is not None:
                self._on_rendering(program, rendering)
            clips.append(np.ascontiguousarray(rendering.audio.mean(axis=1), np.float32))
        return clips

    def close(self) -> None:
        """End the renderers."""
        self._pool.close()
