"""The console script: `antiphon COMMAND …`, each command a file of this folder."""

import importlib
import sys

if __package__ in (None, ""):  # run as a file: the packages lie one folder up
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])

COMMANDS = {
    "stage": "play with a live input or a replayed guide",
    "replay": "play guides of a corpus and measure how related the answers sound",
    "train": "make a bundle from tracks that were played together",
    "import-corpus": "make a corpus to learn from: stems, pairs, or multi-track MIDI",
    "train-ear": "train a learned ear on imported songs",
    "train-attacks": "learn when a partner attacks, into a bundle",
    "train-key": "learn what tells a key from songs whose keys are annotated",
    "hear-corpus": "hear an imported corpus with another ear",
    "alphabet-card": "say what the labels of a corpus mean, before any training",
    "label-stability": "say how many labels change when a recording is heard otherwise",
    "render-corpus": "fill templates of Sonic Pi programs and render them",
    "train-alignment": "learn to foresee how code will sound, and measure it",
    "rank": "choose programs by how they will sound, without playing them",
    "render": "turn a Sonic Pi program into sound, faster than real time",
    "feedback": "like, dislike or take back what sounds, while a stage plays",
    "evolve": "breed music for a listener's taste, without a stage",
    "evolution-tables": "redraw the tables of EvoMusic with our generator",
    "taste": "learn what listeners like, and measure it on a simulated audience",
}


def main() -> int:
    """Run the command named on the command line; 2 if there is none of that name."""
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        is_asked = sys.argv[1:] in (["-h"], ["--help"])
        lines = [f"  {name:16} {purpose}" for name, purpose in COMMANDS.items()]
        if not is_asked:
            came = f"got {sys.argv[1]!r}" if len(sys.argv) > 1 else "got none"
            lines.append(f"error: COMMAND must be one of these, {came}")
        where = sys.stdout if is_asked else sys.stderr
        print("usage: antiphon COMMAND [options]", *lines, sep="\n", file=where)
        return 0 if is_asked else 2
    try:
        module = importlib.import_module(f"launch.{sys.argv[1].replace('-', '_')}")
        return int(module.main(sys.argv[2:]))
    except KeyboardInterrupt:  # while it was loaded: once it runs, it says more
        print("stopped; nothing was begun", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
