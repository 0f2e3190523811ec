"""How many clips a minute: `python tests/benchmarks/evolution_workers.py [--seconds 60]`.

Real Ray, the real Sonic Pi generator, the real features and taste model. One worker and two on this
machine; then a cluster of two nodes started here, a worker on each; then the second node is killed
in the middle, and it is counted what was lost.
"""

import argparse
import os
import platform
import sys
import tempfile
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "benchmarks")]

# a lost node is noticed within seconds; set before Ray starts
for name, value in (("initial_delay_ms", 500), ("period_ms", 500), ("timeout_ms", 1000)):
    os.environ[f"RAY_health_check_{name}"] = str(value)


import numpy as np  # noqa: E402
import ray  # noqa: E402
from ray.cluster_utils import Cluster  # noqa: E402
from stage_with_evolution import make_world  # noqa: E402

from actors.clock import SystemClock  # noqa: E402
from actors.evolution_config import StageEvolutionConfig  # noqa: E402
from actors.evolution_studio import Studio  # noqa: E402
from actors.evolution_workers import Workforce  # noqa: E402
from actors.ray_session import start_ray  # noqa: E402


class Shift:
    """A studio with workers, and what they have done."""

    def __init__(self, config: StageEvolutionConfig, n_workers: int) -> None:
        self.clock = SystemClock()
        self.studio = Studio(config, config.folder / "feedback.sqlite", {}, seed=0)
        self.workers = Workforce(
            self.studio.build_evaluator, n_workers, config.resources, config.priority
        )
        self.n_workers = n_workers
        self.n_failed = 0

    def work(self, seconds: float, least: int = 0) -> int:
        """Clips made in `seconds`, or until `least` are."""
        began, n_done = self.clock.now(), 0
        while self.clock.now() - began < seconds and (not least or n_done < least):
            while self.workers.n_busy < self.n_workers:
                if self.workers.n_waiting:
                    self.workers.hand_out()
                elif (child := self.studio.next_child()) is not None:
                    self.workers.hand_out(child)
                elif self.studio.evolution.is_complete:
                    self.studio.evolution.close_generation()
                else:
                    break
            for done in self.workers.collect(1.0):
                self.studio.take(done.answer, done.clip, done.sample_rate)
                n_done += 1
        return n_done

    def close(self) -> None:
        self.workers.close()


def rate(config: StageEvolutionConfig, n_workers: int, seconds: float) -> float:
    """Clips per minute, once all workers have begun."""
    shift = Shift(config, n_workers)
    shift.work(300.0, least=2 * n_workers)
    n_done = shift.work(seconds)
    shift.close()
    return 60 * n_done / seconds


def on_cluster(make: "partial[StageEvolutionConfig]", seconds: float) -> None:
    options = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
    node = {**options, "resources": {"evolution": 1}}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    try:
        second = cluster.add_node(**node, wait=True)
        ray.init(address=cluster.address, log_to_driver=False, configure_logging=False)
        config = make(resources={"evolution": 1})
        print(f"| two nodes, a worker on each | {rate(config, 2, seconds):.1f} |", flush=True)
        shift = Shift(config, 2)
        shift.work(300.0, least=4)
        before = shift.studio.evolution.n_evaluated
        n_first = shift.work(seconds / 4)
        cluster.remove_node(second, allow_graceful=False)
        n_after = shift.work(seconds)
        lost, times = shift.workers.n_children_lost, shift.workers.n_lost
        evaluated = shift.studio.evolution.n_evaluated - before
        print(
            f"\na node killed in the middle: {n_first} clips before, {n_after} after it, ", end=""
        )
        print(f"{lost} child in flight handed out again, {times} times, ", end="")
        print(f"{evaluated} of {n_first + n_after} answers counted")
        # more than once if its new worker begins on the node before Ray has noticed that it is gone
        if lost > 1 or evaluated != n_first + n_after or not n_after:
            sys.exit("more was lost than the child in flight")
        shift.close()
    finally:
        ray.shutdown()  # a cluster that is still connected to would refuse to end
        cluster.shutdown()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="of each measurement")
    parser.add_argument("--priority", choices=("idle", "low", "normal"), default="normal")
    arguments = parser.parse_args()
    paths = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join(part for part in (str(ROOT), paths) if part)
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, ", end="")
    print(f"load {os.getloadavg()[0]:.1f} at the start; clips of 4 s")
    print("| workers | clips per minute |\n|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        songs, taste = make_world(Path(scratch))
        folder = Path(scratch) / "evolution"
        folder.mkdir()
        make = partial(
            StageEvolutionConfig,
            taste=taste,
            songs=songs,
            folder=folder,
            seconds=4.0,
            priority=arguments.priority,
        )
        start_ray(2, niceness=0)
        rates = [rate(make(), n, arguments.seconds) for n in (1, 2)]
        for n, one in zip((1, 2), rates, strict=True):
            print(f"| {n} on this machine | {one:.1f} |")
        print(f"| ratio | {np.divide(*rates[::-1]):.2f} |", flush=True)
        ray.shutdown()
        on_cluster(make, arguments.seconds)


if __name__ == "__main__":
    main()
