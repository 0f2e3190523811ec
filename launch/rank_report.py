"""A ranking to look at, and one for other programs to read."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from rich.table import Table
from rich.text import Text

from agents.code_ranking.estimate import TIERS, TierName
from agents.code_ranking.ranking import Answer, Ranking
from corpus.sonic_pi.events import printable

__all__ = ["Listed", "as_json", "as_table"]

_RESTS_ON: Final[dict[TierName, str]] = {
    "static": "its code", "events": "its events", "heard": "its sound",
}  # fmt: skip

_FAULTS_SHOWN: Final = 2


class Listed(NamedTuple):
    """A candidate as given: its file, its text, and why there is none."""

    path: Path
    code: str | None
    refusal: str


class _Row(NamedTuple):
    listed: Listed
    answer: Answer | None
    twin: Path | None
    is_chosen: bool

    def set_aside(self, names: Mapping[Path, str]) -> str:
        """Why it cannot be chosen, with the name of the file that it is like."""
        if self.answer is None:
            return "not readable"
        twin = "" if self.twin is None else f" {names[self.twin]}"
        return f"{self.answer.reason}{twin}"


def as_json(
    ranking: Ranking, listed: Sequence[Listed], context: Path | None, near: Path | None
) -> str:
    """The whole ranking; distances that do not exist are null."""
    rows = _rows(ranking, listed)
    names = {one.path: _name(one.path) for one in listed}
    whole = {
        "mode": ranking.mode,
        "context": None if context is None else {"file": _name(context), "tier": ranking.context},
        "near": None if near is None else _name(near),
        "chosen": [names[row.listed.path] for row in rows if row.is_chosen],
        "is_final": ranking.is_final,
        "seconds": round(ranking.seconds, 4),
        "notices": list(ranking.all_notices),
        "candidates": [_fields(rank, row, names) for rank, row in enumerate(rows, 1)],
    }
    return json.dumps(whole, indent=1)


def _rows(ranking: Ranking, listed: Sequence[Listed]) -> list[_Row]:
    """Best first; what could not be read comes last."""
    readable = [one for one in listed if one.code is not None]
    rows = []
    for index in ranking.order:
        answer = ranking.answers[index]
        twin = None if answer.twin is None else readable[answer.twin].path
        rows.append(_Row(readable[index], answer, twin, index in ranking.chosen))
    return rows + [_Row(one, None, None, False) for one in listed if one.code is None]


def _fields(rank: int, row: _Row, names: Mapping[Path, str]) -> dict[str, Any]:
    answer = row.answer
    known = answer is not None and not math.isnan(answer.distance)
    return {
        "rank": rank,
        "file": names[row.listed.path],
        "is_chosen": row.is_chosen,
        "tier": answer.tier if answer else None,
        "distance": round(answer.distance, 4) if answer and known else None,
        "coverage": round(answer.coverage, 4) if answer else 0.0,
        "is_trusted": bool(answer and answer.is_trusted),
        "set_aside": row.set_aside(names),
        "faults": list(answer.faults) if answer else [row.listed.refusal],
    }


def as_table(
    ranking: Ranking, listed: Sequence[Listed], context: Path | None, near: Path | None
) -> Table:
    """The whole ranking, the chosen on top."""
    rows = _rows(ranking, listed)
    files = Counter(one.path.name for one in listed)
    names = {
        one.path: printable(one.path.name if files[one.path.name] == 1 else str(one.path))
        for one in listed
    }
    table = Table(title=_title(ranking, len(rows), context, near), caption=_caption(ranking))
    table.add_column("", justify="right")
    table.add_column("program", overflow="fold")
    table.add_column("distance", justify="right")
    table.add_column("rests on")
    table.add_column("understood", justify="right")
    table.add_column("remarks", overflow="fold")
    for rank, row in enumerate(rows, 1):
        answer, style = row.answer, "bold" if row.is_chosen else ""
        if row.set_aside(names):
            style = "dim"
        known = answer is not None and not math.isnan(answer.distance)
        table.add_row(
            f"{rank}",
            Text(names[row.listed.path]),
            f"{answer.distance:.2f}" if answer and known else "–",
            _RESTS_ON[answer.tier] if answer and answer.tier else "–",
            f"{answer.coverage:.0%}" if answer and answer.tier else "–",
            Text(_remarks(row, names)),
            style=style,
            end_section=rank == len(ranking.chosen) < len(rows),
        )
    return table


def _title(ranking: Ranking, n: int, context: Path | None, near: Path | None) -> str:
    found = f"{len(ranking.chosen)} of {n}"
    if near is not None:
        return f"The {found} nearest to {printable(near.name)}"
    beside = "" if context is None else f" and from {printable(context.name)}"
    return f"The {found} that sound most unlike each other{beside}"


def _caption(ranking: Ranking) -> str:
    tiers = [answer.tier for answer in ranking.answers]
    counts = [f"{tiers.count(tier)} by {_RESTS_ON[tier]}" for tier in TIERS if tier in tiers]
    more = "" if ranking.is_final else ", more time would tell more"
    meaning = (
        "to the nearest shown above the line" if ranking.mode == "distinct" else "to the sound"
    )
    if not counts:
        return "No program could be read."
    return f"{', '.join(counts)}; {ranking.seconds:.2f} s{more}. Distances are {meaning}."


def _remarks(row: _Row, names: Mapping[Path, str]) -> str:
    if row.answer is None:
        return printable(row.listed.refusal)
    faults = (printable(fault) for fault in row.answer.faults[:_FAULTS_SHOWN])
    return "; ".join(part for part in (row.set_aside(names), *faults) if part)


def _name(path: Path) -> str:
    """A path as text that JSON can hold, whatever its bytes."""
    return str(path).encode("utf-8", "backslashreplace").decode()
