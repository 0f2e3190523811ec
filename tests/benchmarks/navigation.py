"""How long memory navigation takes: 20-label queries over memories of four sizes and three kinds.

Run as `python tests/benchmarks/navigation.py` or `python -m tests.benchmarks.navigation`. Every
cell is measured in a process of its own, so that its peak memory is its own.
"""

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from agents.action.factor_oracle import FactorOracle
from agents.action.navigation import Navigator
from agents.action.navigation_config import NavigationConfig
from agents.action.passages import Passages

SIZES = (500, 2_000, 30_000, 1_000_000)
KINDS = ("random", "runs", "single")
N_LABELS = 64
QUERY_LABELS = 20
LIVE_LABELS = 4
PUBLISHED = {  # Dicy2's Python engine, 20-label queries, as measured in its own survey
    (500, "single"): "540 ms",
    (2_000, "random"): "56 / 117 ms",
    (2_000, "runs"): "123 / 233 ms",
    (2_000, "single"): "20.8 s",
    (30_000, "random"): "462 / 688 ms",
    (30_000, "runs"): "2.5 / 6.2 s",
    (30_000, "single"): "RecursionError",
}


def labels_of(kind: str, size: int, rng: np.random.Generator) -> np.ndarray:
    """Labels of a memory or a scenario: random, in runs of 8 on average, or all the same."""
    if kind == "single":
        return np.zeros(size, dtype=np.int64)
    if kind == "random":
        return rng.integers(N_LABELS, size=size)
    runs = rng.geometric(1 / 8, size=size)
    return np.repeat(rng.integers(N_LABELS, size=size), runs)[:size]


def measure(kind: str, size: int, n_queries: int) -> dict[str, float]:
    """Learn one memory, ask it `n_queries` times, and return milliseconds, seconds and MiB."""
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(N_LABELS, 8))
    distances = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    labels = labels_of(kind, size, rng)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    FactorOracle(labels.tolist())
    oracle_seconds = time.perf_counter() - start
    start = time.perf_counter()
    passages = Passages(labels, (0,), distances)
    learn_seconds = time.perf_counter() - start
    navigator = Navigator([passages], NavigationConfig(), seed=1, now=time.perf_counter)
    queries, busy, lives, history = [], [], [], []
    for query in range(n_queries):
        scenario = labels_of(kind, QUERY_LABELS, rng).tolist()
        busy_start, start = time.thread_time(), time.perf_counter()
        choices = navigator.navigate(scenario, history, window=query * QUERY_LABELS)
        queries.append(1e3 * (time.perf_counter() - start))
        busy.append(1e3 * (time.thread_time() - busy_start))
        history = [choice.segment for choice in choices]
        start = time.perf_counter()
        navigator.choose(scenario[:LIVE_LABELS], history, window=query)
        lives.append(1e3 * (time.perf_counter() - start))
    return {
        "median_ms": statistics.median(queries),
        "worst_ms": max(queries),
        "worst_busy_ms": max(busy),
        "live_median_ms": statistics.median(lives),
        "live_worst_ms": max(lives),
        "oracle_s": oracle_seconds,
        "learn_s": learn_seconds,
        "peak_mib": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
        "over_budget": navigator.n_over_budget,
    }


def main() -> None:
    """Print the table, or one measured cell as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--cell", nargs=2, metavar=("KIND", "SIZE"))
    arguments = parser.parse_args()
    if arguments.cell:
        print(json.dumps(measure(arguments.cell[0], int(arguments.cell[1]), arguments.queries)))
        return
    budget_ms = 1e3 * NavigationConfig().budget_seconds
    print(f"{QUERY_LABELS}-label queries, {arguments.queries} per cell, time budget {budget_ms} ms")
    print(f"{platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}\n")
    print(
        "Worst is by the wall clock, what other processes took included; busy is our own.\n\n"
        "| events | memory | median / worst ms | worst busy ms | H = 4 step ms "
        "| learn s (oracle) | peak MiB | over budget | Dicy2 |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for size in SIZES:
        for kind in KINDS:
            command = [sys.executable, __file__, "--cell", kind, str(size)]
            command += ["--queries", str(arguments.queries)]
            cell = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
            print(
                f"| {size} | {kind} | {cell['median_ms']:.3f} / {cell['worst_ms']:.3f} "
                f"| {cell['worst_busy_ms']:.3f} "
                f"| {cell['live_median_ms']:.3f} / {cell['live_worst_ms']:.3f} "
                f"| {cell['learn_s']:.3f} ({cell['oracle_s']:.3f}) | {cell['peak_mib']:.0f} "
                f"| {cell['over_budget']:.0f} | {PUBLISHED.get((size, kind), '')} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
