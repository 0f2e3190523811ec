"""What counts as sounding different: the embedding that is foreseen, and others that are not.

A ranking that holds under one embedding only has learned that embedding. The independent one shares
nothing with ours; a pretrained model can be named as a third.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agents.code_ranking.prediction import STORED
from corpus.sonic_pi.dataset import SAMPLE_RATE, Dataset
from launch.alignment_material import Material
from launch.rank_scenarios import ScenarioSounds
from models.audio_embedding import AudioSpace, distances_between
from models.modulation_embedding import ModulationSpace
from models.pretrained_embedding import PretrainedDescriber, PretrainedSpace

__all__ = ["described_by_model", "true_distances"]

FloatArray = NDArray[np.float32]
Distances = NDArray[np.floating]


def true_distances(
    scenarios: Sequence[ScenarioSounds],
    training: Material,
    pretrained: tuple[FloatArray, FloatArray] | None = None,
) -> dict[str, list[Distances]]:
    """Distances of real sounds in every scenario, under each embedding.

    Args:
        scenarios: in any order.
        training: sounds that the other embeddings are fitted to.
        pretrained: descriptions by a pretrained model of the programs of all scenarios, one after
            the other, and of the training sounds.

    Returns:
        "own", "independent" and perhaps "pretrained" → one matrix for each scenario.
    """
    own = AudioSpace.load(STORED / "space.safetensors")
    independent = ModulationSpace.fit(training.modulation)
    truths: dict[str, list[Distances]] = {
        "own": [distances_between(own.embed(s.material.sound)) for s in scenarios],
        "independent": [
            distances_between(independent.embed(s.material.modulation)) for s in scenarios
        ],
    }
    if pretrained is not None:
        points = PretrainedSpace.fit(pretrained[1]).embed(pretrained[0])
        ends = np.cumsum([len(s.kept) for s in scenarios])[:-1]
        truths["pretrained"] = [distances_between(part) for part in np.split(points, ends)]
    return truths


def described_by_model(
    folder: Path, describer: PretrainedDescriber, names: Sequence[str] | None = None
) -> FloatArray:
    """Descriptions of the sounds of a data set by a pretrained model, kept beside it.

    Args:
        folder: of the data set.
        describer: the model.
        names: base programs wanted, one row each in this order; none: all pairs.
    """
    cache = folder / f"{describer.name}.npz"
    with Dataset(folder) as dataset:
        keys = [f"{pair.template}/{pair.index}" for pair in dataset.pairs(sound=False)]
        described = _stored(cache, keys)
        if described is None:
            described = np.stack(
                [describer.describe(pair.samples(), SAMPLE_RATE) for pair in dataset.pairs()]
            )
            np.savez(cache, keys=np.array(keys), described=described)
    if names is None:
        return described
    row_of = {key.rsplit("/", 1)[0]: row for row, key in enumerate(keys)}
    return described[[row_of[name] for name in names]]


def _stored(cache: Path, keys: Sequence[str]) -> FloatArray | None:
    if not cache.is_file():
        return None
    with np.load(cache, allow_pickle=False) as stored:
        return np.asarray(stored["described"]) if list(stored["keys"]) == list(keys) else None
