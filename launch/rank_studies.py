"""The two studies that precede the paper's model (its section 2), on the installed examples.

Do distances of code follow distances of sound? And does a change of one number that is plain to
hear show in the embedding of the code? The paper took 27 tutorial entries; the installed package
has 27 examples besides its unfinished ones, most of them the same. They are read where they are
installed and rendered for 9 bars at 120 BPM, as in the paper.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import squareform
from scipy.stats import pearsonr, spearmanr

from agents.code_ranking.prediction import STORED
from corpus.sonic_pi.auto_template import find_parameters
from corpus.sonic_pi.dataset import CheckConfig, Dataset, DatasetConfig, checked_pair
from corpus.sonic_pi.pool import RendererPool
from corpus.sonic_pi.renderer import PATIENT
from corpus.sonic_pi.templating import Template
from launch.alignment_material import Material, load_material
from launch.rank_scenarios import cosine_distances
from models.audio_embedding import AudioSpace, distances_between
from models.modulation_embedding import ModulationSpace
from models.ridge import Ridge
from models.text_embedding import TextEmbeddingConfig

__all__ = ["Correlation", "Fuzz", "correlation_study", "fuzz_study", "load_study", "render_study"]

Distances = NDArray[np.floating]
SECONDS: Final = 18.0
UNFINISHED: Final = "incubation"
N_LONGEST: Final = 6
VARIED: Final = ("sleep", "amp", "bpm")
FACTORS: Final = (0.5, 0.8, 2.0)
_KEEP_ALL: Final = CheckConfig(clipped_share=1.0)


@dataclass(frozen=True, eq=False)
class Correlation:
    """Distances of code against distances of sound, one row for each pair of programs.

    Args:
        code, sound: distances, shape (pairs,).
        pearson, spearman: correlations with their p-values.
    """

    code: Distances
    sound: Distances
    pearson: tuple[float, float]
    spearman: tuple[float, float]


@dataclass(frozen=True)
class Fuzz:
    """One change of one kind of number throughout a program.

    Args:
        program, kind, factor: what was changed.
        text: cosine similarity of the text embeddings before and after.
        predicted: distance that the static tier foresees.
        real: distance that is heard.
        similarity: cosine similarity of the sounds in the audio space.
    """

    program: str
    kind: str
    factor: float
    text: float
    predicted: float
    real: float
    similarity: float


def _programs(folder: Path) -> dict[str, str]:
    """Name → code of the originals and of the changed ones (`name~kind~factor`)."""
    files = [f for f in sorted(folder.rglob("*.rb")) if f.parent.name != UNFINISHED]
    if not files:
        raise FileNotFoundError(f"{folder} must hold the examples of Sonic Pi, got none")
    programs = {file.stem: file.read_text(encoding="utf-8") for file in files}
    longest = sorted(programs, key=lambda name: -len(programs[name]))[:N_LONGEST]
    for name in longest:
        for kind in VARIED:
            for factor in FACTORS:
                changed = _scaled(programs[name], kind, factor)
                if changed != programs[name]:
                    programs[f"{name}~{kind}~{factor:g}"] = changed
    return programs


def _scaled(program: str, kind: str, factor: float) -> str:
    """The program with every number of a kind multiplied."""
    source, parts, place = program.encode(), [], 0
    for parameter in find_parameters(program):
        if parameter.kind == kind:
            parts.append(source[place : parameter.start])
            parts.append(f"{float(parameter.text) * factor:g}".encode())
            place = parameter.end
    return b"".join([*parts, source[place:]]).decode()


def render_study(
    examples: Path,
    folder: Path,
    n_workers: int = 1,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> None:
    """Renders what is missing; can be stopped and taken up at any time.

    Args:
        examples: where the examples are installed.
        folder: to keep renders in.
        n_workers: renderers side by side.
        on_progress: told how many are done, and of how many.
    """
    templates = [
        Template(name, "{% raw %}" + code + "{% endraw %}")
        for name, code in _programs(examples).items()
    ]
    config = DatasetConfig(renders=1, seconds=SECONDS, check=_KEEP_ALL)
    with Dataset(folder, config, templates) as dataset:
        jobs = list(dataset.missing())
        if not jobs:
            return
        with RendererPool(n_workers, PATIENT) as pool:
            renderings = pool.render((job.code for job in jobs), SECONDS)
            for done, (job, rendering) in enumerate(zip(jobs, renderings, strict=True), 1):
                dataset.add(checked_pair(job, rendering, _KEEP_ALL))
                on_progress(dataset.n_wanted - len(jobs) + done, dataset.n_wanted)


def load_study(folder: Path, encoder: TextEmbeddingConfig) -> Material:
    """Views of all that `render_study` rendered and that sounds."""
    return load_material(folder, encoder, lambda _: None)


def correlation_study(material: Material, other: ModulationSpace) -> Mapping[str, Correlation]:
    """Distances of code against distances of sound, over all pairs of originals.

    Args:
        material: from `load_study`.
        other: the embedding for evaluation only.

    Returns:
        Text embedding and static tier, each under both audio embeddings.
    """
    chosen = np.array(["~" not in name for name in material.programs])
    part = material.rows(chosen)
    space = AudioSpace.load(STORED / "space.safetensors")
    foreseen = Ridge.load(STORED / "ridge.safetensors").predict(part.sketch)
    codes = {"text embedding": cosine_distances(part.text), "static": distances_between(foreseen)}
    sounds = {
        "own": distances_between(space.embed(part.sound)),
        "independent": distances_between(other.embed(part.modulation)),
    }
    return {
        f"{name}, {truth}": _correlation(
            squareform(code, checks=False), squareform(sound, checks=False)
        )
        for name, code in codes.items()
        for truth, sound in sounds.items()
    }


def _correlation(code: Distances, sound: Distances) -> Correlation:
    linear, monotonic = pearsonr(code, sound), spearmanr(code, sound)
    return Correlation(
        code,
        sound,
        (float(linear.statistic), float(linear.pvalue)),
        (float(monotonic.statistic), float(monotonic.pvalue)),
    )


def fuzz_study(material: Material) -> Sequence[Fuzz]:
    """Every change of the longest programs, beside the original.

    Args:
        material: from `load_study`.
    """
    space = AudioSpace.load(STORED / "space.safetensors")
    foreseen = Ridge.load(STORED / "ridge.safetensors").predict(material.sketch)
    heard = space.embed(material.sound)
    row_of = {str(name): row for row, name in enumerate(material.programs)}
    found = []
    for name, row in row_of.items():
        if "~" not in name:
            continue
        original, kind, factor = name.split("~")
        if original not in row_of:
            continue
        before = row_of[original]
        found.append(
            Fuzz(
                original,
                kind,
                float(factor),
                float(material.text[row] @ material.text[before]),
                float(np.linalg.norm(foreseen[row] - foreseen[before])),
                float(np.linalg.norm(heard[row] - heard[before])),
                _cosine(heard[row], heard[before]),
            )
        )
    return found


def _cosine(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    return float(first @ second / max(float(np.linalg.norm(first) * np.linalg.norm(second)), 1e-9))
