"""Import songs to learn from: `python launch/import_corpus.py FOLDER --out CORPUS`.

Takes a folder of multi-track MIDI, a folder of songs with their stems, two paired folders, or two
files. An import that was stopped goes on where it was: give the same command again. The same
command with another --window adds its features to the corpus; audio that was kept (`--keep both`)
is heard for that, and not made again.
"""

if __package__ in (None, ""):  # run as a file: the packages lie one folder up
    import sys
    from pathlib import Path

    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, get_args

from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from actors.corpus_tasks import WorkersError, ear_fingerprint, import_songs
from corpus.importer import check_apart
from corpus.manifest import (
    MANIFEST_FILE,
    CorpusManifest,
    ImportSettings,
    ManifestError,
    Role,
    SongRecord,
    assemble,
    load_manifest,
    to_json,
)
from corpus.song_sources import LAYOUTS, SongSource, SourceError, find_sources
from corpus.song_split import SPLITS, divide
from corpus.sound_font import SynthesizerMissingError
from corpus.voices import VoiceConfig, name_seed
from corpus.whole_file import write_atomically
from launch.command import command, within
from models.ear import EarConfig

SIDES: Final = get_args(Role)
_ERRORS = (SourceError, SynthesizerMissingError, WorkersError, OSError)


@command(ValidationError, *_ERRORS)
def main(argv: Sequence[str] | None = None) -> int:
    """Import as the command line says; 0 if the manifest was written and songs can be used."""
    arguments = _parser().parse_args(argv)
    console = Console(stderr=True)
    settings = with_earlier_windows(arguments.out, _settings(arguments))
    manifest = run_import(arguments, settings, console)
    _summarise(manifest, console)
    return 0 if manifest.used else 1


def run_import(
    arguments: argparse.Namespace, settings: ImportSettings, console: Console
) -> CorpusManifest:
    """Import all songs with progress, and write the manifest.

    Raises:
        SourceError: no songs are found, or the corpus would lie among them.
        SynthesizerMissingError: MIDI is to be rendered and FluidSynth is not installed.
        WorkersError: Ray cannot start.
        OSError: the corpus cannot be written.
    """
    check_apart(arguments.places, arguments.out)
    sources = chosen(find_sources(arguments.places, arguments.layout), arguments)
    records: list[SongRecord] = []
    started = time.perf_counter()
    columns = (
        TextColumn("importing"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]:.0f} songs/min"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("songs", total=len(sources), pace=0.0)
        for record in import_songs(
            sources, arguments.out, settings, EarConfig(), arguments.workers
        ):
            records.append(record)
            pace = 60 * len(records) / max(time.perf_counter() - started, 1e-9)
            progress.update(task, completed=len(records), pace=pace)
    manifest = assemble(
        records,
        settings,
        arguments.split,
        arguments.split_seed,
        lambda groups: divide(groups, arguments.split, arguments.split_seed),
    )
    write_atomically(arguments.out / MANIFEST_FILE, to_json(manifest))
    seconds = time.perf_counter() - started
    console.print(f"{len(records)} songs in {seconds:.1f} s, {60 * len(records) / seconds:.1f}/min")
    return manifest


def with_earlier_windows(out: Path, settings: ImportSettings) -> ImportSettings:
    """The settings with the windows that a corpus has already, if it was imported alike.

    Args:
        out: the corpus, there or not.
        settings: asked for.
    """
    try:
        earlier = load_manifest(out).settings
    except ManifestError:
        return settings
    windows = tuple(dict.fromkeys(earlier.window_seconds + settings.window_seconds))
    wider = settings.model_copy(update={"window_seconds": windows})
    alike = earlier.model_copy(update={"window_seconds": windows}) == wider
    return wider if alike else settings


def chosen(sources: Sequence[SongSource], arguments: argparse.Namespace) -> list[SongSource]:
    """The songs that `--only` and `--limit` leave.

    Raises:
        SourceError: none.
    """
    patterns = arguments.only or ["*"]
    kept = [one for one in sources if any(fnmatchcase(one.name, p) for p in patterns)]
    if not kept:
        raise SourceError(f"--only must match some song, got none of {len(sources)}")
    if arguments.limit is None or arguments.limit >= len(kept):
        return kept
    return sorted(_drawn(kept, arguments), key=lambda source: source.name)


def _drawn(sources: Sequence[SongSource], arguments: argparse.Namespace) -> list[SongSource]:
    """As many songs as `--limit` says, so that no side of the split is empty if it need not be.

    The first names would be all of one role where a collection suggests roles by number.
    """
    expected = [
        SongRecord(name=s.name, collection=s.collection, layout=s.layout, sources={}, settings="")
        for s in sources
    ]
    roles = divide([[one] for one in expected], arguments.split, arguments.split_seed)
    seed = f"limit {arguments.split_seed}"
    ranked = sorted(
        zip(sources, roles, strict=True), key=lambda one: name_seed(f"{seed}/{one[0].name}")
    )
    first = {role: source for source, role in reversed(ranked)}
    kept = [first[role] for role in SIDES if role in first]
    kept += [source for source, _ in ranked if source not in kept]
    return kept[: arguments.limit]


def _summarise(manifest: CorpusManifest, console: Console) -> None:
    """What came of it: songs by role, what was dropped and why."""
    used = manifest.used
    hours = sum(song.seconds for song in used) / 3600
    roles = Counter(song.role for song in used)
    told = ", ".join(f"{roles[role]} {role}" for role in SIDES)
    n_pairs = sum(len(song.pairs) for song in used)
    console.print(f"{len(used)} songs, {hours:.2f} h, {n_pairs} pairs of parts ({told})")
    for song in manifest.songs:
        if song.refused:
            console.print(f"left out {song.name}: {song.refused}", markup=False, soft_wrap=True)
    kinds = Counter(
        one.reason.split("(")[0].split(":")[0].strip() for song in used for one in song.dropped
    )
    n_doubled = sum(len(song.doubled) for song in used)
    parts = [f"{count} {kind}" for kind, count in kinds.most_common(6)]
    if n_doubled:
        parts.append(f"{n_doubled} doubled pairs kept apart")
    if parts:
        console.print("parts dropped: " + "; ".join(parts), markup=False, soft_wrap=True)


def _settings(arguments: argparse.Namespace) -> ImportSettings:
    settings = ImportSettings(
        sample_rate=arguments.sample_rate,
        keep=arguments.keep,
        window_seconds=tuple(arguments.window or (0.5, 0.25)),
        voices=VoiceConfig(
            instruments=arguments.instruments,
            reverb_share=arguments.reverb,
            detune_cents=arguments.detune,
            gain_db=arguments.gain,
            seed=arguments.seed,
        ),
        twins=arguments.twins,
        longest_seconds=arguments.longest,
    )
    return settings.model_copy(update={"ear": ear_fingerprint(EarConfig(), settings.sample_rate)})


def _parser() -> argparse.ArgumentParser:
    voices = VoiceConfig()
    parser = argparse.ArgumentParser(
        prog="antiphon import-corpus",
        description="Import songs to learn from into a corpus with a manifest.",
    )
    add = parser.add_argument
    add("places", nargs="+", type=Path, help="folders, or two files played together")
    add("--out", type=Path, required=True, help="the corpus")
    add(
        "--layout", choices=LAYOUTS, help="what the places are; told from their content if left out"
    )
    add("--keep", choices=("features", "audio", "both"), default="features")
    add("--window", type=float, action="append", help="window length, seconds; may be repeated")
    add("--sample-rate", type=int, default=22050, help="of stems and features, Hz")
    add("--workers", type=within(int, 0), default=0, help="Ray workers; 0 works without Ray")
    add("--instruments", choices=("varied", "written"), default="varied")
    add("--reverb", type=float, default=voices.reverb_share, help="share of parts in a room")
    add("--detune", type=float, default=voices.detune_cents, help="cents, both ways")
    add("--gain", type=float, default=voices.gain_db, help="dB, both ways")
    add("--twins", action="store_true", help="render every part on a second instrument too")
    add("--longest", type=float, default=3600.0, help="songs are cut after this, seconds")
    add("--only", action="append", metavar="PATTERN", help="only songs of such names, as 03?")
    add("--limit", type=within(int, 1), help="songs at most, drawn; every role has one if it can")
    add("--seed", type=int, default=0, help="of instruments, levels, tunings and rooms")
    add("--split", choices=SPLITS, default="suggested", help="rule for train, validation, test")
    add("--split-seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    sys.exit(main())
