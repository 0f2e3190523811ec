"""What an evolution without a stage is told: the config of `launch/evolve.py`."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from actors.evolution_config import NodeAddress
from agents.evolution.fitness import FitnessConfig, Mode
from agents.evolution.population import EvolutionConfig
from agents.evolution.searchers.full_llm import FullLlmConfig
from agents.evolution.searchers.llm_evolve import LlmEvolveConfig
from agents.evolution.searchers.program_genetic import GeneticConfig
from agents.evolution.searchers.vectors import VectorConfig
from corpus.listening_events import split_listens
from corpus.sonic_pi.breeding import BreedingConfig
from models.language_model import LanguageModelConfig

__all__ = [
    "EvolveConfig",
    "ForesightSettings",
    "GeneratorSettings",
    "SearchSettings",
    "TasteSettings",
    "check_settings",
]

GeneratorKind = Literal["sonic-pi", "musicgen", "audiocraft"]
SearchKind = Literal["genetic", "cma-es", "snes", "full-llm", "llm-evolve"]


class GeneratorSettings(BaseModel, frozen=True, extra="forbid"):
    """What makes sound."""

    kind: GeneratorKind = Field(default="sonic-pi", description="Which generator.")
    model: str = Field(
        default="", description="MusicGen: a folder written by save_pretrained, or a hub id."
    )
    python: Path | None = Field(
        default=None, description="audiocraft: the interpreter that has it installed."
    )
    tokens: int = Field(default=8, ge=1, le=64, description="Length of an embedding genome.")
    patience_seconds: float = Field(
        default=120.0, gt=0, description="Longest time for one clip before it counts as failed."
    )
    cache_megabytes: float = Field(default=64.0, ge=0, description="Of clips kept in memory.")


class SearchSettings(BaseModel, frozen=True, extra="forbid"):
    """How children are found."""

    kind: SearchKind = Field(default="genetic", description="Which searcher.")
    genetic: GeneticConfig = GeneticConfig()
    breeding: BreedingConfig = BreedingConfig()
    vectors: VectorConfig = VectorConfig()
    full_llm: FullLlmConfig = FullLlmConfig()
    llm_evolve: LlmEvolveConfig = LlmEvolveConfig()
    language_model: LanguageModelConfig | None = Field(
        default=None, description="Asked by full-llm and llm-evolve; none: text operators alone."
    )
    program: Path | None = Field(
        default=None, description="cma-es, snes on parameters: the program; none: a template's."
    )


class ForesightSettings(BaseModel, frozen=True, extra="forbid"):
    """What the surrogate sees of a program that is not rendered yet."""

    view: Literal["sketch", "events"] = Field(
        default="sketch",
        description="sketch: read the code; events: run it without sound, slower and exact.",
    )
    alignment: Path | None = Field(
        default=None,
        description="Folder of `train_alignment.py --save`; none: what comes with the project.",
    )


class TasteSettings(BaseModel, frozen=True, extra="forbid"):
    """Whose taste it is: a made-up audience's, or that of a trained model."""

    model: Path | None = Field(
        default=None, description="taste.safetensors of launch/taste.py; none makes up an audience."
    )
    songs: Path | None = Field(
        default=None, description="With a model: folder of real music, for the guard and feedback."
    )
    feedback: Path | None = Field(
        default=None, description="With a model, mode dynamic: the feedback store."
    )
    piece: Path | None = Field(default=None, description="With a model, mode music: the piece.")
    user: int = Field(default=0, ge=0, description="Which listener, or which piece.")
    dataset: Path | None = Field(
        default=None,
        description="Made-up: take a data set of launch/render_corpus.py as catalogue.",
    )
    catalogue: int = Field(default=400, ge=24, le=10_000, description="Made-up: programs heard.")
    listeners: int = Field(default=300, ge=10, le=10_000, description="Made-up: audience.")
    playlist: int = Field(
        default=10, ge=1, le=1000, description="Clips that the listener rates in a generation."
    )
    first_ratings: int = Field(
        default=20, ge=0, le=1000, description="Ratings given before the first generation."
    )
    epochs: int = Field(default=10, ge=1, description="Passes of a fit to the ratings.")


class EvolveConfig(BaseModel, frozen=True, extra="forbid"):
    """An evolution without a stage."""

    mode: Mode = Field(default="dynamic", description="Whom to please: user, dynamic or music.")
    generations: int = Field(default=20, ge=1, le=100_000, description="How many.")
    seconds: float = Field(default=4.0, ge=0.5, le=60, description="Length of each clip.")
    seed: int = Field(default=0, ge=0, description="Of everything drawn.")
    workers: int = Field(
        default=0, ge=0, le=256, description="Ray actors that make clips; 0: this process does."
    )
    priority: Literal["idle", "low", "normal"] = Field(
        default="low", description="idle: workers work when nobody else wants to."
    )
    address: NodeAddress | None = Field(
        default=None,
        description="HOST:PORT of this machine at which others join its Ray; none: it is alone.",
    )
    resources: dict[str, float] = Field(
        default={}, description="What a worker's node must have, as named by ray start --resources."
    )
    show: Literal["free", "paid"] = Field(
        default="free", description="A paid show refuses generators whose terms forbid it."
    )
    surrogate: bool = Field(default=False, description="Render only what looks good as code.")
    out: Path = Field(default=Path("runs/evolution"), description="Folder of the run.")
    cache: Path = Field(
        default=Path("runs/evolution-cache"), description="Folder of what can be made again."
    )
    foresight: ForesightSettings = ForesightSettings()
    evolution: EvolutionConfig = EvolutionConfig()
    generator: GeneratorSettings = GeneratorSettings()
    search: SearchSettings = SearchSettings()
    taste: TasteSettings = TasteSettings()
    fitness: FitnessConfig = FitnessConfig()


def check_settings(config: EvolveConfig) -> None:
    """Refuse settings that would be passed over, before anything is made.

    Raises:
        ValueError: settings of a trained taste model without one, a path that leads nowhere, or a
            listener who is not there or cannot rate what is generated; one sentence.
    """
    taste = config.taste
    for name in ("songs", "feedback", "piece"):
        path = getattr(taste, name)
        if path is not None and taste.model is None:
            raise ValueError(
                f"taste.{name} must come with taste.model, a trained taste model, got none; name "
                f"it, or leave taste.{name} out"
            )
        if path is not None and not path.exists():
            made = ", which `antiphon feedback --store` makes" if name == "feedback" else ""
            raise ValueError(f"taste.{name} must exist{made}, got {path}; correct it")
    if taste.model is not None:
        return
    parts = split_listens(taste.listeners, taste.catalogue)
    people = len(parts.unseen if config.mode == "dynamic" else parts.known)
    if taste.user >= people:
        raise ValueError(
            f"taste.user must be one of {people} listeners, 0..{people - 1}, got {taste.user}; "
            "choose one of them, or make up more with taste.listeners"
        )
    if config.mode == "dynamic" and config.generator.kind != "sonic-pi":
        raise ValueError(
            "a made-up listener rates the notes of Sonic Pi programs, and "
            f"{config.generator.kind} plays none; set mode to user or music, or name a "
            "taste.model and the taste.feedback of real listeners"
        )
