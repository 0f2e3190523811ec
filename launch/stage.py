"""Play: a guide or a live input is heard, and answered inside [T, T+Δ].

`python launch/stage.py`, `python -m launch.stage` and `antiphon stage` are the same command.
"""

if __package__ in (None, ""):  # run as a file: the packages lie one folder up
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import json
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from actors.clock import SystemClock
from actors.devices.sound_card import list_devices
from actors.fast_band import FastBand
from actors.performance import Outcome, Performance
from actors.report.report import report_from_run
from actors.stage_config import BandConfig, StageConfig
from actors.supervisor import StartError
from actors.terminal.display import Display
from actors.terminal.start_up import StartUp
from actors.terminal.status_line import StatusLine
from launch.config import PROJECT_ROOT, load_config, resolve
from launch.preparation import prepare

DEFAULT_CONFIG = PROJECT_ROOT / "configs" / "rehearsal.yaml"
REFUSALS = (ValueError, OSError, StartError)
"""What is told in one sentence; anything else is a defect of ours and keeps its traceback."""


def main(argv: Sequence[str] | None = None) -> int:
    """Play as the command line says.

    Returns:
        0 if the run finished, 1 if it did not, 2 if it could not start.
    """
    started = SystemClock().now()
    arguments = _parser().parse_args(argv)
    console = Console(stderr=True)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        if arguments.list_devices:
            return _list_devices()
        return _play(arguments, console, started)
    except REFUSALS as error:
        console.print(f"error: {_one_line(error)}", style="red", markup=False, soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        console.print("ended before the music began")
        return 130


def _play(arguments: argparse.Namespace, console: Console, started: float) -> int:
    config_path = resolve(arguments.config)
    config = load_config(
        StageConfig,
        config_path,
        options=_options(arguments),
        assignments=_assignments(arguments),
    )
    start_up = StartUp()
    with Display(start_up, console=console, line_seconds=0.001) as display:

        def begin(step: str) -> None:
            start_up.begin(step)
            display.refresh(now=True)

        def tell(detail: str) -> None:
            start_up.tell(detail)
            display.refresh(now=True)

        band = prepare(config, config_path.stem, begin, tell)
        if band.pace == "fast":
            begin("playing at fast pace")
            outcome, seconds = _play_fast(band, started)
        else:
            outcome, seconds = _play_real(band, start_up, display, begin, started)
    return _conclude(band, outcome, seconds, console)


def _play_fast(band: BandConfig, started: float) -> tuple[Outcome, float]:
    fast = FastBand(band)
    stop = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    ready = SystemClock().now()
    fast.run(stop)
    memory_mb = psutil.Process().memory_info().rss / 2**20
    return Outcome(True, "", ready, {}, memory_mb), ready - started


def _play_real(
    band: BandConfig,
    start_up: StartUp,
    display: Display,
    begin: Callable[[str], None],
    started: float,
) -> tuple[Outcome, float]:
    status = StatusLine(window_seconds=band.window, n_windows=band.n_windows)

    def on_begin() -> Display:
        start_up.done()
        display.show(status)
        return display

    outcome = Performance(band, SystemClock(), status).run(begin, on_begin)
    first = outcome.first_answer if outcome.first_answer is not None else started
    return outcome, first - started


def _conclude(band: BandConfig, outcome: Outcome, seconds: float, console: Console) -> int:
    extra = {
        "restarts_by_role": outcome.restarts,
        "startup_seconds": round(seconds, 3),
        "peak_memory_mb": round(outcome.peak_memory_mb, 1),
        "failure": outcome.failure,
    }
    _, page = report_from_run(band.out, finished=outcome.finished, extra=extra)
    summary = json.loads((band.out / "report.json").read_text(encoding="utf-8"))
    console.print(_summary(summary), markup=False, highlight=False, soft_wrap=True)
    console.print(f"{band.out}: mix.wav to hear, {page.name} to see", markup=False, soft_wrap=True)
    if outcome.failure:
        console.print(f"error: {outcome.failure}", style="red", markup=False, soft_wrap=True)
    return 0 if outcome.finished else 1


def _summary(summary: dict[str, Any]) -> str:
    reaction = summary["reaction_ms"]
    return (
        f"{summary['windows']} windows, ISRw {_figure(summary['isrw'], 4)}, "
        f"misses {summary['misses']}, underruns {summary['underruns']}, "
        f"anticipation {_figure(summary['anticipation'], 2)}, "
        f"reaction p50 {_figure(reaction['p50'], 1)} ms, p99 {_figure(reaction['p99'], 1)} ms, "
        f"restarts {summary['restarts']}"
    )


def _figure(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _list_devices() -> int:
    for card in list_devices():
        print(
            f"{card.index:3d}  {card.name}  ({card.host_api}; {card.inputs} in, "
            f"{card.outputs} out, {card.sample_rate:.0f} Hz)"
        )
    return 0


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "replay": arguments.replay,
        "memory": arguments.memory,
        "bundle": arguments.bundle,
        "window": arguments.window,
        "pace": arguments.pace,
        "seed": arguments.seed,
        "seconds": arguments.seconds,
        "out": arguments.out,
        "audio.input": arguments.input,
        "audio.output": arguments.output,
    }


def _assignments(arguments: argparse.Namespace) -> list[str]:
    live = arguments.input is not None and arguments.replay is None
    return [*(["replay=null"] if live else []), *arguments.set]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="antiphon stage", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--config", type=Path, default=DEFAULT_CONFIG, metavar="YAML", help="the situation")
    add("--replay", metavar="GUIDE", help="an audio file to hear instead of the sound card")
    add("--memory", nargs="+", metavar="FILE", help="the sounds to answer with")
    add("--bundle", metavar="DIR", help="what was learned")
    add("--window", type=float, metavar="SECONDS", help="Δ, 0.125 to 1")
    add("--pace", choices=("real", "fast"), help="as a sound card, or without waiting")
    add("--seed", type=int, metavar="N", help="of every draw")
    add("--seconds", type=float, metavar="S", help="how long to play; a short guide is repeated")
    add("--out", type=Path, metavar="DIR", help="the run's folder")
    add("--input", metavar="DEVICE", help="hear this device (name or number); ends any replay")
    add("--output", metavar="DEVICE", help="sound on this device (name or number)")
    add("--list-devices", action="store_true", help="the devices of this machine")
    add("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="any setting")
    return parser


def _one_line(error: BaseException) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split())


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
