"""The taste table as one picture: known users, the cold-start curve, the course of training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

_BLUE, _GREY, _GREEN = "#2b87c0", "#8c8c8c", "#009e73"


def draw_table(report: Mapping[str, Any], path: Path) -> None:
    """Write the figures of `launch.taste_table.measure` as a PNG.

    Args:
        report: from `measure`, with the training's course under "training".
        path: file to write.
    """
    with mpl.rc_context({"font.size": 8.5, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(11.0, 3.4), layout="constrained")
        bars, curve, course = figure.subplots(1, 3)
        known = report["known_users"]
        names = list(known)[::-1]
        areas = [known[name]["roc_auc"] or 0.5 for name in names]
        colours = [_BLUE if n == "taste model" else _GREEN if "ceiling" in n else _GREY
                   for n in names]  # fmt: skip
        bars.barh(names, areas, color=colours)
        for row, area in enumerate(areas):
            bars.text(area + 0.005, row, f"{area:.3f}", va="center")
        bars.set(xlim=(0.5, 1.03), xlabel="ROC AUC", title="Unseen songs of known users")
        cold = {int(n): v for n, v in report["unseen_users_by_likes"].items() if n != "ceiling"}
        for system, colour in (("taste model", _BLUE), ("nearest neighbours", _GREY)):
            areas = [one[system]["roc_auc"] or 0.5 for one in cold.values()]
            curve.plot(list(cold), areas, "o-", color=colour, label=system)
        ceiling = report["unseen_users_by_likes"]["ceiling"]["roc_auc"]
        curve.axhline(ceiling, color=_GREEN, ls="--", label="ceiling: hidden taste")
        curve.set(ylim=(0.45, 1.0), xlabel="likes given", ylabel="ROC AUC",
                  title="Users never seen")  # fmt: skip
        curve.legend(frameon=False, loc=(0.35, 0.66))
        course.plot(report["training"]["validation_auc"], color=_BLUE)
        course.set(xlabel="epoch", ylabel="ROC AUC, listens", title="Validation")
        figure.savefig(path, dpi=130, metadata={"Software": None})
