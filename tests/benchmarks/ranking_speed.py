"""How much faster ranking by code is than by sound: python tests/benchmarks/ranking_speed.py.

Both things in one run, on one core, round after round: ten candidates of about thirty lines ranked
by their code with nothing remembered, and the same ten rendered for ten seconds each and embedded,
one after the other, the language server being up already. Ratios are of processor time, which other
work on the machine leaves alone; that of rendering is taken without the sandbox launcher, which
hides its children's and takes about 10 ms a program more. Needs Sonic Pi.
"""

import argparse
import gc
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from agents.code_ranking.cascade import Cascade
from agents.code_ranking.prediction import SoundPredictor, stored_predictor
from corpus.sonic_pi.install import InstallConfig, find_installation
from corpus.sonic_pi.renderer import Renderer, RendererConfig
from corpus.sonic_pi.templating import own_templates

SECONDS = 10.0
N_CANDIDATES = 10
N_LINES = 30
REPEATS = 5
BARE = RendererConfig(install=InstallConfig(bubblewrap="no-launcher"), allow_unsandboxed=True)


def n_lines(code: str) -> int:
    """Lines that say something."""
    lines = [line.strip() for line in code.splitlines()]
    return sum(bool(line) and not line.startswith("#") for line in lines)


def joined_templates(seed: int) -> list[str]:
    """Ten programs of about thirty lines: two of the project's templates each."""
    left = sorted((template.fill(0, seed).code for template in own_templates()), key=n_lines)
    programs = []
    while len(programs) < N_CANDIDATES:
        one = left.pop(0)
        missing = N_LINES - n_lines(one)
        other = min(left, key=lambda code: abs(n_lines(code) - missing))
        left.remove(other)
        programs.append(f"{one}\n{other}")
    return programs


def examples() -> dict[str, str]:
    """The installed examples by name."""
    files = sorted(find_installation().example_folder.glob("*/*.rb"))
    return {file.stem: file.read_text(encoding="utf-8") for file in files}


def processor_seconds() -> float:
    """Of this process and of the children that have ended."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in usage)


def spent(work: Callable[[], object]) -> float:
    """Processor time of this process, seconds."""
    start = time.process_time()
    work()
    return time.process_time() - start


def hear(predictor: SoundPredictor, codes: list[str]) -> float:
    """Processor seconds to render and embed all, the start of the server taken off."""
    times = []
    for programs in ([], codes):
        before = processor_seconds()
        with Renderer(BARE) as renderer:
            for code in programs:
                rendering = renderer.render(code, SECONDS)
                predictor.point_of_sound(rendering.audio, rendering.sample_rate)
        times.append(processor_seconds() - before)
    return times[1] - times[0]


def compare(name: str, codes: list[str], predictor: SoundPredictor, rounds: int) -> None:
    """Prints the ratio and its parts."""
    lines = [n_lines(code) for code in codes]
    ratios, cold, warm, each = [], [], [], []
    for _ in range(rounds):
        heard = hear(predictor, codes)
        best = float("inf")
        for _ in range(REPEATS):
            with Cascade(predictor) as cascade:
                cold.append(spent(lambda c=cascade: c.rank("", codes)))
                warm.append(spent(lambda c=cascade: c.rank("", codes)))
            best = min(best, cold[-1])
            each += [spent(lambda c=code: predictor.foresee(c)) for code in codes]
        middle = float(np.median(cold[-REPEATS:]))
        ratios.append(heard / middle)
        print(
            f"  heard {heard:.2f} s, by code {1e3 * middle:.1f} ms (best {1e3 * best:.1f}): "
            f"{heard / middle:.0f} x"
        )
    print(f"{name}: {len(codes)} candidates of {min(lines)} to {max(lines)} lines")
    print(f"  ratio: median {np.median(ratios):.0f} x, {min(ratios):.0f} to {max(ratios):.0f}")
    print(
        f"  ms per candidate: p50 {1e3 * np.percentile(each, 50):.1f}, "
        f"p95 {1e3 * np.percentile(each, 95):.1f}, longest {1e3 * max(each):.1f}"
    )
    print(f"  ms for all {len(codes)} from a warm cache: {1e3 * np.median(warm):.2f}")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="Ranking by code against ranking by sound.")
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    threadpool_limits(1, user_api="blas")  # as in the command and on stage; for both sides
    predictor = stored_predictor()
    own, installed = joined_templates(seed=0), examples()
    nearest = sorted(installed.values(), key=lambda code: abs(n_lines(code) - N_LINES))
    for code in own:
        predictor.foresee(code)  # tables of the atlas are made on first use
    gc.freeze()
    compare("two templates each", own, predictor, rounds)
    compare("installed examples", nearest[:N_CANDIDATES], predictor, rounds)
    every = [spent(lambda c=code: predictor.foresee(c)) for code in installed.values()] * REPEATS
    print(
        f"all {len(installed)} examples, ms each: p50 {1e3 * np.percentile(every, 50):.1f}, "
        f"p95 {1e3 * np.percentile(every, 95):.1f}"
    )


if __name__ == "__main__":
    main()
