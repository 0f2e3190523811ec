"""Pictures of the ranking figures, each a PNG as bytes."""

import importlib.util
import io
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from launch.alignment_material import Material
from launch.rank_scenarios import PAPER_MODEL
from launch.rank_studies import Correlation, Fuzz
from launch.train_alignment import HELD_OUT_SHARE
from models.alignment_training import hold_out_renders, train
from models.audio_embedding import AudioSpace
from models.ridge import Ridge, choose_strength

__all__ = ["of_distances", "of_embeddings", "of_scenarios", "of_studies"]

FloatArray = NDArray[np.float32]
Distances = NDArray[np.floating]
OURS, PAPER, SIMPLE, HEARD = "#0072b2", "#d55e00", "#8c8c8c", "#009e73"
_N_COMPONENTS: Final = 32


def _style() -> AbstractContextManager[None]:
    return mpl.rc_context({"font.size": 8.5, "axes.spines.top": False, "axes.spines.right": False})


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, dpi=120, format="png", metadata={"Software": None})
    return file.getvalue()


def _colour(method: str) -> str:
    if "paper" in method:
        return PAPER
    if method.startswith(("cascade", "first")):
        return HEARD
    return OURS if method in ("sketch, not trained", "static", "runtime events") else SIMPLE


def of_scenarios(values: Mapping[str, Any]) -> dict[str, bytes]:
    """Every method over all scenarios under both truths, and what the cascade's renders bring."""
    with _style():
        figure = Figure(figsize=(11.0, 4.2), layout="constrained")
        axes = figure.subplots(1, 3, sharey=True)
        own, other = (values["truths"][truth]["all"] for truth in ("own", "independent"))
        for ax, table, name, title in (
            (axes[0], own, "spearman", "Spearman of distances"),
            (axes[1], own, "capture", "capture of the three chosen"),
            (axes[2], other, "spearman", "Spearman, independent embedding"),
        ):
            _bars(ax, table, name, title)
        budgets = Figure(figsize=(5.2, 3.4), layout="constrained")
        _budgets(budgets.subplots(), values["cascade"])
        return {"scenarios": _png(figure), "cascade": _png(budgets)}


def _bars(ax: Axes, table: Mapping[str, Any], figure: str, title: str) -> None:
    names = list(table)[::-1]
    for row, name in enumerate(names):
        if figure not in table[name]:
            continue
        value, low, high = table[name][figure]
        ax.barh(row, value, color=_colour(name), height=0.7)
        ax.plot([low, high], [row, row], color="black", lw=1)
    ax.set_yticks(range(len(names)), names)
    ax.axvline(0, color="black", lw=0.6)
    ax.set(xlim=(-0.25, 1.02), title=title)


def _budgets(ax: Axes, cascade: Mapping[str, Any]) -> None:
    for truth, colour in (("own", OURS), ("independent", PAPER)):
        budgets = [int(n) for n in cascade[truth]]
        means = np.array([row["capture"] for row in cascade[truth].values()])
        ax.plot(budgets, means[:, 0], "o-", color=colour, label=f"{truth} embedding")
        ax.fill_between(budgets, means[:, 1], means[:, 2], color=colour, alpha=0.15)
    ax.set(
        xlabel="candidates heard (of 10)", ylabel="capture", ylim=(0, 1.02), title="Cascade"
    )  # fmt: skip
    ax.legend(frameon=False, loc="lower right")


def of_distances(methods: Mapping[str, Sequence[Distances]], real: Sequence[Distances]) -> bytes:
    """Predicted against true distances of all pairs within scenarios."""
    with _style():
        figure = Figure(figsize=(7.5, 3.4), layout="constrained")
        axes = figure.subplots(1, len(methods), squeeze=False)[0]
        for ax, (name, predicted) in zip(axes, methods.items(), strict=True):
            found = [_upper(each) for each in predicted]
            true = [_upper(each) for each in real]
            ax.plot(
                np.concatenate(found), np.concatenate(true), ".", ms=2, alpha=0.5,
                color=_colour(name),
            )  # fmt: skip
            ax.set(xlabel=f"{name}: predicted", ylabel="distance heard", title=name)
        return _png(figure)


def _upper(matrix: Distances) -> Distances:
    return np.asarray(matrix[np.triu_indices(len(matrix), 1)])


def of_studies(correlation: Mapping[str, Correlation], fuzz: Sequence[Fuzz]) -> dict[str, bytes]:
    """The two studies of section 2: all pairs of examples, and what one changed number does."""
    with _style():
        pairs = Figure(figsize=(7.5, 6.0), layout="constrained")
        for ax, (name, each) in zip(pairs.subplots(2, 2).ravel(), correlation.items(), strict=True):
            ax.plot(each.code, each.sound, ".", ms=3, color=OURS if "static" in name else SIMPLE)
            ax.set(
                title=f"{name}\nSpearman {each.spearman[0]:.2f} (p {each.spearman[1]:.2g})",
                xlabel="distance of code", ylabel="distance of sound",
            )  # fmt: skip
        changes = Figure(figsize=(10.0, 3.4), layout="constrained")
        first, second = changes.subplots(1, 2)
        for kind, colour in (("sleep", OURS), ("amp", HEARD), ("bpm", PAPER)):
            part = [each for each in fuzz if each.kind == kind]
            sound = [each.similarity for each in part]
            first.plot([e.text for e in part], sound, "o", ms=4, color=colour, label=kind)
            second.plot(
                [e.predicted for e in part], [e.real for e in part], "o", ms=4, color=colour,
                label=kind,
            )  # fmt: skip
        first.set(
            xlabel="similarity of the text embeddings", ylabel="similarity of the sounds",
            title="One kind of number changed",
        )  # fmt: skip
        second.set(
            xlabel="distance foreseen by the static tier", ylabel="distance heard",
            title="The same changes",
        )  # fmt: skip
        first.legend(frameon=False)
        second.legend(frameon=False)
        return {"correlation": _png(pairs), "fuzz": _png(changes)}


def of_embeddings(material: Material) -> dict[str, bytes]:
    """The paper's Figure 2 on renders held out: both modalities in the plane, and as heat maps."""
    held = hold_out_renders(len(material.text), HELD_OUT_SHARE, seed=0)
    known, asked = material.rows(~held), material.rows(held)
    space = AudioSpace.fit(known.sound)
    sounds, real = space.embed(known.sound), space.embed(asked.sound)
    aligned = train(known.text, sounds, PAPER_MODEL, 0).embed(asked.text, real)
    strength = choose_strength(known.sketch, sounds, known.programs)
    foreseen = Ridge.fit(known.sketch, sounds, strength).predict(asked.sketch)
    pairs = {
        "before alignment (text, sound)": (_reduced(asked.text), _reduced(real)),
        "the paper's model": aligned,
        "static tier": (foreseen, real),
    }
    with _style():
        return {"plane": _plane(pairs), "maps": _maps(pairs, asked.programs)}


def _reduced(points: FloatArray) -> FloatArray:
    """Unit-length principal components, so that both modalities have the same number."""
    n = min(_N_COMPONENTS, *points.shape)
    parts = PCA(n, random_state=0).fit_transform(points)
    lengths = np.linalg.norm(parts, axis=1, keepdims=True)
    return np.asarray(parts / np.maximum(lengths, 1e-9), dtype=np.float32)


def _plane(pairs: Mapping[str, tuple[FloatArray, FloatArray]]) -> bytes:
    figure = Figure(figsize=(11.0, 3.8), layout="constrained")
    for ax, (name, (code, sound)) in zip(figure.subplots(1, 3), pairs.items(), strict=True):
        method, flat = _in_the_plane(np.concatenate([code, sound]))
        for part, colour, label in ((slice(None, len(code)), OURS, "code"),
                                    (slice(len(code), None), PAPER, "sound")):  # fmt: skip
            ax.plot(*flat[part].T, ".", ms=3, color=colour, label=label)
        ax.set(xticks=[], yticks=[], title=f"{name} ({method})")
        ax.legend(frameon=False, loc="upper right")
    return _png(figure)


def _in_the_plane(points: FloatArray) -> tuple[str, FloatArray]:
    """UMAP (McInnes et al. 2018) where it is installed, else principal components."""
    if importlib.util.find_spec("umap") is None:
        return "principal components", PCA(2, random_state=0).fit_transform(points)
    from umap import UMAP

    flat = UMAP(n_neighbors=min(15, len(points) - 1), random_state=0, n_jobs=1)
    return "UMAP", np.asarray(flat.fit_transform(points))


def _maps(pairs: Mapping[str, tuple[FloatArray, FloatArray]], programs: NDArray[np.str_]) -> bytes:
    figure = Figure(figsize=(11.0, 4.0), layout="constrained")
    order = np.argsort(programs, kind="stable")
    for ax, (name, (code, sound)) in zip(figure.subplots(1, 3), pairs.items(), strict=True):
        first, second = (_centred(points[order]) for points in (code, sound))
        ax.imshow(first @ second.T, vmin=-1, vmax=1, cmap="RdBu_r", interpolation="nearest")
        ax.set(
            xticks=[], yticks=[], xlabel="sounds, by program", ylabel="programs", title=name
        )  # fmt: skip
    return _png(figure)


def _centred(points: FloatArray) -> FloatArray:
    centred = points - points.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(lengths, 1e-9))
