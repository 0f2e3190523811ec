"""The stage, measured: `python tests/benchmarks/stage.py [--seconds 120] [--quick]`.

In one run, on one machine:
1. the band on Ray at real pace, Δ = 0.25 s and 0.125 s: ISRw, misses, underruns, reaction;
2. the same device, engine and agents at real pace in one process, without Ray and ZeroMQ, before
   and after: the ratio of the median reactions is what the machinery costs;
3. the fast twin: how many times faster than real time;
4. start-up time and memory of the whole band.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from actors.clock import SystemClock  # noqa: E402
from actors.fast_band import FastBand  # noqa: E402
from actors.priority import ask_for_real_time  # noqa: E402
from actors.report.report import report_from_run  # noqa: E402
from actors.stage_config import StageConfig  # noqa: E402
from launch.config import load_config  # noqa: E402
from launch.preparation import prepare  # noqa: E402

REHEARSAL = ROOT / "configs" / "rehearsal.yaml"


class Untold:
    """Is told how the preparation goes, and keeps it to itself."""

    def begin(self, step: str) -> None: ...

    def tell(self, detail: str) -> None: ...

    def note(self, sentence: str) -> None: ...


def band_on_ray(folder: Path, seconds: float, window: float) -> dict:
    """The report of a real-pace run, started as a performer starts it."""
    command = [sys.executable, str(ROOT / "launch" / "stage.py"), "--out", str(folder)]
    command += ["--seconds", str(seconds), "--window", str(window), "--set", "audio.output=null"]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, timeout=seconds + 180)
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


def band_in_one_process(folder: Path, seconds: float, window: float, pace: str) -> dict:
    """The report of a run in this process; at real pace on the same replay device."""
    options = {"out": folder, "seconds": seconds, "window": window, "pace": pace}
    config = load_config(StageConfig, REHEARSAL, options=options, assignments=["osc=null"])
    silent = config.audio.model_copy(update={"output": None})
    config = config.model_copy(update={"audio": silent})
    band_config = prepare(config, "bench", Untold())
    clock = SystemClock()
    spent: list[float] = []

    def play() -> None:
        if pace == "real":
            ask_for_real_time(20)
        band = FastBand(band_config)  # sockets and journal stay in the thread that makes them
        started = clock.now()
        band.run(threading.Event())
        spent.append(clock.now() - started)

    thread = threading.Thread(target=play)
    thread.start()
    thread.join()
    report_from_run(folder, finished=True)
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return report | {"spent_seconds": spent[0]}


def row(name: str, report: dict) -> str:
    reaction = report["reaction_ms"]
    return (
        f"| {name} | {report['windows']} | {report['isrw']:.4f} | {report['misses']} "
        f"| {report['underruns']} | {reaction['p50']:.1f} | {reaction['p95']:.1f} "
        f"| {reaction['p99']:.1f} | {reaction['max']:.1f} | {report['anticipation']:.2f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120.0)
    seconds = parser.parse_args().seconds
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, ", end="")
    print(f"load {os.getloadavg()[0]:.1f} at the start; {seconds:.0f} s a run")
    print("| run | windows | ISRw | misses | underruns | p50 ms | p95 | p99 | max | anticipation |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        before = band_in_one_process(folder / "before", seconds / 2, 0.25, "real")
        print(row("one process, Δ 0.25 s", before), flush=True)
        ray = band_on_ray(folder / "ray", seconds, 0.25)
        print(row("Ray and ZeroMQ, Δ 0.25 s", ray), flush=True)
        after = band_in_one_process(folder / "after", seconds / 2, 0.25, "real")
        print(row("one process again", after), flush=True)
        short = band_on_ray(folder / "short", seconds, 0.125)
        print(row("Ray and ZeroMQ, Δ 0.125 s", short), flush=True)
        fast = [band_in_one_process(folder / f"f{i}", seconds, 0.25, "fast") for i in range(3)]
    direct = statistics.mean(r["reaction_ms"]["p50"] for r in (before, after))
    print(f"\nmachinery: median reaction {ray['reaction_ms']['p50'] / direct:.2f} × one process")
    print(f"stages, ms: {ray['stages_ms']}; one hop: {ray['stream_ms']}")
    speeds = sorted(seconds / r["spent_seconds"] for r in fast)
    print(f"fast pace: {speeds[1]:.0f} × real time (of three: {[round(s) for s in speeds]})")
    print(f"start to first answer: {ray['startup_seconds']:.1f} s; ", end="")
    print(f"peak memory of all processes: {ray['peak_memory_mb']:.0f} MiB (resident, shared twice)")


if __name__ == "__main__":
    main()
