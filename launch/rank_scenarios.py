"""Scenarios rendered, and every way to rank them judged against what was heard.

Renders are kept in a data set whose folder is named after the content of the scenarios, so nothing
is rendered twice and nothing stale is used. All methods see the same programs (the context and then
a candidate); text is also tried on the candidate alone, as the paper reads it.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from agents.code_ranking.cascade import Cascade
from agents.code_ranking.estimate import Estimate, TierName
from agents.code_ranking.judgement import (
    Judgement,
    chance,
    judge_choice,
    judge_distances,
    mean_judgement,
)
from agents.code_ranking.prediction import STORED, stored_predictor
from agents.code_ranking.tiers import HEARD_SECONDS
from corpus.sonic_pi.code_distances import (
    edit_distances,
    event_distances,
    parameter_distances,
    sleep_distances,
    tree_distances,
)
from corpus.sonic_pi.dataset import (
    SAMPLE_RATE,
    CheckConfig,
    Dataset,
    DatasetConfig,
    checked_pair,
)
from corpus.sonic_pi.events import Event
from corpus.sonic_pi.pool import RendererPool
from corpus.sonic_pi.renderer import PATIENT
from corpus.sonic_pi.scenarios import Scenario
from corpus.sonic_pi.templating import Template
from launch.alignment_material import Material, load_material
from models.alignment_training import PAPER_GRID, train
from models.audio_embedding import AudioSpace, distances_between
from models.ridge import Ridge
from models.sound_descriptors import describe, picture_of
from models.text_embedding import TextEmbedding, TextEmbeddingConfig

__all__ = [
    "KEEP",
    "PAPER_MODEL",
    "CascadeRun",
    "KeptTier",
    "ScenarioSounds",
    "cosine_distances",
    "judge_cascade",
    "judge_scenarios",
    "load_scenarios",
    "method_distances",
    "render_scenarios",
    "run_cascade",
    "scenario_folder",
]

FloatArray = NDArray[np.float32]
Distances = NDArray[np.floating]
SECONDS: Final = 10.0
KEEP: Final = 3
PAPER_MODEL: Final = PAPER_GRID[20]
"""Configuration 21 of the paper's Table A2, its best by CKA."""
_KEEP_ALL: Final = CheckConfig(clipped_share=1.0)  # a clipped candidate is heard all the same


@dataclass(frozen=True, eq=False)
class ScenarioSounds:
    """A scenario and all views of what it sounds like; rows are those candidates that sound.

    Args:
        scenario: what was rendered.
        kept: which candidates could be rendered.
        material: views of the context with each candidate.
        heard: sound description of the first 4 s of each program, (n, DESCRIPTION_DIM).
        alone: text embedding of each candidate without its context, (n, encoder width).
        events: what each program really played.
    """

    scenario: Scenario
    kept: tuple[int, ...]
    material: Material
    heard: FloatArray
    alone: FloatArray
    events: tuple[tuple[Event, ...], ...]

    @property
    def names(self) -> list[str]:
        """Names of the rows in the data set."""
        return [f"{self.scenario.name}-{i:02d}" for i in self.kept]

    @property
    def programs(self) -> list[str]:
        """Programs of the rows."""
        return [self.scenario.programs[i] for i in self.kept]


def scenario_folder(scenarios: Sequence[Scenario], data: Path) -> Path:
    """Where the renders of these scenarios are kept: named after their content."""
    digest = hashlib.sha256("\0".join(p for s in scenarios for p in s.programs).encode())
    return data / f"scenarios-{digest.hexdigest()[:10]}"


def _templates(scenarios: Sequence[Scenario]) -> list[Template]:
    """A template without parameters for every program."""
    return [
        Template(f"{scenario.name}-{i:02d}", "{% raw %}" + program + "{% endraw %}")
        for scenario in scenarios
        for i, program in enumerate(scenario.programs)
    ]


def render_scenarios(
    scenarios: Sequence[Scenario],
    data: Path,
    n_workers: int = 1,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, int]:
    """Renders what was not rendered yet; can be stopped and taken up at any time.

    Args:
        scenarios: which.
        data: folder to keep renders under.
        n_workers: renderers side by side.
        on_progress: told how many are done, and of how many.

    Returns:
        How many programs have each outcome.

    Raises:
        SonicPiMissingError, SandboxMissingError: as `Renderer`.
    """
    config = DatasetConfig(renders=1, seconds=SECONDS, check=_KEEP_ALL)
    with Dataset(scenario_folder(scenarios, data), config, _templates(scenarios)) as dataset:
        jobs = list(dataset.missing())
        if jobs:
            with RendererPool(n_workers, PATIENT) as pool:
                renderings = pool.render((job.code for job in jobs), SECONDS)
                for done, (job, rendering) in enumerate(zip(jobs, renderings, strict=True), 1):
                    dataset.add(checked_pair(job, rendering, _KEEP_ALL))
                    on_progress(dataset.n_wanted - len(jobs) + done, dataset.n_wanted)
        return dataset.counts()


def load_scenarios(
    scenarios: Sequence[Scenario], data: Path, encoder: TextEmbeddingConfig
) -> list[ScenarioSounds]:
    """Views of all rendered scenarios; those of which fewer than 3 candidates sound are left out.

    Raises:
        FileNotFoundError: if they were not rendered.
    """
    folder = scenario_folder(scenarios, data)
    material = load_material(folder, encoder, lambda _: None)
    with Dataset(folder) as dataset:
        events = {pair.template: pair.events for pair in dataset.pairs(sound=False)}
        heard = _first_seconds(dataset, folder / "heard.npz")
    row_of = {str(name): row for row, name in enumerate(material.programs)}
    texts = [text for scenario in scenarios for text in scenario.candidates]
    alone = dict(zip(texts, _embedded(texts, encoder, folder / "alone.npz"), strict=True))
    loaded = []
    for scenario in scenarios:
        names = {i: f"{scenario.name}-{i:02d}" for i in range(len(scenario.candidates))}
        kept = tuple(i for i, name in names.items() if name in row_of)
        if len(kept) >= KEEP:
            rows = [row_of[names[i]] for i in kept]
            loaded.append(
                ScenarioSounds(
                    scenario,
                    kept,
                    material.rows(rows),
                    heard[rows],
                    np.stack([alone[scenario.candidates[i]] for i in kept]),
                    tuple(events[names[i]] for i in kept),
                )
            )
    return loaded


def _first_seconds(dataset: Dataset, cache: Path) -> FloatArray:
    """Descriptions of how all programs begin, as the cascade hears them, in their order."""
    if cache.is_file():
        with np.load(cache, allow_pickle=False) as stored:
            if len(stored["heard"]) == dataset.counts()["kept"]:
                return np.asarray(stored["heard"])
    n_samples = round(HEARD_SECONDS * SAMPLE_RATE)
    heard = np.stack(
        [describe(picture_of(pair.samples()[:n_samples], SAMPLE_RATE)) for pair in dataset.pairs()]
    )
    np.savez(cache, heard=heard)
    return heard


def _embedded(texts: Sequence[str], encoder: TextEmbeddingConfig, cache: Path) -> FloatArray:
    """Text embeddings, kept in a file that names encoder and texts."""
    mark = hashlib.sha256(f"{encoder.model}\0".encode() + "\0".join(texts).encode()).hexdigest()
    if cache.is_file():
        with np.load(cache, allow_pickle=False) as stored:
            if str(stored["mark"]) == mark:
                return np.asarray(stored["text"])
    embedded = TextEmbedding(encoder).embed(texts)
    np.savez(cache, mark=np.array(mark), text=embedded)
    return embedded


def cosine_distances(points: FloatArray) -> Distances:
    """One minus cosine similarity, shape (n, n), in [0, 2]."""
    return np.asarray(np.maximum(cdist(points, points, "cosine"), 0.0))


def method_distances(
    scenarios: Sequence[ScenarioSounds], training: Material, n_runs: int
) -> dict[str, list[list[Distances]]]:
    """Predicted distances of every method: method → runs → scenarios.

    Args:
        scenarios: what to rank.
        training: pairs that the paper's model learns from; never scenarios.
        n_runs: how often the paper's model is trained anew.
    """
    space = AudioSpace.load(STORED / "space.safetensors")
    ridge = Ridge.load(STORED / "ridge.safetensors")
    single: dict[str, list[Distances]] = {
        "sleep values": [sleep_distances(s.programs) for s in scenarios],
        "edit distance": [edit_distances(s.programs) for s in scenarios],
        "syntax trees": [tree_distances(s.programs) for s in scenarios],
        "parsed parameters": _parameter_distances(scenarios),
        "text embedding, candidate": [cosine_distances(s.alone) for s in scenarios],
        "text embedding, program": [cosine_distances(s.material.text) for s in scenarios],
        "events": _event_distances(scenarios),
        "sketch, not trained": [
            distances_between(space.embed(s.material.sketch)) for s in scenarios
        ],
    }
    runs: dict[str, list[list[Distances]]] = {name: [each] for name, each in single.items()}
    points = space.embed(training.sound)
    models = [train(training.text, points, PAPER_MODEL, seed) for seed in range(n_runs)]
    views: dict[str, Callable[[ScenarioSounds], FloatArray]] = {
        "paper's model, candidate": lambda s: s.alone,
        "paper's model, program": lambda s: s.material.text,
    }
    for name, view in views.items():
        runs[name] = [
            [
                cosine_distances(m.embed(view(s), space.embed(s.material.sound))[0])
                for s in scenarios
            ]
            for m in models
        ]
    runs["static"] = [[distances_between(ridge.predict(s.material.sketch)) for s in scenarios]]
    runs["runtime events"] = [
        [distances_between(ridge.predict(s.material.events)) for s in scenarios]
    ]
    return runs


def _parameter_distances(scenarios: Sequence[ScenarioSounds]) -> list[Distances]:
    """Standardised over all scenarios at once, which is kinder than over ten programs."""
    together = parameter_distances([p for s in scenarios for p in s.programs])
    return _diagonal_blocks(together, scenarios)


def _event_distances(scenarios: Sequence[ScenarioSounds]) -> list[Distances]:
    together = event_distances([events for s in scenarios for events in s.events])
    return _diagonal_blocks(together, scenarios)


def _diagonal_blocks(whole: Distances, scenarios: Sequence[ScenarioSounds]) -> list[Distances]:
    ends = np.cumsum([len(s.kept) for s in scenarios])
    return [
        whole[end - len(s.kept) : end, end - len(s.kept) : end]
        for s, end in zip(scenarios, ends, strict=True)
    ]


def judge_scenarios(
    methods: Mapping[str, Sequence[Sequence[Distances]]], truths: Sequence[Distances]
) -> dict[str, list[Judgement]]:
    """One judgement per method and scenario, the mean over its runs; chance goes first.

    Args:
        methods: method → runs → distances in each scenario of more than `KEEP` candidates.
        truths: true distances in each scenario.
    """
    judged = {"chance": [chance(len(truth), KEEP) for truth in truths]}
    for name, runs in methods.items():
        judged[name] = [
            mean_judgement([judge_distances(run[i], truth, KEEP) for run in runs])
            for i, truth in enumerate(truths)
        ]
    return judged


@dataclass(frozen=True, eq=False)
class CascadeRun:
    """What the cascade says of one scenario, with ever more candidates heard.

    Args:
        chosen: candidates heard → rows chosen.
        heard: distances of the first seconds of all candidates.
    """

    chosen: Mapping[int, tuple[int, ...]]
    heard: Distances


class KeptTier:
    """A tier of the cascade that answers from renders made before.

    Args:
        name: of the tier.
        points: program → where it lies.
    """

    def __init__(self, name: TierName, points: Mapping[str, FloatArray]) -> None:
        self.name, self.key = name, "kept"
        self._points = points

    def estimate(self, code: str) -> Estimate:
        """Where it lay when it was rendered."""
        return Estimate(
            self.name, self._points[code], 1.0, is_trusted=True, is_silent=False, is_broken=False
        )


def run_cascade(sounds: ScenarioSounds, budgets: Sequence[int]) -> CascadeRun:
    """The cascade on a scenario; its silent runs and first seconds are those of the renders.

    Args:
        sounds: the scenario.
        budgets: how many candidates may be heard.
    """
    predictor = stored_predictor()
    ridge = Ridge.load(STORED / "ridge.safetensors")
    programs = sounds.programs
    events = ridge.predict(sounds.material.events)
    heard = predictor.space.embed(sounds.heard)
    with Cascade(
        predictor,
        events=KeptTier("events", dict(zip(programs, events, strict=True))),
        heard=KeptTier("heard", dict(zip(programs, heard, strict=True))),
    ) as cascade:
        chosen = {
            budget: cascade.rank("", programs, KEEP, most_heard=budget).chosen for budget in budgets
        }
    return CascadeRun(chosen, distances_between(heard))


def judge_cascade(
    runs: Sequence[CascadeRun], truths: Sequence[Distances]
) -> dict[int, list[Judgement]]:
    """Candidates heard → one judgement for each scenario."""
    budgets = runs[0].chosen if runs else ()
    return {
        budget: [
            judge_choice(run.chosen[budget], truth) for run, truth in zip(runs, truths, strict=True)
        ]
        for budget in budgets
    }
