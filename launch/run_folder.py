"""The folder of a run: new or empty, writable, with room; gone again if nothing sounded."""

import contextlib
import os
import shutil
import wave
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from actors.report.report import AUDIO_NAMES
from actors.stage_config import StageConfig
from launch.config import PROJECT_ROOT, ConfigError

SAMPLE_BYTES: Final = 2
JOURNAL_BYTES: Final = 6_000
"""Of one window, as measured, with a margin."""
REPORT_BYTES: Final = 2_000_000
LEAST_SECONDS: Final = 60.0
"""Room for so much must be there at the start, or for the whole run if it is shorter."""


@contextlib.contextmanager
def run_folder(
    config: StageConfig, name: str, n_windows: int | None, note: Callable[[str], None]
) -> Iterator[Path]:
    """The folder that the config asks for, or runs/STAMP-`name`, made; gone if what follows fails.

    Args:
        config: its `out`, and what one second of the run needs.
        name: of the situation.
        n_windows: how long the run will be; None: nobody knows.
        note: told if the disk will not do for the whole run.

    Raises:
        ConfigError: it cannot be made or written, holds files, or has no room.
    """
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    folder = config.out or PROJECT_ROOT / "runs" / f"{stamp}-{name}"
    was_there = folder.exists()
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _check_is_usable(folder)
            _check_room(config, folder, n_windows, note)
        except OSError as error:
            raise ConfigError(
                f"the run's folder must be writable, but {folder} is not "
                f"({os.strerror(error.errno or 0)}); name another with --out"
            ) from None
        yield folder
    except BaseException:
        if not was_there:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def discard_if_nothing_sounded(folder: Path) -> bool:
    """Remove the folder unless sound was recorded in it; whether it was removed."""
    if recorded_frames(folder / "input.wav"):
        return False
    shutil.rmtree(folder, ignore_errors=True)
    return True


def recorded_frames(path: Path) -> int:
    """How many frames a WAV file holds by its own header; 0 if it is none."""
    with contextlib.suppress(OSError, EOFError, wave.Error), wave.open(str(path), "rb") as file:
        return file.getnframes()
    return 0


def _check_is_usable(folder: Path) -> None:
    if any(folder.iterdir()):
        raise ConfigError(
            f"the run's folder must be new or empty, but {folder} holds files; name another with "
            "--out"
        )
    probe = folder / ".probe"
    probe.write_bytes(b"")
    probe.unlink()


def _check_room(
    config: StageConfig, folder: Path, n_windows: int | None, note: Callable[[str], None]
) -> None:
    audio = config.audio
    per_second = (
        len(AUDIO_NAMES) * audio.channels * SAMPLE_BYTES * audio.sample_rate
        + JOURNAL_BYTES / config.window
    )
    seconds = LEAST_SECONDS if n_windows is None else n_windows * config.window
    free = shutil.disk_usage(folder).free
    least = REPORT_BYTES + per_second * min(seconds, LEAST_SECONDS)
    if free < least:
        raise ConfigError(
            f"the disk must have room for the run ({least / 1e6:.1f} MB), got {free / 1e6:.1f} MB "
            f"free at {folder}; free the disk or name another folder with --out"
        )
    if free < REPORT_BYTES + per_second * seconds:
        note(
            f"the disk has room for {(free - REPORT_BYTES) / per_second / 60:.0f} of "
            f"{seconds / 60:.0f} minutes; when it is full the recording stops, the music goes on"
        )
