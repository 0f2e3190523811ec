"""The alphabet card as a picture and as a page of one file."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.alphabet_card import ALL, AlphabetCard
from models.information import Information

__all__ = ["card_page", "card_picture", "card_table"]

RIGHT, WRONG, PLAIN, BAD = "#0072b2", "#8c8c8c", "#009e73", "#d55e00"
_MOST_ROWS: Final = 6
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Alphabet card</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem;
  color: #1b1f24; background: #fff; }}
h1 {{ font-size: 1.5rem; }} h2 {{ font-size: 1.1rem; margin-top: 2.5rem; }}
img {{ width: 100%; height: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
td, th {{ padding: .2rem .8rem .2rem 0; text-align: left; border-bottom: 1px solid #d8dde2; }}
p {{ max-width: 46rem; }}
</style></head><body><h1>Alphabet card</h1><p>{about}</p>{cards}</body></html>
"""
_ABOUT: Final = (
    "Relation: bits that a part's label tells about the label of another part in the same window, "
    "beyond those that it tells about another song. Explained: the share of a target's entropy, "
    "counted in the same way. Agreement: windows in which the same notes on two instruments get "
    "the same label. Figures ± their standard error over songs. Information counted from few "
    "windows comes out too small, also after correction (Miller and Madow): compare figures of "
    "similar numbers of windows only."
)


def card_table(card: AlphabetCard) -> list[tuple[str, str, str]]:
    """Rows (what, figure, counted from) of a card, as text."""
    rows = []
    for name, one in card.relation.items():
        figure = f"{one.bits:.2f} ± {one.error:.2f} bit ({one.corrected:.2f} corrected)"
        rows.append((f"relation, {name}", figure, f"{one.n_pairs} windows"))
    for title, found in (
        ("chord", card.chord),
        ("instrument", card.instrument),
        ("energy", card.energy),
    ):
        for name, one in found.items():
            figure = f"{one.share:.2f} ± {_relative_error(one):.2f} explained"
            rows.append((f"{title}, {name}", figure, f"{one.n_pairs} windows"))
    for name, same in card.agreement.items():
        figure = f"{same.share:.0%} (chance {same.chance:.0%})"
        rows.append((f"agreement, {name}", figure, f"{same.n_windows} windows"))
    balance = card.balance
    rows.append(
        (
            "classes",
            f"as if {balance.perplexity:.0f} of {card.n_classes} were used evenly",
            f"{balance.n_unused} never used, the commonest {max(balance.shares):.1%}",
        )
    )
    rows.append(
        ("runs", f"{balance.mean_run:.2f} windows", f"{balance.silent:.0%} of windows are silent")
    )
    return rows


def card_picture(card: AlphabetCard) -> bytes:
    """The card as a PNG: relation, explained shares, agreement, balance and runs."""
    figure = Figure(figsize=(12, 6.2), dpi=110, layout="constrained")
    axes: Any = figure.subplots(2, 3)
    figure.suptitle(f"{_title(card)}, {card.n_songs} songs", fontsize=12)
    _draw_relation(axes[0, 0], card.relation)
    _draw_shares(axes[0, 1], "chord explained", card.chord, PLAIN)
    _draw_agreement(axes[0, 2], card)
    _draw_shares(axes[1, 0], "instrument, energy explained", _beside(card), BAD)
    _draw_balance(axes[1, 1], card)
    _draw_runs(axes[1, 2], card)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def card_page(cards: Sequence[AlphabetCard], notices: Sequence[str] = ()) -> str:
    """All cards on one self-contained HTML page.

    Args:
        cards: in the order of the page.
        notices: what the reader should know, a sentence each.
    """
    parts = ["".join(f"<p>{html.escape(one)}</p>" for one in notices)]
    for card in cards:
        picture = base64.b64encode(card_picture(card)).decode()
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in card_table(card)
        )
        parts.append(
            f"<h2>{html.escape(_title(card))}</h2>"
            f'<img alt="{html.escape(_title(card))}" src="data:image/png;base64,{picture}">'
            f"<table><tr><th>what</th><th>figure</th><th>counted from</th></tr>{rows}</table>"
        )
    return _PAGE.format(about=_ABOUT, cards="".join(parts))


def write_cards(folder: Path, cards: Sequence[AlphabetCard], notices: Sequence[str] = ()) -> None:
    """Write `card.html` and a PNG for each card into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for card in cards:
        path = folder / f"card-{card.n_classes}-{card.window_seconds:g}s.png"
        path.write_bytes(card_picture(card))
    (folder / "card.html").write_text(card_page(cards, notices), encoding="utf-8")


def _title(card: AlphabetCard) -> str:
    return f"{card.n_classes} classes, windows of {card.window_seconds:g} s"


def _relative_error(one: Information) -> float:
    return one.error / one.target_entropy if one.target_entropy > 0 else 0.0


def _beside(card: AlphabetCard) -> dict[str, Information]:
    """What a label should not tell."""
    rows = {f"instrument, {name}": one for name, one in card.instrument.items() if name != ALL}
    rows |= {f"energy, {name}": one for name, one in card.energy.items() if name != ALL}
    pooled = [("instrument", card.instrument), ("energy", card.energy)]
    return rows or {f"{title}, {ALL}": found[ALL] for title, found in pooled if ALL in found}


def _draw_relation(axes: Axes, relation: Mapping[str, Information]) -> None:
    axes.set_title("relation between parts, bit", loc="left")
    values = {name: one.bits for name, one in relation.items()}
    errors = [one.error for one in relation.values()]
    _draw_bars(axes, values, RIGHT, "{:.2f}", "no pairs", errors)
    axes.set_xlim(0, max([1.0, *values.values()]) * 1.25)


def _draw_shares(axes: Axes, title: str, shares: Mapping[str, Information], colour: str) -> None:
    axes.set_title(title, loc="left")
    values = {name: one.share for name, one in shares.items()}
    _draw_bars(axes, values, colour, "{:.2f}", "not known")


def _draw_agreement(axes: Axes, card: AlphabetCard) -> None:
    axes.set_title("same notes: same label", loc="left")
    values = {name: one.share for name, one in card.agreement.items()}
    _draw_bars(axes, values, RIGHT, "{:.0%}", "needs a corpus with twins")
    for place, one in enumerate(list(card.agreement.values())[:_MOST_ROWS]):
        axes.barh(place, one.chance, color=WRONG, height=0.6)


def _draw_bars(
    axes: Axes,
    values: Mapping[str, float],
    colour: str,
    pattern: str,
    nothing: str,
    errors: Sequence[float] = (),
) -> None:
    """One bar per name, its figure behind it and behind its error bar."""
    names = list(values)[:_MOST_ROWS]
    places = range(len(names))
    reach = list(errors[: len(names)]) or [0.0] * len(names)
    axes.barh(places, [values[name] for name in names], color=colour, height=0.6)
    for place, name, error in zip(places, names, reach, strict=True):
        value = values[name]
        if error:
            axes.errorbar(value, place, xerr=error, color="black", linewidth=1)
        axes.text(
            max(value, 0) + error + 0.02, place, pattern.format(value), va="center", ha="left"
        )
    axes.set_yticks(places, names)
    axes.set_xlim(0, 1)
    axes.invert_yaxis()
    if not names:
        axes.text(0.5, 0.5, nothing, ha="center", transform=axes.transAxes)


def _draw_balance(axes: Axes, card: AlphabetCard) -> None:
    axes.set_title("use of the classes, commonest first", loc="left")
    axes.bar(range(card.n_classes), card.balance.shares, width=1.0, color=PLAIN)
    axes.axhline(1 / card.n_classes, color=WRONG, linewidth=1, label="evenly")
    axes.set_xlabel(f"as if {card.balance.perplexity:.0f} classes were used evenly")
    axes.legend(frameon=False)


def _draw_runs(axes: Axes, card: AlphabetCard) -> None:
    axes.set_title("runs of one label, windows", loc="left")
    lengths = [*(str(n) for n in range(1, len(card.balance.runs))), f"{len(card.balance.runs)}+"]
    axes.bar(lengths, card.balance.runs, color=PLAIN)
    axes.set_xlabel(f"mean {card.balance.mean_run:.2f}")
