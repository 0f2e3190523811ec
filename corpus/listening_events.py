"""Who listened to what: Last.fm-1K's file format, matched to a folder of audio, and its partitions.

The file (Celma 2010) has one listen per line, six fields between tabs: user, time, artist id,
artist, track id (often empty), track. A song is an audio file; it matches a listen whose track id,
or whose "artist - track", is the file's name (case, punctuation and folders do not matter).

Partitions are by song *and* by user: known users have listens in train; on test songs nobody has
trained, and unseen users have trained on nothing. Nothing can be evaluated on train.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Evaluable = Literal["validation", "test"]
Indices = NDArray[np.int64]
N_FIELDS: Final = 6


@dataclass(frozen=True)
class Listen:
    """One line: a user listened to a track."""

    user: str
    track_id: str
    artist: str
    track: str


@dataclass(frozen=True, eq=False)
class ListeningEvents:
    """Listens of users to songs, counted.

    Args:
        users: names, U.
        songs: names, S.
        plays: (U, S), how often, ≥ 0.
        n_malformed: lines that could not be read.
        n_without_audio: listens to what is not in the folder.
    """

    users: tuple[str, ...]
    songs: tuple[str, ...]
    plays: NDArray[np.int64]
    n_malformed: int = 0
    n_without_audio: int = 0

    @property
    def listened(self) -> NDArray[np.bool_]:
        """(U, S), whether at least once."""
        return self.plays > 0


def read_listens(path: Path) -> Iterator[Listen | None]:
    """The lines of a file of Last.fm-1K's format, one at a time; None for one that is malformed.

    Raises:
        ValueError: the file cannot be opened.
    """
    try:
        file = path.open(encoding="utf-8", errors="replace", newline="\n")
    except OSError as error:
        raise ValueError(
            f"{path} must be a listening file, but opening it failed ({error.strerror})"
        ) from error
    with file:
        for line in file:
            if not line.strip():
                continue
            fields = line.rstrip("\r\n").split("\t")
            if len(fields) != N_FIELDS or not fields[0] or not (fields[4] or fields[5]):
                yield None
                continue
            yield Listen(user=fields[0], track_id=fields[4], artist=fields[3], track=fields[5])


def count_listens(listens: Iterable[Listen | None], songs: Sequence[str]) -> ListeningEvents:
    """Listens to the songs there is audio of.

    Args:
        listens: from `read_listens`.
        songs: names of audio files, without suffix.

    Raises:
        ValueError: two songs of one name, or no listen to any of the songs.
    """
    places: dict[str, int] = {}
    for index, song in enumerate(songs):
        key = _plain(Path(song).name)
        if places.setdefault(key, index) != index:
            raise ValueError(
                "songs must have file names of their own, whatever their folders, got "
                f"{songs[places[key]]!r} and {song!r}; rename one"
            )
    counts: Counter[tuple[str, int]] = Counter()
    n_malformed = n_without_audio = 0
    for listen in listens:
        if listen is None:
            n_malformed += 1
            continue
        names = (listen.track_id, f"{listen.artist} - {listen.track}")
        found = [places[_plain(name)] for name in names if name and _plain(name) in places]
        if found:
            counts[listen.user, found[0]] += 1
        else:
            n_without_audio += 1
    if not counts:
        raise ValueError(
            f"the listening file must name songs of the folder, but none of {n_without_audio} "
            f"listens does ({n_malformed} lines are malformed); name the audio files after the "
            "track id or 'artist - track'"
        )
    users = tuple(sorted({user for user, _ in counts}))
    rows = {user: row for row, user in enumerate(users)}
    plays = np.zeros((len(users), len(songs)), np.int64)
    for (user, song_index), count in counts.items():
        plays[rows[user], song_index] = count
    return ListeningEvents(users, tuple(songs), plays, n_malformed, n_without_audio)


def write_listens(path: Path, plays: Mapping[tuple[str, str], int]) -> None:
    """Write (user, track id) counts in Last.fm-1K's format, with made-up times a minute apart."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        minute = 0
        for (user, track), count in plays.items():
            for _ in range(count):
                day, rest = divmod(minute, 1440)
                stamp = f"2009-{1 + day // 28 % 12:02d}-{1 + day % 28:02d}"
                stamp += f"T{rest // 60:02d}:{rest % 60:02d}:00Z"
                file.write(f"{user}\t{stamp}\t\t\t{track}\t\n")
                minute += 1


@dataclass(frozen=True, eq=False)
class Partitions:
    """Songs in train, validation and test; users known and unseen; all disjoint, sorted.

    Raises:
        ValueError: something is in two of them.
    """

    train: Indices
    validation: Indices
    test: Indices
    known: Indices
    unseen: Indices

    def __post_init__(self) -> None:
        for kind, parts in (
            ("song", (self.train, self.validation, self.test)),
            ("user", (self.known, self.unseen)),
        ):
            together = np.concatenate(parts)
            if len(np.unique(together)) < len(together):
                raise ValueError(f"a {kind} must be in one partition only; split again")

    def songs_to_evaluate(self, partition: Evaluable) -> Indices:
        """Songs of the partition that figures are taken on.

        Raises:
            ValueError: any other than "validation" or "test".
        """
        if partition not in ("validation", "test"):
            raise ValueError(
                f"figures must be taken on validation or test songs, got {partition!r}: "
                "what was trained on says nothing about songs to come"
            )
        return self.validation if partition == "validation" else self.test


def split_listens(
    n_users: int,
    n_songs: int,
    *,
    validation_share: float = 0.1,
    test_share: float = 0.2,
    unseen_share: float = 0.2,
    seed: int = 0,
) -> Partitions:
    """Draw the partitions.

    Args:
        n_users: users, ≥ 1; at least one stays known.
        n_songs: songs, ≥ 3.
        validation_share: of the songs, in (0, 1).
        test_share: of the songs, in (0, 1); with validation below 1.
        unseen_share: of the users, in [0, 1).
        seed: of the draw.

    Raises:
        ValueError: too little to split, or shares out of range.
    """
    if n_songs < 3 or n_users < 1:
        raise ValueError(
            f"splitting needs at least 3 songs and 1 user, got {n_songs} and {n_users}"
        )
    if not (validation_share > 0 and test_share > 0 and validation_share + test_share < 1):
        raise ValueError(
            f"song shares must be above 0 and leave a rest, got {validation_share}, {test_share}"
        )
    if not 0 <= unseen_share < 1:
        raise ValueError(f"unseen_share must be in [0, 1), got {unseen_share}")
    rng = np.random.default_rng([seed, 11])
    songs, users = rng.permutation(n_songs), rng.permutation(n_users)
    n_test = max(1, round(test_share * n_songs))
    n_validation = max(1, round(validation_share * n_songs))
    n_unseen = min(n_users - 1, round(unseen_share * n_users))
    return Partitions(
        train=np.sort(songs[n_test + n_validation :]),
        validation=np.sort(songs[n_test : n_test + n_validation]),
        test=np.sort(songs[:n_test]),
        known=np.sort(users[n_unseen:]),
        unseen=np.sort(users[:n_unseen]),
    )


def _plain(name: str) -> str:
    """Letters and digits only, without accents and case."""
    spelled = unicodedata.normalize("NFKD", name).casefold()
    return re.sub(r"[^\w]+|_", "", "".join(c for c in spelled if not unicodedata.combining(c)))
