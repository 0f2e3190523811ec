"""The alphabet card: what an alphabet means, measured in seconds and before any training.

A good alphabet has labels of one part that tell much about another part of the same song
(relation) and about the chord, and little about the instrument: the same notes on two instruments
get the same label (agreement). Its classes are used evenly, and runs of one label are short enough
for a decision to matter.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.alphabet import SILENCE
from models.information import Information, entropy_of_counts, shared_information

__all__ = ["AlphabetCard", "Balance", "CardPart", "CardSong", "measure_card"]

Labels = NDArray[np.int64]

N_LEVELS: Final = 4
ALL: Final = "all"
"""The group of every part, or of every pair."""
USUAL_SHARE: Final = 0.5
"""Names that so many songs have get figures of their own."""
LONGEST_RUN: Final = 8


@dataclass(frozen=True, eq=False)
class CardPart:
    """One part of a song in labels.

    Args:
        labels: (W,), class ids or SILENCE.
        energy_db: (W,), level, dBFS.
        instrument: any number ≥ 0 that names it, or -1 if it is not known.
        twin: (W,), labels of the same notes on another instrument, or None.
    """

    labels: Labels
    energy_db: NDArray[np.float32]
    instrument: int = -1
    twin: Labels | None = None


@dataclass(frozen=True, eq=False)
class CardSong:
    """One song in labels.

    Args:
        name: of the song.
        parts: by name.
        pairs: names of parts that may answer each other.
        chords: (W,), chord classes ≥ 0 or -1; None if not known.
    """

    name: str
    parts: Mapping[str, CardPart]
    pairs: Sequence[tuple[str, str]]
    chords: Labels | None = None


@dataclass(frozen=True)
class Agreement:
    """How often the same notes on two instruments get the same label.

    Args:
        share: of the windows in which both sound, 0..1.
        chance: the same for labels drawn apart, 0..1.
        n_windows: counted.
    """

    share: float
    chance: float
    n_windows: int


@dataclass(frozen=True)
class Balance:
    """How evenly the classes are used, and how long their runs are.

    Args:
        shares: of each class among sounding windows, (K,), rarest last, sums to 1.
        perplexity: how many classes would be needed if all were used evenly, ≥ 1.
        n_unused: classes that never occur.
        mean_run: mean length of runs of one label, windows.
        runs: share of runs of 1, 2, … 7 and of 8 or more windows, (8,).
        silent: share of windows that are silent.
    """

    shares: tuple[float, ...]
    perplexity: float
    n_unused: int
    mean_run: float
    runs: tuple[float, ...]
    silent: float


@dataclass(frozen=True)
class AlphabetCard:
    """All figures of one alphabet on one set of songs.

    Args:
        n_classes: K.
        window_seconds: Δ.
        n_songs: measured.
        relation: what one part's label tells about the other's in the same window, by pair;
            "all" is every pair of every song.
        chord: what a part's label tells about the chord, by part; empty if no chords are known.
        instrument: the same about the instrument.
        energy: the same about the level (4 classes, by quartiles of the part).
        agreement: same notes on two instruments, by part; empty without twins.
        balance: use of the classes.
    """

    n_classes: int
    window_seconds: float
    n_songs: int
    relation: Mapping[str, Information]
    chord: Mapping[str, Information]
    instrument: Mapping[str, Information]
    energy: Mapping[str, Information]
    agreement: Mapping[str, Agreement]
    balance: Balance


def measure_card(
    songs: Sequence[CardSong], n_classes: int, window_seconds: float, seed: int = 0
) -> AlphabetCard:
    """Measure an alphabet on songs, which should not be those that it was fitted on.

    Args:
        songs: two or more.
        n_classes: K.
        window_seconds: Δ, seconds.
        seed: of the draws that equalise numbers of pairs.

    Raises:
        ValueError: fewer than two songs.
    """
    if len(songs) < 2:
        raise ValueError(f"an alphabet card needs two songs at least, got {len(songs)}")
    groups = _part_groups(songs)
    return AlphabetCard(
        n_classes,
        window_seconds,
        len(songs),
        relation=_relations(songs, seed),
        chord=_explained(groups, lambda song, _: song.chords, seed),
        instrument=_explained(groups, _instrument, seed),
        energy=_explained(groups, lambda _, part: _levels(part), seed),
        agreement=_agreements(groups, n_classes),
        balance=_balance(songs, n_classes),
    )


_Group = list[tuple[CardSong, CardPart]]


def _part_groups(songs: Sequence[CardSong]) -> dict[str, _Group]:
    """Parts by name where a name is usual, and all parts together."""
    groups: dict[str, _Group] = {ALL: []}
    for song in songs:
        for name, part in song.parts.items():
            groups[ALL].append((song, part))
            groups.setdefault(name, []).append((song, part))
    fewest = max(2.0, USUAL_SHARE * len(songs))
    return {name: group for name, group in groups.items() if name == ALL or len(group) >= fewest}


def _relations(songs: Sequence[CardSong], seed: int) -> dict[str, Information]:
    every = [(song, pair) for song in songs for pair in song.pairs]
    names: dict[str, list[tuple[CardSong, tuple[str, str]]]] = {ALL: every}
    for song, pair in every:
        names.setdefault(" – ".join(pair), []).append((song, pair))
    fewest = max(2.0, USUAL_SHARE * len(songs))
    found = {}
    for name, group in names.items():
        if len({song.name for song, _ in group}) >= (2 if name == ALL else fewest):
            first = [song.parts[a].labels for song, (a, _) in group]
            second = [song.parts[b].labels for song, (_, b) in group]
            owners = [song.name for song, _ in group]
            found[name] = shared_information(
                first, second, seed, wrong_targets=_of_another_song(owners, second)
            )
    return found


def _explained(
    groups: Mapping[str, _Group],
    target_of: Callable[[CardSong, CardPart], Labels | None],
    seed: int,
) -> dict[str, Information]:
    """What labels tell about a target, for every group in which it is known."""
    found = {}
    for name, group in groups.items():
        known = [(song, part, target_of(song, part)) for song, part in group]
        rows = [(song.name, part.labels, t) for song, part, t in known if t is not None]
        if len({owner for owner, _, _ in rows}) >= 2:
            targets = [target for _, _, target in rows]
            other = _of_another_song([owner for owner, _, _ in rows], targets)
            labels = [one for _, one, _ in rows]
            found[name] = shared_information(labels, targets, seed, wrong_targets=other)
    return found


def _of_another_song(
    owners: Sequence[str], targets: Sequence[Labels]
) -> Callable[[int, int], Labels]:
    """Targets from `index` on, at the first place that belongs to another song."""

    def find(row: int, index: int) -> Labels:
        while owners[index] == owners[row]:
            index = (index + 1) % len(owners)
        return targets[index]

    return find


def _instrument(_: CardSong, part: CardPart) -> Labels | None:
    if part.instrument < 0:
        return None
    return np.full(len(part.labels), part.instrument, dtype=np.int64)


def _levels(part: CardPart) -> Labels:
    """The quartile of the level among the sounding windows of the part, 0..3."""
    sounding = part.energy_db[part.labels != SILENCE]
    if len(sounding) == 0:
        return np.full(len(part.labels), -1, dtype=np.int64)
    borders = np.quantile(sounding, np.arange(1, N_LEVELS) / N_LEVELS)
    return np.searchsorted(borders, part.energy_db, side="right").astype(np.int64)


def _agreements(groups: Mapping[str, _Group], n_classes: int) -> dict[str, Agreement]:
    found = {}
    for name, group in groups.items():
        rows = [
            np.stack([part.labels, part.twin], axis=1)[
                (part.labels != SILENCE) & (part.twin != SILENCE)
            ]
            for _, part in group
            if part.twin is not None
        ]
        if rows and sum(len(one) for one in rows):
            both = np.concatenate(rows)
            shares = [np.bincount(column, minlength=n_classes) / len(both) for column in both.T]
            share = float((both[:, 0] == both[:, 1]).mean())
            found[name] = Agreement(share, float(shares[0] @ shares[1]), len(both))
    return found


def _balance(songs: Sequence[CardSong], n_classes: int) -> Balance:
    tracks = [part.labels for song in songs for part in song.parts.values()]
    counts = np.zeros(n_classes, dtype=np.int64)
    runs: list[Labels] = []
    for labels in tracks:
        counts += np.bincount(labels[labels != SILENCE], minlength=n_classes)
        borders = np.flatnonzero(np.diff(labels, prepend=-2, append=-2))
        runs.append(np.diff(borders)[labels[borders[:-1]] != SILENCE])
    lengths = np.concatenate(runs)
    n_windows, n_runs = sum(len(labels) for labels in tracks), max(1, len(lengths))
    histogram = np.bincount(np.minimum(lengths, LONGEST_RUN), minlength=LONGEST_RUN + 1)[1:]
    return Balance(
        shares=tuple((np.sort(counts)[::-1] / max(1, counts.sum())).tolist()),
        perplexity=2.0 ** entropy_of_counts(counts),
        n_unused=int((counts == 0).sum()),
        mean_run=float(lengths.sum() / n_runs),
        runs=tuple((histogram / n_runs).tolist()),
        silent=1.0 - float(counts.sum() / max(1, n_windows)),
    )
