"""Sonic Pi code to a sound file, faster than real time and without a window.

python launch/render.py FILE.rb --seconds 18 --out FILE.wav [--events EVENTS.json]

Exit codes: 0 rendered; 1 rendered, but the program had errors, which are printed; 2 not rendered.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

if __package__ in (None, ""):  # run as a file: the repository is not on the path yet
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import soundfile

from corpus.sonic_pi.install import InstallConfig
from corpus.sonic_pi.renderer import Renderer, RendererConfig, Rendering

__all__ = ["main"]

_LOG_LINES_SHOWN = 20


def main(argv: Sequence[str] | None = None) -> int:
    """Renders one program; returns the exit code."""
    arguments = _parser().parse_args(argv)
    out = arguments.out or arguments.file.with_suffix(".wav")
    config = RendererConfig(
        install=InstallConfig(root=arguments.sonic_pi),
        allow_unsandboxed=arguments.allow_unsandboxed,
    )
    try:
        code = arguments.file.read_bytes().decode()
        with Renderer(config) as renderer:
            rendering = renderer.render(code, arguments.seconds)
        soundfile.write(out, rendering.audio, rendering.sample_rate, subtype="FLOAT")
        if arguments.events is not None:
            arguments.events.write_text(_events_as_json(rendering))
    except UnicodeDecodeError as error:
        return _refuse(f"{arguments.file} must be UTF-8 text: {error.reason} at byte {error.start}")
    except (OSError, ValueError, RuntimeError) as error:
        return _refuse(str(error))
    _report(rendering, out)
    return 1 if rendering.errors else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="render", description="Sonic Pi code to a sound file.")
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


def _refuse(message: str) -> int:
    print(f"render: {message}", file=sys.stderr)
    return 2


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
        print(f"log: {line}")
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
