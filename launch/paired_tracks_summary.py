"""What the cells of the paired-tracks table say together: per configuration, with intervals."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.metrics.labels import Interval, grouped_bootstrap, mann_whitney

BASELINES: Final = {
    "greedy": ("majority", "copy the guide", "p(y|x)", "p(y|x₋,x)"),
    "sampled": ("uniform", "unigram", "p(y|x)", "p(y|x₋,x)"),
    "constrained": ("uniform", "unigram", "p(y|x)", "p(y|x₋,x)"),
}
OURS: Final = ("ours", "ours, own past")
Cell = dict[str, Any]


def summarise(cells: Sequence[Cell], collection: str | None = None) -> dict[str, Any]:
    """One row of the table: all seeds of one configuration.

    Args:
        cells: of one configuration, one per seed, judged on the same songs.
        collection: only songs of this corpus; None for all.
    """
    songs = cells[0]["songs"]
    chosen = np.array([collection is None or s.startswith(f"{collection}/") for s in songs])
    names = set(cells[0]["systems"])
    row: dict[str, Any] = {
        "configuration": cells[0]["configuration"],
        "window_seconds": cells[0]["window_seconds"],
        "alphabet": cells[0]["alphabet"],
        "seeds": [cell["seed"] for cell in cells],
        "train_songs": cells[0]["train_songs"],
        "songs": int(chosen.sum()),
        "windows": int(_sum(cells, "sampled unigram", "n")[chosen].sum()),
        "training": [cell["training"] | {"curve": None} for cell in cells],
    }
    bits = {n: _mean(cells, n, "bits", chosen) for n in sorted(names) if _has(cells, n, "bits")}
    row["bits"] = bits
    row["tpp"] = {
        n: 100.0 * _mean(cells, n, "hits", chosen)
        for n in sorted(names)
        if _has(cells, n, "hits") and n != "truth"
    }
    shape = {n: _shape(cells, n, collection) for n in sorted(names) if _has(cells, n, "tpp")}
    row["entropy"] = {n: one["entropy"] for n, one in shape.items()}
    row["run"] = {n: one["run"] for n, one in shape.items()}
    if collection is None:  # cells keep it for all songs together
        row["lcp"] = {n: float(np.mean([c["systems"][n]["lcp"] for c in cells])) for n in shape}
    row["gains"] = _gains(cells, row, chosen)
    row["mann_whitney"] = {
        f"sampled {ours} over {base}": mann_whitney(
            _sequences(cells, f"sampled {ours}", "tpp", collection),
            _sequences(cells, f"sampled {base}", "tpp", collection),
        )
        for ours in OURS
        for base in ("uniform", "p(y|x₋,x)")
    }
    return row


def _gains(cells: Sequence[Cell], row: dict[str, Any], chosen: NDArray[np.bool_]) -> dict[str, Any]:
    """Ours against the best baseline of its kind: difference, interval, which it was."""
    gains = {}
    counted = [f"sampled {name}" for name in BASELINES["sampled"]]
    best = min(counted, key=lambda name: row["bits"][name])
    gains["bits"] = _gain(cells, best, "sampled ours", "bits", chosen, 1.0)
    gains["bits, wrong song"] = _gain(
        cells, "sampled ours, wrong song", "sampled ours", "bits", chosen, 1.0
    )
    for how, names in BASELINES.items():
        best = max((f"{how} {name}" for name in names), key=lambda name: row["tpp"][name])
        for ours in OURS:
            if f"{how} {ours}" in row["tpp"]:
                gains[f"TPP, {how} {ours}"] = _gain(
                    cells, f"{how} {ours}", best, "hits", chosen, 100.0
                )
    return gains


def _gain(
    cells: Sequence[Cell], a: str, b: str, what: str, chosen: NDArray[np.bool_], scale: float
) -> dict[str, Any]:
    """Mean of a − b over windows, with the bootstrap over songs."""
    difference = scale * (_sum(cells, a, what) - _sum(cells, b, what))[chosen]
    sizes = _sum(cells, "sampled unigram", "n")[chosen]
    found: Interval = grouped_bootstrap(difference, sizes, seed=0)
    other = b if what == "hits" else a
    return {"over": other, "mean": found.mean, "low": found.low, "high": found.high}


def _sum(cells: Sequence[Cell], name: str, what: str) -> NDArray[np.float64]:
    """Per song, mean over seeds."""
    per_seed = np.array([cell["systems"][name][what] for cell in cells], dtype=np.float64)
    mean: NDArray[np.float64] = per_seed.mean(axis=0)
    return mean


def _mean(cells: Sequence[Cell], name: str, what: str, chosen: NDArray[np.bool_]) -> float:
    """Per judged window; bits rest on the windows in which the answer plays."""
    sizes = _sum(cells, name if what == "hits" else "sampled unigram", "n")
    return float(_sum(cells, name, what)[chosen].sum() / max(1.0, sizes[chosen].sum()))


def _has(cells: Sequence[Cell], name: str, what: str) -> bool:
    return what in cells[0]["systems"][name]


def _sequences(
    cells: Sequence[Cell], name: str, what: str, collection: str | None
) -> NDArray[np.float64]:
    """Figures of all 15 s sequences of all seeds."""
    kept = [
        collection is None or song.startswith(f"{collection}/")
        for song in cells[0]["sequence_songs"]
    ]
    return np.concatenate([np.array(cell["systems"][name][what])[kept] for cell in cells])


def _shape(cells: Sequence[Cell], name: str, collection: str | None) -> dict[str, float]:
    """Entropy and mean run of an answer within 15 s."""
    return {
        what: float(_sequences(cells, name, what, collection).mean()) for what in ("entropy", "run")
    }


def sequences(cells: Sequence[Cell], name: str, what: str, collection: str | None) -> list[float]:
    """Figures of all 15 s sequences of all seeds, for pictures."""
    found: list[float] = _sequences(cells, name, what, collection).tolist()
    return found
