"""What a clip costs an action agent that plays: `python tests/benchmarks/live_clips.py`.

For memories of several sizes: how long the work beside the beat takes (reading what is labelled
already, indexing all of the memory anew), and how long a step of the agent takes while that work
goes on in its thread, next to steps without it. Times are of the wall, ratios of one run.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from actors.clock import SystemClock  # noqa: E402
from actors.priority import SWITCH_SECONDS  # noqa: E402
from actors.side_work import SideThread  # noqa: E402
from agents.action.agent import ActionAgent, ActionConfig  # noqa: E402
from agents.action.clips import Clips  # noqa: E402
from agents.action.memory import Memory  # noqa: E402
from agents.action.navigation import Navigator  # noqa: E402
from agents.action.passages import Passages  # noqa: E402
from agents.action.track import Track  # noqa: E402
from agents.messages import Clip, MemoryChanged, Plan  # noqa: E402
from agents.musical_time import TempoMap  # noqa: E402
from corpus.segmentation import WindowGrid, exact_seconds  # noqa: E402

GRID = WindowGrid(8000, exact_seconds(0.25))
K, CLIP_SEGMENTS, N_CLIPS, HORIZON = 64, 24, 30, 4
RNG = np.random.default_rng(0)


def track(n_segments: int) -> Track:
    zeros = np.zeros(n_segments, np.float32)
    samples = np.zeros((GRID.boundary(n_segments), 2), np.float32)
    labels = RNG.integers(K, size=n_segments)
    attacks = np.zeros((n_segments, 4), np.float32)
    boundaries = GRID.boundaries(n_segments)
    return Track(samples, boundaries, labels[None], zeros[None], zeros - 20, zeros, attacks)


def measure(n_segments: int) -> str:
    clock = SystemClock()
    memory = Memory([track(n_segments)], GRID)
    distances = np.abs(np.subtract.outer(np.arange(K), np.arange(K))).astype(float)
    spent: list[float] = []

    def index(memory: Memory) -> list[Passages]:
        began = clock.now()
        made = [Passages(labels, memory.starts, distances) for labels in memory.labels]
        spent.append(clock.now() - began)
        return made

    config = ActionConfig(clip_seconds=7200)
    navigator = Navigator(index(memory), config, seed=0, now=clock.now)
    clips = Clips(memory, lambda _: track(CLIP_SEGMENTS), index, SideThread())
    agent = ActionAgent(memory, navigator, config, clips)
    calm, busy, window = [], [], 0

    def step(times: list[float], *news: Clip) -> bool:
        nonlocal window
        labels = tuple(RNG.integers(K, size=HORIZON).tolist())
        inbox = [*news, Plan(window, labels, (1.0,) * HORIZON)]
        window += 1
        clock.wait_until(clock.now() + 0.002)  # as between two windows: the thread may go on
        began = clock.now()
        said = agent.step(TempoMap().moment(window, 0.0), inbox)
        times.append(clock.now() - began)
        return any(isinstance(message, MemoryChanged) for message in said)

    for _ in range(300):
        step(calm)
    for k in range(N_CLIPS):
        step(busy, Clip(window, f"clip {k}", "/clip", 0.0))
        while not step(busy):
            pass
    before, during = (1e3 * np.quantile(times, [0.5, 0.99]) for times in (calm, busy))
    return (
        f"| {n_segments} | {1e3 * np.median(spent[1:]):.1f} | {before[0]:.2f} / {before[1]:.2f} "
        f"| {during[0]:.2f} / {during[1]:.2f} |"
    )


def main() -> None:
    sys.setswitchinterval(SWITCH_SECONDS)
    print("| segments | beside the beat, median ms | step, p50 / p99 ms | while a clip comes in |")
    print("|---|---|---|---|")
    for n_segments in (500, 2000, 10_000, 30_000):
        print(measure(n_segments), flush=True)


if __name__ == "__main__":
    main()
