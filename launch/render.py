"""Sonic Pi code to a sound file, faster than real time and without a window.

python launch/render.py FILE.rb --seconds 18 --out FILE.wav [--events EVENTS.json]

All files that were asked for are written, or none.

Exit codes: 0 rendered; 1 rendered, but the program had errors, which are printed; 2 not rendered.
"""

import argparse
import io
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

if __package__ in (None, ""):  # run as a file: the repository is not on the path yet
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import soundfile

from corpus.sonic_pi.events import printable
from corpus.sonic_pi.install import InstallConfig
from corpus.sonic_pi.renderer import Renderer, RendererConfig, Rendering
from corpus.whole_file import write_atomically
from launch.command import command
from launch.program_file import read_program

__all__ = ["main"]

_LOG_LINES_SHOWN = 20


@command(OSError, ValueError, RuntimeError, stopped="stopped; nothing was written")
def main(argv: Sequence[str] | None = None) -> int:
    """Renders one program; returns the exit code."""
    arguments = _parser().parse_args(argv)
    code = read_program(arguments.file)
    out: Path = arguments.out or arguments.file.with_suffix(".wav")
    if out.suffix.lower() != ".wav":
        raise ValueError(f"--out must end in .wav, got {out}")
    _check_place("--out", out)
    if arguments.events is not None:
        _check_place("--events", arguments.events)
    config = RendererConfig(
        install=InstallConfig(root=arguments.sonic_pi),
        allow_unsandboxed=arguments.allow_unsandboxed,
    )
    with Renderer(config) as renderer:
        rendering = renderer.render(code, arguments.seconds)
    _write(rendering, out, arguments.events)
    _report(rendering, out)
    return 1 if rendering.errors else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="antiphon render", description="Sonic Pi code to a sound file."
    )
    parser.add_argument("file", type=Path, help="Sonic Pi program")
    parser.add_argument("--seconds", type=float, default=18.0, help="of music (default: 18)")
    parser.add_argument("--out", type=Path, help="WAV, 44.1 kHz float (default: beside FILE)")
    parser.add_argument("--events", type=Path, help="also write events, log and errors as JSON")
    parser.add_argument("--sonic-pi", type=Path, help="root folder of another Sonic Pi 3.2 install")
    parser.add_argument(
        "--allow-unsandboxed",
        action="store_true",
        help="go on where bubblewrap is missing: the program can then read your files",
    )
    return parser


def _check_place(option: str, path: Path) -> None:
    """What can be known before rendering of whether a file can be written."""
    if not path.parent.is_dir():
        raise ValueError(f"{option} must be in a folder that is there, got {path}")
    if path.is_dir():
        raise ValueError(f"{option} must name a file, {path} is a folder")


def _write(rendering: Rendering, out: Path, events: Path | None) -> None:
    """Writes the files that were asked for, or none: the sound takes its name last."""
    part = out.with_name(f".{out.name}.part")
    sound = io.BytesIO()  # libsndfile would keep the reason to itself if a disk is full
    soundfile.write(sound, rendering.audio, rendering.sample_rate, format="WAV", subtype="FLOAT")
    try:
        part.write_bytes(sound.getbuffer())
        if events is not None:
            write_atomically(events, _events_as_json(rendering))
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)


def _events_as_json(rendering: Rendering) -> str:
    return json.dumps(
        {
            "seconds": rendering.seconds,
            "events": [event._asdict() for event in rendering.events],
            "log": rendering.log,
            "errors": [asdict(error) for error in rendering.errors],
        },
        indent=1,
    )


def _report(rendering: Rendering, out: Path) -> None:
    for line in rendering.log[:_LOG_LINES_SHOWN]:
        print(f"log: {printable(line)}")
    if len(rendering.log) > _LOG_LINES_SHOWN:
        print(f"log: ... {len(rendering.log) - _LOG_LINES_SHOWN} more lines")
    for error in rendering.errors:
        print(error, file=sys.stderr)
    silence = "" if rendering.peak > 0 else ", silent"
    print(
        f"{out}: {rendering.seconds:g} s, {len(rendering.events)} events, "
        f"peak {rendering.peak:.2f}{silence}"
    )


if __name__ == "__main__":
    sys.exit(main())
