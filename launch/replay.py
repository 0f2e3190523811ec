"""Evaluate on replayed audio: `python launch/replay.py --pairs CORPUS --bundle B --out DIR`.

Plays every guide of a corpus (its test songs, or `--role validation`) or of a folder of songs to
the band, at fast pace, and measures the answers beside the true partner, a stranger and a copy of
the guide.
`--reconstruct A B` learns one pair of files and rebuilds the end of B from A, and `--table
paired-tracks` writes the tables of the paper instead.
"""

if __package__ in (None, ""):  # run as a file: the packages lie one folder up
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from corpus.audio_file import AudioFileError
from corpus.whole_file import write_atomically
from launch.command import command, within
from launch.config import PROJECT_ROOT, ConfigError, resolve
from launch.reconstruction import reconstruct
from launch.replay_material import find_duos
from launch.replay_page import replay_page, replay_rows
from launch.replay_pairs import Replay, replay_all, summarise
from models.bundle import Bundle

TABLES = {"paired-tracks": "launch.paired_tracks_table"}
"""Commands of their own, by the name that `--table` gives them."""
DEFAULT_CONFIG = PROJECT_ROOT / "configs" / "rehearsal.yaml"


@command(
    ValueError,
    OSError,
    stopped="interrupted; what was played is kept, and the same command goes on",
)
def main(argv: Sequence[str] | None = None) -> int:
    """Replay as the command line says; 0 if a report was written."""
    words = list(sys.argv[1:] if argv is None else argv)
    if "--table" in words:
        return _table(words)
    arguments = _parser().parse_args(words)
    console = Console(stderr=True)
    if arguments.reconstruct:
        summary = _reconstruct(arguments, console)
    else:
        summary = _replay(arguments, console)
    for row in replay_rows(summary):
        console.print("  ".join(f"{cell:24}" for cell in row), markup=False, soft_wrap=True)
    console.print(f"{arguments.out}: replay.html and replay.json written", markup=False)
    return 0


def _replay(arguments: argparse.Namespace, console: Console) -> dict[str, object]:
    if arguments.bundle is None:
        raise ConfigError("--pairs needs a --bundle to play with, got none; name one")
    bundle = resolve(arguments.bundle, typed=True)
    card = Bundle.load(bundle).card
    memory = [resolve(path, typed=True) for path in arguments.memory]
    songs, out = os.path.realpath(arguments.pairs), os.path.realpath(arguments.out)
    if os.path.commonpath([songs, out]) == songs:
        raise ConfigError(
            f"--out must lie apart from the songs, got {arguments.out}, which lies in "
            f"{arguments.pairs}; choose another folder"
        )
    duos, notices = find_duos(
        arguments.pairs, arguments.limit, arguments.seed, memory, arguments.role
    )
    if card.beats is not None and any(len(duo.beats) < 2 for duo in duos):
        notices.append(
            "Songs whose beats are not known are played at the stage's tempo.bpm, counted from "
            "their start."
        )
    replay = Replay(
        bundle=bundle,
        base=resolve(arguments.config, typed=True),
        assignments=tuple(arguments.set),
        out=arguments.out,
        seed=arguments.seed,
    )
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[said]}"))
    with Progress(*columns, TimeElapsedColumn(), console=console) as bar:
        task = bar.add_task("playing", total=len(duos), said="")
        results = replay_all(duos, replay, lambda name: bar.update(task, advance=1, said=name))
    used = [result for result in results if "refused" not in result]
    notices += [f"{one['duo']} is left out: {one['refused']}" for one in results if one not in used]
    if not used:
        raise AudioFileError(
            f"{arguments.pairs} must hold at least one duo that can be played, got none of "
            f"{len(duos)}: {results[0]['refused']}"
        )
    summary = {
        "pairs": arguments.pairs.name,
        "bundle": bundle.name,
        "settings": list(replay.assignments),
        "seed": arguments.seed,
        "notices": notices,
        **summarise(used, arguments.seed),
        "duos": [
            {"duo": one["duo"], "figures": one["figures"], "plays": one["plays"]} for one in used
        ],
    }
    write_atomically(arguments.out / "replay.json", json.dumps(summary, indent=1) + "\n")
    write_atomically(arguments.out / "replay.html", replay_page(summary, used))
    return summary


def _reconstruct(arguments: argparse.Namespace, console: Console) -> dict[str, object]:
    first, second = (resolve(path, typed=True) for path in arguments.reconstruct)
    base = None
    if arguments.bundle is not None:
        base = Bundle.load(resolve(arguments.bundle, typed=True))
    replay = Replay(
        bundle=arguments.out / "bundle",
        base=resolve(arguments.config, typed=True),
        assignments=tuple(arguments.set),
        out=arguments.out,
        seed=arguments.seed,
    )

    def say(step: str) -> None:
        console.print(f"{step} …", markup=False)

    found = reconstruct(first, second, replay, base, say)
    result = found.pop("result")
    summary = {
        "pairs": f"{first.name} → {second.name}",
        "bundle": "bundle",
        "settings": list(replay.assignments),
        "seed": arguments.seed,
        "notices": [
            f"The last fifth was held out; the stranger is {second.name} at another time. "
            f"All took {found['seconds']:.0f} s."
        ],
        **summarise([result], arguments.seed),
        **found,
    }
    write_atomically(arguments.out / "replay.json", json.dumps(summary, indent=1) + "\n")
    write_atomically(arguments.out / "replay.html", replay_page(summary, [result]))
    console.print(
        f"play it: antiphon stage --bundle {replay.bundle} --memory {second} "
        f"--window {float(Bundle.load(replay.bundle).card.window_seconds):g}",
        markup=False,
        soft_wrap=True,
    )
    return summary


def _table(words: Sequence[str]) -> int:
    """Hand the rest of the command line to the table that `--table` names."""
    place = words.index("--table")
    name = words[place + 1] if place + 1 < len(words) else ""
    module = TABLES.get(name)
    if module is None or importlib.util.find_spec(module) is None:
        known = ", ".join(name for name, one in TABLES.items() if importlib.util.find_spec(one))
        print(f"error: --table must name a table, got {name!r}; there is: {known}", file=sys.stderr)
        return 2
    rest = [*words[:place], *words[place + 2 :]]
    return int(importlib.import_module(module).main(rest))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="antiphon replay", description="Play guides to the band and measure what it answers."
    )
    add = parser.add_argument
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--pairs",
        type=Path,
        metavar="PATH",
        help="an imported corpus with audio, or a folder with a subfolder of stems per song",
    )
    source.add_argument(
        "--reconstruct",
        nargs=2,
        type=Path,
        metavar=("A", "B"),
        help="learn this pair and rebuild the end of B from A",
    )
    add("--bundle", type=Path, metavar="DIR", help="what was learned; tuned by --reconstruct")
    add("--out", type=Path, required=True, metavar="DIR", help="where the report goes")
    add("--limit", type=within(int, 1), metavar="N", help="songs at most, drawn")
    add(
        "--role",
        choices=("test", "validation"),
        default="test",
        help="side of a corpus whose songs are played (test)",
    )
    add("--seed", type=int, default=0, metavar="N", help="of every draw (0)")
    add(
        "--memory",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="answer with these (stems of the partner's name from other songs)",
    )
    add(
        "--config",
        type=Path,
        default=DEFAULT_CONFIG,
        metavar="YAML",
        help="the stage whose settings hold (configs/rehearsal.yaml)",
    )
    add(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="any other setting of the stage, again and again",
    )
    add("--table", choices=sorted(TABLES), help="write the tables of a paper instead")
    return parser


if __name__ == "__main__":
    sys.exit(main())
