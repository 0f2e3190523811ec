"""Play: a guide or a live input is heard, and answered inside [T, T+Δ].

`python launch/stage.py`, `python -m launch.stage` and `antiphon stage` are the same command.
"""

if __package__ in (None, ""):  # run as a file: the packages lie one folder up
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import contextlib
import logging
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import psutil

from actors.clock import SystemClock
from actors.devices.sound_card import list_devices
from actors.ending_signals import on_ending_signals
from actors.fast_band import FastBand
from actors.performance import Outcome, Performance
from actors.ray_session import StartError
from actors.stage_config import BandConfig, StageConfig
from actors.terminal.display import Display, LogToDisplay, StageConsole
from actors.terminal.start_up import StartUp
from actors.terminal.status_line import StatusLine
from launch.command import one_line
from launch.config import PROJECT_ROOT, ConfigError, load_config, resolve
from launch.outcome import Performed, complain, conclude, say
from launch.preparation import prepare
from launch.run_folder import discard_if_nothing_sounded

DEFAULT_CONFIG = PROJECT_ROOT / "configs" / "rehearsal.yaml"
EXIT_CODES = (
    "Ends with 0 if the run finished, 1 if it did not, 2 if it could not start, 130 if it was "
    "ended before the music began."
)
REFUSALS = (ValueError, OSError, StartError)
"""What is told in one sentence; anything else is a defect of ours and keeps its traceback."""


def main(argv: Sequence[str] | None = None) -> int:
    """Play as the command line says.

    Returns:
        0 if the run finished, 1 if it did not, 2 if it could not start, 130 if it was ended first.
    """
    started = SystemClock().now()
    console = StageConsole(stderr=True)
    try:
        arguments = _parser().parse_args(argv)
        if arguments.list_devices:
            return _list_devices()
        with on_ending_signals(_interrupt):
            return _play(arguments, console, started)
    except REFUSALS as error:
        complain(console, one_line(error))
        return 2
    except KeyboardInterrupt:
        say(console, "ended before the music began; nothing is kept")
        return 130


def _play(arguments: argparse.Namespace, console: StageConsole, started: float) -> int:
    path = resolve(arguments.config, typed=True)
    options, assignments = _options(arguments), _assignments(arguments)
    config = load_config(StageConfig, path, options=options, assignments=assignments)
    start_up = StartUp()
    with Display(start_up, console=console) as display, _logging_to(display):
        opening = _Opening(start_up, display)
        try:
            band = prepare(config, path.stem, opening)
            performed = _perform(band, opening, started)
        except BaseException:
            opening.fail()
            raise
    return conclude(band, performed, console)


def _perform(band: BandConfig, opening: "_Opening", started: float) -> Performed:
    """Play. What fails before anything sounded leaves no folder, what fails later a report."""
    try:
        if band.pace == "fast":
            return _perform_fast(band, opening, started)
        return _perform_real(band, opening, started)
    except BaseException as error:
        if discard_if_nothing_sounded(band.out) or not isinstance(error, REFUSALS):
            raise
        return Performed(Outcome(False, one_line(error), None, {}, 0.0), 0, 0.0)


def _perform_fast(band: BandConfig, opening: "_Opening", started: float) -> Performed:
    opening.begin("playing at fast pace")
    fast = FastBand(band)
    stop = threading.Event()
    ready = SystemClock().now()
    with on_ending_signals(stop.set):
        fast.run(stop)
    memory_mb = psutil.Process().memory_info().rss / 2**20
    n_windows = 0 if stop.is_set() else band.n_windows or 0
    return Performed(Outcome(True, "", ready, {}, memory_mb), n_windows, ready - started)


def _perform_real(band: BandConfig, opening: "_Opening", started: float) -> Performed:
    status = StatusLine(window_seconds=band.window, n_windows=band.n_windows)
    performance = Performance(band, SystemClock(), status)
    outcome = performance.run(opening.begin, lambda: opening.give_way_to(status))
    first = outcome.first_answer if outcome.first_answer is not None else started
    return Performed(outcome, status.window, first - started)


class _Opening:
    """The steps of starting, shown as they come."""

    def __init__(self, start_up: StartUp, display: Display) -> None:
        self._start_up = start_up
        self._display = display

    def begin(self, step: str) -> None:
        self._start_up.done()
        self._display.refresh(now=True)
        self._start_up.begin(step)
        self._display.refresh(now=True)

    def tell(self, detail: str) -> None:
        self._start_up.tell(detail)
        self._display.refresh()

    def note(self, sentence: str) -> None:
        self._display.say(f"note: {sentence}")

    def fail(self) -> None:
        self._start_up.fail()
        self._display.refresh(now=True)

    def give_way_to(self, status: StatusLine) -> Display:
        self._start_up.drop()
        self._display.show(status)
        return self._display


@contextlib.contextmanager
def _logging_to(display: Display) -> Iterator[None]:
    handler = LogToDisplay(display)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


def _list_devices() -> int:
    cards = list_devices()
    for card in cards:
        print(
            f"{card.index:3d}  {card.name}  ({card.host_api}; {card.inputs} in, "
            f"{card.outputs} out, {card.sample_rate:.0f} Hz)"
        )
    if not cards:
        print("no audio devices here; a guide can be replayed without any")
    return 0


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "replay": arguments.replay and resolve(arguments.replay, typed=True),
        "memory": arguments.memory and [resolve(path, typed=True) for path in arguments.memory],
        "bundle": arguments.bundle and resolve(arguments.bundle, typed=True),
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


class _Parser(argparse.ArgumentParser):
    """Refuses in one sentence, like every other part."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message.removeprefix('argument ')}; see --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="antiphon stage", description=__doc__.splitlines()[0], epilog=EXIT_CODES)
    add = parser.add_argument
    add(
        "--config",
        type=Path,
        default=DEFAULT_CONFIG,
        metavar="YAML",
        help="the situation; what follows wins over it (configs/rehearsal.yaml)",
    )
    add("--replay", type=Path, metavar="GUIDE", help="hear this audio file, not the sound card")
    add("--memory", nargs="+", type=Path, metavar="FILE", help="audio files to answer with")
    add("--bundle", type=Path, metavar="DIR", help="what was learned: a folder made by training")
    add("--window", type=float, metavar="SECONDS", help="Δ, 0.125 to 1")
    add("--pace", choices=("real", "fast"), help="like a sound card, or without waiting")
    add("--seed", type=int, metavar="N", help="of every draw")
    add("--seconds", type=float, metavar="S", help="how long to play; a shorter guide is repeated")
    add("--out", type=Path, metavar="DIR", help="the run's folder, new or empty (runs/STAMP-NAME)")
    add("--input", metavar="DEVICE", help="hear this device (name or number) and replay nothing")
    add("--output", metavar="DEVICE", help="sound on this device (name or number)")
    add("--list-devices", action="store_true", help="name the devices of this machine and end")
    add(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="any other setting, again and again; values as in YAML",
    )
    return parser  # fmt: skip


def _interrupt() -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
