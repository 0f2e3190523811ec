"""What evolution costs the stage: `python tests/benchmarks/stage_with_evolution.py [--minutes 3]`.

One run of the rehearsal on real Ray, with the real Sonic Pi generator and as many workers as there
are cores; evolution is let in and kept out by turns, so that whatever else the machine does falls
on both alike. Printed are the reaction with and without, their ratio with an interval (bootstrap
over turns), ISRw, misses, and how much evolution got done. By default the throttle is held open,
which is full load; `--throttle` leaves it to itself, as on stage.
"""

import argparse
import json
import os
import platform
import socket
import sqlite3
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import soundfile  # noqa: E402
import torch  # noqa: E402
from pythonosc.udp_client import SimpleUDPClient  # noqa: E402

from actors.clock import SystemClock  # noqa: E402
from corpus.audio_file import read_audio  # noqa: E402
from corpus.song_features import SongDescriptors, encode_folder  # noqa: E402
from models.metrics.timing import weighted_success_rate  # noqa: E402
from models.taste import AlignerV2, TasteConfig  # noqa: E402
from models.taste_checkpoint import save_aligner  # noqa: E402

TURN_SECONDS = 10.0
SETTLE_SECONDS = 2.5
"""At the start of a turn: children in flight end, or new ones begin."""
START_SECONDS = 480.0
WINDOW = 0.25


@dataclass
class Turn:
    """A turn: whether evolution was let in, and the windows in it."""

    working: bool
    first: int
    last: int


def make_world(folder: Path) -> tuple[Path, Path]:
    """A folder of real music, cut from the demo, and a taste model that has learned nothing."""
    songs = folder / "songs"
    songs.mkdir(parents=True)
    for path in sorted((ROOT / "corpus/demo/audio").rglob("*.ogg")):
        samples = read_audio(path, 22_050, 1)
        for k in range(3):
            part = samples[k * 4 * 22_050 : (k + 1) * 4 * 22_050]
            if len(part) == 4 * 22_050 and np.abs(part).max() > 0.01:
                soundfile.write(songs / f"{path.parent.name}-{path.stem}-{k}.wav", part, 22_050)
    _, layers = encode_folder(songs, SongDescriptors(), cache=folder / "heard")
    aligner = AlignerV2(TasteConfig(), 50, *layers.shape[1:])
    deviation = torch.from_numpy(layers.std(axis=0)).clamp(min=1e-3)
    aligner.set_standard(torch.from_numpy(layers.mean(axis=0)), deviation)
    save_aligner(folder / "taste.safetensors", aligner, {"encoder": SongDescriptors.name})
    return songs, folder / "taste.safetensors"


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(journal: Path, query: str) -> list[tuple]:
    if not journal.exists():
        return []
    try:
        database = sqlite3.connect(f"file:{journal}?mode=ro", uri=True)
        try:
            return database.execute(query).fetchall()
        finally:
            database.close()
    except sqlite3.OperationalError:
        return []


class Show:
    """The stage, in processes of its own, and the hand on its evolution."""

    def __init__(self, folder: Path, arguments: argparse.Namespace) -> None:
        songs, taste = make_world(folder / "world")
        (folder / "evolution").mkdir()
        (folder / "evolution" / "heard").symlink_to(folder / "world" / "heard")
        self.journal = folder / "run" / "journal.sqlite"
        self.n_workers = arguments.workers
        osc = free_port(socket.SOCK_DGRAM)
        self._osc = SimpleUDPClient("127.0.0.1", osc)
        seconds = arguments.minutes * 60 + 2 * START_SECONDS
        throttle = "{learn_windows: 20}"
        if not arguments.throttle:
            throttle = "{learn_windows: 20, most_ratio: 1000, hold_windows: 1}"
        settings = {
            "window": WINDOW,
            "audio.output": "null",
            "osc.port": osc,
            "streams.publish_port": free_port(socket.SOCK_STREAM),
            "streams.subscribe_port": free_port(socket.SOCK_STREAM),
            "memory": f"[{ROOT / 'corpus/demo/audio/call_and_answer/piano.ogg'}]",
            "evolution.enabled": "true",
            "evolution.taste": taste,
            "evolution.songs": songs,
            "evolution.folder": folder / "evolution",
            "evolution.workers": arguments.workers,
            "evolution.seconds": 4,
            "evolution.accept": -20,
            "evolution.throttle": throttle,
            "evolution.priority": arguments.priority,
        }
        command = [sys.executable, str(ROOT / "launch/stage.py"), "--out", str(folder / "run")]
        command += ["--seconds", str(seconds)]
        for name, value in settings.items():
            command += ["--set", f"{name}={value}"]
        self.log = (folder / "stage.log").open("w")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)

    def let_in(self, n_workers: int) -> None:
        self._osc.send_message("/antiphon/control", ["evolution.workers", n_workers])

    def window(self) -> int:
        return ask(self.journal, "SELECT max(window) FROM messages WHERE topic = 'tick'")[0][0]

    def wait_for(self, query: str, what: str) -> None:
        clock = SystemClock()
        until = clock.now() + START_SECONDS
        while not ask(self.journal, query):
            if self.process.poll() is not None or clock.now() > until:
                self.log.flush()
                said = Path(self.log.name).read_text()[-2000:]
                sys.exit(f"{what} must come within {START_SECONDS:.0f} s, but:\n{said}")
            clock.wait_until(clock.now() + 0.5)

    def turns(self, seconds: float) -> list[Turn]:
        """Let evolution in and keep it out by turns."""
        clock, turns = SystemClock(), []
        until = clock.now() + seconds
        while clock.now() < until:
            working = len(turns) % 2 == 1
            self.let_in(self.n_workers if working else 0)
            clock.wait_until(clock.now() + SETTLE_SECONDS)
            first = self.window() + 1
            clock.wait_until(clock.now() + TURN_SECONDS)
            turns.append(Turn(working, first, self.window() - 1))
        return turns

    def end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()


def figures(rows: list[dict]) -> dict:
    reactions = [r["reaction_seconds"] for r in rows if r["reaction_seconds"] is not None]
    success = np.array([r["reason"] != "missed" for r in rows])
    staleness = np.array([r["staleness"] for r in rows])
    p50, p95, p99 = 1e3 * np.quantile(reactions, [0.5, 0.95, 0.99])
    return {
        "windows": len(rows),
        "isrw": weighted_success_rate(success, staleness),
        "misses": int((~success).sum()),
        "underruns": sum(r["underruns"] for r in rows),
        "p50": p50,
        "p95": p95,
        "p99": p99,
    }


def interval(groups: dict[bool, list[list[dict]]]) -> tuple[float, float]:
    """95 % of the ratio of the p99s, over turns drawn with replacement."""
    rng, ratios = np.random.default_rng(0), []
    for _ in range(2000):
        p99 = {}
        for working, turns in groups.items():
            drawn = [turns[int(k)] for k in rng.integers(len(turns), size=len(turns))]
            p99[working] = figures([row for turn in drawn for row in turn])["p99"]
        ratios.append(p99[True] / p99[False])
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(low), float(high)


def report(show: Show, turns: list[Turn]) -> None:
    query = "SELECT payload FROM messages WHERE topic = 'played'"
    played = {}
    for (payload,) in ask(show.journal, query):
        row = json.loads(payload)
        played[row["window"]] = row
    groups: dict[bool, list[list[dict]]] = {False: [], True: []}
    for turn in turns:
        windows = range(turn.first, turn.last + 1)
        groups[turn.working].append([played[k] for k in windows if k in played])
    print("| evolution | windows | ISRw | misses | underruns | p50 ms | p95 | p99 |")
    print("|---|---|---|---|---|---|---|---|")
    table = {}
    for working, name in ((False, "kept out"), (True, f"{show.n_workers} workers")):
        f = table[working] = figures([row for turn in groups[working] for row in turn])
        print(
            f"| {name} | {f['windows']} | {f['isrw']:.4f} | {f['misses']} | {f['underruns']} "
            f"| {f['p50']:.1f} | {f['p95']:.1f} | {f['p99']:.1f} |"
        )
    low, high = interval(groups)
    ratio = table[True]["p99"] / table[False]["p99"]
    print(f"\nreaction p99 with evolution: {ratio:.2f} × without [{low:.2f}, {high:.2f}]", end="")
    print(f" (to reach: ≤ 1.5); ISRw with it {table[True]['isrw']:.4f} (to reach: ≥ 0.995)")
    states = [
        json.loads(payload)
        for (payload,) in ask(
            show.journal, "SELECT payload FROM messages WHERE topic = 'evolution.state' ORDER BY id"
        )
    ]
    clips = ask(show.journal, "SELECT count(*) FROM messages WHERE topic = 'evolution.clip'")
    changes = ask(
        show.journal,
        "SELECT payload ->> 'event', count(*) FROM messages WHERE topic = 'memory' GROUP BY 1",
    )
    done = states[-1] if states else {}
    print(
        f"evolution: {done.get('n_evaluated', 0)} clips made and judged in {done.get('generation')}"
        f" generations, {done.get('n_failed')} failed; {clips[0][0]} offered; memory {changes}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=3.0, help="of turns")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--throttle", action="store_true", help="let evolution give way")
    parser.add_argument("--priority", choices=("idle", "low", "normal"), default="idle")
    arguments = parser.parse_args()
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, ", end="")
    print(f"load {os.getloadavg()[0]:.1f} at the start", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        show = Show(Path(scratch), arguments)
        try:
            show.wait_for("SELECT 1 FROM messages WHERE topic = 'evolution.state'", "evolution")
            turns = show.turns(arguments.minutes * 60)
        finally:
            show.end()
        report(show, turns)


if __name__ == "__main__":
    main()
