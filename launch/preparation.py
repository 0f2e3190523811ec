"""Before anything sounds: everything that the config names is opened once, or refused.

What is wrong is found here, while nothing has been written and no process started.
"""

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from actors.devices.audio import DeviceError
from actors.devices.sound_card import choose
from actors.parts import build_labeller, build_stage_memory
from actors.stage_config import BandConfig, StageConfig
from actors.streams.broker import check_endpoints_are_free
from corpus.audio_file import AudioFileError, is_silent, read_audio
from launch.config import PROJECT_ROOT, ConfigError, resolve
from models.bundle import Bundle

Tell = Callable[[str], None]


def prepare(config: StageConfig, name: str, begin: Tell, tell: Tell) -> BandConfig:
    """Check the stage against the world and make its run folder.

    Args:
        config: what is asked for.
        name: of the situation; part of the folder's name.
        begin: told the name of each step.
        tell: told details and notices.

    Raises:
        ConfigError: the stage contradicts itself or its bundle.
        ValueError, OSError: a file, folder, device or port cannot be used; one sentence.
    """
    config = _absolute(config)
    begin("checking the guide and the devices")
    if config.pace == "real":
        check_endpoints_are_free(config.streams)
        config = _with_working_output(config, tell)
    elif config.replay is None:
        raise ConfigError("fast pace must have a guide to replay; name one with --replay")
    n_windows = _count_windows(config, tell)
    begin("loading the bundle")
    _check_bundle(config)
    begin("labelling the memory")
    memory = build_stage_memory(config, build_labeller(config), tell)
    if memory.is_silent:
        tell("the memory is all silence: the band will listen and play nothing")
    return BandConfig.model_validate(
        {
            **config.model_dump(),
            "out": _make_run_folder(config, name),
            "playable": tuple(sorted(memory.playable)),
            "first_segments": memory.starts,
            "n_windows": n_windows,
        }
    )


def _absolute(config: StageConfig) -> StageConfig:
    """All paths as seen from any process."""
    changes = {
        "replay": config.replay and resolve(config.replay).resolve(),
        "memory": tuple(resolve(path).resolve() for path in config.memory),
        "bundle": resolve(config.bundle).resolve(),
        "cache": config.cache if config.cache.is_absolute() else PROJECT_ROOT / config.cache,
        "out": config.out and config.out.absolute(),
    }
    return config.model_copy(update=changes)


def _count_windows(config: StageConfig, tell: Tell) -> int | None:
    """How many windows the stage will have, from its guide or its seconds."""
    seconds, rate = config.seconds, config.audio.sample_rate
    if config.replay is None:
        return None if seconds is None else config.grid.window_of(round(seconds * rate))
    guide = read_audio(config.replay, config.audio.sample_rate, config.n_channels)
    if len(guide) < config.grid.boundary(2):
        raise AudioFileError(
            f"the guide must last at least two windows ({2 * config.window} s), got "
            f"{len(guide) / config.audio.sample_rate:.2f} s in {config.replay.name}; take another"
        )
    if is_silent(guide):
        tell(f"{config.replay.name} is all silence: the band answers what silence taught it")
    return config.grid.window_of(len(guide) if seconds is None else round(seconds * rate))


def _check_bundle(config: StageConfig) -> None:
    card = Bundle.load(config.bundle).card
    if card.horizon < config.decision.horizon:
        raise ConfigError(
            f"decision.horizon must be at most the bundle's {card.horizon}, got "
            f"{config.decision.horizon}; lower it with --set decision.horizon={card.horizon}"
        )


def _with_working_output(config: StageConfig, tell: Tell) -> StageConfig:
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
        tell(f"no loudspeaker here ({error}); the run is recorded only")
        silent = audio.model_copy(update={"output": None})
        return config.model_copy(update={"audio": silent})
    return config


def _make_run_folder(config: StageConfig, name: str) -> Path:
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    folder = config.out or PROJECT_ROOT / "runs" / f"{stamp}-{name}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ConfigError(
                f"the run's folder must be new or empty, but {folder} holds files; name another "
                "with --out"
            )
        probe = folder / ".probe"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise ConfigError(
            f"the run's folder must be writable, but {folder} is not "
            f"({os.strerror(error.errno or 0)}); name another with --out"
        ) from None
    return folder
