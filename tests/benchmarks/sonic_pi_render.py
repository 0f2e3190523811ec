"""How fast and how well the installed examples render: python tests/benchmarks/sonic_pi_render.py.

One worker, start included; also each part alone, and two runs compared to the byte.
"""

import argparse
import sys
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from corpus.sonic_pi.install import find_installation
from corpus.sonic_pi.renderer import Renderer, Rendering

SILENT_BELOW = 1e-3


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description="Renders the installed Sonic Pi examples.")
    parser.add_argument("--seconds", type=float, default=18.0, help="of each example")
    parser.add_argument("--runs", type=int, default=2, help="whole runs, compared to the byte")
    arguments = parser.parse_args()
    files = sorted(find_installation().example_folder.glob("*/*.rb"))
    programs = {file.stem: file.read_text(encoding="utf-8") for file in files}
    runs = [_run(programs, arguments.seconds) for _ in range(arguments.runs)]
    for first, *others in zip(*runs, strict=True):
        if any(first.audio.tobytes() != other.audio.tobytes() for other in others):
            print("NOT THE SAME BYTES")
    print(f"{len(runs)} runs compared to the byte")
    _time_events(programs, arguments.seconds)


def _run(programs: dict[str, str], seconds: float) -> list[Rendering]:
    began = time.perf_counter()
    rendered, took = [], {}
    with Renderer() as renderer:
        start = time.perf_counter() - began
        for name, code in programs.items():
            before = time.perf_counter()
            rendered.append(renderer.render(code, seconds))
            took[name] = time.perf_counter() - before
    whole = time.perf_counter() - began
    errors = sum(bool(one.errors) for one in rendered)
    silent = sum(one.peak < SILENT_BELOW for one in rendered)
    slowest = max(took, key=lambda name: took[name])
    ok = len(rendered) - errors - silent
    print(f"{len(rendered)} examples: {ok} ok, {silent} silent, {errors} with errors")
    print(
        f"  {len(rendered) * seconds:.0f} s of sound in {whole:.1f} s (start {start:.1f} s): "
        f"{len(rendered) * seconds / whole:.0f} x real time"
    )
    print(
        f"  per program: median {median(took.values()):.2f} s "
        f"({seconds / median(took.values()):.0f} x), worst {took[slowest]:.2f} s "
        f"({seconds / took[slowest]:.0f} x, {slowest})"
    )
    return rendered


def _time_events(programs: dict[str, str], seconds: float) -> None:
    took = []
    with Renderer() as renderer:
        for code in programs.values():
            before = time.perf_counter()
            renderer.events(code, seconds)
            took.append(time.perf_counter() - before)
    print(f"events alone: median {median(took) * 1000:.0f} ms, worst {max(took) * 1000:.0f} ms")


if __name__ == "__main__":
    main()
