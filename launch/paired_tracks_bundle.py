"""A bundle from a cell of the paired-tracks table: what was measured there, made playable."""

from collections.abc import Sequence
from pathlib import Path

from safetensors.numpy import load_file

from corpus.manifest import load_manifest
from launch.paired_tracks_jobs import Cell, Configuration, Effort, settings_of
from launch.paired_tracks_summary import summarise
from launch.song_hearing import on_the_beat
from models.bundle import Bundle, BundleCard
from models.count_model import CountModel
from models.paired_labels import Split
from models.vector_quantizer import Codebook


def write_bundle(
    configuration: Configuration,
    effort: Effort,
    corpora: Sequence[Path],
    table: Path,
    labelled: tuple[Split, Codebook],
    cell: Cell,
    to: Path,
) -> None:
    """Write the bundle of the first seed of a configuration.

    Args:
        configuration: which.
        effort: with which it was trained.
        corpora: on which.
        table: folder of the table.
        labelled: its labels and alphabet.
        cell: its figures, of seed 0.
        to: folder of the bundle; replaced if it is there.

    Raises:
        BundleError: the folder cannot be written.
    """
    split, codebook = labelled
    settings = settings_of(effort, configuration, codebook.n_classes, cell["seed"])
    per_beat = configuration.windows_per_beat
    manifests = [load_manifest(folder) for folder in corpora]
    counts = CountModel.fit(
        [(b.heard, b.answer) for b in split.train],
        [(b.heard, b.answer) for b in split.validation],
        codebook.n_classes,
        settings.horizon,
    )
    row = summarise([cell])
    card = BundleCard(
        ear=settings.ear,
        window_seconds=configuration.window_seconds,
        beats=None if per_beat is None else on_the_beat(corpora, per_beat)[1],
        sample_rate=manifests[0].settings.sample_rate,
        n_labels=codebook.n_classes,
        horizon=settings.horizon,
        transformer=settings.transformer(),
        key_normalised=settings.key_normalised,
        key=settings.key,
        trained={
            "corpora": {
                folder.name: {
                    role: sorted(song.name for song in manifest.used if song.role == role)
                    for role in ("train", "validation", "test")
                }
                for folder, manifest in zip(corpora, manifests, strict=True)
            },
            "split": "by song, as the manifests say",
            "key": "running" if settings.key_normalised else "none",
            "seed": cell["seed"],
            "settings": settings.model_dump(mode="json"),
            **{k: v for k, v in cell["training"].items() if k != "curve"},
        },
        measured={
            "on": f"{row['songs']} {cell['measured_on']} songs, {row['windows']} windows",
            **{key: row[key] for key in ("bits", "tpp", "entropy", "run", "lcp", "gains")},
        },
    )
    weights = load_file(table / "cells" / f"{configuration.name}-{cell['seed']}.safetensors")
    Bundle(card, codebook, counts, weights).save(to)
