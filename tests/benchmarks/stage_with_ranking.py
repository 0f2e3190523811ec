"""What code ranking costs the music: `python tests/benchmarks/stage_with_ranking.py`.

One run of the stage as a performer starts it, in which ranking is busy and rests by turns. Busy
means the worst case: a request every half second, each with ten programs never seen before, all of
which are to be run and rendered. Windows of both kinds are compared with each other, so that
whatever else the machine does falls on both alike; windows near a turn are left out.
"""

import argparse
import contextlib
import json
import os
import platform
import socket
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from pythonosc.udp_client import SimpleUDPClient  # noqa: E402

from actors.clock import SystemClock  # noqa: E402

TURN_SECONDS = 10.0
REQUEST_SECONDS = 0.5
SETTLE_WINDOWS = 12
"""Windows after a turn that count for neither: renders under way still end."""
CONTEXT = "use_bpm 100\nlive_loop :drums do\n  sample :bd_haus\n  sleep 1\nend\n"
CANDIDATE = (
    "live_loop :voice do\n  use_synth :{synth}\n  with_fx :reverb, mix: {mix} do\n"
    "    play scale(:c{octave}, :minor).choose, release: {release}, cutoff: {cutoff}\n"
    "    sample :bd_tek if one_in(3)\n    sleep {sleep}\n  end\nend\n"
)
SYNTHS = ("prophet", "fm", "tb303", "hollow", "saw", "pluck", "blade", "dsaw", "beep", "piano")


def free_port(kind: int) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def unheard(rng: np.random.Generator) -> str:
    return CANDIDATE.format(
        synth=SYNTHS[rng.integers(len(SYNTHS))],
        mix=round(rng.uniform(0.1, 0.9), 4),
        octave=rng.integers(2, 6),
        release=round(rng.uniform(0.1, 2.0), 4),
        cutoff=round(rng.uniform(50, 120), 2),
        sleep=rng.choice([0.125, 0.25, 0.5, 1.0]),
    )


def rows(journal: Path, query: str) -> list[tuple]:
    if not journal.exists():
        return []
    with (
        contextlib.suppress(sqlite3.OperationalError),
        contextlib.closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as database,
    ):
        return database.execute(query).fetchall()
    return []


def play(folder: Path, seconds: float, window: float) -> tuple[dict, list[tuple]]:
    """The report of a run, and who was asked what in which window."""
    clock, rng = SystemClock(), np.random.default_rng(0)
    code_port = free_port(socket.SOCK_DGRAM)
    settings = {
        "audio.output": "null",
        "osc": "null",
        "streams.publish_port": free_port(socket.SOCK_STREAM),
        "streams.subscribe_port": free_port(socket.SOCK_STREAM),
        "code_ranking.enabled": "true",
        "code_ranking.desk.osc.port": code_port,
        "code_ranking.desk.preview.seconds": 4,
    }
    command = [sys.executable, str(ROOT / "launch" / "stage.py"), "--out", str(folder)]
    command += ["--seconds", str(seconds), "--window", str(window)]
    command += [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    journal = folder / "journal.sqlite"
    client = SimpleUDPClient("127.0.0.1", code_port)
    stage = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    in_band = "SELECT 1 FROM messages WHERE topic = 'heartbeat' AND sender = 'code_ranking'"
    while stage.poll() is None and not rows(journal, in_band):
        clock.wait_until(clock.now() + 0.5)
    started = clock.now()
    while stage.poll() is None:
        if int((clock.now() - started) / TURN_SECONDS) % 2:
            client.send_message("/antiphon/code/context", CONTEXT)
            for _ in range(10):
                client.send_message("/antiphon/code/candidate", unheard(rng))
            client.send_message("/antiphon/code/rank", 3)
        clock.wait_until(clock.now() + REQUEST_SECONDS)
    if stage.returncode:
        raise SystemExit(f"the stage must finish, it ended with {stage.returncode}")
    asked = rows(journal, "SELECT DISTINCT window FROM messages WHERE topic = 'code.request'")
    joined = rows(journal, f"{in_band.replace('SELECT 1', 'SELECT min(window)')}")
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return report, [joined[0], *asked]


def phases(report: dict, asked: list[tuple]) -> dict[str, list[int]]:
    """The windows in which ranking was busy, and those in which it rested."""
    (joined,), *requests = asked
    busy = np.zeros(report["windows"], bool)
    for (window,) in requests:
        busy[window : window + round(2 * REQUEST_SECONDS / report["window_seconds"])] = True
    turned = np.flatnonzero(np.diff(busy.astype(int)))
    near = np.zeros(len(busy), bool)
    for turn in turned:
        near[turn + 1 : turn + 1 + SETTLE_WINDOWS] = True
    counted = [k for k in range(joined + SETTLE_WINDOWS, len(busy) - 4) if not near[k]]
    return {
        "resting": [k for k in counted if not busy[k]],
        "busy": [k for k in counted if busy[k]],
    }


def row(name: str, windows: list[int], report: dict) -> str:
    reaction = [report["reaction_ms_per_window"][k] for k in windows]
    known = [ms for ms in reaction if ms is not None]
    late = sum(ms is None for ms in reaction)
    missed = sum(report["reasons"][k] == "missed" for k in windows)
    underruns = sum(report["underruns_per_window"][k] for k in windows)
    p50, p95, p99 = np.percentile(known, [50, 95, 99]) if known else (np.nan,) * 3
    return (
        f"| {name} | {len(windows)} | {p50:.1f} | {p95:.1f} | {p99:.1f} "
        f"| {max(known, default=np.nan):.1f} | {late} | {missed} | {underruns} |"
    )


def bootstrap_ratio(report: dict, chosen: dict[str, list[int]]) -> str:
    """The ratio of the p99s, busy to resting, with its 95 % interval over windows."""
    rng = np.random.default_rng(0)
    kinds = [
        np.array([ms for k in chosen[name] if (ms := report["reaction_ms_per_window"][k])])
        for name in ("busy", "resting")
    ]
    draws = [
        np.percentile(rng.choice(kinds[0], len(kinds[0])), 99)
        / np.percentile(rng.choice(kinds[1], len(kinds[1])), 99)
        for _ in range(2000)
    ]
    ratio = np.percentile(kinds[0], 99) / np.percentile(kinds[1], 99)
    low, high = np.percentile(draws, [2.5, 97.5])
    return f"{ratio:.2f} [{low:.2f}, {high:.2f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--window", type=float, default=0.25)
    arguments = parser.parse_args()
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, ", end="")
    print(f"load {os.getloadavg()[0]:.1f} at the start, Δ {arguments.window} s")
    with tempfile.TemporaryDirectory() as scratch:
        report, asked = play(Path(scratch) / "run", arguments.seconds, arguments.window)
    chosen = phases(report, asked)
    print("| ranking | windows | p50 ms | p95 | p99 | max | late | missed | underruns |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, windows in chosen.items():
        print(row(name, windows, report))
    print(f"\nreaction p99, busy / resting: {bootstrap_ratio(report, chosen)}")
    print(f"load at the end {os.getloadavg()[0]:.1f}; code ranking: ", end="")
    print(json.dumps(report.get("code_ranking")))


if __name__ == "__main__":
    main()
