"""Which songs are learned from, which decide, which are tried: always whole songs.

`seed` draws 80-10-10. `suggested` knows the three collections by the names of their folders
(POP909, Freedoom's music, OpenScore's string quartets) and draws the songs of any other.
"""

import re
from collections.abc import Sequence
from typing import Final, Literal

from corpus.manifest import Role, SongRecord
from corpus.voices import name_seed

__all__ = ["SPLITS", "SplitRule", "divide"]

SplitRule = Literal["seed", "suggested"]
SPLITS: Final[tuple[str, ...]] = ("seed", "suggested")
VALIDATION_SHARE: Final = 0.1
TEST_SHARE: Final = 0.1

_HAYDN_LAST_FOUR: Final = 4
_QUARTETS_TO_TRY: Final = ("Grieg", "Smetana", "Schumann")


def divide(groups: Sequence[Sequence[SongRecord]], rule: SplitRule, seed: int) -> list[Role]:
    """The role of each group of related songs.

    Args:
        groups: songs that must stay together, at least one each.
        rule: "seed" or "suggested".
        seed: of the draw.

    Returns:
        A role per group; drawn groups go 80-10-10, with at least one in validation and in test
        from three groups on.
    """
    roles: dict[int, Role] = {}
    if rule == "suggested":
        every = [record for group in groups for record in group]
        suggested = [(i, _suggestion(group[0], every)) for i, group in enumerate(groups)]
        roles = {index: role for index, role in suggested if role is not None}
    rest = [index for index in range(len(groups)) if index not in roles]
    ranked = sorted(rest, key=lambda index: name_seed(f"{seed}/{groups[index][0].name}"))
    n_test, n_validation = _held_out(len(rest), TEST_SHARE), _held_out(len(rest), VALIDATION_SHARE)
    for place, index in enumerate(ranked):
        if place < n_test:
            roles[index] = "test"
        else:
            roles[index] = "validation" if place < n_test + n_validation else "train"
    return [roles[index] for index in range(len(groups))]


def _held_out(n_groups: int, share: float) -> int:
    return max(1, round(n_groups * share)) if n_groups >= 3 else 0


def _suggestion(song: SongRecord, every: Sequence[SongRecord]) -> Role | None:
    """What the collection's own notes suggest; None for a collection that is not known."""
    collection = song.collection.lower()
    last = song.name.rsplit("/", 1)[-1]
    if "pop909" in collection and re.fullmatch(r"\d{3}", last):
        number = int(last)
        return "train" if number <= 320 else "validation" if number <= 360 else "test"
    if "freedoom" in collection or last.startswith("d_"):
        level = re.fullmatch(r"d_map(\d\d).*", last)
        if level and 25 <= int(level[1]) <= 32:
            return "test"
        return "validation" if last.startswith("d_e4") else "train"
    if "quartet" in collection or "openscore" in collection:
        if any(name in song.name for name in _QUARTETS_TO_TRY):
            return "test"
        haydn = sorted(one.name for one in every if "Haydn" in one.name)
        return "validation" if song.name in haydn[-_HAYDN_LAST_FOUR:] else "train"
    return None
