"""Generators, searchers and surrogates as a config names them."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from agents.evolution.adviser import Adviser
from agents.evolution.generators.generator import Generator
from agents.evolution.generators.sonic_pi import SonicPiGenerator, patient
from agents.evolution.generators.watched import WatchedGenerator
from agents.evolution.genome import Genome
from agents.evolution.searchers.cma_es import CmaEs
from agents.evolution.searchers.full_llm import FullLlm
from agents.evolution.searchers.llm_evolve import LlmEvolve
from agents.evolution.searchers.program_genetic import ProgramGenetic
from agents.evolution.searchers.searcher import Searcher
from agents.evolution.searchers.snes import Snes
from agents.evolution.searchers.vector_genetic import VectorGenetic
from agents.evolution.searchers.vectors import VectorSpace, embedding_space
from agents.evolution.surrogate import CodeSurrogate
from agents.evolution.text_prompts import TextPrompts
from corpus.sonic_pi.breeding import Breeder
from corpus.sonic_pi.parameter_space import ParameterSpace
from corpus.sonic_pi.renderer import Rendering
from corpus.sonic_pi.templating import own_templates
from corpus.sonic_pi.unroller import Unroller
from launch.evolve_foresight import CodeForesight
from launch.evolve_settings import EvolveConfig
from launch.evolve_world import MadeUpWorld, World, catalogue_of
from launch.program_file import read_program
from models.language_model import LanguageModel

__all__ = ["build_foresight", "build_generator", "build_searcher", "build_surrogate"]

FloatArray = NDArray[np.float32]
_PARAMETER_STEP = 0.2  # of a parameter's range


def build_generator(
    config: EvolveConfig, on_rendering: Callable[[str, Rendering], None]
) -> WatchedGenerator:
    """The generator, watched; refused if its terms forbid the show.

    Raises:
        ValueError: a paid show with weights that are not for one, or a model that cannot be loaded.
    """
    settings = config.generator

    def make() -> Generator:
        if settings.kind == "sonic-pi":
            limits = patient(settings.patience_seconds)
            return SonicPiGenerator(max(1, config.workers), limits, on_rendering)
        if settings.kind == "musicgen":
            from models.musicgen import MusicGenGenerator

            return MusicGenGenerator(settings.model)
        from models.audiocraft_client import AudiocraftGenerator

        return AudiocraftGenerator(settings.python, settings.model or "debug")

    generator = WatchedGenerator(make, settings.patience_seconds, settings.cache_megabytes)
    if config.show == "paid" and not generator.allows_paid_shows:
        generator.close()
        raise ValueError(
            f"a paid show must not play what {generator.name} makes ({generator.licence}); choose "
            "another generator, or set show to free"
        )
    return generator


def build_searcher(config: EvolveConfig, generator: WatchedGenerator) -> Searcher:
    """The searcher for the generator's kind of genome.

    Raises:
        ValueError: a searcher that this generator has no genomes for.
        ImportError: an extra is not installed.
    """
    search, seed = config.search, config.seed
    is_sonic_pi = config.generator.kind == "sonic-pi"
    operators: Breeder | TextPrompts = (
        Breeder(own_templates(), config.seconds, search.breeding) if is_sonic_pi else TextPrompts()
    )
    if search.kind in ("full-llm", "llm-evolve"):
        asked = search.language_model
        model = Adviser(LanguageModel(asked)) if asked else None
        if search.kind == "full-llm":
            return FullLlm(operators, model, search.full_llm, seed)
        return LlmEvolve(operators, model, search.llm_evolve, seed)
    if search.kind == "genetic" and isinstance(operators, Breeder):
        return ProgramGenetic(operators, search.genetic, seed)
    space = _space(config, generator)
    if search.kind == "genetic":
        return VectorGenetic(space, search.vectors, seed)
    if search.kind == "snes":
        return Snes(space, search.vectors, seed)
    return CmaEs(space, search.vectors, seed, batch=config.evolution.population // 2)


def _space(config: EvolveConfig, generator: WatchedGenerator) -> VectorSpace:
    """Parameters of a program, or token embeddings."""
    if config.generator.kind == "sonic-pi":
        return program_space(_program(config))
    embeddings = generator.embeddings()
    if embeddings is None:
        raise ValueError(
            f"{config.search.kind} searches embeddings, and {generator.name} takes none; use "
            "musicgen, or llm-evolve for prompts"
        )
    return embedding_space(embeddings, config.generator.tokens)


def program_space(program: str) -> VectorSpace:
    """The parameters of a program as a space of programs."""
    parameters = ParameterSpace(program)

    def express(point: FloatArray) -> Genome:
        return Genome("program", parameters.program_at(point), point)

    step = np.full(parameters.dim, _PARAMETER_STEP, np.float32)
    return VectorSpace(parameters.origin, step, express)


def _program(config: EvolveConfig) -> str:
    """The program whose parameters are searched.

    Raises:
        ValueError: it does not parse.
        OSError: it cannot be read.
    """
    path = config.search.program
    if path is None:
        whole_band = next(t for t in own_templates() if t.name == "whole_band")
        return whole_band.fill(0, config.seed).code
    code = read_program(path)
    for error in Unroller().unroll(code, config.seconds).errors:
        if error.kind == "syntax":
            raise ValueError(
                f"search.program must be a Sonic Pi program, but line {error.line} of {path} does "
                f"not parse ({error.message}); correct it"
            )
    return code


def build_foresight(config: EvolveConfig) -> CodeForesight:
    """What a surrogate sees of Sonic Pi programs.

    Raises:
        ValueError: genomes that are no programs, or an alignment that cannot be used.
        OSError: an alignment that is not there.
    """
    if config.generator.kind != "sonic-pi":
        raise ValueError(
            f"the surrogate reads Sonic Pi programs, not what {config.generator.kind} takes; set "
            "surrogate to false"
        )
    return CodeForesight(config.foresight, config.seconds)


def build_surrogate(foresee: CodeForesight, world: World) -> CodeSurrogate:
    """The surrogate of Sonic Pi programs; it begins with the world's catalogue."""
    catalogue = catalogue_of(world)
    if catalogue is None or not isinstance(world, MadeUpWorld):
        shared = len(world.fitness.target.vector())
        nothing, nowhere = (np.zeros((0, width), np.float32) for width in (1, shared))
        return CodeSurrogate(foresee, world.fitness.target.vector, nothing, nowhere)
    points = [(k, foresee(code)) for k, code in enumerate(catalogue.programs) if code]
    known = [(k, point) for k, point in points if point is not None]
    stacked = np.stack([point for _, point in known])
    songs = world.songs[[k for k, _ in known]]
    return CodeSurrogate(foresee, world.fitness.target.vector, stacked, songs)
