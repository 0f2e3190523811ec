"""How well and how fast the static sketch foresees programs; prints a table. Needs Sonic Pi.

`python tests/benchmarks/sketch.py [FOLDER ...]`: programs of the installed examples, of the test
programs beside the tests, and of any folders named.
"""

import gc
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from corpus.sonic_pi.atlas import stored_atlas
from corpus.sonic_pi.events import Event
from corpus.sonic_pi.install import find_installation
from corpus.sonic_pi.mel import mel_spectrogram
from corpus.sonic_pi.renderer import Renderer
from corpus.sonic_pi.sketch import sketch
from corpus.sonic_pi.unroller import Unroller

SECONDS = 10.0
ROUNDS = 5
COMPARED = (
    "note",
    "amp",
    "rate",
    "cutoff",
    "release",
    "sustain",
    "attack",
    "pan",
    "start",
    "finish",
)
PROGRAMS = Path(__file__).parents[1] / "corpus" / "sonic_pi_programs"


def sounds(events: list[Event] | tuple[Event, ...]) -> list[Event]:
    """What sounds, away from the very end, where rounding decides."""
    return [e for e in events if e.kind in ("synth", "sample") and e.time < SECONDS - 0.01]


def matched(foreseen: list[Event], real: list[Event]) -> tuple[int, int]:
    """How many real events are foreseen within 1 ms; of them, with equal arguments (0.1 %)."""
    left: dict[str, list[Event]] = defaultdict(list)
    for event in foreseen:
        left[event.name].append(event)
    n_in_time = n_equal = 0
    for event in real:
        near = [other for other in left[event.name] if abs(other.time - event.time) <= 0.001]
        if near:
            best = min(near, key=lambda other: differences(event, other))
            left[event.name].remove(best)
            n_in_time += 1
            n_equal += differences(event, best) == 0
    return n_in_time, n_equal


def differences(one: Event, other: Event) -> int:
    """In how many arguments two events differ."""
    count = 0
    for key in COMPARED:
        a, b = one.arguments.get(key, 0.0), other.arguments.get(key, 0.0)
        count += abs(a - b) > 1e-3 * max(1.0, abs(a))
    return count


def correlation(made: np.ndarray, real: np.ndarray) -> float:
    """Of two mel means in decibels."""
    decibels = [10 * np.log10(x.mean(axis=1) / (x.mean() + 1e-20) + 1e-5) for x in (made, real)]
    return float(np.corrcoef(*decibels)[0, 1])


def main() -> None:
    """Measures and prints."""
    folders = [Path(name) for name in sys.argv[1:]]
    paths = sorted(find_installation().example_folder.glob("*/*.rb")) + sorted(
        PROGRAMS.glob("*.rb")
    )
    paths += [path for folder in folders for path in sorted(folder.glob("**/*.rb"))]
    unroller, atlas, times, rows = Unroller(), stored_atlas(), [], []
    gc.freeze()
    print(f"{'program':24} lines events recall precision equal  mel  coverage   ms")
    with Renderer() as renderer:
        for path in paths:
            code = path.read_text(encoding="utf-8")
            rendering = renderer.render(code, SECONDS)
            spent = []
            for _ in range(ROUNDS):
                start = time.process_time()
                result = unroller.unroll(code, SECONDS)
                made = sketch(result.events, SECONDS, atlas)
                spent.append(1e3 * (time.process_time() - start))
            foreseen, real = sounds(result.events), sounds(rendering.events)
            n_in_time, n_equal = matched(foreseen, real)
            real_power = mel_spectrogram(rendering.audio)[:, : made.power.shape[1]]
            row = (
                n_in_time / max(1, len(real)),
                n_in_time / max(1, len(foreseen)),
                n_equal / max(1, len(real)),
                correlation(made.power, real_power),
                result.coverage.share,
            )
            n_lines = sum(bool(line.strip()) for line in code.splitlines())
            print(
                f"{path.stem:24} {n_lines:5} {len(foreseen):3}/{len(real):3} {row[0]:5.2f} "
                f"{row[1]:8.2f} {row[2]:6.2f} {row[3]:6.3f} {row[4]:6.2f} {np.median(spent):8.1f}"
            )
            rows.append(row)
            times.extend(spent)
    means, medians = np.mean(rows, axis=0), np.median(rows, axis=0)
    print("mean   ", " ".join(f"{value:.3f}" for value in means))
    print("median ", " ".join(f"{value:.3f}" for value in medians))
    print(
        f"ms per candidate: p50 {np.percentile(times, 50):.1f}, p95 {np.percentile(times, 95):.1f}"
    )


if __name__ == "__main__":
    main()
