"""Where songs are found: four layouts, told apart by what lies in the folders.

- "midi": a folder of multi-track MIDI files at any depth; each file is a song.
- "stems": a folder of songs, each a folder with its stems (and perhaps the mix of them).
- "paired": two folders; files of equal names in both are the two stems of a song.
- "pair": two files that were played together.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, get_args

from pydantic import BaseModel

from corpus.audio_file import AudioFileError
from corpus.pairs import audio_files, pair_song, song_folders

__all__ = ["LAYOUTS", "Layout", "SongSource", "SourceError", "find_sources"]

Layout = Literal["midi", "stems", "paired", "pair"]
LAYOUTS: Final[tuple[str, ...]] = get_args(Layout)
MIDI_SUFFIXES: Final = frozenset({".mid", ".midi"})


class SourceError(ValueError):
    """Folders in which no songs can be found; the message says what must hold and what to do."""


class SongSource(BaseModel, frozen=True, extra="forbid"):
    """The files of one song."""

    name: str
    """Unique in an import; parts of a path joined by "/"."""
    collection: str
    """Name of the folder that was given, for suggested splits."""
    layout: Layout
    """How it was found."""
    root: Path
    """The folder that `files` are relative to."""
    files: dict[str, str]
    """Path of each file under `root` by the name of its part; one file, "midi", for MIDI."""

    @property
    def paths(self) -> dict[str, Path]:
        """The files by the names of their parts."""
        return {name: self.root / path for name, path in self.files.items()}


def find_sources(places: Sequence[str | Path], layout: Layout | None = None) -> list[SongSource]:
    """The songs in `places`, in the order of their names.

    Args:
        places: one or more folders, or two files.
        layout: what they are; None tells it from their content: two files are a pair, two folders
            with audio files of equal names directly in them are paired, a folder with MIDI files
            alone holds those, and any other holds folders of stems.

    Raises:
        SourceError: nothing is found, or the layout does not fit the places.
    """
    paths = [Path(place) for place in places]
    if not paths:
        raise SourceError("there must be a folder to import from, got none; name one")
    for path in paths:
        if not path.exists():
            raise SourceError(f"{path} must exist, but there is no such place; check the path")
    layout = layout or _guess(paths)
    if layout in ("pair", "paired"):
        if len(paths) != 2:
            raise SourceError(f"the layout {layout} must be given two places, got {len(paths)}")
        found = _pair(paths) if layout == "pair" else _paired(*paths)
    else:
        found = [one for path in paths for one in _collection(path, layout)]
    prefixed = len({source.collection for source in found}) > 1
    named = [
        source.model_copy(update={"name": f"{source.collection}/{source.name}"})
        if prefixed
        else source
        for source in found
    ]
    twice = [name for name, count in Counter(source.name for source in named).items() if count > 1]
    if twice:
        raise SourceError(
            f"every song must have a name of its own, got {twice[0]} twice; rename a file or folder"
        )
    return sorted(named, key=lambda source: source.name)


def _guess(paths: Sequence[Path]) -> Layout | None:
    if all(path.is_file() for path in paths):
        if len(paths) != 2:
            raise SourceError(
                f"files must be two that were played together, got {len(paths)}; put the stems of "
                "a song into a folder and give the folder"
            )
        return "pair"
    if len(paths) == 2 and all(path.is_dir() for path in paths):
        names = [{file.name for file in audio_files(path) if file.parent == path} for path in paths]
        if names[0] & names[1]:
            return "paired"
    return None


def _collection(path: Path, layout: Layout | None) -> list[SongSource]:
    """The songs of one folder of MIDI files or of stems."""
    if not path.is_dir():
        raise SourceError(f"{path} must be a folder, got a file; give its folder, or two files")
    midi = sorted(
        file
        for file in path.rglob("*")
        if file.suffix.lower() in MIDI_SUFFIXES
        and file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
    )
    if layout is None and midi and audio_files(path):
        raise SourceError(
            f"{path} must hold songs of one kind, got MIDI files beside audio files; say which are "
            "meant by --layout midi or --layout stems"
        )
    if layout != "stems" and midi:
        return [_midi_source(path, file) for file in midi]
    if layout == "midi":
        raise SourceError(f"{path} must hold MIDI files, got none; check the path")
    if not audio_files(path):
        raise SourceError(
            f"{path} must hold MIDI files, or a folder of stems per song, got neither; check the "
            "path"
        )
    try:
        songs = song_folders(path)
    except AudioFileError as error:
        raise SourceError(str(error)) from error
    return [_stems_source(path, song) for song in songs]


def _midi_source(root: Path, file: Path) -> SongSource:
    parts = list(file.relative_to(root).with_suffix("").parts)
    if len(parts) > 1 and parts[-1] == parts[-2]:
        parts.pop()  # 001/001.mid
    return SongSource(
        name="/".join(parts),
        collection=_folder_name(root),
        layout="midi",
        root=root,
        files={"midi": file.relative_to(root).as_posix()},
    )


def _stems_source(root: Path, song: Path) -> SongSource:
    files: dict[str, str] = {}
    for file in audio_files(song):
        name = file.relative_to(song).with_suffix("").as_posix()
        name = file.relative_to(song).as_posix() if name in files else name
        files[name] = file.relative_to(root).as_posix()
    return SongSource(
        name=_folder_name(song),
        collection=_folder_name(root),
        layout="stems",
        root=root,
        files=files,
    )


def _paired(first: Path, second: Path) -> list[SongSource]:
    """One song for each name that both folders have; those in one only are passed over."""
    sides = [
        {file.relative_to(p).as_posix(): file for file in audio_files(p)} for p in (first, second)
    ]
    both = sorted(sides[0].keys() & sides[1].keys())
    if not both:
        raise SourceError(
            f"{first} and {second} must hold audio files of equal names, got none in common; "
            "rename them"
        )
    names = [_folder_name(first), _folder_name(second)]
    if names[0] == names[1]:
        names = [
            f"{first.resolve().parent.name} {names[0]}",
            f"{second.resolve().parent.name} {names[1]}",
        ]
    return [
        SongSource(
            name=Path(name).with_suffix("").as_posix(),
            collection="+".join(names),
            layout="paired",
            root=Path("/"),
            files={
                part: side[name].resolve().as_posix()
                for part, side in zip(names, sides, strict=True)
            },
        )
        for name in both
    ]


def _pair(paths: Sequence[Path]) -> list[SongSource]:
    try:
        song = pair_song(*paths)
    except AudioFileError as error:
        raise SourceError(str(error)) from error
    return [
        SongSource(
            name=song.name.replace("/", " "),
            collection=song.name,
            layout="pair",
            root=Path("/"),
            files={name: path.resolve().as_posix() for name, path in song.stems.items()},
        )
    ]


def _folder_name(path: Path) -> str:
    return path.resolve().name or "songs"
