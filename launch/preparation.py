"""Before anything sounds: everything that the config names is opened once, or refused.

What is wrong is found here, while nothing has been written and no process started.
"""

from pathlib import Path
from typing import Final

from actors.audio_process import build_engine
from actors.devices.audio import DeviceError
from actors.devices.code_preview import check_headphones
from actors.devices.sound_card import choose
from actors.evolution_config import StageEvolutionConfig
from actors.parts import build_labeller, build_stage_memory
from actors.stage_config import (
    LONGEST_WINDOW,
    SHORTEST_WINDOW,
    BandConfig,
    CodeStageConfig,
    StageConfig,
)
from actors.streams.broker import check_endpoints_are_free
from corpus.audio_file import AudioFileError, is_silent, read_audio
from launch.config import PROJECT_ROOT, ConfigError, is_there, resolve
from launch.live_hearing import Told, fit_for_live
from launch.run_folder import run_folder
from models.alphabet import SILENCE
from models.bundle import BeatSegments, Bundle, BundleCard
from models.language_model import LanguageModel, LanguageModelError

SAME_WINDOW: Final = 0.0005
"""Seconds by which a window written as a decimal may be off the tempo's."""
FAR: Final = 1.25
"""A tempo so many times above or below those learned from is told."""


def prepare(config: StageConfig, name: str, told: Told) -> BandConfig:
    """Check the stage against the world and make its run folder, which is gone again if it fails.

    Args:
        config: what is asked for.
        name: of the situation; part of the folder's name.
        told: the steps, details and notices.

    Raises:
        ConfigError: the stage contradicts itself or its bundle.
        ValueError, OSError: a file, folder, device or port cannot be used; one sentence.
    """
    config = _absolute(config)
    told.begin("loading the bundle")
    config = _fitting_bundle(config, Bundle.load(config.bundle).card, told)
    told.begin("checking the guide and the devices")
    _check_blocks(config)
    if config.pace == "real":
        check_endpoints_are_free(config.streams)
        config = _with_working_output(config, told)
        _check_code_ranking(config)
    elif config.replay is None:
        raise ConfigError("fast pace must have a guide to replay, got none; name one with --replay")
    _check_evolution(config, told)
    n_windows = _count_windows(config, told)
    told.begin("making the run's folder")
    with run_folder(config, name, n_windows, told.note) as folder:
        config = fit_for_live(config, told)
        told.begin("labelling the memory")
        memory = build_stage_memory(config, build_labeller(config), told.tell)
        n_own = (*memory.starts, len(memory))[len(config.memory)]  # transpositions come after
        return BandConfig.model_validate(
            {
                **config.model_dump(),
                "out": folder,
                "playable": tuple(tuple(sorted(labels)) for labels in memory.playable),
                "rest_share": float((memory.labels[0, :n_own] == SILENCE).mean())
                if n_own
                else None,
                "memory_windows": n_own,
                "track_names": memory.names,
                "first_segments": memory.starts,
                "n_windows": n_windows,
            }
        )


def _absolute(config: StageConfig) -> StageConfig:
    """All paths as seen from any process."""
    if config.out is not None:
        is_there(config.out.absolute())
    changes = {
        "replay": config.replay and _audio_path(config.replay),
        "memory": tuple(_audio_path(path) for path in config.memory),
        "bundle": resolve(config.bundle),
        "cache": _below_root(config.cache),
        "out": config.out and config.out.absolute(),
        "code_ranking": _absolute_desk(config),
        "evolution": config.evolution.model_copy(
            update={
                "taste": config.evolution.taste and resolve(config.evolution.taste),
                "songs": config.evolution.songs and resolve(config.evolution.songs),
                "folder": _below_root(config.evolution.folder),
            }
        ),
        "feedback": config.feedback.model_copy(
            update={"store": config.feedback.store and _below_root(config.feedback.store)}
        ),
    }
    return config.model_copy(update=changes)


def _absolute_desk(config: StageConfig) -> CodeStageConfig:
    """Code ranking with all paths as seen from any process."""
    desk = config.code_ranking.desk
    folder = desk.folder and resolve(desk.folder, typed=True)
    home = desk.sonic_pi.home and resolve(desk.sonic_pi.home, typed=True)
    sonic_pi = desk.sonic_pi.model_copy(update={"home": home})
    desk = desk.model_copy(update={"folder": folder, "sonic_pi": sonic_pi})
    return config.code_ranking.model_copy(update={"desk": desk})


def _check_code_ranking(config: StageConfig) -> None:
    """What ranking would miss only when it is needed."""
    desk = config.code_ranking.desk
    if not config.code_ranking.enabled:
        return
    if desk.model is not None:
        try:
            LanguageModel(desk.model).close()
        except LanguageModelError as error:
            raise ConfigError(str(error)) from error
    if desk.preview is not None:
        check_headphones(desk.preview.output, config.audio.output)
    if desk.osc is not None and config.osc is not None and desk.osc.port == config.osc.port != 0:
        raise ConfigError(
            f"code_ranking.desk.osc.port must differ from osc.port, both are {config.osc.port}; "
            "set one of them to another port"
        )


def _below_root(path: Path) -> Path:
    """A path that need not exist yet; a relative one starts at the project's root."""
    return path if path.is_absolute() else PROJECT_ROOT / path


def _check_evolution(config: StageConfig, told: Told) -> None:
    """What an evolution in the background needs is there before the music begins."""
    evolution = config.evolution
    if not evolution.enabled:
        return
    if config.pace == "fast":
        told.note("at fast pace nothing evolves: there is no time to listen in")
    for name, path, made_by in (
        ("taste", evolution.taste, "a taste model, made by antiphon taste"),
        ("songs", evolution.songs, "a folder of real music that clips are held against"),
    ):
        if path is None or not is_there(path):
            raise ConfigError(
                f"evolution.{name} must be {made_by}, got {path or 'none'}; name it with "
                f"--set evolution.{name}=…, or do without with --set evolution.enabled=false"
            )
    from actors.evolution_studio import Shapes
    from corpus.song_features import SongDescriptors
    from models.taste_checkpoint import load_aligner

    Shapes.of(evolution)
    if evolution.taste is not None:
        load_aligner(evolution.taste, SongDescriptors.name)
    check_terms(evolution, told)


def check_terms(evolution: StageEvolutionConfig, told: Told) -> None:
    """Say under which terms what evolution makes may be played, before the show.

    Raises:
        ConfigError: a paid show whose terms forbid it, or MusicGen without weights.
    """
    from agents.evolution.generators.sonic_pi import SonicPiGenerator
    from models.musicgen import MusicGenGenerator

    kind = MusicGenGenerator if evolution.generator == "musicgen" else SonicPiGenerator
    if evolution.show == "paid" and not kind.allows_paid_shows:
        raise ConfigError(
            f"a paid show must not play what {evolution.generator} makes ({kind.licence}); set "
            "evolution.generator to sonic-pi, or evolution.show to free"
        )
    if evolution.generator == "musicgen" and not evolution.model:
        raise ConfigError(
            "evolution.generator musicgen must have evolution.model, a folder of weights or a hub "
            "id, got none; name it with --set evolution.model=…"
        )
    told.note(f"evolution plays {evolution.generator}: {kind.licence}")


def _audio_path(path: Path) -> Path:
    """An absolute path; a pipe or a device would be waited for, so only a file will do."""
    path = resolve(path)
    if is_there(path) and not path.is_file():
        kind = "a folder" if path.is_dir() else "neither file nor folder"
        raise ConfigError(f"{path} must be an audio file, got {kind}; name a WAV, FLAC or OGG file")
    return path


def _check_blocks(config: StageConfig) -> None:
    """The engine knows which blocks and windows go together."""
    try:
        build_engine(config)
    except ValueError as error:
        raise ConfigError(
            f"{error} (--set audio.lead_blocks=…, --set audio.block_frames=…, or a longer --window)"
        ) from None


def _count_windows(config: StageConfig, told: Told) -> int | None:
    """How many windows the stage will have, from its guide or its seconds."""
    rate, least = config.audio.sample_rate, 2 * config.window
    if config.seconds is not None and config.seconds < least:
        raise ConfigError(
            f"seconds must be at least two windows ({least:g} s), got {config.seconds:g}; play "
            "longer with --seconds or set a shorter --window"
        )
    n_samples = None if config.seconds is None else round(config.seconds * rate)
    if config.replay is not None:
        guide = read_audio(config.replay, rate, config.n_channels)
        if len(guide) < config.grid.boundary(2):
            raise AudioFileError(
                f"the guide must last at least two windows ({least:g} s), got "
                f"{len(guide) / rate:.2f} s in {config.replay}; take a longer one"
            )
        if is_silent(guide):
            told.note(f"{config.replay} is all silence: the band answers what silence taught it")
        n_samples = len(guide) if n_samples is None else n_samples
    return None if n_samples is None else config.grid.window_of(n_samples)


def _fitting_bundle(config: StageConfig, card: BundleCard, told: Told) -> StageConfig:
    """The stage as its bundle needs it: with the windows of the beat, if it learned in them."""
    if card.horizon < config.decision.horizon:
        raise ConfigError(
            f"decision.horizon must be at most the bundle's {card.horizon}, got "
            f"{config.decision.horizon}; lower it with --set decision.horizon={card.horizon}"
        )
    per_beat = None if card.beats is None else card.beats.windows_per_beat
    if config.windows_per_beat not in (None, per_beat):
        raise ConfigError(
            f"windows_per_beat must be the bundle's, {per_beat or 'none'}, got "
            f"{config.windows_per_beat}; leave it out"
        )
    return config if card.beats is None else _on_the_beat(config, card.beats, told)


def _on_the_beat(config: StageConfig, beats: BeatSegments, told: Told) -> StageConfig:
    """The stage with the windows that its tempo gives."""
    per_beat, bpm = beats.windows_per_beat, config.tempo.bpm
    window = float(config.tempo.window(per_beat))
    if not SHORTEST_WINDOW <= window <= LONGEST_WINDOW:
        raise ConfigError(
            f"tempo.bpm must be {60 / per_beat / LONGEST_WINDOW:g} to "
            f"{60 / per_beat / SHORTEST_WINDOW:g} with a bundle of {per_beat} windows per beat, "
            f"got {bpm:g}; count beats twice or half as fast, or take another bundle"
        )
    if "window" in config.model_fields_set and abs(config.window - window) > SAME_WINDOW:
        raise ConfigError(
            f"window must be {window:.4g} s, 1/{per_beat} of a beat at {bpm:g} bpm as the bundle "
            f"learned it, got {config.window:g} s; leave it out, or set tempo.bpm"
        )
    if not beats.lowest_bpm / FAR <= bpm <= beats.highest_bpm * FAR:
        told.note(
            f"a tempo of {bpm:g} bpm is far from what the bundle learned at, "
            f"{beats.lowest_bpm:g} to {beats.highest_bpm:g} bpm: it may answer less surely"
        )
    return config.model_copy(update={"window": window, "windows_per_beat": per_beat})


def _with_working_output(config: StageConfig, told: Told) -> StageConfig:
    """The stage as it can sound here: a replay does without a loudspeaker that is not there.

    A device that was asked for by name must be there, and so must the input of a live stage.
    """
    audio = config.audio
    try:
        if config.replay is None:
            choose(audio.input, "input", audio.channels)
        if audio.output is not None:
            choose(audio.output, "output", audio.channels)
    except DeviceError as error:
        if config.replay is None or audio.output:
            raise
        told.note(f"no loudspeaker here, the run is recorded only: {error}")
        silent = audio.model_copy(update={"output": None})
        return config.model_copy(update={"audio": silent})
    return config
