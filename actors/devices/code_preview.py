"""A program heard before it is played: rendered to a WAV file, and on headphones if there are any.

Never on the main output: the headphones are a device of their own. Rendering happens in the
sandbox of the renderer; all of it blocks, so it is called on a thread of its own.
"""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from actors.devices.audio import DeviceError
from actors.devices.sound_card import choose
from corpus.sonic_pi.fork_server import ProgramLimits
from corpus.sonic_pi.install import InstallConfig
from corpus.sonic_pi.renderer import Renderer, RendererConfig
from corpus.sonic_pi.synthesis import SynthesisLimits
from corpus.whole_file import write_atomically

FOLDER_NAME: Final = "previews"
"""Folder of the previews inside the run's folder."""
LONGEST_NAME: Final = 60
"""Characters of a request's name that a file's name may have."""
BLOCK_SECONDS: Final = 0.1
"""How much is handed to the headphones at a time: how soon a newer preview takes over."""


def stage_renderer(install: InstallConfig) -> RendererConfig:
    """What a program may use on stage."""
    return RendererConfig(
        install=install,
        program=ProgramLimits(cpu_seconds=3, wall_seconds=5.0),
        synthesis=SynthesisLimits(cpu_seconds=4, wall_seconds=8.0),
    )


class PreviewConfig(BaseModel, frozen=True, extra="forbid"):
    """How programs are heard before they are played."""

    seconds: float = Field(8.0, gt=0, le=60)  # of the program
    automatic: bool = True  # the first place of each final ranking, without being asked
    output: str | None = Field(
        None, min_length=1
    )  # headphones, by name or number; never the main output; none: a file


@dataclass(frozen=True)
class PreviewJob:
    """A program to hear.

    Args:
        request: name of the request that it was a candidate of.
        candidate: its place among the candidates, from 0.
        program: Sonic Pi source.
    """

    request: str
    candidate: int
    program: str


@dataclass(frozen=True)
class Preview:
    """What became of a job: `detail` says where it can be heard, or `error` why it cannot."""

    job: PreviewJob
    detail: str
    error: str = ""


class Previewer:
    """Renders programs one after the other; stays in one thread.

    Args:
        config: how long, where to.
        folder: of the run; previews go into a folder inside it.
        install: where Sonic Pi is.
        is_wanted: whether a preview shall go on sounding; asked while it does.
    """

    def __init__(
        self,
        config: PreviewConfig,
        folder: Path,
        install: InstallConfig,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self._config = config
        self._install = install
        self._folder = folder / FOLDER_NAME
        self._is_wanted = is_wanted
        self._renderer: Renderer | None = None

    def hear(self, job: PreviewJob) -> Preview:
        """Render, keep and play; what goes wrong is said in the answer, never raised."""
        try:
            self._renderer = self._renderer or Renderer(stage_renderer(self._install))
            rendering = self._renderer.render(job.program, self._config.seconds)
        except (OSError, RuntimeError) as error:
            return Preview(job, "", f"no preview can be rendered: {error}")
        if not rendering.peak > 0:
            reason = "; ".join(map(str, rendering.errors[:2])) or "it is silent"
            return Preview(job, "", f"there is nothing to hear of candidate {job.candidate + 1}: "
                           f"{reason}")  # fmt: skip
        request = re.sub(r"[^A-Za-z0-9-]", "_", job.request)[:LONGEST_NAME]
        path = self._folder / f"{request}-candidate-{job.candidate + 1}.wav"
        shown = f"{FOLDER_NAME}/{path.name}"
        try:
            _write(path, rendering.audio, rendering.sample_rate)
        except OSError as error:
            return Preview(job, "", f"the preview must be written to {path}, but {error.strerror}")
        if self._config.output is not None:
            try:
                self._play(rendering.audio, rendering.sample_rate)
            except DeviceError as error:
                return Preview(job, shown, str(error))
        return Preview(job, shown)

    def close(self) -> None:
        """End the renderer."""
        if self._renderer is not None:
            self._renderer.close()

    def _play(self, audio: NDArray[np.float32], sample_rate: int) -> None:
        assert self._config.output is not None
        index, n_channels = choose(self._config.output, "output", 2)
        import sounddevice

        samples = np.ascontiguousarray(audio if n_channels == 2 else audio.mean(1, keepdims=True))
        block = round(BLOCK_SECONDS * sample_rate)
        try:
            with sounddevice.OutputStream(
                device=index, samplerate=sample_rate, channels=n_channels, dtype="float32"
            ) as stream:
                for start in range(0, len(samples), block):
                    if not self._is_wanted():
                        return
                    stream.write(samples[start : start + block])
        except sounddevice.PortAudioError as error:
            raise DeviceError(
                f"the headphones {self._config.output!r} must take sound, but {error}; set "
                "code_ranking.desk.preview.output to another device"
            ) from error


def check_headphones(output: str | None, main_output: str | None) -> None:
    """Make sure that the headphones are there, and are not the main output.

    Raises:
        DeviceError: they are not there, or they are the device that the room hears.
    """
    if output is None:
        return
    card = _card(output)
    if main_output is not None and card == _card(main_output):
        raise DeviceError(
            "code_ranking.desk.preview.output must be another device than the main output, both "
            f"are {output!r}; name the headphones, or leave it out for a file"
        )


def _card(name: str) -> int:
    """The number of the card that a name means, the default's too."""
    choose(name, "output", 2)
    import sounddevice

    return int(
        sounddevice.query_devices(int(name) if name.isdigit() else name or None, "output")["index"]
    )


def _write(path: Path, audio: NDArray[np.float32], sample_rate: int) -> None:
    """Write beside `path`, then move there: nobody hears half a file."""
    sound = io.BytesIO()
    soundfile.write(sound, audio, sample_rate, format="WAV", subtype="PCM_16")
    write_atomically(path, sound.getbuffer())
