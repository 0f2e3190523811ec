"""The console script: `antiphon COMMAND …`, each command a file of this folder."""

import importlib
import sys

if __package__ in (None, ""):  # run as a file: the packages lie one folder up
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])

COMMANDS = {
    "stage": "play with a live input or a replayed guide",
    "train": "make a bundle from tracks that were played together",
    "render": "turn a Sonic Pi program into sound, faster than real time",
}


def main() -> int:
    """Run the command named on the command line; 2 if there is none of that name."""
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        lines = [f"  {name:8} {purpose}" for name, purpose in COMMANDS.items()]
        print("usage: antiphon COMMAND [options]", *lines, sep="\n")
        return 0 if sys.argv[1:] in (["-h"], ["--help"]) else 2
    module = importlib.import_module(f"launch.{sys.argv[1]}")
    return int(module.main(sys.argv[2:]))


if __name__ == "__main__":
    sys.exit(main())
