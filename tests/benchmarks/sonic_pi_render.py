"""How fast and how well the installed examples render: python tests/benchmarks/sonic_pi_render.py.

One worker, start included. Wall time says what a quiet machine would feel; processor time says what
a core can do on a busy one. It is taken in a run without the sandbox launcher, which hides its
children's; the launcher itself takes about 10 ms a program.
"""

import argparse
import resource
import sys
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from corpus.sonic_pi.fork_server import ProgramLimits
from corpus.sonic_pi.install import InstallConfig, find_installation
from corpus.sonic_pi.renderer import Renderer, RendererConfig, Rendering
from corpus.sonic_pi.synthesis import SynthesisLimits

SILENT_BELOW = 1e-3
PATIENT = RendererConfig(
    program=ProgramLimits(wall_seconds=60.0), synthesis=SynthesisLimits(wall_seconds=120.0)
)
BARE = PATIENT.model_copy(
    update={"install": InstallConfig(bubblewrap="no-launcher"), "allow_unsandboxed": True}
)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description="Renders the installed Sonic Pi examples.")
    parser.add_argument("--seconds", type=float, default=18.0, help="of each example")
    parser.add_argument("--runs", type=int, default=2, help="whole runs, compared to the byte")
    arguments = parser.parse_args()
    files = sorted(find_installation().example_folder.glob("*/*.rb"))
    programs = {file.stem: file.read_text(encoding="utf-8") for file in files}
    sounds = len(programs) * arguments.seconds
    runs = [_run(programs, arguments.seconds, PATIENT) for _ in range(arguments.runs)]
    before = _processor_seconds()
    runs.append(_run(programs, arguments.seconds, BARE))
    cores = _processor_seconds() - before
    print(f"{cores:.1f} s of processor time: {sounds / cores:.0f} x real time per core")
    for name, first, *others in zip(programs, *runs, strict=True):
        if any(first.audio.tobytes() != other.audio.tobytes() for other in others):
            print(f"NOT THE SAME BYTES: {name}")
    print(f"{len(runs)} runs compared to the byte")
    _time_events(programs, arguments.seconds)


def _processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _run(programs: dict[str, str], seconds: float, config: RendererConfig) -> list[Rendering]:
    began = time.perf_counter()
    rendered: list[Rendering] = []
    took: dict[str, float] = {}
    with Renderer(config) as renderer:
        start = time.perf_counter() - began
        for name, code in programs.items():
            before = time.perf_counter()
            rendered.append(renderer.render(code, seconds))
            took[name] = time.perf_counter() - before
    whole = time.perf_counter() - began
    errors = sum(bool(one.errors) for one in rendered)
    silent = sum(one.peak < SILENT_BELOW for one in rendered)
    ok = len(rendered) - errors - silent
    total, middle = len(rendered) * seconds, median(took.values())
    slowest = max(took, key=lambda name: took[name])
    worst = took[slowest]
    print(f"{len(rendered)} examples: {ok} ok, {silent} silent, {errors} with errors")
    print(f"  {total:.0f} s of sound in {whole:.1f} s (start {start:.1f} s): {total / whole:.0f} x")
    print(f"  median {middle:.2f} s ({seconds / middle:.0f} x), ", end="")
    print(f"worst {worst:.2f} s ({seconds / worst:.0f} x, {slowest})")
    return rendered


def _time_events(programs: dict[str, str], seconds: float) -> None:
    took = []
    with Renderer(PATIENT) as renderer:
        for code in programs.values():
            before = time.perf_counter()
            renderer.events(code, seconds)
            took.append(time.perf_counter() - before)
    print(f"events alone: median {median(took) * 1000:.0f} ms, worst {max(took) * 1000:.0f} ms")


if __name__ == "__main__":
    main()
